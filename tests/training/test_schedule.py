"""Learning-rate traces against the published ones (specification 6.3) and a written-out oracle."""

from dataclasses import replace
from itertools import chain, repeat

import numpy as np
import pytest
import torch

from src.config import TrainingConfig
from src.studies.sensorium2022 import V1T
from src.training.schedule import Schedule


def trace(config, objective):
    """Learning rate of each epoch, and after which epochs the best weights came back."""
    schedule, rates, restored = Schedule.start(config, objective(0)), [], []
    while not schedule.finished:
        rates.append(schedule.learning_rate)
        if schedule.step(objective(schedule.epoch + 1)).restore:
            restored.append(schedule.epoch)
    return rates, restored


def runs(*lengths):
    """Published rates, each repeated so many times."""
    rates = (0.009, 0.0027, 0.00081, 0.000243)
    return list(chain(*(repeat(r, n) for r, n in zip(rates, lengths, strict=False))))


def rising(e):
    return min(e, 10) / 100


def constant(e):
    return 0.0


def stepped(e):
    return (min(e, 10) + (e >= 16) + (e >= 23) + (e >= 30)) / 100


UPSTREAM = [(rising, runs(16, 6, 6, 2)), (constant, runs(7, 6, 6, 1)), (stepped, runs(22, 7, 6))]
FIXED = [(rising, runs(15, 5, 5, 5)), (constant, runs(5, 5, 5, 5)), (stepped, runs(15, 6, 7, 7))]


@pytest.mark.parametrize(("objective", "expected"), UPSTREAM)
def test_upstream_rates_are_the_published_ones(objective, expected):
    rates, _ = trace(TrainingConfig(schedule="upstream"), objective)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)


@pytest.mark.parametrize(("objective", "expected"), FIXED)
def test_fixed_rates_fall_exactly_at_the_restoration(objective, expected):
    rates, restored = trace(TrainingConfig(schedule="fixed"), objective)
    np.testing.assert_allclose(rates, expected, rtol=1e-12)
    falls = [e for e in range(1, len(rates)) if rates[e] < rates[e - 1]]
    assert restored == [*falls, len(rates)]


@pytest.mark.parametrize("schedule", ["upstream", "fixed"])
def test_weights_come_back_five_epochs_after_the_last_improvement(schedule):
    assert trace(TrainingConfig(schedule=schedule), rising)[1] == [15, 20, 25, 30]
    assert trace(TrainingConfig(schedule=schedule), stepped)[1] == [15, 21, 28, 35]


def test_upstream_plateau_equals_torch():
    """The scheduler's part alone, against torch's own, on a noisy objective."""
    config = TrainingConfig(schedule="upstream", max_decays=10**6)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", 0.3, 5, threshold=1e-6, threshold_mode="abs", min_lr=1e-4
    )
    objective = np.random.default_rng(0).normal(size=200).cumsum()
    schedule = Schedule.start(config, float(objective[0]))
    for value in objective:
        schedule.step(float(value))
        plateau.step(value)
        assert schedule.learning_rate == optimizer.param_groups[0]["lr"]
    assert schedule.learning_rate == 1e-4


def test_training_ends_at_the_last_epoch_with_the_best_weights():
    rates, restored = trace(TrainingConfig(max_epochs=12), rising)
    assert len(rates) == 12
    assert restored == [12]


def test_an_improvement_within_the_tolerance_is_none():
    schedule = Schedule.start(TrainingConfig(tolerance=1e-6), 0.5)
    assert not schedule.step(0.5 + 0.9e-6).improved
    assert schedule.step(0.5 + 1.1e-6).improved


def test_the_rate_never_falls_below_its_minimum_nor_rises_to_it():
    constant_trace = trace(TrainingConfig(min_learning_rate=0.002), constant)[0]
    assert min(constant_trace) == 0.002
    assert max(trace(TrainingConfig(learning_rate=1e-5), constant)[0]) == 1e-5


@pytest.mark.parametrize("schedule", ["upstream", "fixed"])
def test_a_resumed_schedule_goes_on_as_if_nothing_had_happened(schedule):
    config = TrainingConfig(schedule=schedule)
    whole, _ = trace(config, stepped)
    resumed, rates = Schedule.start(config, stepped(0)), []
    while not resumed.finished:
        rates.append(resumed.learning_rate)
        resumed.step(stepped(resumed.epoch + 1))
        resumed = Schedule.resume(config, resumed.state())
    assert rates == whole


def test_resetting_moments_needs_the_fixed_schedule():
    config = TrainingConfig(schedule="upstream", reset_moments=True)
    with pytest.raises(ValueError, match="reset_moments=True needs schedule='fixed'"):
        Schedule.start(config, 0.0)
    Schedule.start(replace(config, schedule="fixed"), 0.0)


