"""`python -m src.run`: what it refuses, when it fails, what it leaves behind."""

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import jupytext
import psutil
import pytest

from src.kernel import address
from src.manifest import file_sha256
from src.paths import ROOT
from src.run import UNUSED, make_job, read_notes

HEAD = """# %% tags=["parameters"]
profile: str = "tried"  # name of the run
output_root: str = ""  # folder of results
seed: int = 42  # seed
member: int = 1  # which member

# %%
import os, sys, time
from pathlib import Path
from src.manifest import declare, note_input, save_json
result = Path(output_root) / "result.json"
"""
GOOD = HEAD + "declare(result)\n\n# %%\nsave_json({'member': member}, result)\n"


@dataclass
class Bench:
    """A folder with one notebook, and how to run it there as a user without settings would."""

    folder: Path
    server: str = ""  # name of the server of src.warm that starts its kernels, if one does

    def write(self, text: str, name: str = "01_tried.py") -> Path:
        notebook = self.folder / "study" / name
        notebook.parent.mkdir(exist_ok=True)
        notebook.write_text(text)
        return notebook

    def command(self, notebook: Path, *arguments: str) -> list[str]:
        root = ["-p", "output_root", str(self.folder / "out")]
        return [sys.executable, "-m", "src.run", str(notebook), *root, *arguments]

    @property
    def environment(self) -> dict[str, str]:
        """An empty home folder, in which nothing may be written."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "IPYTHON"))}
        return kept | {"HOME": str(self.folder / "home"), "STRIATE_WARM": self.server}

    def run(self, text: str, *arguments: str) -> subprocess.CompletedProcess:
        command = self.command(self.write(text), *arguments)
        (self.folder / "home").mkdir(exist_ok=True)
        return subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, env=self.environment, timeout=120
        )

    def record(self, name: str = "01_tried_1.json") -> dict:
        return json.loads((self.folder / "out/study/tried/records" / name).read_text())


@pytest.fixture(scope="session")
def server():
    """A server of warm kernels, and its name."""
    name = f"test-{os.getpid()}"
    command = [sys.executable, "-m", "src.warm", str(os.getpid())]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"STRIATE_WARM": name}) as process:
        while address(name).encode() not in Path("/proc/net/unix").read_bytes().replace(
            b"@", b"\0"
        ):
            assert process.poll() is None
            time.sleep(0.05)
        yield process, name
        process.kill()


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has warm kernels")


@pytest.fixture(params=["cold", pytest.param("warm", marks=LINUX)])
def bench(tmp_path, request):
    """Kernels that start from nothing, as in a run by hand, and warm ones, as in run_all.sh."""
    warm = request.param == "warm"
    return Bench(tmp_path, request.getfixturevalue("server")[1] if warm else "")


def test_a_run_is_recorded(bench):
    source = bench.folder / "source.csv"
    source.write_text("1\n")
    text = GOOD + f"note_input(Path({str(source)!r}))\nballast = os.urandom(200_000_000)\n"
    done = bench.run(text, "-p", "member", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"01_tried_3 +\d+\.\d s +\d+ MB\n", done.stdout)
    assert done.stdout in (bench.folder / "out/study/tried/run.log").read_text()

    record = bench.record("01_tried_3.json")
    result = bench.folder / "out/result.json"
    assert json.loads(result.read_text()) == {"member": 3}
    assert record["status"] == "finished"
    assert record["parameters"]["member"] == 3
    assert record["changed"] == ["output_root", "member"]
    assert record["seeds"] == {"seed": 42, "member": 3}
    assert record["inputs"] == {str(source): file_sha256(source)}
    assert record["outputs"] == {str(result): file_sha256(result)}
    assert 200 < record["peak_memory_mb"] < 1000
    assert 0 < record["cpu_seconds"] < 120 and 0 < record["seconds"] < 120
    head = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True)
    assert record["commit"] == head.stdout.strip()
    assert record["packages"]["numpy"] and record["machine"]

    executed = jupytext.read(record["executed"])
    assert executed.cells[1].metadata.tags == ["injected-parameters"]
    assert not list((bench.folder / "home").iterdir())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [(("membre", "3"), "no parameter 'membre'"), (("member", "3.5"), "member is int, not '3.5'")],
)
def test_wrong_parameters_exit_2_before_anything_runs(bench, given, complaint):
    done = bench.run(GOOD, "-p", *given)
    assert done.returncode == 2
    assert complaint in done.stderr and "member: int = 1  # which member" in done.stderr
    assert not (bench.folder / "out").exists()


FAILURES = {
    "raises": ("declare(result)\n\n# %%\n1 / 0\n", "raised ZeroDivisionError: division by zero"),
    "swallows": (
        "declare(result)\n\n# %%\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    pass\n",
        "declared but not written: ",
    ),
    "promises nothing": ("print('done')\n", "declared no output and wrote none"),
    "is killed": ("declare(result)\nos.kill(os.getpid(), 9)\n", "the kernel ended early"),
    "leaves quietly": (
        "save_json({}, result)\nsys.exit(0)\n\n# %%\nprint('never')\n",
        "ended with SystemExit",
    ),
    "finds an old result": (
        "declare(result)\nresult.parent.mkdir(exist_ok=True)\nresult.write_text('old')\n",
        "declared but not written: ",
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_a_notebook_that_breaks_its_promise_fails(bench, failure):
    body, complaint = FAILURES[failure]
    done = bench.run(HEAD + body)
    assert done.returncode == 1
    line = done.stdout.splitlines()[-1]
    assert line.startswith("01_tried_1: failed, ") and complaint in line
    record = bench.record("01_tried_1.failed.json")
    assert record["status"] == "failed" and complaint in record["error"]
    assert Path(record["executed"]).exists()
    assert not (bench.folder / "out/study/tried/records/01_tried_1.json").exists()
    assert ("ZeroDivisionError" in done.stderr) == (failure == "raises")


def test_an_expected_output_can_be_named_from_outside(bench):
    done = bench.run(GOOD, "--output", str(bench.folder / "out/other.json"))
    assert done.returncode == 1 and "out/other.json" in done.stdout


def test_any_kernel_called_python3_is_this_interpreter_with_these_sources(bench):
    """Another kernel of that name in the user's folders, another src in the working directory."""
    data = bench.folder / "home/.local/share/jupyter/kernels/python3"
    data.mkdir(parents=True)
    (data / "kernel.json").write_text(
        json.dumps({"argv": ["false"], "display_name": "x", "language": "python"})
    )
    (bench.folder / "src").mkdir()
    (bench.folder / "src/__init__.py").write_text("raise ImportError('another src')\n")
    check = "import src\nassert sys.executable == {!r}\nassert src.__file__ == {!r}\n"
    text = GOOD + check.format(sys.executable, str(ROOT / "src/__init__.py"))
    command = bench.command(bench.write(text))
    command[1:3] = [str(ROOT / "src/run.py")]
    environment = bench.environment | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=bench.folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_twin_runs_like_its_source(bench):
    notebook = bench.write(GOOD)
    twin = notebook.with_suffix(".ipynb")
    jupytext.write(jupytext.read(notebook), twin)
    job = make_job(twin, [("member", "2")])
    assert job.values == make_job(notebook, [("member", "2")]).values
    assert job.record.name == "01_tried_2.json"


