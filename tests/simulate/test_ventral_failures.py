"""Every planted failure of a simulated folder: refused in words, or taken and known for it."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from src.data.assembly_files import open_assembly
from src.data.choices import open_choices
from src.data.errors import DataError
from src.data.folders import open_folders
from src.evaluation.choice_consistency import consistency, human_rates, trial_halves
from src.models.picture_features import export_features
from src.models.pretrained import random_network
from src.models.registry import cornet_record
from src.simulate.ventral import load_ventral_truth, simulate_ventral
from src.simulate.ventral_failures import FAILURES, plant
from tests.simulate.test_ventral import SMALL, blocks

REFUSED = {  # by whom, and in which words
    "choice_not_offered": ("choices", "is not offered"),
    "two_objects_of_an_image": ("choices", "has two sample_obj"),
    "missing_value": ("assembly", "have NaN or infinite ones in 1 trials, first 0"),
    "changed_value": ("assembly", "do not match the attribute `hash`"),
    "missing_stimuli": ("assembly", r"stimulus_id are \(\d+,\), but values"),
    "not_a_picture": ("features", "notes.txt is not an image: remove it"),
    "empty_class": ("folders", "nothing holds no image"),
}
TAKEN = ("cell_in_one_half", "image_in_one_half", "gray_picture", "transparent_picture")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("ventral")
    simulate_ventral(root / "raw", root / "truth", SMALL, 3, blocks)
    return SimpleNamespace(raw=root / "raw", model=load_ventral_truth(root / "truth/truth.npz"))


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole.raw, tmp_path / "raw")


def features(folder):
    """Of the pictures to train on, by name."""
    network = random_network(cornet_record("z"), 0)
    path = export_features(network, folder / "pictures/train", folder, size=32)
    with np.load(path) as stored:
        return dict(zip(stored["names"], stored["features"], strict=True))


OPEN = {
    "choices": lambda folder: open_choices(folder / "behavior.csv"),
    "assembly": lambda folder: open_assembly(folder / "assembly.h5").averaged(),
    "folders": lambda folder: open_folders(folder / "pictures"),
    "features": features,
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_planted_failure_is_named(copy, name):
    who, words = REFUSED[name]
    plant(name, copy)
    with pytest.raises(DataError, match=words):
        OPEN[who](copy)


@pytest.mark.parametrize("metric", ["i1", "i2n"])
def test_a_cell_and_an_image_in_one_half_only(whole, copy, metric):
    """Entries are those that both sides have; by the letter, the comparison of halves fails."""
    model = whole.model["model"]
    full = consistency(model, OPEN["choices"](copy), metric).entries
    plant("image_in_one_half", copy)
    trials = OPEN["choices"](copy)
    image = consistency(model, trials, metric)
    lost = 1 if metric == "i1" else 23
    assert (full[:, 1] - image.entries[:, 1]).tolist() == [lost, lost]
    assert np.isfinite([image.score, image.ceiling, image.ceiled]).all()
    with pytest.raises(DataError, match=r"entries are undefined on one side"):
        consistency(model, trials, metric, strict=True)


def test_a_cell_in_one_half_only(whole, copy):
    full = OPEN["choices"](copy)
    first = full.image[0], full.distractor[0]
    plant("cell_in_one_half", copy)
    trials = OPEN["choices"](copy)
    for halves in trial_halves(len(trials.image)):
        missing = [np.isnan(human_rates(trials, rows)[first]) for rows in halves]
        assert sorted(missing) == [False, True]
    found = consistency(whole.model["model"], trials, "i2")
    assert (found.entries[:, 1] < 48 * 23).all() and np.isfinite(found.ceiled)


@pytest.mark.parametrize("name", ["gray_picture", "transparent_picture"])
def test_pictures_of_other_kinds_are_taken(copy, name):
    before = features(copy)
    plant(name, copy)
    for picture, x in features(copy).items():
        np.testing.assert_array_equal(x, before[picture])


def test_changed_pixels_are_other_features_and_another_folder(copy):
    """The name is the same, and neither is taken for what was there before."""
    before, known = features(copy), open_folders(copy / "pictures")[0].fingerprint
    plant("changed_pixels", copy)
    assert open_folders(copy / "pictures")[0].fingerprint != known
    after = features(copy)
    assert [n for n in after if not np.array_equal(after[n], before[n])] == [next(iter(after))]


def test_every_failure_is_tested():
    assert {*REFUSED, *TAKEN, "changed_pixels"} == set(FAILURES)
