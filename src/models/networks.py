"""Networks by name: which weights, which layers in order of depth, which input.

A record never says "pretrained": it names the weights (defect D14), and with them size, range and
channel order of the input. torchvision is imported only when a network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import nn

from src.data.errors import DataError
from src.models.references import Statistics


@dataclass(frozen=True)
class Layer:
    """The output of module `node` when a forward pass calls it for the `call`-th time (from 0)."""

    name: str
    node: str
    area: str = ""  # nearest visual area, where the literature names one
    call: int = 0
    channels_last: bool = False  # (n, h, w, c), as Swin transformers have it
    constant: bool = False  # the same for every image: none has come so far at this call


@dataclass(frozen=True)
class Preprocessing:
    """(x - mean) / std of pixels from 0 to `white`; mean and std in the order of the channels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    order: Literal["RGB", "BGR"] = "RGB"
    white: float = 1.0


@dataclass(frozen=True)
class NetworkRecord:
    """One network with one set of weights."""

    name: str
    weights: str  # the enum's member, or the file
    layers: tuple[Layer, ...]  # in order of depth
    input_size: int
    preprocessing: Preprocessing
    license: str
    citation: str
    build: Callable[[], nn.Module]
    file: str = ""
    sha256: str = ""  # beginning of the file's, where known
    source: str = ""  # where to get the file
    package: str = ""  # installed package that holds the file
    rename: tuple[tuple[str, str], ...] = ()  # patterns of the file's names, and ours
    reference: Statistics = ()  # of the synthetic image: `check_network`
    optional: tuple[str, ...] = ()  # parts the file may lack, or hold in another form
    instead: NetworkRecord | None = None  # of another file, which holds the same weights

    def plain(self) -> dict[str, Any]:
        """What says which network this is, as plain values for a manifest."""
        names = ("name", "weights", "input_size", "license", "citation")
        kept = {name: getattr(self, name) for name in names}
        return {**kept, "preprocessing": asdict(self.preprocessing)}

    @property
    def informative(self) -> tuple[str, ...]:
        """Names of the layers that depend on the image."""
        return tuple(layer.name for layer in self.layers if not layer.constant)


@dataclass(frozen=True)
class Network:
    """A record and its module with weights in it."""

    record: NetworkRecord
    module: nn.Module
    weights: str  # the record's, or how they were drawn
    file_sha256: str = ""
    batch_norm: str = "of the weights"  # where its statistics come from

    def layer(self, name: str) -> Layer:
        """The record's layer of that name, or the module at that path; DataError for another."""
        for layer in self.record.layers:
            if layer.name == name:
                return layer
        if name in dict(self.module.named_modules()):
            return Layer(name, name, channels_last=self.record.layers[0].channels_last)
        names = ", ".join(layer.name for layer in self.record.layers)
        raise DataError(
            f"network '{self.record.name}' has no layer '{name}': choose of {names}, or give the "
            "path of a module"
        )


IMAGENET = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
RESNET = (("conv1", "conv1"), *((f"layer{i}", f"layer{i}") for i in (1, 2, 3, 4)))
CITATIONS = {
    "alexnet": "Krizhevsky 2014, arXiv:1404.5997",
    "vgg": "Simonyan & Zisserman 2014, arXiv:1409.1556",
    "resnet": "He et al. 2016, arXiv:1512.03385",
    "resnext": "Xie et al. 2017, arXiv:1611.05431",
    "wide_resnet": "Zagoruyko & Komodakis 2016, arXiv:1605.07146",
    "densenet": "Huang et al. 2017, arXiv:1608.06993",
    "vit": "Dosovitskiy et al. 2021, arXiv:2010.11929",
    "convnext": "Liu et al. 2022, arXiv:2201.03545",
    "efficientnet": "Tan & Le 2019, arXiv:1905.11946",
    "swin": "Liu et al. 2021, arXiv:2103.14030",
    "cornet": "Kubilius et al. 2018, bioRxiv 408385",
    "cornet_s": "Kubilius, Schrimpf et al. 2019, NeurIPS",
}


def last_linear(module: nn.Module) -> str:
    """The path of a network's last linear layer, its classifier; "" if there is none."""
    linear = [name for name, part in module.named_modules() if isinstance(part, nn.Linear)]
    return linear[-1] if linear else ""
