"""Fetch what a study needs from elsewhere: `python -m src.fetch STUDY [--list] [--only NAME]`.

Recordings are those of data/registry.json, weights those of the profile's networks. Files without
an address are not fetched: what to do for them is said. Run again, it continues.
"""

from __future__ import annotations

import argparse
import fnmatch
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from src import paths
from src.data.errors import DataError
from src.data.fetch import alone, by_hand, fetch, mirrored
from src.data.registry import RemoteFile, registered, remote_files
from src.manifest import WriteError
from src.models.registry import network_record
from src.names import UnknownName
from src.studies import STUDIES
from src.studies.records import FrozenNetwork, Profile

HOUSE = ("random_map", "gabor", "object_network", "autoencoder")  # networks without a file
SAME = {"gnet_prefilter": "alexnet"}  # whose weights a network of the house begins with
MIRROR = "if a server has these files at the same paths below an address: --mirror ADDRESS"


@dataclass(frozen=True)
class Wanted:
    """A file, and the folder it belongs to."""

    file: RemoteFile
    folder: Path

    @property
    def here(self) -> bool:
        """Whether it lies there."""
        return self.file.here(self.folder)


def wanted(study: str, run: str, data_root: str = "", recording: bool = False) -> list[Wanted]:
    """Files of a run of a study that come from elsewhere; of simulated or own recordings, weights.

    `run` is a profile; of a study without one, only what the registry has.
    """
    places = paths.run_paths(study, run, data_root)
    profile = STUDIES[study].profile(run) if study in STUDIES else Profile(run)
    weights = [Wanted(file, places.weights) for file in weight_files(profile)]
    if recording or run == "recording" or profile.simulation:
        return weights
    return [*(Wanted(file, places.raw) for file in remote_files(study)), *weights]


def weight_files(profile: Profile) -> list[RemoteFile]:
    """Files of the networks a profile shows images to, as src/models/registry.py knows them."""
    plans = (n for n in profile.networks if n.start == "file" and n.network not in HOUSE)
    return list(dict.fromkeys(_weights(plan) for plan in plans))


def _weights(plan: FrozenNetwork) -> RemoteFile:
    record = network_record(SAME.get(plan.network, plan.network), plan.weights)
    own, record = record.file, record.instead or record
    url = record.source if record.source.startswith("http") else None
    note = "" if url else f"weights '{record.weights}' of network '{record.name}'"
    note += f", from {record.source}" if record.source and not url else ""
    return RemoteFile(
        "weights",
        record.file or f"{record.name}.pt",
        url,
        record.sha256 or None,
        license=record.license,
        citation=record.citation,
        note=note,
        instead=own if own != record.file else "",
    )


def chosen(files: Iterable[Wanted], only: Sequence[str]) -> list[Wanted]:
    """Those of an entry called so, or whose path matches (*.zip, *subj01*); none given: all."""
    files = list(files)
    for name in only:
        if not any(_matches(one, name) for one in files):
            known = ", ".join(dict.fromkeys(one.file.entry for one in files))
            raise DataError(f"nothing is called '{name}': choose of {known}, or match a path")
    return [one for one in files if not only or any(_matches(one, name) for name in only)]


def _matches(one: Wanted, name: str) -> bool:
    return one.file.entry == name or fnmatch.fnmatch(one.file.path, name)


def by_entry(files: Iterable[Wanted]) -> list[list[Wanted]]:
    """Files of an entry together; weights each alone."""
    found: dict[tuple[str, str], list[Wanted]] = {}
    for one in files:
        alone = one.file.path if one.file.entry == "weights" else ""
        found.setdefault((one.file.entry, alone), []).append(one)
    return list(found.values())


def size_text(sizes: Iterable[int | None]) -> str:
    """The sum of sizes, as far as they are known."""
    sizes = list(sizes)
    known = sum(size for size in sizes if size)
    unit, name = next(((u, n) for u, n in ((1e9, "GB"), (1e6, "MB")) if known >= u), (1e3, "kB"))
    text = f"{known / unit:.1f} {name}" if known else ""
    unknown = "size unknown" if not known else "and more of unknown size"
    return text if all(sizes) else f"{text} {unknown}".strip()


def inventory(files: Iterable[Wanted]) -> list[str]:
    """One line an entry: what, how many are here, how large, and from where."""
    rows = []
    for group in by_entry(files):
        first, n = group[0].file, len(group)
        what = first.path if n == 1 else f"{first.entry}: {n} files"
        here = sum(one.here for one in group)
        state = "here" if here == n else "missing" if not here else f"{here} here"
        origin = "by src.fetch" if first.url else "by hand"
        size = size_text(one.file.size for one in group)
        rows.append((what, state, size, origin, first.license))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return [line.rstrip() for line in lines]


def fetch_all(files: Iterable[Wanted], data_root: Path, mirror: str = "") -> list[str]:
    """Fetch one after the other; -> what could not be had, a line each."""
    failed = []
    for group in by_entry(files):
        asked = [one for one in group if not one.here]
        if asked and not (mirror or asked[0].file.url):
            more = f" ({len(asked) - 1} more like it)" if asked[1:] else ""
            failed.append(by_hand(asked[0].file, asked[0].folder) + more)
            group = [one for one in group if one.here]
        for one in group:
            file = mirrored(one.file, mirror) if mirror else one.file
            try:
                there, place = one.here, fetch(file, one.folder, data_root)
            except (DataError, OSError) as error:
                failed.append(str(error))
            else:
                print(f"{'there' if there else 'fetched'}: {place}", flush=True)
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """0: all is there; 1: something is not, and it was said what to do; 2: a mistaken command."""
    given = _parser().parse_args(arguments)
    try:
        files = wanted(given.study, given.profile, given.data_root)
        files = chosen(files, given.only)
        if given.list:
            print("\n".join(inventory(files)) or "nothing comes from elsewhere")
            return 0
        root = Path(given.data_root).expanduser().resolve() if given.data_root else paths.DATA
        with alone(root):
            failed = fetch_all(files, root, given.mirror)
    except (DataError, UnknownName, WriteError) as error:
        print(f"src.fetch: {error}", file=sys.stderr)
        return 2
    for line in failed:
        print(f"src.fetch: {line}", file=sys.stderr)
    if any(not one.file.url and not one.here for one in files) and not given.mirror:
        print(f"src.fetch: {MIRROR}", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m src.fetch", description=__doc__)
    parser.add_argument("study", choices=sorted({*STUDIES, *registered()}))
    parser.add_argument("--only", action="append", default=[], help="entry, or pattern of a path")
    parser.add_argument("--list", action="store_true", help="say what there is, and fetch nothing")
    parser.add_argument("--profile", default="full", help="profile whose files are wanted (full)")
    parser.add_argument("--data-root", default="", help="folder of raw data and weights (data)")
    parser.add_argument("--mirror", default="", help="address that has the same paths below it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
