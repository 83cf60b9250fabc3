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
from src.models.normalization import sharing_norms
from src.seeds import numpy_stream, stream
from src.training import checkpoint
from src.training.batchnorm import recalibrate
from src.training.checkpoint import current_content
from src.training.device import bfloat16, keep_memory, require_devices, threads
from src.training.distillation import lessons
from src.training.launch import in_processes
from src.training.losses import batch_loss, part_of_batch, signal_weights
from src.training.optimizers import held_still, make_optimizer
from src.training.own_best import OwnBest
from src.training.parallel import Group, in_a_group, process_group, sole
from src.training.progress import reporting
from src.training.provenance import recorded_inputs, session_record, versions
from src.training.requirements import require_consistent, require_trials
from src.training.sampler import steps
from src.training.schedule import Schedule, warmth
from src.training.supply import answered, augmented
from src.training.tables import write_tables
from src.training.validation import batches, validate

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
    processes: int = 1,
) -> pd.DataFrame:
    """Train one ensemble member in `folder`; returns its history, a row an epoch.

    Leaves the best weights in `encoder`, on the CPU, in `weights.pt` with everything they depend
    on, and the tables of `write_tables`. `resume.pt` is there while it trains. A finished member
    with the same recorded inputs is kept, a killed one is continued; other inputs train it again
    from its start.
    `watch` sees every epoch of a run that is not finished; a continued one shows its former ones.
    `teachers`: weights.pt of members whose mean prediction is part of the target, as the recipe's
    `distilled` says.
    `processes` share each batch, on a GPU each where there are GPUs, and leave what one would, but
    for rounding. What they began, another number may continue. Started by torchrun itself, this is
    one of them, and the first alone writes.
    """
    folder = Path(folder)
    weights, resume = folder / "weights.pt", folder / "resume.pt"
    require_trials(encoder, sessions, splits)
    require_devices(device, processes)
    splits = {key: splits[key] for key in sessions}  # one order everywhere, which is recorded
    inputs = recorded_inputs(encoder, sessions, splits, config, seed, teachers)
    with sole(folder):
        if not in_a_group():
            manifest.clear_leftovers(folder)
        if processes > 1 and current_content(weights, inputs) is None:
            if watch:
                raise ValueError("watch sees the epochs of one process: leave it out, or processes")
            given = encoder, sessions, splits, config, seed, folder, device, progress, None
            in_processes(processes, train, *given, teachers)
        with process_group(device) as group:  # all look once the first has the folder to itself
            encoder.to(group.device)
            content = current_content(weights, inputs)
            if content:
                manifest.note_output(weights)
            else:
                keep_memory()
                with threads(config.threads):
                    run = Run(encoder, sessions, splits, config, seed, teachers, group)
                    content = run.to_the_end(resume, inputs, progress, watch or (lambda row: None))
                if group.first:
                    checkpoint.write(weights, content)
            if group.first:
                write_tables(content, config, folder)
                resume.unlink(missing_ok=True)
            group.wait()
    encoder.cpu().load_state_dict(content["state"])
    encoder.eval()
    return pd.read_csv(folder / "history.csv")


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
        group: Group | None = None,
    ) -> None:
        self.encoder, self.sessions, self.splits = encoder, sessions, splits
        self.config, self.seed = config, seed
        require_consistent(encoder, config, teachers)
        self.device = next(encoder.parameters()).device
        self.group = group or Group(self.device)
        self.lessons = lessons(teachers, encoder.config.inputs, sessions, splits, self.device)
        self.shares: dict[str, torch.Tensor] = {}
        if config.loss == "ncsnr":
            self.shares = {k: self._shares(k, split.train) for k, split in splits.items()}
        self.optimizer = make_optimizer(encoder, config)
        self.own = OwnBest(sessions) if config.own_best else None
        self.average = None
        if config.average:
            decay = get_ema_multi_avg_fn(config.average)
            self.average = AveragedModel(encoder, multi_avg_fn=decay, use_buffers=True)
        self.history: list[dict[str, Any]] = []
        self.by_unit: list[dict[str, torch.Tensor]] = []  # epochs' scores of units, by session
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
        first = self.group.first
        if content := current_content(resume, inputs):
            self.load_state(content)
        else:
            begins = self.validate() if self.config.start_counts else -inf
            self.schedule = Schedule.start(self.config, begins)
            self.best = self.weights()
        done, label = self.schedule.epoch, resume.parent.name
        for row in self.history:
            watch(row)
        with reporting(self.config.max_epochs, done, label, progress and first) as report:
            while not self.schedule.finished:
                row = self.epoch()
                if first:
                    checkpoint.write(resume, {"inputs": inputs, **self.state()}, note=False)
                report(self.schedule.finished, row)
                watch(row)
        result = self.result()
        if first and (constant := self.watched.get("constant_units")):
            print(f"{label}: predictions of {constant} units hardly vary over validation trials")
        return {"inputs": inputs, **result}

    def epoch(self) -> dict[str, Any]:
        """Train one epoch, validate, do what the schedule says; its row of the history."""
        schedule = self.schedule
        row = {"epoch": schedule.epoch + 1, "round": schedule.round}
        row |= {"learning_rate": schedule.learning_rate, **self.train_epoch(row["epoch"])}
        row["validation"], measured = self.validate(), self.watched
        verdict = schedule.step(row["validation"])
        if self.own:
            self.own.keep(row["epoch"], self.unit_scores, self.best, self.kept.state_dict())
        elif verdict.improved:
            self.best = self.weights()
        if verdict.restore:
            self.encoder.load_state_dict(self.best)
            self.kept.load_state_dict(self.best)
            if self.config.reset_moments:
                self.optimizer.state.clear()
        if self.config.score == "median":
            half = {k: torch.from_numpy(v).half() for k, v in self.unit_scores.items()}
            self.by_unit.append(half)
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
        with bfloat16(self.encoder.core, self.config.autocast), sharing_norms(self.encoder):
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
        self.group.sum_gradients(self.encoder.parameters())
        if self.config.clip:
            torch.nn.utils.clip_grad_norm_(self.encoder.parameters(), self.config.clip)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.encoder)
        return self.group.sum(torch.stack(parts).sum(0))

    def accumulate(
        self,
        key: str,
        index: np.ndarray,
        noise: torch.Generator,
        shifts: torch.Generator | None = None,
        crops: np.random.Generator | None = None,
    ) -> torch.Tensor:
        """Add the gradients of one batch of one session: -> (loss, penalty).

        Of several processes each adds its part, and their sums are those of the batch.
        """
        rows, group, config = self.group.rows(len(index)), self.group, self.config
        with group.share(len(index)):
            given = config, self.sessions[key], index, self.device, crops
            batch = augmented(*given, shifts, rows, self.encoder.answered(key))
            prediction, named = self.encoder.respond_and_name(batch, key, noise)
            target = self.target(key, index[rows], answered(batch.responses, prediction))
            counts = self.sessions[key].n_trials, len(self.splits[key].train)
            loss = batch_loss(config, prediction, target, *counts, self.shares.get(key))
            if named is not None:
                naming = F.cross_entropy(named, batch.objects) * part_of_batch(named)
                loss = loss + config.object_weight * naming
            loss = loss * group.weight(len(index))
            penalty = self.encoder.penalty(key) / group.world
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
        """The score on validation trials; the rest is noted in `watched` and `unit_scores`."""
        given = self.sessions, self.splits, self.config, self.group
        score, self.watched, self.unit_scores = validate(self.kept, *given)
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
            "own": self.own.state() if self.own else None,
            "by_unit": self.by_unit,
        }

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.encoder.load_state_dict(state["weights"])
        if self.average:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule = Schedule.resume(self.config, state["schedule"])
        self.best, self.history, self.by_unit = (state[n] for n in ("best", "history", "by_unit"))
        if self.own:
            self.own.load_state(state["own"])

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
            **({"by_unit": self.by_unit} if self.by_unit else {}),
            **({"units": self.own.table().to_dict("list")} if self.own else {}),
        }
