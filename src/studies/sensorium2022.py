"""SENSORIUM 2022, natural images to mouse V1: models, recipes, profiles, published scores."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from src.config import (
    BaselineCoreConfig,
    DetectorTraining,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    TrainingConfig,
    ViTCoreConfig,
    WideCoreConfig,
)
from src.studies.records import Plan, Profile, PublishedScore, Resources, Study, profiles

BEHAVING = InputConfig(behavior=True, pupil=True)
WINNER_INPUT = InputConfig(scale="full", boxes="file", centered=True)

LN = ModelConfig("ln", BaselineCoreConfig(layers=3, linear=True))
CNN = ModelConfig("cnn")
CNN_FREE = ModelConfig("cnn_free", readout=GaussianReadoutConfig(position="free"))
CNN_PLUS = ModelConfig("cnn_plus", inputs=BEHAVING, shifter=True)
WIDE = ModelConfig("wide", WideCoreConfig(), WINNER_INPUT)

# Ours. Behavior as planes of the image (`cnn_plus`) all but stops a small network from learning to
# see, and so do shifts and sampled positions that start out large: here behavior scales and shifts
# each unit's output, shifts start at 0, positions are drawn close to their means, and all of them
# start in the center: from a random start, every few seeds a mouse never finds its own. What
# behavior does to units is kept small where it does nothing.
SEEING = InputConfig(behavior=True, pupil=True, center_behavior=True)
CLOSE = GaussianReadoutConfig(position_start="center", init_sigma=0.05, bias_init="inverse_elu")
WIDE_PLUS = ModelConfig(
    "wide_plus",
    WideCoreConfig(),
    replace(SEEING, scale="full", boxes="file", centered=True),
    CLOSE,
    shifter=True,
    still=True,
    modulator="affine",
    modulator_penalty=10.0,
    behavior_in_core=False,
)
COMPACT = replace(
    WIDE_PLUS,
    name="compact",
    core=BaselineCoreConfig(layers=2, input_stride=2, batch_norm_momentum=0.1),
    inputs=SEEING,
)
# Published with AdamW and no weight decay, which is Adam, and without the SENSORIUM mouse; here
# that mouse trains along on learned missing scalars.
VIT = ModelConfig("vit", ViTCoreConfig(), BEHAVING, shifter=True, pupil_in_core=True)
V1T = TrainingConfig(
    batch_size=16,
    learning_rate=0.001647,
    min_learning_rate=0.0,
    patience=11,
    max_decays=2,
    renew_decays=True,
    max_epochs=400,
    betas=(0.9, 0.9999),
    loss="v1t",
)


def _narrow(model: ModelConfig, *channels: int) -> ModelConfig:
    """The model with fewer channels: for a laptop."""
    width = channels if isinstance(model.core, WideCoreConfig) else channels[0]
    return replace(model, core=replace(model.core, channels=width))


def _small(model: ModelConfig, *channels: int) -> ModelConfig:
    """Narrow, with batch statistics that suit few batches and positions drawn close to the mean."""
    narrow = _narrow(model, *channels)
    core = replace(narrow.core, batch_norm_momentum=0.1)
    return replace(narrow, core=core, readout=replace(model.readout, init_sigma=0.05))


WIDE_WITHOUT_BOXES = replace(WIDE, inputs=replace(WINNER_INPUT, boxes="full_frame"))

# The winner's recipe as published, and its core on recordings without coordinates or boxes.
_WINNER = TrainingConfig(schedule="upstream")
WINNER_FREE = ModelConfig(
    "winner",
    WideCoreConfig(),
    InputConfig(scale="full", centered=True),
    GaussianReadoutConfig(position="free"),
)

# Recordings of one's own, tuned on validation images of macaque V4: color at 56 pixels, an early
# stride so that 7x7 kernels see most of the image, free positions, and images that jitter.
_FREE = GaussianReadoutConfig(
    position="free",
    init_mu_range=0.2,
    init_sigma=0.4,
    bias_init="inverse_elu",
    feature_l1=1.0,
)


def _own(name: str, **core: object) -> ModelConfig:
    """A stacked model for recordings without coordinates or behavior."""
    shape = BaselineCoreConfig(
        layers=3, input_kernel=7, input_stride=2, pool=2, batch_norm_momentum=0.05
    )
    return ModelConfig(name, replace(shape, **core), InputConfig(scale="full"), _FREE)


# 14_fig_boxes: one model that differs in what it is told of the object box, and in that alone.
_BOXES = {
    "box_true": {"boxes": "file"},
    "box_full_frame": {"boxes": "full_frame"},
    "box_shuffled": {"boxes": "shuffled"},
    "box_none": {"boxes": "none"},
    "box_flag": {"boxes": "flag"},
    "box_uncentered": {"boxes": "file", "centered": False},
}


def _box_plans(
    core: WideCoreConfig,
    training: TrainingConfig,
    members: int,
    *names: str,
    readout: GaussianReadoutConfig = WIDE.readout,
    scale: Literal["full", "quarter"] = "full",
) -> tuple[Plan, ...]:
    """A plan for each condition; members of equal number have equal seeds."""
    seen = replace(WINNER_INPUT, scale=scale)
    return tuple(
        Plan(
            ModelConfig(name, core, replace(seen, **_BOXES[name]), readout),
            training,
            members,
            question="14_fig_boxes",
        )
        for name in names or _BOXES
    )


_TINY = WideCoreConfig((6, 12, 16, 16), pool=2, input_kernel=5, batch_norm_momentum=0.1)
_SMOKE = TrainingConfig(batch_size=32, max_epochs=2)
_DEMO = TrainingConfig(
    batch_size=16, max_epochs=12, learning_rate=0.005, schedule="cosine", average=0.95
)
_DEMO_BOXES = replace(_DEMO, max_epochs=6, learning_rate=0.008)
_DEMO_BRIEF = replace(_DEMO, max_epochs=8, schedule="fixed", average=0.0)
_DEMO_STEPS = replace(_DEMO_BRIEF, max_epochs=7, steps_per_epoch=20)  # as with 320 images
_DEMO_WINNER = replace(_WINNER, batch_size=32, max_epochs=10)
_OWN = TrainingConfig(
    batch_size=32, learning_rate=0.006, patience=3, max_decays=2, max_epochs=36, jitter=4
)
_FULL = TrainingConfig(threads=8)
_FULL_WINNER = replace(_WINNER, threads=8)
_STEPS = {"steps_per_epoch": 36}  # batches of 128 that the largest session has


def _by_size(plan: Plan, *sizes: int) -> tuple[Plan, ...]:
    """The plan with fewer training images, a model each, all with as many steps an epoch."""
    return tuple(
        replace(
            plan,
            model=replace(plan.model, name=f"{plan.model.name}_{size}"),
            images=size,
            question="13_fig_limited_data",
        )
        for size in sizes
    )


def _kfold(model: ModelConfig, training: TrainingConfig, folds: int) -> Plan:
    """The model trained on K folds, for out-of-fold scores."""
    model = replace(model, name=f"{model.name}_kfold")
    return Plan(model, training, folds, "kfold", question="12_fig_ensemble")


def _taught(name: str, teacher: Plan) -> Plan:
    """The teacher's model, splits and recipe, with half of each target from the teacher."""
    model, recipe = replace(teacher.model, name=name), replace(teacher.training, distilled=0.5)
    return replace(teacher, model=model, training=recipe, teacher=teacher.model.name)


