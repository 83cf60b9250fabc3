"""Striate: published models of visual cortex. A Python too old for it is refused at once."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    raise ImportError(
        f"Striate needs Python 3.11 or newer, this is {sys.version.split()[0]}: use "
        ".venv/bin/python, or in JupyterLab the kernel that .venv/bin/jupyter lab starts"
    )
