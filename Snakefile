"""The graph of notebooks: 01_preprocess -> 02_train, a job a member -> 03_predict -> 04_evaluate -> figures.

Beside it, 02_extract, a job a network -> 03_probe, a job a probe -> 04_evaluate; 02_search comes before 02_train.
Last, where several studies run, the notebooks of the folder summary, which read what the studies wrote.

`bash run_all.sh` calls it. Config: study (empty: all), profile, recording, data_root, output_root,
processes (that share each training).

A job's output is its record, written last and only by a notebook that kept its promises; the record names
every artifact. So Snakemake never deletes a checkpoint before making it anew: a notebook that runs again
reuses what its recorded inputs prove current. A job runs again when its notebook, the files of `src` it
imports, its part of src/studies or a record before it changed (in content: a git checkout alone changes
nothing), and when one of its artifacts is gone or was edited.
"""

import atexit
import logging
import sys
from dataclasses import asdict

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from src import paths, records
from src.data.errors import DataError
from src.imports import code_sha256
from src.manifest import fingerprint
from src.start import DRY, chosen_studies
from src.studies import STUDIES
from src.studies.main_scores import MAIN_SCORES

profile = config.get("profile") or "demo"
recording = str(config.get("recording") or "")
roots = {name: str(config.get(name) or "") for name in ("data_root", "output_root")}
roots = {name: str(Path(root).resolve()) if root else "" for name, root in roots.items()}
processes = int(config.get("processes") or 1)
common = {"profile": profile, "recording": recording, **roots}
places = paths.run_paths("{study}", recording or profile, **roots)
try:
    asked_for = profile, recording, config.get("study") or "", roots["data_root"]
    chosen = chosen_studies(*asked_for)
except DataError as error:
    raise WorkflowError(str(error))
profiles = {study: STUDIES[study].profile(profile) for study in chosen}
told = [*chosen, *["summary"] * (len(chosen) > 1)]  # folders of notebooks


def record(name):
    """The record of a job, as a pattern of wildcards."""
    return str(places.records / f"{name}.json")


def figures(study):
    """Notebooks from 05 on, one question each."""
    found = sorted((paths.ROOT / "notebooks" / study).glob("[0-9][0-9]_*.py"))
    return [p.stem for p in found if p.stem >= "05" and p.stem not in profiles[study].skips]


def example(study):
    """Parameters of the example import, which is another run than the one that shows it."""
    return {"profile": "recording", "recording": profiles[study].example}


def members(study):
    return [(p.model.name, k) for p in profiles[study].plans for k in range(1, p.members + 1)]


def trained(study, model):
    """Records of all members of a model; of none, none."""
    return [record(f"02_train_{m}_{k}").format(study=study) for m, k in members(study) if m == model]


def jobs(study):
    """Every job of a study: its stage, and its parameters beside the common ones."""
    if study == "summary":
        return (yield from ((page, {}) for page in ("01_results_table", "02_figure_gallery")))
    if profiles[study].example:
        yield "00_import_recording", example(study)
    yield from ((stage, {}) for stage in ("01_preprocess", "04_evaluate", *figures(study)))
    yield from (("02_extract", {"network": name}) for name in profiles[study].groups)
    yield from (("03_probe", {"probe": p.name}) for p in profiles[study].probes)
    yield from (("03_predict", {"model": plan.model.name}) for plan in profiles[study].plans)
    yield from (("02_search", {"model": p.model.name}) for p in profiles[study].plans if p.search)
    yield from (("02_train", {"model": name, "member": k}) for name, k in members(study))


def options(values):
    """Options of src.run that set the notebook's parameters."""
    return [word for item in values.items() if item[1] for word in ("-p", *item)]


def given(wildcards):
    """Options that set the common parameters, and those that name the job."""
    own = {name: wildcards[name] for name in records.NAMING if name in wildcards.keys()}
    return options(common | own)


def plan(wildcards):
    return profiles[wildcards.study].plan(wildcards.model)


def predictions(wildcards):
    """Records of the predictions a figure was asked for, or those of the main table."""
    chosen, figure = profiles[wildcards.study], wildcards.get("figure", "")
    jobs = [f"03_predict_{p.model.name}" for p in chosen.asked(figure)]
    jobs += [f"03_probe_{p.name}" for p in chosen.probes if p.question == figure]
    return [record(job).format(study=wildcards.study) for job in jobs]