def _strided(model: ModelConfig) -> ModelConfig:
    """The model on a coarser map, four times cheaper."""
    name = "input_stride" if isinstance(model.core, BaselineCoreConfig) else "pool"
    return replace(model, core=replace(model.core, **{name: 2}))


def _small_vit(epochs: int, **core: int) -> Plan:
    """A ViT small enough for a laptop: few and larger patches, two blocks; rates for few steps."""
    small = ViTCoreConfig(patch=12, stride=4, width=32, blocks=2, heads=2, head_width=32, hidden=64)
    small = replace(small, side_hidden=16, patch_dropout=0.0, dropout=0.1, penalty=0.003)
    model = replace(VIT, core=replace(small, **core), inputs=SEEING, readout=CLOSE, still=True)
    recipe = replace(V1T, batch_size=32, learning_rate=0.005, betas=(0.9, 0.999))
    recipe = replace(recipe, schedule="cosine", max_epochs=epochs)
    return Plan(model, recipe, question="15_fig_attention")


_SMOKE_WIDE = Plan(_small(WIDE_WITHOUT_BOXES, 4, 8, 8, 8), _SMOKE, members=2, split="kfold")

SMOKE = Profile(
    "smoke",
    (
        Plan(_small(LN, 8), _SMOKE),
        _SMOKE_WIDE,
        Plan(
            replace(_small(LN, 4), name="ln_resplit"),
            _SMOKE,
            members=2,
            split="resplit",
            question="12_fig_ensemble",
        ),
        replace(_taught("student", _SMOKE_WIDE), question="16_fig_better"),
        *_by_size(Plan(model=_small(LN, 8), training=_SMOKE), 32),
        *_box_plans(_TINY, _SMOKE, 1, "box_true", "box_none"),
        _small_vit(2, stride=7, width=8, head_width=8),
    ),
    simulation="tiny",
    detector=DetectorTraining(scenes=32, epochs=2),
    contest=("student", "wide", "ln"),
)

_DEMO_COMPACT = Plan(COMPACT, replace(_DEMO, max_epochs=13), members=3, split="resplit")

