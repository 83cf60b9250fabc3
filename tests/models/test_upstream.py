"""Parity with the published implementations: both checkpoints and the winner's model (spec 13)."""

import re

import numpy as np
import pytest
import torch

from src.config import ModelConfig, WideCoreConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.models.encoder import Encoder, SessionFacts
from src.models.upstream import LAPLACE, STEM, export_upstream, load_upstream, upstream_name

CHECKPOINTS = {
    "sota": ("sensorium_sota_model.pth", "26872-17-20", False, 576_376),
    "p_ln": ("sensorium_p_ln_model.pth", "27204-5-13", True, 564_107),
}
WINNER = "21067-10-18"


@pytest.fixture(scope="module")
def fixtures(shared):
    return shared / "fixtures" / "sensorium2022"


@pytest.fixture(scope="module", params=CHECKPOINTS)
def published(request, fixtures):
    """(name, encoder, session, batch, stored outputs) of a published checkpoint."""
    file, key, _, _ = CHECKPOINTS[request.param]
    with np.load(fixtures / "upstream_checkpoint_outputs.npz") as stored:
        images, behavior, pupil = (
            torch.from_numpy(stored[name]) for name in ("images", "behavior", "pupil_center")
        )
        prefix = request.param + "/"
        outputs = {k.removeprefix(prefix): stored[k] for k in stored if k.startswith(prefix)}
    batch = Batch(images, behavior=behavior, pupil=pupil)
    return request.param, load_upstream(fixtures / file), key, batch, outputs


def close(ours, stored, atol=5e-6):
    torch.testing.assert_close(ours.float(), torch.from_numpy(stored), rtol=0, atol=atol)


def test_checkpoint_outputs(published):
    name, encoder, key, batch, stored = published
    with torch.no_grad():
        prediction = encoder(batch, key)
        behavior = batch.behavior[:2] if name == "p_ln" else None
        close(encoder.core(batch.images[:2], behavior), stored["core_first2"])
        close(encoder.readouts[key].mu, stored["mu"])
        if name == "p_ln":
            close(encoder.shift(batch, key), stored["shift"])
        assert torch.equal(prediction, encoder(batch, key))
    close(prediction, stored["prediction"])
    assert prediction.mean().item() == pytest.approx(
        {"sota": 0.367760, "p_ln": 0.349753}[name], 2e-6
    )


def test_checkpoint_sizes(published):
    name, encoder, _, _, _ = published
    assert sum(p.numel() for p in encoder.parameters()) == CHECKPOINTS[name][-1]


def test_checkpoint_loss_penalties_and_gradients(published):
    name, encoder, key, batch, stored = published
    encoder.zero_grad(set_to_none=True)
    prediction, target = encoder(batch, key), torch.from_numpy(stored["target"])
    loss = (prediction - target * torch.log(prediction + 1e-12)).sum()
    core, readout = encoder.core.penalty(), encoder.readouts[key].penalty()
    assert loss.item() == pytest.approx(stored["loss_poisson_sum"], rel=1e-5)
    assert core.item() == pytest.approx(stored["core_reg"], rel=1e-5)
    assert readout.item() == pytest.approx(stored["readout_reg"], rel=1e-5)
    (loss + encoder.penalty(key)).backward()
    norms = {
        upstream_name(n, wide=False): 0.0 if p.grad is None else p.grad.norm().item()
        for n, p in encoder.named_parameters()
    }
    expected = dict(zip(stored["grad_norm_names"].tolist(), stored["grad_norms"], strict=True))
    assert len(expected) == {"sota": 25, "p_ln": 26}[name]
    assert norms == pytest.approx(expected, rel=1e-5)
    assert norms[f"readout.{key}.sigma"] == 0


def test_positions_hardly_vary_in_training(published):
    name, encoder, key, _, _ = published
    if name == "sota":
        largest, smallest = torch.linalg.svdvals(encoder.readouts[key].spread).median(0).values
        assert (largest.item(), smallest.item()) == pytest.approx((0.0089, 0.0021), abs=5e-5)


def test_export_is_the_file(published, fixtures):
    name, encoder, _, _, _ = published
    file = torch.load(fixtures / CHECKPOINTS[name][0], map_location="cpu", weights_only=True)
    exported = export_upstream(encoder)
    assert exported.keys() == file.keys()
    assert all(torch.equal(exported[k], file[k]) for k in file)


@pytest.fixture(scope="module")
def winner(fixtures):
    """(state dict, stored outputs, batch) of the winner's model."""
    with np.load(fixtures / "winner_pipeline.npz") as stored:
        arrays = {k: stored[k] for k in stored if k.split("/")[0] in ("sd", "model", "loader")}
    state = {k[3:]: torch.from_numpy(v) for k, v in arrays.items() if k.startswith("sd/")}
    images = torch.from_numpy(arrays["loader/images"])  # (3, 6, 144, 256)
    return state, arrays, Batch(images[:, :1], boxes=images[:, 2:, 0, 0])


