"""Clips ready to train: crop first from the packed store, against whole trials normalized first.

    python tests/benchmarks/video_loading.py [--trials 4] [--units 7900] [--batch 32] [--rounds 7]

Writes a few full-size simulated trials (36 x 64 pixels, T = 324, float64) to a temporary folder,
packs them, and times ways to the same batches of clips on a warm page cache, one thread, in turns:
ours, of the response frames that Dynamic-VFM is trained on, the last 15 of 30 (specification
sensorium2023, 6), ours of all 30, and a plain re-writing of the published order (4.2): load the
four files, normalize all padded frames of all units, cut at the first NaN of any kind, crop, stack.
Its resize to the size that videos have already, 13 ms there, is left out. Batches are float32 and
normalized: nothing is left to the training step. Of each way the median of the rounds and their
range; freed memory is kept for the next batch, as in training, for all of them (`keep_memory`).
Then the size on disk and in memory.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import resource
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch

from src.config import InputConfig
from src.data.movie_mouse import KINDS, open_movie_mouse
from src.data.movie_pack import pack_movies
from src.data.movies import FRAMES as CLIP
from src.data.movies import MovieSession
from src.training.device import keep_memory

FRAMES, PAD, H, W = 300, 324, 36, 64
ANSWERED = 15  # last frames of a clip that Dynamic-VFM predicts
MICE, TRIALS = 10, 380  # a mouse's train and oracle trials, for the arithmetic below


def write_mouse(folder: Path, n: int, u: int) -> None:
    """A simulated mouse of `n` trials, the last one of the oracle tier."""
    draw = np.random.default_rng(0)
    rows = {"videos": (H, W), "responses": (u,), "behavior": (2,), "pupil_center": (2,)}
    arrays = {
        "meta/trials/tiers": np.array(["train"] * (n - 1) + ["oracle"]),
        "meta/neurons/unit_ids": np.arange(u),
    }
    for kind, row in rows.items():
        trials = np.full((n, *row, PAD), np.nan)
        shape = (n, *row, FRAMES)
        values = draw.integers(0, 256, shape) if kind == "videos" else draw.gamma(1, 4, shape)
        trials[..., :FRAMES] = values
        for i, trial in enumerate(trials):
            arrays[f"data/{kind}/{i}"] = trial
        for name in ("mean", "std"):
            found = np.full((*row, PAD), np.nan)
            found[..., :FRAMES] = draw.uniform(5, 10, (*row, FRAMES))  # few trials have none
            arrays[f"meta/statistics/{kind}/all/{name}"] = found
    for name, array in arrays.items():
        path = folder / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)


class WholeTrials:
    """The published order: whole trials in float64, then a crop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        names = [(kind, name) for kind in KINDS for name in ("mean", "std")]
        at = {p: folder / f"meta/statistics/{p[0]}/all/{p[1]}.npy" for p in names}
        self.statistics = {pair: np.load(path) for pair, path in at.items()}
        std = self.statistics["responses", "std"]
        floor = 0.01 * np.nanmean(std)
        self.precision = np.where(std > floor, 1 / std, 1 / floor)

    def clip(self, i: int, start: int) -> tuple[torch.Tensor, ...]:
        """Video (1, t, h, w), responses (t, u), behavior (t, 2), pupil (t, 2) of 30 frames."""
        raw = {kind: np.load(self.folder / f"data/{kind}/{i}.npy") for kind in KINDS}
        mean = {kind: self.statistics[kind, "mean"] for kind in KINDS}
        std = {kind: self.statistics[kind, "std"] for kind in KINDS}
        whole = {
            "videos": (raw["videos"] - mean["videos"]) / std["videos"],
            "responses": raw["responses"] * self.precision,
            "behavior": raw["behavior"] / std["behavior"],
            "pupil_center": (raw["pupil_center"] - mean["pupil_center"]) / std["pupil_center"],
        }
        bad = [np.isnan(x).reshape(-1, x.shape[-1]).any(0) for x in whole.values()]
        end = min(int(np.argmax(x)) if x.any() else len(x) for x in bad)
        assert start + 30 <= end
        cut = {k: np.moveaxis(x[..., :end], -1, 0)[start : start + 30] for k, x in whole.items()}
        made = [torch.from_numpy(np.ascontiguousarray(x)).float() for x in cut.values()]
        return made[0][None], *made[1:]

    def batch(self, index: np.ndarray, starts: np.ndarray) -> list[torch.Tensor]:
        """Clips one after the other, then stacked, as a loader's default collation does."""
        pairs = zip(index.tolist(), starts.tolist(), strict=True)
        clips = [self.clip(i, start) for i, start in pairs]
        return [torch.stack(parts) for parts in zip(*clips, strict=True)]