def raw(wildcards):
    """Recordings that were put there; simulated ones are made by the first notebook."""
    folder = Path(str(places.raw).format(study=wildcards.study))
    copied = workflow.storage_settings.default_storage_provider  # it would copy them to each job
    return [folder] if folder.exists() and not (simulated(wildcards) or copied) else []


def simulated(wildcards):
    return bool(profiles[wildcards.study].simulation) and not recording


def recorded(wildcards):
    """What src/studies says about the data of a run."""
    chosen = profiles[wildcards.study]
    detector = chosen.detector and asdict(chosen.detector)
    return fingerprint([chosen.simulation, detector, STUDIES[wildcards.study].sessions])


def extracted(names, wildcards):
    """Records of the features of some networks."""
    networks = (profiles[wildcards.study].network(name) for name in names)
    runs = dict.fromkeys(one.group or one.name for one in networks)
    return [record(f"02_extract_{name}").format(study=wildcards.study) for name in runs]


def planned(wildcards):
    """What it says about one model, and about the networks it starts from."""
    networks = [profiles[wildcards.study].network(name) for name in plan(wildcards).networks]
    return fingerprint([asdict(part) for part in (plan(wildcards), *networks)])


def found(wildcards):
    """The record of the search for a model's recipe, if there is one."""
    searched = plan(wildcards).search
    return [record("02_search_{model}").format(**wildcards)] if searched else []


def learned(wildcards):
    """Records of the training that the weights of a run's frozen networks come from, if any."""
    networks = profiles[wildcards.study].group(wildcards.network)
    names = [one.name for one in networks if one.start == "trained"]
    return [record(f"02_train_{name}_1").format(study=wildcards.study) for name in names]


def shown(wildcards):
    """What it says about the frozen networks of a run."""
    return fingerprint([asdict(n) for n in profiles[wildcards.study].group(wildcards.network)])


def probed(wildcards):
    """What it says about one probe."""
    return fingerprint(asdict(profiles[wildcards.study].probe(wildcards.probe)))


def features(wildcards):
    """Records of the features a probe reads."""
    return extracted(profiles[wildcards.study].probe(wildcards.probe).networks, wildcards)


def everything(wildcards):
    """What it says about all models of a profile, and the published scores."""
    published = [asdict(score) for score in STUDIES[wildcards.study].published]
    return fingerprint([asdict(profiles[wildcards.study]), published])


def summarized(wildcards):
    """Records of all notebooks that the summary reads tables and figures of."""
    stages = {study: ("04_evaluate", *figures(study)) for study in chosen}
    return [record(name).format(study=s) for s in stages for name in stages[s]]


def main_scores(wildcards):
    """What src/studies says about the summary."""
    return fingerprint([asdict(one) for scores in MAIN_SCORES.values() for one in scores])


def title(wildcards):
    """What a run calls itself; simulated data is always called simulated."""
    if wildcards.study == "summary":
        return f"All studies ({recording or f'profile {profile}'})"
    data = recording or "published recordings"
    data = "simulated recordings" if simulated(wildcards) else data
    return f"{STUDIES[wildcards.study].title} ({data}, profile {profile})"


def asks(name, times=1):
    """Resource function: a field of the profile's resources, of so many processes."""
    return lambda wildcards: getattr(profiles[wildcards.study].resources, name) * times


if config.get("terse"):  # src.run says what happens; of Snakemake's words only errors of its own
    said = ("exit status 1.", "exit status 2.", "not complete successfully", "job execution failed")
    logger.addFilter(
        lambda log: log.levelno > logging.INFO and not any(s in log.getMessage() for s in said)
    )

if workflow.is_main_process:
    for study in told:
        for stage, own in jobs(study):
            path = Path(record(records.job_name(stage, own)).format(study=study))
            if not path.exists():
                continue
            code = code_sha256(paths.ROOT / "notebooks" / study / f"{stage}.py")
            if reason := records.outdated(path, common | own, code):
                print(f"{path.stem} runs again: {reason}", file=sys.stderr)
                if DRY & {*sys.argv}:  # which changes nothing
                    aside = path.rename(path.with_suffix(".aside"))
                    atexit.register(aside.rename, path)
                else:
                    path.unlink()


def run(stage):
    """The command of the notebook `stage`."""
    notebook = f"notebooks/{{wildcards.study}}/{stage}.py"
    command = f"cd {paths.ROOT} && {sys.executable} -m src.run {notebook} {{params.given:q}}"
    return f"{command} --record {{output:q}} --executed {{log:q}}"


