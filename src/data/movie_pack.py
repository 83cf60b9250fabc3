"""Pack a mouse that watched films once, so that a crop is one read of a few frames.

    <processed>/videos/<sha256>.npy   (t, h, w), each different film once for all sessions
    <processed>/<session>/responses.npy, behavior.npy, pupil_center.npy   (frames of all trials, k)
                          meta.npz    tables, valid lengths, statistics frame by frame

Films are uint8 where all their pixels are whole numbers from 0 to 255, else float16, and are named
after their content: a partner mouse that saw the same one adds nothing. Responses are float16 (or
float32): the manifest says what rounding that means.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from src.data.build import Build
from src.data.errors import DataError
from src.data.frame_statistics import FrameMoments
from src.data.hashes import movie_sha256
from src.data.movie_mouse import KINDS, MovieMouse, MovieTrial
from src.data.pack import pack
from src.data.rows import Rows
from src.manifest import replacing

BLOCK = 16  # trials between two completion marks
VIDEOS = "videos"  # folder beside the sessions


def pack_movies(mouse: MovieMouse, folder: Path) -> None:
    """Pack `mouse` into `folder`, its films beside it; does nothing if what is there is current.

    Otherwise as `pack`. A session whose films are gone is packed again.
    """
    folder = Path(folder)
    if (folder / "manifest.json").is_file() and missing_videos(folder):
        (folder / "manifest.json").unlink()
    pack(mouse, folder, partial(_build, videos=folder.parent / VIDEOS))


def missing_videos(folder: Path) -> list[str]:
    """Names of the films of a packed session that are no longer there."""
    with np.load(folder / "meta.npz") as tables:
        names = np.unique(tables["sha256"]).tolist()
    return [name for name in names if not (folder.parent / VIDEOS / f"{name}.npy").is_file()]


def _build(mouse: MovieMouse, folder: Path, videos: Path) -> None:
    build = _MovieBuild(mouse, folder, videos)
    build.run()
    build.finish()


class _MovieBuild(Build):
    """A build of trials that show films."""

    def __init__(self, mouse: MovieMouse, folder: Path, videos: Path) -> None:
        super().__init__(mouse, folder, response_dtype=mouse.response_dtype)
        self.mouse: MovieMouse = mouse
        self.videos, dtypes = videos, {"responses": mouse.response_dtype}
        self.files = {
            kind: self.rows(kind, mouse.row(kind), dtypes.get(kind, "float32"))
            for kind in mouse.kinds
            if kind != "videos"
        }
        self.trials: list[dict[str, Any]] = self.state.get("found", [])

    @property
    def block(self) -> int:
        """Trials between two completion marks."""
        return BLOCK

    def add(self, trials: range) -> dict[str, Any]:
        """Write some trials: new films, and the valid frames of all else."""
        for i in trials:
            movie = self.mouse.movie(i)
            for kind, rows in self.files.items():
                self._write(rows, kind, i, movie)
            self.trials.append(self._found(movie))
        return {"found": self.trials}

    def _write(self, rows: Rows, kind: str, i: int, movie: MovieTrial) -> None:
        values = movie.kinds[kind]
        if (most := np.abs(values).max(initial=0)) > np.finfo(rows.dtype).max:
            raise DataError(
                f"session '{self.mouse.key}': data/{kind}/{i}.npy reaches {most:g}, which "
                f"{rows.dtype} cannot hold: pack with response_dtype='float32'"
            )
        rows.write(sum(trial["lengths"].get(kind, 0) for trial in self.trials), values)

    def _found(self, movie: MovieTrial) -> dict[str, Any]:
        """What the tables say of a trial; its film is stored unless it is there already."""
        video = whole_numbers(movie.kinds["videos"])
        name = movie_sha256(video)
        if not (path := self.videos / f"{name}.npy").is_file():
            with replacing(path, note=False) as temporary, open(temporary, "wb") as stream:
                np.save(stream, video)
        responses = movie.kinds["responses"].astype(np.float64)
        rounded = responses.astype(self.mouse.response_dtype)
        held = (video[1:] == video[:-1]).all((1, 2)).mean() if len(video) > 1 else 0.0
        return {
            "lengths": movie.lengths,
            "frames": movie.frames,
            "sha256": name,
            "whole": video.dtype == np.uint8,
            "held": round(float(held), 6),
            "withheld": movie.withheld,
            "pad": movie.pad,
            "rounding": float(np.abs(responses - rounded).max(initial=0)),
        }

    def close(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Headers, tables and statistics."""
        lengths = np.array([[t["lengths"].get(k, 0) for k in KINDS] for t in self.trials])
        for kind, rows in self.files.items():
            rows.finish(int(lengths[:, KINDS.index(kind)].sum()))
        tables = {
            name: np.array([trial[name] for trial in self.trials])
            for name in ("frames", "sha256", "held", "withheld")
        }
        tables |= {"lengths": lengths, "tiers": self.mouse.tiers, "unit_ids": self.mouse.unit_ids}
        coordinates = self.mouse.optional("meta/neurons/cell_motor_coordinates")
        tables |= {} if coordinates is None else {"coordinates": coordinates}
        provided = self._provided()
        tables |= provided | self._trained(lengths)
        return tables, self._own([k for k in KINDS if f"provided_{k}_std" in provided])

    def _own(self, provided: list[str]) -> dict[str, Any]:
        tiers = np.unique(self.mouse.tiers).tolist()
        silent = np.array([trial["withheld"] for trial in self.trials])
        shown = {t["sha256"]: t["whole"] for t in self.trials}
        return {
            "kind": "movies",
            "name": self.mouse.name,
            "shape": list(self.mouse.shape),
            "pad": max(trial["pad"] for trial in self.trials),
            "videos": len(shown),
            "videos_float16": sum(not whole for whole in shown.values()),
            "rounding_error": max(trial["rounding"] for trial in self.trials),
            "recorded": list(self.mouse.kinds),
            "statistics_provided": provided,
            "withheld_tiers": [t for t in tiers if silent[self.mouse.tiers == t].all()],
        }

    def _provided(self) -> dict[str, np.ndarray]:
        """Statistics that came with the recording, time first, float32."""
        found = {}
        for kind in self.mouse.kinds:
            both = {name: self.mouse.statistic(kind, name) for name in ("mean", "std")}
            if all(values is not None for values in both.values()):
                found |= {
                    f"provided_{kind}_{name}": np.moveaxis(values, -1, 0).astype(np.float32)
                    for name, values in both.items()
                }
        return found

    def _trained(self, lengths: np.ndarray) -> dict[str, np.ndarray]:
        """The same over the valid frames of training trials, as packed; counts beside them."""
        pad, found = max(trial["pad"] for trial in self.trials), {}
        train = (self.mouse.tiers == "train") & ~np.array([t["withheld"] for t in self.trials])
        used = [i for i in np.flatnonzero(train) if self.trials[i]["frames"]]
        if not used:
            raise DataError(
                f"session '{self.mouse.key}' has no usable train trial among {len(train)}: mark "
                "some as train in meta/trials/tiers.npy"
            )
        for kind in self.mouse.kinds:
            moments = FrameMoments(pad, self.mouse.row(kind))
            of_kind = lengths[:, KINDS.index(kind)]
            starts = np.cumsum(of_kind) - of_kind
            for i in used:
                moments.add(self._packed(kind, i, starts[i], of_kind[i]).astype(np.float64))
            for name, values in moments.result().items():
                found[f"train_{kind}_{name}"] = values.astype(np.float32)
        return found

    def _packed(self, kind: str, i: int, start: int, frames: int) -> np.ndarray:
        if kind == "videos":
            return np.load(self.videos / f"{self.trials[i]['sha256']}.npy")
        return self.files[kind].read(int(start), int(frames))


def whole_numbers(video: np.ndarray) -> np.ndarray:
    """A film as uint8 if all pixels are whole numbers from 0 to 255, else as float16."""
    if video.dtype == np.uint8:
        return video
    small = (
        video.astype(np.uint8) if video.size and video.min() >= 0 and video.max() <= 255 else None
    )
    if small is not None and np.array_equal(small, video):
        return small
    return video.astype(np.uint8 if not video.size else np.float16)
