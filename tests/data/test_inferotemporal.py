"""`IT_data.h5` as a packed session: what was stored, once normalized, whole or not at all."""

import json
import os
import tracemalloc
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch

from src.config import InputConfig
from src.data import inferotemporal, rows
from src.data import pack as packing
from src.data.errors import DataError
from src.data.inferotemporal import (
    KEYS,
    Part,
    image_problem,
    normalize,
    open_inferotemporal,
    unnormalize,
    write_inferotemporal,
)
from src.data.inferotemporal_checks import check_inferotemporal
from src.data.objects import OBJECTS
from src.data.pack import pack, read_manifest
from src.data.session import Session
from src.data.splits import kfold_splits, official_split

UNITS = 6


@pytest.fixture
def written(tmp_path):
    """A file of 192 training, 64 validation and 64 test pictures, and what was written."""
    rng = np.random.default_rng(0)
    preferred = rng.normal(0, 0.3, (64, UNITS))
    parts = {}
    for tier, per_object in (("train", 3), ("validation", 1), ("test", 1)):
        number = rng.permutation(np.repeat(np.arange(64), per_object))
        rates = preferred[number] + rng.normal(0, 0.1, (len(number), UNITS))
        images = rng.integers(0, 256, (len(number), 16, 16), np.uint8)
        withheld = tier == "test"
        parts[tier] = Part(images, np.array(OBJECTS)[number], None if withheld else rates)
    path = write_inferotemporal(tmp_path / "raw/IT_data.h5", parts)
    return SimpleNamespace(path=path, **parts)


def packed(path, folder, scale="full"):
    pack(open_inferotemporal(path), folder)
    return Session(folder, InputConfig(scale=scale))


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "source.json"}


def test_normalizing_is_torchvisions_and_comes_back_exactly():
    gray = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    stored = normalize(gray)
    plain = torch.from_numpy(gray / 255)[:, None].expand(1, 3, 16, 16)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = (plain - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(stored, wanted, atol=1e-6)
    np.testing.assert_array_equal(np.rint(unnormalize(stored) * 255)[:, 0], gray)
    assert image_problem(stored) is None


def test_keys_types_and_names_are_those_of_the_course(written):
    with h5py.File(written.path) as file:
        assert sorted(file) == sorted(KEYS)
        assert {file[k].dtype.kind for k in KEYS if k[:6] == "object"} == {"S"}
        assert {file[k].dtype for k in KEYS if k[:6] != "object"} == {np.dtype(np.float32)}
        assert file["stimulus_val"].shape == (64, 3, 16, 16)
        assert file["object_test"][0].decode("latin-1") == written.test.objects[0]


def test_the_session_is_what_was_written(written, tmp_path):
    session = packed(written.path, tmp_path / "pooled")
    assert (session.key, session.n_trials, session.n_units) == ("pooled", 320, UNITS)
    parts = {t: getattr(written, t) for t in ("train", "validation", "test")}
    for tier, part in parts.items():
        trials = session.trials(tier)
        np.testing.assert_array_equal(session.pixels(trials)[:, 0], part.images, strict=True)
        np.testing.assert_array_equal(session.objects[trials], part.objects)
        assert session.trial_ids[trials[7]] == f"{tier}_0007"
    assert session.image_shape == (1, 16, 16) and session.area is None
    assert session.image_ids.tolist() == list(range(320))
    assert session.unit_ids.tolist() == list(range(UNITS))
    std = written.train.rates.astype(np.float32).std(0)
    for tier in ("train", "validation"):
        shown = session.responses(session.trials(tier)).numpy() * std
        np.testing.assert_allclose(shown, parts[tier].rates, rtol=2e-5, atol=1e-6)
    assert (written.train.rates < 0).any()  # and so negative rates go through
    assert session.withheld("test") and not session.withheld("validation")
    assert not session.responses(session.trials("test")).any()
    batch = session.batch(session.trials("train")).images
    assert abs(batch.mean()) < 1e-4 and abs(batch.std() - 1) < 1e-3
    assert packed(written.path, tmp_path / "pooled", "quarter").image_shape == (1, 4, 4)


def test_selections_and_splits_work_as_for_mice(written, tmp_path):
    session = packed(written.path, tmp_path / "pooled")
    fewer = session.select(units=[4, 1], n_images=50)
    assert fewer.unit_ids.tolist() == [1, 4]
    assert len(fewer.objects) == fewer.n_trials == 50 + 128
    np.testing.assert_array_equal(fewer.objects, session.objects[fewer.image_ids])
    assert len(official_split(session).test) == 64
    folds = kfold_splits(session.image_ids, session.tiers, 4, 0)
    assert sorted(np.concatenate([f.test for f in folds])) == list(range(256))


@pytest.mark.parametrize("name", ["IT_data.h5", "of_another_name"])
def test_a_changed_file_makes_the_cache_stale(written, tmp_path, name):
    path = written.path.rename(written.path.with_name(name))
    packed(path, tmp_path / "pooled")
    with h5py.File(path, "r+") as file:
        file["spikes_train"][0] = 1
    os.utime(path, ns=(1, 1))
    with pytest.raises(DataError, match=r"is stale: .* changed since session 'pooled' was packed"):
        read_manifest(tmp_path / "pooled")
    packed(path, tmp_path / "pooled")


def test_interrupted_packing_ends_in_the_same_bytes(written, tmp_path, monkeypatch):
    monkeypatch.setattr(inferotemporal, "BLOCK_BYTES", 2**17)
    monkeypatch.setattr(packing, "BLOCK", 50)
    packed(written.path, tmp_path / "whole")
    put, count = rows.Rows._put, iter(range(10**6))

    def interrupted(file, position, data, end=None):
        if next(count) == 13:
            raise KeyboardInterrupt
        put(file, position, data, end)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rows.Rows, "_put", interrupted)
        pack(open_inferotemporal(written.path), tmp_path / "pooled")
    progress = json.loads((tmp_path / ".pooled.partial/progress.json").read_text())
    assert 0 < progress["trials"] < 320
    packed(written.path, tmp_path / "pooled")
    assert contents(tmp_path / "pooled") == contents(tmp_path / "whole")


