"""What a dry run says, from what Snakemake says; the whole of it is tried in test_graph."""

import io

import pytest

from src import dry_run
from src.dry_run import Job, jobs, main

RUN = (
    "/env/bin/python -m src.run notebooks/{0}.py -p profile full {1} --record /r.json --executed x"
)
TOLD = f"""Building DAG of jobs...
rule preprocess:
    reason: Missing output files: /o/records/01_preprocess.json
    resources: tmpdir=/tmp, runtime=1440, mem_mb=8000, mem=8 GB, mem_mib=7630
Shell command: cd /h && {RUN.format("nsd_gnet/01_preprocess", "")}
rule train:
    threads: 8
    resources: tmpdir=/tmp, runtime=120, mem_mb=16000, mem=16 GB, mem_mib=15259, gpu=2
Shell command: cd /h && {RUN.format("nsd_gnet/02_train", "-p data_root '/a b' -p member 3")}
rule manifest:
    resources: tmpdir=/tmp
Shell command: cd /h && /env/bin/python -m src.records 'A title' /o/manifest.json /r.json
This was a dry-run (flag -n). The order of jobs does not reflect the order of execution.
"""


def test_jobs_are_read_with_what_they_ask_for():
    first, second = jobs(TOLD.splitlines())
    run = "python -m src.run notebooks/nsd_gnet"
    assert first == Job("nsd_gnet", f"{run}/01_preprocess.py -p profile full", 8000, 1440, 0)
    command = f"{run}/02_train.py -p profile full -p data_root '/a b' -p member 3"
    assert second == Job("nsd_gnet", command, 16000, 120, 2)


@pytest.fixture
def report(monkeypatch, capsys, tmp_path):
    """The report on a profile of nsd_gnet, and the exit status."""

    def told(profile, text=TOLD):
        monkeypatch.setattr(dry_run.sys, "stdin", io.StringIO(text))
        status = main(
            ["--profile", profile, "--study", "nsd_gnet", "--data-root", str(tmp_path / "none")]
        )
        return status, capsys.readouterr()

    return told


def test_a_report_has_downloads_disk_memory_gpu_and_commands(report):
    status, told = report("full")
    lines = [line.rstrip() for line in told.out.splitlines()]
    assert status == 0 and "    ncsnr: 8 files " in told.out and "39.6 GB" in told.out
    assert "  Disk       328.5 GB and more of unknown size to download" in lines
    assert "  Memory     16 GB a notebook at most" in lines
    assert "  GPU        4 h at most: 1 jobs, up to 4 h each" in lines
    assert "GNet8j, 50 epochs: 2.8 h" in told.out
    assert "  Commands   3" in lines and "    python -m src.fetch nsd_gnet" in lines


def test_a_simulated_profile_downloads_nothing(report):
    _, told = report("demo", "Nothing to be done (all requested files are present).")
    assert "Downloads: none" in told.out and "nothing to download" in told.out
    assert "Commands   none, all is up to date" in told.out


def test_what_stops_snakemake_is_passed_on(report):
    status, told = report("full", "WorkflowError in file Snakefile\nno such rule")
    assert status == 1 and told.out == "" and "no such rule" in told.err


def test_a_profile_that_is_not_there_is_told(report):
    status, told = report("huge")
    assert status == 1 and "no profile 'huge'" in told.err
