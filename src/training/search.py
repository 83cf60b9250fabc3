"""Which values of a recipe and of a model train best, each tried for a few epochs (Optuna).

Values are drawn by the tree-structured Parzen estimator (Bergstra et al. 2011, Algorithms for
hyper-parameter optimization, NeurIPS), trials that fall behind are pruned at the median (Akiba et
al. 2019, Optuna, KDD). A score is the best validation correlation of a trial, on training images of
an inner split that are held out: images that are scored later have no say.

What a trial draws depends on the seed, its number, the field, and the trials before it. So a search
that was killed goes on with the trial it was in, and ends with the same trials as one left alone.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from src import manifest
from src.config import as_plain
from src.data.session import Session
from src.data.splits import Split, member_splits
from src.models.encoder import Encoder
from src.seeds import member_seed, numpy_stream
from src.studies.records import Plan
from src.studies.search import Choice, Range
from src.training.found import NAME, best_trial, save_found
from src.training.provenance import recorded_inputs
from src.training.trainer import Watch, train

DIRECTION = "maximize"  # a correlation
ENDED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
DIVERGED = "diverged"


def search(
    plan: Plan,
    sessions: Mapping[str, Session],
    seed: int,
    folder: Path,
    storage: str = "",
    device: str = "auto",
) -> pd.DataFrame:
    """Try `plan.search.trials` recipes; returns a row a trial, and leaves `found.json` in `folder`.

    Trials are kept in `study.db` beside it, or in any database Optuna can reach: with its URL as
    `storage`, every process that runs the same search on the same data does some of the trials.
    The order of trials then depends on who is faster, and so do later draws; and a process that is
    killed leaves a trial behind that another one replaces.
    """
    splits = member_splits(sessions, plan.split, plan.members, seed, plan.images)[0]
    folder.mkdir(parents=True, exist_ok=True)
    with _storage(storage or _own_file(folder)) as database, _quiet():
        searching = Searching(plan, sessions, splits, seed, folder, device)
        study = searching.study(database)
        if not storage:
            _queue_killed(study, database)
        while len(study.get_trials(states=ENDED)) < plan.search.trials:
            searching.trial(study)
        ended = study.get_trials(states=ENDED)
    table = trials_table(plan, ended)
    best = best_trial(table)["trial"]
    values = next(values_of(plan, t) for t in ended if t.number == best)
    save_found(plan, table, values, folder / NAME)
    for leftover in (folder / _name(trial.number) for trial in ended):
        shutil.rmtree(leftover, ignore_errors=True)
    return table


def trials_table(plan: Plan, trials: list[FrozenTrial]) -> pd.DataFrame:
    """A row a trial: its number, how it ended, epochs, best score, values, best score so far."""
    rows = []
    for one in trials:
        scores = one.intermediate_values.values()
        state = DIVERGED if one.user_attrs.get(DIVERGED) else one.state.name.lower()
        row = {"trial": one.number, "state": state, "epochs": len(scores)}
        rows.append(row | {"score": max(scores, default=None), **values_of(plan, one)})
    names = [one.field for one in plan.search.space]
    table = pd.DataFrame(rows, columns=["trial", "state", "epochs", "score", *names])
    table["score"] = table["score"].astype(float)
    complete = table["score"].where(table["state"] == "complete")
    return table.assign(best=complete.cummax().ffill())


@dataclass(frozen=True)
class Searching:
    """One search at work: what is searched, on what, where."""

    plan: Plan
    sessions: Mapping[str, Session]
    splits: Mapping[str, Split]
    seed: int
    folder: Path
    device: str

    def study(self, database: RDBStorage) -> optuna.Study:
        """The study of this search; of another plan, other data or other code, another study."""
        plan, member = self.plan, member_seed(self.seed, 1)
        encoder = Encoder(plan.model, self.sessions, member)
        inputs = recorded_inputs(encoder, self.sessions, self.splits, plan.training, member)
        space = as_plain(replace(plan.search, trials=1))  # more trials go on with the same study
        identity = manifest.fingerprint([inputs, space])
        how = plan.search
        return optuna.create_study(
            storage=database,
            study_name=f"{plan.model.name}-{identity[:16]}",
            direction=DIRECTION,
            pruner=optuna.pruners.MedianPruner(how.startup, how.warmup),
            load_if_exists=True,
        )

    def trial(self, study: optuna.Study) -> None:
        """Train one trial to its end, or until it is pruned or its loss is no number."""
        trial = study.ask()
        shown = {one.field: self.suggested(trial, one) for one in self.plan.search.space}
        plan = self.plan.varied(shown)
        folder, member = self.folder / _name(trial.number), member_seed(self.seed, 1)
        encoder = Encoder(plan.model, self.sessions, member)
        recipe = replace(plan.training, max_epochs=plan.search.epochs)
        watch = _reporting(study, trial)
        data = self.sessions, self.splits
        try:
            train(encoder, *data, recipe, member, folder, self.device, False, watch)
        except optuna.TrialPruned:
            study.tell(trial, state=TrialState.PRUNED)
        except FloatingPointError:
            trial.set_user_attr(DIVERGED, True)
            study.tell(trial, state=TrialState.PRUNED)  # which later draws avoid
        else:
            study.tell(trial, max(study.trials[trial.number].intermediate_values.values()))
        shutil.rmtree(folder, ignore_errors=True)
        _say(self.plan, study, trial.number)

    def suggested(self, trial: Trial, one: Range | Choice) -> Any:
        """A value for a field; the one a killed trial had drawn, if it had."""
        draw = numpy_stream(self.seed, "search", trial.number, one.field).integers(2**32)
        trial.study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=self.plan.search.startup,
            multivariate=False,
            constant_liar=False,
            seed=int(draw),
        )
        if isinstance(one, Choice):
            return _chosen(one, trial.suggest_categorical(one.field, _labels(one)))
        if one.integer:
            return trial.suggest_int(one.field, one.low, one.high, log=one.log)
        return trial.suggest_float(one.field, one.low, one.high, log=one.log)


def values_of(plan: Plan, trial: FrozenTrial) -> dict[str, Any]:
    """The values a trial tried, as a plan takes them."""
    space = {one.field: one for one in plan.search.space}
    return {
        name: _chosen(space[name], drawn) if isinstance(space[name], Choice) else drawn
        for name, drawn in trial.params.items()
    }


def _labels(choice: Choice) -> list[str]:
    """What the database calls the values, which may be of any kind."""
    return [str(value) for value in choice.values]


def _chosen(choice: Choice, label: str) -> Any:
    return choice.values[_labels(choice).index(label)]


def _name(number: int) -> str:
    return f"trial_{number:03d}"


def _reporting(study: optuna.Study, trial: Trial) -> Watch:
    """What training shows its epochs to: raises TrialPruned when it is of no more use."""
    known = set(study.trials[trial.number].intermediate_values)  # of a killed trial

    def watch(row: Mapping[str, Any]) -> None:
        step = row["epoch"] - 1  # pruners count from 0
        if step not in known:
            trial.report(row["validation"], step)
        if trial.should_prune():
            raise optuna.TrialPruned

    return watch


def _say(plan: Plan, study: optuna.Study, number: int) -> None:
    """One line a trial, in a log as before a reader."""
    row = trials_table(plan, [study.trials[number]]).iloc[0]
    print(
        f"trial {number}: {row['state']} after {row['epochs']} epochs, score {row['score']:.3f}",
        flush=True,
    )


def _own_file(folder: Path) -> str:
    """URL of the database in `folder`, which is there whole or not at all."""
    path = folder / "study.db"
    if not path.exists():
        with manifest.replacing(path, note=False) as temporary, _storage(f"sqlite:///{temporary}"):
            pass
    return f"sqlite:///{path}"


@contextmanager
def _storage(url: str) -> Iterator[RDBStorage]:
    """A database, made if it is empty, and let go at the end."""
    with _quiet():
        database = RDBStorage(url)
    try:
        yield database
    finally:
        database.remove_session()
        database.engine.dispose()


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says nothing of its own inside the block: it writes to the error stream."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _queue_killed(study: optuna.Study, database: RDBStorage) -> None:
    """Have trials that a kill left running run again, under their numbers, with what they drew."""
    number_of = database.get_trial_id_from_study_id_trial_number
    owner = database.get_study_id_from_name(study.study_name)
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        database.set_trial_state_values(number_of(owner, trial.number), TrialState.WAITING)
