"""The one training loop: all sessions share a core, and a killed run continues to the same bits.

Nothing random is stored. Each stream of random numbers is named by seed, use and epoch, so weights,
Adam's moments and the schedule, as they stand after an epoch, are all that a resumed run needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from src import manifest
from src.config import TrainingConfig
from src.data.session import Session
from src.data.splits import Split
from src.models.encoder import Encoder
from src.seeds import numpy_stream, stream
from src.training import checkpoint
from src.training.augment import jitter, mix, rotate
from src.training.batchnorm import recalibrate
from src.training.device import bfloat16, keep_memory, pick_device, threads
from src.training.distillation import lessons
from src.training.losses import SQUARED, batch_loss, signal_weights
from src.training.optimizers import held_still, make_optimizer
from src.training.progress import reporting
from src.training.provenance import differences, recorded_inputs, session_record, versions
from src.training.requirements import require_consistent, require_trials
from src.training.sampler import steps
from src.training.schedule import Schedule, warmth
from src.training.supply import answered, training_batch
from src.training.validation import NAMED, WATCHED, batches, validate

COLUMNS = ("epoch", "round", "learning_rate", "loss", "penalty", "validation", "best")
Watch = Callable[[Mapping[str, Any]], None]  # is shown each row of a history, and may raise


def train(
    encoder: Encoder,
    sessions: Mapping[str, Session],
    splits: Mapping[str, Split],
    config: TrainingConfig,
    seed: int,
    folder: Path,
    device: str = "auto",
    progress: bool = True,
    watch: Watch | None = None,
    teachers: Sequence[Path] = (),
) -> pd.DataFrame:
    """Train one ensemble member in `folder`; returns its history, a row an epoch.

    Leaves the best weights in `encoder`, in `weights.pt` with everything they depend on, the
    history in `history.csv`, and the loss of each step in `steps.csv`. `resume.pt` is there while
    it trains. A finished member with the same recorded inputs is kept, a killed one is continued;
    other inputs train it again from its start.
    `watch` sees every epoch of a run that is not finished; a continued one shows its former ones.
    `teachers`: weights.pt of members whose mean prediction is part of the target, as the recipe's
    `distilled` says.
    """
    folder = Path(folder)
    weights, resume = folder / "weights.pt", folder / "resume.pt"
    require_trials(encoder, sessions, splits)
    splits = {key: splits[key] for key in sessions}  # one order everywhere, which is recorded
    inputs = recorded_inputs(encoder, sessions, splits, config, seed, teachers)
    encoder.to(pick_device(device))
    with manifest.alone(folder):
        manifest.clear_leftovers(folder)
        if content := current_content(weights, inputs):
            manifest.note_output(weights)
        else:
            keep_memory()
            with threads(config.threads):
                run = Run(encoder, sessions, splits, config, seed, teachers)
                content = run.to_the_end(resume, inputs, progress, watch or (lambda row: None))
            checkpoint.write(weights, content)
        columns = COLUMNS + WATCHED * (config.loss in SQUARED) + NAMED * bool(config.object_weight)
        history = pd.DataFrame(content["history"], columns=columns)
        manifest.save_table(history, folder / "history.csv")
        steps = [
            (r["epoch"], i, x) for r in content["history"] for i, x in enumerate(r["losses"], 1)
        ]
        columns = ["epoch", "step", "loss"]
        manifest.save_table(pd.DataFrame(steps, columns=columns), folder / "steps.csv")
        resume.unlink(missing_ok=True)
    encoder.load_state_dict(content["state"])
    encoder.eval()
    return pd.read_csv(folder / "history.csv")


def current_content(path: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint, if there is one and all its recorded inputs are these; else says why not."""
    if not path.is_file():
        return None
    content = checkpoint.read(path)
    if changed := differences(content["inputs"], inputs):
        print(f"{path} was made from other inputs, training from the start: {'; '.join(changed)}")
        return None
    return content


