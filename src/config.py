"""Configuration records: frozen dataclasses of plain values, printed and kept in checkpoints.

One record describes one model or one training recipe of any study. Defaults are the published
values; a departure is an argument, never a subclass or a copy. Cores and readouts: src/parts.py.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from src.parts import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    FactorizedCoreConfig,
    GaussianReadoutConfig,
    GNetCoreConfig,
    HierarchicalReadoutConfig,
    NetworkCoreConfig,
    PoolingReadoutConfig,
    SeparableVideoCoreConfig,
    TrunkMapsConfig,
    VideoCoreConfig,
    ViTCoreConfig,
    WideCoreConfig,
)


@dataclass(frozen=True)
class InputConfig:
    """What an encoder sees of a trial: image scale and which side information."""

    scale: Literal["full", "quarter"] = (
        "quarter"  # quarter: exact bilinear 0.25 (mean of central 2x2)
    )
    behavior: bool = False  # pupil size, its derivative, running speed (3 values)
    pupil: bool = False  # pupil center (2 values), drives the shifter
    boxes: Literal["none", "file", "full_frame", "shuffled", "flag"] = (
        "none"  # object box: x, y, w, h in 0..1; shuffled: of another image; flag: and if found
    )
    maps: str = ""  # "network/layer": maps of a frozen network, stored, in place of images
    raw: bool = False  # pixel values as recorded, 0 to 255: for a core with a scale of its own
    objects: bool = False  # which object an image shows, for a model that names it as well
    centered: bool = False  # the winner's second plane: the image minus its spatial mean
    center_behavior: bool = False  # subtract the mean of behavior before dividing by its std
    # of films: responses are divided by the std of each unit and frame (official), of each unit,
    # or not at all; statistics come with the recording or are those of its training trials; scored
    # frames are those the organizers' winners predicted, or all from the 50th on
    response_scale: Literal["per_frame", "per_unit", "none"] = "per_frame"
    statistics: Literal["provided", "train"] = "provided"
    frame_policy: Literal["official", "full"] = "official"

    def __post_init__(self) -> None:
        if (self.maps or self.raw) and self.scale != "full":
            raise ValueError(f"maps and raw pixels come at one scale: {self} needs scale='full'")


@dataclass(frozen=True)
class ModelConfig:
    """One encoder: inputs -> core -> (shifter, modulator) -> readouts."""

    name: str  # how tables, folders and figures call it
    core: (
        BaselineCoreConfig
        | WideCoreConfig
        | ViTCoreConfig
        | ConvCoreConfig
        | NetworkCoreConfig
        | GNetCoreConfig
        | TrunkMapsConfig
        | VideoCoreConfig
        | FactorizedCoreConfig
        | SeparableVideoCoreConfig
    ) = field(default_factory=BaselineCoreConfig)
    inputs: InputConfig = field(default_factory=InputConfig)
    readout: (
        GaussianReadoutConfig
        | HierarchicalReadoutConfig
        | DenseReadoutConfig
        | PoolingReadoutConfig
    ) = field(default_factory=GaussianReadoutConfig)
    objects: DenseReadoutConfig | None = None  # a second readout, which names the object shown
    shifter: bool = False
    shifter_hidden: int = 5  # units of each of its two hidden layers
    still: bool = False  # shifts start at 0; False: at random, as published, which blurs positions
    modulator: Literal["none", "gain", "affine"] = "none"  # behavior scales (and shifts) each unit
    modulator_penalty: float = 0.0  # times the sum of squares of their weights, one row a unit
    behavior_in_core: bool = True  # behavior also enters the core as side scalars
    pupil_in_core: bool = False  # and the pupil's position beside its shifter, as in V1T
    # elu1: ELU + 1, rates; softplus: log(1 + exp(b y)) / b with a b that is learned, rates too;
    # identity: responses of any sign
    output: Literal["elu1", "softplus", "identity"] = "elu1"


@dataclass(frozen=True)
class TrainingConfig:
    """One training recipe (SENSORIUM 2022 baseline and winner share the defaults)."""

    batch_size: int = 128
    learning_rate: float = 0.009
    min_learning_rate: float = 1e-4
    decay_factor: float = 0.3
    patience: int = 5
    max_decays: int = 3  # rounds = max_decays + 1
    renew_decays: bool = False  # every improvement allows max_decays anew, as in V1T
    max_epochs: int = 200
    steps_per_epoch: int | None = None  # None: the batches of the largest session
    schedule: Literal["upstream", "fixed", "cosine"] = "fixed"  # cosine: over max_epochs, no rounds
    warmup_epochs: int = 0  # of a cosine: epochs of max_epochs in which the rate rises to its start
    warmup_start: float = 0.1  # share of learning_rate in the first of them
    flat_epochs: int = 0  # of a cosine: epochs at the full rate, after the warm-up, before it falls
    warmup_steps: int = 0  # steps in which the rate of the schedule rises from the share above
    cosine_epochs: int | None = None  # warm-up and fall end here, after max_epochs; None: with them
    reset_moments: bool = False  # reset Adam's moments at each restoration (fixed schedule only)
    tolerance: float = 1e-6
    betas: tuple[float, float] = (0.9, 0.999)
    average: float = 0.0  # decay a step of the moving average of weights that is kept; 0: none
    optimizer: Literal["adam", "adamw"] = "adam"  # adamw: weight decay apart from the gradient
    weight_decay: float = 0.0
    clip: float = 0.0  # largest norm of a step's gradient; 0: any
    # see src/training/losses.py
    loss: Literal[
        *("baseline", "v1t", "dynamic", "nll", "stirling", "mse", "squares", "batch_rho2", "ncsnr")
    ] = "baseline"
    loss_scale: Literal["sqrt", "none"] = "sqrt"  # sqrt: a Poisson loss times sqrt(trials / batch)
    score: Literal["mean", "median"] = "mean"  # over units, of their validation correlations
    start_counts: bool = True  # the weights it begins with may be the best, and are then kept
    # together: a step sees a batch of every session; alone: of one, at random; cycle: each in turn
    turns: Literal["together", "alone", "cycle"] = "together"
    contiguous: bool = False  # of sessions alone: batches are trials in the order shown
    two_pass: bool = False  # a step of the core, then a pass anew for that of the readouts
    own_best: bool = False  # of a core that stays: each unit keeps the epoch that was best for it
    core_rate: float = 1.0  # share of the learning rate, also above 1, the core gets; 0: it stays
    drifting: bool = False  # a core that stays has dropout, and its statistics move, as published
    object_weight: float = 0.0  # of the cross-entropy of objects named, beside the loss
    distilled: float = 0.0  # share of the target that trained members predict; the rest is recorded
    jitter: int = 0  # pixels: training images move by up to this, a batch at a time
    rotate: bool = False  # training films by a random quarter turn, the pupil's center with them
    mixing: float = 0.0  # share of batches whose trials are mixed with one another, responses too
    mixing_way: Literal["blend", "cut"] = "blend"  # means of two; a rectangle of the other, CutMix
    validation_trials: int | None = None  # of films, a session: the first so many; None: all
    recalibrate: bool = (
        False  # cumulative pass over training batches for batch-norm statistics at the end
    )
    threads: int = 1  # fixed, because bytes agree only at one thread count
    autocast: bool = False  # bf16 core; readout and loss stay float32


@dataclass(frozen=True)
class MlpConfig:
    """One hidden layer from features to units: AdamW, a cosine, the epoch best on a tenth."""

    hidden: int = 256
    dropout: float = 0.5
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    epochs: int = 40
    batch_size: int = 64
    threads: int = 1  # fixed, because bytes agree only at one thread count


@dataclass(frozen=True)
class PretrainingConfig:
    """Training without responses: AdamW, a rate that rises over whole epochs, then a cosine."""

    epochs: int = 20
    batch_size: int = 64  # at most; the batches of an epoch are of equal size, give or take one
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_epochs: int = 1
    jitter: int = 4  # pixels by which an image may move, each way
    flip: bool = True  # left to right, every other image
    threads: int = 1  # fixed, because bytes agree only at one thread count

    def __post_init__(self) -> None:
        least = {"epochs": 1, "batch_size": 2, "warmup_epochs": 0, "jitter": 0, "threads": 1}
        for name, low in least.items():
            if type(value := getattr(self, name)) is not int or value < low:
                raise ValueError(f"{name}={value!r} must be an integer of at least {low}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(
                f"warmup_epochs={self.warmup_epochs} leaves nothing of epochs={self.epochs}"
            )
        if not self.learning_rate > 0 <= self.weight_decay:
            raise ValueError(
                f"learning_rate={self.learning_rate!r} must be above 0, "
                f"weight_decay={self.weight_decay!r} not below"
            )


@dataclass(frozen=True)
class ClassifierConfig(PretrainingConfig):
    """Training to name the objects in images, by cross-entropy."""

    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_smoothing < 1:
            raise ValueError(f"label_smoothing={self.label_smoothing!r} must be in 0..1")


@dataclass(frozen=True)
class ReconstructionConfig(PretrainingConfig):
    """Training to draw images again from a short code, by mean squared error."""


@dataclass(frozen=True)
class RecognizerConfig:
    """A network that learns to name the images of folders, a class each."""

    name: str  # how tables, folders and figures call it
    network: str = "cornet_z"  # cornet_z, cornet_r, cornet_rt or cornet_s
    size: int = 224  # pixels a side
    times: int = 0  # steps of R and RT; 0: as published


@dataclass(frozen=True)
class RecognitionConfig:
    """Training to name images as the CORnets were: SGD, a rate cut by ten at even intervals.

    Kubilius et al. 2018 and 2019; defaults are the recipe of CORnet-Z.
    """

    epochs: int = 25
    batch_size: int = 256  # at most, over all devices; those of an epoch are equal, or one less
    learning_rate: float = 0.01
    step_size: int = 10  # epochs after which the rate is a tenth
    momentum: float = 0.9
    weight_decay: float = 1e-4
    threads: int = 1  # fixed, because bytes agree only at one thread count

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "step_size", "threads"):
            if type(value := getattr(self, name)) is not int or value < 1:
                raise ValueError(f"{name}={value!r} must be an integer of at least 1")
        if not (self.learning_rate > 0 <= self.weight_decay and 0 <= self.momentum < 1):
            raise ValueError(f"{self}: learning_rate must be above 0, momentum in 0..1")


@dataclass(frozen=True)
class DetectorTraining:
    """A small object detector for simulated scenes, trained in 01_preprocess."""

    scenes: int = 600
    epochs: int = 14
    size: int = 64  # pixels of the longer side
    batch: int = 16
    learning_rate: float = 0.01
    confidence: float = 0.25  # of the boxes it may then give
    seed: int = 0


def as_plain(config: Any) -> dict[str, Any]:
    """A configuration as nested plain values, as stored in checkpoints and printed in notebooks."""
    return asdict(config)