def test_a_cosine_falls_over_all_epochs_and_restores_once():
    """Against PyTorch's own scheduler."""
    config = TrainingConfig(schedule="cosine", max_epochs=9, min_learning_rate=1e-3)
    rates, restored = trace(config, stepped)
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=config.learning_rate)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9, eta_min=1e-3)
    for rate in rates:
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        cosine.step()
    assert restored == [9] and len(rates) == 9


V1T_TRACES = [  # an improvement at these epochs; epochs at each rate; when the best comes back
    ((), (11, 11, 11), [11, 22, 33]),
    ((1, 2, 3), (14, 11, 11), [14, 25, 36]),
    ((11,), (22, 11, 11), [22, 33, 44]),  # the 11th epoch itself improves
    ((12,), (11, 12, 11, 11), [11, 23, 34, 45]),  # two more reductions from here
    ((20, 32), (11, 20, 12, 11, 11), [11, 31, 43, 54, 65]),
    ((1, 13, 25, 37), (12, 12, 12, 12, 11, 11), [12, 24, 36, 48, 59, 70]),
]


@pytest.mark.parametrize(("improvements", "lengths", "expected"), V1T_TRACES)
def test_v1t_allows_two_reductions_since_the_last_improvement(improvements, lengths, expected):
    rates, restored = trace(V1T, lambda e: sum(e >= i for i in improvements) / 100)
    falling = (0.001647 * 0.3**k for k in range(len(lengths)))
    written = list(chain(*(repeat(r, n) for r, n in zip(falling, lengths, strict=True))))
    np.testing.assert_allclose(rates, written, rtol=1e-12)
    assert restored == expected


def test_v1t_ends_at_its_400th_epoch():
    rates, restored = trace(V1T, lambda e: (e >= 1) + (e - 1) // 12)
    assert len(rates) == 400 and restored[-1] == 400


def test_a_resumed_v1t_schedule_remembers_its_reductions():
    rates, resumed = [], Schedule.start(V1T, 0.0)
    while not resumed.finished:
        rates.append(resumed.learning_rate)
        resumed.step(float(resumed.epoch + 1 >= 12))
        resumed = Schedule.resume(V1T, resumed.state())
    assert rates == trace(V1T, lambda e: float(e >= 12))[0]


FINE_TUNING = TrainingConfig(
    schedule="cosine",
    max_epochs=10,
    learning_rate=1e-3,
    min_learning_rate=1e-6,
    warmup_epochs=2,
    cosine_epochs=15,
)
AS_WRITTEN = (1.000, 5.500, 10.000, 9.855, 9.428, 8.744, 7.842, 6.776, 5.607, 4.403)  # x 1e-4


def test_warm_up_and_cosine_are_the_published_ones():
    """macaque_it specification, section 6.1, and PyTorch's own schedulers."""
    rates, restored = trace(FINE_TUNING, stepped)
    np.testing.assert_allclose(rates, 1e-4 * np.array(AS_WRITTEN), rtol=1e-3)
    assert restored == [10]
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1e-3)
    parts = (
        torch.optim.lr_scheduler.LinearLR(optimizer, 0.1, total_iters=2),
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 13, eta_min=1e-6),
    )
    theirs = []
    for epoch in range(10):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        parts[epoch >= 2].step()
    np.testing.assert_allclose(rates, theirs, rtol=1e-9)


def test_a_resumed_warm_up_goes_on():
    resumed, rates = Schedule.start(FINE_TUNING, 0.0), []
    while not resumed.finished:
        rates.append(resumed.learning_rate)
        resumed.step(0.0)
        resumed = Schedule.resume(FINE_TUNING, resumed.state())
    assert rates == trace(FINE_TUNING, constant)[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patience": 5.79}, "patience=5.79 is no whole number of epochs"),
        ({"warmup_epochs": 2.0}, "warmup_epochs=2.0 is no whole number"),
        ({"cosine_epochs": 15.0}, "cosine_epochs=15.0 is no whole number"),
        ({"schedule": "fixed", "cosine_epochs": None}, "need schedule='cosine'"),
        ({"schedule": "fixed", "warmup_epochs": 0}, "need schedule='cosine'"),
        ({"cosine_epochs": 9}, "a cosine of 9 epochs, 2 of them warm-up or flat, does not hold"),
        ({"cosine_epochs": 15, "warmup_epochs": 15}, "of 15 epochs, 15 of them warm-up"),
    ],
)
def test_lengths_that_could_not_be_kept_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Schedule.start(replace(FINE_TUNING, **changes), 0.0)
