"""The committed gallery and the README's table of results, made from what runs left behind.

`python -m src.gallery figures/<study>/<run> ...` keeps the scores and the score figure of these
runs in figures/gallery and writes the README's table anew; without arguments, the table only.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd

from src import manifest, paths

GALLERY = paths.FIGURES / "gallery"
README = paths.ROOT / "README.md"
BLOCK = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)
COLUMNS = ["data", "model", "session", "n_units", "n_kept", "single", "avg", "feve", "cc_norm"]
HEADER = "| data | model | scored on | units | single trial | to average | FEVE | CC_norm |"


def keep(run: Path) -> None:
    """Copy a run's scores and score figure into the gallery."""
    name = f"{run.parent.name}_{run.name}"
    scores = pd.read_csv(run / "tables" / "scores.csv")
    manifest.save_table(scores[COLUMNS].round(4), GALLERY / f"{name}.csv")
    with manifest.replacing(GALLERY / f"{name}.png") as temporary:
        temporary.write_bytes((run / "04_scores.png").read_bytes())


def results_markdown() -> str:
    """The table of all runs in the gallery, a row a model and session or mean of sessions."""
    lines = []
    for path in sorted(GALLERY.glob("*.csv"), key=lambda path: path.stem):
        table = pd.read_csv(path)
        shown = table[table["session"].str.startswith("mean")]
        lines += [
            f"**{path.stem.replace('_', ', ', 1)}**",
            "",
            HEADER,
            "|---|---|---|" + "---:|" * 5,
        ]
        lines += [_row(row) for _, row in shown.iterrows()]
        lines += [""]
    return "\n".join(lines)


def _row(row: pd.Series) -> str:
    scores = ("" if pd.isna(row[c]) else f"{row[c]:.3f}" for c in COLUMNS[-4:])
    return f"| {row['data']} | {row['model']} | {row['session']} | {row['n_units']} | " + (
        " | ".join(scores) + " |"
    )


def write_readme() -> None:
    """Put the current table between the README's markers."""
    text = BLOCK.sub(lambda m: f"{m[1]}\n{results_markdown()}\n{m[2]}", README.read_text())
    with manifest.replacing(README) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name).resolve())
    write_readme()
