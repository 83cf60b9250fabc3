"""The study of NSD: sizes as published, networks that exist, plans that can be built."""

import re
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pandas as pd
import pytest
import torch

from src.config import GNetCoreConfig, PoolingReadoutConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.models.encoder import Encoder, SessionFacts
from src.models.frozen import frozen_network
from src.models.registry import network_record
from src.names import UnknownName
from src.paths import ROOT
from src.studies.nsd_gnet import AREAS, FULL, JOINT_MEAN, MEAN, NSD_GNET, SIZES, caution
from src.studies.nsd_gnet_published import PUBLISHED, TABLES
from src.studies.records import FrozenNetwork

EVERY = pytest.mark.parametrize("profile", NSD_GNET.profiles.values(), ids=lambda p: p.name)


def test_models_have_the_published_number_of_weights():
    voxels = np.array(list(SIZES.values()))[:, :4]
    assert voxels.sum() == 29597 and voxels.sum(0).tolist() == [9041, 8818, 7763, 3975]
    facts = {"subj01": SessionFacts(3, (192, 27, 27))}
    encoder = Encoder(FULL.plan("gnet8j").model, facts, 0)
    trunk = sum(p.numel() for p in encoder.core.parameters())
    a_voxel = sum(p.numel() for p in encoder.readouts.parameters()) // 3
    assert (trunk, a_voxel) == (1_034_944, 1_307)
    assert trunk + a_voxel * voxels.sum() == 39_718_223
    assert round((trunk + a_voxel * 9041) / 9041) == 1_421


def test_all_subjects_train_within_the_memory_of_a_small_machine():
    """Weights, gradients of a step and Adam's moments of all, one subject's step at a time."""
    weights = 39_718_223 * 4
    largest = max(sum(v[:4]) for v in SIZES.values())
    chunk = PoolingReadoutConfig().chunk
    maps = 100 * 512 * (25 * 25 + 13 * 13) // 2 * 4
    core = 100 * 4 * 25 * 25 * (192 + 3 * 128) * 4
    pooled = 5 * chunk * 256 * 4
    assert 3 * weights + largest * 1307 * 4 + 4 * maps + core + pooled < 8e9 / 2


@EVERY
def test_networks_and_layers_exist(profile):
    for network in profile.networks:
        if network.network == "alexnet":
            known = {"features.2", *(layer.name for layer in network_record("alexnet").layers)}
        else:
            drawn = replace(network, start="random") if network.network != "gabor" else network
            found = frozen_network(drawn, network.size or 227, 0)
            known = {layer.name for layer in found.record.layers}
        assert set(network.layers) <= known
    for probe in profile.probes:
        assert {name.split("/")[0] for name in probe.layers} == set(probe.networks)
        assert set(probe.networks) <= {n.name for n in profile.networks}


@EVERY
def test_plans_are_one_trunk_for_all_and_one_an_area(profile):
    plans = [p for p in profile.plans if isinstance(p.model.core, GNetCoreConfig)]
    assert [p.area for p in plans] == ["", *AREAS]
    prefilter = profile.network("prefilter")
    for plan in plans:
        if profile.name.startswith("legacy"):
            assert plan.model.inputs.raw and plan.networks == ()
            assert plan.model.core.mean == (MEAN if plan.area else JOINT_MEAN)
            continue
        network, layer = plan.model.inputs.maps.split("/")
        assert network == "prefilter" and layer in prefilter.layers
        assert prefilter.mean == plan.model.core.mean
        assert set(plan.networks) == {"prefilter"}


def test_a_plan_of_some_subjects_and_areas_has_a_name_of_its_own():
    plan = FULL.plan("gnet8j")
    assert plan.narrowed("", "") == plan
    some = plan.narrowed("subj02 subj05", "V1 hV4")
    assert some.model.name == "gnet8j_subj02_subj05_V1_hV4"
    assert (some.sessions, some.area) == (("subj02", "subj05"), "V1 hV4")
    assert replace(some.model, name="gnet8j") == plan.model and some.training == plan.training
    own = FULL.plan("gnet8r_V2").narrowed("subj01", "")
    assert (own.model.name, own.area) == ("gnet8r_V2_subj01", "V2")
    with pytest.raises(ValueError, match="'gnet8r_V2' is of V2, not of V1"):
        FULL.plan("gnet8r_V2").narrowed("", "V1")


def each(of, name):
    """What a profile says of some of its parts, each once."""
    return {attrgetter(name)(part) for part in of}


LEGACY = {  # the list of 6.5: where a profile has each, as published, ours
    "legacy split": (lambda p: each((*p.plans, *p.probes), "split"), {"acquisition"}, {"official"}),
    "two-pass": (lambda p: each(p.plans, "training.two_pass"), {True}, {False}),
    "recompute": (lambda p: each(p.plans, "model.core.prefilter"), {"frozen"}, {"stored"}),
    "contiguous batches": (lambda p: each(p.plans, "training.contiguous"), {True}, {False}),
    "transfer trunk in train mode": (lambda p: each(p.plans, "training.drifting"), {True}, {False}),
    "transfer baseline without own-area refit": (
        lambda p: p.scoring.baselines[0],
        "as published",
        "read anew",
    ),
    "unpaired trial bootstrap": (lambda p: p.scoring.over, "trials", "images"),
    "fwRF by 5.5": (lambda p: each(p.probes, "legacy"), {True}, {False}),
    "single-trial rho": (lambda p: p.scoring.metrics, ("single",), ("avg", "single")),
}


