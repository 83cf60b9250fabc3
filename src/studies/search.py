"""What a search for a better recipe may try: ranges and choices for fields of a plan."""

from __future__ import annotations

from dataclasses import dataclass
from types import UnionType
from typing import Any, get_args, get_type_hints

FIXED = ("threads", "max_epochs")  # of a recipe: a machine's, and the search's own
PARTS = ("core", "readout")  # of a model


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included; `log`: each factor of ten is as likely."""

    field: str  # of the recipe, or "core.…" and "readout.…" of the model
    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"{self.field} from {self.low} to {self.high}, log={self.log}: give low < high, "
                "above 0 for log"
            )
        if self.integer and not all(type(end) is int for end in self.tried):
            raise ValueError(
                f"{self.field} from {self.low!r} to {self.high!r} is of integers: round both"
            )

    @property
    def tried(self) -> tuple[float, float]:
        """Its ends."""
        return self.low, self.high


@dataclass(frozen=True)
class Choice:
    """One of several values of a field."""

    field: str
    values: tuple[Any, ...]

    @property
    def tried(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values


@dataclass(frozen=True)
class Search:
    """So many trials, each trained for a few epochs on the training images of an inner split.

    Trials that fall behind the median of those before are pruned, after `warmup` epochs and once
    `startup` trials are complete; so many are also drawn at random, before draws heed the scores.
    """

    space: tuple[Range | Choice, ...]
    trials: int
    epochs: int  # of a trial; its schedule is fitted into them
    warmup: int = 1
    startup: int = 5

    def __post_init__(self) -> None:
        for name, least in {"trials": 1, "epochs": 1, "warmup": 0, "startup": 1}.items():
            if type(value := getattr(self, name)) is not int or value < least:
                raise ValueError(f"{name}={value!r} must be an integer of at least {least}")
        fields = [one.field for one in self.space]
        if not fields or len(set(fields)) < len(fields):
            raise ValueError(f"a search needs fields, each once, not {', '.join(fields) or 'none'}")

    def check(self, training: Any, model: Any) -> None:
        """ValueError unless each field is one of these configurations, its values of its type."""
        for one in self.space:
            part, _, name = one.field.rpartition(".")
            owner = getattr(model, part) if part in PARTS else training
            hints = get_type_hints(type(owner))
            if part not in ("", *PARTS) or name not in hints or one.field in FIXED:
                raise ValueError(
                    f"{one.field!r} cannot be searched: name a field of the recipe, except "
                    f"{' and '.join(FIXED)}, or core.… or readout.… of {type(owner).__name__}"
                )
            _require_type(one, hints[name])


def _require_type(one: Range | Choice, hint: Any) -> None:
    """A range of an integer must be of integers: 5.79 epochs never come (defect D3)."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    whole, named = int in kinds, " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
    if isinstance(one, Range) and (whole != one.integer or not {int, float} & {*kinds}):
        raise ValueError(f"{one.field} is {named}: a range of it takes integer={whole}")
    if whole and not all(type(v) is int or (v is None and type(None) in kinds) for v in one.tried):
        raise ValueError(f"{one.field} is {named}, not one of {one.tried}: give integers")
