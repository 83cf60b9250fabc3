"""The parameters cell of a notebook: typed literals, and values given for them from outside."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from src.names import nearest

if TYPE_CHECKING:
    from nbformat import NotebookNode

Value = str | int | float | bool
TYPES = {"str": str, "int": int, "float": float, "bool": bool}


class ParameterError(ValueError):
    """A parameter that the notebook does not have, or a value of another type."""


@dataclass(frozen=True)
class Parameter:
    """One line of the cell: `name: kind = default  # help`."""

    name: str
    kind: str
    default: Value
    help: str

    def __str__(self) -> str:
        return f"{self.name}: {self.kind} = {self.default!r}  # {self.help}"

    def parse(self, text: str) -> Value:
        """The value written as `text`; strings are taken as they are, anything else strictly."""
        try:
            match self.kind:
                case "bool":
                    return {"true": True, "false": False}[text.lower()]
                case "float" if not math.isfinite(float(text)):
                    raise ValueError
                case _:
                    return TYPES[self.kind](text)
        except (ValueError, KeyError):
            raise ParameterError(f"{self.name} is {self.kind}, not {text!r}") from None


def tagged(notebook: NotebookNode, tag: str) -> list[NotebookNode]:
    """The cells that carry `tag`."""
    return [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]


def _parameter(node: ast.stmt, source: str) -> Parameter:
    line = source.splitlines()[node.end_lineno - 1]
    match node:
        case ast.AnnAssign(target=ast.Name(name), annotation=ast.Name(kind)) if kind in TYPES:
            default = ast.literal_eval(node.value)
            if type(default) is TYPES[kind]:
                rest = line.encode()[node.end_col_offset :].decode()
                return Parameter(name, kind, default, rest.strip().lstrip("# "))
    raise ParameterError(
        f"parameters cell: not a typed literal, for example `seed: int = 42`: {line}"
    )


def parameters_of(notebook: NotebookNode) -> dict[str, Parameter]:
    """The parameters a notebook has; none without such a cell, an error with more than one."""
    cells = tagged(notebook, "parameters")
    if len(cells) > 1:
        raise ParameterError(f"{len(cells)} cells are tagged parameters, at most one may be")
    found = [_parameter(n, cell.source) for cell in cells for n in ast.parse(cell.source).body]
    return {parameter.name: parameter for parameter in found}


def parse_values(known: dict[str, Parameter], given: Iterable[tuple[str, str]]) -> dict[str, Value]:
    """Values for all parameters: those given as text, checked, and the defaults of the others."""
    values = {name: parameter.default for name, parameter in known.items()}
    try:
        for name, text in given:
            if name not in known:
                raise ParameterError(f"no parameter {name!r}{nearest(name, known)}")
            values[name] = known[name].parse(text)
    except ParameterError as error:
        allowed = "".join(f"\n  {parameter}" for parameter in known.values())
        raise ParameterError(f"{error}; parameters are{allowed or ' none'}") from None
    return values
