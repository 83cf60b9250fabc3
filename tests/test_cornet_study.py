"""The CORnet study: profiles name what exists, recipes and numbers are the published ones."""

import ast
import re
import runpy
import tomllib

import numpy as np
import pandas as pd
import pytest
import torch

from src.data.assemblies import Assembly
from src.imports import sources
from src.models.registry import network_record
from src.paths import ROOT, run_paths
from src.studies import STUDIES

STUDY = STUDIES["cornet"]
EVERY = pytest.mark.parametrize("profile", STUDY.profiles.values(), ids=lambda p: p.name)


@EVERY
def test_networks_layers_plans_and_probes_exist(profile):
    networks = {n.name: n for n in profile.networks}
    assert len(networks) == len(profile.networks)
    assert {n for probe in profile.probes for n in probe.networks} == set(networks)
    for network in networks.values():
        record = network_record(network.network)
        assert set(network.layers) <= set(record.informative)
    trained = {n.name for n in networks.values() if n.start == "trained"}
    assert trained == {plan.model.name for plan in profile.plans}
    for plan in profile.plans:
        assert plan.model.network == networks[plan.model.name].network and plan.search is None


@EVERY
def test_files_of_models_and_probes_have_different_names(profile):
    tables = [f"03_{plan.model.name}_named" for plan in profile.plans]
    tables += [f"03_{p.name}{end}" for p in profile.probes for end in ("", "_choice")]
    assert len(set(tables)) == len(tables)


def test_the_mean_of_four_is_what_the_table_says():
    """Of the published columns; rounded to three digits by their authors."""
    rows = {}
    for one in STUDY.published:
        if one.source.startswith("upstream tables") and one.session == "private":
            rows.setdefault(one.system, {})[one.metric] = one.value
    complete = {name: row for name, row in rows.items() if "mean" in row}
    assert len(complete) == 11 and max(complete, key=lambda n: complete[n]["mean"]) == "CORnet-S"
    for row in complete.values():
        four = sum(row[name] for name in ("v4", "it", "ost", "i2n")) / 4
        assert four == pytest.approx(row["mean"], abs=1.1e-3)


def test_numbers_of_weights_are_those_of_the_networks():
    published = {p.system: p.value for p in STUDY.published if p.metric == "parameters"}
    for system, value in published.items():
        with torch.device("meta"):
            module = network_record(system.lower().replace("-", "_")).build()
        assert sum(p.numel() for p in module.parameters()) == value


def test_behavior_is_left_out_where_there_is_none(tmp_path):
    """The profile of recordings, whose folder holds mean rates alone."""
    places = run_paths("cornet", "full", str(tmp_path / "data"), str(tmp_path / "figures"))
    stimuli = pd.DataFrame({"stimulus_id": ["a", "b"]})
    Assembly(np.eye(2), stimuli, pd.DataFrame(index=range(2))).save(places.raw / "assembly.h5")
    script = (ROOT / "notebooks/cornet/07_fig_behavior.py").read_text()
    roots = {"data_root": tmp_path / "data", "output_root": tmp_path / "figures"}
    for name, value in {"profile": "full", **roots}.items():
        script = re.sub(rf'^{name}: str = ".*?"', f'{name}: str = "{value}"', script, flags=re.M)
    (tmp_path / "script.py").write_text(script)
    runpy.run_path(tmp_path / "script.py")
    assert [f.name for f in places.tables.iterdir()] == ["07_data.csv"]
    assert not pd.read_csv(places.tables / "07_data.csv")["found"].any()
    assert not list(places.figures.glob("*.png"))


def test_none_of_the_old_pins_is_needed():
    """C18: current numpy and scikit-learn, and no xarray, netCDF4, TensorFlow or Brain-Score."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[^\w-]", one)[0].lower() for one in project["dependencies"]}
    assert not named & {"xarray", "netcdf4", "tensorflow", "brainscore", "brainio", "cornet"}
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if re.match(r"(numpy|scikit-learn)==", line)
    )
    assert int(pins["numpy"].split(".")[0]) >= 2
    assert tuple(map(int, pins["scikit-learn"].split(".")[:2])) >= (1, 6)


def test_nothing_is_fetched():
    """C21: nothing that the study's command imports can open a connection by itself."""
    reached = {"urllib", "requests", "http", "socket", "ftplib", "boto3"}
    files = sources(ROOT / "src/cornet.py")
    assert len(files) > 50
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                named = {getattr(node, "module", None) or "", *(a.name for a in node.names)}
                assert not {name.split(".")[0] for name in named} & reached, file
