"""Macaque IT, images of 64 objects: frozen networks, probes, networks trained on rates."""

from __future__ import annotations

from dataclasses import replace

from src.config import (
    ClassifierConfig,
    ModelConfig,
    NetworkCoreConfig,
    ReconstructionConfig,
    TrainingConfig,
)
from src.studies.macaque_it_models import (
    DUAL_RECIPE,
    DUAL_TASK,
    FIELD_CNN,
    FIELD_RECIPE,
    HEAD_RECIPE,
    IT_CNN,
    IT_RECIPE,
    TUNED_RECIPE,
    map_head,
    narrow,
    tuned,
)
from src.studies.macaque_it_published import PUBLISHED
from src.studies.records import (
    FrozenNetwork,
    Plan,
    Probe,
    Profile,
    Resources,
    Study,
    profiles,
)
from src.studies.search import Choice, Range, Search


def _untrained(
    network: FrozenNetwork, draws: int, calibrated: bool = False
) -> tuple[FrozenNetwork, ...]:
    """Random starts of one architecture: the control of all that training has taught."""
    group = f"{network.network}_{'calibrated' if calibrated else 'random'}"
    made = {"start": "random", "training": None, "calibrated": calibrated, "group": group}
    return tuple(replace(network, name=f"{group}_{k}", draw=k, **made) for k in range(1, draws + 1))


def _names(networks: tuple[FrozenNetwork, ...]) -> tuple[str, ...]:
    return tuple(network.name for network in networks)


def _together(network: str, *layers: str, trees: int) -> tuple[Probe, ...]:
    """All layers of a network at once: stacked, as components, and by trees on a few of these."""
    every = (network,), tuple(f"{network}/{layer}" for layer in layers)
    return (
        Probe("stacked", "stacked", *every),
        Probe("all_layers", "components", *every),
        Probe("trees", "trees", *every, components=trees),
    )


PIXELS = Probe("pixels", "pixels")
PLANTED = FrozenNetwork("planted", "random_map")
# A recurrent network, untrained, at the size of small images: for each area the first step that
# the image has come to, and the last.
CORNET_RT = FrozenNetwork(
    "cornet_rt_random",
    "cornet_rt",
    start="random",
    layers=("V1-t0", "V1-t4", "V2-t1", "V2-t4", "V4-t2", "V4-t4", "IT-t3", "IT-t4", "decoder"),
    size=64,
    pool=4,
)


_CHANNELS = (8, 16, 32, 64)  # half as many as its own: a laptop trains it in half a minute
_OBJECTS = NetworkCoreConfig("objects", "object_network", channels=_CHANNELS)


def _trained(model: ModelConfig, training: TrainingConfig, members: int = 1) -> Plan:
    """A network trained on rates; validation images are scored, so others stop its training."""
    return Plan(model, training, members, "inner")


def _searched(
    plan: Plan, *more: Range | Choice, trials: int, epochs: int, startup: int = 5
) -> Plan:
    """The same model under another name: 02_search finds its recipe, within wide bounds."""
    space = (
        Range("learning_rate", 1e-5, 1e-1, log=True),
        Range("weight_decay", 1e-5, 1e-1, log=True),
        *more,
    )
    model = replace(plan.model, name=f"{plan.model.name}_searched")
    return replace(plan, model=model, search=Search(space, trials, epochs, startup=startup))


def _simulated(
    name: str,
    draws: int,
    epochs: int,
    redraws: int,
    trees: int,
    plans: tuple[Plan, ...],
    calibrated: int = 0,
) -> Profile:
    """A profile of simulated sites: what they read is known, so are maps they do not read."""
    training = ClassifierConfig(epochs=epochs)
    objects = FrozenNetwork(
        "objects", "object_network", start="random", training=training, channels=_CHANNELS
    )
    autoencoder = FrozenNetwork(
        "autoencoder",
        "autoencoder",
        start="random",
        training=ReconstructionConfig(redraws, 16, 1e-3, jitter=2),
        channels=(8, 16, 32),
    )
    others, untrained = _untrained(PLANTED, draws), _untrained(objects, draws)
    normed = _untrained(objects, calibrated, calibrated=True)
    return Profile(
        name,
        plans,
        (PLANTED, *others, objects, autoencoder, *untrained, *normed, CORNET_RT),
        (
            PIXELS,
            Probe("planted", "layers", ("planted",)),
            Probe("other_maps", "layers", _names(others)),
            Probe("objects", "layers", ("objects",)),
            Probe("autoencoder", "layers", ("autoencoder",)),
            Probe("untrained", "layers", _names(untrained)),
            *((Probe("calibrated", "layers", _names(normed)),) if normed else ()),
            Probe("cornet_rt_random", "layers", (CORNET_RT.name,)),
            Probe("combined", "combined", ("objects",), ("objects/block2", "objects/block3")),
            Probe("fields", "fields", ("objects",), ("objects/block2", "objects/block3"), 2),
            *_together("objects", "block1", "block2", "block3", "block4", "pool", trees=trees),
        ),
        simulation=name if name == "demo" else "tiny",
    )