class Run:
    """One training run in memory: weights, optimizer, schedule and history."""

    def __init__(
        self,
        encoder: Encoder,
        sessions: Mapping[str, Session],
        splits: Mapping[str, Split],
        config: TrainingConfig,
        seed: int,
        teachers: Sequence[Path] = (),
    ) -> None:
        self.encoder, self.sessions, self.splits = encoder, sessions, splits
        self.config, self.seed = config, seed
        require_consistent(encoder, config, teachers)
        self.device = next(encoder.parameters()).device
        self.lessons = lessons(teachers, encoder.config.inputs, sessions, splits, self.device)
        self.shares: dict[str, torch.Tensor] = {}
        if config.loss == "ncsnr":
            self.shares = {k: self._shares(k, split.train) for k, split in splits.items()}
        self.optimizer = make_optimizer(encoder, config)
        self.average = None
        if config.average:
            decay = get_ema_multi_avg_fn(config.average)
            self.average = AveragedModel(encoder, multi_avg_fn=decay, use_buffers=True)
        self.history: list[dict[str, Any]] = []
        self.watched: dict[str, float] = {}  # what the last validation measured besides its score

    @property
    def kept(self) -> Encoder:
        """What is validated and kept: the encoder, or its moving average where there is one."""
        return self.average.module if self.average else self.encoder

    def to_the_end(
        self,
        resume: Path,
        inputs: dict[str, Any],
        progress: bool,
        watch: Watch,
    ) -> dict[str, Any]:
        """Train, from where `resume` left off if it is current; returns the final checkpoint."""
        if content := current_content(resume, inputs):
            self.load_state(content)
        else:
            begins = self.validate() if self.config.start_counts else -inf
            self.schedule = Schedule.start(self.config, begins)
            self.best = self.weights()
        done, label = self.schedule.epoch, resume.parent.name
        for row in self.history:
            watch(row)
        with reporting(self.config.max_epochs, done, label, progress) as report:
            while not self.schedule.finished:
                row = self.epoch()
                checkpoint.write(resume, {"inputs": inputs, **self.state()}, note=False)
                report(self.schedule.finished, row)
                watch(row)
        result = self.result()
        if constant := self.watched.get("constant_units"):
            print(f"{label}: predictions of {constant} units hardly vary over validation trials")
        return {"inputs": inputs, **result}

    def epoch(self) -> dict[str, Any]:
        """Train one epoch, validate, do what the schedule says; its row of the history."""
        schedule = self.schedule
        row = {"epoch": schedule.epoch + 1, "round": schedule.round}
        row |= {"learning_rate": schedule.learning_rate, **self.train_epoch(row["epoch"])}
        row["validation"], measured = self.validate(), self.watched
        verdict = schedule.step(row["validation"])
        if verdict.improved:
            self.best = self.weights()
        if verdict.restore:
            self.encoder.load_state_dict(self.best)
            self.kept.load_state_dict(self.best)
            if self.config.reset_moments:
                self.optimizer.state.clear()
        self.history.append(row | {"best": schedule.best} | measured)
        return self.history[-1]

    def train_epoch(self, epoch: int) -> dict[str, Any]:
        """A step a round, on gradients summed over sessions; losses and mean objective of steps."""
        self.encoder.train()
        if not self.config.core_rate and not self.config.drifting:
            self.encoder.core.eval()
        noise = stream(self.seed, "sample", epoch, device=self.device)
        shifts = stream(self.seed, "jitter", epoch)
        crops = numpy_stream(self.seed, "crops", epoch)
        done = sum(len(row["losses"]) for row in self.history)
        trials = {key: split.train for key, split in self.splits.items()}
        losses = []
        with bfloat16(self.encoder.core, self.config.autocast):
            for indices in steps(self.config, trials, self.seed, epoch):
                for still in held_still(self.encoder, self.config.two_pass):
                    self.set_rate(done + len(losses))
                    losses.append(self.step(indices, noise, shifts, still, crops))
                    if not losses[-1].isfinite().all():
                        raise FloatingPointError(
                            f"epoch {epoch}: the loss is not finite: lower the learning rate from "
                            f"{self.schedule.learning_rate:g}, or look for NaN in the responses"
                        )
        objective = torch.stack(losses)
        loss, penalty = objective.mean(0).tolist()
        return {"loss": loss, "penalty": penalty, "losses": objective[:, 0].tolist()}

    def set_rate(self, step: int) -> None:
        """The learning rate of each group, `step` steps after the first."""
        rate = self.schedule.learning_rate * warmth(self.config, step)
        for group in self.optimizer.param_groups:
            group["lr"] = group["share"] * rate

    def step(
        self,
        indices: Mapping[str, np.ndarray],
        noise: torch.Generator,
        shifts: torch.Generator,
        still: list[torch.nn.Parameter],
        crops: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """One pass over a batch of each session named, and a step of the optimizer.

        A session that is not there has no gradient: its readout neither moves nor counts a step.
        """
        self.optimizer.zero_grad()
        parts = [self.accumulate(k, index, noise, shifts, crops) for k, index in indices.items()]
        for parameter in still:
            parameter.grad = None
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), self.config.clip)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.encoder)
        return torch.stack(parts).sum(0)

    def accumulate(
        self,
        key: str,
        index: np.ndarray,
        noise: torch.Generator,
        shifts: torch.Generator | None = None,
        crops: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Add the gradients of one batch of one session: -> (loss, penalty)."""
        batch = training_batch(self.sessions[key], index, self.device, crops)
        batch = rotate(batch, shifts) if self.config.rotate else batch
        batch = mix(jitter(batch, self.config.jitter, shifts), self.config.mixing, shifts)
        prediction, named = self.encoder.respond_and_name(batch, key, noise)
        target = self.target(key, index, answered(batch.responses, prediction))
        counts = self.sessions[key].n_trials, len(self.splits[key].train)
        loss = batch_loss(self.config, prediction, target, *counts, self.shares.get(key))
        if named is not None:
            loss = loss + self.config.object_weight * F.cross_entropy(named, batch.objects)
        penalty = self.encoder.penalty(key)
        (loss + penalty).backward()
        return torch.stack([loss, penalty]).detach()

    def _shares(self, key: str, train: np.ndarray) -> torch.Tensor:
        """Share of signal in the responses of a session's units: (n,) trials -> (u,)."""
        session = self.sessions[key]
        measured = session.responses(train).numpy().astype(np.float64)
        return signal_weights(measured, session.image_ids[train]).to(self.device)

    def target(self, key: str, index: np.ndarray, responses: torch.Tensor) -> torch.Tensor:
        """What training trials are to be predicted as: (n,), recorded (n, u) -> (n, u)."""
        if not self.lessons:
            return responses
        taught = torch.from_numpy(self.lessons[key][index]).to(self.device)
        return responses.lerp(taught, self.config.distilled)

    def validate(self) -> float:
        """The score on validation trials; what else is measured is noted in `watched`."""
        given = self.sessions, self.splits, self.config, self.device
        score, self.watched = validate(self.kept, *given)
        return score

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the weights as they are now."""
        return {name: value.clone() for name, value in self.kept.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """All that a resumed run needs."""
        return {
            "weights": self.encoder.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state(),
            "history": self.history,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.encoder.load_state_dict(state["weights"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule = Schedule.resume(self.config, state["schedule"])
        self.best, self.history = state["best"], state["history"]

    def result(self) -> dict[str, Any]:
        """What `weights.pt` holds besides the recorded inputs."""
        self.kept.load_state_dict(self.best)
        if self.config.recalibrate:
            size = self.config.batch_size
            parts = ((k, self.sessions[k], s.train) for k, s in self.splits.items())
            train = ((k, b) for k, s, t in parts for b in batches(s, t, size, self.device))
            recalibrate(self.kept, train)
        return {
            "state": self.kept.state_dict(),
            "validation": self.validate(),
            "history": self.history,
            "sessions": {key: session_record(s) for key, s in self.sessions.items()},
            "device": self.device.type,
            "versions": versions(),
        }
