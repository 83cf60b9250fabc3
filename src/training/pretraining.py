"""Training any network on images alone, to name or to draw them; a killed run goes on, bit by bit.

As in `src/training/trainer.py` nothing random is stored: streams are named by seed, use and epoch.
The weights after the last epoch are kept, so that nothing is chosen on the validation images.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from src import locks, manifest
from src.config import PretrainingConfig, as_plain
from src.models.activations import evaluating
from src.seeds import numpy_stream
from src.training import checkpoint
from src.training.checkpoint import current_content
from src.training.device import keep_memory, pick_device, threads
from src.training.progress import reporting
from src.training.provenance import initial_weights, versions
from src.training.tasks import Pictures, Prepare, Task, task_of

COLUMNS = ("epoch", "learning_rate", "loss", "training", "validation")
SOURCES = ("seeds", "models", "training")


def pretrain(
    network: nn.Module,
    pictures: Pictures,
    held_out: Pictures,
    config: PretrainingConfig,
    seed: int,
    folder: Path,
    prepare: Prepare,
    device: str = "auto",
    progress: bool = True,
) -> pd.DataFrame:
    """Train `network` on images as `config` says; returns its history, a row an epoch.

    Leaves the last weights in `network`, in evaluation mode, and in `weights.pt` with everything
    they depend on, the score on the `held_out` images and chance; the history in `history.csv`.
    A finished run with the same recorded inputs is kept, a killed one continued; other inputs train
    it anew. The network must draw no random numbers (dropout). DataError for unfit arrays.
    """
    parts = {"training": pictures, "validation": held_out}
    for name, part in parts.items():
        part.require_images(name)
    weights, resume = Path(folder) / "weights.pt", Path(folder) / "resume.pt"
    inputs = _recorded_inputs(network, parts, config, seed, prepare)
    network.to(pick_device(device))
    with locks.alone(weights.parent):
        if content := current_content(weights, inputs):
            manifest.note_output(weights)
        else:
            keep_memory()
            with threads(config.threads):
                run = Run(network, pictures, held_out, config, seed, prepare)
                content = run.to_the_end(resume, inputs, progress)
            checkpoint.write(weights, content)
        history = pd.DataFrame(content["history"], columns=COLUMNS)
        manifest.save_table(history, weights.with_name("history.csv"))
        resume.unlink(missing_ok=True)
    network.load_state_dict(content["state"])
    network.eval()
    if progress:
        print(f"{weights.parent.name}: {content['verdict']}")
    return pd.read_csv(weights.with_name("history.csv"))


def _recorded_inputs(
    network: nn.Module,
    parts: Mapping[str, Pictures],
    config: PretrainingConfig,
    seed: int,
    prepare: Prepare,
) -> dict[str, Any]:
    """Everything the weights depend on; they are reused only when all of it is equal."""
    first = prepare(parts["training"].images[:1]).double()
    return {
        "network": manifest.fingerprint(repr(network)),
        "initial": initial_weights(network),
        "training": {"kind": type(config).__name__, **as_plain(config)},
        "seed": seed,
        "prepared": [*first.shape, f"{first.mean():.3e}", f"{first.std():.3e}"],
        "source": manifest.source_sha256(*SOURCES),
        "pictures": {name: part.fingerprint for name, part in parts.items()},
    }


def learning_rate(step: int, steps: int, config: PretrainingConfig) -> float:
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


def share_right(
    network: nn.Module, pictures: Pictures, task: Task, prepare: Prepare, batch_size: int = 64
) -> float:
    """The share of what there is to get right in images as they are: (n, c, h, w) -> scalar."""
    device, missed = next(network.parameters()).device, torch.zeros(2, dtype=torch.float64)
    with evaluating(network), torch.no_grad():
        for start in range(0, len(pictures.images), batch_size):
            some = slice(start, start + batch_size)
            inputs = prepare(pictures.images[some]).to(device)
            missed += task.missed(network(inputs), pictures.target(some, inputs)).cpu()
    return 1 - float(missed[0] / missed[1])


class Run:
    """One training run in memory: network, optimizer and history."""

    def __init__(
        self,
        network: nn.Module,
        pictures: Pictures,
        held_out: Pictures,
        config: PretrainingConfig,
        seed: int,
        prepare: Prepare,
    ) -> None:
        self.network, self.pictures, self.held_out = network, pictures, held_out
        self.config, self.seed, self.prepare = config, seed, prepare
        self.device = next(network.parameters()).device
        self.task = task_of(config, network, pictures, held_out, prepare)
        self.steps = -(-len(pictures.images) // config.batch_size)  # an epoch
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
        """A step a batch, in random order; last learning rate, mean loss and share right of it."""
        self.network.train()
        order = numpy_stream(self.seed, "shuffle", epoch).permutation(len(self.pictures.images))
        random = numpy_stream(self.seed, "augment", epoch)
        sums = torch.zeros(3, dtype=torch.float64)
        for i, index in enumerate(np.array_split(order, self.steps)):
            rate = learning_rate((epoch - 1) * self.steps + i, self.steps, self.config)
            self.optimizer.param_groups[0]["lr"] = rate
            sums += self.step(index, random)
        loss, missed, there = sums.tolist()
        return {"learning_rate": rate, "loss": loss / len(order), "training": 1 - missed / there}

    def step(self, index: np.ndarray, random: np.random.Generator) -> Tensor:
        """One step on the images `index`: -> (3,) loss, what is missed, what there is, summed."""
        config = self.config
        images = augmented(self.pictures.images[index], config.jitter, config.flip, random)
        inputs = self.prepare(images).to(self.device)
        target = self.pictures.target(index, inputs)
        outputs = self.network(inputs)
        loss = self.task.loss(outputs, target)
        if not loss.isfinite():
            raise FloatingPointError(
                f"the loss is not finite: lower the learning rate from {config.learning_rate:g}, "
                "or look for NaN in what `prepare` returns"
            )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        missed = self.task.missed(outputs.detach(), target)
        return torch.cat([loss.detach()[None] * len(index), missed]).cpu()

    def validate(self) -> float:
        """The share right of the validation images as they are."""
        size = self.config.batch_size
        return share_right(self.network, self.held_out, self.task, self.prepare, size)

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
            "chance": dict(self.task.chance),
            "verdict": self.task.verdict(self.history[-1]["validation"]),
            "history": self.history,
            "device": self.device.type,
            "versions": versions(),
        }
