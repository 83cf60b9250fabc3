"""The stored GNet of the specification's fixture, under our names."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from src.config import GNetCoreConfig, InputConfig, ModelConfig, PoolingReadoutConfig
from src.models.encoder import Encoder, SessionFacts

LAYERS = ("conv3", "conv4a", "conv4b", "conv5a", "conv5b", "conv6a", "conv6b")
UNITS = 24


def our_name(name: str) -> str:
    """A tensor's name in the fixture -> in an Encoder of one session "a"."""
    kind, _, rest = name.partition(".")
    if kind == "fwrf":
        tensors = {"rf0": "logits.0", "rf1": "logits.1", "w": "weights", "b": "bias"}
        return f"readouts.a.{tensors[rest]}"
    if rest == "mu":
        return "core.mean"
    if rest.startswith("pre."):
        return f"core.prefilter.{rest.removeprefix('pre.')}"
    rest = rest.removeprefix("enc.")
    if rest.startswith(("conv3.", "bn1.")):
        rest = f"conv3.{rest.replace('conv3.', 'conv1.')}"
    layer, part, tensor = rest.split(".")
    part = {"conv1": "conv", "bn1": "norm"}[part]
    return f"core.layers.{LAYERS.index(layer)}.{part}.{tensor}"


@dataclass
class Recorded:
    """The fixture: arrays, state by our names, and a session to train on."""

    arrays: dict[str, np.ndarray]
    state: dict[str, torch.Tensor]

    @property
    def pixels(self) -> torch.Tensor:
        return torch.from_numpy(self.arrays["images_u8"]).float()

    def encoder(self, prefilter="trained", dropout=0.0, chunk=512) -> Encoder:
        """The stored network."""
        config = GNetCoreConfig(
            prefilter, tuple(map(float, self.arrays["mu"].ravel())), dropout=dropout
        )
        stored = prefilter == "stored"
        model = ModelConfig(
            "gnet",
            config,
            InputConfig(scale="full", raw=not stored, maps="p/conv2" if stored else ""),
            PoolingReadoutConfig(chunk),
            output="identity",
        )
        shape = (192, 27, 27) if stored else (3, 227, 227)
        encoder = Encoder(model, {"a": SessionFacts(UNITS, shape)}, seed=0)
        mine = encoder.state_dict()
        encoder.load_state_dict({k: v.view_as(mine[k]) for k, v in self.state.items() if k in mine})
        return encoder


def recorded(folder: Path) -> Recorded:
    """Read the fixture."""
    with np.load(folder / "gnet_outputs.npz") as stored:
        arrays = dict(stored)
    parts = torch.load(folder / "gnet_state.pt", weights_only=True)
    state = {our_name(f"{k}.{n}"): v for k, p in parts.items() for n, v in p.items()}
    return Recorded(arrays, state)