def test_a_bad_picture_stops_packing_and_leaves_nothing(written, tmp_path):
    with h5py.File(written.path, "r+") as file:
        file["stimulus_val"][5, 1] += 0.1
    with pytest.raises(DataError, match=r"stimulus_val row 5 is no gray image.* differ by 0\.02"):
        pack(open_inferotemporal(written.path), tmp_path / "processed/pooled")
    assert not list((tmp_path / "processed").iterdir())


def test_bad_tables_stop_packing_before_a_picture_is_read(written, tmp_path, monkeypatch):
    with h5py.File(written.path, "r+") as file:
        file["spikes_val"][5, 1] = np.inf
    monkeypatch.setattr(inferotemporal.InferotemporalFile, "stored", lambda *_: pytest.fail("read"))
    with pytest.raises(DataError, match=r"session 'pooled' .*spikes_val has 1 of 64 rows with NaN"):
        pack(open_inferotemporal(written.path), tmp_path / "processed/pooled")
    assert not (tmp_path / "processed").exists()


@pytest.mark.parametrize("chunk", [None, 1, 7, 192])
def test_blocks_tile_a_tier_in_whole_chunks(tmp_path, written, monkeypatch, chunk):
    with h5py.File(written.path, "r+") as file:
        values = file["stimulus_train"][:]
        del file["stimulus_train"]
        layout = {"chunks": (chunk, 3, 16, 16)} if chunk else {}
        file.create_dataset("stimulus_train", data=values, **layout)
    monkeypatch.setattr(inferotemporal, "BLOCK_BYTES", 20 * 3 * 16 * 16 * 4)
    blocks = open_inferotemporal(written.path).blocks("train")
    assert [i for b in blocks for i in b] == list(range(192))
    assert max(map(len, blocks)) == {None: 20, 1: 20, 7: 14, 192: 80}[chunk]
    assert chunk in (None, 192) or all(b.start % chunk == 0 for b in blocks)
    session = packed(written.path, tmp_path / "pooled")
    shown = session.pixels(session.trials("train"))[:, 0]
    np.testing.assert_array_equal(shown, written.train.images)


def test_memory_is_bounded_by_a_block(written, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 64, 64), np.uint8)
    objects = np.array(OBJECTS)[np.arange(300) % 64]
    rates = rng.normal(size=(300, 2))
    parts = {"train": Part(images, objects, rates)}
    parts |= {t: getattr(written, t) for t in ("validation", "test")}
    for tier in ("validation", "test"):
        small = parts[tier]
        grown = small.images.repeat(4, 1).repeat(4, 2)
        rates = None if tier == "test" else small.rates[:, :2]
        parts[tier] = Part(grown, small.objects, rates)
    path = write_inferotemporal(tmp_path / "large.h5", parts)
    block = 20 * 3 * 64 * 64 * 4
    monkeypatch.setattr(inferotemporal, "BLOCK_BYTES", block)
    for module in (packing, rows):
        monkeypatch.setattr(module, "BLOCK", 20)
    tracemalloc.start()
    assert not (check_inferotemporal(open_inferotemporal(path)).severity == "error").any()
    pack(open_inferotemporal(path), tmp_path / "pooled")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 7 * block < 300 * 3 * 64 * 64 * 4 / 2


def test_what_is_no_such_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"IT_data.h5 does not exist: give the HDF5 file"):
        open_inferotemporal(tmp_path / "IT_data.h5")
    (tmp_path / "text.h5").write_text("quota exceeded")
    with pytest.raises(DataError, match=r"text.h5 is not a complete HDF5 file"):
        open_inferotemporal(tmp_path / "text.h5")
