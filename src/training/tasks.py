"""What a network learns from images alone: to name their objects, or to draw them again."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src.config import ClassifierConfig, PretrainingConfig
from src.data.errors import DataError
from src.models.activations import evaluating

BATCH = 64

Prepare = Callable[[np.ndarray], Tensor]  # (n, c, h, w) uint8 -> what the network takes


@dataclass(frozen=True)
class Pictures:
    """n images and, for a network that is to name it, what each of them shows."""

    images: np.ndarray  # (n, c, h, w) uint8, memory-mapped or not
    labels: np.ndarray | None = None  # (n,) integers from 0, places of names in their sorted order

    @property
    def fingerprint(self) -> str:
        """sha256 of shape and values."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        for start in range(0, len(self.images), 1024):
            digest.update(np.ascontiguousarray(self.images[start : start + 1024]))
        if self.labels is not None:
            digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def target(self, index: np.ndarray | slice, inputs: Tensor) -> Tensor:
        """What a network shall make of `inputs`, the prepared images `index`: (m, ...)."""
        if self.labels is None:
            return inputs
        return torch.from_numpy(self.labels[index].astype(np.int64)).to(inputs.device)

    def require_images(self, part: str) -> None:
        """DataError unless these are uint8 images."""
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or not len(self.images):
            raise DataError(
                f"{self._shapes(part)}: give uint8 images (n, c, h, w), which are normalized later"
            )

    def require_labels(self, part: str, classes: int) -> None:
        """DataError unless each has an integer label and the network an output for it."""
        shapes, labels = self._shapes(part), self.labels
        fit = labels is not None and labels.shape == self.images.shape[:1]
        if not fit or labels.dtype.kind not in "iu":
            raise DataError(f"{shapes}: give each image one integer, the place of its name")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= classes:
            raise DataError(
                f"{shapes} from {low} to {high}, but the network has {classes} outputs: number the "
                "classes from 0, or build it for more"
            )

    def _shapes(self, part: str) -> str:
        labels = "none" if self.labels is None else f"{self.labels.dtype} {self.labels.shape}"
        return f"{part} images are {self.images.dtype} {self.images.shape}, labels {labels}"


class Task(ABC):
    """A loss to lower and, of what there is to get right, the share that is."""

    chance: Mapping[str, float]  # shares that need no look at the image, by how they are had

    @abstractmethod
    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Mean over images: (n, ...), (n, ...) -> scalar."""

    @abstractmethod
    def missed(self, outputs: Tensor, target: Tensor) -> Tensor:
        """What is not right, and what there is, summed over images: -> (2,)."""

    @abstractmethod
    def verdict(self, share: float) -> str:
        """A share of the validation images in words, with chance."""


class Naming(Task):
    """Cross-entropy with smoothed labels (n,); the share of images named right."""

    def __init__(
        self, pictures: Pictures, held_out: Pictures, classes: int, smoothing: float
    ) -> None:
        pictures.require_labels("training", classes)
        held_out.require_labels("validation", classes)
        self.smoothing = smoothing
        self.chance = chance_levels(pictures.labels, held_out.labels, classes)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(outputs, target, label_smoothing=self.smoothing)

    def missed(self, outputs: Tensor, target: Tensor) -> Tensor:
        wrong = (outputs.argmax(1) != target).sum()
        return torch.stack([wrong, torch.full_like(wrong, len(target))])

    def verdict(self, share: float) -> str:
        guess, most = self.chance["uniform"], self.chance["most_frequent"]
        return (
            f"{share:.1%} of validation images named; by chance {guess:.1%}, always the most "
            f"frequent class {most:.1%}"
        )


def chance_levels(labels: np.ndarray, held_out: np.ndarray, classes: int) -> dict[str, float]:
    """Accuracy without looking, (n,), (m,) -> a guess, and always the class most frequent in n."""
    most_frequent = np.bincount(labels, minlength=classes).argmax()
    return {"uniform": 1 / classes, "most_frequent": float((held_out == most_frequent).mean())}


class Drawing(Task):
    """Mean squared error of prepared images; the share of their variance that is explained.

    Variance is about the mean training image, which therefore has a share of 0.
    """

    chance = MappingProxyType({"mean_image": 0.0})

    def __init__(self, pictures: Pictures, prepare: Prepare, device: torch.device) -> None:
        total, n = 0, len(pictures.images)
        for start in range(0, n, BATCH):
            total = total + prepare(pictures.images[start : start + BATCH]).double().sum(0)
        self.mean = (total / n).float().to(device)  # (c, h, w)

    def loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(outputs, target)

    def missed(self, outputs: Tensor, target: Tensor) -> Tensor:
        return torch.stack([(target - x).square().sum() for x in (outputs, self.mean)])

    def verdict(self, share: float) -> str:
        return f"{share:.1%} of the variance of validation images drawn; by the mean image none"


def task_of(
    config: PretrainingConfig,
    network: nn.Module,
    pictures: Pictures,
    held_out: Pictures,
    prepare: Prepare,
) -> Task:
    """The task of a configuration; DataError where images or network do not suit it."""
    device, first = next(network.parameters()).device, prepare(pictures.images[:1])
    with evaluating(network), torch.no_grad():
        found = tuple(network(first.to(device)).shape[1:])
    if isinstance(config, ClassifierConfig):
        return Naming(pictures, held_out, found[0], config.label_smoothing)
    if (labels := pictures.labels) is not None:
        raise DataError(f"labels are {labels.shape}, but images are to be drawn: give none")
    if found != (wanted := tuple(first.shape[1:])):
        raise DataError(f"the network draws {found}, images are {wanted}: give an auto-encoder")
    return Drawing(pictures, prepare, device)
