"""Training any network to name the objects in images; a killed run continues to the same bits.

As in `src/training/trainer.py` nothing random is stored: streams are named by seed, use and epoch.
The weights after the last epoch are kept, so that nothing is chosen on the validation images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from src import manifest
from src.config import ClassifierConfig, as_plain
from src.data.errors import DataError
from src.models.activations import evaluating
from src.seeds import numpy_stream
from src.training import checkpoint
from src.training.device import keep_memory, pick_device, threads
from src.training.progress import reporting
from src.training.provenance import initial_weights, versions
from src.training.trainer import current_content

COLUMNS = ("epoch", "learning_rate", "loss", "accuracy", "validation")
SOURCES = ("seeds", "models", "training")

Prepare = Callable[[np.ndarray], Tensor]  # (n, c, h, w) uint8 -> what the network takes


@dataclass(frozen=True)
class Pictures:
    """n images and what each of them shows."""

    images: np.ndarray  # (n, c, h, w) uint8, memory-mapped or not
    labels: np.ndarray  # (n,) integers from 0, places of names in their sorted order

    @property
    def fingerprint(self) -> str:
        """sha256 of shape and values."""
        digest = hashlib.sha256(repr(self.images.shape).encode())
        for start in range(0, len(self.images), 1024):
            digest.update(np.ascontiguousarray(self.images[start : start + 1024]))
        digest.update(self.labels.astype("<i8").tobytes())
        return digest.hexdigest()

    def require(self, part: str) -> None:
        """DataError unless these are uint8 images with an integer label each."""
        images, labels = self.images, self.labels
        shapes = f"{part} images are {images.dtype} {images.shape}, labels {labels.dtype} "
        shapes += f"{labels.shape}"
        if images.dtype != np.uint8 or images.ndim != 4 or not len(images):
            raise DataError(f"{shapes}: give uint8 images (n, c, h, w), which are normalised later")
        if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
            raise DataError(f"{shapes}: give each image one integer, the place of its name")

    def require_classes(self, part: str, classes: int) -> None:
        """DataError unless the network has an output for every label."""
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= classes:
            raise DataError(
                f"{part} labels {self.labels.shape} of images {self.images.shape} go from {low} to "
                f"{high} but the network has {classes} outputs: number the classes from 0, or "
                "build it for more"
            )


def train_classifier(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    validation_images: np.ndarray,
    validation_labels: np.ndarray,
    config: ClassifierConfig,
    seed: int,
    folder: Path,
    prepare: Prepare,
    device: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Train `network` on images (n, c, h, w) with labels (n,); returns its history, a row an epoch.

    Leaves the last weights in `network`, in evaluation mode, and in `weights.pt` with everything
    they depend on, the accuracy on the validation images and chance; the history in `history.csv`.
    A finished run with the same recorded inputs is kept, a killed one continued; other inputs train
    it anew. The network must draw no random numbers (dropout). DataError for unfit arrays.
    """
    parts = {
        "training": Pictures(images, np.asarray(labels)),
        "validation": Pictures(validation_images, np.asarray(validation_labels)),
    }
    for name, part in parts.items():
        part.require(name)
    weights, resume = Path(folder) / "weights.pt", Path(folder) / "resume.pt"
    inputs = _recorded_inputs(network, parts, config, seed, prepare)
    network.to(pick_device(device))
    if content := current_content(weights, inputs):
        manifest.note_output(weights)
    else:
        keep_memory()
        with threads(config.threads):
            run = Run(network, parts["training"], parts["validation"], config, seed, prepare)
            content = run.to_the_end(resume, inputs, progress)
        checkpoint.write(weights, content)
    history = pd.DataFrame(content["history"], columns=COLUMNS)
    manifest.save_table(history, weights.with_name("history.csv"))
    resume.unlink(missing_ok=True)
    network.load_state_dict(content["state"])
    network.eval()
    if progress:
        print(f"{weights.parent.name}: {_verdict(content)}")
    return pd.read_csv(weights.with_name("history.csv"))


def _verdict(content: Mapping[str, Any]) -> str:
    chance = content["chance"]
    return (
        f"{content['validation']:.1%} of validation images named; by chance "
        f"{chance['uniform']:.1%}, always the most frequent class {chance['most_frequent']:.1%}"
    )


def _recorded_inputs(
    network: nn.Module,
    parts: Mapping[str, Pictures],
    config: ClassifierConfig,
    seed: int,
    prepare: Prepare,
) -> dict[str, Any]:
    """Everything the weights depend on; they are reused only when all of it is equal."""
    first = prepare(parts["training"].images[:1]).double()
    return {
        "network": manifest.fingerprint(repr(network)),
        "initial": initial_weights(network),
        "training": as_plain(config),
        "seed": seed,
        "prepared": [*first.shape, f"{first.mean():.3e}", f"{first.std():.3e}"],
        "source": manifest.source_sha256(*SOURCES),
        "pictures": {name: part.fingerprint for name, part in parts.items()},
    }


def chance_levels(labels: np.ndarray, held_out: np.ndarray, classes: int) -> dict[str, float]:
    """Accuracy without looking, (n,), (m,) -> a guess, and always the class most frequent in n."""
    most_frequent = np.bincount(labels, minlength=classes).argmax()
    return {"uniform": 1 / classes, "most_frequent": float((held_out == most_frequent).mean())}


def learning_rate(step: int, steps: int, config: ClassifierConfig) -> float:
    """The rate of a step, counted from 0 over all epochs of `steps` each.

    Linear up to the full rate at the last step of the warm-up, then half a cosine towards 0, as in
    Loshchilov & Hutter 2017, eq. 5.
    """
    warm, total = config.warmup_epochs * steps, config.epochs * steps
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    return config.learning_rate * (1 + cos(pi * (step - warm) / (total - warm))) / 2


