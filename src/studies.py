"""One frozen record a study: its sessions, what each profile trains, and the published scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

from src.config import (
    BaselineCoreConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
    TrainingConfig,
    ViTCoreConfig,
    WideCoreConfig,
)


@dataclass(frozen=True)
class Plan:
    """One model to train: its configuration, its recipe, its ensemble members and their splits."""

    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    members: int = 1
    split: Literal["official", "resplit", "kfold"] = "official"  # kfold: one fold a member
    question: str = ""  # the figure notebook it is trained for; empty: the study's main table


@dataclass(frozen=True)
class Resources:
    """What one training job asks of a scheduler."""

    memory_mb: int = 3000
    minutes: int = 30
    gpus: int = 0


@dataclass(frozen=True)
class Profile:
    """One way to run a study: which data, which models, at which size."""

    name: str
    plans: tuple[Plan, ...]
    simulation: str | None = None  # preset of src.simulate; None: recordings under data/raw
    resources: Resources = field(default_factory=Resources)
    example: str = ""  # name of a simulated recording that 00_import_recording imports
    skips: tuple[str, ...] = ()  # notebooks that do not apply
    contest: tuple[str, str] = ("", "")  # our best model, and the published one it has to beat

    @property
    def main(self) -> tuple[Plan, ...]:
        """The plans of the study's main table, those of 04_evaluate."""
        return self.asked("")

    def asked(self, question: str) -> tuple[Plan, ...]:
        """The plans trained for one figure notebook, called by its file's stem."""
        return tuple(plan for plan in self.plans if plan.question == question)

    def plan(self, model: str) -> Plan:
        """The plan of the model called `model`."""
        for plan in self.plans:
            if plan.model.name == model:
                return plan
        names = ", ".join(plan.model.name for plan in self.plans)
        raise KeyError(f"profile {self.name!r} trains no model {model!r}: choose one of {names}")


@dataclass(frozen=True)
class PublishedScore:
    """A number of the literature, kept beside the configuration it belongs to."""

    system: str
    session: str
    metric: Literal["single", "avg", "feve"]
    value: float
    tolerance: float
    source: str


@dataclass(frozen=True)
class Study:
    """A published study as Striate reproduces it."""

    name: str
    title: str
    sessions: tuple[str, ...]
    profiles: Mapping[str, Profile]
    published: tuple[PublishedScore, ...] = ()

    def profile(self, name: str) -> Profile:
        """The profile called `name`."""
        if name not in self.profiles:
            raise KeyError(f"{self.name} has no profile {name!r}: use {', '.join(self.profiles)}")
        return self.profiles[name]


# SENSORIUM 2022: mouse V1, natural images -------------------------------------------------------

BEHAVING = InputConfig(behavior=True, pupil=True)
WINNER_INPUT = InputConfig(scale="full", boxes="file", centered=True)

LN = ModelConfig("ln", BaselineCoreConfig(layers=3, linear=True))
CNN = ModelConfig("cnn")
CNN_FREE = ModelConfig("cnn_free", readout=GaussianReadoutConfig(position="free"))
CNN_PLUS = ModelConfig("cnn_plus", inputs=BEHAVING, shifter=True)
WIDE = ModelConfig("wide", WideCoreConfig(), WINNER_INPUT)