def state_of(pid: int) -> str:
    """R, S, Z, ... or gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "gone"


@contextlib.contextmanager
def busy(bench, work: str):
    """A run whose notebook is at `work`: its process, and its kernel's process number."""
    file = bench.folder / "pid"
    text = GOOD + f"\n# %%\nPath({str(file)!r}).write_text(f'{{os.getpid()}}.')\n{work}\n"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = bench.command(bench.write(text))
    process = subprocess.Popen(command, cwd=ROOT, env=bench.environment, **pipes)
    with process:
        while not (file.exists() and file.read_text().endswith(".")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        yield process, int(file.read_text()[:-1])


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the kernel in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_fails_and_ends_its_kernel(bench, number):
    with busy(bench, "time.sleep(100)") as (process, kernel):
        process.send_signal(number)
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "failed, interrupted" in out
    assert state_of(kernel) == "gone"
    assert bench.record("01_tried_1.failed.json")["error"] == "interrupted"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_killed_run_takes_its_kernel_with_it(bench):
    """At once, even where Python cannot look up from its work."""
    with busy(bench, "3 ** 10**9") as (process, kernel):
        process.kill()
        process.communicate(timeout=60)
        for _ in range(100):
            if state_of(kernel) in ("gone", "Z", "X"):
                break
            time.sleep(0.05)
    assert state_of(kernel) in ("gone", "Z", "X")


@LINUX
def test_a_warm_kernel_is_a_fork_that_ends_with_its_server(tmp_path):
    name = f"test-{os.getpid()}-2"
    command = [sys.executable, "-m", "src.warm", str(os.getpid())]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | {"STRIATE_WARM": name}) as process:
        time.sleep(1)
        with busy(Bench(tmp_path, name), "time.sleep(100)") as (run, kernel):
            parents = [p.pid for p in psutil.Process(kernel).parents()]
            assert process.pid in parents and run.pid not in parents
            process.kill()
            out, _ = run.communicate(timeout=60)
    assert "the kernel ended early" in out and state_of(kernel) == "gone"


@LINUX
def test_a_server_that_starts_after_the_end_of_its_run_ends(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    command = [sys.executable, "-m", "src.warm", str(gone.pid)]
    environment = os.environ | {"STRIATE_WARM": f"test-{os.getpid()}-3"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=60)
    assert b"the process that started this one is gone" in done.stderr


def test_sockets_need_no_short_folder(bench, monkeypatch):
    deep = bench.folder / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    done = bench.run(GOOD)
    assert (done.returncode, done.stderr) == (0, "")


@LINUX
def test_a_warm_kernel_has_packages_and_reads_the_sources_anew(tmp_path, server):
    text = GOOD.replace(
        "import os, sys, time\n", "import os, sys, time\nbefore = set(sys.modules)\n"
    )
    text += "assert 'torch' in before and not [m for m in before if m.startswith('src')]\n"
    done = Bench(tmp_path, server[1]).run(text)
    assert done.returncode == 0


def test_a_run_without_its_server_starts_cold(tmp_path):
    done = Bench(tmp_path, "nobody-of-this-name").run(GOOD)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("package", UNUSED)
def test_what_is_kept_from_starting_would_start(package):
    assert importlib.util.find_spec(package)


def test_two_runs_of_one_job_take_turns(bench):
    diary = bench.folder / "diary"
    note = f"with open({str(diary)!r}, 'a') as stream:\n    stream.write('{{}}\\n')\n"
    text = GOOD + note.format("begin") + "time.sleep(2)\n" + note.format("end")
    command = bench.command(bench.write(text))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    pipes["env"] = bench.environment
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    told = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("01_tried_1 runs in another process (process " in stderr for _, stderr in told) == 1
    assert diary.read_text().split() == ["begin", "end"] * 2


def test_notes_keep_the_last_word_on_a_file(tmp_path):
    notes = tmp_path / "notes"
    lines = [("declared", None), ("output", "a"), ("output", "b")]
    text = (json.dumps({"kind": k, "path": "/x", "sha256": s}) + "\n" for k, s in lines)
    notes.write_text("".join(text))
    assert read_notes(notes) == {"declared": {"/x": None}, "input": {}, "output": {"/x": "b"}}
