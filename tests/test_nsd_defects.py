"""Known defects of the published GNet code that no other test would show in ours."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import torch

from src.config import (
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
)
from src.data.batch import Batch
from src.data.gaussian_fields import field_grid
from src.data.splits import Split
from src.evaluation.field_ridge import fit_fields, widest_channels
from src.models.encoder import Encoder, SessionFacts
from src.seeds import stream
from src.training.trainer import Run

MAPS = InputConfig(scale="full", maps="p/conv2")
MODEL = ModelConfig(
    "gnet", GNetCoreConfig("stored", width=8), MAPS, PoolingReadoutConfig(), output="identity"
)
RECIPE = TrainingConfig(batch_size=8, loss="batch_rho2", turns="alone", start_counts=False)
RNG = np.random.default_rng(0)


def test_building_a_model_moves_no_statistics():
    encoder = Encoder(MODEL, {"a": SessionFacts(3, (192, 7, 7))}, seed=0)
    norms = [m for m in encoder.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert len(norms) == 7
    for norm in norms:
        assert not norm.running_mean.any() and (norm.running_var == 1).all()


def test_what_is_frozen_gets_no_gradient():
    pixels = replace(
        MODEL,
        core=GNetCoreConfig("frozen", width=8),
        inputs=InputConfig(scale="full", raw=True),
    )
    encoder = Encoder(pixels, {"a": SessionFacts(3, (3, 67, 67))}, seed=0).train()
    found = encoder(Batch(torch.rand(2, 3, 67, 67), torch.zeros(2, 3)), "a", stream(0))
    found.square().sum().backward()
    prefilter = list(encoder.core.prefilter.parameters())
    assert len(prefilter) == 4 and all(p.grad is None for p in prefilter)
    assert all(p.grad is not None for p in encoder.core.layers.parameters())


def run_of(trials=24):
    """A training on random maps, and a list of what is asked for: trials, and if for gradients."""
    maps, seen = torch.rand(trials, 192, 7, 7), []
    responses = torch.from_numpy(RNG.normal(size=(trials, 3)).astype(np.float32))

    def batch(index, _device):
        seen.append((list(index), torch.is_grad_enabled()))
        return Batch(maps[index], responses[index])

    session = SimpleNamespace(n_trials=trials, batch=batch, key="a", image_shape=(192, 7, 7))
    split = Split(*np.split(np.arange(trials), [12, 18]))
    encoder = Encoder(MODEL, {"a": SessionFacts(3, (192, 7, 7))}, seed=0)
    return Run(encoder, {"a": session}, {"a": split}, RECIPE, seed=0), seen


def test_validation_looks_at_validation_trials_without_gradients():
    run, seen = run_of()
    run.validate()
    assert sorted(i for rows, _ in seen for i in rows) == list(range(12, 18))
    assert not any(gradients for _, gradients in seen)


def test_only_training_images_choose_channels_and_scale_features():
    maps, y = RNG.random((40, 6, 5, 5)).astype(np.float32), RNG.normal(size=(40, 3))
    train, held_out = np.arange(25), np.arange(25, 30)
    other = maps.copy()
    other[30:] = 100 * RNG.random(other[30:].shape)
    fields = field_grid(0.2, 2.0, sizes=2)
    a, b = (fit_fields([m], y, fields, train, held_out) for m in (maps, other))
    for name in ("field_index", "mean", "std", "weights", "bias"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    np.testing.assert_array_equal(*(widest_channels(m, train, 3) for m in (maps, other)))
    assert (widest_channels(other, np.arange(30, 40), 3)).shape == (3,)
