"""Cost of the published cores against the specification's arithmetic (section 5.4)."""

import pytest

from src.models.cost import multiply_adds, training_multiply_adds
from src.models.encoder import Encoder, SessionFacts
from src.studies import sensorium2023
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


def test_a_clip_of_dynamic_vfm_costs_what_the_specification_says():
    """59.25 GFLOP, sums beside the products counted (sensorium2023, 6); a block is written out."""
    facts = SessionFacts(2, (1, 30, 36, 64), [[0.0, 0, 0], [1, 1, 1]], [1.0, 1.0])
    encoder = Encoder(sensorium2023.dynamic("mean", ()), {"mouse": facts}, seed=0)
    tokens, padded, c, half = 15 * 18 * 32, 16 * 21 * 35, 224, 488
    attention = padded * (4 * c * c + 2 * 392 * c)  # qkv, projection; logits and values
    forward = tokens * (c * 2 * half + half * 27 + half * c)
    behavior = 30 * (4 * 112 + 112 * 112)
    blocks = 4 * (attention + forward + behavior)
    assert multiply_adds(encoder) == pytest.approx(blocks + tokens * 8 * c, rel=1e-9)
    assert 2 * multiply_adds(encoder) / 1e9 == pytest.approx(59.25, rel=5e-3)
