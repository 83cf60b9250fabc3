"""What a model loses without one of its inputs: differences with intervals, seeds and p-values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from src.evaluation.bootstrap import Draws, Metric, exchanged_differences
from src.evaluation.intervals import SessionResults, comparison_table
from src.evaluation.metrics import total_variance


def ablation_table(
    results: Sequence[SessionResults],
    pairs: Sequence[tuple[str, str]],
    generator: np.random.Generator,
    resamples: int = 1000,
    metric: Metric = "single",
) -> pd.DataFrame:
    """As `comparison_table`, means over sessions of one metric, with seeds and a permutation p.

    Predictions are (k, n, u), k members of equal seeds in all models. Columns: those, p, and the
    difference of each pair of members as seed_1 ... seed_k.
    """
    scored = [x for x in results if total_variance(x.responses).any()]
    table = comparison_table(scored, pairs, generator, resamples)
    means = table[table["session"].str.startswith("mean") & (table["metric"] == metric)]
    ids = np.unique(np.concatenate([x.image_ids for x in scored]))
    swaps = Draws(ids, generator.integers(0, 2, (resamples, len(ids))))
    unswapped = Draws(ids, np.zeros((1, len(ids)), int))
    rows = []
    for model, other in pairs:
        null = _differences(scored, model, other, metric, swaps).mean(1)
        seeds = _differences(scored, model, other, metric, unswapped)[0]
        reached = np.abs(null) >= np.abs(seeds.mean()) - 1e-12
        p = (1 + reached.sum()) / (1 + resamples)
        rows.append({"p": p, **{f"seed_{k}": d for k, d in enumerate(seeds, 1)}})
    return pd.concat([means.reset_index(drop=True), pd.DataFrame(rows)], axis=1)


def _differences(
    results: Sequence[SessionResults], model: str, other: str, metric: Metric, swaps: Draws
) -> np.ndarray:
    """Difference of each pair of members, mean over sessions: -> (b, k)."""
    return np.mean(
        [
            [
                exchanged_differences(metric, p, q, x.responses, x.image_ids, swaps)
                for p, q in zip(x.predictions[model], x.predictions[other], strict=True)
            ]
            for x in results
        ],
        axis=0,
    ).T
