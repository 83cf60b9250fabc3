"""Macaque IT, images of 64 objects: frozen networks, probes, networks trained on rates."""

from __future__ import annotations

from dataclasses import replace

from src.config import (
    BaselineCoreConfig,
    ClassifierConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    TrainingConfig,
)
from src.studies.records import (
    FrozenNetwork,
    Plan,
    Probe,
    Profile,
    PublishedScore,
    Resources,
    Study,
    profiles,
)

WHOLE = InputConfig(scale="full")

# The published network trained on rates alone, with learning rates that train it.
IT_CNN = ModelConfig("it_cnn", ConvCoreConfig(), WHOLE, DenseReadoutConfig(), output="identity")
_IT_CNN = TrainingConfig(
    batch_size=128,
    learning_rate=1e-3,
    schedule="cosine",
    max_epochs=15,
    optimizer="adamw",
    weight_decay=1e-2,
    loss="mse",
    average=0.9,
    jitter=4,
)
# Ours: units read at one place of a map instead of all of it.
FIELD_CNN = ModelConfig(
    "field_cnn",
    BaselineCoreConfig(
        layers=3,
        input_kernel=7,
        input_stride=2,
        pool=2,
        laplace=0.0,
        batch_norm_momentum=0.1,
    ),
    WHOLE,
    GaussianReadoutConfig(position="free", init_mu_range=0.2, init_sigma=0.4, feature_l1=0.0),
    output="identity",
)
_FIELD_CNN = replace(_IT_CNN, batch_size=32, learning_rate=5e-3, max_epochs=45, average=0.95)


def _narrow(model: ModelConfig, *channels: int, hidden: int) -> ModelConfig:
    """IT_CNN with fewer channels: for a laptop."""
    core = replace(model.core, channels=channels)
    return replace(model, core=core, readout=replace(model.readout, hidden=hidden))


def _untrained(network: str, draws: int, weights: str = "") -> tuple[FrozenNetwork, ...]:
    """Random starts of one architecture: the control of all that training has taught."""
    return tuple(
        FrozenNetwork(f"{network}_random_{k}", network, weights, "random", k)
        for k in range(1, draws + 1)
    )


def _names(networks: tuple[FrozenNetwork, ...]) -> tuple[str, ...]:
    return tuple(network.name for network in networks)


PIXELS = Probe("pixels", "pixels")
PLANTED = FrozenNetwork("planted", "random_map")
# A recurrent network, untrained, at the size of small pictures: for each area the first step that
# the image has come to, and the last.
CORNET_RT = FrozenNetwork(
    "cornet_rt_random",
    "cornet_rt",
    start="random",
    layers=("V1-t0", "V1-t4", "V2-t1", "V2-t4", "V4-t2", "V4-t4", "IT-t3", "IT-t4", "decoder"),
    size=64,
    pool=4,
)


def _trained(model: ModelConfig, training: TrainingConfig, members: int = 1) -> Plan:
    """A network trained on rates; validation pictures are scored, so others stop its training."""
    return Plan(model, training, members, "inner")


def _simulated(name: str, draws: int, epochs: int, plans: tuple[Plan, ...]) -> Profile:
    """A profile of simulated sites: what they read is known, so are maps they do not read."""
    recipe = ClassifierConfig(epochs=epochs)
    objects = FrozenNetwork("objects", "object_network", start="objects", training=recipe)
    others, untrained = _untrained("random_map", draws), _untrained("object_network", draws)
    return Profile(
        name,
        plans,
        (PLANTED, *others, objects, *untrained, CORNET_RT),
        (
            PIXELS,
            Probe("planted", "layers", ("planted",)),
            Probe("other_maps", "layers", _names(others)),
            Probe("objects", "layers", ("objects",)),
            Probe("untrained", "layers", _names(untrained)),
            Probe("cornet_rt_random", "layers", (CORNET_RT.name,)),
            Probe("combined", "combined", ("objects",), ("objects/block2", "objects/block3")),
            Probe("fields", "fields", ("objects",), ("objects/block2", "objects/block3"), 3),
        ),
        simulation=name if name == "demo" else "tiny",
    )


