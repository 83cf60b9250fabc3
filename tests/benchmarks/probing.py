"""CPU-seconds of probing six layers, every alpha for every unit, beside scikit-learn on one layer.

    python tests/benchmarks/probing.py [--images 3000] [--features 2048] [--units 168]
        [--layers 6] [--source features|gram] [--skip-scikit-learn]

Random features with a spectrum as in networks, responses that they explain in part. Each layer: one
decomposition of all images, 21 alphas, 5 folds, then leave-one-out, alpha per unit. From cached
features of --features columns, or from cached Grams of all images. scikit-learn's RidgeCV has
leave-one-out only. Seconds are of the processor (time.process_time), all threads together.
"""

from __future__ import annotations

import argparse
from time import process_time

import numpy as np
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from src.evaluation.decomposition import decompose, decompose_features
from src.evaluation.folds import stratified_folds
from src.evaluation.gram import streamed_gram
from src.evaluation.ridge import ALPHAS, search

LIMIT = 60  # CPU-seconds for all layers, the target


def layer(given: argparse.Namespace, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Float32 features (n, p) and responses (n, u)."""
    rng = np.random.default_rng(number)
    x = rng.normal(size=(given.images, given.features)) / np.arange(1, given.features + 1) ** 0.5
    y = x[:, :100] @ rng.normal(size=(100, given.units))
    return x.astype(np.float32), y + 3 * rng.normal(size=y.shape)


def main() -> None:
    """Probe, print seconds and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=3000)
    parser.add_argument("--features", type=int, default=2048)
    parser.add_argument("--units", type=int, default=168)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--source", default="features", choices=("features", "gram"))
    parser.add_argument("--skip-scikit-learn", action="store_true")
    given = parser.parse_args()
    folds = stratified_folds(np.arange(given.images) % 64, 5, seed=0)
    seconds = {"decomposition": 0.0, "5 folds": 0.0, "leave-one-out": 0.0}
    with threadpool_limits(1):
        for number in range(given.layers):
            x, y = layer(given, number)
            cached = x if given.source == "features" else streamed_gram(x)
            began = process_time()
            d = decompose_features(x) if given.source == "features" else decompose(cached)
            seconds["decomposition"] += process_time() - began
            for name, groups in (("5 folds", folds), ("leave-one-out", None)):
                began = process_time()
                choice = search(d, y, ALPHAS, groups)
                seconds[name] += process_time() - began
        ours = seconds["decomposition"] + seconds["5 folds"]
        verdict = "within" if ours < LIMIT else "ABOVE"
        print(f"{given.layers} layers from {given.source}, {x.shape}, {given.units} units:")
        print("  CPU-seconds:", ", ".join(f"{k} {s:.1f}" for k, s in seconds.items()))
        print(f"  whole grid with 5 folds: {ours:.1f}, {verdict} {LIMIT}")
        if not given.skip_scikit_learn:
            began = process_time()
            theirs = RidgeCV(ALPHAS * d.scale, alpha_per_target=True).fit(x.astype(float), y)
            sklearn = process_time() - began
            one = (seconds["decomposition"] + seconds["leave-one-out"]) / given.layers
            same = np.mean(np.isclose(theirs.alpha_, choice.alpha * d.scale))
            print(f"  leave-one-out, one layer: ours {one:.1f}, RidgeCV {sklearn:.1f}, ", end="")
            print(f"ratio {sklearn / one:.1f}; {same:.0%} of alphas the same")


if __name__ == "__main__":
    main()
