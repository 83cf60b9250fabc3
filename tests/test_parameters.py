"""The parameters cell: what it may hold, and what may be given for it."""

import nbformat.v4
import pytest

from src.parameters import Parameter, ParameterError, parameters_of, parse_values

CELL = """profile: str = "demo"  # smoke, demo; "full" = the paper's
member: int = 1  # which member, from 1
rate: float = 0.5
device: bool = False  # a é before # another
"""


def notebook(*cells: str):
    new = [nbformat.v4.new_code_cell(c, metadata={"tags": ["parameters"]}) for c in cells]
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x = 1"), *new])


def test_names_types_defaults_and_help_are_read():
    known = parameters_of(notebook(CELL))
    assert list(known) == ["profile", "member", "rate", "device"]
    expected = Parameter("profile", "str", "demo", 'smoke, demo; "full" = the paper\'s')
    assert known["profile"] == expected
    assert known["rate"] == Parameter("rate", "float", 0.5, "")
    assert known["device"].help == "a é before # another"


def test_a_notebook_may_have_no_parameters_but_not_two_cells_of_them():
    assert parameters_of(notebook()) == {}
    with pytest.raises(ParameterError, match="2 cells"):
        parameters_of(notebook(CELL, CELL))


@pytest.mark.parametrize(
    "line", ["seed = 42", "seed: int = 1.0", "seed: list = []", "print(1)", "rate: float = 1"]
)
def test_other_than_typed_literals_are_refused(line):
    with pytest.raises(ParameterError, match="not a typed literal"):
        parameters_of(notebook(line))


def test_what_is_not_given_keeps_its_default():
    values = parse_values(parameters_of(notebook(CELL)), [("member", "3"), ("device", "true")])
    assert values == {"profile": "demo", "member": 3, "rate": 0.5, "device": True}
    assert type(values["member"]) is int


def test_a_string_stays_a_string():
    values = parse_values(parameters_of(notebook(CELL)), [("profile", "007")])
    assert values["profile"] == "007"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("member", "3.0"),
        ("member", "three"),
        ("member", ""),
        ("member", "True"),
        ("rate", "fast"),
        ("rate", "nan"),
        ("rate", "inf"),
        ("device", "1"),
        ("device", "cpu"),
    ],
)
def test_ill_typed_values_are_refused_with_the_type(name, text):
    with pytest.raises(ParameterError, match=rf"^{name} is (int|float|bool), not '{text}'"):
        parse_values(parameters_of(notebook(CELL)), [(name, text)])


def test_an_unknown_name_is_refused_with_all_that_are_known():
    with pytest.raises(ParameterError) as caught:
        parse_values(parameters_of(notebook(CELL)), [("membre", "3")])
    message = str(caught.value)
    assert message.startswith("no parameter 'membre' (did you mean 'member'?)")
    assert "\n  member: int = 1  # which member, from 1" in message
    assert "\n  rate: float = 0.5" in message
