"""Memory kept for the backward pass of Dynamic-VFM on CPU, and seconds of a step.

    python tests/benchmarks/video_core.py [--clips 1] [--units 7863] [--turns 1]

Ours, and the plain form: softmax attention and grid_sample as they are written down, nothing
computed twice. Both are measured in one process, in turns, on the same clips; gradients agree.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import process_time
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from src.data.batch import Batch
from src.models import hierarchical_readout, shifted_windows, video_core
from src.models.encoder import Encoder, SessionFacts
from src.seeds import stream
from src.studies.sensorium2023 import GROUPS, dynamic

KEY, SHAPE = "mouse", (1, 30, 36, 64)


def plain_attention(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """Attention as it is written down."""
    logits = (q * q.shape[-1] ** -0.5) @ k.mT + bias + mask[:, None]
    return torch.softmax(logits, -1) @ v


def plain_sampling(x: Tensor, positions: Tensor, weights: Tensor, *_: object) -> Tensor:
    """Features at each position, then their weighted sum."""
    grid = positions.to(x).expand(len(x), -1, -1)[:, :, None]
    read = F.grid_sample(x, grid, align_corners=True)[..., 0]
    return torch.einsum("nfu,uf->nu", read, weights)


def at_once(function: object, *inputs: Tensor, **_: object) -> Tensor:
    """What `checkpoint` computes, with everything kept."""
    return function(*inputs)


@contextmanager
def form(name: str) -> Iterator[None]:
    """The models' functions, or in "plain" their plain forms."""
    with ExitStack() as stack:
        for module, function, other in (
            (shifted_windows, "attend_with_bias", plain_attention),
            (hierarchical_readout, "sample_dot", plain_sampling),
            (hierarchical_readout, "checkpoint", at_once),
            (video_core, "checkpoint", at_once),
        ):
            if name == "plain":
                stack.enter_context(mock.patch.object(module, function, other))
        yield


def measured(encoder: Encoder, batch: Batch) -> tuple[float, float, float, list[Tensor]]:
    """MB kept between the passes, CPU seconds of each, gradients."""
    own = {p.untyped_storage().data_ptr() for p in (*encoder.parameters(), *encoder.buffers())}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    encoder.zero_grad()
    start = process_time()
    with saved_tensors_hooks(note, lambda tensor: tensor):
        rates = encoder(batch, KEY, stream(0, "noise"))
        loss = (rates - batch.responses[:, -rates.shape[1] :] * rates.log()).sum()
    middle, memory = process_time(), sum(kept.values()) / 1e6
    loss.backward()
    gradients = [torch.zeros(()) if p.grad is None else p.grad for p in encoder.parameters()]
    return memory, middle - start, process_time() - middle, [g.clone() for g in gradients]


def main() -> None:
    """Print a row a form, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1)
    parser.add_argument("--units", type=int, default=7863)
    parser.add_argument("--turns", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    g, n = stream(0, "benchmark", "clips"), given.clips
    images, side = torch.randn(n, *SHAPE, generator=g), torch.randn(2, n, 30, 2, generator=g)
    responses = 2 * torch.rand(n, 30, given.units, generator=g)
    facts = SessionFacts(
        given.units, SHAPE, torch.rand(given.units, 3, generator=g), responses[0, 0]
    )
    encoder = Encoder(dynamic("gated", GROUPS), {KEY: facts}, seed=0).train()
    found = {"ours": [], "plain": []}
    for _ in range(given.turns):
        for name, rows in found.items():
            with form(name):
                rows.append(measured(encoder, Batch(images, responses, *side)))
    best = {name: [min(r[i] for r in rows) for i in range(3)] for name, rows in found.items()}
    for name, (memory, forward, backward) in best.items():
        print(
            f"{name:6} {memory:8.1f} MB kept, forward {forward:6.2f} s, backward {backward:6.2f} s"
        )
    ratios = [a / b for a, b in zip(best["ours"], best["plain"], strict=True)]
    print("ours / plain: memory {:.3f}, forward {:.2f}, backward {:.2f}".format(*ratios))
    pairs = zip(found["ours"][-1][3], found["plain"][-1][3], strict=True)
    worst = max((a - b).norm().item() / (b.norm().item() + 1e-6) for a, b in pairs)
    print(f"largest relative difference of a gradient: {worst:.1e}")


if __name__ == "__main__":
    main()
