"""SENSORIUM 2023, films to mouse V1: models, recipes, profiles, published scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations

from src.config import InputConfig, ModelConfig, TrainingConfig
from src.parts import (
    FactorizedCoreConfig,
    GaussianReadoutConfig,
    HierarchicalReadoutConfig,
    SeparableVideoCoreConfig,
    VideoCoreConfig,
)
from src.studies.records import Plan, Profile, PublishedScore, Resources, Study, profiles

SEEING = InputConfig(scale="full", behavior=True, pupil=True)
GROUPS = (2, 4, 8, 16)  # units of each level of the published readout
LEVELS = ((), *(s for size in (4, 3, 2, 1) for s in combinations(GROUPS, size)))
MEMBERS = tuple(  # of the published ensemble, in its order: without levels only the gated one
    (fusion, levels)
    for levels in LEVELS
    for fusion in ("mean", "gated")
    if levels or fusion != "mean"
)
PUBLISHED_READOUT = HierarchicalReadoutConfig(index_map="nearest")
RECIPE = TrainingConfig(  # as published, but that the best epoch is kept, where theirs is the last
    batch_size=32,
    learning_rate=1e-3,
    min_learning_rate=1e-6,
    max_epochs=180,
    schedule="cosine",
    flat_epochs=80,
    warmup_steps=600,
    warmup_start=1 / 3,
    optimizer="adamw",
    weight_decay=0.05,
    loss="dynamic",
    loss_scale="none",
    turns="cycle",
    start_counts=False,
    validation_trials=12,
    threads=8,
)


def mode(levels: tuple[int, ...]) -> str:
    """A subset of levels as the published files have it: `2_4_8`, `0` for none."""
    return "_".join(map(str, levels)) or "0"


def dynamic(fusion: str, levels: tuple[int, ...]) -> ModelConfig:
    """Dynamic-VFM with one of the published readouts, called as `mean_2_4` or `gated_0`."""
    return ModelConfig(
        f"{fusion}_{mode(levels)}",
        VideoCoreConfig(),
        SEEING,
        replace(PUBLISHED_READOUT, levels=levels, fusion=fusion),
        shifter=True,
        shifter_hidden=16,
        pupil_in_core=True,
    )


# Ours, in the spirit of the winner: convolutions that are cheap, see the past alone and give more
# outputs a clip; behavior scales and shifts each unit; positions are drawn close to their means.
CLOSE = GaussianReadoutConfig(
    position_start="center", init_sigma=0.05, bias_init="mean", feature_l1=0.0
)
COMPACT = ModelConfig(
    "compact",
    SeparableVideoCoreConfig((64, 128, 128, 128), stem=7, stride=2),
    replace(SEEING, center_behavior=True),
    CLOSE,
    shifter=True,
    still=True,
    modulator="affine",
    modulator_penalty=1.0,
    behavior_in_core=False,
    output="softplus",
)
COMPACT_RECIPE = TrainingConfig(
    batch_size=32,
    learning_rate=2e-3,
    min_learning_rate=1e-5,
    max_epochs=60,
    schedule="cosine",
    optimizer="adamw",
    weight_decay=0.05,
    average=0.998,
    loss="dynamic",
    loss_scale="none",
    mixing=0.5,
    mixing_way="cut",
    start_counts=False,
    validation_trials=12,
    threads=8,
)
# The organizers' baselines. The core of their GRU sees eight rotations of each kernel, ours not.
_THEIRS = GaussianReadoutConfig(position_hidden=30, init_sigma=1.0, bias_init="mean")
_THEIR_RECIPE = TrainingConfig(
    batch_size=8,
    learning_rate=0.005,
    max_epochs=200,
    max_decays=4,
    optimizer="adamw",
    loss="nll",
    validation_trials=12,
    threads=8,
)
FACTORIZED = ModelConfig("factorized", FactorizedCoreConfig(), SEEING, _THEIRS, shifter=True)
GRU_CORE = FactorizedCoreConfig((64, 64, 64, 64), (9, 7, 7, 7), (1, 1, 1, 1), recurrent=9)
GRU = replace(FACTORIZED, name="gru", core=GRU_CORE)
LINEAR_CORE = FactorizedCoreConfig((32,), (15,), (15,), stride=2, linear=True)
LINEAR = ModelConfig("linear", LINEAR_CORE, COMPACT.inputs, CLOSE, shifter=True, still=True)

ENSEMBLE, LEVEL, LAG = "05_fig_ensemble", "07_fig_levels", "08_fig_lag"


def _ensemble(
    models: Iterable[ModelConfig], recipe: TrainingConfig, *main: str
) -> tuple[Plan, ...]:
    """A plan for each of some members; all but those of the main table are for one figure."""
    return tuple(Plan(m, recipe, question="" if m.name in main else ENSEMBLE) for m in models)


def _causal(plan: Plan) -> Plan:
    """The plan's model, in which no token sees a later frame."""
    core = replace(plan.model.core, causal=True)
    return replace(plan, model=replace(plan.model, name="causal", core=core), question=LAG)


