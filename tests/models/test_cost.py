"""Cost of the published cores against the specification's arithmetic (section 5.4)."""

import pytest

from src.models.cost import multiply_adds, training_multiply_adds
from src.models.encoder import Encoder, SessionFacts
from src.studies.sensorium2022 import CNN, WIDE


@pytest.mark.parametrize(
    ("model", "shape", "millions"), [(CNN, (1, 36, 64), 61.4), (WIDE, (1, 144, 256), 1145)]
)
def test_published_cores_cost_what_the_specification_says(model, shape, millions):
    """Folded, the winner's stem does one plane's work of six: 1151 - 7.1 * 5 / 6."""
    facts = SessionFacts(2, shape, [[0.0, 0, 0], [1, 1, 1]])
    encoder = Encoder(model, {"mouse": facts}, seed=0)
    assert multiply_adds(encoder) / 1e6 == pytest.approx(millions, rel=2e-3)
    assert training_multiply_adds(encoder, 10) == 30 * multiply_adds(encoder)
