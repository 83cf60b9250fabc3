"""The notebooks of a study as chapters: what each asks, and which figures it drew in a run."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from src import paths

FIRST = re.compile(r"^# %% \[markdown\]\n(.*?)^# %%", re.DOTALL | re.MULTILINE)
QUESTION = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)


@dataclass(frozen=True)
class Chapter:
    """One notebook of one study, with what it drew."""

    study: str
    stem: str  # of its file
    title: str
    question: str
    figures: tuple[Path, ...] = ()  # PNG in order of name, but scores first


def chapters(study: str, figures: Path) -> list[Chapter]:
    """The notebooks from 04 on, which each have a number to themselves, and the PNGs of a run."""
    found = []
    for notebook in sorted((paths.ROOT / "notebooks" / study).glob("[0-9][0-9]_*.py")):
        if notebook.stem >= "04":
            title, question = _opening(notebook)
            drawn = sorted(figures.glob(f"{notebook.stem[:2]}_*.png"))
            drawn.sort(key=lambda path: not path.stem.endswith("_scores"))
            found.append(Chapter(study, notebook.stem, title, question, tuple(drawn)))
    return found


def _opening(notebook: Path) -> tuple[str, str]:
    """Title and question of a notebook, from its first cell of prose."""
    lines = FIRST.search(notebook.read_text())[1].splitlines()
    prose = "\n".join(line.removeprefix("#").removeprefix(" ") for line in lines)
    title = prose.strip().splitlines()[0].removeprefix("# ")
    return title, " ".join(QUESTION.search(prose)[1].split())


def contents_markdown(found: list[Chapter], folder: Path) -> str:
    """Chapters with their figures, as a page that lies in `folder`; others are named last."""
    lines = []
    for study in dict.fromkeys(chapter.study for chapter in found):
        mine = [chapter for chapter in found if chapter.study == study]
        lines += [f"## {study}", ""]
        for chapter in (chapter for chapter in mine if chapter.figures):
            lines += [f"### {chapter.title}", "", chapter.question, ""]
            links = [os.path.relpath(path, folder) for path in chapter.figures]
            lines += [f"![{chapter.stem}]({link})" for link in links] + [""]
        missing = [chapter.stem for chapter in mine if not chapter.figures]
        lines += [f"Not drawn in this run: {', '.join(missing)}.", ""] if missing else []
    return "\n".join(lines)
