"""Training a network to name the images of folders, as the CORnets were trained on ImageNet.

SGD with momentum; the rate is a tenth after every `step_size` epochs (spec 6, Kubilius et al.
2018). Nothing random is stored: the order of an epoch and the crop of an image are drawn from
streams named by seed, epoch and image. So a killed run goes on at the step of its last
checkpoint, bit by bit, whatever the number of processes that load images.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from src import manifest
from src.config import RecognitionConfig, RecognizerConfig, as_plain
from src.data.folders import PictureFolder
from src.models.activations import evaluating, normalized
from src.models.networks import Network
from src.models.normalization import sharing_norms
from src.models.pretrained import random_network
from src.models.registry import cornet_record
from src.seeds import numpy_stream
from src.training import checkpoint
from src.training.checkpoint import current_content
from src.training.device import keep_memory, pick_device, require_devices, threads
from src.training.launch import in_processes
from src.training.parallel import Group, process_group, sole
from src.training.progress import reporting
from src.training.provenance import initial_weights, versions
from src.training.shown import Loader, Shown
from src.training.step_log import StepLog

SUMS = ("loss", "top1", "top5")
HISTORY = ("epoch", "learning_rate", *SUMS, "validation_loss", "validation", "validation_top5")
SOURCES = ("seeds", "data/folders", "data/pictures", "models", "training")


@dataclass(frozen=True)
class Saving:
    """How often, in epochs, a run writes down where it is; its weights do not depend on it."""

    train: float = 0.1  # a line of the log, of the steps since the last one
    validation: float = 0.5  # at the end too
    model: float = 5.0  # weights under the epoch's own name
    seconds: float = 600.0  # between checkpoints to go on from; one at each epoch's end besides


SAVING = Saving()


def recognizer(config: RecognizerConfig, classes: int, seed: int) -> Network:
    """The untrained network of a configuration: (n, 3, h, w) -> (n, classes)."""
    times = {"times": config.times} if config.times else {}
    record = cornet_record(config.network.removeprefix("cornet_"), classes=classes, **times)
    network = random_network(record, seed)
    return replace(network, record=replace(record, input_size=config.size))


def train_recognizer(
    network: Network,
    folders: tuple[PictureFolder, PictureFolder],
    config: RecognitionConfig,
    seed: int,
    folder: Path,
    *,
    saving: Saving = SAVING,
    device: str = "auto",
    workers: int = 0,
    restore: Path | None = None,
    progress: bool = True,
    processes: int = 1,
) -> pd.DataFrame:
    """Train `network` on the first of `folders`; returns its history, a row a validation.

    Leaves the last weights in `network`, in evaluation mode, and in `weights.pt` with all they
    depend on; `history.csv`, and `log.csv`, which grows a line at a time. A finished run of the
    same recorded inputs is kept, a killed one goes on from `resume.pt`, or from `restore`; a second
    one in the folder waits for the first.
    `processes` share each batch, as do those of torchrun where it started this; the first writes.
    """
    folder = Path(folder)
    require_devices(device, processes)
    inputs = _recorded_inputs(network, folders, config, seed)
    with sole(folder):
        if processes > 1 and current_content(folder / "weights.pt", inputs) is None:
            how = {"saving": saving, "device": device, "workers": workers, "restore": restore}
            call = partial(train_recognizer, **how, progress=progress)
            in_processes(processes, call, network, folders, config, seed, folder)
        with process_group(device) as group, threads(config.threads):
            network.module.to(group.device)
            content = current_content(folder / "weights.pt", inputs)
            if content is None:
                keep_memory()
                run = Run(network, folders, config, seed, group, workers)
                content = run.to_the_end(folder, inputs, saving, restore, progress and group.first)
                if group.first:
                    checkpoint.write(folder / "weights.pt", content)
            else:
                manifest.note_output(folder / "weights.pt")
            group.wait()
            if group.first:
                (folder / "resume.pt").unlink(missing_ok=True)
                history = pd.DataFrame(content["history"], columns=HISTORY)
                manifest.save_table(history, folder / "history.csv")
            group.wait()
    network.module.load_state_dict(content["state"])
    network.module.eval()
    return pd.read_csv(folder / "history.csv")


def learning_rate(step: int, steps: int, config: RecognitionConfig) -> float:
    """The rate of a step, counted from 0 over all epochs of `steps` each.

    As published, of the epoch at the step's end: it falls one step before an epoch does.
    """
    return config.learning_rate * 0.1 ** ((step + 1) // (config.step_size * steps))


def hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Images whose class is the first guess, and among the first five: (n, k), (n,) -> (2,)."""
    ranked = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
    return torch.stack([ranked[:, 0].sum(), ranked.sum()])


