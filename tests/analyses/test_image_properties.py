"""Complexity, brightness and contrast against scipy and the published table; images by id."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from src.analyses import image_properties
from src.config import InputConfig
from src.data.errors import DataError
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import open_sessions
from src.simulate.config import SimulatedMouse, SimulationConfig
from src.simulate.mice import simulate_mice
from src.simulate.truth import load_truth

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def published(shared):
    """Properties of the 100 test images as published, and as computed from the images."""
    folder = shared / "data/sensorium2022_test_images"
    ours = image_properties.property_table(image_properties.folder_images(folder))
    return pd.read_csv(shared / "fixtures/sensorium2022/image_properties_test100.csv"), ours


def test_published_properties_are_reproduced(published):
    theirs, ours = published
    assert len(theirs) == 100
    np.testing.assert_array_equal(ours["image_id"], np.sort(theirs["image_ids"]))
    theirs = theirs.sort_values("image_ids")
    for name in image_properties.PROPERTIES:
        np.testing.assert_allclose(ours[name], theirs[name.capitalize()], rtol=1e-6)
    example = ours.set_index("image_id").loc[183, "complexity"]
    np.testing.assert_allclose(example, 917.563071640478, rtol=1e-12)


def test_published_statistics_over_the_test_images(published):
    """Spec 9.2: extremes, medians and correlations over the 100 images, to their last digit."""
    ours = published[1].drop(columns="image_id")
    expected = {
        "complexity": (223.2, 2092.1, 919.4, 0.05),
        "brightness": (50.3, 202.7, 116.8, 0.05),
        "contrast": (16.35, 87.44, 51.2, 0.05),
    }
    for name, (low, high, median, half_digit) in expected.items():
        found = ours[name].min(), ours[name].max(), ours[name].median()
        np.testing.assert_allclose(found, (low, high, median), rtol=0, atol=half_digit)
    r = ours.corr()
    found = [
        r["complexity"]["brightness"],
        r["complexity"]["contrast"],
        r["brightness"]["contrast"],
    ]
    np.testing.assert_allclose(found, (-0.161, 0.245, 0.152), rtol=0, atol=5e-4)


@pytest.mark.parametrize("shape", [(144, 256), (7, 9), (5, 3)])
def test_complexity_is_the_mean_gradient_of_scipy(shape):
    image = RNG.integers(0, 256, shape, dtype=np.uint8)
    kernel = np.outer([-1, -2, 0, 2, 1], [1, 4, 6, 4, 1]).astype(float)
    x, y = (ndimage.correlate(image.astype(float), k, mode="mirror") for k in (kernel.T, kernel))
    expected = np.mean(np.sqrt(x**2 + y**2))
    np.testing.assert_allclose(image_properties.complexity(image), expected, rtol=1e-12)


def test_a_ramp_has_the_complexity_of_its_slope():
    """Weights 2 * (1 * 2 + 2 * 1) along the ramp, 16 across: a slope of 3 gives 3 * 8 * 16."""
    ramp = np.tile(3 * np.arange(60, dtype=np.uint8), (20, 1))
    inside = image_properties._along(1, ramp, image_properties.DERIVATIVE)[:, 2:-2]
    np.testing.assert_array_equal(16 * inside, 3 * 8 * 16)
    assert image_properties.complexity(np.full((20, 60), 99, np.uint8)) == 0


def test_brightness_and_contrast_are_mean_and_population_deviation():
    image = RNG.integers(0, 256, (12, 10), dtype=np.uint8)
    row = image_properties.property_table({7: image}).iloc[0]
    assert row["image_id"] == 7
    np.testing.assert_allclose(row["brightness"], image.sum() / 120, rtol=1e-12)
    spread = np.sqrt(np.square(image - row["brightness"]).sum() / 120)
    np.testing.assert_allclose(row["contrast"], spread, rtol=1e-12)


def test_gray_keeps_gray_images_and_weighs_colors():
    image = RNG.integers(0, 256, (1, 6, 8), dtype=np.uint8)
    np.testing.assert_array_equal(image_properties.gray(image.astype(np.float32)), image[0])
    color = RNG.integers(0, 256, (3, 6, 8), dtype=np.uint8)
    luma = np.tensordot([0.299, 0.587, 0.114], color, axes=1)
    np.testing.assert_allclose(image_properties.gray(color), luma, atol=0.51)
    with pytest.raises(DataError, match=r"\(1, 6, 8\) has values -1 to 0, not 0 to 255: rescale"):
        image_properties.gray(np.linspace(-1, 0, 48).reshape(1, 6, 8))


def write(folder, **images):
    for name, image in images.items():
        Image.fromarray(image).save(folder / f"{name}.png")


def test_a_folder_is_read_by_image_id(tmp_path):
    first, second = RNG.integers(0, 256, (2, 6, 8), dtype=np.uint8)
    write(tmp_path, **{"104": first, "12": second})
    found = image_properties.folder_images(tmp_path)
    assert list(found) == [12, 104]
    np.testing.assert_array_equal(found[104], first)


@pytest.mark.parametrize("name", ["cat", "0104"])
def test_a_file_that_names_no_image_is_refused(tmp_path, name):
    write(tmp_path, **{"104": np.zeros((6, 8), np.uint8), name: np.zeros((6, 8), np.uint8)})
    with pytest.raises(DataError, match=r"(cat|104)\.png is not the one file of an image id: call"):
        image_properties.folder_images(tmp_path)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Two simulated mice that share test images, the first without boxes; truth of the second."""
    folder = tmp_path_factory.mktemp("mice")
    mice = (
        SimulatedMouse("21067-10-18", units=3, boxes="absent"),
        SimulatedMouse("23343-5-17", units=3),
    )
    sizes = {"train": 6, "validation": 2, "test_images": 12, "repeats": (2, 3)}
    config = SimulationConfig(mice, **sizes)
    simulate_mice(folder / "raw", folder / "truth", config, seed=5)
    for mouse in open_mice(folder / "raw"):
        pack(mouse, folder / "processed" / mouse.key)
    sessions = open_sessions(folder / "processed", InputConfig(scale="quarter"))
    truth = load_truth(folder / "truth" / "23343-5-17.npz")
    return SimpleNamespace(raw=folder / "raw", sessions=list(sessions.values()), truth=truth)


def test_test_images_of_all_sessions_are_read_once_each(recorded):
    found = image_properties.shown_images(recorded.sessions)
    assert list(found) == sorted(found) and len(found) == 12
    (folder,) = recorded.raw.glob("*23343*")
    trials = recorded.truth.trials
    for row in np.flatnonzero(trials.tiers == "test"):
        stored = np.load(folder / f"data/images/{row}.npy")
        np.testing.assert_array_equal(found[trials.image_ids[row]], stored[0])


def test_boxes_come_from_the_sessions_that_have_them(recorded):
    table = image_properties.box_table(recorded.sessions).set_index("image_id")
    assert len(table) == 12 and 0 < table["number"].sum() < 12
    trials = recorded.truth.trials
    for row in np.flatnonzero(trials.tiers == "test"):
        x, y, w, h = recorded.truth.boxes[row]
        found = table.loc[trials.image_ids[row]]
        assert found["number"] == (w * h < 1)
        expected = (w * h, x, y) if w * h < 1 else (np.nan,) * 3
        np.testing.assert_allclose(found[["area", "x", "y"]], expected, rtol=1e-6)


def test_without_boxes_the_table_is_empty(recorded):
    table = image_properties.box_table(recorded.sessions[:1])
    assert list(table) == ["image_id", "number", "area", "x", "y"] and len(table) == 0