def augmented(
    images: np.ndarray, jitter: int, flip: bool, random: np.random.Generator
) -> np.ndarray:
    """Each image moved by up to `jitter` pixels and maybe mirrored: (n, c, h, w) -> the same.

    Pixels of the border fill what the move leaves open.
    """
    n, c, h, w = images.shape
    down, right = random.integers(-jitter, jitter + 1, (2, n, 1))
    mirrored = random.integers(0, 1 + flip, (n, 1)).astype(bool)
    rows = (np.arange(h) - down).clip(0, h - 1)
    columns = (np.arange(w) - right).clip(0, w - 1)
    columns = np.where(mirrored, columns[:, ::-1], columns)
    n_at, c_at = np.ogrid[:n, :c]
    return images[
        n_at[..., None, None], c_at[..., None, None], rows[:, None, :, None], columns[:, None, None]
    ]


def accuracy(
    network: nn.Module,
    images: np.ndarray,
    labels: np.ndarray,
    prepare: Prepare,
    batch_size: int = 64,
) -> float:
    """Share of images whose largest output is that of their label: (n, c, h, w), (n,) -> scalar."""
    device, right = next(network.parameters()).device, 0
    with evaluating(network), torch.no_grad():
        for start in range(0, len(images), batch_size):
            some = slice(start, start + batch_size)
            named = network(prepare(images[some]).to(device)).argmax(1)
            right += int((named.cpu().numpy() == labels[some]).sum())
    return right / len(images)


class Run:
    """One training run in memory: network, optimizer and history."""

    def __init__(
        self,
        network: nn.Module,
        pictures: Pictures,
        held_out: Pictures,
        config: ClassifierConfig,
        seed: int,
        prepare: Prepare,
    ) -> None:
        self.network, self.pictures, self.held_out = network, pictures, held_out
        self.config, self.seed, self.prepare = config, seed, prepare
        self.device = next(network.parameters()).device
        with evaluating(network), torch.no_grad():
            self.classes = network(prepare(pictures.images[:1]).to(self.device)).shape[1]
        pictures.require_classes("training", self.classes)
        held_out.require_classes("validation", self.classes)
        self.steps = -(-len(pictures.labels) // config.batch_size)  # an epoch
        self.optimizer = torch.optim.AdamW(
            network.parameters(), config.learning_rate, weight_decay=config.weight_decay
        )
        self.history: list[dict[str, Any]] = []

    def to_the_end(self, resume: Path, inputs: dict[str, Any], progress: bool) -> dict[str, Any]:
        """Train, from where `resume` left off if it is current; returns the final checkpoint."""
        if content := current_content(resume, inputs):
            self.load_state(content)
        done, epochs = len(self.history), self.config.epochs
        with reporting(epochs, done, resume.parent.name, progress) as report:
            for epoch in range(done + 1, epochs + 1):
                row = {"epoch": epoch, **self.train_epoch(epoch), "validation": self.validate()}
                self.history.append(row)
                checkpoint.write(resume, {"inputs": inputs, **self.state()}, note=False)
                best = max(row["validation"] for row in self.history)
                report(epoch == epochs, row | {"best": best})
        return {"inputs": inputs, **self.result()}

    def train_epoch(self, epoch: int) -> dict[str, float]:
        """A step a batch, in random order; last learning rate, mean loss and accuracy of it."""
        self.network.train()
        order = numpy_stream(self.seed, "shuffle", epoch).permutation(len(self.pictures.labels))
        random = numpy_stream(self.seed, "augment", epoch)
        sums = torch.zeros(2, dtype=torch.float64)
        for i, index in enumerate(np.array_split(order, self.steps)):
            rate = learning_rate((epoch - 1) * self.steps + i, self.steps, self.config)
            self.optimizer.param_groups[0]["lr"] = rate
            sums += len(index) * self.step(index, random)
        loss, named = (sums / len(order)).tolist()
        return {"learning_rate": rate, "loss": loss, "accuracy": named}

    def step(self, index: np.ndarray, random: np.random.Generator) -> Tensor:
        """One step on the images `index`: -> (2,) mean loss, accuracy."""
        config = self.config
        images = augmented(self.pictures.images[index], config.jitter, config.flip, random)
        target = torch.from_numpy(self.pictures.labels[index].astype(np.int64)).to(self.device)
        outputs = self.network(self.prepare(images).to(self.device))
        loss = F.cross_entropy(outputs, target, label_smoothing=config.label_smoothing)
        if not loss.isfinite():
            raise FloatingPointError(
                f"the loss is not finite: lower the learning rate from {config.learning_rate:g}, "
                "or look for NaN in what `prepare` returns"
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        named = (outputs.argmax(1) == target).float().mean()
        return torch.stack([loss.detach(), named]).cpu()

    def validate(self) -> float:
        """Accuracy on the validation images as they are."""
        held_out, size = self.held_out, self.config.batch_size
        return accuracy(self.network, held_out.images, held_out.labels, self.prepare, size)

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "weights": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.network.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history = state["history"]

    def result(self) -> dict[str, Any]:
        """What `weights.pt` holds besides the recorded inputs."""
        return {
            "state": self.network.state_dict(),
            "validation": self.history[-1]["validation"],
            "chance": chance_levels(self.pictures.labels, self.held_out.labels, self.classes),
            "history": self.history,
            "device": self.device.type,
            "versions": versions(),
        }
