"""Natural Scenes Dataset: networks optimized for human visual cortex, and receptive fields."""

from __future__ import annotations

from dataclasses import replace

from src.config import (
    ConvCoreConfig,
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
)
from src.studies.nsd_gnet_published import PUBLISHED
from src.studies.records import (
    FrozenNetwork,
    Plan,
    Probe,
    Profile,
    Resources,
    Scoring,
    Study,
    profiles,
)

AREAS = ("V1", "V2", "V3", "hV4")
MEAN = (0.4751836, 0.4515587, 0.41180962)  # of NSD's training pixels, by channel
JOINT_MEAN = (0.47611815, 0.45324636, 0.41308543)  # as published for one trunk: of all images
SIMULATED_MEAN = (0.45, 0.45, 0.45)

# Voxels of V1, V2, V3, hV4 and scan sessions of each subject, as published.
SIZES = {
    "subj01": (1348, 1415, 1188, 676, 40),
    "subj02": (1097, 1083, 1081, 504, 40),
    "subj03": (1251, 1160, 945, 422, 32),
    "subj04": (871, 883, 800, 473, 30),
    "subj05": (1115, 1088, 934, 548, 40),
    "subj06": (1130, 1191, 1215, 488, 32),
    "subj07": (1148, 958, 721, 374, 40),
    "subj08": (1081, 1040, 879, 490, 30),
}
SUBJECTS = tuple(SIZES)

# Adam, one session a step, the epoch of the best median kept; no epoch ends it before the last.
RECIPE = TrainingConfig(
    batch_size=100,
    learning_rate=1e-3,
    max_epochs=50,
    patience=50,
    loss="batch_rho2",
    score="median",
    start_counts=False,
    turns="alone",
)


def gnet(name: str, mean: tuple[float, float, float], width: int = 128) -> ModelConfig:
    """GNet on stored maps of its prefilter."""
    inputs = InputConfig(scale="full", maps="prefilter/conv2")
    core = GNetCoreConfig("stored", mean, width)
    return ModelConfig(name, core, inputs, PoolingReadoutConfig(), output="identity")


def _plans(model: ModelConfig, recipe: TrainingConfig) -> tuple[Plan, ...]:
    """One trunk for all areas, GNet8j, and a trunk for each, GNet8r."""
    each = (Plan(replace(model, name=f"gnet8r_{a}"), recipe, area=a) for a in AREAS)
    return Plan(model, recipe), *each


def pooled_alexnet(layer: str) -> ModelConfig:
    """A fixed layer of AlexNet that units pool freely, through one field each."""
    inputs = InputConfig(scale="full", maps=f"alexnet/{layer}")
    readout = PoolingReadoutConfig(field="one", init_std=0.001)
    return ModelConfig(
        "alexnet_fpf", ConvCoreConfig(channels=()), inputs, readout, output="identity"
    )


def caution(profile: Profile) -> str:
    """What every figure must say of networks that stand in for published ones."""
    random = profile.network("prefilter").start == "random"
    return "random prefilter, not AlexNet's" if random else ""


def legacy(profile: Profile) -> Profile:
    """A profile with the choices of the published code, where ours differ.

    Specification nsd_gnet, 6.5. Stopping trials share images with training, and every single trial
    of the shared images tests; a pass for the trunk and one for the readout; batches of trials in a
    row; the prefilter anew in every pass; a mean of pixels of its own for each kind of model; a
    transfer trunk whose statistics drift, compared with the networks as trained; intervals over
    trials, unpaired; the published ridge and what it holds out.
    """
    recipe = {"two_pass": True, "contiguous": True, "drifting": True}
    plans = [
        replace(
            plan,
            model=replace(
                plan.model,
                core=replace(
                    plan.model.core, prefilter="frozen", mean=MEAN if plan.area else JOINT_MEAN
                ),
                inputs=InputConfig(scale="full", raw=True),
            ),
            training=replace(plan.training, **recipe),
            split="acquisition",
        )
        for plan in profile.plans
        if isinstance(plan.model.core, GNetCoreConfig)
    ]
    probes = tuple(replace(p, legacy=True, split="acquisition") for p in profile.probes)
    scoring = Scoring(("single",), "trials", ("as published",))
    name = "legacy" if profile.name == "full" else f"legacy_{profile.name}"
    return replace(profile, name=name, plans=tuple(plans), probes=probes, scoring=scoring)


