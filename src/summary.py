"""What runs came to: `python -m src.summary MANIFEST...` prints their scores and their figures.

Where the summary of all studies is among them, its table stands for the tables of each.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from src import paths
from src.records import short

EACH = ("02_", "03_")  # figures that every job of these notebooks makes
SUMMARY = "summary"  # the folder of the summary of all studies
# Of the columns of tables/scores.csv and of the summary's results.csv, those that say most.
COLUMNS = (
    *("study", "data", "model", "session", "scored on", "track", "region", "status", "n_units"),
    *("metric", "ours", "low", "high", "difference"),
    *("raw", "ceiled", "ev", "single", "avg", "feve", "cc_norm"),
)


def _cell(text: str) -> str:
    """A number to three decimals, anything else as it is."""
    try:
        return text if text.lstrip("-").isdigit() else f"{float(text):.3f}"
    except ValueError:
        return text


def table_lines(table: Path) -> Iterator[str]:
    """The lines of a CSV table of scores, its columns aligned."""
    with open(table, newline="") as stream:
        found = list(csv.DictReader(stream))
    found = [row for row in found if row.get("headline") != "False"]  # others are in the table
    if len({row.get("session") for row in found}) == 2:  # one session, and the mean of one
        found = [row for row in found if not row["session"].startswith("mean of 1")]
    if not found:
        return
    hidden = {"status"} if "ours" in found[0] else set()  # of published numbers, not shown here
    columns = [name for name in COLUMNS if name in found[0] and name not in hidden]
    rows = [columns, *([_cell(row[name]) for name in columns] for row in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def summary_lines(manifest: Path, table: str = "scores.csv") -> Iterator[str]:
    """The scores in `table`, figures and cost of the run that `manifest` records."""
    content, outputs = _read(manifest)
    yield f"\n{content['title']}\n"
    tables = [p for p in outputs if (p.parent.name, p.name) == ("tables", table)]
    for found in (path for path in tables if path.is_file()):
        yield from table_lines(found)
        yield ""
    yield from _absent(path for path in tables if not path.is_file())
    yield "Figures"
    drawn = _drawn(manifest, outputs)
    each = [path for path in drawn if path.name.startswith(EACH) and SUMMARY not in path.parts]
    yield from (f"  {short(path)}" for path in drawn if path not in each)
    if each:
        yield f"  and {len(each)} of single members and models, 02_*.png and 03_*.png beside them"
    yield f"\n{_cost(content)}"
    yield f"What each used and made: {short(manifest)}"


def _absent(files: Iterable[Path]) -> Iterator[str]:
    """A line that names what is not there, if anything is not."""
    if names := ", ".join(map(short, files)):
        yield f"{names}: not there yet; the same command without --until or the like makes it"


def _read(manifest: Path) -> tuple[dict, list[Path]]:
    content = json.loads(manifest.read_text())
    return content, [paths.ROOT / name for n in content["notebooks"] for name in n["outputs"]]


def _drawn(manifest: Path, outputs: list[Path]) -> list[Path]:
    return [p for p in outputs if p.suffix == ".png" and manifest.parent.parent in p.parents]


def _cost(content: dict) -> str:
    notebooks = content["notebooks"]
    minutes = sum(notebook["seconds"] for notebook in notebooks) / 60
    memory = max(notebook["peak_memory_mb"] for notebook in notebooks)
    return f"{len(notebooks)} notebooks, {minutes:.1f} minutes together, {memory:.0f} MB at most"


def all_lines(manifests: list[Path]) -> Iterator[str]:
    """What several runs came to: each in a line and all in the summary, or else one by one.

    A run of a part of the notebooks may leave no manifest, or less than an older manifest says.
    """
    yield from _absent(path for path in manifests if not path.is_file())
    manifests = [path for path in manifests if path.is_file()]
    last = [path for path in manifests if path.parent.parent.name == SUMMARY]
    for path in (path for path in manifests if path not in last):
        if last:
            content, outputs = _read(path)
            count = len(_drawn(path, outputs))
            yield f"\n{content['title']}"
            yield f"  {_cost(content)}, {count} figures in {short(path.parent)}"
        else:
            yield from summary_lines(path)
    for path in last:
        yield from summary_lines(path, "results.csv")
        yield from (f"All figures, by question: {short(p)}" for p in path.parent.glob("gallery.md"))


if __name__ == "__main__":
    print("\n".join(all_lines([Path(name) for name in sys.argv[1:]])))
