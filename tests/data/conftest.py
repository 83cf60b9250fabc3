"""A small simulated mouse in the on-disk layout, written file by file, with what was written."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest


def _save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


@pytest.fixture
def write_mouse(tmp_path):
    """Function that writes a simulated mouse of 60 trials, 7 units; arguments vary it."""

    def write(
        name="static21067-10-18-GrayImageNet-simulated",
        shape=(1, 16, 24),
        image_dtype=np.float32,
        response_dtype=np.float64,
        statistics=True,
        recording=False,
        tiers=("train",) * 30 + ("validation",) * 10 + ("test",) * 20,
        seed=1,
    ):
        draw, n, u = np.random.default_rng(seed), len(tiers), 7
        folder, tiers = tmp_path / "raw" / name, np.array(tiers)
        image_ids = np.where(tiers == "test", 1000 + np.arange(n) % 5, np.arange(n))
        pictures = {i: draw.integers(0, 256, shape, np.uint8) for i in np.unique(image_ids)}
        truth = {
            "images": np.stack([pictures[i] for i in image_ids]).astype(image_dtype),
            "responses": draw.gamma(1, 2, (n, u)).astype(response_dtype),
        }
        if not recording:
            truth["behavior"] = draw.normal(2, 1, (n, 3))
            truth["pupil_center"] = draw.normal(50, 3, (n, 2))
        for kind, values in truth.items():
            for i, value in enumerate(values):
                odd = kind == "behavior" and i % 2  # (3,) and (1, 3) both occur
                _save(folder / f"data/{kind}/{i}.npy", value[None] if odd else value)
        train = tiers == "train"
        for kind, values in list(truth.items()) if statistics else ():
            axis = None if kind == "images" else 0
            for stat in ("mean", "std"):
                value = getattr(np, stat)(values[train].astype(float), axis=axis)
                truth[f"{kind}_{stat}"] = value
                _save(folder / f"meta/statistics/{kind}/all/{stat}.npy", value)
        truth |= {"tiers": tiers, "trial_idx": draw.permutation(n), "frame_image_id": image_ids}
        truth |= {"unit_ids": np.array([1, 2, 4, 5, 9, 10, 12])}
        for field in ("tiers", "trial_idx", "frame_image_id"):
            _save(folder / f"meta/trials/{field}.npy", truth[field])
        _save(folder / "meta/neurons/unit_ids.npy", truth["unit_ids"])
        if not recording:
            for field, value in (("animal_ids", 21067), ("sessions", 10), ("scan_idx", 18)):
                _save(folder / f"meta/neurons/{field}.npy", np.full(u, value))
            truth["area"] = np.array(["V1"] * 5 + ["LM"] * 2)
            truth["layer"] = np.array(["L2/3", "L4"] * 3 + ["L2/3"])
            truth["cell_motor_coordinates"] = draw.normal(0, 100, (u, 3))
            for field in ("area", "layer", "cell_motor_coordinates"):
                _save(folder / f"meta/neurons/{field}.npy", truth[field])
        return SimpleNamespace(folder=folder, **truth)

    return write
