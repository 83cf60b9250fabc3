"""What a study consists of: plans of models to train, profiles, published scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from src.config import DetectorTraining, ModelConfig, TrainingConfig


@dataclass(frozen=True)
class Plan:
    """One model to train: its configuration, its recipe, its ensemble members and their splits."""

    model: ModelConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    members: int = 1
    split: Literal["official", "resplit", "kfold"] = "official"  # kfold: one fold a member
    images: int | None = None  # training images a session; None: all
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
    detector: DetectorTraining | None = None  # for simulated recordings without boxes
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
    images: int | None = None  # training images a session; None: all


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


def profiles(*given: Profile) -> Mapping[str, Profile]:
    """Profiles by name, not to be changed."""
    return MappingProxyType({profile.name: profile for profile in given})