# Ours. Behavior as planes of the image (`cnn_plus`) all but stops a small network from learning to
# see, and so do shifts and sampled positions that start out large: here behavior scales and shifts
# each unit's output, shifts start at 0, and positions are drawn close to their means.
SEEING = InputConfig(behavior=True, pupil=True, center_behavior=True)
CLOSE = GaussianReadoutConfig(init_sigma=0.05, bias_init="inverse_elu")
WIDE_PLUS = ModelConfig(
    "wide_plus",
    WideCoreConfig(),
    replace(SEEING, scale="full", boxes="file", centered=True),
    CLOSE,
    shifter=True,
    still=True,
    modulator="affine",
    behavior_in_core=False,
)
COMPACT = replace(
    WIDE_PLUS,
    name="compact",
    core=BaselineCoreConfig(layers=2, input_stride=2, batch_norm_momentum=0.1),
    inputs=SEEING,
)
# Without the SENSORIUM mouse, as published; here it trains along with learned missing scalars.
VIT = ModelConfig("vit", ViTCoreConfig(), BEHAVING, shifter=True, pupil_in_core=True)
V1T = TrainingConfig(
    batch_size=16,
    learning_rate=0.001647,
    min_learning_rate=0.0,
    patience=11,
    max_decays=2,
    renew_decays=True,
    max_epochs=400,
    optimizer="adamw",
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


_SMOKE = TrainingConfig(batch_size=32, max_epochs=2)
_DEMO = TrainingConfig(
    batch_size=16, max_epochs=12, learning_rate=0.005, schedule="cosine", average=0.95
)
_DEMO_WINNER = replace(_WINNER, batch_size=32, max_epochs=14)
_OWN = TrainingConfig(
    batch_size=32, learning_rate=0.006, patience=3, max_decays=2, max_epochs=36, jitter=4
)
_FULL = TrainingConfig(threads=8)
_FULL_WINNER = replace(_WINNER, threads=8)


def _small_vit(epochs: int, **core: int) -> Plan:
    """A ViT small enough for a laptop: few and larger patches, two blocks; rates for few steps."""
    small = ViTCoreConfig(patch=12, stride=4, width=32, blocks=2, heads=2, head_width=32, hidden=64)
    small = replace(small, side_hidden=16, patch_dropout=0.0, dropout=0.1, penalty=0.003)
    model = replace(VIT, core=replace(small, **core), inputs=SEEING, readout=CLOSE, still=True)
    recipe = replace(V1T, batch_size=32, learning_rate=0.005, betas=(0.9, 0.999))
    recipe = replace(recipe, schedule="cosine", max_epochs=epochs)
    return Plan(model, recipe, question="15_fig_attention")


SENSORIUM2022 = Study(
    name="sensorium2022",
    title="SENSORIUM 2022: natural images to mouse V1",
    sessions=(
        *("21067-10-18", "22846-10-16", "23343-5-17", "23656-14-22", "23964-4-22"),
        *("26872-17-20", "27204-5-13"),
    ),
    profiles=MappingProxyType(
        {
            "smoke": Profile(
                "smoke",
                (
                    Plan(_small(LN, 8), _SMOKE),
                    Plan(_small(WIDE_WITHOUT_BOXES, 4, 8, 8, 8), _SMOKE, members=2, split="kfold"),
                    _small_vit(2, stride=7, width=8, head_width=8),
                ),
                simulation="tiny",
                contest=("wide", "ln"),
            ),
            "demo": Profile(
                "demo",
                (
                    Plan(_small(LN, 24), _DEMO),
                    Plan(_small(CNN, 24), _DEMO),
                    Plan(replace(CNN_FREE, core=COMPACT.core), _DEMO),
                    Plan(_narrow(WIDE, 12, 24, 32, 32), _DEMO_WINNER, members=3, split="resplit"),
                    Plan(_small(WIDE_PLUS, 12, 24, 32, 32), replace(_DEMO, max_epochs=8)),
                    Plan(COMPACT, replace(_DEMO, max_epochs=20), members=3, split="resplit"),
                    _small_vit(20),
                ),
                simulation="demo",
                example="example",
                contest=("compact", "wide"),
            ),
            "recording": Profile(
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
            ),
            "full": Profile(
                "full",
                (
                    Plan(LN, _FULL),
                    Plan(CNN, _FULL),
                    Plan(CNN_PLUS, _FULL),
                    Plan(WIDE, _FULL_WINNER, members=10, split="resplit"),
                    Plan(WIDE_PLUS, _FULL),
                    Plan(COMPACT, _FULL, members=10, split="resplit"),
                    Plan(VIT, replace(V1T, threads=8)),
                ),
                contest=("compact", "wide"),
                resources=Resources(memory_mb=16000, minutes=24 * 60, gpus=1),
            ),
        }
    ),
    published=tuple(
        PublishedScore(system, session, metric, value, 0.01, "stored output of the published code")
        for system, session, metric, value in (
            ("baseline CNN, 7 mice", "21067-10-18", "single", 0.286),
            ("baseline CNN, 7 mice", "21067-10-18", "avg", 0.542),
            ("baseline CNN, 7 mice", "21067-10-18", "feve", 0.452),
            ("winner type, no ensemble", "21067-10-18", "feve", 0.5554),
            ("winner type, no ensemble", "23343-5-17", "feve", 0.6130),
            ("winner type, no ensemble", "22846-10-16", "feve", 0.6168),
            ("winner type, no ensemble", "23656-14-22", "feve", 0.5520),
            ("winner type, no ensemble", "23964-4-22", "feve", 0.5970),
            ("V1T, behavior and pupil, mean of 5 mice", "mean", "single", 0.426),
            ("V1T, behavior and pupil, mean of 5 mice", "mean", "avg", 0.629),
        )
    ),
)

STUDIES: Mapping[str, Study] = MappingProxyType({SENSORIUM2022.name: SENSORIUM2022})