# A small network at a small size, trained on for as long as a laptop likes.
_TUNED_DEMO = replace(
    IT_RECIPE, batch_size=64, learning_rate=5e-3, max_epochs=6, warmup_epochs=2, clip=1.0
)
_TINY = _trained(narrow(IT_CNN, 4, 8, hidden=8), replace(IT_RECIPE, max_epochs=2, batch_size=64))
SMOKE = _simulated(
    "smoke",
    draws=1,
    calibrated=1,
    epochs=2,
    trees=5,
    redraws=2,
    plans=(
        _TINY,
        _searched(_TINY, Choice("batch_size", (32, 64)), trials=6, epochs=3, startup=2),
        _trained(
            map_head("objects/block2", hidden=8), replace(HEAD_RECIPE, max_epochs=2), members=2
        ),
        _trained(
            narrow(DUAL_TASK, 4, 8, hidden=8, branch=(8,)), replace(DUAL_RECIPE, max_epochs=2)
        ),
        _trained(
            tuned("joint", _OBJECTS, True), replace(TUNED_RECIPE, max_epochs=2, object_weight=1)
        ),
    ),
)
_SMALL = _trained(narrow(IT_CNN, 16, 32, 64, hidden=128), replace(IT_RECIPE, batch_size=64))
DEMO = _simulated(
    "demo",
    draws=5,
    epochs=7,
    trees=6,
    redraws=5,
    plans=(
        _SMALL,
        _searched(_SMALL, Range("jitter", 0, 4, integer=True), trials=6, epochs=3, startup=2),
        _trained(
            replace(FIELD_CNN, core=replace(FIELD_CNN.core, channels=24)),
            replace(FIELD_RECIPE, max_epochs=20),
        ),
        _trained(
            map_head("objects/block3", 64, hidden=128),
            replace(HEAD_RECIPE, learning_rate=1e-3, batch_size=64, max_epochs=15),
            members=3,
        ),
        _trained(
            narrow(DUAL_TASK, 16, 32, 64, hidden=64, branch=(128,)),
            replace(DUAL_RECIPE, max_epochs=12),
        ),
        _trained(tuned("tuned", _OBJECTS), _TUNED_DEMO),
        _trained(tuned("joint", _OBJECTS, True), replace(_TUNED_DEMO, object_weight=0.3)),
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
        Probe("stacked", "stacked", _names(_CORTEX_NETWORKS), _CORTEX),
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
    skips=("10_fig_new_objects",),  # it has no objects
)

RESNET_LAYERS = ("conv1", "layer1", "layer2", "layer3", "layer4", "avgpool")
_RESNET = FrozenNetwork("resnet50", "resnet50", "IMAGENET1K_V2")
_DENSENET = FrozenNetwork("densenet201", "densenet201", "IMAGENET1K_V1")
_VIT = FrozenNetwork(  # its layers have tokens and no places
    "vit_b_16",
    "vit_b_16",
    "IMAGENET1K_V1",
    layers=("block3", "block6", "block9", "block12"),
    pool=0,
)
_RESNETS, _CALIBRATED = (_untrained(_RESNET, 5, normed) for normed in (False, True))


def _whole(network: FrozenNetwork, name: str, naming: bool = False) -> ModelConfig:
    core = NetworkCoreConfig(network.name, network.network, network.weights)
    return tuned(name, core, naming)


_WHOLE = _trained(IT_CNN, replace(IT_RECIPE, threads=8))
# The same, then trained on to name the objects of the very images, more slowly.
_RESNET_OBJECTS = replace(
    _RESNET,
    name="resnet50_objects",
    training=ClassifierConfig(epochs=10, batch_size=32, learning_rate=1e-4, jitter=8, threads=8),
)
_AUTOENCODER = FrozenNetwork(
    "autoencoder",
    "autoencoder",
    start="random",
    training=ReconstructionConfig(learning_rate=1e-3, jitter=8, threads=8),
)
_CORNET_RT = replace(CORNET_RT, layers=(), size=0, pool=14)
_OTHERS = (_RESNET_OBJECTS, _AUTOENCODER, _DENSENET, _VIT, _CORNET_RT)
FULL = Profile(
    "full",
    (
        _WHOLE,
        _searched(
            _WHOLE,
            Choice("batch_size", (32, 64, 128)),
            Range("warmup_epochs", 0, 3, integer=True),
            Range("jitter", 0, 8, integer=True),
            Range("readout.dropout", 0.0, 0.6),
            trials=50,
            epochs=10,
            startup=10,
        ),
        _trained(FIELD_CNN, replace(FIELD_RECIPE, threads=8), 5),
        _trained(DUAL_TASK, replace(DUAL_RECIPE, threads=8)),
        *(
            _trained(
                map_head(f"resnet50/{layer}", 512, 256, hidden=512, name=f"{layer}_head"),
                replace(HEAD_RECIPE, threads=8),
                members=5,
            )
            for layer in ("layer2", "layer3")
        ),
        _trained(
            _whole(_DENSENET, "densenet201_tuned"), replace(TUNED_RECIPE, threads=8), members=3
        ),
        _trained(_whole(_RESNET, "resnet50_tuned"), replace(TUNED_RECIPE, threads=8)),
        _trained(
            _whole(_VIT, "vit_tuned"), replace(TUNED_RECIPE, learning_rate=1e-4, threads=8)
        ),  # at the rate of the others it learns nothing
        *(
            _trained(
                _whole(_RESNET, f"resnet50_joint_{weight:g}".replace(".", "_"), True),
                replace(TUNED_RECIPE, object_weight=weight, threads=8),
            )
            for weight in (1, 0.3)
        ),
    ),
    (_RESNET, *_RESNETS, *_CALIBRATED, *_OTHERS),
    (
        PIXELS,
        Probe("resnet50", "layers", ("resnet50",)),
        Probe("untrained", "layers", _names(_RESNETS)),
        Probe("calibrated", "layers", _names(_CALIBRATED)),
        *(Probe(n, "layers", (n,)) for n in _names(_OTHERS)),
        Probe("combined", "combined", ("resnet50",), ("resnet50/layer2", "resnet50/layer3")),
        Probe("fields", "fields", ("resnet50",), ("resnet50/layer2", "resnet50/layer3")),
        *_together("resnet50", *RESNET_LAYERS, trees=50),
    ),
    resources=Resources(memory_mb=16000, minutes=12 * 60, gpus=1),
)

# With networks whose weights are not torchvision's but on their authors' pages.
_BARLOW = FrozenNetwork(
    "barlow_twins",
    "resnet50",
    "barlow_twins_resnet50.pth",
    layers=("layer1", "layer2", "layer3", "layer4.0", "layer4"),
)
_CORNET_S = FrozenNetwork("cornet_s", "cornet_s")


def _head_on_barlow(name: str, *channels: int) -> tuple[Plan, Plan]:
    """A head on maps of a network trained without labels, its recipe by hand and searched for."""
    model = map_head("barlow_twins/layer4.0", *channels, hidden=1024, name=name)
    plan = _trained(model, replace(HEAD_RECIPE, max_epochs=20, threads=8))
    return plan, _searched(plan, Range("readout.dropout", 0.0, 0.6), trials=12, epochs=10)


EXTENDED = replace(
    FULL,
    name="extended",
    plans=(*FULL.plans, *_head_on_barlow("dense_head"), *_head_on_barlow("conv_head", 512)),
    networks=(*FULL.networks, _BARLOW, _CORNET_S),
    probes=(
        *FULL.probes,
        *(Probe(name, "layers", (name,)) for name in _names((_BARLOW, _CORNET_S))),
    ),
)

MACAQUE_IT = Study(
    name="macaque_it",
    title="Macaque IT: images of objects to inferior-temporal sites",
    sessions=("pooled",),
    profiles=profiles(SMOKE, DEMO, RECORDING, FULL, EXTENDED),
    published=PUBLISHED,
)
