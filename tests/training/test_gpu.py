"""Every family of models on a GPU: it predicts and learns what it does on the CPU."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from src.config import TrainingConfig
from src.data.batch import Batch
from src.models.encoder import Encoder, SessionFacts, behaviors
from src.models.pretrained import random_network
from src.models.registry import cornet_record
from src.seeds import stream
from src.studies.nsd_gnet import NSD_GNET
from src.studies.sensorium2022 import SENSORIUM2022
from src.studies.sensorium2023 import FACTORIZED, GRU, SENSORIUM2023
from src.training.device import placed
from src.training.trainer import train

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")

MOUSE, FILM, UNITS = (1, 36, 64), (1, 30, 36, 64), 37
MODELS = {
    **{n: (SENSORIUM2022.profile("demo").plan(n).model, MOUSE) for n in ("cnn", "compact", "vit")},
    "wide": (SENSORIUM2022.profile("demo").plan("wide_plus").model, (1, 144, 256)),
    **{
        n: (SENSORIUM2023.profile("demo").plan(n).model, FILM) for n in ("mean_2_4_8_16", "gated_0")
    },
    "compact of films": (SENSORIUM2023.profile("demo").plan("compact").model, FILM),
    "factorized": (FACTORIZED, FILM),
    "gru": (GRU, FILM),
    "gnet": (NSD_GNET.profile("full").plan("gnet8j").model, (192, 27, 27)),
}


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    """Products of float32 in float32, where PyTorch's default rounds those of convolutions."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def made(name):
    """A model, and a batch of what it sees."""
    model, shape = MODELS[name]
    rng = np.random.default_rng(0)
    facts = SessionFacts(UNITS, shape, rng.normal(size=(UNITS, 3)), np.full(UNITS, 0.8))
    encoder, n = Encoder(model, {"m": facts}, 0), 3
    time = (shape[1],) if len(shape) == 4 else ()

    def draw(*size):
        return torch.from_numpy(rng.normal(size=(n, *size)).astype(np.float32))

    inputs = draw(*shape), draw(*time, UNITS).abs(), draw(*time, behaviors(shape)), draw(*time, 2)
    return encoder, Batch(*inputs, draw(4).abs())


def learned(encoder, batch):
    """Rates in evaluation, and gradients of a loss of them."""
    rates = encoder.eval()(batch, "m")
    encoder.zero_grad()
    ((rates - batch.responses[:, -rates.shape[1] :].mean()) ** 2).mean().backward()
    gradients = {k: p.grad.cpu() for k, p in encoder.named_parameters() if p.grad is not None}
    return rates.detach().cpu(), gradients


@pytest.mark.parametrize("name", MODELS)
def test_predicts_and_learns_as_on_the_cpu(name):
    encoder, batch = made(name)
    other = copy.deepcopy(encoder).to(DEVICE)
    rates, gradients = learned(encoder, batch)
    found, theirs = learned(other, batch.to(DEVICE))
    torch.testing.assert_close(found, rates, rtol=1e-4, atol=1e-4)
    for key, gradient in gradients.items():
        scale = gradient.abs().max().clamp(min=1e-6).item()
        torch.testing.assert_close(theirs[key], gradient, rtol=0, atol=2e-3 * scale, msg=key)


@pytest.mark.parametrize("letter", ["z", "r", "rt", "s"])
def test_cornets_see_as_on_the_cpu(letter):
    network = random_network(cornet_record(letter), 0).module.eval()
    images = torch.randn(2, 3, 64, 64, generator=stream(0))
    with torch.inference_mode():
        here, there = network(images), network.to(DEVICE)(images.to(DEVICE)).cpu()
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3 * here.abs().max().item())


class PowerCut(Exception):
    """Stands for a kill in the middle of a run."""


@pytest.mark.parametrize("autocast", [False, True])
def test_a_killed_run_continues_and_its_weights_serve_on_the_cpu(
    encoder, sessions, splits, autocast, tmp_path
):
    """Sums on a GPU have no fixed order, so that runs agree closely, not to the bit."""
    config = TrainingConfig(batch_size=64, max_epochs=4, autocast=autocast)

    def run(name, watch=None):
        fresh = Encoder(encoder.config, sessions, seed=1)
        history = train(fresh, sessions, splits, config, 7, tmp_path / name, DEVICE, False, watch)
        return fresh, history["loss"]

    def cut(row):
        if row["epoch"] == 2:
            raise PowerCut

    whole, losses = run("whole")
    with pytest.raises(PowerCut):
        run("cut", cut)
    continued, theirs = run("cut")
    tolerance = 1e-2 if autocast else 1e-3
    np.testing.assert_allclose(theirs, losses, rtol=tolerance)
    with placed([whole], DEVICE):
        assert all(weights.is_cuda for weights in whole.parameters())
    batch = sessions["mouse1"].batch(np.arange(40), "cpu")
    with torch.inference_mode():
        rates = [encoder(batch, "mouse1") for encoder in (whole, continued)]
    torch.testing.assert_close(rates[1], rates[0], rtol=tolerance, atol=tolerance)