def _grouped(plan: Plan, *groupings: str) -> tuple[Plan, ...]:
    """The plan's model with units grouped in other ways, a model each."""
    model = plan.model
    return tuple(
        replace(
            plan,
            model=replace(
                model,
                name=f"by_{way}",
                readout=replace(model.readout, grouping=way, index_map="first"),
            ),
            question=LEVEL,
        )
        for way in groupings
    )


def _small(fusion: str, levels: tuple[int, ...]) -> ModelConfig:
    """Dynamic-VFM for a laptop: few channels, large patches, positions that start in the center."""
    model = dynamic(fusion, levels)
    core = VideoCoreConfig((2, 6, 8), window=(5, 2, 2), width=24, blocks=2, heads=1, hidden=32)
    close = {"position_start": "center", "init_sigma": 0.05, "bias_init": "inverse_elu"}
    readout = replace(model.readout, index_map="first", **close)
    return replace(model, core=core, readout=readout, still=True)


_DEMO = replace(
    RECIPE,
    batch_size=8,
    learning_rate=4e-3,
    min_learning_rate=1e-5,
    max_epochs=6,
    flat_epochs=2,
    warmup_steps=8,
    turns="together",
    validation_trials=2,
    threads=1,
)
_DEMO_COMPACT = replace(
    COMPACT, core=SeparableVideoCoreConfig((12, 16), stem=8, stride=4, temporal=9, smooth=1.0)
)
_DEMO_COMPACT_RECIPE = replace(_DEMO, learning_rate=0.01, max_epochs=10, flat_epochs=1)
_DEMO_LINEAR = replace(LINEAR, core=FactorizedCoreConfig((6,), (12,), (9,), stride=4, linear=True))
_DEMO_MEMBERS = [_small("gated", ())]
_DEMO_MEMBERS += [_small(f, levels) for levels in (GROUPS, (2, 4)) for f in ("mean", "gated")]
_DEMO_MAIN = Plan(_small("mean", GROUPS), _DEMO)

_SMOKE = replace(_DEMO, warmup_steps=4)  # 30 steps
# So few do not average over the noise of one unit's responses, which move its features; they do
# over that of all units, which move the core.
_SMOKE_DYNAMIC = replace(_SMOKE, learning_rate=2e-3, core_rate=4.0)

SMOKE = Profile(
    "smoke",
    (
        *_ensemble((_small("gated", ()), _small("mean", (2, 4))), _SMOKE_DYNAMIC, "mean_2_4"),
        Plan(_DEMO_COMPACT, replace(_SMOKE, learning_rate=_DEMO_COMPACT_RECIPE.learning_rate)),
    ),
    simulation="films_tiny",
    contest=("compact", "mean_2_4"),
    skips=("07_fig_levels", "09_fig_receptive_fields"),
)

DEMO = Profile(
    "demo",
    (
        *_ensemble(_DEMO_MEMBERS, _DEMO, "gated_0", "mean_2_4_8_16"),
        Plan(_DEMO_COMPACT, _DEMO_COMPACT_RECIPE),
        Plan(_DEMO_LINEAR, _DEMO_COMPACT_RECIPE),
        _causal(_DEMO_MAIN),
    ),
    simulation="films_demo",
    example="example",
    contest=("compact", "mean_2_4_8_16"),
)