@pytest.mark.parametrize("name", ["full", "smoke"])
def test_legacy_is_every_published_choice_at_once(name):
    ours = NSD_GNET.profile(name)
    ours = replace(ours, plans=tuple(p for p in ours.plans if p.model.name != "alexnet_fpf"))
    published = NSD_GNET.profile("legacy" if name == "full" else f"legacy_{name}")
    for item, (of, then, now) in LEGACY.items():
        assert (of(published), of(ours)) == (then, now), item
    means = {plan.area: plan.model.core.mean for plan in published.plans}
    assert means == {"": JOINT_MEAN} | dict.fromkeys(AREAS, MEAN)  # the legacy input means
    assert len(each(ours.plans, "model.core.mean")) == 1
    for plan in published.plans:  # and nothing else
        recipe = replace(plan.training, two_pass=False, contiguous=False, drifting=False)
        assert recipe == ours.plan(plan.model.name).training


def test_figures_show_means_of_repeats_unless_asked():
    ours, published = (NSD_GNET.profile(name).scoring for name in ("full", "legacy"))
    assert (ours.metric(), ours.metric("single"), published.metric()) == ("avg", "single", "single")
    with pytest.raises(UnknownName, match="no correlation 'avg' here: choose one of single"):
        published.metric("avg")


def test_a_fixed_layer_can_be_pooled_freely():
    facts = {"a": SessionFacts(4, (384, 13, 13))}
    encoder = Encoder(FULL.plan("alexnet_fpf").model, facts, 0)
    assert sum(p.numel() for p in encoder.core.parameters()) == 0
    assert sum(p.numel() for p in encoder.readouts.parameters()) == 4 * (13 * 13 + 384 + 1)
    found = encoder(Batch(torch.rand(2, 384, 13, 13)), "a")
    assert found.shape == (2, 4)


def test_a_mean_is_for_the_prefilter_alone():
    with pytest.raises(DataError, match="is for gnet_prefilter"):
        frozen_network(FrozenNetwork("g", "gabor", mean=MEAN), 32, 0)
    with pytest.raises(DataError, match="and needed"):
        frozen_network(FrozenNetwork("p", "gnet_prefilter", start="random"), 32, 0)


def test_published_scores_are_told_with_their_source():
    assert {s.session for s in PUBLISHED} == {*SIZES, "pooled"}
    assert all("stored" in s.source for s in PUBLISHED)


SOURCE = {
    "noise ceiling": "noise ceiling",
    "Gabor-fwRF": "Gabor-fwrf",
    "AlexNet-fpf": "Alexnet-fpf",
    "AlexNet-fwRF": "Alexnet-fwrf",
    "GNet8j": "GNet8j-fpf",
    "GNet8r": "GNet8r-fpf",
    "GNet8jft": "GNet8jft-fpf",
}


@pytest.mark.parametrize(
    ("table", "file"),
    [("variance", "model_accuracy_summary_source.csv"), ("fev", "model_FEV_summary_source.csv")],
)
def test_published_tables_are_means_of_the_deposited_ones(shared, table, file):
    path = shared / "fixtures/nsd_gnet/published_source_data" / file
    if not path.exists():
        pytest.skip(f"{file} is not here")
    deposited = pd.read_csv(path).groupby("ROI").mean()
    ours = [one for one in TABLES if one.table == table]
    assert len(ours) == {"variance": 28, "fev": 12}[table]
    for one in ours:
        assert one.value == pytest.approx(deposited.loc[one.place, SOURCE[one.system]], abs=0.0051)
        assert one.status == "source data"


def test_published_asymmetries_are_the_deposited_ones(shared):
    path = shared / "fixtures/nsd_gnet/published_source_data/transfer_learning_summary_source.csv"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    deposited = pd.read_csv(path).set_index(["set", "subj"])
    kinds = {"brain": "Experimental", "AlexNet generates": "Alexnet"}
    kinds |= {f"{name} generates": name for name in ("GNet8j", "GNet8r")}
    ours = [o for o in TABLES if o.table == "alpha" and o.status.startswith("source data")]
    assert len(ours) == len(deposited) == 36
    for one in ours:
        subject = 9 if one.place == "pooled" else int(one.place[-1])
        row = deposited.loc[kinds[one.system], subject]
        assert (one.value, one.error) == (row["mean"], row["std"])


def test_where_published_numbers_disagree_both_say_so():
    brain = [one for one in TABLES if one.table == "alpha" and one.system == "brain"]
    assert {one.status for one in brain} == {"stored, disagrees", "source data, disagrees"}


def test_every_figure_says_that_the_prefilter_is_random():
    assert caution(NSD_GNET.profile("demo")) and not caution(FULL)
    said = "figure, caution(settings)"
    for path in sorted((ROOT / "notebooks/nsd_gnet").glob("*.py")):
        text = path.read_text()
        without = {"01_preprocess": {"figure"}, "10_fig_moving_bars": {"figure"}}
        without["08_fig_control"] = {"figure", said}  # it fits GNets anew where asked to
        marks = re.findall(r"mark_simulated\((.*)\)", text)
        assert marks and set(marks) == without.get(path.stem, {said}), path
        assert len(marks) == len(re.findall(r"^ *save_figure\(", text, re.M))
