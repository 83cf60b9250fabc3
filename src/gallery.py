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
SCORES = {
    "ev": "EV",
    "single": "single trial",
    "avg": "to average",
    "feve": "FEVE",
    "cc_norm": "CC_norm",
}
COLUMNS = ["data", "model", "session", "track", "n_units", "n_kept", *SCORES, "avg_median"]
# Where sites are scored by region of the brain, as Brain-Score does, there is one row a region.
BY_REGION = {"raw": "r, median of units", "ceiling": "reliability c", "ceiled": "r² / c"}
REGION_COLUMNS = ["data", "model", "region", "place", "n_units", *BY_REGION]
HIDDEN = {"sensorium2022": ["ev"], "macaque_it": ["single"]}  # by study: what says nothing new


def keep(run: Path) -> None:
    """Copy a run's scores and score figure into the gallery."""
    name = f"{run.parent.name}_{run.name}"
    scores = pd.read_csv(run / "tables" / "scores.csv")
    if "headline" in scores:
        scores = scores[scores["headline"]]
    columns = REGION_COLUMNS if "region" in scores else [c for c in COLUMNS if c in scores]
    manifest.save_table(scores[columns].round(4), GALLERY / f"{name}.csv")
    with manifest.replacing(GALLERY / f"{name}.png") as temporary:
        temporary.write_bytes((run / "04_scores.png").read_bytes())


def results_markdown() -> str:
    """The tables of all runs: means over sessions, and recordings, which come first, by session."""
    simulated = {path: (pd.read_csv(path)["data"] == "simulated").all() for path in _runs()}
    return "\n".join(_run_markdown(path) for path in sorted(_runs(), key=simulated.get))


def _runs() -> list[Path]:
    return sorted(GALLERY.glob("*.csv"))


def _run_markdown(path: Path) -> str:
    table = pd.read_csv(path)
    if "region" in table:
        return _region_markdown(path.stem, table)
    if "track" in table:  # of films; only rows of all neurons together are kept
        means = table.assign(session=table["track"] + ", " + table["session"])
    else:
        means = table[table["session"].str.startswith("mean")]
    studies = (folder.name for folder in (paths.ROOT / "notebooks").iterdir())
    study = next(name for name in studies if path.stem.startswith(f"{name}_"))
    shown = [s for s in SCORES if s in means and s not in HIDDEN.get(study, [])]
    known = [s for s in shown if means[s].notna().any()]
    titles = ["data", "model", "scored on", "units", *(SCORES[s] for s in known)]
    lines = [f"**{study}, {path.stem.removeprefix(f'{study}_')}**", "", _row(titles)]
    lines += ["|---|---|---|" + "---:|" * (1 + len(known))]
    lines += [
        _row([row["data"], row["model"], row["session"], row["n_units"], *row[known]])
        for _, row in means.iterrows()
    ]
    if (table["data"] == "recorded").all():
        lines += ["", "Median correlation to average over units, by session:", "", *_medians(table)]
    return "\n".join([*lines, ""])


def _region_markdown(name: str, table: pd.DataFrame) -> str:
    """The layer that stands for each network in each region."""
    study, run = name.split("_", 1)
    titles = ["data", "model", "region", "layer", "units", *BY_REGION.values()]
    lines = [f"**{study}, {run}**", "", _row(titles), "|---|---|---|---|" + "---:|" * 4]
    return "\n".join([*lines, *(_row(row) for row in table[REGION_COLUMNS].to_numpy()), ""])


def _medians(table: pd.DataFrame) -> list[str]:
    sessions = table[~table["session"].str.startswith("mean")]
    medians = sessions.pivot_table("avg_median", "session", "model", sort=False)
    lines = [_row(["session", *medians.columns]), "|---|" + "---:|" * len(medians.columns)]
    return lines + [_row([name, *row]) for name, row in medians.iterrows()]


def _row(cells: list[object]) -> str:
    """One line of a markdown table, numbers to three decimals, the unknown empty."""
    shown = (f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells)
    return f"| {' | '.join('' if text == 'nan' else text for text in shown)} |"


def write_readme() -> None:
    """Put the current table between the README's markers."""
    text = BLOCK.sub(lambda m: f"{m[1]}\n{results_markdown()}\n{m[2]}", README.read_text())
    with manifest.replacing(README) as temporary:
        temporary.write_text(text)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name).resolve())
    write_readme()
