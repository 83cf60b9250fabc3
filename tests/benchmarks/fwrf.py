"""CPU-seconds of feature-weighted receptive fields, beside one candidate after the other.

    python tests/benchmarks/fwrf.py [--images 1000] [--voxels 1000] [--candidates 40]
        [--plain 2] [--threads 1]

Random maps of the sizes of AlexNet's five convolutions (256 of 27x27, 896 of 13x13), 2680
candidate fields and 9 lambdas; a tenth of the images is held out. Of all candidates --candidates
evenly spread ones are measured and --plain of the straightforward solver: maps are pooled for each
candidate, and for each lambda the penalized covariance of the features is made and inverted. What
all 2680 take is scaled from that, as is said. Errors of both are compared.
"""

from __future__ import annotations

import argparse
import resource
from time import process_time

import numpy as np
from threadpoolctl import threadpool_limits

from src.data.gaussian_fields import field_grid, field_weights
from src.evaluation.field_ridge import LAMBDAS, fit_fields

SHAPES = (256, 27), (896, 13)


def plain(maps: list[np.ndarray], y: np.ndarray, field: np.ndarray, n: int) -> np.ndarray:
    """Squared errors (a, u) by the definition, first n rows train."""
    seen = []
    for layer in maps:
        weights = field_weights(field[None], *layer.shape[2:]).reshape(-1)
        flat = layer.reshape(*layer.shape[:2], -1)
        parts = [flat[i : i + 32].astype(np.float32) @ weights for i in range(0, len(flat), 32)]
        seen.append(np.concatenate(parts))
    x = np.concatenate(seen, axis=1).astype(np.float64)
    x = np.column_stack([(x - x.mean(0)) / (x.std(0) + 1e-6), np.ones(len(x))])
    errors = []
    for penalty in LAMBDAS:
        inverse = np.linalg.inv(x[:n].T @ x[:n] + penalty * np.eye(x.shape[1]))
        beta = inverse @ (x[:n].T @ y[:n])
        errors.append(((y[n:] - x[n:] @ beta) ** 2).sum(0))
    return np.array(errors)


def main() -> None:
    """Fit both ways, print seconds, the ratio and the largest difference."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--voxels", type=int, default=1000)
    parser.add_argument("--candidates", type=int, default=40)
    parser.add_argument("--plain", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    shapes = ((given.images, c, s, s) for c, s in SHAPES)
    maps = [rng.random(shape, np.float32).astype(np.float16) for shape in shapes]
    y = rng.normal(size=(given.images, given.voxels))
    every = field_grid(0.03, 1.0)
    some = every[np.linspace(0, len(every) - 1, given.candidates).astype(int)]
    n = given.images * 9 // 10
    rows = np.arange(n), np.arange(n, given.images)
    with threadpool_limits(given.threads):
        began = process_time()
        fit = fit_fields(maps, y, some, *rows, LAMBDAS, legacy=True)
        ours = process_time() - began
        began = process_time()
        errors = [plain(maps, y, field, n) for field in some[: given.plain]]
        theirs = (process_time() - began) / given.plain
    first = fit_fields(maps, y, some[: given.plain], *rows, LAMBDAS, legacy=True)
    best = np.concatenate(errors).min(0)
    passes = -(-len(every) // 100)
    print(f"{given.images} images, {given.voxels} voxels, 1152 features, {len(LAMBDAS)} lambdas,")
    print(f"{len(some)} of {len(every)} candidates, {given.threads} threads; CPU-seconds:")
    print(f"  ours, second fit of {len(fit.used)} chosen included: {ours / len(some):.3f} each,")
    print(f"    all {len(every)}: {ours / len(some) * len(every):.0f}, {passes} passes over maps")
    print(f"  straightforward: {theirs:.2f} each, all {theirs * len(every):.0f}, 2680 passes")
    print(f"  ratio {theirs / (ours / len(some)):.1f}; errors differ by", end=" ")
    print(f"{np.abs(first.error / best - 1).max():.1e}; ", end="")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
