"""The graph of notebooks, tried in a copy of the house with notebooks that do next to nothing."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext
import pandas as pd
import pytest
import yaml

from src.manifest import file_sha256
from src.paths import ROOT
from src.studies import STUDIES

HEAD = """# %% tags=["parameters"]
profile: str = "demo"  # profile
recording: str = ""  # recording
data_root: str = ""  # data
output_root: str = ""  # results
seed: int = 42  # seed
"""
MODEL = 'model: str = "wide"  # model\n'
MEMBER = "member: int = 1  # member\nprocesses: int = 1  # that share the training\n"
BODY = """
# %%
from src.manifest import declare, save_table
from src.paths import run_paths

places = run_paths("sensorium2022", recording or profile, data_root, output_root)
table = places.tables / f"{NAME}.csv"
declare(table)

# %%
import pandas as pd

save_table(pd.DataFrame({"model": ["any"], "n_units": [seed], "avg": [0.25]}), table)
"""
NOTEBOOKS = {
    "01_preprocess": ("", '"01"'),
    "02_train": (MODEL + MEMBER, 'f"02_{model}_{member}"'),
    "03_predict": (MODEL, 'f"03_{model}"'),
    "04_evaluate": ("", '"scores"'),
    "05_fig_any": ("", '"05"'),
}
MAIN = {
    *("01_preprocess", "02_train_ln_1", "02_train_wide_1", "02_train_wide_2"),
    *("03_predict_ln", "03_predict_wide", "04_evaluate", "05_fig_any"),
}
STUDENTS = {"02_train_student_1", "02_train_student_2", "03_predict_student"}  # of wide
JOBS = MAIN | STUDENTS
AFTER_TRAINING_WIDE = {"03_predict_wide", "04_evaluate", "05_fig_any"} | STUDENTS


class House:
    """A copy of what makes the graph, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.results = folder / "figures/sensorium2022/smoke"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src", folder / "src", ignore=ignored)
        (folder / "data").mkdir()
        shutil.copytree(ROOT / "clusters", folder / "clusters")
        for name in ("Snakefile", "run_all.sh", "data/registry.json"):
            shutil.copy(ROOT / name, folder / name)
        few = '(p for p in SMOKE.plans if p.model.name in ("ln", "wide", "student"))'
        smoke = f"replace(SMOKE, plans=tuple{few})"
        self.edit("src/studies/sensorium2022.py", "profiles(SMOKE", f"profiles({smoke}")
        # the environment of the tests instead of one of its own
        (folder / "setup.sh").write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')
        self.notebooks = folder / "notebooks/sensorium2022"
        self.notebooks.mkdir(parents=True)
        for stem, (parameters, name) in NOTEBOOKS.items():
            text = HEAD + parameters + BODY.replace('f"{NAME}.csv"', f'({name} + ".csv")')
            self.notebook(stem).write_text(text)

    def notebook(self, stem: str) -> Path:
        return self.notebooks / f"{stem}.py"

    def record(self, job: str) -> Path:
        return self.results / f"records/{job}.json"

    def run_all(self, *arguments: str, profile: str = "smoke") -> subprocess.CompletedProcess:
        command = ["bash", str(self.folder / "run_all.sh"), "--profile", profile, "--jobs", "2"]
        command += ["--study", "sensorium2022"]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, cwd="/")

    def would_run(self) -> set[str]:
        """Names of the jobs that the next call would run."""
        done = self.run_all("--", "--dry-run")
        assert done.returncode == 0, done.stdout + done.stderr
        return set(re.findall(r"output: \S+/records/(\w+)\.json", done.stdout + done.stderr))

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def finished_house(tmp_path_factory):
    """A house in which the smoke profile ran once."""
    house = House(tmp_path_factory.mktemp("house") / "copy")
    done = house.run_all()
    assert done.returncode == 0, done.stdout + done.stderr
    house.said = done.stdout, done.stderr
    return house


@pytest.fixture
def house(finished_house):
    """The finished house, put back as it was after the test."""
    kept = finished_house.folder.with_name("kept")
    shutil.copytree(finished_house.folder, kept)
    yield finished_house
    shutil.rmtree(finished_house.folder)
    kept.rename(finished_house.folder)