def private_mb() -> float:
    """Private (anonymous) resident memory of this process, what was freed given back first."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) / 1024 for x in lines if x.startswith("RssAnon"))


def require_equal(ours: MovieSession, theirs: WholeTrials, asked: tuple[np.ndarray, ...]) -> None:
    """AssertionError unless both ways make the same batch, but for the rounding of float16."""
    batch = ours.clips(*asked, answered=ANSWERED)
    made = batch.images, batch.responses, batch.behavior, batch.pupil
    wanted = theirs.batch(*asked)
    wanted[1] = wanted[1][:, -ANSWERED:]
    for a, b, rtol in zip(made, wanted, (1e-4, 1e-3, 1e-5, 1e-4), strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=2e-4)


def milliseconds(
    ways: Mapping[str, tuple[int, Callable]], draw: np.random.Generator, given: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Wall and CPU time of one clip, each way in turn, a row a round: -> (rounds, 2) each.

    A way makes so many batches a round. Before the first one it makes two that do not count.
    """
    found = {name: [] for name in ways}
    for number in range(-1, given.rounds):
        for name, (batches, function) in ways.items():
            size = 2 if number < 0 else batches, given.batch, 2
            asked = draw.integers(0, [given.trials, FRAMES - CLIP], size)
            start = perf_counter(), process_time()
            for pairs in asked:
                function(*pairs.T)
            spent = perf_counter() - start[0], process_time() - start[1]
            found[name] += [spent] if number >= 0 else []
    sizes = {name: batches * given.batch for name, (batches, _) in ways.items()}
    return {name: 1e3 * np.array(times) / sizes[name] for name, times in found.items()}


def report(found: Mapping[str, np.ndarray]) -> None:
    """Print the median of each way and its range, then how often each is as fast as theirs."""
    *ours, theirs = found
    for name, times in found.items():
        wall, cpu = np.median(times, 0)
        low, high = times[:, 1].min(), times[:, 1].max()
        print(f"{name:28s} {cpu:6.3f} ms of CPU a clip ({low:.3f} to {high:.3f}), {wall:.3f} wall")
    for name in ours:
        ratios = found[theirs] / found[name]
        (wall, cpu), (low, high) = np.median(ratios, 0), (ratios[:, 1].min(), ratios[:, 1].max())
        print(f"{name}: {cpu:.0f} times as fast (CPU, {low:.0f} to {high:.0f}), {wall:.0f} (wall)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("trials", 4), ("units", 7900), ("batch", 32), ("rounds", 7)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder, cache = Path(temporary) / "dynamic1-2-3-Video-simulated", Path(temporary) / "cache"
        write_mouse(folder, args.trials, args.units)
        pack_movies(open_movie_mouse(folder), cache / "a")
        inputs = InputConfig(scale="full", behavior=True, pupil=True)
        ours, theirs = MovieSession(cache / "a", inputs), WholeTrials(folder)
        draw = np.random.default_rng(1)
        asked = tuple(draw.integers(0, [args.trials, FRAMES - CLIP], (8, 2)).T)
        require_equal(ours, theirs, asked)
        before, more = private_mb(), [MovieSession(cache / "a", inputs) for _ in range(4)]
        for session in more:
            session.clips(*asked)  # files are mapped, statistics placed
        added = (private_mb() - before) / len(more)
        keep_memory()
        ways = {
            "crop first, answered frames": (8, partial(ours.clips, answered=ANSWERED)),
            "crop first, all frames": (8, ours.clips),
            "whole trials": (1, theirs.batch),
        }
        found = milliseconds(ways, draw, args)
        disk = sum(f.stat().st_size for f in cache.rglob("*.npy"))
        raw = sum(f.stat().st_size for f in folder.rglob("data/*/*.npy"))
    print(f"simulated: {args.trials} trials of {FRAMES} of {PAD} frames, {args.units} units")
    report(found)
    sizes = [size / args.trials / 1e6 for size in (raw, disk)]
    print(f"a trial: {sizes[0]:.1f} MB as published, {sizes[1]:.1f} MB packed")
    print(f"one more open session: {added:.0f} MB private; {MICE} mice {MICE * added / 1e3:.2f} GB")
    print(f"all trials of {MICE} mice in float64: {MICE * TRIALS * sizes[0] / 1e3:.0f} GB")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of all this: {peak:.0f} MB")


if __name__ == "__main__":
    main()
