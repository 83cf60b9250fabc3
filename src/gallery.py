"""What the repository shows of runs: README's results, and figures/README.md with all of them.

`python -m src.gallery figures/<study>/<run> ...` keeps main scores, scores and score figure of
these runs in figures/gallery and writes both files anew; without arguments, the files only.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from src import manifest, paths, results
from src.studies import STUDIES

GALLERY = paths.FIGURES / "gallery"
BLOCK = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- /\2 -->)", re.DOTALL)
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
    """Copy a run's main scores, scores and score figure into the gallery."""
    study, name = run.parent.name, f"{run.parent.name}_{run.name}"
    main = results.run_scores(run.parents[1], study, run.name)
    manifest.save_table(main.round(6), GALLERY / "results" / f"{name}.csv")
    if (run / "tables" / "scores.csv").exists():  # a single figure on data of its own has none
        scores = pd.read_csv(run / "tables" / "scores.csv")
        if "headline" in scores:
            scores = scores[scores["headline"]]
        columns = REGION_COLUMNS if "region" in scores else [c for c in COLUMNS if c in scores]
        manifest.save_table(scores[columns].round(4), GALLERY / f"{name}.csv")
        with manifest.replacing(GALLERY / f"{name}.png") as temporary:
            temporary.write_bytes((run / "04_scores.png").read_bytes())


# Main scores ------------------------------------------------------------------------------------


def kept_results() -> pd.DataFrame:
    """Main scores of all kept runs beside the published numbers, study by study."""
    files = {p.stem: p for p in (GALLERY / "results").glob("*.csv")}
    known = sorted(files, key=lambda name: ([*STUDIES].index(_study(name)), name))
    words = {"run": str, "scored on": str}
    tables = [pd.read_csv(files[n], dtype=words, keep_default_na=False) for n in known]
    numbers = ["ours", "low", "high"]
    joined = pd.concat(tables, ignore_index=True)
    joined[numbers] = joined[numbers].apply(pd.to_numeric)
    return results.with_published(joined)


def _study(name: str) -> str:
    """The study in the name of a kept file, <study>_<run>."""
    return next(study for study in STUDIES if name.startswith(f"{study}_"))


def results_markdown(table: pd.DataFrame) -> str:
    """Main scores, a table a run, whose title says what data they are of."""
    titles = ["model", "scored on", "score", "ours [95 % interval]"]
    lines, titles = [], [*titles, "published", "source", "difference"]
    for (_, _, data), block in table.groupby(["study", "run", "data"], sort=False):
        rows = block.to_dict("records")
        lines += [f"{_run_name(rows[0])}: **{data} data**", ""]
        lines += [_row(titles), "|" + "---|" * len(titles)]
        for row in rows:
            cells = [row["model"], _where(row), row["metric"], _ours(row)]
            lines.append(_row([*cells, _published(row), _source(row), _difference(row)]))
        lines.append("")
    return _without_zeros(lines)


def brief_markdown(table: pd.DataFrame) -> str:
    """Main scores as a shorter table, those of one run and metric in a row."""
    lines = [_row(["study", "data", "score", "ours [95 % interval]", "published"])]
    lines.append("|" + "---|" * 5)
    for (_, _, data, metric), block in table.groupby(
        ["study", "run", "data", "metric"], sort=False
    ):
        same = [name for name in ("scored on", "units") if block[name].nunique() == 1]
        own = block.assign(**dict.fromkeys(same, "")).to_dict("records")
        where = [f" ({_where(row)})" if _where(row) else "" for row in own]
        ours = [f"{r['model']}{w} {_ours(r)}" for r, w in zip(own, where, strict=True)]
        beside = [_beside(row, len(own) > 1) for row in own if pd.notna(row["published"])]
        both = _where({"scored on": "", "units": ""} | dict(block.iloc[0][same]))
        cells = [_run_name(own[0]), ", ".join(filter(None, (data, both))), metric]
        lines.append(_row([*cells, "<br>".join(ours), "<br>".join(beside)]))
    return _without_zeros(lines)


def _without_zeros(lines: list[str]) -> str:
    """Lines of a table, numbers below 1 as .123."""
    return re.sub(r"\b0\.(?=\d{3}\b)", ".", "\n".join([*lines, ""]))


def _run_name(row: dict) -> str:
    return f"[{row['study']}](notebooks/{row['study']}), {row['run']}"


def _beside(row: dict, named: bool) -> str:
    """A published number and the difference, beside several models with the name of its own."""
    name = f"{row['model']}: " if named else ""
    difference = "" if pd.isna(row["difference"]) else f", difference {_difference(row)}"
    return f"{name}{_published(row)} ({row['status']}){difference}"