def test_a_run_says_one_line_a_notebook_then_scores_and_figures(finished_house):
    out, err = finished_house.said
    lines = re.findall(r"^(\w+) +\d+\.\d s +\d+ MB$", out, flags=re.MULTILINE)
    assert set(lines) == JOBS and len(lines) == len(JOBS)
    assert err == ""
    assert "simulated recordings, profile smoke" in out and "Done in" in out
    assert "model  n_units  avg\nany    42       0.250\n" in out
    log = (finished_house.results / "run.log").read_text().splitlines()
    assert len(log) == len(JOBS)


def test_the_order_is_that_of_the_stages(finished_house):
    ran = [
        line.split()[1] for line in (finished_house.results / "run.log").read_text().splitlines()
    ]
    stages = [name[:2] for name in ran if name in MAIN]
    assert (ran[0], stages[-2:]) == ("01_preprocess", ["04", "05"])
    for model in ("ln", "wide"):
        trained = [i for i, n in enumerate(ran) if re.fullmatch(rf"02_train_{model}_\d", n)]
        assert max(trained) < ran.index(f"03_predict_{model}")


def test_the_manifest_holds_every_job(finished_house):
    notebooks = json.loads((finished_house.results / "manifest.json").read_text())["notebooks"]
    assert {Path(n["executed"]).stem for n in notebooks} == JOBS
    assert {n["status"] for n in notebooks} == {"finished"}


def test_a_manifest_says_what_was_used_and_made(smoke_run):
    """Of the real notebooks: who read what, and the hashes of everything as it lies there."""
    manifest = smoke_run.output / "sensorium2022/smoke/manifest.json"
    notebooks = {Path(n["executed"]).stem: n for n in json.loads(manifest.read_text())["notebooks"]}
    for name, notebook in notebooks.items():
        assert notebook["outputs"] and notebook["packages"]["torch"] and notebook["machine"]
        assert notebook["seconds"] > 0 and 50 < notebook["peak_memory_mb"] < 2500
        assert notebook["parameters"]["profile"] == "smoke"
        assert ("seed" in notebook["seeds"]) == ("seed" in notebook["parameters"])
        for path, sha256 in (notebook["inputs"] | notebook["outputs"]).items():
            assert file_sha256(Path(path)) == sha256, (name, path)
    assert notebooks["02_train_wide_2"]["seeds"] == {"member": 2, "seed": 42}
    made = {path for notebook in notebooks.values() for path in notebook["outputs"]}
    assert all(set(n["inputs"]) <= made for n in notebooks.values())
    assert all(n["inputs"] for n in notebooks.values())


def test_a_run_of_all_studies_ends_with_their_summary(smoke_run):
    folder = smoke_run.output / "summary/smoke"
    table = pd.read_csv(folder / "tables/results.csv")
    assert set(table["study"]) == set(STUDIES) and set(table["data"]) == {"simulated"}
    assert table["published"].notna().sum() > 5 and table["difference"].isna().all()
    assert len(list(folder.glob("02_*.png"))) == len(STUDIES)
    last = smoke_run.said.split("All studies (profile smoke)")[1]
    assert "summary/smoke/gallery.md" in last and "sensorium2022  simulated  wide x 2" in last


def test_the_real_notebooks_warn_of_nothing(smoke_run):
    """A deprecation today is an argument that is gone tomorrow."""
    executed = sorted(smoke_run.output.glob("*/smoke/records/*.ipynb"))
    assert len(executed) > 40
    for path in executed:
        for cell in jupytext.read(path).cells:
            said = [o.text for o in cell.get("outputs", []) if o.get("name") == "stderr"]
            assert not said, (path.name, said)


def test_a_second_run_does_nothing(finished_house):
    before = (finished_house.results / "run.log").read_text()
    done = finished_house.run_all()
    assert done.returncode == 0 and done.stderr == ""
    assert "any    42       0.250" in done.stdout
    assert (finished_house.results / "run.log").read_text() == before


