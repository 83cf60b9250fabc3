"""When the learning rate falls, when the best weights come back, and when training ends.

Training runs in rounds: at most `max_decays + 1`, with `renew_decays` as many after every
improvement. A round ends after `patience` epochs without improvement, and the best weights are
restored. "fixed" lowers the learning rate at that moment. "upstream" leaves it to a plateau
scheduler with a memory of its own, which acts one epoch late (specification 6.3, defect D13).
"cosine" knows no rounds: the learning rate falls along half a cosine over all epochs (Loshchilov &
Hutter 2017), and the best weights are restored at the end. A linear warm-up may come before it. All
lengths are whole epochs.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import cos, inf, pi
from typing import Any

from src.config import TrainingConfig


@dataclass(frozen=True)
class Verdict:
    """What to do after an epoch."""

    improved: bool  # keep these weights as the best
    restore: bool  # go back to the best weights


@dataclass
class Schedule:
    """State of one training run's schedule; `objective` is better when larger."""

    config: TrainingConfig
    best: float  # objective of the best weights so far
    learning_rate: float
    epoch: int = 0  # epochs trained
    round: int = 1
    decays: int = 0  # rounds that ended; with renew_decays, since the last improvement
    bad: int = 0  # epochs of this round since the last improvement
    plateau_best: float = -inf  # the two of the "upstream" plateau scheduler
    plateau_bad: int = 0

    @classmethod
    def start(cls, config: TrainingConfig, objective: float) -> Schedule:
        """The schedule before the first epoch, given the objective of the initial weights."""
        if config.reset_moments and config.schedule != "fixed":
            raise ValueError("reset_moments=True needs schedule='fixed'")
        _check_epochs(config)
        rate = cosine_rate(config, 0) if config.warmup_epochs else config.learning_rate
        return cls(config, best=objective, learning_rate=rate)

    @classmethod
    def resume(cls, config: TrainingConfig, state: dict[str, Any]) -> Schedule:
        """The schedule a resume file left off at."""
        return cls(config, **state)

    def state(self) -> dict[str, Any]:
        """Everything that changes, as plain values."""
        return {name: value for name, value in asdict(self).items() if name != "config"}

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train."""
        return self.decays > self.config.max_decays or self.epoch >= self.config.max_epochs

    def step(self, objective: float) -> Verdict:
        """Take the objective after an epoch; sets the learning rate of the next one."""
        self.epoch += 1
        improved = objective > self.best + self.config.tolerance
        self.best = objective if improved else self.best
        self.bad = 0 if improved else self.bad + 1
        if improved and self.config.renew_decays:
            self.decays = 0
        match self.config.schedule:
            case "cosine":
                self.learning_rate = cosine_rate(self.config, self.epoch)
                return Verdict(improved, restore=self.finished)
            case "upstream":
                self._step_plateau(objective)
        round_over = self.bad >= self.config.patience
        if round_over:
            self._next_round()
        return Verdict(improved, restore=round_over or self.finished)

    def _next_round(self) -> None:
        self.round += 1
        self.decays += 1
        self.bad = 0
        if self.config.schedule == "fixed":
            self._lower()

    def _step_plateau(self, objective: float) -> None:
        if objective > self.plateau_best + self.config.tolerance:
            self.plateau_best, self.plateau_bad = objective, 0
        else:
            self.plateau_bad += 1
        if self.plateau_bad > self.config.patience:
            self._lower()
            self.plateau_bad = 0

    def _lower(self) -> None:
        lowered = self.learning_rate * self.config.decay_factor
        lowered = max(lowered, self.config.min_learning_rate)
        self.learning_rate = min(lowered, self.learning_rate)


def cosine_rate(config: TrainingConfig, epoch: int) -> float:
    """Learning rate after `epoch` epochs: a straight line up, epochs at it, half a cosine down."""
    high, low, rising = config.learning_rate, config.min_learning_rate, config.warmup_epochs
    flat = rising + config.flat_epochs
    if epoch < rising:
        start = config.warmup_start
        return high * (start + (1 - start) * epoch / rising)
    if epoch < flat:
        return high
    done = (epoch - flat) / ((config.cosine_epochs or config.max_epochs) - flat)
    return low + (high - low) * (1 + cos(pi * done)) / 2


def warmth(config: TrainingConfig, step: int) -> float:
    """Share of the scheduled rate that a step gets, a straight line over the first steps."""
    if step >= config.warmup_steps:
        return 1.0
    return 1 - (1 - step / config.warmup_steps) * (1 - config.warmup_start)


def _check_epochs(config: TrainingConfig) -> None:
    """A length that is no whole number would never be met, one without a cosine never used."""
    lengths = (
        "patience",
        "max_decays",
        "max_epochs",
        "warmup_epochs",
        "flat_epochs",
        "cosine_epochs",
    )
    for name in lengths:
        if not isinstance(value := getattr(config, name), int | None):
            raise ValueError(f"{name}={value!r} is no whole number of epochs: round it")
    before = config.warmup_epochs + config.flat_epochs
    if config.schedule != "cosine" and (before or config.cosine_epochs is not None):
        raise ValueError("warmup_epochs, flat_epochs and cosine_epochs need schedule='cosine'")
    end = config.max_epochs if config.cosine_epochs is None else config.cosine_epochs
    if end < config.max_epochs or 0 < end <= before:
        raise ValueError(
            f"a cosine of {end} epochs, {before} of them warm-up or flat, does not hold "
            f"max_epochs={config.max_epochs}: raise cosine_epochs"
        )