DEMO = Profile(
    "demo",
    (
        Plan(_small(LN, 24), replace(_DEMO, max_epochs=9)),
        Plan(_small(CNN, 24), replace(_DEMO, max_epochs=10)),
        Plan(replace(CNN_FREE, core=COMPACT.core), _DEMO),
        Plan(_narrow(WIDE, 12, 24, 32, 32), _DEMO_WINNER, members=3, split="resplit"),
        Plan(_small(WIDE_PLUS, 12, 24, 32, 32), replace(_DEMO, max_epochs=6)),
        _DEMO_COMPACT,
        _taught("student", _DEMO_COMPACT),
        _kfold(_strided(_small(WIDE, 8, 16, 24, 24)), _DEMO_BRIEF, 3),
        *_by_size(Plan(_strided(_small(LN, 16)), _DEMO_STEPS), 40, 110, 320),
        *_by_size(Plan(_strided(_small(CNN, 16)), _DEMO_STEPS), 40, 110, 320),
        *_box_plans(replace(_TINY, pool=1), _DEMO_BOXES, 3, readout=CLOSE, scale="quarter"),
        _small_vit(13),
    ),
    simulation="demo",
    detector=DetectorTraining(),
    example="example",
    contest=("student", "compact", "wide"),
)

RECORDING = Profile(
    "recording",
    (
        Plan(_own("ln", layers=2, channels=32, linear=True), _OWN),
        Plan(_own("cnn"), _OWN),
        Plan(_own("wide", channels=96), _OWN, members=5),
        Plan(WINNER_FREE, _WINNER, members=3, question="16_fig_better"),
    ),
    skips=(
        *("06_fig_retinotopy", "08_fig_cortical_grid", "09_fig_neurons"),
        *("11_fig_behavior", "13_fig_limited_data", "14_fig_boxes", "15_fig_attention"),
    ),
    contest=("wide", "winner"),
)

_FULL_COMPACT = Plan(COMPACT, _FULL, members=10, split="resplit")

FULL = Profile(
    "full",
    (
        Plan(LN, _FULL),
        Plan(CNN, _FULL),
        Plan(CNN_PLUS, _FULL),
        Plan(WIDE, _FULL_WINNER, members=10, split="resplit"),
        Plan(WIDE_PLUS, _FULL),
        _FULL_COMPACT,
        _taught("student", _FULL_COMPACT),
        _kfold(WIDE, _FULL_WINNER, 10),
        *_by_size(Plan(CNN, replace(_FULL, **_STEPS)), 500, 1500, 2500, 3500),
        *_by_size(Plan(WIDE, replace(_FULL_WINNER, **_STEPS)), 500, 1500, 2500, 3500),
        Plan(VIT, replace(V1T, threads=8)),
        *_box_plans(WideCoreConfig(), _FULL, 3),
    ),
    contest=("student", "compact", "wide"),
    resources=Resources(memory_mb=16000, minutes=24 * 60, gpus=1),
)

STORED, READ = "stored output of the published code", "stored figure, read by eye"
STATUS = {STORED: "stored output", READ: "read by eye"}
PUBLISHED = tuple(
    PublishedScore(system, session, metric, value, 0.01, source, images, STATUS[source])
    for system, session, metric, value, source, images in (
        ("baseline CNN, 7 mice", "21067-10-18", "single", 0.286, STORED, None),
        ("baseline CNN, 7 mice", "21067-10-18", "avg", 0.542, STORED, None),
        ("baseline CNN, 7 mice", "21067-10-18", "feve", 0.452, STORED, None),
        ("winner type, no ensemble", "21067-10-18", "feve", 0.5554, STORED, None),
        ("winner type, no ensemble", "23343-5-17", "feve", 0.6130, STORED, None),
        ("winner type, no ensemble", "22846-10-16", "feve", 0.6168, STORED, None),
        ("winner type, no ensemble", "23656-14-22", "feve", 0.5520, STORED, None),
        ("winner type, no ensemble", "23964-4-22", "feve", 0.5970, STORED, None),
        ("V1T, behavior and pupil, mean of 5 mice", "mean", "single", 0.426, STORED, None),
        ("V1T, behavior and pupil, mean of 5 mice", "mean", "avg", 0.629, STORED, None),
        ("V1T study, CNN", "mean", "single", 0.205, READ, 500),
        ("V1T study, CNN", "mean", "single", 0.38, READ, 4500),
        ("V1T study, ViT", "mean", "single", 0.415, READ, 4500),
        ("V1T study, V1T", "mean", "single", 0.16, READ, 500),
        ("V1T study, V1T", "mean", "single", 0.42, READ, 4500),
    )
)

SENSORIUM2022 = Study(
    name="sensorium2022",
    title="SENSORIUM 2022: natural images to mouse V1",
    sessions=(
        *("21067-10-18", "22846-10-16", "23343-5-17", "23656-14-22", "23964-4-22"),
        *("26872-17-20", "27204-5-13"),
    ),
    profiles=profiles(SMOKE, DEMO, RECORDING, FULL),
    published=PUBLISHED,
)
