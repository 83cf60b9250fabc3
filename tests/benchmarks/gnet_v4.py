"""GNet and receptive fields on AlexNet for recorded V4 sites: correlations on unseen images.

    python tests/benchmarks/gnet_v4.py RECORDINGS WEIGHTS FOLDER [--sessions 210224 210325]
        [--epochs 30] [--width 32] [--size 113] [--grid 0.12 1.2] [--seed 0]

RECORDINGS holds images_<session>.zip and responses_<session>.npy, WEIGHTS alexnet's convolutions;
maps are kept in FOLDER. The first half of a session's images trains (a tenth of it stops GNet, a
third chooses fields), the second half tests; an image that any session tests trains none.
Responses are means over repeats.
A ridge from one layer of AlexNet at the same split reaches, median over units: 210224 .486 (conv3),
210325 .505 (conv2).
"""

from __future__ import annotations

import argparse
import io
import zipfile
from math import inf
from pathlib import Path
from time import process_time
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from src.config import (
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
)
from src.correlation import pearson
from src.data.batch import Batch
from src.data.gaussian_fields import field_grid
from src.data.hashes import image_sha256
from src.data.splits import Split
from src.evaluation.field_ridge import fit_fields
from src.models.encoder import Encoder
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.studies.records import FrozenNetwork
from src.training.schedule import Schedule
from src.training.trainer import Run

LAYERS = ("features.2", "conv2", "conv3", "conv4", "conv5")


def read(folder: Path, session: str) -> tuple[np.ndarray, np.ndarray]:
    """Images in the order of their names, and responses: -> (n, 3, h, w) uint8, (n, u)."""
    with zipfile.ZipFile(folder / f"images_{session}.zip") as stored:
        names = [n for n in stored.namelist() if n.endswith(".jpg") and "__MACOSX" not in n]
        names.sort(key=lambda name: name.rsplit("/")[-1])
        shown = [np.asarray(Image.open(io.BytesIO(stored.read(n))).convert("RGB")) for n in names]
    responses = np.load(folder / f"responses_{session}.npy").T
    return np.stack(shown).transpose(0, 3, 1, 2), responses


def split(hashes: list[str], tested: set[str], seed: int) -> Split:
    """First half trains but for a tenth, second half tests."""
    first = np.array([i for i in range(len(hashes) // 2) if hashes[i] not in tested])
    order = np.random.default_rng(seed).permutation(first)
    n = len(order) // 10
    test = np.arange(len(hashes) // 2, len(hashes))
    return Split(np.sort(order[n:]), np.sort(order[:n]), test)


def gnet(maps: dict, responses: dict, splits: dict, given: argparse.Namespace) -> dict:
    """Predictions of the test images by session: one trunk, the best of all epochs."""
    sessions = {
        key: SimpleNamespace(
            n_units=responses[key].shape[1],
            image_shape=maps[key].shape[1:],
            n_trials=len(responses[key]),
            coordinates=None,
            mean_response=None,
            behavior_missing=False,
            pupil_missing=False,
            batch=lambda index, _, key=key: Batch(
                torch.from_numpy(np.array(maps[key][index], np.float32)),
                torch.from_numpy(responses[key][index].astype(np.float32)),
            ),
        )
        for key in maps
    }
    inputs = InputConfig(scale="full", maps="prefilter/conv2")
    core = GNetCoreConfig("stored", width=given.width)
    model = ModelConfig("gnet", core, inputs, PoolingReadoutConfig(), output="identity")
    recipe = TrainingConfig(
        batch_size=50,
        learning_rate=1e-3,
        max_epochs=given.epochs,
        patience=given.epochs,
        loss="batch_rho2",
        turns="alone",
        score="median",
        start_counts=False,
    )
    run = Run(Encoder(model, sessions, given.seed), sessions, splits, recipe, given.seed)
    run.schedule, run.best = Schedule.start(recipe, -inf), run.weights()
    while not run.schedule.finished:
        row = run.epoch()
        print(f"  epoch {row['epoch']}: validation {row['validation']:.4f}", flush=True)
    run.encoder.load_state_dict(run.best)
    run.encoder.eval()
    with torch.inference_mode():
        return {
            key: np.concatenate([run.encoder(b, key) for b in run.batches(key, splits[key].test)])
            for key in sessions
        }


def main() -> None:
    """Extract, fit both, print medians over units."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("recordings", "weights", "folder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--sessions", nargs="*", default=["210224", "210325"])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--size", type=int, default=113, help="pixels a side that GNet sees")
    parser.add_argument("--grid", type=float, nargs=2, default=[0.12, 1.2])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    images, responses, maps = {}, {}, {}
    for key in given.sessions:
        images[key], y = read(given.recordings, key)
        half = y[: len(y) // 2]
        responses[key] = (y - half.mean(0)) / half.std(0)
    hashes = {key: image_sha256(x) for key, x in images.items()}
    tested = {h for found in hashes.values() for h in found[len(found) // 2 :]}
    splits = {key: split(found, tested, given.seed) for key, found in hashes.items()}
    mean = tuple(np.mean([x[: len(x) // 2].mean((0, 2, 3)) for x in images.values()], 0) / 255)
    plans = {
        "prefilter": FrozenNetwork("prefilter", "gnet_prefilter", size=given.size, mean=mean),
        "alexnet": FrozenNetwork("alexnet", "alexnet"),
    }
    for name, plan in plans.items():
        network = frozen_network(plan, given.size, 0, given.weights)
        for key, shown in images.items():
            pool, layers = (0, ["conv2"]) if name == "prefilter" else (14, LAYERS)
            how = {layer: Reduction(pool) for layer in layers}
            place = extract(network, shown, given.folder / name / key, how, dtype="float16")
            maps[name, key] = [open_features(place, layer, hashes[key]) for layer in layers]
    fields, lambdas = field_grid(*given.grid), np.logspace(1, 6, 9)
    for key, y in responses.items():
        part, began = splits[key], process_time()
        rows = np.concatenate([part.train, part.validation])  # a third chooses, then all are fitted
        halves = np.delete(rows, np.s_[::3]), rows[::3]
        fit = fit_fields(maps["alexnet", key], y, fields, *halves, lambdas)
        r = pearson(fit.predict([m[part.test] for m in maps["alexnet", key]]), y[part.test])
        spent = process_time() - began
        print(f"{key}: {len(part.train)} train, {len(part.test)} test, {y.shape[1]} units")
        print(f"  fwRF on AlexNet: median r {np.median(r):.3f}, mean {r.mean():.3f}; {spent:.0f} s")
    began = process_time()
    if not given.epochs:
        return
    found = gnet({k: maps["prefilter", k][0] for k in images}, responses, splits, given)
    for key, predicted in found.items():
        r = pearson(predicted, responses[key][splits[key].test])
        print(f"{key}: GNet, one trunk: median r {np.median(r):.3f}, mean {r.mean():.3f}")
    print(f"  {process_time() - began:.0f} CPU-seconds")


if __name__ == "__main__":
    main()
