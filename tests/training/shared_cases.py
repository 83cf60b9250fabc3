"""Tiny trainings of each study, for one process and two: `shared_cases.py FOLDER DEVICE [CASE]`.

Both are forks of this process, which has imported everything, and find each other by gloo; on a GPU
they share one card, which NCCL does not allow.
"""

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from socket import socket

import numpy as np
import torch
import torch._dynamo  # or each process's optimizer would import it
from PIL import Image
from torch import distributed, nn

from src.config import (
    GaussianReadoutConfig,
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    RecognitionConfig,
    RecognizerConfig,
    TrainingConfig,
    ViTCoreConfig,
    WideCoreConfig,
)
from src.data.batch import Batch
from src.data.folders import open_folders
from src.data.splits import Split
from src.models.encoder import Encoder
from src.parts import FactorizedCoreConfig, SeparableVideoCoreConfig
from src.training.recognition import recognizer, train_recognizer
from src.training.trainer import train
from tests.movies import MODEL, MovieFake
from tests.training.conftest import SimulatedSession
from tests.training.population import Population

PARTS = ("train",), ("validation", "oracle")
BRIEF = TrainingConfig(max_epochs=2, learning_rate=0.003, start_counts=False)
CORES = {
    "separable": SeparableVideoCoreConfig(channels=(4, 6), stem=3, spatial=3, temporal=3),
    "factorized": FactorizedCoreConfig(channels=(4, 4), spatial=(3, 3), temporal=(3, 3)),
}
GNET = ModelConfig(
    "gnet",
    GNetCoreConfig("stored", (0.45, 0.45, 0.45), width=8),
    InputConfig(scale="full", maps="prefilter/conv2"),
    PoolingReadoutConfig(),
    output="identity",
)


@dataclass
class Maps(Population):
    """The same units, shown as maps of GNet's prefilter."""

    n_trials: int = 90
    image_shape: tuple[int, int, int] = (192, 9, 9)

    def batch(self, index, device="cpu"):
        images = self.images[index].repeat(1, 64, 1, 1)[..., :9, :9]
        images = images * torch.linspace(0.5, 1, 192)[:, None, None]
        return Batch(images, self.responses[index]).to(device)


def images():
    """Two sessions of images; the last batch of the second has one trial."""
    return {"a": SimulatedSession("a", 20, 150), "b": SimulatedSession("b", 5, 110)}


def case(name):
    """Encoder, sessions and recipe of a training."""
    match name:
        case "wide":  # the winner of 2022, and what else may happen to a batch
            core = WideCoreConfig((4, 6, 8), stem_kernel=2, stem_stride=1, input_kernel=3)
            model = ModelConfig("wide", core, readout=GaussianReadoutConfig(position="free"))
            recipe = replace(BRIEF, batch_size=13, jitter=1, clip=5.0, recalibrate=True)
            return model, images(), replace(recipe, schedule="upstream", average=0.9)
        case "vit":
            core = ViTCoreConfig(patch=4, width=8, heads=2, head_width=4, blocks=2, hidden=8)
            model = ModelConfig("vit", replace(core, dropout=0.2, patch_dropout=0.2))
            return model, images(), replace(BRIEF, batch_size=16, loss="v1t")
        case "gnet":
            sessions = {"a": Maps("a"), "b": Maps("b", 7)}
            how = {"loss": "batch_rho2", "turns": "alone", "score": "median"}
            return GNET, sessions, replace(BRIEF, batch_size=15, **how)
        case "video":
            model = MODEL
        case core:
            model = replace(MODEL, name=core, core=CORES[core])
    sessions = {"a": MovieFake("a"), "b": MovieFake("b", n_units=7, n_trials=7)}
    how = {"loss": "dynamic", "loss_scale": "none", "rotate": True, "mixing": 0.5}
    return model, sessions, replace(BRIEF, batch_size=3, **how)


CASES = "wide", "vit", "gnet", "video", "separable", "factorized"


def split(session):
    """Its trials as its tiers say."""
    named = [np.flatnonzero(np.isin(session.tiers, part)) for part in PARTS]
    return Split(*named, np.zeros(0, int))


def fit(name, folder, device="cpu"):
    """Train a case; in a process of torchrun, as one of them. Its encoder and history."""
    model, sessions, recipe = case(name)
    splits = {key: split(session) for key, session in sessions.items()}
    encoder = Encoder(model, sessions, seed=1)
    return encoder, train(encoder, sessions, splits, recipe, 3, folder / name, device, False)


def name_pictures(folder, device="cpu"):
    """Train a network with PyTorch's batch norm as CORnets are; the same two returns."""
    pictures, rng = folder / f"pictures{os.getpid()}", np.random.default_rng(0)
    for part, count in (("train", 9), ("val", 4)):
        for i in range(count):
            place = pictures / part / "ab"[i % 2] / f"{i}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (20, 20, 3), np.uint8)).save(place)
    network = recognizer(RecognizerConfig("small", "cornet_z", 16), 2, 1)
    layers = nn.Conv2d(3, 4, 5), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(576, 2)
    network = replace(network, module=nn.Sequential(*layers))
    for i, parameter in enumerate(network.module.parameters()):
        nn.init.normal_(parameter, 0.1, 0.1, generator=torch.Generator().manual_seed(i))
    recipe = RecognitionConfig(epochs=2, batch_size=4, learning_rate=0.1)
    given = network, open_folders(pictures), recipe, 1, folder / "named"
    return network.module, train_recognizer(*given, device=device, progress=False)


def share_a_card():
    """In this process: gloo, and products of float32 in float32."""
    begin = distributed.init_process_group
    distributed.init_process_group = lambda _, **how: begin("gloo", **how)
    torch.backends.cudnn.allow_tf32 = False


def main(folder, device, *names):
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(common)
    children = []
    for rank in "01":
        if not (child := os.fork()):
            os.environ.update({"RANK": rank, "LOCAL_RANK": rank if device == "cpu" else "0"})
            if device != "cpu":
                share_a_card()
            for name in names or CASES:
                fit(name, folder, device)
            if not names:
                name_pictures(folder, device)
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
