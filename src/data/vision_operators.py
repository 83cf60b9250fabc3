"""torchvision beside a PyTorch it was not compiled for: call `ensure` before importing it.

Package registries pair a CPU build of PyTorch with a torchvision linked against CUDA, which then
does not import at all. What is missing are two compiled operators; one has a plain equivalent.
"""

from __future__ import annotations

import importlib.util
import warnings
from functools import cache
from pathlib import Path

import torch

_DEFINED: list[torch.library.Library] = []  # definitions live as long as their library does


@cache
def ensure() -> bool:
    """Make `import torchvision` work; whether it was repaired. Does nothing where it loads."""
    if _compiled_operators_load():
        return False
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", nms, "CPU")
    _DEFINED.append(library)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that its image readers do not load either
        import torchvision
    for module in (torchvision.extension, torchvision.ops.boxes):
        module._assert_has_ops = _nothing
    return True


def _compiled_operators_load() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None:
        raise ImportError("torchvision is not installed: pip install -e '.[all]'")
    (folder,) = spec.submodule_search_locations
    compiled = [p for p in Path(folder).glob("_C*") if p.suffix in (".so", ".pyd", ".dylib")]
    try:
        for path in compiled:
            torch.ops.load_library(path)
    except OSError:
        return False
    return bool(compiled)


def _nothing() -> None:
    """Stands for torchvision's check that its operators were compiled."""


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Non-maximum suppression: (k, 4) corners, (k,) -> indices kept, the best score first.

    A box goes if it overlaps a better one that stays by more than the threshold.
    """
    order, kept = scores.argsort(descending=True, stable=True), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        order = order[overlap(boxes[best], boxes[order]) <= iou_threshold]
    return torch.stack(kept) if kept else order


def overlap(box: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    """Intersection over union: corners (4,), (k, 4) -> (k,)."""
    low, high = torch.maximum(box[:2], others[:, :2]), torch.minimum(box[2:], others[:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    areas = [(b[..., 2:] - b[..., :2]).prod(-1) for b in (box, others)]
    return shared / (areas[0] + areas[1] - shared)
