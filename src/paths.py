"""Where things live: the repository's folders, and the folders of one run of one study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data"
FIGURES = ROOT / "figures"


@dataclass(frozen=True)
class RunPaths:
    """Folders of one run (a study with a profile or a recording); nothing is created here."""

    raw: Path  # recordings in the study's on-disk layout
    processed: Path  # packed caches, splits, validation report
    weights: Path  # files of networks trained elsewhere, of all studies
    features: Path  # what frozen networks make of the images, one folder a network and session
    runs: Path  # checkpoints and histories, one folder a model and member
    predictions: Path  # npz per model, session and tier
    figures: Path  # PNG and PDF
    tables: Path  # CSV behind every figure and number
    records: Path  # one JSON a notebook run: the manifest's parts, and executed notebooks

    def member(self, model: str, member: int) -> Path:
        """Folder of one ensemble member's checkpoint and history."""
        return self.runs / model / f"member_{member:02d}"

    def search(self, model: str) -> Path:
        """Folder of the search for one model's recipe."""
        return self.runs / model / "search"


def run_paths(study: str, run: str, data_root: str = "", output_root: str = "") -> RunPaths:
    """Folders of run `run` (profile or recording) of `study`; empty roots: the repository's own."""
    data = Path(data_root).expanduser().resolve() if data_root else DATA
    figures = Path(output_root).expanduser().resolve() if output_root else FIGURES
    results = figures / study / run
    return RunPaths(
        raw=data / "raw" / study / run,
        processed=data / "processed" / study / run,
        weights=data / "weights",
        features=data / "features" / study / run,
        runs=data / "runs" / study / run,
        predictions=data / "runs" / study / run / "predictions",
        figures=results,
        tables=results / "tables",
        records=results / "records",
    )
