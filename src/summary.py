"""What a run came to: `python -m src.summary MANIFEST...` prints its scores and its figures."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from src import paths
from src.records import short

EACH = ("02_", "03_")  # figures that every job of these notebooks makes
# Of the columns of tables/scores.csv, those that say most.
COLUMNS = (
    *("model", "session", "track", "region", "status", "n_units", "raw", "ceiled"),
    *("ev", "single", "avg", "feve", "cc_norm"),
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
    columns = [name for name in COLUMNS if name in found[0]]
    rows = [columns, *([_cell(row[name]) for name in columns] for row in found)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def summary_lines(manifest: Path) -> Iterator[str]:
    """Scores, figures and cost of the run that `manifest` records."""
    content = json.loads(manifest.read_text())
    notebooks = content["notebooks"]
    outputs = [paths.ROOT / name for notebook in notebooks for name in notebook["outputs"]]
    yield f"\n{content['title']}\n"
    for table in (p for p in outputs if (p.parent.name, p.name) == ("tables", "scores.csv")):
        yield from table_lines(table)
        yield ""
    yield "Figures"
    drawn = [p for p in outputs if p.suffix == ".png" and manifest.parent.parent in p.parents]
    yield from (f"  {short(path)}" for path in drawn if not path.name.startswith(EACH))
    if many := sum(path.name.startswith(EACH) for path in drawn):
        yield f"  and {many} of single members and models, 02_*.png and 03_*.png beside them"
    minutes = sum(notebook["seconds"] for notebook in notebooks) / 60
    memory = max(notebook["peak_memory_mb"] for notebook in notebooks)
    yield f"\n{len(notebooks)} notebooks, {minutes:.1f} minutes together, {memory:.0f} MB at most"
    yield f"What each used and made: {short(manifest)}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print("\n".join(summary_lines(Path(name))))
