"""Seconds a training step of the published ViT takes on CPU, and its memory.

    python tests/benchmarks/vit_step.py [--batch 16] [--units 8000] [--turns 3] [--threads 1]

Three forms of attention, one after the other in processes of their own: ours, with dropout a few
heads at a time; the plain form, which holds all weights and masks for the backward pass; and
PyTorch's fused kernel without dropout, with which on CPU it would hold them all, too.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

import torch
from our_step import KEY, Ours
from serving import peak_mb, serve, timed
from torch import Tensor
from training_step import SETTINGS, working

from src.data.batch import Batch
from src.models import vit
from src.models.attention import attend, attention_weights
from src.models.encoder import Encoder, SessionFacts
from src.models.layers import dropout
from src.seeds import stream
from src.studies.sensorium2022 import VIT

FORMS = ("ours", "plain", "fused")
SHAPE = 1, 36, 64


def plain(q: Tensor, k: Tensor, v: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Attention as it is written down."""
    return dropout(attention_weights(q, k), share, generator) @ v


def published_vit(form: str, batch: int, units: int) -> Ours:
    """The ViT of the full profile on random images, with one form of attention."""
    forms = {"ours": attend, "plain": plain, "fused": lambda q, k, v, *_: attend(q, k, v)}
    vit.attend = forms[form]
    g = stream(0, "benchmark", "data")
    images, behavior, pupil = (torch.randn(batch, *s, generator=g) for s in (SHAPE, (3,), (2,)))
    responses = 2 * torch.rand(batch, units, generator=g)
    facts = SessionFacts(units, SHAPE, torch.rand(units, 3, generator=g))
    encoder = Encoder(VIT, {KEY: facts}, seed=0)
    return Ours(encoder, Batch(images, responses, behavior, pupil))


def work(form: str, batch: int, units: int, threads: int) -> None:
    """Answer as a worker."""
    torch.set_num_threads(threads)
    trained = published_vit(form, batch, units)
    serve({"step": timed(trained.step), "peak": peak_mb})


def main() -> None:
    """Print a table, a row a form."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--units", type=int, default=8000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--forms", nargs="*", default=FORMS, choices=FORMS)
    given = parser.parse_args()
    print("| attention | seconds a step | CPU seconds | peak MB |")
    print("|---|---|---|---|")
    options = given.batch, given.units, given.threads
    for form in given.forms:
        command = sys.executable, Path(__file__), "--worker", form, *options
        with working(*command, threads=given.threads, settings=SETTINGS) as worker:
            steps = [worker("step") for _ in range(given.turns)]
            wall, cpu = (median(s[i] for s in steps) for i in (0, 1))
            print(f"| {form} | {wall:.1f} | {cpu:.1f} | {worker('peak'):.0f} |", flush=True)


if __name__ == "__main__":
    if "--worker" in sys.argv:
        form, *numbers = sys.argv[2:]
        work(form, *map(int, numbers))
    else:
        main()
