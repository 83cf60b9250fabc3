"""An index: for each known defect of published code, the tests that would show it in ours.

Numbers are the rows of a study's specification; `tests/defects` has a file a study. Tests stand
beside what they test; here it is only checked that they are still there.
"""

import ast
import importlib

import pytest

from src.paths import ROOT
from src.studies import STUDIES

ROWS = {  # letter of a study's rows, and how many
    "sensorium2022": ("D", 23),
    "sensorium2023": ("D", 19),
    "macaque_it": ("D", 20),
    "cornet": ("C", 21),
    "nsd_gnet": ("D", 25),
}
INDEX = {study: importlib.import_module(f"tests.defects.{study}").DEFECTS for study in ROWS}


@pytest.mark.parametrize("study", STUDIES)
def test_every_defect_is_in_the_index(study):
    letter, count = ROWS[study]
    assert [name.split()[0] for name in INDEX[study]] == [f"{letter}{i + 1}" for i in range(count)]


def is_there(node):
    """Whether a test stands in its file, as file::name."""
    file, name = node.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text())
    return name in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize(("study", "defect"), [(s, d) for s, index in INDEX.items() for d in index])
def test_its_tests_are_there(study, defect):
    assert [node for node in INDEX[study][defect] if not is_there(node)] == []