@pytest.mark.parametrize(("form", "atol"), [("plane", 1e-5), ("folded", 5e-6)])
def test_winner(winner, form, atol):
    state, stored, batch = winner
    encoder = load_upstream(state)
    encoder.core.layers[0].conv.form = form
    with torch.no_grad():
        close(encoder.core(batch.images[:1], batch.boxes[:1]), stored["model/core"], atol)
        close(encoder(batch, WINNER), stored["model/pred"], atol)
    assert encoder.core.penalty().item() == pytest.approx(119.4018, rel=1e-5)
    assert encoder.core.penalty().item() == pytest.approx(stored["model/core_reg"], rel=1e-5)
    readout = encoder.readouts[WINNER].penalty().item()
    assert readout == pytest.approx(stored["model/readout_reg"], rel=1e-5)


def test_winner_loads_into_either_form(winner):
    state, _, batch = winner
    loaded = load_upstream(state)
    core = WideCoreConfig(channels=loaded.config.core.channels, form="plane")
    model = ModelConfig("plane", core, loaded.config.inputs)
    plane = Encoder(model, loaded.sessions, seed=9).eval()
    plane.load_state_dict(loaded.state_dict())
    difference = (plane(batch, WINNER) - loaded(batch, WINNER)).abs().max()
    assert difference < 5e-6


def test_winner_round_trip(winner):
    state, _, _ = winner
    exported = export_upstream(load_upstream(state))
    assert exported.keys() == state.keys()
    assert all(torch.equal(exported[k], state[k]) for k in state)


def tiny_state():
    mice = {k: SessionFacts(n, (1, 36, 64), np.eye(n, 3)) for k, n in (("a-1", 4), ("b-2", 3))}
    return export_upstream(Encoder(ModelConfig("cnn"), mice, seed=0)), mice


def test_many_mice_and_a_file_on_disk(tmp_path):
    state, mice = tiny_state()
    torch.save(state, tmp_path / "model.pth")
    encoder = load_upstream(tmp_path / "model.pth")
    assert [s.n_units for s in encoder.sessions.values()] == [4, 3]
    reference = Encoder(ModelConfig("cnn"), mice, seed=0).eval()
    batch = Batch(torch.randn(2, 1, 36, 64))
    assert torch.equal(encoder(batch, "b-2"), reference(batch, "b-2"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("readout.a-1.sigma"), "missing readout.a-1.sigma"),
        (lambda s: s.update(extra=torch.zeros(1)), "unexpected extra"),
        (
            lambda s: s.update({"core.features.layer0.conv.bias": torch.zeros(64)}),
            "unexpected core.features.layer0.conv.bias",
        ),
        (
            lambda s: s.update({"readout.b-2.bias": torch.zeros(9)}),
            "readout.b-2.bias is (9,), expected (3,)",
        ),
        (lambda s: s.update({LAPLACE: torch.zeros(1, 1, 3, 3)}), "not the 3x3 Laplacian"),
        (
            lambda s: s.update({"core.features.layer0.conv.weight": torch.zeros(64, 6, 9, 9)}),
            "6 input planes, expected one of (1, 4)",
        ),
        (
            lambda s: s.update({STEM: torch.zeros(32, 1, 4, 4)}),
            "1 input planes, expected one of (6,)",
        ),
        (lambda s: s.clear(), "missing core.features.layer0.conv.weight"),
    ],
)
def test_any_difference_is_listed(change, message):
    state, _ = tiny_state()
    change(state)
    with pytest.raises(ValueError, match=re.escape(message)):
        load_upstream(state)


def test_linear_cores_are_told_by_custom_or_by_the_caller(fixtures):
    for file, _, linear, _ in CHECKPOINTS.values():
        assert load_upstream(fixtures / file).config.core.linear is linear
        assert load_upstream(fixtures / file, linear=not linear).config.core.linear is not linear


def test_unsafe_files_are_refused(tmp_path):
    torch.save({"code": re.compile("x")}, tmp_path / "model.pth")
    with pytest.raises(DataError, match=r"model\.pth is no file of weights \(it is cut off, or"):
        load_upstream(tmp_path / "model.pth")


@pytest.mark.parametrize("name", ["readouts.a.free_mu", "missing_behavior", "modulators.a.bias"])
def test_only_published_parameters_are_exported(name):
    with pytest.raises(ValueError, match=f"no parameter like '{name}'"):
        upstream_name(name, wide=False)
