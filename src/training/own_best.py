"""Each unit keeps the weights of the epoch that was best for it, where nothing is shared.

On features that are not trained, units know nothing of each other: one may stop early while another
goes on. Source: specification nsd_gnet, 5.2 (AlexNet-fpf).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch


class OwnBest:
    """The best score and epoch of each unit so far, and how their weights are put together."""

    def __init__(self, sessions: Mapping[str, Any]) -> None:
        self.scores = {key: np.full(s.n_units, -np.inf) for key, s in sessions.items()}
        self.epochs = {key: np.zeros(s.n_units, int) for key, s in sessions.items()}

    def keep(
        self,
        epoch: int,
        scores: Mapping[str, np.ndarray],
        best: dict[str, torch.Tensor],
        now: Mapping[str, torch.Tensor],
    ) -> None:
        """Copy the readouts of units that improved from the weights `now` into the `best`."""
        for key, found in scores.items():
            better = found > self.scores[key]
            self.scores[key][better], self.epochs[key][better] = found[better], epoch
            rows = torch.from_numpy(better)
            for name in (n for n in best if n.startswith(f"readouts.{key}.")):
                best[name][rows] = now[name][rows]

    def table(self) -> pd.DataFrame:
        """A row a unit: session, unit, epoch and score."""
        parts = [
            pd.DataFrame({"unit": np.arange(len(e)), "epoch": e, "score": self.scores[key]}).assign(
                session=key
            )
            for key, e in self.epochs.items()
        ]
        return pd.concat(parts, ignore_index=True)[["session", "unit", "epoch", "score"]]

    def state(self) -> dict[str, Any]:
        """What a resumed run needs."""
        plain = {k: v.tolist() for k, v in self.epochs.items()}
        return {"epochs": plain, "scores": {k: v.tolist() for k, v in self.scores.items()}}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.epochs = {k: np.array(v, int) for k, v in state["epochs"].items()}
        self.scores = {k: np.array(v, float) for k, v in state["scores"].items()}