def test_dates_do_not_count(house):
    """A git checkout gives every file a new date."""
    for path in (*house.folder.rglob("*.py"), house.folder / "Snakefile"):
        os.utime(path)
    assert house.would_run() == set()


def test_a_changed_notebook_runs_again_and_all_that_follow(house):
    house.edit("notebooks/sensorium2022/03_predict.py", "seed: int = 42", "seed: int = 43")
    after = {"04_evaluate", "05_fig_any"}
    assert house.would_run() == after | {job for job in JOBS if job.startswith("03")}


def test_changed_code_runs_what_imports_it(house):
    house.edit("src/manifest.py", "lineterminator", "lineterminator")
    assert house.would_run() == set()
    with open(house.folder / "src/manifest.py", "a") as stream:
        stream.write("# changed\n")
    assert house.would_run() == JOBS


def test_code_that_nobody_imports_runs_nothing(house):
    (house.folder / "src/models/cores.py").write_text("# changed\n")
    assert house.would_run() == set()


def test_a_changed_recipe_trains_only_its_model(house):
    house.edit(
        "src/studies/sensorium2022.py", "Plan(_small(LN, 8), _SMOKE)", "Plan(_small(LN, 4), _SMOKE)"
    )
    assert house.would_run() == {"02_train_ln_1", "03_predict_ln", "04_evaluate", "05_fig_any"}


def test_a_missing_artifact_is_made_again(house):
    (house.results / "tables/02_wide_2.csv").unlink()
    assert house.would_run() == {"02_train_wide_2"} | AFTER_TRAINING_WIDE


def test_an_edited_artifact_is_made_again(house):
    table = house.results / "tables/02_wide_2.csv"
    table.write_text("edited")
    done = house.run_all()
    assert done.returncode == 0 and "02_train_wide_2 runs again: " in done.stderr
    assert table.read_text().startswith("model,")


def test_a_failed_notebook_stops_what_follows_and_stays_to_be_read(house):
    house.edit("notebooks/sensorium2022/03_predict.py", "import pandas", "1 / 0  # import pandas")
    done = house.run_all()
    assert done.returncode == 1
    failed = re.search(r"(03_predict_\w+): failed, cell 4 raised ZeroDivisionError", done.stdout)[1]
    assert "continues from here" in done.stderr and "RuleException" not in done.stderr
    assert (house.results / f"records/{failed}.ipynb").exists()
    assert house.record(failed).with_suffix(".failed.json").exists()
    assert not house.record(failed).exists()
    # an unchanged second run fails in the same way instead of taking old results for new
    assert house.run_all().returncode == 1
    house.edit("notebooks/sensorium2022/03_predict.py", "1 / 0  # import pandas", "import pandas")
    assert house.run_all().returncode == 0
    assert not house.record(failed).with_suffix(".failed.json").exists()


def test_a_killed_runner_is_told_and_run_again(house):
    """src.run itself cannot say that it was killed, so Snakemake must."""
    kill = "import os; os.kill(int(os.environ['JPY_PARENT_PID']), 9); import pandas"
    house.edit("notebooks/sensorium2022/04_evaluate.py", "import pandas", kill)
    done = house.run_all()
    assert done.returncode == 1
    assert "04_evaluate" in done.stderr and "non-zero exit status 137" in done.stderr
    house.edit("notebooks/sensorium2022/04_evaluate.py", kill, "import pandas")
    assert "04_evaluate" in house.would_run()


def test_mistakes_in_the_graph_are_told(house):
    done = house.run_all(profile="huge")
    assert done.returncode == 2 and "has no profile 'huge'" in done.stderr
    house.notebook("04_evaluate").unlink()
    done = house.run_all()
    assert done.returncode == 1 and "04_evaluate.py" in done.stderr


