"""One list of dependencies, one set of versions, and the scripts that install them."""

import ast
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from src.paths import ROOT

# Import names that differ from the package's; and what only benchmarks import, in an environment
# of their own.
PACKAGES = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
ELSEWHERE = {"neuralpredictors"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def requirements() -> list[Requirement]:
    """Everything `.[all]` asks for, extras of extras unfolded."""
    extras = PROJECT["optional-dependencies"]
    waiting, found = [*PROJECT["dependencies"], *extras["all"]], []
    while waiting:
        requirement = Requirement(waiting.pop())
        if requirement.name == PROJECT["name"]:
            waiting += [line for extra in requirement.extras for line in extras[extra]]
        else:
            found.append(requirement)
    return found


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def test_constraints_pin_what_the_project_asks_for():
    found, asked = pins(), requirements()
    assert len(asked) > 15
    wrong = [
        str(r)
        for r in asked
        if canonicalize_name(r.name) not in found
        or not r.specifier.contains(found[canonicalize_name(r.name)])
    ]
    assert not wrong


def test_torch_and_torchvision_are_pinned_as_the_pair_they_are():
    asked = {r.name: str(r.specifier) for r in requirements()}
    assert (asked["torch"], asked["torchvision"]) == ("==2.13.*", "==0.28.*")


def test_constraints_serve_every_machine():
    """No builds, no addresses, nothing of one accelerator."""
    text = (ROOT / "constraints.txt").read_text()
    names = r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][A-Za-z0-9.]*"
    assert all(re.fullmatch(names, line) for line in text.splitlines() if line[0] != "#")
    assert not [name for name in pins() if name.startswith(("nvidia", "triton", "cuda"))]


def test_this_environment_holds_the_pinned_versions():
    found = pins()
    here = {canonicalize_name(r.name) for r in requirements()}
    wrong = {n: metadata.version(n) for n in here if metadata.version(n).split("+")[0] != found[n]}
    assert not wrong


def test_pinned_versions_run_on_the_oldest_python_promised():
    """Debian 12 has Python 3.11.2: a pin that wants a later 3.11 cannot be installed there."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    wants = {
        f"{d.name}=={d.version}": SpecifierSet(d.metadata.get("Requires-Python") or "")
        for d in metadata.distributions()
        if canonicalize_name(d.name) in pins()
    }
    assert not {name for name, versions in wants.items() if not versions.contains(oldest)}


def imported_packages(path: Path) -> set[str]:
    """Packages that a file imports, except Python's own and the house's."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    names |= {n.module for n in nodes if isinstance(n, ast.ImportFrom) and not n.level}
    return {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"src"}


def test_every_import_is_declared():
    declared = {canonicalize_name(r.name) for r in requirements()} | ELSEWHERE
    files = [f for part in ("src", "notebooks", "tests") for f in (ROOT / part).rglob("*.py")]
    ours = {f.stem for f in (ROOT / "tests/benchmarks").glob("*.py")}  # import each other by name
    ours |= {"tests"}  # what several test files share
    undeclared = {
        name: str(f.relative_to(ROOT))
        for f in files
        for name in imported_packages(f) - ours
        if canonicalize_name(PACKAGES.get(name, name)) not in declared
    }
    assert len(files) > 100 and not undeclared


def test_conda_installs_from_the_same_list():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *others, pip = environment["dependencies"]
    assert others == [f"python{PROJECT['requires-python']}", "pip"]
    assert pip == {"pip": ["--constraint constraints.txt", "--editable .[all]"]}


# The scripts --------------------------------------------------------------------------------------

SCRIPTS = ("run_all.sh", "setup.sh", "tests/run.sh", ".ci/run")


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_sound_bash(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_continuous_integration_runs_the_readme_s_test_command():
    assert "bash tests/run.sh" in (ROOT / "README.md").read_text()
    assert "bash tests/run.sh" in (ROOT / ".ci/run").read_text()


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("  #")[0].strip() for line in lines if line.strip()]


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_what_a_readme_tells_to_type_exists(page):
    """Scripts, notebooks and modules named in commands are there; * matches any."""
    found = commands((ROOT / page).read_text())
    assert found
    for command in found:
        names = re.findall(r"(?:^|\s)((?:notebooks|tests|src|\.ci)/\S+|\w+\.sh)", command)
        assert all(list(ROOT.glob(name)) for name in names), command
        for module in re.findall(r"python -m (src\.\w+)", command):
            assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), command
        options = re.findall(r"(--[a-z-]+)", command.split(" -- ")[0])
        if "run_all.sh" in command:
            assert all(option in (ROOT / "run_all.sh").read_text() for option in options), command


PYTHON = """#!/usr/bin/env bash
# Stands for a Python; says what it is told to do, and can fail where PIP_FAILS is set.
echo "$@" >>"$CALLS"
case "$*" in
*version_info*) [ -z "${OLD:-}" ] ;;
*--version*) echo "Python 3.9.1" ;;
"-m venv"*) rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*"pip install"*)
    echo "WARNING: Location 'x' is ignored: it is neither a file nor a directory."
    if [ -n "${PIP_FAILS:-}" ]; then echo "ERROR: no space left" && exit 1; fi
    if [ -n "${PIP_DIES:-}" ]; then kill -9 $PPID; fi
    ;;
esac
"""


