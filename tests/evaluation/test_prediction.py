"""Predictions: once an image, saved with their ids, matched by them and by nothing else."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest
import torch

from src.config import BaselineCoreConfig, InputConfig, ModelConfig
from src.data.batch import Batch
from src.data.errors import DataError
from src.data.hashes import trial_sha256
from src.evaluation.metrics import correlation_to_average
from src.evaluation.prediction import (
    Prediction,
    align,
    load_prediction,
    outputs,
    predict,
    prediction_of,
    predictions_of,
    response,
    save_prediction,
    side_by_side,
)
from src.models.encoder import Encoder

U, IMAGES, TRIALS = 7, 5, 23


class FakeSession:
    """What `predict` needs of a Session, with the number of images it handed out."""

    key, n_units, image_shape = "mouse", U, (1, 16, 20)
    behavior_missing, pupil_missing = False, False

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        self.image_index = rng.permutation(np.arange(TRIALS) % IMAGES)
        self.image_ids = self.image_index * 10 + 3
        self.trial_ids = np.array([f"t{i}" for i in range(TRIALS)])
        self.unit_ids = np.arange(U) * 2 + 1
        self.coordinates, self.mean_response = rng.normal(size=(U, 3)), None
        self.images = torch.from_numpy(rng.normal(size=(IMAGES, 1, 16, 20))).float()
        self.behavior = torch.from_numpy(rng.normal(size=(TRIALS, 3))).float()
        self.provenance = {"key": "mouse", "fingerprint": "c0ffee"}
        self.sizes = []

    def batch(self, index, device="cpu"):
        self.sizes.append(len(index))
        images = self.images[self.image_index[index]]
        return Batch(images, behavior=self.behavior[index]).to(device)


def encoder(session, behavior=False, seed=1):
    core = BaselineCoreConfig(layers=3, channels=4)
    config = ModelConfig("cnn", core, InputConfig(behavior=behavior))
    return Encoder(config, {session.key: session}, seed)


@pytest.fixture
def session():
    return FakeSession()


def test_unique_images_are_predicted_once_and_equal_trial_by_trial(session):
    model, index = encoder(session), np.arange(TRIALS)[::-1]
    values = predict(model, session, index, batch_size=2)
    assert sum(session.sizes) == IMAGES and max(session.sizes) == 2
    with torch.no_grad():
        direct = [model(session.batch(index[[t]]), "mouse").numpy()[0] for t in range(TRIALS)]
    assert values.shape == (TRIALS, U) and values.dtype == np.float32
    np.testing.assert_allclose(values, direct, atol=1e-6)


def test_with_behavior_every_trial_has_its_own_prediction(session):
    model, index = encoder(session, behavior=True), np.arange(4, TRIALS)
    values = predict(model, session, index, batch_size=8)
    assert sum(session.sizes) == len(index) and max(session.sizes) == 8
    with torch.no_grad():
        direct = model(session.batch(index), "mouse").numpy()
    np.testing.assert_allclose(values, direct, atol=1e-6)
    assert len(np.unique(values[:, 0])) == len(index)


def test_linear_output_is_the_one_before_the_nonlinearity(session):
    model, index = encoder(session), np.arange(TRIALS)
    y = predict(model, session, index, linear=True)
    expected = torch.nn.functional.elu(torch.from_numpy(y)) + 1
    np.testing.assert_allclose(predict(model, session, index), expected, atol=1e-6)


def test_a_linear_output_is_itself_the_response(session):
    """ELU + 1 would make all of it positive."""
    rates, index = encoder(session), np.arange(TRIALS)
    model = Encoder(replace(rates.config, output="identity"), {session.key: session}, 1)
    for member in (rates, model):
        torch.nn.init.constant_(member.readouts["mouse"].bias, -0.2)
    y = predict(rates, session, index, linear=True)
    assert (y < 0).any()
    np.testing.assert_array_equal(predict(model, session, index), y)
    np.testing.assert_array_equal(predict(model, session, index, linear=True), y)
    np.testing.assert_array_equal(prediction_of(model, session, index, {}).values, y)
    made = predictions_of([rates, model], session, index, [{}, {}])
    assert [m.output for m in made] == ["elu1", "identity"]
    np.testing.assert_array_equal(made[0].responses().values, response(y))
    np.testing.assert_array_equal(made[1].responses().values, y)
    with torch.no_grad():
        direct = model(session.batch(index), "mouse").numpy()
    np.testing.assert_allclose(predict(model, session, index), direct, atol=1e-6)


def test_prediction_is_made_in_evaluation_mode(session):
    model = encoder(session).train()
    values = [predict(model.train(), session, np.arange(3)) for _ in range(2)]
    np.testing.assert_array_equal(*values)


@pytest.mark.parametrize("behavior", [False, True])
def test_members_share_each_batch_and_predict_what_they_would_alone(session, behavior):
    """To the byte, and the data is read once: not once a member."""
    members = [encoder(session, behavior, seed) for seed in (1, 2, 3)]
    index = np.arange(TRIALS)[::-1]
    y = outputs(members, session, index, batch_size=4)
    assert y.shape == (3, TRIALS, U) and y.dtype == np.float32
    assert len(session.sizes) == (6 if behavior else 2)
    assert sum(session.sizes) == (TRIALS if behavior else IMAGES)
    for one, member in zip(y, members, strict=True):
        alone = predict(member, session, index, linear=True, batch_size=4)
        np.testing.assert_array_equal(one, alone)
        responses = predict(member, session, index, batch_size=4)
        np.testing.assert_array_equal(response(one), responses)
    assert np.abs(y[0] - y[1]).max() > 1e-3


def test_members_that_see_other_inputs_are_refused(session):
    members = [encoder(session), encoder(session, behavior=True)]
    with pytest.raises(ValueError, match=r"see different inputs, .*behavior=False.*behavior=True"):
        outputs(members, session, np.arange(3))


def test_predictions_of_members_keep_who_made_them(session):
    members = [encoder(session, seed=seed) for seed in (1, 2)]
    provenance = [{"member": 1}, {"member": 2}]
    made = predictions_of(members, session, np.arange(4, 9), provenance)
    for member, own, y in zip(members, provenance, made, strict=True):
        alone = prediction_of(member, session, np.arange(4, 9), own)
        assert y.provenance == alone.provenance and y.provenance["member"] == own["member"]
        np.testing.assert_array_equal(y.trial_ids, session.trial_ids[4:9])
        np.testing.assert_array_equal(y.responses().values, alone.values)


def test_response_is_elu_plus_one_without_overflow():
    y = np.float32([-1e4, -20, -0.5, 0, 0.5, 1e4])
    expected = torch.nn.functional.elu(torch.from_numpy(y).double()) + 1
    np.testing.assert_allclose(response(y), expected, rtol=1e-6)
    assert response(y).dtype == np.float32


def test_saved_prediction_comes_back_with_its_ids_and_provenance(session, tmp_path):
    model, index = encoder(session), np.arange(3, 12)
    made = prediction_of(model, session, index, {"seed": 42, "split": "official"}, batch_size=4)
    path = save_prediction(made, tmp_path / "cnn" / "mouse.npz")
    back = load_prediction(path)
    for name in ("values", "trial_ids", "image_ids", "unit_ids", "image_sha256"):
        np.testing.assert_array_equal(getattr(back, name), getattr(made, name))
    assert set(back.provenance) == {"session", "versions", "seed", "split"}
    assert back.provenance["session"] == session.provenance
    assert {"python", "torch", "numpy"} <= set(back.provenance["versions"])
    with np.load(path) as stored:
        names = {"predictions", "trial_ids", "image_ids", "unit_ids", "image_sha256", "provenance"}
        assert set(stored) == names
        assert stored["predictions"].dtype == np.float32


def test_saving_twice_gives_the_same_bytes(session, tmp_path):
    made = prediction_of(encoder(session), session, np.arange(5), {"seed": 1})
    one, two = (save_prediction(made, tmp_path / name).read_bytes() for name in "ab")
    assert one == two


def test_each_trial_comes_with_the_hash_of_the_image_it_shows(session):
    made = prediction_of(encoder(session), session, np.arange(TRIALS)[::-1], {})
    shown = session.images.numpy()[session.image_index[::-1]]
    assert made.image_sha256.tolist() == [sha256(image.tobytes()).hexdigest() for image in shown]
    assert len(set(made.image_sha256)) == IMAGES


def test_ids_that_were_given_to_other_images_are_refused(session, tmp_path):
    """Pictures packed anew in another order keep their trial ids; hashes tell (defect D1)."""
    trials = np.arange(8)
    made = prediction_of(encoder(session), session, trials, {})
    stored = load_prediction(save_prediction(made, tmp_path / "mouse.npz"))
    ids, turned = (session.trial_ids[trials], session.unit_ids), trials[::-1]
    hashes = trial_sha256(session, trials)
    back = align(stored, ids[0][turned], ids[1], hashes[turned])
    np.testing.assert_array_equal(back, made.values[turned])
    session.images = session.images.flip(0)
    with pytest.raises(DataError, match=r"mouse.npz: .* of 8 trials were .* other images"):
        align(stored, *ids, trial_sha256(session, trials))
    unknown = replace(stored, image_sha256=None)  # a file of others, which has ids only
    np.testing.assert_array_equal(align(unknown, *ids, hashes), made.values)


@pytest.fixture
def stored():
    rng = np.random.default_rng(3)
    trial_ids = np.array([f"{i:032x}" for i in rng.permutation(40)])
    ids = trial_ids, np.arange(40) % 10, np.array([1, 2, 4, 5, 9])
    return Prediction(rng.random((40, 5)).astype(np.float32), *ids, source="wide/mouse3.npz")


def test_permuted_rows_and_columns_score_identically(stored):
    rng = np.random.default_rng(4)
    responses = rng.random(stored.values.shape)
    rows, columns = rng.permutation(40), rng.permutation(5)
    permuted = replace(
        stored,
        values=stored.values[np.ix_(rows, columns)],
        trial_ids=stored.trial_ids[rows],
        image_ids=stored.image_ids[rows],
        unit_ids=stored.unit_ids[columns],
    )
    scores = [
        correlation_to_average(
            align(p, stored.trial_ids, stored.unit_ids), responses, stored.image_ids
        )
        for p in (stored, permuted)
    ]
    np.testing.assert_array_equal(*scores)


def test_trial_ids_match_as_text(stored):
    numbers = replace(stored, trial_ids=np.arange(40).astype(str))
    np.testing.assert_array_equal(align(numbers, np.arange(40), stored.unit_ids), stored.values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"unit_ids": np.array([1, 2, 4, 5]), "values": np.zeros((40, 4))},
            r"wide/mouse3.npz: 4 units where 5 are wanted, 1 missing \(first: 9\): re-run 03",
        ),
        ({"unit_ids": np.array([1, 2, 4, 5, 8])}, r"5 units where 5 .* 1 missing \(first: 9\)"),
        ({"unit_ids": np.array([1, 2, 4, 5, 5])}, r"5 units .* 1 missing \(first: 9\)"),
        (
            {"unit_ids": np.array([1, 2, 4, 5, 9, 9]), "values": np.zeros((40, 6))},
            "6 units, some more than once",
        ),
        (
            {"unit_ids": np.array([1, 2, 4, 5, 9, 11]), "values": np.zeros((40, 6))},
            r"6 units where 5 are wanted, 1 unknown \(first: 11\)",
        ),
        ({"trial_ids": np.array([f"t{i}" for i in range(40)])}, "40 trials .* 40 missing"),
    ],
)
def test_prediction_of_other_units_or_trials_fails(stored, change, message):
    with pytest.raises(DataError, match=message):
        align(replace(stored, **change), stored.trial_ids, stored.unit_ids)


def test_models_of_different_units_are_put_side_by_side():
    rng = np.random.default_rng(0)
    trials, images = np.array(["a", "b", "c"]), np.arange(3)
    first = Prediction(rng.normal(size=(3, 2)), trials, images, np.array([4, 1]))
    order = [2, 0, 1]
    values = rng.normal(size=(3, 1))
    second = Prediction(values[order], trials[order], images[order], np.array([7]))
    joined = side_by_side([first, second])
    np.testing.assert_array_equal(joined.values, np.hstack([first.values, values]))
    assert joined.unit_ids.tolist() == [4, 1, 7]
    with pytest.raises(DataError, match="more than once"):
        side_by_side([first, replace(second, unit_ids=np.array([1]))])