_MAIN = Plan(dynamic("mean", GROUPS), RECIPE)

# Recordings of one's own: no behavior, no coordinates, frames of any size.
_BLIND = InputConfig(scale="full")
_FREE = replace(CLOSE, position="free", bias_init="mean")
_OWN = replace(COMPACT, inputs=_BLIND, readout=_FREE, shifter=False, still=False, modulator="none")
_OWN = replace(_OWN, modulator_penalty=0.0, core=_DEMO_COMPACT.core)

RECORDING = Profile(
    "recording",
    (
        Plan(
            _OWN,
            replace(_DEMO_COMPACT_RECIPE, max_epochs=40, flat_epochs=1, validation_trials=None),
        ),
        Plan(
            replace(LINEAR, inputs=_BLIND, readout=_FREE, shifter=False, still=False),
            replace(_DEMO_COMPACT_RECIPE, max_epochs=20, flat_epochs=1, validation_trials=None),
        ),
    ),
    skips=(
        *("05_fig_ensemble", "06_fig_ood", "07_fig_levels", "09_fig_receptive_fields"),
        *("10_fig_leakage", "11_fig_better"),
    ),
    contest=("compact", "linear"),
)

FULL = Profile(
    "full",
    (
        *_ensemble((dynamic(*m) for m in MEMBERS), RECIPE, "gated_0", "mean_2_4_8_16"),
        _causal(_MAIN),
        *_grouped(_MAIN, "cortex", "random"),
        Plan(COMPACT, COMPACT_RECIPE),
        Plan(FACTORIZED, _THEIR_RECIPE),
        Plan(GRU, _THEIR_RECIPE),
        Plan(LINEAR, replace(COMPACT_RECIPE, max_epochs=30, mixing=0.0)),
    ),
    contest=("compact", "mean_2_4_8_16"),
    resources=Resources(memory_mb=32000, minutes=48 * 60, gpus=1),
)

README, STORED = "README of the winner's code", "stored output of the published notebooks"
STATUS = {README: "as stated", STORED: "stored output"}
PUBLISHED = tuple(
    PublishedScore(system, session, "single", value, 0.01, source, status=STATUS[source])
    for system, session, value, source in (
        ("DwiseNeuro, final main", "mean", 0.2913, README),
        ("DwiseNeuro, final OOD", "mean", 0.2215, README),
        ("DwiseNeuro, live main", "mean", 0.3005, README),
        ("DwiseNeuro, live OOD", "mean", 0.2173, README),
        ("DwiseNeuro, first stage, final main", "mean", 0.2905, README),
        ("DwiseNeuro, first stage, final OOD", "mean", 0.2207, README),
        ("ViV1T, mean of 5, oracle", "mean", 0.2608, STORED),
        ("ViV1T, mean of 5, oracle", "29515-10-12", 0.2472, STORED),
        ("ViV1T, mean of 5, oracle", "29623-4-9", 0.2683, STORED),
        ("ViV1T, mean of 5, oracle", "29647-19-8", 0.2475, STORED),
        ("ViV1T, mean of 5, oracle", "29712-5-9", 0.2701, STORED),
        ("ViV1T, mean of 5, oracle", "29755-2-8", 0.2706, STORED),
        *(
            ("ViV1T, one model, oracle", "mean", value, STORED)
            for value in (0.2507, 0.2530, 0.2509, 0.2494, 0.2495)
        ),
    )
)

SENSORIUM2023 = Study(
    name="sensorium2023",
    title="SENSORIUM 2023: films to mouse V1",
    sessions=(
        *("29156-11-10", "29228-2-10", "29234-6-9", "29513-3-5", "29514-2-9"),
        *("29515-10-12", "29623-4-9", "29647-19-8", "29712-5-9", "29755-2-8"),
    ),
    profiles=profiles(SMOKE, DEMO, RECORDING, FULL),
    published=PUBLISHED,
)
