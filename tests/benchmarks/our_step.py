"""Worker: our training step of the baseline, from weights and data that the other worker wrote.

`our_step.py FOLDER THREADS`
"""

from __future__ import annotations

import copy
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from serving import peak_mb, serve, timed
from torch.profiler import profile

from src.config import TrainingConfig
from src.data.batch import Batch
from src.models.encoder import Encoder
from src.models.upstream import export_upstream, load_upstream
from src.seeds import stream
from src.training.device import keep_memory
from src.training.losses import batch_loss

KEY, TRIALS = "mouse", 6000
PARTS = {  # of a step, by the operators they call: forward, backward
    "separable blocks": ("_Separable", "_SeparableBackward"),
    "first convolution": ("aten::conv2d", "ConvolutionBackward0"),
    "batch norm and ELU": ("_Normalize", "_NormalizeBackward"),
    "readout": ("_SampleDot", "_SampleDotBackward"),
}


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest difference, over the largest value of theirs."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


class Ours:
    """An encoder and one batch, trained as `src.training.trainer` does."""

    def __init__(self, encoder: Encoder, batch: Batch) -> None:
        keep_memory()
        self.encoder, self.batch = encoder.train(), batch
        self.optimizer = torch.optim.Adam(encoder.parameters(), lr=TrainingConfig().learning_rate)
        self.noise = stream(0, "benchmark")

    def rates(self) -> list[float]:
        """Predictions of some units for the first image, as they are in training."""
        with torch.no_grad():
            return self.encoder(self.batch, KEY, stream(0, "rates"))[0, :100].tolist()

    def objective(self) -> torch.Tensor:
        rates = self.encoder(self.batch, KEY, self.noise)
        loss = batch_loss(TrainingConfig(), rates, self.batch.responses, TRIALS, TRIALS)
        return loss + self.encoder.penalty(KEY)

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.objective().backward()
        self.optimizer.step()

    def compare(self, theirs: dict[str, Any]) -> dict[str, float]:
        """Largest differences from `theirs`: of rates, and relative of objective and gradients."""
        state = copy.deepcopy(self.encoder.state_dict())
        with torch.no_grad():
            rates = self.encoder.eval()(self.batch, KEY)
            self.encoder.readouts[KEY].spread.zero_()
        self.encoder.train()
        (objective := self.objective()).backward()
        with torch.no_grad():
            for parameter in self.encoder.parameters():
                parameter.copy_(parameter.grad)
        gradients = export_upstream(self.encoder)
        differences = {
            "rates": (rates - theirs["rates"]).abs().max().item(),
            "objective": relative(objective.detach(), theirs["objective"]),
            "gradients": max(relative(gradients[n], g) for n, g in theirs["gradients"].items()),
        }
        self.encoder.load_state_dict(state)
        return differences


def parts(step: Callable[[], Any], steps: int = 3) -> dict[str, float]:
    """Share of a step's time that each part of the model takes, and the rest."""
    with profile() as recorded:
        for _ in range(steps):
            step()
    names = {operator: part for part, operators in PARTS.items() for operator in operators}
    shares: Counter[str] = Counter()
    for event in recorded.events():
        if event.cpu_parent is None:
            operator = event.name.removeprefix("autograd::engine::evaluate_function: ")
            shares[names.get(operator, "the rest")] += event.cpu_time_total
    return {part: time / shares.total() for part, time in shares.most_common()}


def gflops(size: int = 2048) -> float:
    """Speed of a float32 matrix product, 1e9 operations (two a multiply-add) a CPU-second."""
    a = torch.rand(size, size)
    return 2e-9 * size**3 / min(timed(lambda: a @ a)()[1] for _ in range(9))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.set_num_threads(int(sys.argv[2]))
    theirs = torch.load(folder / "published.pt", weights_only=True)
    batch = Batch(theirs["images"], theirs["responses"])
    ours = Ours(load_upstream(theirs["state"]), batch)
    serve(
        {
            "compare": lambda: ours.compare(theirs),
            "step": timed(ours.step),
            "peak": peak_mb,
            "parts": lambda: parts(ours.step),
            "gflops": gflops,
        }
    )