class Machine:
    """A folder with setup.sh and pretended Pythons, in which it can be tried in no time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder / "clone", folder / "bin"
        self.calls = folder / "calls"
        self.folder.mkdir()
        self.bin.mkdir()
        for name in ("setup.sh", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.folder)
        for tool in ("cat", "cmp", "cp", "grep", "head", "mkdir", "mv", "rm", "tail", "bash"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name in ("python3", "python3.12"):
            (self.bin / name).write_text(PYTHON)
            (self.bin / name).chmod(0o755)
        (self.bin / "env").symlink_to(shutil.which("env"))

    def setup(self, **environment: str) -> subprocess.CompletedProcess:
        self.calls.write_text("")
        return subprocess.run(
            ["bash", "-c", ". ./setup.sh; echo $PATH"],
            cwd=self.folder,
            env={"PATH": str(self.bin), "CALLS": str(self.calls), **environment},
            capture_output=True,
            text=True,
        )

    @property
    def installs(self) -> list[str]:
        wanted = ("-m venv", "-m pip")
        return [line for line in self.calls.read_text().splitlines() if line.startswith(wanted)]


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_first_use_installs_and_the_second_does_not(machine):
    first = machine.setup()
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith(str(machine.folder / ".venv/bin:"))
    assert first.stderr.count("\n") == 1 and "Installing" in first.stderr
    venv, pip = machine.installs
    assert venv == "-m venv --clear .venv"
    assert pip.endswith("-e .[all] -c constraints.txt")
    second = machine.setup()
    assert (second.returncode, second.stderr, machine.installs) == (0, "", [])


def test_changed_dependencies_are_installed_in_place(machine):
    machine.setup()
    with open(machine.folder / "constraints.txt", "a") as stream:
        stream.write("another==1.0\n")
    done = machine.setup()
    assert done.returncode == 0 and "Updating" in done.stderr
    assert len(machine.installs) == 1 and "pip install" in machine.installs[0]


@pytest.mark.parametrize("what", ["install", "update"])
def test_a_killed_install_starts_anew(machine, what):
    if what == "update":
        machine.setup()
        (machine.folder / "constraints.txt").write_text("another==1.0\n")
    killed = machine.setup(PIP_DIES="1")
    assert killed.returncode != 0
    assert machine.setup().returncode == 0
    assert machine.installs[0] == "-m venv --clear .venv"
    assert not machine.setup().stderr


def test_a_moved_environment_is_made_anew(machine):
    machine.setup()
    machine.folder = machine.folder.rename(machine.folder.with_name("moved"))
    assert machine.setup().returncode == 0
    assert machine.installs[0] == "-m venv --clear .venv"


def test_a_failed_install_says_why_without_the_noise(machine):
    done = machine.setup(PIP_FAILS="1")
    assert done.returncode == 1
    assert "ERROR: no space left" in done.stderr
    assert "is ignored" not in done.stderr and done.stdout == ""
    assert machine.setup().returncode == 0


def test_an_old_python_is_refused_clearly(machine):
    done = machine.setup(OLD="1")
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr and "Python 3.9.1" in done.stderr
    assert not machine.installs


def test_an_environment_of_another_folder_is_left_alone(machine):
    other = machine.folder.with_name("other")
    other.mkdir()
    (machine.folder / ".venv").symlink_to(other)
    done = machine.setup()
    assert done.returncode == 1 and "is a link" in done.stderr
    assert not machine.installs


def test_an_activated_conda_environment_with_this_repository_is_used(machine):
    prefix = machine.folder.with_name("conda")
    (prefix / "bin").mkdir(parents=True)
    python = prefix / "bin/python"
    python.write_text(f"#!/usr/bin/env bash\necho {machine.folder.resolve()}\n")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    done = machine.setup(CONDA_PREFIX=str(prefix))
    assert done.returncode == 0 and done.stdout.startswith(f"{prefix}/bin:")
    assert not machine.installs
    python.write_text("#!/usr/bin/env bash\necho elsewhere\n")
    assert machine.setup(CONDA_PREFIX=str(prefix)).stdout.startswith(str(machine.folder))


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--nonsense"], "unknown option --nonsense"),
        (["demo"], "unknown option demo"),
        (["--jobs"], "--jobs needs a value"),
        (["--jobs", "many"], "--jobs needs a positive number, not 'many'"),
        (["--profile", "recording"], "--profile recording needs --recording NAME"),
    ],
)
def test_run_all_refuses_what_it_does_not_know(arguments, complaint):
    done = subprocess.run(
        ["bash", ROOT / "run_all.sh", *arguments], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 2
    assert done.stderr == f"run_all.sh: {complaint} (--help lists the options)\n"


def test_run_all_explains_itself():
    done = subprocess.run(
        ["bash", ROOT / "run_all.sh", "--help"], capture_output=True, text=True, check=True
    )
    for option in ("profile", "recording", "study", "jobs", "data-root", "output-root", "dry-run"):
        assert f"--{option}" in done.stdout
