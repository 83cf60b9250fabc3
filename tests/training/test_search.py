"""A search finds what learns, looks at no scored image, and a kill in it leaves no trace."""

import json
import shutil
from dataclasses import replace

import numpy as np
import optuna
import pytest
import torch
from scipy.stats import pearsonr

from src.config import ConvCoreConfig, DenseReadoutConfig, ModelConfig, TrainingConfig
from src.data.errors import DataError
from src.data.splits import inner_split, official_split
from src.models.encoder import Encoder
from src.paths import run_paths
from src.seeds import member_seed
from src.studies.records import Plan
from src.studies.search import Choice, Range, Search
from src.training.found import found_plan
from src.training.search import Searching, search, values_of
from src.training.trainer import Run, train
from tests.training.population import Population

SEED = 3
RATE = Range("learning_rate", 1e-7, 1e-1, log=True)
SPACE = (RATE, Range("jitter", 0, 2, integer=True), Choice("core.channels", ((4,), (6,))))
PLAN = Plan(
    ModelConfig(
        "small",
        ConvCoreConfig((4,)),
        readout=DenseReadoutConfig(16, batch_norm=True),
        output="identity",
    ),
    TrainingConfig(batch_size=64, schedule="cosine", max_epochs=9, optimizer="adamw", loss="mse"),
    split="inner",
    search=Search(SPACE, trials=8, epochs=3, warmup=1, startup=3),
)


def run(folder, plan=PLAN, population=None, **more):
    sessions = {"macaque": population or Population(n_trials=300)}
    return search(plan, sessions, SEED, folder, device="cpu", **more)


