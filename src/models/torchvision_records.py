"""Records of torchvision's architectures, with its weights or with those of a file."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import torch
from torch import nn

from src.data.errors import DataError
from src.data.vision_operators import ensure
from src.models.networks import (
    CITATIONS,
    IMAGENET,
    RESNET,
    Layer,
    NetworkRecord,
    Preprocessing,
    last_linear,
)

# Networks trained without labels, which come as files of many forms: by a word of the file's name.
SELF_SUPERVISED = {
    "barlow": "Zbontar et al. 2021, arXiv:2103.03230",
    "dinov2": "Oquab et al. 2023, arXiv:2304.07193",
    "dino": "Caron et al. 2021, arXiv:2104.14294",
    "vicreg": "Bardes et al. 2022, arXiv:2105.04906",
    "swav": "Caron et al. 2020, arXiv:2006.09882",
    "mocov3": "Chen et al. 2021, arXiv:2104.02057",
    "moco": "He et al. 2020, arXiv:1911.05722",
}
HEADS = ("projector", "projection_head", "prototypes")  # what such training adds to a network
BRANCHED = ("googlenet", "inception_v3")  # side branches for training, and an input of their own


def torchvision_module(name: str, without: tuple[str, ...] = (), **options: Any) -> nn.Module:
    """torchvision's architecture with fresh weights; modules in `without` pass their input on."""
    ensure()
    from torchvision import models

    module = models.get_model(name, weights=None, **options)
    for part in without:
        setattr(module, part, nn.Identity())
    return module


def given_record(name: str, file: str) -> NetworkRecord:
    """An architecture of torchvision with the weights of any file, all but the classifier's."""
    members = _members(name)
    word = re.sub(r"[^a-z0-9]", "", file.lower())
    citations = [citation for family, citation in SELF_SUPERVISED.items() if family in word]
    return NetworkRecord(
        name=name,
        weights=file,
        layers=_torchvision_layers(name),
        input_size=next(iter(members)).transforms().crop_size[0],
        preprocessing=IMAGENET,
        license="unknown",
        citation=citations[0] if citations else "unknown",
        build=partial(torchvision_module, name),
        file=file,
        optional=(last_linear(_named(name)), *HEADS),
    )


def _members(name: str) -> Any:
    """The weights torchvision knows for an architecture; DataError for another's name."""
    ensure()
    from torchvision import models

    known = [n for n in models.list_models(module=models) if n not in BRANCHED]
    if name not in known:
        raise DataError(f"network '{name}' is no classifier of torchvision: {', '.join(known)}")
    return models.get_model_weights(name)


def torchvision_record(name: str, weights: str) -> NetworkRecord:
    """An architecture with a member of its weights enum; DataError for another."""
    members = _members(name)
    if weights not in members.__members__:
        choices = ", ".join(members.__members__)
        raise DataError(f"network '{name}' has no weights '{weights}': choose of {choices}")
    member = members[weights]
    transform, file = member.transforms(), member.url.rsplit("/", 1)[-1]
    prefix = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    families = [family for family in CITATIONS if name.startswith(family)]
    return NetworkRecord(
        name=name,
        weights=str(member),
        layers=_torchvision_layers(name),
        input_size=transform.crop_size[0],
        preprocessing=Preprocessing(tuple(transform.mean), tuple(transform.std)),
        license=member.meta.get("license", "BSD-3-Clause (torchvision)"),
        citation=CITATIONS[families[0]] if families else member.meta["recipe"],
        build=partial(torchvision_module, name),
        file=file,
        sha256=prefix[1] if prefix else "",
        source=member.url,
        rename=((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),) if "dense" in name else (),
    )


def _named(name: str) -> nn.Module:
    """torchvision's architecture for its names only: no memory, no random numbers."""
    with torch.device("meta"):
        return torchvision_module(name)


def _torchvision_layers(name: str) -> tuple[Layer, ...]:
    """The stages of an architecture: after its pooling, its dense blocks, its encoder's layers."""
    module = _named(name)
    if "resne" in name:
        pairs = (*RESNET, ("avgpool", "avgpool"))
    elif name.startswith("densenet"):
        blocks = (f"denseblock{i}" for i in (1, 2, 3, 4))
        pairs = tuple((n, f"features.{n}") for n in ("conv0", *blocks, "norm5"))
    elif name.startswith("vgg"):
        pools = [n for n, m in module.named_modules() if isinstance(m, nn.MaxPool2d)]
        pairs = tuple((f"pool{i}", node) for i, node in enumerate(pools, start=1))
    elif name.startswith("vit"):
        encoders = [f"encoder.layers.{n}" for n, _ in module.encoder.layers.named_children()]
        pairs = tuple((f"block{i}", node) for i, node in enumerate(encoders, start=1))
    else:
        inner = "features" if hasattr(module, "features") else ""
        children = module.get_submodule(inner).named_children()
        nodes = [f"{inner}.{n}".strip(".") for n, _ in children]
        pairs = tuple((node.replace(".", ""), node) for node in nodes)
    return tuple(Layer(*pair, channels_last=name.startswith("swin")) for pair in pairs)
