"""Profiles name only what exists, and answer a wrong name with the right ones."""

import re
from dataclasses import replace
from functools import cache

import pytest
import torch

from src.config import ClassifierConfig
from src.models.frozen import frozen_network
from src.models.registry import network_record
from src.studies import STUDIES
from src.studies.records import FrozenNetwork, Probe, Profile
from src.studies.sensorium2023 import SENSORIUM2023

MACAQUE = STUDIES["macaque_it"]
EVERY = pytest.mark.parametrize("profile", MACAQUE.profiles.values(), ids=lambda p: p.name)
OWN = ("random_map", "object_network", "autoencoder")


def layers_of(plan: FrozenNetwork) -> set[str]:
    """Names a network's layers may have: those of its record, and paths of its modules."""
    if plan.network in OWN:
        record = frozen_network(replace(plan, calibrated=False), 32, 42).record
        return {layer.name for layer in record.layers}
    return registered(plan.network, plan.weights)


@cache
def registered(network: str, weights: str) -> set[str]:
    record = network_record(network, weights)
    with torch.device("meta"):
        paths = dict(record.build().named_modules())
    return {*paths, *(layer.name for layer in record.layers)}


@EVERY
def test_names_are_unique(profile):
    for named in (profile.networks, profile.probes, profile.plans):
        names = [getattr(one, "name", None) or one.model.name for one in named]
        assert len(set(names)) == len(names)


@EVERY
def test_networks_and_layers_exist(profile):
    known = {plan.name: layers_of(plan) for plan in profile.networks}
    assert all(set(plan.layers) <= known[plan.name] for plan in profile.networks)
    for probe in profile.probes:
        assert set(probe.networks) <= set(known)
        assert bool(probe.networks) == (probe.kind != "pixels")
        assert bool(probe.layers) == (probe.kind not in ("pixels", "layers"))
        for network, layer in (name.split("/") for name in probe.layers):
            assert network in probe.networks and layer in known[network]


@EVERY
def test_every_network_has_a_probe(profile):
    assert {n for probe in profile.probes for n in probe.networks} == {
        n.name for n in profile.networks
    }


def test_the_untrained_control_is_of_five_starts():
    """D9: one start may be a bad one."""
    for profile in ("demo", "full"):
        chosen = MACAQUE.profile(profile)
        starts = [chosen.network(name) for name in chosen.probe("untrained").networks]
        assert len({start.draw for start in starts}) == len(starts) == 5
        (together,) = {start.group for start in starts}
        assert chosen.group(together) == tuple(starts)  # shown the pictures in one run


@EVERY
def test_networks_shown_pictures_in_one_run_are_random_starts_of_one(profile):
    assert [n for group in profile.groups.values() for n in group] == list(profile.networks)
    for name, networks in profile.groups.items():
        alike = {replace(n, name="", draw=0) for n in networks}
        assert len(alike) == 1 and len({n.draw for n in networks}) == len(networks)
        if len(networks) > 1:
            assert networks[0].start == "random" and not networks[0].training
            assert name not in {n.name for n in profile.networks}
        else:
            assert profile.group(name) == networks


def small() -> Profile:
    trained = FrozenNetwork("o", "object_network", start="random", training=ClassifierConfig())
    starts = [FrozenNetwork(f"r{k}", "random_map", start="random", draw=k) for k in (1, 2)]
    probes = [
        Probe("pixels", "pixels"),
        Probe("starts", "layers", ("r1", "r2")),
        Probe("mixed", "layers", ("o", "r1")),
    ]
    return Profile("small", networks=(trained, *starts), probes=tuple(probes))


@pytest.mark.parametrize(
    ("find", "says"),
    [
        ("group", "'small' shows images to no network 'x': choose one of o, r1, r2"),
        ("network", "'small' shows images to no network 'x': choose one of o, r1, r2"),
        ("probe", "'small' has no probe 'x': choose one of pixels, starts, mixed"),
    ],
)
def test_unknown_names_are_answered_with_what_there_is(find, says):
    profile = small()
    for one in (*profile.networks, *profile.probes):
        kind = "network" if isinstance(one, FrozenNetwork) else "probe"
        assert getattr(profile, kind)(one.name) is one
    with pytest.raises(KeyError, match=re.escape(says)):
        getattr(profile, find)("x")


def test_a_probe_is_of_starts_if_all_its_networks_are():
    profile = small()
    assert [profile.untrained(probe) for probe in profile.probes] == [False, True, False]


@EVERY
def test_trained_networks_start_from_networks_of_the_profile(profile):
    known = {plan.name: layers_of(plan) for plan in profile.networks}
    for plan in profile.plans:
        core, maps = plan.model.core, plan.model.inputs.maps
        assert set(plan.networks) <= set(known)
        if maps:
            network, layer = maps.split("/")
            assert layer in known[network]
        if source := getattr(core, "source", ""):
            begins = profile.network(source)
            same = ("network", "weights", "channels")
            assert [getattr(core, n) for n in same] == [getattr(begins, n) for n in same]
            assert not core.layer or core.layer in known[source]


def test_boxes_are_told_from_outside():
    told = {p.model.name: p.external for p in STUDIES["sensorium2022"].profile("demo").plans}
    assert {told[name] for name in ("wide", "box_true", "box_shuffled")} == {"object boxes"}
    assert {told[name] for name in ("compact", "box_full_frame", "box_none")} == {"none"}


def test_the_ensemble_of_videos_is_the_published_one():
    """31 trainings of their own, in the order of the published code (specification, 8.1)."""
    full = SENSORIUM2023.profile("full")
    names = [p.model.name for p in full.plans if hasattr(p.model.readout, "levels")]
    names = [n for n in names if n.startswith(("mean", "gated"))]
    modes = ("2_4_8_16", "2_4_8", "2_4_16", "2_8_16", "4_8_16", "2_4", "2_8", "2_16", "4_8", "4_16")
    modes += ("8_16", "2", "4", "8", "16")
    assert names == ["gated_0", *(f"{f}_{m}" for m in modes for f in ("mean", "gated"))]
    recipes = {p.training for p in full.plans if p.model.name in names}
    assert len(names) == 31 and len(recipes) == 1 and recipes.pop().turns == "cycle"
