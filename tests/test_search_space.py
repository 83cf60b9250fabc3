"""What may be searched: whole numbers where lengths are counted, and nothing scored."""

import re
from dataclasses import replace
from itertools import product

import pytest

from src.config import ConvCoreConfig, DenseReadoutConfig, ModelConfig, TrainingConfig, as_plain
from src.studies import STUDIES
from src.studies.records import Plan
from src.studies.search import Choice, Range, Search
from src.training.schedule import Schedule

PLAN = Plan(ModelConfig("m", ConvCoreConfig(), readout=DenseReadoutConfig()), split="inner")
SEARCHED = [
    (name, profile.name, plan)
    for name, study in STUDIES.items()
    for profile in study.profiles.values()
    for plan in profile.plans
    if plan.search
]


def searching(*space, **more) -> Plan:
    return replace(PLAN, search=Search(space, 3, 4, **more))


def test_values_reach_the_recipe_and_the_model():
    new = {"learning_rate": 0.5, "core.channels": (3, 4), "readout.dropout": 0.25}
    plan = PLAN.varied(new)
    assert plan.training == TrainingConfig(learning_rate=0.5)
    core, readout = ConvCoreConfig(channels=(3, 4)), DenseReadoutConfig(dropout=0.25)
    assert plan.model == ModelConfig("m", core, readout=readout)
    assert replace(plan, model=PLAN.model, training=PLAN.training) == PLAN


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (Range("patience", 5, 10), "patience is int: a range of it takes integer=True"),
        (Range("clip", 1, 10, integer=True), "clip is float: a range of it takes integer=False"),
        (Choice("warmup_epochs", (1, 5.79)), "warmup_epochs is int, not one of (1, 5.79)"),
        (Choice("batch_size", (64, True)), "batch_size is int, not one of (64, True)"),
        (Choice("cosine_epochs", (9, 9.5, None)), "cosine_epochs is int or NoneType, not one of"),
        (Range("schedule", 1, 2), "a range of it takes integer=False"),
        (Range("max_epochs", 1, 9, integer=True), "'max_epochs' cannot be searched"),
        (Choice("threads", (1, 2)), "'threads' cannot be searched"),
        (Range("rate", 0.1, 1), "'rate' cannot be searched: name a field of the recipe"),
        (Choice("inputs.scale", ("full", "quarter")), "'inputs.scale' cannot be searched"),
        (Range("core.width", 0.1, 1), "or core.… or readout.… of ConvCoreConfig"),
        (Choice("name", ("a", "b")), "'name' cannot be searched"),
    ],
)
def test_what_cannot_be_searched_is_refused(one, says):
    """D3: a schedule of 5.79 epochs never took its step."""
    with pytest.raises(ValueError, match=re.escape(says)):
        searching(one)


def test_what_can_be_searched_is_taken():
    searching(
        Range("learning_rate", 1e-5, 1e-1, log=True),
        Range("warmup_epochs", 0, 3, integer=True),
        Choice("cosine_epochs", (9, None)),
        Choice("schedule", ("fixed", "cosine")),
        Choice("core.channels", ((4,), (8, 8))),
        Range("readout.hidden", 8, 64, log=True, integer=True),
        Range("readout.dropout", 0.0, 0.5),
    )


@pytest.mark.parametrize(
    ("low", "high", "more"),
    [(1.0, 1.0, {}), (2.0, 1.0, {}), (0.0, 1.0, {"log": True}), (1, 2.5, {"integer": True})],
)
def test_empty_ranges_are_refused(low, high, more):
    with pytest.raises(ValueError, match=r"learning_rate from .* (give low < high|round both)"):
        Range("learning_rate", low, high, **more)


def test_sizes_of_a_search_are_whole():
    space = (Range("learning_rate", 1e-5, 1e-1, log=True),)
    for sizes in ({"trials": 0}, {"epochs": 2.0}, {"warmup": -1}, {"startup": 0}):
        with pytest.raises(ValueError, match="must be an integer of at least"):
            Search(space, **{"trials": 3, "epochs": 3} | sizes)
    for wrong in ((), space * 2):
        with pytest.raises(ValueError, match="a search needs fields, each once"):
            Search(wrong, 3, 3)


@pytest.mark.parametrize("split", ["official", "resplit", "kfold"])
def test_a_search_looks_at_no_scored_image(split):
    """D4: validation images of these splits are scored, here or for other members."""
    with pytest.raises(ValueError, match=f"a search on split '{split}' sees scored images"):
        replace(searching(Range("clip", 1, 2)), split=split)


@pytest.mark.parametrize(("study", "profile", "plan"), SEARCHED)
def test_every_corner_of_a_search_has_a_schedule(study, profile, plan):
    space = plan.search.space
    assert {one.field for one in space} >= {"learning_rate", "weight_decay"}
    for corner in product(*(one.tried for one in space)):
        varied = plan.varied(dict(zip((one.field for one in space), corner, strict=True)))
        for epochs in (plan.search.epochs, plan.training.max_epochs):
            Schedule.start(replace(varied.training, max_epochs=epochs), 0.0)


def test_a_searched_plan_differs_in_name_and_search_alone():
    """So that scores of the two compare a found recipe with one set by hand."""
    assert {profile for _, profile, _ in SEARCHED} == {"smoke", "demo", "full", "extended"}
    for study, profile, plan in SEARCHED:
        name = plan.model.name.removesuffix("_searched")
        by_hand = STUDIES[study].profile(profile).plan(name)
        named = replace(plan, model=replace(plan.model, name=name), search=None)
        assert as_plain(named) == as_plain(by_hand)