def _prefilter(mean: tuple[float, float, float], size: int, start: str = "file") -> FrozenNetwork:
    """The two layers of AlexNet, whole maps."""
    return FrozenNetwork(
        "prefilter", "gnet_prefilter", start=start, layers=("conv2",), size=size, pool=0, mean=mean
    )


def _fields(
    network: str,
    *layers: str,
    grid: tuple[float, float],
    lambdas: tuple[float, float],
    **how: float,
) -> Probe:
    """Feature-weighted receptive fields over layers of one network."""
    names = tuple(f"{network}/{layer}" for layer in layers)
    how = {"grid": grid, "lambdas": lambdas, **how}
    return Probe(f"{network}_fwrf", "receptive_fields", (network,), names, **how)


SLOW = (  # not in every test
    *("08_fig_control", "10_fig_moving_bars", "11_fig_scaling", "12_fig_synthetic"),
)


def _simulated(name: str, size: int, width: int, epochs: int, *waves: str) -> Profile:
    recipe = replace(RECIPE, batch_size=50, max_epochs=epochs, patience=epochs)
    gabor = FrozenNetwork("gabor", "gabor", layers=waves, size=size, pool=32)
    few = {"grid": (0.06, 2.0), "held_out": 0.0}  # images: too few to hold a tenth of them out
    probes = (
        _fields("gabor", *waves, lambdas=(0.0, 4.0), **few),
        _fields("prefilter", "conv2", lambdas=(0.0, 6.0), **few),
    )
    return Profile(
        name,
        _plans(gnet("gnet8j", SIMULATED_MEAN, width), recipe),
        (_prefilter(SIMULATED_MEAN, size, "random"), gabor),
        probes[:1] if name == "smoke" else probes,
        simulation=name,
        skips=SLOW if name == "smoke" else (),
    )


SMOKE = _simulated("smoke", 67, 8, 2, "f03.0", "f07.1")
DEMO = _simulated("demo", 67, 32, 12, "f03.0", "f04.0", "f05.3", "f07.1", "f09.5", "f12.7")

GABOR = ("f03.0", "f04.0", "f05.3", "f07.1", "f09.5", "f12.7", "f17.0", "f22.7", "f30.3", "f40.4")
ALEXNET = ("features.2", "conv2", "conv3", "conv4", "conv5")
FULL = Profile(
    "full",
    (
        *_plans(gnet("gnet8j", MEAN), replace(RECIPE, threads=8)),
        Plan(pooled_alexnet("conv3"), replace(RECIPE, threads=8, own_best=True)),
    ),
    (
        _prefilter(MEAN, 227),
        FrozenNetwork("gabor", "gabor", layers=(*GABOR, "f53.9", "f72.0"), pool=64),
        FrozenNetwork("alexnet", "alexnet", layers=ALEXNET, pool=0),
    ),
    (
        _fields("gabor", *GABOR, "f53.9", "f72.0", grid=(0.04, 1.2), lambdas=(1.5, 5.5)),
        _fields("alexnet", *ALEXNET, grid=(0.03, 1.0), lambdas=(3.0, 6.0)),
    ),
    resources=Resources(memory_mb=8000, minutes=24 * 60, gpus=1),
)

NSD_GNET = Study(
    name="nsd_gnet",
    title="Natural Scenes Dataset: networks optimized for human visual cortex",
    sessions=SUBJECTS,
    profiles=profiles(SMOKE, DEMO, FULL, legacy(FULL), legacy(SMOKE)),
    published=PUBLISHED,
)
