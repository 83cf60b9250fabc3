"""Self-attention: fused where it can be, and with dropout a few heads at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from src.models.layers import NO_GENERATOR, dropout_mask
from src.models.sharing import places, sharing
from src.seeds import stream

BLOCK = 2**18  # attention weights computed at once: on CPU as many as a cache holds
GPU_BLOCK = 2**26
MULTIPLE = 8  # fused kernels want head widths that are multiples of this


def attention_weights(q: Tensor, k: Tensor) -> Tensor:
    """softmax(q k^T / sqrt(d)), each row sums to 1: (..., t, d), (..., t, d) -> (..., t, t)."""
    return torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1)


def attend(
    q: Tensor, k: Tensor, v: Tensor, share: float = 0, generator: torch.Generator | None = None
) -> Tensor:
    """Weighted means of v, a share of the weights dropped: (n, h, t, d) x 3 -> (n, h, t, d).

    PyTorch's fused kernel, which never holds the weights, if none are dropped: its own dropout
    draws from the global generator, and on CPU holds them all.
    """
    if share:
        if generator is None:
            raise ValueError(NO_GENERATOR)
        seed = torch.randint(2**62, (), generator=generator, device=q.device).item()
        exact = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in (q, k, v))
        y = _Dropped.apply(*(x.flatten(0, 1) for x in exact), share, seed)
        return y.unflatten(0, v.shape[:2]).to(v.dtype)
    d = q.shape[-1]
    q, k, v = (F.pad(x, (0, -d % MULTIPLE)) for x in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, scale=d**-0.5)[..., :d]


class _Dropped(torch.autograd.Function):
    """The same with dropout, (n * h, t, d) x 3 -> (n * h, t, d), a few heads at a time.

    Backward computes weights and masks again instead of keeping them.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, share: float, seed: int) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.options = options = _Noise(share, seed, *places(len(q)))
        y = torch.empty_like(v)
        with torch.autocast(q.device.type, enabled=False):
            for part in _parts(q, options.first):
                weights = attention_weights(q[part], k[part])
                torch.matmul(weights.mul_(_mask(weights, part, options)), v[part], out=y[part])
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v = ctx.saved_tensors
        grads, scale = [torch.empty_like(x) for x in (q, k, v)], q.shape[-1] ** -0.5
        for part in _parts(q, ctx.options.first):
            weights = attention_weights(q[part], k[part])
            mask, own = _mask(weights, part, ctx.options), gradient[part]
            torch.matmul((weights * mask).mT, own, out=grads[2][part])
            back = _through_softmax(weights, (own @ v[part].mT).mul_(mask))
            torch.matmul(back, k[part] * scale, out=grads[0][part])
            torch.matmul(back.mT, q[part] * scale, out=grads[1][part])
        return *grads, None, None


def attend_with_bias(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    """Attention inside windows with logits q k^T / sqrt(d) + bias + mask, weights never kept.

    q, k, v (n, windows, heads, t, d), bias (heads, t, t), mask (windows, t, t), which has no
    gradient -> (n, windows, heads, t, d). Everywhere PyTorch's fused kernel; on CPU it has no
    gradient for a bias, and `_Windows` computes the weights again, some windows at a time.
    """
    if q.is_cpu and torch.is_grad_enabled():
        return _Windows.apply(q, k, v, bias, mask)
    return _fused(q, k, v, bias, mask)


def _fused(q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
    added = (bias + mask[:, None]).flatten(0, 1).expand(len(q), -1, -1, -1)
    flat = (x.flatten(1, 2) for x in (q, k, v))
    return F.scaled_dot_product_attention(*flat, attn_mask=added).unflatten(1, q.shape[1:3])


class _Windows(torch.autograd.Function):
    """`attend_with_bias` on CPU: keeps q, k, v, the bias and the mask."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(q, k, v, bias, mask)
        return torch.cat([_fused(q[:, p], k[:, p], v[:, p], bias, mask[p]) for p in _windows(q)], 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        q, k, v, bias, mask = ctx.saved_tensors
        grads, scale = [torch.empty_like(x) for x in (q, k, v)], q.shape[-1] ** -0.5
        grad_bias = torch.zeros_like(bias)
        for part in _windows(q):
            own, scaled = gradient[:, part], k[:, part] * scale
            added = bias + mask[part][:, None]
            weights = torch.softmax((q[:, part] @ scaled.mT).add_(added), -1)
            grads[2][:, part] = weights.mT @ own
            back = _through_softmax(weights, own @ v[:, part].mT)
            grad_bias += back.sum((0, 1))
            grads[0][:, part] = back @ scaled
            grads[1][:, part] = back.mT @ (q[:, part] * scale)
        return *grads, grad_bias, None


def _windows(q: Tensor) -> list[slice]:
    """Windows whose weights are held at once: (n, windows, heads, t, d)."""
    n, windows, heads, t, _ = q.shape
    step = max(1, BLOCK // (n * heads * t**2))
    return [slice(start, start + step) for start in range(0, windows, step)]


def _through_softmax(weights: Tensor, gradient: Tensor) -> Tensor:
    """Gradient of the logits: w (g - sum w g), in the place of `gradient`."""
    back = gradient.mul_(weights)
    return back.sub_(weights * back.sum(-1, keepdim=True))


@dataclass(frozen=True)
class _Noise:
    """What dropout of attention draws: for all heads of a batch, of which `first` is here first."""

    share: float
    seed: int
    first: int
    total: int


def _step(x: Tensor) -> int:
    """Heads whose weights are held at once: (..., t, .)."""
    return max(1, (BLOCK if x.is_cpu else GPU_BLOCK) // x.shape[-2] ** 2)


def _parts(q: Tensor, first: int) -> list[slice]:
    """Heads held at once, (n * h, t, d); parts begin at multiples of their size in the batch."""
    step, heads = _step(q), len(q)
    edges = [0, *range(step - first % step, heads, step), heads]
    return [slice(*pair) for pair in pairwise(edges)]


def _mask(weights: Tensor, part: slice, noise: _Noise) -> Tensor:
    """The dropout of a part, the same each time, and in each process that shares the batch."""
    step, start = _step(weights), noise.first + part.start
    begin = start - start % step
    generator = stream(noise.seed, "attention", begin, device=weights.device)
    whole = weights.new_empty(min(step, noise.total - begin), *weights.shape[1:])
    with sharing(None):  # these rows are heads of all processes already
        mask = dropout_mask(whole, noise.share, generator)
    return mask[start - begin :][: len(weights)]