def fewer(trials: int, *space: Range | Choice) -> Plan:
    """The plan with a smaller search, and the same values tried first."""
    return replace(PLAN, search=replace(PLAN.search, trials=trials, space=space or SPACE))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search nobody disturbed: its folder, and its table."""
    folder = tmp_path_factory.mktemp("whole") / "search"
    return folder, run(folder)


def study_of(folder) -> optuna.Study:
    url = f"sqlite:///{folder}/study.db"
    (name,) = optuna.get_all_study_names(url)
    return optuna.load_study(study_name=name, storage=url)


def test_the_rate_that_learns_is_found(whole):
    """Most rates of the range are too low: at 1e-5 this network stays where it started."""
    folder, table = whole
    found = json.loads((folder / "found.json").read_text())
    assert 2e-3 < found["values"]["learning_rate"] <= 0.1
    assert found["score"] == table["score"].max() > 0.3
    low = table[table["learning_rate"] < 1e-5]
    assert len(low) and low["score"].max() < 0.15
    assert found["plan"]["training"]["learning_rate"] == found["values"]["learning_rate"]
    assert found["plan"]["training"]["max_epochs"] == 9


def test_larger_is_better(whole):
    """D20: a study of correlations was told to minimize them."""
    folder, table = whole
    study = study_of(folder)
    assert study.direction is optuna.study.StudyDirection.MAXIMIZE
    complete = table[table["state"] == "complete"]
    found = json.loads((folder / "found.json").read_text())
    assert found["trial"] == study.best_trial.number == complete["score"].idxmax()
    assert table["best"].iloc[-1] == complete["score"].max() > complete["score"].min()


def test_trials_below_the_median_are_pruned(whole):
    """The rule by hand: best so far against the median of complete trials at the same epoch."""
    trials, pruned = study_of(whole[0]).trials, 0
    for trial in trials:
        others = [t for t in trials[: trial.number] if t.state.name == "COMPLETE"]
        scores = [trial.intermediate_values[k] for k in sorted(trial.intermediate_values)]
        behind = [
            len(others) >= 3
            and step >= 1
            and max(scores[: step + 1]) < np.median([t.intermediate_values[step] for t in others])
            for step in range(len(scores))
        ]
        assert not any(behind[:-1])
        assert (trial.state.name == "PRUNED") == behind[-1]
        pruned += behind[-1]
    assert pruned >= 1
    table = whole[1]
    assert (table.loc[table["state"] == "pruned", "epochs"] <= 3).all()
    assert (table.loc[table["state"] == "complete", "epochs"] == 3).all()


def test_the_table_holds_what_was_tried(whole):
    table, trials = whole[1], study_of(whole[0]).trials
    assert table["trial"].tolist() == list(range(8))
    assert set(table["jitter"]) <= {0, 1, 2} and set(table["core.channels"]) == {(4,), (6,)}
    for (_, row), trial in zip(table.iterrows(), trials, strict=True):
        values = values_of(PLAN, trial)
        assert {name: row[name] for name in values} == values
        assert row["score"] == max(trial.intermediate_values.values())
        assert type(trial.params["jitter"]) is int


def test_only_what_was_found_is_left(whole):
    assert sorted(path.name for path in whole[0].iterdir()) == ["found.json", "study.db"]


def test_a_score_is_of_networks_in_evaluation_mode(whole, tmp_path):
    """D19: scored in training mode, batch norms would make a score depend on its batch."""
    best = study_of(whole[0]).best_trial
    plan = PLAN.varied(values_of(PLAN, best))
    population, member = Population(n_trials=300), member_seed(SEED, 1)
    split = inner_split(population, SEED)
    data = {"macaque": population}, {"macaque": split}
    encoder = Encoder(plan.model, data[0], seed=member)
    recipe = replace(plan.training, max_epochs=PLAN.search.epochs)
    train(encoder, *data, recipe, member, tmp_path, "cpu", progress=False)
    assert not any(module.training for module in encoder.modules())
    batch = population.batch(split.validation)
    scores = {}
    for mode in (False, True):  # training changes the norms' statistics
        with torch.no_grad():
            predicted = encoder.train(mode)(batch, "macaque").numpy()
        pairs = zip(predicted.T, batch.responses.numpy().T, strict=True)
        scores[mode] = np.mean([pearsonr(*pair).statistic for pair in pairs])
    assert scores[False] == pytest.approx(best.value, abs=1e-5)
    assert abs(scores[True] - best.value) > 1e-3


def test_scored_images_have_no_say(whole, tmp_path):
    population = Population(n_trials=300)
    scored = official_split(population).validation
    population.responses[scored] = torch.nan
    population.images[scored] = torch.nan
    assert run(tmp_path, population=population).equals(whole[1])
    found = [folder / "found.json" for folder in (tmp_path, whole[0])]
    assert found[0].read_bytes() == found[1].read_bytes()


KILLS = (  # of one search in turn: where, and at which call since the last one
    (Run, "accumulate", 6),  # within an epoch
    (optuna.trial.Trial, "report", 2),  # between an epoch and its report
    (Searching, "suggested", 4),  # with one of three values drawn
    (optuna.Study, "tell", 2),  # between the last epoch and the end of a trial
    (shutil, "rmtree", 1),  # between the end of a trial and that of its folder
    (optuna.trial.Trial, "should_prune", 5),  # between a report and its verdict
    (optuna.Study, "tell", 2),
    (Searching, "suggested", 5),  # now with draws that heed the scores
    (Run, "accumulate", 6),
)


def test_kills_leave_no_trace(whole, tmp_path, monkeypatch):
    for owner, name, calls in KILLS:
        with monkeypatch.context() as patch, pytest.raises(InterruptedError):
            patch.setattr(owner, name, stopping(getattr(owner, name), calls))
            run(tmp_path)
        assert not (tmp_path / "found.json").exists()
    assert len(study_of(tmp_path).trials) >= 7
    assert run(tmp_path).equals(whole[1])
    found = [folder / "found.json" for folder in (tmp_path, whole[0])]
    assert found[0].read_bytes() == found[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.json", "study.db"]


def stopping(function, calls: int):
    """The function, which raises instead when it is called for the last of so many times."""
    left = iter(range(calls - 1))

    def stop(*arguments, **more):
        if next(left, None) is None:
            raise InterruptedError
        return function(*arguments, **more)

    return stop


def test_an_ended_search_trains_nothing_and_more_trials_go_on(whole, tmp_path, monkeypatch):
    run(tmp_path, fewer(4))
    calls, original = [], Searching.trial
    monkeypatch.setattr(Searching, "trial", lambda *a: calls.append(original(*a)))
    assert run(tmp_path).equals(whole[1])
    assert len(calls) == 4
    assert run(tmp_path).equals(whole[1])
    assert len(calls) == 4


def test_another_recipe_or_other_data_is_another_search(tmp_path):
    small = fewer(1)
    run(tmp_path, small)
    run(tmp_path, replace(small, training=replace(small.training, clip=1.0)))
    run(tmp_path, small, Population(n_trials=300, fingerprint="packed again"))
    names = optuna.get_all_study_names(f"sqlite:///{tmp_path}/study.db")
    assert len(names) == 3 and all(name.startswith("small-") for name in names)


def test_a_loss_that_is_no_number_ends_its_trial_alone(tmp_path):
    plan = fewer(4, Range("learning_rate", 1e-3, 1e30, log=True))
    table = run(tmp_path, plan)
    diverged = table["state"] == "diverged"
    assert 1 <= diverged.sum() < 4
    assert table.loc[diverged, "learning_rate"].min() > 1
    population = Population(n_trials=300)
    population.responses[:5] = torch.nan
    with pytest.raises(DataError, match=r"no trial is complete, of 2.*NaN in the responses"):
        run(tmp_path / "nan", fewer(2), population)


def test_machines_share_a_database(tmp_path):
    """A trial that runs elsewhere is left to its owner, and does not count before its end."""
    url, plan = f"sqlite:///{tmp_path}/shared.db", fewer(2)
    run(tmp_path / "first", plan, storage=url)
    (name,) = optuna.get_all_study_names(url)
    elsewhere = optuna.load_study(study_name=name, storage=url)
    number = elsewhere.ask().number
    table = run(tmp_path / "second", fewer(4), storage=url)
    assert table["trial"].tolist() == [0, 1, 3, 4] and number == 2
    assert elsewhere.trials[2].state is optuna.trial.TrialState.RUNNING
    assert [path.name for path in (tmp_path / "second").iterdir()] == ["found.json"]


def test_optuna_says_nothing_itself(tmp_path, capfd):
    before = optuna.logging.get_verbosity()
    run(tmp_path, fewer(1))
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith("trial 0: complete after 3 epochs, score ")
    assert optuna.logging.get_verbosity() == before


def test_what_was_found_is_trained(whole, tmp_path):
    places = run_paths("study", "run", str(tmp_path), str(tmp_path))
    plain = replace(PLAN, search=None)
    assert found_plan(plain, places) is plain
    with pytest.raises(DataError, match=r"found.json is not there.*run 02_search with model=small"):
        found_plan(PLAN, places)
    shutil.copytree(whole[0], places.search("small"))
    plan, values = found_plan(PLAN, places), study_of(whole[0]).best_params
    assert plan.training == replace(
        PLAN.training, learning_rate=values["learning_rate"], jitter=values["jitter"]
    )
    assert str(plan.model.core.channels) == values["core.channels"]
    assert plan.model.core.channels in ((4,), (6,))
    assert (plan.split, plan.search, plan.model.readout) == (
        "inner",
        PLAN.search,
        PLAN.model.readout,
    )
    other = replace(PLAN, training=replace(PLAN.training, weight_decay=0.3))
    with pytest.raises(DataError, match="is of another plan or search of 'small': run 02_search"):
        found_plan(other, places)