def named(network: Network, folder: PictureFolder, device: str, batch: int = 64) -> np.ndarray:
    """Probability of each class of every image of a folder, shown as in validation: -> (n, k)."""
    chosen, found = pick_device(device), []
    module, shown = network.module.to(chosen), Shown(folder, network.record.input_size, 0)
    rows = np.arange(len(folder))
    with evaluating(module), torch.inference_mode():
        for images, _ in Loader(shown, 0).load([rows[i : i + batch] for i in rows[::batch]]):
            x = normalized(images.to(chosen).float(), network.record)
            found.append(module(x).softmax(1).cpu().numpy())
    return np.concatenate(found)


class Run:
    """One training run in memory: network, optimizer, and where it is."""

    def __init__(
        self,
        network: Network,
        folders: tuple[PictureFolder, PictureFolder],
        config: RecognitionConfig,
        seed: int,
        group: Group,
        workers: int,
    ) -> None:
        self.network, self.config, self.seed = network, config, seed
        self.pictures, self.held_out = folders
        self.group, size = group, network.record.input_size
        self.loader, self.held_out_loader = (
            Loader(Shown(folder, size, seed), workers) for folder in folders
        )
        self.optimizer = torch.optim.SGD(
            network.module.parameters(),
            config.learning_rate,
            config.momentum,
            weight_decay=config.weight_decay,
        )
        self.steps = -(-len(self.pictures) // config.batch_size)  # an epoch
        self.done = 0  # steps
        self.sums = {kind: self.zeros() for kind in ("log", "history")}
        self.history: list[dict[str, float]] = []

    def to_the_end(
        self,
        folder: Path,
        inputs: dict[str, Any],
        saving: Saving,
        restore: Path | None,
        progress: bool,
    ) -> dict[str, Any]:
        """Train, from the checkpoint if there is a current one; returns the final one."""
        if content := current_content(restore or folder / "resume.pt", inputs):
            self.load_state(content)
        log, epochs = StepLog(folder / "log.csv", self.done, self.group.first), self.config.epochs
        done, label, saved = self.done // self.steps, self.network.record.name, perf_counter()
        norms = sharing_norms(self.network.module)
        with norms, reporting(epochs, done, label, progress) as report:
            while self.done < epochs * self.steps:
                for images, labels, total in self.batches():
                    log.tick("loading")
                    self.step(images, labels, total)
                    log.tick("computing")
                    self.note(log, saving)
                    epoch, rest = divmod(self.done, self.steps)
                    late = perf_counter() - saved > saving.seconds
                    if not rest or (self.due(saving.train) and self.group.agreed(late)):
                        self.save(folder, inputs, saving)
                        saved = perf_counter()
                    if not rest:
                        best = max(row["validation"] for row in self.history)
                        report(epoch == epochs, {**self.history[-1], "epoch": epoch, "best": best})
        return {"inputs": inputs, **self.result()}

    def zeros(self) -> Tensor:
        """Sums of loss, hits and images, where the network is: -> (4,)."""
        return torch.zeros(4, device=self.group.device)

    def batches(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        """This process's share of what is left of an epoch, and the size of the whole batch."""
        epoch, at = divmod(self.done, self.steps)
        order = numpy_stream(self.seed, "shuffle", epoch).permutation(len(self.pictures))
        whole = np.array_split(order, self.steps)[at:]
        own = [batch[self.group.rows(len(batch))] for batch in whole]
        for (images, labels), batch in zip(self.loader.load(own, epoch), whole, strict=True):
            yield images, labels, len(batch)

    def step(self, images: Tensor, labels: Tensor, total: int) -> None:
        """One step of the whole batch, of which these are this process's images."""
        module, weight = self.network.module.train(), self.group.weight(total)
        self.optimizer.param_groups[0]["lr"] = learning_rate(self.done, self.steps, self.config)
        self.optimizer.zero_grad()
        with self.group.share(total):
            logits, labels = module(self.prepared(images)), labels.to(self.group.device)
            loss = F.cross_entropy(logits, labels, reduction="sum")
            (loss * (weight / total)).backward()
        self.group.sum_gradients(module.parameters())
        self.optimizer.step()
        self.done += 1
        found = weight * _counted(loss, logits, labels)
        for sums in self.sums.values():
            sums += found

    def prepared(self, images: Tensor) -> Tensor:
        """Pixels as the network takes them: (n, 3, s, s) uint8 -> float32, on its device."""
        return normalized(images.to(self.group.device).float(), self.network.record)

    def validate(self) -> np.ndarray:
        """Mean loss, shares of first and of five guesses right, of validation images: -> (3,)."""
        own = np.arange(len(self.held_out))[self.group.rank :: self.group.world]
        size = self.config.batch_size
        batches = [own[i : i + size] for i in range(0, len(own), size)]
        found, network = self.zeros(), self.network.module
        with evaluating(network), torch.inference_mode():
            for images, labels in self.held_out_loader.load(batches):
                logits, labels = network(self.prepared(images)), labels.to(self.group.device)
                found += _counted(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)
        return _means(self.group.sum(found))

    def note(self, log: StepLog, saving: Saving) -> None:
        """Lines of the log and of the history that are due after a step."""
        rate, epoch = self.optimizer.param_groups[0]["lr"], self.done / self.steps
        place = {"step": self.done, "epoch": epoch, "learning_rate": rate}
        if self.due(saving.train):
            log.write("train", {**place, **dict(zip(SUMS, self.taken("log"), strict=True))})
        if self.due(saving.validation):
            found = self.validate()
            log.tick("computing")
            log.write("validation", {**place, **dict(zip(SUMS, found, strict=True))})
            values = (epoch, rate, *self.taken("history"), *found)
            self.history.append(dict(zip(HISTORY, map(float, values), strict=True)))

    def due(self, every: float) -> bool:
        """Whether something done every so many epochs is to be done after this step."""
        span = self.steps if every <= 1 else self.steps * self.config.epochs
        at = self.done % span
        return at == 0 or at % max(1, round(self.steps * every)) == 0

    def taken(self, kind: str) -> np.ndarray:
        """Means over images since the last time, loss and hits: -> (3,)."""
        found = _means(self.group.sum(self.sums[kind]))
        self.sums[kind] = self.zeros()
        if not np.isfinite(found).all():
            rate = self.config.learning_rate
            raise FloatingPointError(
                f"the loss is not finite before step {self.done}: lower the learning rate from "
                f"{rate:g}"
            )
        return found

    def save(self, folder: Path, inputs: dict[str, Any], saving: Saving) -> None:
        """The checkpoint to go on from, and now and then weights to keep."""
        state = self.state()
        if not self.group.first:
            return
        checkpoint.write(folder / "resume.pt", {"inputs": inputs, **state}, note=False)
        last = self.done == self.steps * self.config.epochs
        if self.done % self.steps == 0 and self.due(saving.model) and not last:
            name = f"epoch_{self.done // self.steps:02d}.pt"
            checkpoint.write(folder / name, {"inputs": inputs, **self.result()})

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs; sums are those of all processes."""
        return {
            "weights": self.network.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": self.history,
            "done": self.done,
            "sums": {kind: self.group.sum(values.clone()) for kind, values in self.sums.items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; sums so far are the first process's."""
        self.network.module.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.history, self.done = state["history"], state["done"]
        if self.group.first:
            self.sums = {kind: v.to(self.group.device) for kind, v in state["sums"].items()}

    def result(self) -> dict[str, Any]:
        """What `weights.pt` holds besides the recorded inputs."""
        return {
            "state": self.network.module.state_dict(),
            "classes": list(self.pictures.classes),
            "validation": self.history[-1]["validation"] if self.history else 0.0,
            "history": self.history,
            "versions": versions(),
        }


def _counted(loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Sums over images of loss and hits, and their number: -> (4,)."""
    found = loss.detach(), *hits(logits.detach(), labels), torch.full_like(loss, len(labels))
    return torch.stack([x.to(loss.dtype) for x in found])


def _means(sums: Tensor) -> np.ndarray:
    sums = sums.cpu().double().numpy()
    return sums[:3] / sums[3]


def _recorded_inputs(
    network: Network,
    folders: tuple[PictureFolder, PictureFolder],
    config: RecognitionConfig,
    seed: int,
) -> dict[str, Any]:
    """Everything the weights depend on; they are reused only when all of it is equal."""
    record = network.record
    return {
        "network": {**record.plain(), "module": manifest.fingerprint(repr(network.module))},
        "initial": initial_weights(network.module),
        "training": as_plain(config),
        "seed": seed,
        "source": manifest.source_sha256(*SOURCES),
        "pictures": [part.fingerprint for part in folders],
    }
