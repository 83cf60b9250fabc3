"""Dense readout: written out, its options, parameter counts of published networks, refusals."""

from dataclasses import replace

import pytest
import torch

from src.config import (
    BaselineCoreConfig,
    ConvCoreConfig,
    DenseReadoutConfig,
    GaussianReadoutConfig,
    InputConfig,
    ModelConfig,
)
from src.data.batch import Batch
from src.models.dense_readout import DenseReadout
from src.models.encoder import Encoder, SessionFacts
from src.seeds import stream

MAP = (3, 4, 5)
SMALL = DenseReadoutConfig(hidden=8)
IT = ModelConfig("it_cnn", ConvCoreConfig(), readout=DenseReadoutConfig(), output="identity")


def make(config, n_units=6, seed=0):
    return DenseReadout(config, MAP, n_units, torch.Generator().manual_seed(seed))


def small(**changes):
    model = replace(IT, core=ConvCoreConfig((4,)), readout=SMALL, **changes)
    return Encoder(model, {"a": SessionFacts(7, (3, 12, 12))}, seed=0)


def test_units_weigh_the_hidden_layer():
    readout, x = make(SMALL), torch.randn(9, *MAP)
    w = readout.state_dict()
    hidden = torch.clamp(x.reshape(9, 60) @ w["hidden.weight"].T + w["hidden.bias"], min=0)
    torch.testing.assert_close(readout(x), hidden @ w["out.weight"].T + w["out.bias"])
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(readout(last), readout(x))
    assert readout.penalty() == 0


def test_without_hidden_layer_it_is_linear():
    readout, x = make(replace(SMALL, hidden=0)), torch.randn(9, *MAP)
    w = readout.state_dict()
    assert set(w) == {"out.weight", "out.bias"}
    torch.testing.assert_close(readout(x), x.reshape(9, 60) @ w["out.weight"].T + w["out.bias"])


def test_units_can_be_selected():
    readout, x, units = make(SMALL), torch.randn(9, *MAP), torch.tensor([5, 0, 2])
    torch.testing.assert_close(readout(x, units=units), readout(x)[:, units])


def test_batch_norm_is_that_of_a_layer():
    readout, x = make(replace(SMALL, batch_norm=True)), torch.randn(50, *MAP)
    plain, reference = make(SMALL), torch.nn.BatchNorm1d(8)
    plain.load_state_dict({k: v for k, v in readout.state_dict().items() if k[:4] != "norm"})
    for mode in (True, False):
        readout.train(mode), reference.train(mode)
        expected = plain.out(reference(plain.hidden(x.flatten(1))).relu())
        torch.testing.assert_close(readout(x), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="cannot train on 1 trial"):
        readout.train()(x[:1])


def test_dropout_is_drawn_in_training_from_the_generator():
    config = replace(SMALL, hidden=2000, dropout=0.25)
    readout, x = make(config), torch.randn(2, *MAP)
    torch.nn.init.ones_(readout.out.weight)
    a, b = (readout(x, generator=stream(1, "sample", 1)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, readout(x, generator=stream(1, "sample", 2)))
    with pytest.raises(ValueError, match="dropout needs a generator"):
        readout(x)
    exact = readout.eval()(x)
    torch.testing.assert_close(a, exact, rtol=0.1, atol=0)
    assert not torch.equal(a, exact)


PUBLISHED = [  # parameters: macaque_it specification, section 5
    (ConvCoreConfig(), DenseReadoutConfig(), (3, 224, 224), 22_288_296),
    (
        ConvCoreConfig((32, 64), padding=1),
        DenseReadoutConfig(512, batch_norm=True, dropout=0.5),
        (3, 224, 224),
        102_867_752,
    ),
    (
        ConvCoreConfig((16, 32), padding=1, batch_norm=False),
        DenseReadoutConfig(128),
        (3, 224, 224),
        12_871_944,
    ),
    (ConvCoreConfig((512, 256)), DenseReadoutConfig(512), (1024, 14, 14), 6_511_528),
]


@pytest.mark.parametrize(("core", "readout", "shape", "count"), PUBLISHED)
def test_parameters_of_published_networks(core, readout, shape, count, monkeypatch):
    monkeypatch.setattr(torch.nn.init, "uniform_", lambda weight, *_, **__: weight)  # takes seconds
    model = replace(IT, core=core, readout=readout)
    encoder = Encoder(model, {"macaque": SessionFacts(168, shape)}, seed=0)
    assert sum(p.numel() for p in encoder.parameters()) == count


def test_identity_leaves_the_output_linear_and_elu1_does_not():
    batch, encoder, rates = Batch(torch.randn(40, 3, 12, 12)), small(), small(output="elu1")
    y = encoder.eval()(batch, "a")
    assert torch.equal(y, encoder.linear(batch, "a")) and (y < -0.1).any()
    torch.testing.assert_close(rates.eval()(batch, "a"), torch.nn.functional.elu(y) + 1)


def test_a_core_of_mice_may_have_a_dense_readout():
    sessions = {"a": SessionFacts(7, (1, 20, 24)), "b": SessionFacts(4, (1, 15, 16))}
    core = BaselineCoreConfig(layers=2, channels=6)
    encoder = Encoder(ModelConfig("dense", core, readout=SMALL), sessions, 0).eval()
    for key, facts in sessions.items():
        found = encoder(Batch(torch.randn(2, *facts.image_shape)), key)
        assert found.shape == (2, facts.n_units)


def test_what_cannot_be_built_or_read():
    with pytest.raises(ValueError, match="a plain core sees images, nothing beside"):
        small(inputs=InputConfig(boxes="file"))
    with pytest.raises(ValueError, match="a plain core sees images, nothing beside"):
        small(inputs=InputConfig(centered=True))
    with pytest.raises(ValueError, match="dense readout has no positions"):
        core = BaselineCoreConfig()
        small_facts = {"a": SessionFacts(7, (1, 20, 24))}
        inputs = InputConfig(pupil=True)
        Encoder(ModelConfig("x", core, inputs, SMALL, shifter=True), small_facts, 0)
    with pytest.raises(ValueError, match="'inverse_elu' is for output='elu1'"):
        readout = GaussianReadoutConfig(position="free", bias_init="inverse_elu")
        Encoder(replace(IT, readout=readout), {"a": SessionFacts(7, (3, 40, 40))}, 0)
    with pytest.raises(ValueError, match="need a hidden layer"):
        make(DenseReadoutConfig(0, dropout=0.5))
    with pytest.raises(ValueError, match="no positions to shift"):
        make(SMALL)(torch.zeros(2, *MAP), torch.zeros(2, 2))
    with pytest.raises(ValueError, match=r"\(3, 5, 4\), the readout is built for \(3, 4, 5\)"):
        make(SMALL)(torch.zeros(2, 3, 5, 4))
