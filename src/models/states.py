"""How the tensors of two state dicts differ."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor


def state_differences(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> list[str]:
    """What `theirs` lacks of `ours`, has besides, or has in another shape; a phrase each."""
    found = [f"missing {name}" for name in ours if name not in theirs]
    found += [f"unexpected {name}" for name in theirs if name not in ours]
    shapes = {n: (tuple(theirs[n].shape), tuple(ours[n].shape)) for n in ours if n in theirs}
    return found + [f"{n} is {a}, expected {b}" for n, (a, b) in shapes.items() if a != b]
