"""Which recipe of GNet predicts better, on simulated NSD: validation and test correlations.

    python tests/benchmarks/gnet_accuracy.py FOLDER [--scans 12] [--shared 240] [--epochs 15]
        [--width 32] [--voxels 10] [--size 113] [--generator hierarchical] [--seeds 2]
        [--average 0.99] [--transfer]

One simulated subject, a random prefilter stored once. The published recipe
(trunk and readout stepped after a pass each, batches in the order shown), ours (one pass,
shuffled) and on request ours with a moving average of the weights start from the same weights and
see the same trials; ours has half the passes. Medians over voxels of correlations with single
trials; the ceiling is what the signal itself reaches. Differences from the published recipe are
paired by seed, with a 95 % interval of Student's t. Eighty images stop a training and 160 test:
with a dozen, recipes differ by .04 for no reason. With --transfer a trunk is trained for each area,
read by the voxels of all, and alpha printed: near 1 says that later areas are made of earlier ones.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch
from scipy.stats import t

from src.analyses.transfer import asymmetry, asymmetry_samples, transfer_matrix
from src.config import (
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
)
from src.correlation import pearson
from src.data.nsd import EARLY
from src.data.nsd_session import open_subjects
from src.data.pack import pack
from src.data.session import Session, open_sessions
from src.data.splits import official_split
from src.evaluation.prediction import predict
from src.models.encoder import Encoder
from src.models.extraction import extract
from src.models.gnet import prefilter_network
from src.models.map_sessions import open_inputs
from src.simulate.nsd import SimulatedNsd, load_truth, simulate_nsd
from src.training.trainer import train

MAPS = InputConfig(scale="full", maps="prefilter/conv2")
OURS = TrainingConfig(
    batch_size=50,
    learning_rate=1e-3,
    loss="batch_rho2",
    turns="alone",
    score="median",
    start_counts=False,
)
LEGACY = replace(OURS, two_pass=True, contiguous=True)


def prepared(root: Path, world: SimulatedNsd) -> Session:
    """The simulated subject, packed, showing the prefilter's maps."""
    simulate_nsd(root / "nsd", root / "truth", world, seed=1)
    (subject,) = open_subjects(root / "nsd", world.pixels)
    pack(subject, root / "packed" / subject.key)
    images = open_sessions(root / "packed", InputConfig(scale="full"))[subject.key].images
    mean = tuple(float(m) for m in np.mean(images[::5], (0, 2, 3)) / 255)
    network = prefilter_network(mean, world.pixels, seed=0)
    extract(network, images, root / "features/prefilter" / subject.key, ["conv2"], 32, "float16")
    return open_inputs(root / "packed", MAPS, root / "features")[subject.key]


def fit(
    session: Session, folder: Path, width: int, recipe: TrainingConfig, seed: int, start=None
) -> tuple[float, np.ndarray, Encoder]:
    """Best validation score, correlation of each voxel with single test trials, and the model."""
    core = GNetCoreConfig("stored", width=width)
    model = ModelConfig("gnet", core, MAPS, PoolingReadoutConfig(), output="identity")
    encoder = Encoder(model, {session.key: session}, seed)
    if start is not None:
        encoder.core.load_state_dict(start.core.state_dict())
    split = official_split(session)
    given = {session.key: session}, {session.key: split}, recipe, seed, folder, "cpu"
    history = train(encoder, *given, progress=False)
    found = predict(encoder, session, split.test, device="cpu")
    return history.best.iloc[-1], pearson(found, session.responses(split.test).numpy()), encoder


def transfer(session: Session, root: Path, width: int, recipe: TrainingConfig) -> None:
    """Print the transfer matrix and alpha with an interval over voxels."""
    area = np.array([EARLY.index(name) for name in session.area])
    rows = []
    for name in EARLY:
        *_, trunk = fit(session.select(area=name), root / f"own_{name}", width, recipe, 0)
        still = replace(recipe, core_rate=0.0)
        rows.append(fit(session, root / f"on_{name}", width, still, 0, trunk)[1])
    transferred = np.array(rows)
    own = transferred[area, np.arange(len(area))]
    matrix, _ = transfer_matrix(transferred, own, area)
    found = asymmetry(matrix)
    samples = asymmetry_samples(transferred, own, area, 500, np.random.default_rng(0))
    low, high = np.nanquantile(samples[:, 2], [0.025, 0.975])
    print(np.round(matrix, 3))
    print(f"up {found.up:.4f}, down {found.down:.4f}, alpha {found.alpha:.2f}", end=" ")
    print(f"({low:.2f} to {high:.2f} with other voxels)")


def compare(found: dict[str, list[tuple[float, float]]]) -> None:
    """Print how much better each recipe is than the published one, on validation and on test."""
    theirs = np.array(found.pop("published"))
    for name, scores in found.items():
        gain = np.array(scores) - theirs
        half = t.ppf(0.975, len(gain) - 1) * gain.std(0, ddof=1) / np.sqrt(len(gain))
        for part, middle, width in zip(("validation", "test"), gain.mean(0), half, strict=True):
            said = f"{middle:+.4f} ({middle - width:+.4f} to {middle + width:+.4f})"
            print(f"{name} less published, {part}: {said}, {len(gain)} seeds")


def main() -> None:
    """Train every way from each seed, print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scans", type=int, default=12, help="of 150 trials")
    parser.add_argument("--shared", type=int, default=240, help="images to stop and test with")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--voxels", type=int, default=10, help="of each area")
    parser.add_argument("--size", type=int, default=113, help="pixels a side")
    parser.add_argument("--generator", default="hierarchical")
    parser.add_argument("--ncsnr", type=float, default=1.0)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--average", type=float, default=0.0, help="decay a step; 0: left out")
    parser.add_argument("--transfer", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    world = SimulatedNsd(
        subjects=1,
        scans=given.scans + 1,  # the last one is missed
        trials_per_scan=150,
        shared=given.shared,
        pixels=given.size,
        volume=(14, 16, 15),
        voxels=given.voxels,
        generator=given.generator,
        ncsnr=given.ncsnr,
        twins=False,
        odd=False,
    )
    session = prepared(given.folder, world)
    q = load_truth(given.folder / "truth/subj01.npz").ncsnr
    ceiling = np.median(q / np.sqrt(1 + q**2))
    split = official_split(session)
    counts = ", ".join(f"{len(getattr(split, p))} {p}" for p in ("train", "validation", "test"))
    print(f"trials: {counts}; {session.n_units} voxels, ceiling {ceiling:.3f}")
    recipes = {"published": LEGACY, "ours": OURS}
    if given.average:
        recipes["ours, averaged"] = replace(OURS, average=given.average)
    found = {name: [] for name in recipes}
    for seed in range(given.seeds):
        for name, recipe in recipes.items():
            recipe = replace(recipe, max_epochs=given.epochs, patience=given.epochs)
            folder, began = given.folder / f"runs/{name}_{seed}", process_time()
            best, test, _ = fit(session, folder, given.width, recipe, seed)
            spent, found[name] = process_time() - began, [*found[name], (best, np.median(test))]
            scores = f"validation {best:.4f}, test {np.median(test):.4f}"
            print(f"{name}, seed {seed}: {scores}, {spent:.0f} CPU-s", flush=True)
    compare(found)
    if given.transfer:
        recipe = replace(OURS, max_epochs=given.epochs, patience=given.epochs)
        transfer(session, given.folder / "runs", given.width, recipe)


if __name__ == "__main__":
    main()
