"""Streaming covariance of responses with white noise: three sums, whatever the number of images.

The published estimate holds 2,000,000 images of 144x256 pixels (295 GB) and adds up a * x. Here
noise is made batch by batch from (seed, number of the batch), and only the sums of a * x (u, p) in
float32, of a and of x in float64 are kept. A killed run continues to the same bytes; ranges of
batches can be summed apart, on other machines or as the halves of a split, and added. Halves that
are summed one after the other, each into its file, need the memory of one.
Source: specification 9.5 and 12.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from src.correlation import pearson
from src.data.stored import read_tensors
from src.evaluation.metrics import divide
from src.manifest import fingerprint, note_output, replacing
from src.seeds import numpy_stream

MIDDLE, SPREAD = 0.5, 12**-0.5  # mean and standard deviation of U[0, 1]


@dataclass(frozen=True)
class Noise:
    """White noise U[0, 1] in numbered batches, each made anew from the seed and its number."""

    shape: tuple[int, int, int]  # (c, h, w)
    seed: int
    batch_size: int = 64

    def batch(self, number: int) -> Tensor:
        """The batch of this number: -> (n, c, h, w) float32."""
        random = numpy_stream(self.seed, "noise", number)
        return torch.from_numpy(random.random((self.batch_size, *self.shape), np.float32))


@dataclass
class Sums:
    """Sums over noise images x, less their expectation 1/2, and over the responses a to them."""

    images: int
    a: Tensor  # (u,) float64
    x: Tensor  # (p,) float64
    ax: Tensor  # (u, p) float32
    xx: Tensor | None = None  # (p, p) float32, for the regression

    @classmethod
    def zero(cls, n_units: int, pixels: int, regression: bool = False) -> Sums:
        """Sums over no image."""
        a, x = (torch.zeros(n, dtype=torch.float64) for n in (n_units, pixels))
        xx = torch.zeros(pixels, pixels) if regression else None
        return cls(0, a, x, torch.zeros(n_units, pixels), xx)

    @property
    def nbytes(self) -> int:
        """Memory in bytes, 4 u p + 8 (u + p), and 4 p p for the regression."""
        return sum(t.nbytes for t in (self.a, self.x, self.ax, self.xx) if t is not None)

    def to(self, device: torch.device | str) -> Sums:
        """The same sums, with the large ones on `device`."""
        xx = None if self.xx is None else self.xx.to(device)
        return replace(self, ax=self.ax.to(device), xx=xx)

    def add(self, a: Tensor, x: Tensor) -> None:
        """Add responses (n, u) to noise (n, p), in place: no second (u, p) is made."""
        if not torch.isfinite(a).all():
            raise ValueError(f"responses {tuple(a.shape)} to noise hold NaN or infinity")
        x = x - MIDDLE
        self.images += len(x)
        self.a += a.cpu().sum(0, dtype=torch.float64)
        self.x += x.sum(0, dtype=torch.float64)
        x = x.to(self.ax.device)
        self.ax.addmm_(a.T, x)
        if self.xx is not None:
            self.xx.addmm_(x.T, x)

    def __add__(self, other: Sums) -> Sums:
        """The sums over the images of both."""
        xx = None if self.xx is None else self.xx + other.xx
        return Sums(*(getattr(self, n) + getattr(other, n) for n in ("images", "a", "x", "ax")), xx)

    def fields(
        self,
        units: slice = slice(None),
        estimate: Literal["sum", "covariance", "regression"] = "covariance",
    ) -> np.ndarray:
        """Fields of some units, in units of response times noise: -> (k, p) float64.

        covariance: (sum a x - sum a sum x / n) / n. sum: the published sum of a x, in which the
        mean response drowns the covariance. regression: least squares of a on x, times the variance
        of x; what it expects is the covariance, and other pixels add no noise to a pixel.
        """
        n, ax = self.images, self.ax[units].cpu().double().numpy()
        a, x = self.a[units, None].numpy(), self.x.numpy()
        match estimate:
            case "sum":
                return (ax + MIDDLE * a) / n
            case "covariance":
                return (ax - a * x / n) / n
            case "regression":
                return SPREAD**2 * np.linalg.solve(self._scatter(), (ax - a * x / n).T).T

    def _scatter(self) -> np.ndarray:
        """Sum of (x - mean)(x - mean)^T: (p, p)."""
        if self.xx is None or self.images <= len(self.x):
            raise ValueError(
                f"regression on {len(self.x)} pixels needs their products (regression=True) and "
                f"more images than pixels, not {self.images}: use estimate='covariance'"
            )
        return (self.xx.cpu().double() - torch.outer(self.x, self.x) / self.images).numpy()


def accumulate(
    respond: Callable[[Tensor], Tensor],
    noise: Noise,
    batches: range,
    path: Path | None = None,
    made_by: Any = None,
    regression: bool = False,
    every: int = 500,
) -> Sums:
    """Sums over a range of batches, kept in `path` every so many batches and resumed from there.

    respond: (n, c, h, w) -> (n, u). made_by: a plain value that tells what responds, such as the
    weights' sha256; what `path` holds of other noise, batches or networks is not used.
    """
    if not batches:
        raise ValueError(
            f"{batches} has no batch of {noise.batch_size} images: ask for more images"
        )
    which = [batches.start, batches.stop, batches.step]
    identity = fingerprint([vars(noise), which, regression, made_by])
    begun, sums = _resume(path, identity)
    for done, number in enumerate(batches[begun:], begun + 1):
        x = noise.batch(number)
        with torch.no_grad():
            a = respond(x)
        sums = (sums or Sums.zero(a.shape[1], x[0].numel(), regression)).to(a.device)
        sums.add(a, x.flatten(1))
        if path and (done % every == 0 or done == len(batches)):
            _keep(path, {"identity": identity, "done": done}, sums, last=done == len(batches))
    return sums


def _keep(path: Path, record: dict[str, Any], sums: Sums, last: bool) -> None:
    """Write the sums so far; only the last are an artifact."""
    content = record | vars(sums.to("cpu"))
    with replacing(path, note=last) as temporary, open(temporary, "wb") as stream:
        torch.save(content, stream)


def _resume(path: Path | None, identity: str) -> tuple[int, Sums | None]:
    """How many batches `path` holds, and their sums."""
    if path is None or not path.exists():
        return 0, None
    content = read_tensors(path, "delete it")
    if content.pop("identity") != identity:
        return 0, None
    note_output(path)
    return content.pop("done"), Sums(**content)


def load_sums(path: Path) -> Sums:
    """Finished sums, mapped from their file: they are read as they are used."""
    content = read_tensors(path, "delete it", mmap=True)
    return Sums(**{name: content[name] for name in Sums.__dataclass_fields__})


def split_half(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Agreement over pixels of fields from two halves of the noise: (u, p), (u, p) -> (u,), (u,).

    The signal-to-noise ratio of their mean, in power, below 0 where they agree less than by chance,
    and their correlation.
    """
    f, g = (field - field.mean(1, keepdims=True) for field in (first, second))
    shared, noise = (f * g).mean(1), ((f - g) ** 2).mean(1) / 4
    return divide(shared, noise), pearson(f.T, g.T)
