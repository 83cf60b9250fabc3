"""How long work shows where it is: a bar where somebody watches, a few lines in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm.auto import tqdm

from src.manifest import RECORD_VARIABLE


def watched() -> bool:
    """Whether this is a terminal or an open notebook, and not a recorded run."""
    if os.environ.get(RECORD_VARIABLE):
        return False
    ipython = sys.modules.get("IPython")
    return sys.stderr.isatty() or bool(ipython and ipython.get_ipython())


@contextmanager
def counting(total: int, label: str, unit: str) -> Iterator[Callable[[int], object]]:
    """What to call with the number just done; a log gets one line at the end."""
    if watched():
        with tqdm(total=total, desc=label, unit=unit) as bar:
            yield bar.update
    else:
        yield lambda done: None
        print(f"{label}: {total} {unit}s", flush=True)
