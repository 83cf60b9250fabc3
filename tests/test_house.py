"""House rules a machine can hold: which way imports flow, where words live, how long things are."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from dataclasses import fields, is_dataclass
from pathlib import Path
from statistics import median

import pytest

from src import config
from src.imports import imported, sources
from src.paths import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.py"))
CODE = [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]

# A file imports from its own package and from those above it in this list.
LAYERS = (
    ("parts",),
    ("paths", "config", "seeds", "correlation", "lifetime", "names"),
    ("studies", "manifest"),
    ("locks",),
    ("data",),
    ("simulate",),
    ("models",),
    ("training",),
    ("evaluation",),
    ("analyses",),
    ("figures",),
    ("cornet", "fetch"),  # command lines: of a study, of downloads
    ("results", "contents"),  # what runs came to, over all studies
    ("dry_run", "gallery", "start"),
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# What runs notebooks knows nothing of science: it imports from these alone, and nobody imports it.
COMMANDS = {
    "run",
    "kernel",
    "kernel_manager",
    "warm",
    "parameters",
    "records",
    "imports",
    "summary",
    "local_graph",
}
BELOW_COMMANDS = {"paths", "manifest", "locks", "lifetime", "names"}


def package(path: Path) -> str:
    """First name below src: src/data/splits.py -> data, src/paths.py -> paths."""
    return path.relative_to(ROOT / "src").parts[0].removesuffix(".py")


def forbidden_import(importer: str, imported_package: str) -> bool:
    if importer == imported_package or imported_package == "__init__":
        return False
    if importer == "manifest":
        return imported_package != "paths"
    if importer in COMMANDS:
        return imported_package not in COMMANDS | BELOW_COMMANDS
    return imported_package in COMMANDS or RANK[imported_package] >= RANK[importer]


def test_every_module_has_its_place():
    assert {package(f) for f in SOURCES} - {"__init__"} <= {*RANK, *COMMANDS}


def test_imports_flow_one_way():
    pairs = [(f, g) for f in SOURCES for g in imported(f) if package(f) != "__init__"]
    assert len(pairs) > 50
    wrong = [f"{f} -> {g}" for f, g in pairs if forbidden_import(package(f), package(g))]
    assert not wrong


def test_no_import_goes_round():
    assert not [str(f) for f in SOURCES if any(f in sources(g) for g in imported(f))]


@pytest.mark.parametrize(
    ("importer", "other"),
    [("data", "models"), ("models", "run"), ("run", "config"), ("manifest", "config")],
)
def test_the_import_rule_can_fail(importer, other):
    assert forbidden_import(importer, other)


def test_imports_have_no_side_effects():
    names = [".".join(f.relative_to(ROOT).with_suffix("").parts) for f in SOURCES]
    modules = [name.removesuffix(".__init__") for name in names]
    script = (
        "import sys, importlib, torch, numpy as np\n"
        "def state(): return torch.get_num_threads(), torch.initial_seed(), np.random.get_state()\n"
        "before = repr(state())\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "assert before == repr(state()), (before, state())\n"
        "assert 'ultralytics' not in sys.modules and 'papermill' not in sys.modules\n"
    )
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


FORBIDDEN = {
    "a bare except": lambda n: isinstance(n, ast.ExceptHandler) and n.type is None,
    "nan_to_num": lambda n: isinstance(n, ast.Attribute) and n.attr == "nan_to_num",
    "exec or eval": lambda n: (
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in ("exec", "eval")
    ),
    "hash() of something": lambda n: (
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "hash"
    ),
    "a device by name or number": lambda n: (
        (isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr == "cuda")
        or (isinstance(n, ast.Constant) and re.match(r"cuda:\d", str(n.value)))
    ),
    "a working directory of its own": lambda n: (
        isinstance(n, ast.Attribute) and n.attr in ("chdir", "getcwd", "cwd")
    ),
    "a checkpoint loaded loosely": lambda n: (
        isinstance(n, ast.Call)
        and ast.unparse(n.func).endswith("load_state_dict")
        and any(k.arg == "strict" for k in n.keywords)
    ),
    "a global seed or a clock in a result": lambda n: (
        isinstance(n, ast.Call)
        and ast.unparse(n.func)
        in ("np.random.seed", "torch.manual_seed", "random.seed", "time.time", "datetime.utcnow")
    ),
}


@pytest.mark.parametrize("habit", FORBIDDEN)
def test_the_sources_keep_from(habit):
    found = [
        f"{f.relative_to(ROOT)}:{getattr(node, 'lineno', '?')}"
        for f in SOURCES
        for node in ast.walk(ast.parse(f.read_text()))
        if FORBIDDEN[habit](node)
    ]
    assert not found


@pytest.mark.parametrize(
    ("habit", "code"),
    [
        ("a device by name or number", "x.cuda()"),
        ("a device by name or number", "torch.device('cuda:0')"),
        ("a working directory of its own", "Path.cwd()"),
        ("a checkpoint loaded loosely", "m.load_state_dict(s, strict=False)"),
        ("a global seed or a clock in a result", "np.random.seed(i * j)"),
    ],
)
def test_a_bad_habit_would_be_found(habit, code):
    assert any(FORBIDDEN[habit](node) for node in ast.walk(ast.parse(code)))


def ignored_arguments(tree: ast.AST) -> list[str]:
    """Arguments of public functions that their body never names; those of an interface may."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    interface = {
        f.name for f in functions if "abstractmethod" in map(ast.unparse, f.decorator_list)
    }
    found = []
    for node in functions:
        if not node.name.startswith("_") and node.name not in interface:
            body = [n for n in node.body if not isinstance(n, ast.Expr | ast.Pass)]
            used = {n.id for part in node.body for n in ast.walk(part) if isinstance(n, ast.Name)}
            a = node.args
            given = [*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg]
            names = {arg.arg for arg in given if arg} - {"self", "cls"}
            found += [f"{node.name}({name})" for name in sorted(names - used) if name[0] != "_"]
            found = found if body else [f for f in found if not f.startswith(f"{node.name}(")]
    return found


