"""Formulas by name on the published worked examples."""

import numpy as np
import pytest

from src.evaluation.normalization import FORMULAS, VERSIONS, all_forms, by_unit, ceiled


def test_worked_example():
    """AlexNet on public IT, and the example of the published README."""
    found = all_forms(0.5796, 0.8158)
    assert found["raw-2019"] == 0.5796
    assert found["ratio2-v1"] == pytest.approx(0.5048, abs=5e-5)
    assert found["r2c-2026"] == pytest.approx(0.4118, abs=5e-5)
    assert found["ratio"] == pytest.approx(0.7105, abs=5e-5)
    assert found["root"] == pytest.approx(0.6417, abs=5e-5)
    assert float(ceiled(0.22545, 0.8158, "ratio2-v1")) == pytest.approx(0.07637, abs=5e-6)
    assert set(found) == set(FORMULAS) == set(VERSIONS)


def test_a_negative_correlation_stays_negative():
    for version in VERSIONS:
        assert ceiled(-0.3, 0.8, version) == -ceiled(0.3, 0.8, version) < 0


def test_without_a_ceiling_there_is_no_ratio():
    for c in (0.0, -0.2, np.nan):
        found = all_forms(0.5, c)
        assert found.pop("raw-2019") == 0.5 and np.isnan(list(found.values())).all()


def test_by_unit_is_the_mean_of_ratios():
    r, c = np.array([0.5, -0.2, 0.9]), np.array([0.5, 0.8, 0.0])
    assert by_unit(r, c, "r2c-2026") == pytest.approx((0.5 - 0.05) / 2)
    assert np.isnan(by_unit(r, np.zeros(3), "ratio"))
