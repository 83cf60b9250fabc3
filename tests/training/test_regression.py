"""Squared error on a simulated linear-nonlinear population whose responses have both signs."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.metrics import explained_variance_score

from src.config import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    GaussianReadoutConfig,
    ModelConfig,
    TrainingConfig,
)
from src.data.splits import Split
from src.models.encoder import Encoder
from src.seeds import stream
from src.training import checkpoint
from src.training.sampler import rounds
from src.training.schedule import Schedule
from src.training.tables import COLUMNS, WATCHED
from src.training.trainer import Run, train
from tests.training.population import Population

MODEL = ModelConfig(
    "it_small", ConvCoreConfig((8, 16)), readout=DenseReadoutConfig(32), output="identity"
)
RECIPE = TrainingConfig(
    batch_size=32,
    max_epochs=6,
    learning_rate=3e-3,
    min_learning_rate=1e-5,
    schedule="cosine",
    warmup_epochs=2,
    optimizer="adamw",
    weight_decay=1e-2,
    clip=1.0,
    loss="mse",
)


@pytest.fixture
def data():
    """The session and its split, by key."""
    split = Split(np.arange(480), np.arange(480, 600), np.array([], int))
    return {"macaque": Population()}, {"macaque": split}


def fit(data, folder, config=RECIPE, model=MODEL):
    encoder = Encoder(model, data[0], seed=1)
    return encoder, train(encoder, *data, config, 7, folder, "cpu", progress=False)


def validation(encoder, data):
    batch = data[0]["macaque"].batch(data[1]["macaque"].validation)
    with torch.no_grad():
        return encoder(batch, "macaque").numpy(), batch.responses.numpy()


def files(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_small_network_learns_responses_of_either_sign(data, tmp_path):
    assert (data[0]["macaque"].responses < 0).float().mean() > 0.4
    encoder, history = fit(data, tmp_path / "right")
    p, y = validation(encoder, data)
    assert (p < -0.3).any()
    assert history["best"].max() > 0.5
    scores = [pearsonr(*pair).statistic for pair in zip(p.T, y.T, strict=True)]
    assert history["best"].max() == pytest.approx(np.mean(scores), abs=1e-5)
    best = history.loc[history["validation"].idxmax()]
    expected = explained_variance_score(y, p, multioutput="raw_values").mean()
    assert best["validation_ev"] == pytest.approx(expected, abs=1e-5)
    assert list(history) == [*COLUMNS, *WATCHED]
    population, train_trials = data[0]["macaque"], data[1]["macaque"].train
    order = np.random.default_rng(3).permutation(train_trials)
    population.responses[train_trials] = population.responses[order]
    _, permuted = fit(data, tmp_path / "permuted")
    assert abs(permuted["validation"].iloc[-1]) < 0.1


def test_constant_predictions_are_counted_and_said_once(data, tmp_path, capsys):
    """A rate far too low leaves every unit near its initial bias."""
    config = replace(RECIPE, max_epochs=3, schedule="fixed", warmup_epochs=0, learning_rate=1e-9)
    encoder = Encoder(MODEL, data[0], seed=1)
    with torch.no_grad():
        encoder.readouts["macaque"].out.weight[:5] = 0
    history = train(encoder, *data, config, 7, tmp_path / "low", "cpu", progress=False)
    assert history["constant_units"].tolist() == [5, 5, 5]
    line = "low: predictions of 5 units hardly vary over validation trials\n"
    assert capsys.readouterr().out == line
    fit(data, tmp_path / "high")
    assert capsys.readouterr().out == ""


def test_steps_are_those_of_adamw_on_clipped_gradients(data):
    """Biases before a batch norm are left out: their gradient is 0 but for rounding."""
    reference, norms = Encoder(MODEL, data[0], seed=1).train(), []
    adamw = torch.optim.AdamW(reference.parameters(), lr=3e-4, weight_decay=5)
    trials = {"macaque": data[1]["macaque"].train}
    for indices in rounds(trials, 32, 7, 1):
        b = data[0]["macaque"].batch(indices["macaque"])
        adamw.zero_grad()
        torch.nn.functional.mse_loss(reference(b, "macaque"), b.responses).backward()
        gradients = [p.grad for p in reference.parameters()]
        norm = torch.sqrt(sum(g.square().sum() for g in gradients))
        for gradient in gradients:
            gradient *= min(1, 0.3 / norm)
        norms.append(norm.item())
        adamw.step()
    assert min(norms) > 0.3
    config = replace(RECIPE, clip=0.3, weight_decay=5)
    run = Run(Encoder(MODEL, data[0], seed=1), *data, config, seed=7)
    run.schedule = Schedule.start(RECIPE, 0.0)
    run.train_epoch(1)
    theirs = dict(reference.named_parameters())
    for name, ours in run.encoder.named_parameters():
        if not name.endswith(".0.bias"):
            torch.testing.assert_close(ours, theirs[name], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("step", [20, 40])
def test_a_killed_run_continues_to_the_same_bits(data, tmp_path, monkeypatch, step):
    """With dropout and averaged weights, in the warm-up and after it."""
    model = replace(MODEL, readout=DenseReadoutConfig(32, batch_norm=True, dropout=0.5))
    config = replace(RECIPE, max_epochs=4, average=0.9, recalibrate=True)
    fit(data, tmp_path / "whole", config, model)
    calls, accumulate = iter(range(step)), Run.accumulate

    def stopping(*arguments):
        if next(calls, None) is None:
            raise InterruptedError
        return accumulate(*arguments)

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(Run, "accumulate", stopping)
        fit(data, tmp_path / "cut", config, model)
    assert (tmp_path / "cut/resume.pt").is_file()
    fit(data, tmp_path / "cut", config, model)
    assert files(tmp_path / "cut") == files(tmp_path / "whole")


def test_the_evaluated_weights_are_the_averaged_ones(data, tmp_path, monkeypatch):
    """The averages of every epoch, kept beside the run; its checkpoint holds the best of them."""
    averages, plain, train_epoch = [], [], Run.train_epoch

    def noting(run, epoch):
        row = train_epoch(run, epoch)
        averages.append(run.weights())
        plain.append({k: v.clone() for k, v in run.encoder.state_dict().items()})
        return row

    monkeypatch.setattr(Run, "train_epoch", noting)
    encoder, history = fit(data, tmp_path, replace(RECIPE, max_epochs=3, average=0.9))
    best = int(history["validation"].idxmax())
    state = checkpoint.read(tmp_path / "weights.pt")["state"]
    for name, value in encoder.state_dict().items():
        assert torch.equal(value, averages[best][name]) and torch.equal(value, state[name])
    assert not torch.equal(plain[best]["core.blocks.0.0.weight"], state["core.blocks.0.0.weight"])
    p, y = validation(encoder, data)
    scores = [pearsonr(*pair).statistic for pair in zip(p.T, y.T, strict=True)]
    assert history["validation"][best] == pytest.approx(np.mean(scores), abs=1e-5)


def test_poisson_losses_refuse_predictions_of_either_sign(data):
    for loss in ("baseline", "v1t"):
        with pytest.raises(ValueError, match=f"loss '{loss}' takes the logarithm.*loss='mse'"):
            Run(Encoder(MODEL, data[0], seed=1), *data, replace(RECIPE, loss=loss), seed=7)


def test_a_gaussian_readout_takes_a_linear_output_too(data):
    model = ModelConfig(
        "gauss",
        BaselineCoreConfig(1, channels=4, input_kernel=5),
        readout=GaussianReadoutConfig(position="free"),
        output="identity",
    )
    run = Run(Encoder(model, data[0], seed=1), *data, RECIPE, seed=7)
    run.schedule = Schedule.start(RECIPE, 0.0)
    before, row = run.encoder.readouts["macaque"].bias.clone(), run.train_epoch(1)
    assert np.isfinite(row["loss"]) and (run.encoder.readouts["macaque"].bias != before).all()
    noise = stream(7, "sample", 1)
    batch = data[0]["macaque"].batch(np.arange(200))
    assert (run.encoder(batch, "macaque", noise) < 0).any()
