"""CORnets: networks of four areas, trained to name images, and how like cortex they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from src.config import RecognitionConfig, RecognizerConfig
from src.studies.records import (
    FrozenNetwork,
    Probe,
    Profile,
    PublishedScore,
    Recognizer,
    Resources,
    Study,
    profiles,
)

# The published recipes (spec 6, Kubilius et al. 2018 and 2019).
RECIPES = {
    "z": RecognitionConfig(),
    "r": RecognitionConfig(learning_rate=0.1),
    "rt": RecognitionConfig(learning_rate=0.1),
    "s": RecognitionConfig(epochs=43, learning_rate=0.1, step_size=20),
}
EXTERNAL = ("09_fig_rsa92",)  # it needs a folder of data that is not ours: run by itself
# Steps of R and RT worth a score: the first that the image has come to an area at, and the last.
STEPS_R = ("V1-t0", "V2-t1", "V4-t1", "IT-t1", "IT-t4", "decoder")
STEPS_RT = ("V1-t0", "V2-t1", "V4-t2", "IT-t3", "IT-t4", "decoder")


def _pool(size: int) -> int:
    """Places a side that maps are averaged to, of images of `size` pixels; 0: as many as ever."""
    return min(size // 8, 14) or 14


def _drawn(size: int, others: int, size_rt: int = 0) -> tuple[FrozenNetwork, ...]:
    """The network that simulated sites read, other draws of it, and a random RT of a size."""

    def one(name: str, size: int, letter: str = "z", **more: Any) -> FrozenNetwork:
        how = {"start": "random", "size": size, "pool": _pool(size), **more}
        return FrozenNetwork(name, f"cornet_{letter}", **how)

    names = [f"cornet_z_random_{k}" for k in range(1, others + 1)]
    others_z = [one(name, size, draw=k) for k, name in enumerate(names, 1)]
    recurrent = [one("cornet_rt_random", size_rt, "rt", layers=STEPS_RT)] if size_rt else []
    return one("planted", size), *others_z, *recurrent


def _learned(plan: Recognizer) -> FrozenNetwork:
    """What a plan has learned, frozen."""
    model = plan.model
    steps = {"cornet_r": STEPS_R, "cornet_rt": STEPS_RT}.get(model.network, ())
    how = {"start": "trained", "layers": steps, "size": model.size, "pool": _pool(model.size)}
    return FrozenNetwork(model.name, model.network, **how)


def _profile(
    name: str, plans: tuple[Recognizer, ...], networks: tuple[FrozenNetwork, ...]
) -> Profile:
    """A simulated profile: networks of one architecture, trained and not, are a probe."""
    networks = (*networks, *(_learned(plan) for plan in plans))
    kinds = dict.fromkeys(one.network for one in networks)
    alike = {kind: tuple(n.name for n in networks if n.network == kind) for kind in kinds}
    return Profile(
        name,
        plans,
        networks,
        tuple(Probe(kind, "layers", names) for kind, names in alike.items()),
        simulation=name if name == "demo" else "tiny",
        skips=EXTERNAL,
    )


def _small(letter: str, size: int, **recipe: int | float) -> Recognizer:
    """A CORnet for small images, and a recipe for few of them."""
    name = f"cornet_{letter}"
    return Recognizer(RecognizerConfig(name, name, size), replace(RECIPES[letter], **recipe))


SMOKE = _profile(
    "smoke",
    (_small("z", 32, epochs=2, batch_size=32, step_size=2),),
    _drawn(32, 0),
)
DEMO = _profile(
    "demo",
    (
        _small("z", 64, epochs=7, batch_size=32, step_size=4, learning_rate=0.02),
        _small("rt", 32, epochs=5, batch_size=32, step_size=4, learning_rate=0.003),
    ),
    _drawn(64, 1, 32),
)

_LETTERS = tuple(RECIPES)
_PUBLISHED = tuple(FrozenNetwork(f"cornet_{x}", f"cornet_{x}") for x in _LETTERS)
_OWN = tuple(
    Recognizer(RecognizerConfig(f"cornet_{x}_own", f"cornet_{x}"), replace(RECIPES[x], threads=8))
    for x in _LETTERS
)
_RANDOM = tuple(
    FrozenNetwork(f"cornet_{x}_random", f"cornet_{x}", start="random", draw=1) for x in _LETTERS
)
FULL = Profile(
    "full",
    _OWN,
    (*_PUBLISHED, *_RANDOM, *(_learned(plan) for plan in _OWN)),
    tuple(
        Probe(n, "layers", (n,))
        for x in _LETTERS
        for n in (f"cornet_{x}", f"cornet_{x}_random", f"cornet_{x}_own")
    ),
    resources=Resources(memory_mb=32000, minutes=7 * 24 * 60, gpus=1),
    skips=EXTERNAL,
)

# Published numbers (spec 1 and 10). `top1`: ImageNet accuracy; `v4`, `it`: median r of PLS on
# private benchmarks, not divided by a ceiling; `it_neurons`, `it_images`: the same with new ones;
# `ost`: object solution times; `i2n`: behavior, not divided; `behavior`: on new images; `mean`:
# of v4, it, ost and i2n.
TABLES = "upstream tables of Kubilius, Schrimpf et al. 2019"
METRICS = ("top1", "v4", "it", "it_neurons", "it_images", "ost", "i2n", "behavior", "mean")
_TABLE = (
    ("CORnet-S", 0.731, 0.650, 0.600, 0.564, 0.671, 0.25, 0.382, 0.597, 0.471),
    ("DenseNet-169", 0.759, 0.663, 0.606, 0.571, 0.664, 0, 0.378, 0.586, 0.412),
    ("ResNet-101 v2", 0.774, 0.653, 0.585, 0.558, 0.656, 0, 0.389, 0.649, 0.407),
    ("ResNet-152 v2", 0.778, 0.658, 0.589, 0.561, 0.656, 0, 0.377, 0.591, 0.406),
    ("ResNet-50 v2", 0.756, 0.653, 0.589, 0.564, 0.656, 0, 0.377, 0.670, 0.405),
    ("ResNet-18", 0.698, 0.645, 0.583, 0.549, 0.645, 0, 0.364, 0.585, 0.398),
    ("VGG-19", 0.711, 0.672, 0.566, 0.530, 0.611, 0, 0.338, 0.546, 0.394),
    ("ResNet-34", 0.733, 0.629, 0.559, 0.527, 0.626, 0, 0.378, 0.579, 0.392),
    ("VGG-16", 0.715, 0.669, 0.572, 0.549, 0.619, 0, 0.321, 0.480, 0.391),
    ("AlexNet", 0.577, 0.631, 0.589, 0.544, 0.645, 0, 0.245, 0.428, 0.366),
    ("SqueezeNet 1.1", 0.575, 0.652, 0.553, 0.531, 0.599, 0, 0.201, 0.432, 0.351),
    ("CORnet-R", 0.56),
    ("CORnet-R2", 0.70),
    ("CORnet-Z", 0.47),
)
_OTHERS = (
    ("CORnet-S", "private, early", "v4", 0.561, TABLES),
    ("CORnet-S", "private, late", "v4", 0.285, TABLES),
    ("CORnet-S", "private, early", "it", 0.468, TABLES),
    ("CORnet-S", "private, late", "it", 0.394, TABLES),
    ("AlexNet", "private", "v4", 0.490, "upstream tests"),
    ("AlexNet", "private", "it", 0.584, "upstream tests"),
    ("AlexNet", "public", "it", 0.580, "upstream tests"),
    ("CORnet-Z", "public", "i2n", 0.137, "upstream tests"),
    ("data against itself", "private", "v4", 0.924, "upstream tests"),
    ("data against itself", "private", "it", 0.823, "upstream tests"),
    ("data against itself", "public", "v4", 0.898, "upstream tests"),
    ("data against itself", "public", "it", 0.816, "upstream tests"),
    ("ceiling", "private", "v4", 0.8950, "upstream code"),
    ("ceiling", "private", "it", 0.8218, "upstream code"),
    ("ceiling", "public", "v4", 0.8838, "upstream code"),
    ("ceiling", "public", "it", 0.8158, "upstream code"),
    ("CORnet-Z", "", "parameters", 2_071_656, "measured"),
    ("CORnet-R", "", "parameters", 5_208_936, "measured"),
    ("CORnet-RT", "", "parameters", 5_208_936, "measured"),
    ("CORnet-S", "", "parameters", 53_416_616, "measured"),
)
PUBLISHED = (
    *(
        PublishedScore(system, "private", metric, value, 0.01, TABLES, status="upstream tables")
        for system, *values in _TABLE
        for metric, value in zip(METRICS, values, strict=False)
    ),
    *(
        PublishedScore(
            *(system, where, metric, value, 0.0 if metric == "parameters" else 0.01, source),
            status=source.split(" of ")[0],
        )
        for system, where, metric, value, source in _OTHERS
    ),
)

CORNET = Study(
    name="cornet",
    title="CORnet: recognition by four areas, and how like cortex it is",
    sessions=("V4", "IT"),
    profiles=profiles(SMOKE, DEMO, FULL),
    published=PUBLISHED,
)