SMOKE = _simulated(
    "smoke",
    draws=1,
    epochs=2,
    plans=(
        _trained(_narrow(IT_CNN, 4, 8, hidden=8), replace(_IT_CNN, max_epochs=2, batch_size=64)),
    ),
)
DEMO = _simulated(
    "demo",
    draws=5,
    epochs=12,
    plans=(
        _trained(_narrow(IT_CNN, 16, 32, 64, hidden=128), replace(_IT_CNN, batch_size=64)),
        _trained(replace(FIELD_CNN, core=replace(FIELD_CNN.core, channels=32)), _FIELD_CNN),
    ),
)

_CORTEX = ("alexnet/conv3", "resnet50_caffe/layer2", "resnet50_caffe/layer3")
_CORTEX_NETWORKS = (
    FrozenNetwork("alexnet", "alexnet"),
    FrozenNetwork("resnet50_caffe", "resnet50_caffe"),
)
RECORDING = Profile(
    "recording",
    networks=_CORTEX_NETWORKS,
    probes=(
        PIXELS,
        Probe("layers", "layers", _names(_CORTEX_NETWORKS)),
        Probe("combined", "combined", _names(_CORTEX_NETWORKS), _CORTEX),
        Probe("fields", "fields", _names(_CORTEX_NETWORKS), _CORTEX),
        *(
            Probe(
                *(f"{kind}_halves", kind, _names(_CORTEX_NETWORKS), layers),
                split="halves",
                question="06_fig_fields",
            )
            for kind, layers in (("layers", ()), ("combined", _CORTEX), ("fields", _CORTEX))
        ),
    ),
    resources=Resources(memory_mb=8000, minutes=120),
)

_RESNET = FrozenNetwork("resnet50", "resnet50", "IMAGENET1K_V2")
_RESNETS = _untrained("resnet50", 5, "IMAGENET1K_V2")
_CORNETS = FrozenNetwork("cornet_s", "cornet_s"), replace(CORNET_RT, layers=(), size=0, pool=14)
FULL = Profile(
    "full",
    (
        _trained(IT_CNN, replace(_IT_CNN, threads=8)),
        _trained(FIELD_CNN, replace(_FIELD_CNN, threads=8), 5),
    ),
    (_RESNET, *_RESNETS, *_CORNETS),
    (
        PIXELS,
        Probe("resnet50", "layers", ("resnet50",)),
        Probe("untrained", "layers", _names(_RESNETS)),
        Probe("cornet_s", "layers", ("cornet_s",)),
        Probe("cornet_rt_random", "layers", (CORNET_RT.name,)),
        Probe("combined", "combined", ("resnet50",), ("resnet50/layer2", "resnet50/layer3")),
        Probe("fields", "fields", ("resnet50",), ("resnet50/layer2", "resnet50/layer3")),
    ),
    resources=Resources(memory_mb=16000, minutes=12 * 60, gpus=1),
)

STORED = "stored output of a course project"
PUBLISHED = tuple(
    PublishedScore(system, "pooled", metric, value, 0.01, STORED)
    for system, ev, r in (
        ("pixels, PCA-1000, tuned ridge", 0.0926, 0.285),
        ("ResNet-50 conv1, ridge", 0.098, None),
        ("ResNet-50 layer1, PCA-1000, ridge", 0.253, 0.491),
        ("ResNet-50 layer2, PCA-1000, ridge", 0.330, 0.563),
        ("ResNet-50 layer3, PCA-1000, ridge", 0.407, 0.629),
        ("ResNet-50 layer4, PCA-1000, ridge", 0.354, 0.592),
        ("random ResNet-50, best layer", 0.209, None),
        ("CNN trained on rates", 0.225, 0.460),
        ("CNN on ResNet-50 layer3", 0.3038, 0.5589),
        ("best frozen: Barlow Twins layer4.0, ridge", 0.4553, 0.6674),
        ("best: DenseNet-201, fine-tuned", 0.4930, 0.6967),
    )
    for metric, value in (("ev", ev), ("avg", r))
    if value is not None
)

MACAQUE_IT = Study(
    name="macaque_it",
    title="Macaque IT: images of objects to inferior-temporal sites",
    sessions=("pooled",),
    profiles=profiles(SMOKE, DEMO, RECORDING, FULL),
    published=PUBLISHED,
)