def _where(row: dict) -> str:
    """What a score belongs to, and how many units: the mean over a single session is its own."""
    units = {"": "", "nan": "", "1": "1 unit"}.get(str(row["units"]), f"{row['units']} units")
    place = str(row["scored on"]).removesuffix("mean of 1")
    place += " sessions" if place.startswith("mean of ") else ""
    return ", ".join(text for text in (place, units) if text)


def _ours(row: dict) -> str:
    ends = "" if pd.isna(row["low"]) else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['ours']:.3f}{ends}"


def _published(row: dict) -> str:
    return f"{row['system']} {row['published']:.3f}" if pd.notna(row["published"]) else ""


def _source(row: dict) -> str:
    """Where a published number is from and its status, which many sources begin with."""
    if pd.isna(row["published"]) or row["source"].startswith(row["status"]):
        return row["source"]
    return f"{row['source']} ({row['status']})"


def _difference(row: dict) -> str:
    if pd.notna(row["difference"]):
        return f"{row['difference']:+.3f}"
    return f"none: {row['no difference']}" if pd.notna(row["published"]) else ""


# All scores -------------------------------------------------------------------------------------


def scores_markdown() -> str:
    """The tables of all runs: means over sessions, and recordings, which come first, by session."""
    simulated = {path: (pd.read_csv(path)["data"] == "simulated").all() for path in _runs()}
    return "\n".join(_run_markdown(path) for path in sorted(_runs(), key=simulated.get))


def _runs() -> list[Path]:
    return sorted(GALLERY.glob("*.csv"))


def _run_markdown(path: Path) -> str:
    table, study = pd.read_csv(path), _study(path.stem)
    run = path.stem.removeprefix(f"{study}_")
    head = [f"### {study}, {run}", "", f"![Scores of {study}, {run}](gallery/{path.stem}.png)", ""]
    if "region" in table:
        return "\n".join([*head, *_by_region(table), ""])
    if "track" in table:  # of films; only rows of all neurons together are kept
        means = table.assign(session=table["track"] + ", " + table["session"])
    else:
        means = table[table["session"].str.startswith("mean")]
    shown = [s for s in SCORES if s in means and s not in HIDDEN.get(study, [])]
    known = [s for s in shown if means[s].notna().any()]
    titles = ["data", "model", "scored on", "units", *(SCORES[s] for s in known)]
    lines = [*head, _row(titles), "|---|---|---|" + "---:|" * (1 + len(known))]
    lines += [
        _row([row["data"], row["model"], row["session"], row["n_units"], *row[known]])
        for _, row in means.iterrows()
    ]
    if (table["data"] == "recorded").all() and table["session"].nunique() > 2:
        lines += ["", "Median correlation to average over units, by session:", "", *_medians(table)]
    return "\n".join([*lines, ""])


def _by_region(table: pd.DataFrame) -> Iterator[str]:
    """The layer that stands for each network in each region."""
    yield _row(["data", "model", "region", "layer", "units", *BY_REGION.values()])
    yield "|---|---|---|---|" + "---:|" * 4
    yield from (_row(row) for row in table[REGION_COLUMNS].to_numpy())


def _medians(table: pd.DataFrame) -> list[str]:
    sessions = table[~table["session"].str.startswith("mean")]
    medians = sessions.pivot_table("avg_median", "session", "model", sort=False)
    lines = [_row(["session", *medians.columns]), "|---|" + "---:|" * len(medians.columns)]
    return lines + [_row([name, *row]) for name, row in medians.iterrows()]


def _row(cells: Iterable[object]) -> str:
    """One line of a markdown table, numbers to three decimals, the unknown empty."""
    shown = (f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells)
    return f"| {' | '.join('' if text == 'nan' else text for text in shown)} |"


# Files ------------------------------------------------------------------------------------------


def blocks() -> dict[Path, dict[str, str]]:
    """What stands between the markers of each generated file, by the markers' name."""
    table = kept_results()
    return {
        paths.ROOT / "README.md": {"results": brief_markdown(results.brief(table))},
        paths.FIGURES / "README.md": {
            "results": results_markdown(table).replace("](notebooks", "](../notebooks"),
            "scores": scores_markdown(),
        },
    }


def with_blocks(text: str, known: dict[str, str]) -> str:
    """A file's text with what belongs between its markers."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{known[m[2]]}\n{m[3]}", text)


def write() -> None:
    """Write the generated parts of all files anew."""
    for path, known in blocks().items():
        with manifest.replacing(path) as temporary:
            temporary.write_text(with_blocks(path.read_text(), known))


if __name__ == "__main__":
    for name in sys.argv[1:]:
        keep(Path(name).resolve())
    write()
