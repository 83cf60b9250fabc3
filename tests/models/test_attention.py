"""Attention against the plain form: fused, and with dropped weights, outputs and gradients."""

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from src.models import attention
from src.models.attention import attend, attention_weights
from src.seeds import stream

N, HEADS, T, D = 5, 2, 7, 3


def draw(*widths, t=T, dtype=torch.float64):
    """Queries, keys and values of the given widths."""
    shapes = ((N, HEADS, t, width) for width in widths)
    return [torch.randn(*shape, dtype=dtype, requires_grad=True) for shape in shapes]


def plain(q, k, v, mask=1.0):
    """Written out: exp(q k / sqrt(d)) over its row sums, times a mask, times v."""
    scores = torch.einsum("nhid,nhjd->nhij", q, k) / q.shape[-1] ** 0.5
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return torch.einsum("nhij,nhjd->nhid", weights * mask, v)


def assert_same(ours, theirs, inputs):
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    direction = torch.randn_like(ours)
    gradients = [
        torch.autograd.grad(y, inputs, direction, retain_graph=True) for y in (ours, theirs)
    ]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [3, 8, 155])
def test_fused_attention_is_the_plain_form(width):
    inputs = draw(width, width, width)
    assert_same(attend(*inputs), plain(*inputs), inputs)


def test_weights_are_those_that_mix_the_values():
    q, k, v = draw(D, D, D)
    weights = attention_weights(q, k)
    torch.testing.assert_close(weights.sum(-1), torch.ones(N, HEADS, T, dtype=weights.dtype))
    torch.testing.assert_close(weights @ v, plain(q, k, v))


@pytest.mark.parametrize("block", [2**24, 3 * T * T, 1])
def test_dropped_attention_is_the_plain_form_with_a_mask(monkeypatch, block):
    """With the identity as values the output is the dropped weights, which tell the mask."""
    monkeypatch.setattr(attention, "BLOCK", block)
    q, k, v = draw(D, D, D)
    identity = torch.eye(T, dtype=v.dtype).expand(N, HEADS, T, T)
    dropped = attend(q, k, identity, 0.25, stream(1)).detach()
    mask = (dropped > 0).double() / 0.75
    torch.testing.assert_close(dropped, attention_weights(q, k) * mask)
    assert_same(attend(q, k, v, 0.25, stream(1)), plain(q, k, v, mask), [q, k, v])


def test_the_share_of_dropped_weights_and_their_mean(monkeypatch):
    monkeypatch.setattr(attention, "BLOCK", 3 * 60**2)
    q, k = draw(D, D, t=60)
    identity = torch.eye(60, dtype=q.dtype).expand(N, HEADS, 60, 60)
    dropped = attend(q, k, identity, 0.25, stream(1)).detach()
    zero = (dropped == 0).double()
    assert zero.mean().item() == pytest.approx(0.25, abs=0.01)
    assert zero.mean((2, 3)).std().item() < 0.015  # every image and head has its own
    assert len(zero.flatten(0, 1).unique(dim=0)) == N * HEADS
    assert dropped.sum(-1).mean().item() == pytest.approx(1, abs=0.01)


def test_masks_come_from_the_generator_alone():
    q, k, v = draw(D, D, D)
    before = torch.get_rng_state()
    one, same, other = (attend(q, k, v, 0.5, stream(s)) for s in (1, 1, 2))
    (one + same).sum().backward()
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(ValueError, match="dropout needs a generator"):
        attend(q, k, v, 0.5)
    assert torch.equal(torch.get_rng_state(), before)
    generator = stream(1)
    first, second = (attend(q, k, v, 0.5, generator) for _ in range(2))
    assert torch.equal(first, one) and not torch.equal(first, second)


@pytest.mark.parametrize("share", [0, 0.25])
def test_weights_are_not_kept_for_the_backward_pass(share):
    q, k, v = draw(D, D, D, t=100, dtype=torch.float32)
    sizes = []
    with saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
        attend(q, k, v, share, stream(1)).sum().backward()
    assert 0 < max(sizes) < 100 * 100


def test_half_precision_is_computed_in_single():
    q, k, v = draw(8, 8, 8, dtype=torch.float32)
    halves = [x.detach().bfloat16() for x in (q, k, v)]
    y = attend(*halves, 0.25, stream(1))
    assert y.dtype == torch.bfloat16
    exact = attend(*(x.float() for x in halves), 0.25, stream(1))
    torch.testing.assert_close(y, exact.bfloat16(), rtol=0, atol=0)
