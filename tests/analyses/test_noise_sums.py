"""Streaming sums: equal to the sums over all images at once, resumed to the same bytes, bounded."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from src.analyses.noise_sums import Noise, Sums, accumulate, load_sums, split_half

NOISE = Noise((1, 6, 8), seed=3, batch_size=16)
WEIGHTS = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 48)).astype(np.float32)) / 7


def respond(x):
    return torch.exp(x.flatten(1) @ WEIGHTS.T) + 3


def stacked(batches):
    """All noise and responses at once, in float64."""
    x = torch.cat([NOISE.batch(b).flatten(1) for b in batches])
    return respond(x).double().numpy(), x.double().numpy()


def relative(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


def test_noise_depends_on_seed_and_number_only():
    again = Noise((1, 6, 8), seed=3, batch_size=16)
    assert torch.equal(NOISE.batch(7), again.batch(7))
    others = [NOISE.batch(8), replace(NOISE, seed=4).batch(7)]
    assert not any(torch.equal(NOISE.batch(7), other) for other in others)
    x = replace(NOISE, batch_size=4000).batch(0)
    assert x.min() >= 0 and x.max() <= 1
    assert x.mean() == pytest.approx(1 / 2, abs=0.003)
    assert x.var() == pytest.approx(1 / 12, rel=0.01)


def test_streaming_equals_the_covariance_of_everything():
    sums = accumulate(respond, NOISE, range(200))
    a, x = stacked(range(200))
    expected = np.cov(a.T, x.T, ddof=0)[:5, 5:]
    assert relative(sums.fields(), expected) < 1e-4
    np.testing.assert_array_equal(sums.fields(slice(1, 3)), sums.fields()[1:3])
    assert relative(sums.fields(estimate="sum"), a.T @ x / len(x)) < 1e-4


def test_regression_is_least_squares():
    sums = accumulate(respond, NOISE, range(50), regression=True)
    a, x = stacked(range(50))
    design = np.column_stack([np.ones(len(x)), x])
    expected = np.linalg.lstsq(design, a)[0][1:].T / 12
    assert relative(sums.fields(estimate="regression"), expected) < 1e-4


def test_regression_needs_products_and_images():
    for sums in (
        accumulate(respond, NOISE, range(9)),
        accumulate(respond, NOISE, range(2), None, None, True),
    ):
        with pytest.raises(ValueError, match=r"48 pixels .* more images .*'covariance'"):
            sums.fields(estimate="regression")


def test_shards_add_up_to_the_whole():
    whole = accumulate(respond, NOISE, range(60), regression=True)
    odd, even = (accumulate(respond, NOISE, range(k, 60, 2), regression=True) for k in (1, 0))
    together = even + odd
    assert together.images == whole.images == 960
    for name in ("a", "x", "ax", "xx"):
        found, expected = getattr(together, name), getattr(whole, name)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * expected.abs().max())


def test_float32_sums_do_not_drift():
    """3000 batches: rounding stays far below the noise, because the noise is summed around 0."""
    noise = replace(NOISE, batch_size=8)
    sums, exact, plain = accumulate(respond, noise, range(3000)), 0.0, torch.zeros(5, 48)
    for number in range(3000):
        x = noise.batch(number).flatten(1)
        a = respond(x)
        exact = exact + (a.double().T @ (x.double() - 0.5)).numpy()
        plain.addmm_(a.T, x)
    error = relative(sums.ax.numpy(), exact)
    around_half = relative(plain.numpy() - 0.5 * sums.a[:, None].numpy(), exact)
    assert error < 1e-5 and around_half > 5 * error


def test_a_killed_run_ends_with_the_same_bytes(tmp_path):
    calls = []

    def dies(x):
        calls.append(1)
        if len(calls) == 18:
            raise KeyboardInterrupt
        return respond(x)

    paths = tmp_path / "whole.pt", tmp_path / "killed.pt"
    options = {"made_by": "these weights", "regression": True, "every": 7}
    accumulate(respond, NOISE, range(1, 60, 2), paths[0], **options)
    with pytest.raises(KeyboardInterrupt):
        accumulate(dies, NOISE, range(1, 60, 2), paths[1], **options)
    calls.clear()
    accumulate(lambda x: calls.append(1) or respond(x), NOISE, range(1, 60, 2), paths[1], **options)
    assert len(calls) == 30 - 14  # two times seven batches were kept
    assert paths[0].read_bytes() == paths[1].read_bytes()
    calls.clear()
    found = accumulate(dies, NOISE, range(1, 60, 2), paths[1], **options)
    assert not calls
    np.testing.assert_array_equal(found.fields(), load_sums(paths[0]).fields())


@pytest.mark.parametrize(
    "other",
    [
        {"noise": replace(NOISE, seed=4)},
        {"batches": range(5)},
        {"made_by": "other weights"},
        {"regression": True},
    ],
    ids=lambda other: next(iter(other)),
)
def test_sums_of_something_else_are_made_anew(tmp_path, other):
    given = {"noise": NOISE, "batches": range(4), "path": tmp_path / "a.pt", "made_by": "weights"}
    accumulate(respond, **given)
    accumulate(respond, **given | other)
    alone = given | other | {"path": tmp_path / "alone.pt"}
    accumulate(respond, **alone)
    assert given["path"].read_bytes() == alone["path"].read_bytes()


def test_responses_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match=r"responses \(16, 5\) to noise hold NaN"):
        accumulate(lambda x: respond(x) * np.nan, NOISE, range(1))


def test_too_few_images_for_a_batch_are_refused():
    with pytest.raises(ValueError, match=r"no batch of 16 images: ask for more images"):
        accumulate(respond, NOISE, range(0))


class Made(TorchDispatchMode):
    """Sizes in bytes of all tensors that come new out of an operation."""

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        made = operation(*arguments, **options or {})
        given = {a.data_ptr() for a in arguments if isinstance(a, torch.Tensor)}
        if isinstance(made, torch.Tensor) and made.data_ptr() not in given:
            self.sizes.append(made.nbytes)
        return made


def test_memory_is_that_of_the_accumulators_and_a_batch():
    """No operation makes a second (u, p), however many images there are."""
    u, p, n = 400, 500, 20
    sums = Sums.zero(u, p)
    assert sums.nbytes == 4 * u * p + 8 * (u + p)
    assert 4 * 8000 * 144 * 256 + 8 * (8000 + 144 * 256) < 1.2e9
    x, a = torch.rand(n, p), torch.rand(n, u)
    with Made() as made:
        made.sizes = []
        for _ in range(3):
            sums.add(a, x)
    assert made.sizes and max(made.sizes) <= 8 * n * max(u, p)


def test_split_half_is_that_of_its_definition():
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(3, 20000)), rng.normal(size=(2, 3, 20000))
    power = np.array([0.0, 1.0, 4.0])
    f, g = np.sqrt(power)[:, None] * signal + noise
    snr, correlation = split_half(f, g)
    np.testing.assert_allclose(snr, 2 * power, rtol=0.05, atol=0.03)  # noise of the mean is 1/2
    np.testing.assert_allclose(
        correlation, [np.corrcoef(*pair)[0, 1] for pair in zip(f, g, strict=True)]
    )
