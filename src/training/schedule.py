"""When the learning rate falls, when the best weights come back, and when training ends.

Training runs in rounds (at most `max_decays + 1`). A round ends after `patience` epochs without
improvement, and the best weights are restored. "fixed" lowers the learning rate at that moment.
"upstream" leaves it to a plateau scheduler with a memory of its own, which acts one epoch late
(specification 6.3, defect D13). "cosine" knows no rounds: the learning rate falls along half a
cosine over all epochs (Loshchilov & Hutter 2017), and the best weights are restored at the end.
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
    bad: int = 0  # epochs of this round since the last improvement
    plateau_best: float = -inf  # the two of the "upstream" plateau scheduler
    plateau_bad: int = 0

    @classmethod
    def start(cls, config: TrainingConfig, objective: float) -> Schedule:
        """The schedule before the first epoch, given the objective of the initial weights."""
        if config.reset_moments and config.schedule != "fixed":
            raise ValueError("reset_moments=True needs schedule='fixed'")
        return cls(config, best=objective, learning_rate=config.learning_rate)

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
        return self.round > self.config.max_decays + 1 or self.epoch >= self.config.max_epochs

    def step(self, objective: float) -> Verdict:
        """Take the objective after an epoch; sets the learning rate of the next one."""
        self.epoch += 1
        improved = objective > self.best + self.config.tolerance
        self.best = objective if improved else self.best
        self.bad = 0 if improved else self.bad + 1
        match self.config.schedule:
            case "cosine":
                self._follow_cosine()
                return Verdict(improved, restore=self.finished)
            case "upstream":
                self._step_plateau(objective)
        round_over = self.bad >= self.config.patience
        if round_over:
            self._next_round()
        return Verdict(improved, restore=round_over or self.finished)

    def _follow_cosine(self) -> None:
        high, low = self.config.learning_rate, self.config.min_learning_rate
        done = self.epoch / self.config.max_epochs
        self.learning_rate = low + (high - low) * (1 + cos(pi * done)) / 2

    def _next_round(self) -> None:
        self.round += 1
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