def test_a_job_by_hand_stands_in_the_graph(house):
    """The same parameters: taken. A seed of its own: not taken for the graph's."""
    common = ["-p", "profile", "smoke", "-p", "model", "wide", "-p", "member", "2"]
    command = [sys.executable, "-m", "src.run", str(house.notebook("02_train")), *common]
    subprocess.run(command, cwd=house.folder, check=True, capture_output=True)
    assert "02_train_wide_2" not in house.would_run()
    subprocess.run([*command, "-p", "seed", "7"], cwd=house.folder, check=True, capture_output=True)
    assert house.would_run() == {"02_train_wide_2"} | AFTER_TRAINING_WIDE


def test_a_dry_run_says_what_would_run_and_leaves_all_as_it_is(house):
    house.edit("notebooks/sensorium2022/03_predict.py", "seed: int = 42", "seed: int = 43")
    record = house.record("03_predict_ln").read_bytes()
    done = house.run_all("--dry-run")
    assert done.returncode == 0 and "03_predict_ln runs again" in done.stderr
    commands = re.findall(r"python -m src\.run notebooks/sensorium2022/(\w+)\.py", done.stdout)
    models = [job for job in JOBS if job.startswith("03_predict")]
    assert sorted(commands) == ["03_predict"] * len(models) + ["04_evaluate", "05_fig_any"]
    assert "Downloads: none" in done.stdout and "GPU        none" in done.stdout
    assert house.record("03_predict_ln").read_bytes() == record


def test_a_dry_run_of_the_paper_names_its_downloads(house):
    done = house.run_all("--dry-run", "--data-root", str(house.folder / "empty"), profile="full")
    assert done.returncode == 0, done.stderr
    assert "mice: 7 files  missing" in done.stdout and "Memory     16 GB" in done.stdout
    assert "    python -m src.fetch sensorium2022\n" in done.stdout
    members = sum(p.members for p in STUDIES["sensorium2022"].profile("full").plans)
    assert done.stdout.count("02_train.py -p profile full") == members
    assert not (house.folder / "empty").exists()


def test_the_graph_goes_to_a_cluster(house):
    """A dry run with the slurm plugin: every member is a job with memory, time and GPU."""
    shutil.rmtree(house.folder / "figures")
    account = ["--default-resources", "slurm_account=lab", "slurm_partition=gpu"]
    done = house.run_all("--", "--dry-run", "--executor", "slurm", *account, profile="full")
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    jobs = re.findall(r"rule train:.*?resources: ([^\n]*)", told, flags=re.DOTALL)
    assert len(jobs) == sum(p.members for p in STUDIES["sensorium2022"].profile("full").plans)
    for resources in jobs:
        asked = dict(pair.split("=") for pair in resources.split(", "))
        assert asked["mem_mb"] == "16000" and asked["runtime"] == "1440" and asked["gpu"] == "1"
        assert asked["slurm_account"] == "lab"


def trainings(told):
    """Resources and commands of the jobs that train, as a dry run tells them."""
    pattern = r"rule train:.*?(threads: \d+)?\n +resources: ([^\n]*)\n.*?(cd [^\n]*)"
    found = re.findall(pattern, told, flags=re.DOTALL)
    return [(dict(p.split("=", 1) for p in r.split(", ")), command) for _, r, command in found]


