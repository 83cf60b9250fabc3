"""Statistics of a packed session: the shipped ones in any form, or numpy's over training trials."""

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.pack import pack, read_manifest
from src.data.sensorium import open_mouse


def packed(truth, folder):
    pack(open_mouse(truth.folder), folder)
    return dict(np.load(folder / "meta.npz"))


@pytest.mark.parametrize("form", ["0-d", "(1,)", "full"])
def test_shipped_statistics_of_any_form_are_used(write_mouse, tmp_path, form):
    truth = write_mouse()
    shape = {"0-d": (), "(1,)": (1,), "full": (1, 16, 24)}[form]
    folder = truth.folder / "meta/statistics"
    np.save(folder / "images/all/std.npy", np.full(shape, 70, np.float32))
    np.save(folder / "responses/all/std.npy", truth.responses_std[None] * 1.5)
    tables = packed(truth, tmp_path / "cache")
    assert np.unique(tables["images_std"]) == 70 and tables["images_std"].ndim == 3
    np.testing.assert_allclose(tables["responses_std"], truth.responses_std * 1.5)
    found = read_manifest(tmp_path / "cache")["statistics"]
    assert found["images"] == {"from": "file", "shape": list(shape)}
    assert found["responses"]["std_apart_from_training"] == pytest.approx(1 / 3)


def test_absent_statistics_are_those_of_training_trials(write_mouse, tmp_path):
    truth = write_mouse(statistics=False, response_dtype=np.float32)
    tables = packed(truth, tmp_path / "cache")
    train = truth.tiers == "train"
    assert tables["images_mean"].item() == pytest.approx(truth.images[train].mean(dtype=float))
    assert tables["images_std"].item() == pytest.approx(truth.images[train].std(dtype=float))
    for kind in ("responses", "behavior"):
        values = getattr(truth, kind)[train]
        np.testing.assert_allclose(tables[f"{kind}_std"], values.std(0, dtype=float), rtol=1e-5)
    wanted = truth.pupil_center[train].mean(0)
    np.testing.assert_allclose(tables["pupil_center_mean"], wanted, rtol=1e-6)
    wanted = truth.responses[train].mean(0, dtype=float)
    np.testing.assert_allclose(tables["training_mean"], wanted, rtol=1e-6)


def test_repeated_training_images_count_as_often_as_they_were_shown(write_mouse, tmp_path):
    truth = write_mouse(statistics=False)
    for i in range(20):
        truth.images[i] = truth.images[0]
        np.save(truth.folder / f"data/images/{i}.npy", truth.images[0])
    tables = packed(truth, tmp_path / "cache")
    train = truth.images[truth.tiers == "train"].astype(float)
    assert tables["images_mean"].item() == pytest.approx(train.mean())
    assert tables["images_std"].item() == pytest.approx(train.std())


def test_statistics_of_another_shape_are_named(write_mouse, tmp_path):
    truth = write_mouse()
    np.save(truth.folder / "meta/statistics/images/all/mean.npy", np.zeros((1, 16, 23)))
    message = (
        r"images/all/mean.npy is \(1, 16, 23\) but images of a trial are \(1, 16, 24\): remove"
    )
    with pytest.raises(DataError, match=message):
        pack(open_mouse(truth.folder), tmp_path / "cache")