wildcard_constraints:
    study="|".join([*STUDIES, "summary"]),
    model=r"\w+",
    member=r"\d+",
    network=r"\w+",
    probe=r"\w+",
    figure=r"(0[5-9]|[1-9]\d)_\w+",
    page=r"0[12]_(results|figure)_\w+",


localrules:
    all,
    manifest,


rule all:
    input:
        expand(str(places.figures / "manifest.json"), study=told),
        [record(records.job_name(*job)).format(study=study) for study in told for job in jobs(study)],


rule manifest:
    input:
        lambda w: [record(records.job_name(*job)).format(study=w.study) for job in jobs(w.study)],
    output:
        str(places.figures / "manifest.json"),
    params:
        title=title,
    shell:
        f"cd {paths.ROOT} && {sys.executable} -m src.records {{params.title:q}} {{output:q}} {{input:q}}"


rule summary:
    input:
        summarized,
    output:
        record("{page}").replace("{study}", "summary"),
    log:
        str(places.records / "{page}.ipynb").replace("{study}", "summary"),
    params:
        given=options(common),
        settings=main_scores,
    resources:
        mem_mb=1500,
        runtime=10,
    shell:
        run("{wildcards.page}").replace("{wildcards.study}", "summary")


rule import_recording:
    output:
        record("00_import_recording"),
    log:
        str(places.records / "00_import_recording.ipynb"),
    params:
        given=lambda w: options(common | example(w.study)),
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
    shell:
        run("00_import_recording")


rule preprocess:
    input:
        raw=raw,
    output:
        record("01_preprocess"),
    log:
        str(places.records / "01_preprocess.ipynb"),
    params:
        given=given,
        settings=recorded,
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
    shell:
        run("01_preprocess")


rule search:
    input:
        data=rules.preprocess.output,
        features=lambda w: extracted(plan(w).networks, w),
    output:
        record("02_search_{model}"),
    log:
        str(places.records / "02_search_{model}.ipynb"),
    params:
        given=given,
        settings=planned,
    threads: lambda w: plan(w).training.threads
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
        gpu=asks("gpus"),
    shell:
        run("02_search")


rule train:
    input:
        data=rules.preprocess.output,
        features=lambda w: extracted(plan(w).networks, w),
        recipe=found,
        teachers=lambda w: trained(w.study, plan(w).teacher),
    output:
        record("02_train_{model}_{member}"),
    log:
        str(places.records / "02_train_{model}_{member}.ipynb"),
    params:
        given=given,
        settings=planned,
    threads: lambda w: plan(w).training.threads * processes
    resources:
        mem_mb=asks("memory_mb", processes),
        runtime=asks("minutes"),
        gpu=asks("gpus", processes),
        processes=processes,
    shell:
        run("02_train") + " -p processes {resources.processes}"


rule extract:
    input:
        data=rules.preprocess.output,
        weights=learned,
    output:
        record("02_extract_{network}"),
    log:
        str(places.records / "02_extract_{network}.ipynb"),
    params:
        given=given,
        settings=shown,
    threads: lambda w: getattr(profiles[w.study].group(w.network)[0].training, "threads", 1)
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
        gpu=asks("gpus"),
    shell:
        run("02_extract")


rule probe:
    input:
        data=rules.preprocess.output,
        features=features,
    output:
        record("03_probe_{probe}"),
    log:
        str(places.records / "03_probe_{probe}.ipynb"),
    params:
        given=given,
        settings=probed,
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
    shell:
        run("03_probe")


rule predict:
    input:
        members=lambda w: trained(w.study, w.model),
    output:
        record("03_predict_{model}"),
    log:
        str(places.records / "03_predict_{model}.ipynb"),
    params:
        given=given,
        settings=planned,
    threads: lambda w: plan(w).training.threads
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
        gpu=asks("gpus"),
    shell:
        run("03_predict")


rule evaluate:
    input:
        predictions=predictions,
    output:
        record("04_evaluate"),
    log:
        str(places.records / "04_evaluate.ipynb"),
    params:
        given=given,
        settings=everything,
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
    shell:
        run("04_evaluate")


rule figure:
    input:
        scores=rules.evaluate.output,
        predictions=predictions,
    output:
        record("{figure}"),
    log:
        str(places.records / "{figure}.ipynb"),
    params:
        given=given,
        settings=everything,
    resources:
        mem_mb=asks("memory_mb"),
        runtime=asks("minutes"),
    shell:
        run("{wildcards.figure}")
