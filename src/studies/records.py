"""What a study consists of: plans of models to train, profiles, published scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from src.config import (
    DetectorTraining,
    ModelConfig,
    PretrainingConfig,
    RecognitionConfig,
    RecognizerConfig,
    TrainingConfig,
)
from src.names import UnknownName, nearest
from src.studies.search import PARTS, Search


@dataclass(frozen=True)
class Plan:
    """One model to train: its configuration, its recipe, its ensemble members and their splits."""

    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    members: int = 1
    # kfold: one fold a member; inner: early stopping on some of the training images; acquisition:
    # on the last of the training trials, which share images with the others
    split: Literal["official", "resplit", "kfold", "inner", "acquisition"] = "official"
    area: str = ""  # only the units of this area, or of several with spaces between; empty: all
    sessions: tuple[str, ...] = ()  # only these; empty: all
    images: int | None = None  # training images a session; None: all
    question: str = ""  # the figure notebook it is trained for; empty: the study's main table
    search: Search | None = None  # 02_search finds some values first, and the others stand
    teacher: str = ""  # model whose members together predict part of its targets (distillation)

    def __post_init__(self) -> None:
        if bool(self.teacher) != bool(self.training.distilled):
            raise ValueError(
                f"model {self.model.name!r}: teacher={self.teacher!r} and "
                f"distilled={self.training.distilled:g} go together: set both"
            )
        if self.search:
            if self.split != "inner":
                raise ValueError(f"a search on split {self.split!r} sees scored images: use inner")
            if getattr(self.model.core, "source", ""):
                raise ValueError(f"model {self.model.name!r}: a search starts from random weights")
            self.search.check(self.training, self.model)

    @property
    def external(self) -> str:
        """What the model is told beside image, behavior and pupil, for every table of scores."""
        return "none" if self.model.inputs.boxes in ("none", "full_frame") else "object boxes"

    def narrowed(self, sessions: str, areas: str) -> Plan:
        """The plan for some sessions and areas, names with spaces between, empty for all.

        Its model has a name of its own then. ValueError for other areas than the plan's.
        """
        if areas and self.area and areas != self.area:
            raise ValueError(
                f"model {self.model.name!r} is of {self.area}, not of {areas}: choose areas for a "
                "model of all"
            )
        name = "_".join([self.model.name, *sessions.split(), *areas.split()])
        model, area = replace(self.model, name=name), areas or self.area
        return replace(self, model=model, area=area, sessions=tuple(sessions.split()))

    def varied(self, values: Mapping[str, Any]) -> Plan:
        """The plan with other values: `learning_rate` of its recipe, `core.channels` of its model.

        Names with a dot belong to a part of the model.
        """
        model, recipe = self.model, {n: v for n, v in values.items() if "." not in n}
        for part in PARTS:
            own = {n.split(".")[1]: v for n, v in values.items() if n.startswith(f"{part}.")}
            model = replace(model, **{part: replace(getattr(model, part), **own)})
        return replace(self, model=model, training=replace(self.training, **recipe))

    @property
    def networks(self) -> tuple[str, ...]:
        """Frozen networks it needs: that whose maps it reads, that whose weights it starts from."""
        maps, core = self.model.inputs.maps, self.model.core
        names = maps.partition("/")[0], getattr(core, "source", "")
        return tuple(name for name in names if name)


@dataclass(frozen=True)
class Recognizer:
    """One network to train to name images of folders, before it is frozen and scored."""

    model: RecognizerConfig
    training: RecognitionConfig
    members: int = 1
    question: str = ""  # as in Plan
    search: None = None
    networks: tuple[str, ...] = ()  # it starts from none
    teacher: str = ""  # and has none


@dataclass(frozen=True)
class FrozenNetwork:
    """A network that is shown the images and never trained on responses: its features are stored.

    `start` says where its weights begin: in a file (for a map a simulation read, in its seed), in
    what a plan of the same name has learned, or drawn from `draw`. `training` says what it then
    learns from the training images, if anything: to name objects, or to draw its input again.
    Without, a drawn one is an untrained control.
    """

    name: str  # how tables, folders and figures call it
    network: str
    weights: str = ""  # for a model of torchvision: a member of its enum, or the name of a file
    start: Literal["file", "random", "trained"] = "file"
    draw: int = 0  # number of the random start
    # empty: all of its record that depend on the image; any path of a module is a layer too
    layers: tuple[str, ...] = ()
    size: int = 0  # pixels a side that images are shown at; 0: those of its record
    pool: int = 14  # maps are averaged to at most so many cells a side
    training: PretrainingConfig | None = None
    channels: tuple[int, ...] = ()  # of the blocks of a network of the house; empty: its own
    calibrated: bool = False  # batch norm of random weights sees the training images; no: 0 and 1
    # what a run of 02_extract that shows images to several is called, as to all random starts of a
    # network; empty: to this one alone, by its name
    group: str = ""
    mean: tuple[float, ...] = ()  # of pixels in 0..1, which GNet's prefilter takes off


@dataclass(frozen=True)
class Probe:
    """Maps from images to responses, without a network trained on responses.

    pixels: several baselines. layers: ridge from each layer of each network. combined: ridge from
    all layers named, each weighted. fields: the same through the Gaussian window of each unit.
    stacked: ridge from each layer named, and a weighted sum of the predictions. components: ridge
    from the principal components of all layers named, side by side. trees: boosted trees on them.
    receptive_fields: ridge from all layers named through the Gaussian field of each unit.
    """

    name: str
    kind: Literal[
        *("pixels", "layers", "combined", "fields", "stacked", "components", "trees"),
        "receptive_fields",
    ]
    networks: tuple[str, ...] = ()  # names of frozen networks
    layers: tuple[str, ...] = ()  # "network/layer", for all but pixels and layers
    centers: int = 7  # a side, of the windows of fields, in four sizes
    split: Literal["official", "halves", "acquisition"] = "official"
    question: str = ""  # as in Plan
    components: int = 1000  # of each layer at most, for components and trees
    grid: tuple[float, float] = (0.03, 1.0)  # of receptive fields: smallest sigma, spacing
    lambdas: tuple[float, float] = (3.0, 6.0)  # and exponents between which nine lambdas lie
    legacy: bool = False  # their published solver, which penalizes the constant
    held_out: float = 0.1  # share of training images that choose field and lambda; 0: each in turn
    coarse: float = 0.0  # how much wider the grid of a first search is; 0: every field is tried

    @property
    def pairs(self) -> list[tuple[str, ...]]:
        """Network and layer of each of `layers`."""
        return [tuple(name.split("/")) for name in self.layers]


@dataclass(frozen=True)
class Resources:
    """What one training job asks of a scheduler."""

    memory_mb: int = 3000
    minutes: int = 30
    gpus: int = 0


CORRELATIONS = MappingProxyType({"single": "r, single trials", "avg": "r, mean of repeats"})


@dataclass(frozen=True)
class Scoring:
    """How models of NSD are compared: how many scores, over what, and with what."""

    metrics: tuple[Literal["single", "avg"], ...] = ("avg", "single")  # the first one is drawn
    over: Literal["images", "trials"] = "images"  # what resamples draw; trials: unpaired, too
    # what transfer to other areas is compared with: an area's frozen trunk, read anew as the others
    # are, or the network as it was trained; the first one is drawn
    baselines: tuple[str, ...] = ("read anew", "as published")

    def metric(self, asked: str = "") -> str:
        """The correlation that figures show: the one asked for, or for "" the first."""
        if asked and asked not in self.metrics:
            near, known = nearest(asked, self.metrics), ", ".join(self.metrics)
            raise UnknownName(
                f"there is no correlation {asked!r} here{near}: choose one of {known}"
            )
        return asked or self.metrics[0]

    def label(self, asked: str = "") -> str:
        """That correlation in words, for an axis."""
        return CORRELATIONS[self.metric(asked)]


@dataclass(frozen=True)
class Profile:
    """One way to run a study: which data, which models, at which size."""

    name: str
    plans: tuple[Plan | Recognizer, ...] = ()
    networks: tuple[FrozenNetwork, ...] = ()
    probes: tuple[Probe, ...] = ()
    simulation: str | None = None  # preset of src.simulate; None: recordings under data/raw
    resources: Resources = field(default_factory=Resources)
    detector: DetectorTraining | None = None  # for simulated recordings without boxes
    example: str = ""  # name of a simulated recording that 00_import_recording imports
    skips: tuple[str, ...] = ()  # notebooks that do not apply
    scoring: Scoring = Scoring()
    contest: tuple[str, ...] = ()  # our best models, and last the published one they have to beat

    @property
    def main(self) -> tuple[Plan | Recognizer, ...]:
        """The plans of the study's main table, those of 04_evaluate."""
        return self.asked("")

    def asked(self, question: str) -> tuple[Plan | Recognizer, ...]:
        """The plans trained for one figure notebook, called by its file's stem."""
        return tuple(plan for plan in self.plans if plan.question == question)

    def plan(self, model: str) -> Plan | Recognizer:
        """The plan of the model called `model`."""
        return self._called("trains no model", model, {p.model.name: p for p in self.plans})

    def network(self, name: str) -> FrozenNetwork:
        """The frozen network called `name`."""
        return self._called("shows images to no network", name, {n.name: n for n in self.networks})

    @property
    def groups(self) -> dict[str, tuple[FrozenNetwork, ...]]:
        """The networks of each run of 02_extract, by what it is called."""
        found: dict[str, tuple[FrozenNetwork, ...]] = {}
        for one in self.networks:
            found[one.group or one.name] = (*found.get(one.group or one.name, ()), one)
        return found

    def group(self, name: str) -> tuple[FrozenNetwork, ...]:
        """The networks that the run of 02_extract called `name` shows the images to."""
        return self._called("shows images to no network", name, self.groups)

    def probe(self, name: str) -> Probe:
        """The probe called `name`."""
        return self._called("has no probe", name, {p.name: p for p in self.probes})

    def untrained(self, probe: Probe) -> bool:
        """Whether a probe's networks are untrained starts, of which only the mean counts."""
        networks = [self.network(name) for name in probe.networks]
        return bool(networks) and all(n.start == "random" and not n.training for n in networks)

    def _called(self, lacks: str, name: str, known: dict[str, Any]) -> Any:
        if name not in known:
            near = nearest(name, known)
            raise UnknownName(
                f"profile {self.name!r} {lacks} {name!r}{near}: choose one of {', '.join(known)}"
            )
        return known[name]


@dataclass(frozen=True)
class PublishedScore:
    """A number of the literature, kept beside the configuration it belongs to."""

    system: str
    session: str
    metric: str  # single, avg, feve or ev; of cornet, see there
    value: float
    tolerance: float
    source: str
    images: int | None = None  # training images a session; None: all
    status: str = "stored output"  # how far it can be trusted: what kind of place it was found in


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
            near = nearest(name, self.profiles)
            known = ", ".join(self.profiles)
            raise UnknownName(f"{self.name} has no profile {name!r}{near}: use {known}")
        return self.profiles[name]


def profiles(*given: Profile) -> Mapping[str, Profile]:
    """Profiles by name, not to be changed."""
    return MappingProxyType({profile.name: profile for profile in given})
