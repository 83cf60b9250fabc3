"""What the levels of a hierarchical readout contribute: their weights, and how much they vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from src.models.hierarchical_readout import HierarchicalReadout
from src.models.stitching import stitcher_of

COLUMNS = ("session", "level", "weight", "contribution")


@torch.no_grad()
def level_table(encoder: Any, session: Any, trials: np.ndarray) -> pd.DataFrame:
    """Of each level, units a group: its mean weight, and std of weight times level over time.

    The std is per unit, over frames of the windows of `trials`, mean over units. No rows for other
    readouts.
    """
    readout, rows = encoder.readouts[session.key], []
    if not isinstance(readout, HierarchicalReadout):
        return pd.DataFrame(columns=COLUMNS)
    stitcher = stitcher_of(encoder)
    parts = [_contributions(encoder, session, int(trial), stitcher) for trial in trials]
    weights, values = (np.concatenate(x) for x in zip(*parts, strict=True))  # (w, l), (w, l, t, u)
    for i, level in enumerate((1, *readout.config.levels)):
        spread = values[:, i].reshape(-1, session.n_units).std(axis=0).mean()
        rows.append((session.key, level, float(weights[:, i].mean()), float(spread)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _contributions(
    encoder: Any, session: Any, trial: int, stitcher: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the levels in each window of a trial, and weighted levels."""
    scored = session.scored_frames(trial)
    starts = stitcher.starts(range(scored.start, scored.stop))
    device = next(encoder.parameters()).device
    batch = session.clips(np.full(len(starts), trial), starts, device, stitcher.clip, 0)
    readout, x = encoder.readouts[session.key], encoder.features(batch, session.key, None)
    shift = encoder.shift(batch, session.key)
    shift = None if shift is None else shift[:, -x.shape[2] :]
    levels = readout.levels(x, shift)
    weights = [torch.as_tensor(w).expand(len(x), 1, 1) for w in readout.weights(levels)]
    weighted = torch.stack([w * y for w, y in zip(weights, levels, strict=True)], 1)
    return torch.cat(weights, 1)[..., 0].cpu().numpy(), weighted.cpu().numpy()