def test_a_cluster_is_a_file(house):
    """Resources are the job's, account and partition the file's; this machine limits nothing."""
    shutil.rmtree(house.folder / "figures")
    command = ["bash", house.folder / "run_all.sh", "--profile=full", "--study=sensorium2022"]
    command += ["--processes", "2", "--cluster", "slurm", "--", "--dry-run", "--printshellcmds"]
    done = subprocess.run(command, capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    found = trainings(told)
    assert len(found) == sum(p.members for p in STUDIES["sensorium2022"].profile("full").plans)
    for asked, line in found:
        assert asked["mem_mb"] == "32000" and asked["gpu"] == "2" and "-p processes 2" in line
        assert asked["slurm_partition"] == "my_gpu_partition"
    assert "threads: 16" in told and "slurm_partition=my_cpu_partition" in told


def test_kubernetes_is_a_file_too(house):
    """Its records go through a storage plugin."""
    shutil.rmtree(house.folder / "figures")
    dry = "--", "--dry-run", "--printshellcmds"
    done = house.run_all("--cluster", "kubernetes", *dry, profile="full")
    found = trainings(done.stdout + done.stderr)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(found) == sum(p.members for p in STUDIES["sensorium2022"].profile("full").plans)
    assert all(asked["gpu_manufacturer"] == "nvidia" for asked, _ in found)
    assert all(asked["gpu"] == "1" and asked["scale"] == "0" for asked, _ in found)


def test_a_cluster_without_a_file_is_told(house):
    done = house.run_all("--cluster", "torque")
    assert done.returncode == 2 and "no config.yaml in clusters/torque" in done.stderr


def test_files_of_clusters_have_options_of_snakemake():
    """Those of the plugins, which are installed, and of storage, which wants one more."""
    told = subprocess.run(
        [sys.executable, "-m", "snakemake", "--help"], capture_output=True, text=True, check=True
    )
    executors = re.search(r"--executor \{([^}]*)\}", told.stdout).group(1).split(",")
    assert {"local", "slurm", "kubernetes"} <= set(executors)
    known = set(re.findall(r"--([\w-]+)", told.stdout))
    for file in (ROOT / "clusters").glob("*/config.yaml"):
        options = yaml.safe_load(file.read_text())
        assert options["executor"] == file.parent.name and set(options) <= known


def test_a_run_on_this_machine_starts_without_executors_of_clusters():
    command = [sys.executable, "-X", "importtime", "-m", "src.local_graph", "--help"]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    executors = re.search(r"--executor \{([^}]*)\}", told.stdout).group(1).split(",")
    assert "local" in executors and not {"slurm", "kubernetes"} & set(executors)
    imported = set(re.findall(r"\| +(\w+)$", told.stderr, flags=re.MULTILINE))
    assert "snakemake" in imported and not {"kubernetes", "pandas"} & imported


@pytest.mark.parametrize("study", ["macaque_it", "cornet"])
def test_every_network_probe_and_search_is_a_job(study, tmp_path):
    """A dry run of the real notebooks; a job waits for features or a recipe it reads, no others."""
    places = ["--data-root", str(tmp_path / "data"), "--output-root", str(tmp_path / "figures")]
    command = ["bash", str(ROOT / "run_all.sh"), "--profile", "smoke", "--study", study]
    done = subprocess.run([*command, *places, "--", "--dry-run"], capture_output=True, text=True)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    ran = re.findall(
        r"rule (\w+):\n(?: +input: ([^\n]*)\n)? +output: \S+/records/(\w+)\.json", told
    )
    jobs = {job: set(re.findall(r"records/(\w+)\.json", given)) for rule, given, job in ran}
    profile = STUDIES[study].profile("smoke")
    run = {n.name: f"02_extract_{g}" for g, group in profile.groups.items() for n in group}
    extracts = {job: {"01_preprocess"} for job in run.values()}
    for network in profile.networks:
        if network.start == "trained":
            extracts[run[network.name]].add(f"02_train_{network.name}_1")
    assert {job: needs for job, needs in jobs.items() if job.startswith("02_ext")} == extracts
    probes = {f"03_probe_{p.name}": {run[n] for n in p.networks} for p in profile.probes}
    found = {job: needs for job, needs in jobs.items() if job.startswith("03_probe")}
    assert found == {job: {"01_preprocess", *needs} for job, needs in probes.items()}
    searches = {f"02_search_{p.model.name}" for p in profile.plans if p.search}
    trained = {
        f"02_train_{p.model.name}_{k}": {"01_preprocess"}
        | {f"02_search_{p.model.name}"} & searches
        | {run[name] for name in p.networks}
        for p in profile.plans
        for k in range(1, p.members + 1)
    }
    assert {job: needs for job, needs in jobs.items() if job.startswith("02_train")} == trained
    assert {job for job in jobs if job.startswith("02_search")} == searches
    figures = {path.stem for path in (ROOT / "notebooks" / study).glob("0[5-9]_*.py")}
    assert {"01_preprocess", "04_evaluate", *figures - set(profile.skips)} <= set(jobs)
    assert not (tmp_path / "data").exists()