def test_no_argument_is_accepted_and_ignored():
    ignored = {f.name: ignored_arguments(ast.parse(f.read_text())) for f in SOURCES}
    assert not {name: found for name, found in ignored.items() if found}
    assert ignored_arguments(ast.parse("def f(a, *, b=1): return a")) == ["f(b)"]


def test_no_setting_is_accepted_and_ignored():
    """Each field of a configuration is read by name, in a module or in a notebook."""
    records = [v for v in vars(config).values() if is_dataclass(v)]
    settings = {f"{r.__name__}.{f.name}": f.name for r in records for f in fields(r)}
    readers = [f for f in SOURCES if f.stem != "config"] + [*(ROOT / "notebooks").glob("*/*.py")]
    trees = [ast.parse(f.read_text()) for f in readers]
    read = {n.attr for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    assert len(settings) > 40
    assert not {name for name, field in settings.items() if field not in read}


def test_words_of_source_files_stay_where_they_are_translated():
    """src/models/upstream.py reads published checkpoints, whose keys are such words too."""
    words = re.compile(r"\b(data_key|frame_image_id|neuroid|voxel_idx)s?\b")
    at_home = {"data", "simulate"}
    others = [f for f in SOURCES if package(f) not in at_home and f.name != "upstream.py"]
    assert not [str(f.relative_to(ROOT)) for f in others if words.search(f.read_text())]


BRITISH = re.compile(
    r"colour|behaviour|centre|centring|grey|neighbour|favour|honour|labell|modell|cancell|travell"
    r"|licence|defence|artefact|misspelt|learnt|metres?\b|fibre|analys(e|ed|ing)\b|judgement|whilst"
    r"|(initial|optim|minim|maxim|normal|standard|summar|recogn|organ|penal|regular|general|visual"
    r"|random|synchron|character|emphas|real|util|local|binar|quant|discret|parametr|equal)is(e|ing|ation)",
    re.IGNORECASE,
)
# Not ours to spell: a map of matplotlib, this rule, a wrong field of the registry in its test.
GREYS = re.compile(r"\bGreys(_r)?\b")
SPELLED_SO = {"LICENSE", "tests/test_house.py", "tests/data/test_fetch.py"}


def tracked(*endings: str) -> list[Path]:
    """Files that git tracks, of some endings or all."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    found = [ROOT / name for name in listed.stdout.split("\0") if name.endswith(endings or "")]
    return [path for path in found if path.is_file()]


def test_spelling_is_american():
    endings = (".py", ".md", ".sh", ".toml", ".yaml", ".yml", ".json", ".mplstyle", "Snakefile")
    texts = {p.relative_to(ROOT).as_posix(): p for p in tracked(*endings)}
    assert len(texts) > 600
    found = {
        name: match[0]
        for name, path in texts.items()
        if name not in SPELLED_SO and (match := BRITISH.search(GREYS.sub("", path.read_text())))
    }
    assert not found
    assert all(
        map(BRITISH.search, ("behaviour", "Normalised", "a micrometre", "_grey", "artefacts"))
    )
    assert not any(map(BRITISH.search, ("analyses", "parameter", "noise", "a centered gray image")))


def prose(path: Path) -> str:
    """Comments and docstrings of a file, without what stands in backticks or is a path."""
    tree, text = ast.parse(path.read_text()), path.read_text()
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    parts = [ast.get_docstring(n) or "" for n in ast.walk(tree) if isinstance(n, kinds)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    parts += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return re.sub(r"`[^`]*`|\S*/\S*", "", "\n".join(parts))


def test_a_stimulus_is_an_image_or_a_film():
    """Words of notebooks/README.md; what a figure shows may be a picture."""
    said = re.compile(r"\b(pictures?|photos?)\b", re.IGNORECASE)
    sources = [f for f in SOURCES if package(f) != "figures"]
    assert not {f.name: match[0] for f in sources if (match := said.search(prose(f)))}
    results = re.compile(r"places\.(figures|tables)\b.*picture")
    notebooks = (ROOT / "notebooks").glob("*/*.py")
    assert not [f.name for f in notebooks if results.search(f.read_text())]


def functions(path: Path) -> list[tuple[str, int]]:
    """Names and lengths in lines of all functions of a file."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    found = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, kinds)]
    return [(f"{path.relative_to(ROOT)}:{n.name}", n.end_lineno - n.lineno + 1) for n in found]


def test_files_and_functions_are_short():
    lengths = {f: len(f.read_text().splitlines()) for f in SOURCES}
    assert not [str(f.relative_to(ROOT)) for f, length in lengths.items() if length > 350]
    found = [pair for f in SOURCES for pair in functions(f)]
    assert not [name for name, length in found if length > 60]
    assert median(length for _, length in found) <= 12


def test_public_functions_say_what_they_do():
    kinds = ast.FunctionDef | ast.ClassDef
    silent = [
        f"{f.relative_to(ROOT)}:{node.name}"
        for f in SOURCES
        for node in ast.parse(f.read_text()).body
        if isinstance(node, kinds) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]
    assert not silent


@pytest.mark.parametrize("arguments", [["check"], ["format", "--check"]], ids=" ".join)
def test_ruff_is_content(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--quiet", str(ROOT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_names_a_machine_or_a_person():
    """No tracked file holds an absolute home or build folder, or one place's package registry."""
    places = re.compile(rb"/(?:home|Users|root|work|opt)/\w|find-links|index-url|file://")
    ours = Path(__file__)
    found = [p for p in tracked() if p != ours and p.suffix not in (".png", ".pdf")]
    assert not [str(p.relative_to(ROOT)) for p in found if places.search(p.read_bytes())]
