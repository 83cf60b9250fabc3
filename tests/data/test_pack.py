"""The packed session: what was recorded, once, in bounded memory, whole or not at all."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from src.data import build as building
from src.data import pack as packing
from src.data.errors import DataError
from src.data.pack import pack, read_manifest
from src.data.sensorium import open_mouse
from src.paths import ROOT

# Packs in a process for each number given, which kills itself in the middle of that write.
KILLED = """
import os, signal, sys
from pathlib import Path
from src.data import build, pack
from src.data.sensorium import open_mouse

pack.BLOCK, put, count = 4, build.Rows._put, iter(range(10**6))
def killed(rows, position, data, end=None):
    if next(count) == writes:
        put(rows, position, data[: len(data) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    put(rows, position, data, end)
build.Rows._put = killed
mouse, cache = open_mouse(sys.argv[1]), Path(sys.argv[2])
for writes in map(int, sys.argv[3:]):
    if os.fork() == 0:
        pack.pack(mouse, cache)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.wait()[1]), cache.exists())
"""


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "source.json"}


def packed(truth, folder):
    pack(open_mouse(truth.folder), folder)
    return {f.stem: np.load(f) for f in folder.glob("*.npy")}, dict(np.load(folder / "meta.npz"))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int64])
def test_packed_arrays_are_what_was_recorded(write_mouse, tmp_path, dtype):
    truth = write_mouse(image_dtype=dtype, response_dtype=np.float32)
    arrays, tables = packed(truth, tmp_path / "cache")
    images = arrays["images"][arrays["image_index"]]
    np.testing.assert_array_equal(images[:, None], truth.images.astype(np.uint8), strict=True)
    for kind in ("responses", "behavior", "pupil_center"):
        wanted = getattr(truth, kind).astype(np.float32)
        np.testing.assert_array_equal(arrays[kind], wanted, strict=True)
    assert tables["trial_idx"].tolist() == [str(i) for i in truth.trial_idx]
    for name in ("tiers", "frame_image_id", "unit_ids", "area", "layer"):
        np.testing.assert_array_equal(tables[name], getattr(truth, name))
    np.testing.assert_array_equal(tables["coordinates"], truth.cell_motor_coordinates)


@pytest.mark.parametrize("block", [7, 128])
def test_images_are_stored_once_by_content(write_mouse, tmp_path, monkeypatch, block):
    monkeypatch.setattr(packing, "BLOCK", block)
    truth = write_mouse()
    for i in (1, 14):  # other ids, the same picture
        truth.images[i] = truth.images[0]
        np.save(truth.folder / f"data/images/{i}.npy", truth.images[0])
    arrays, _ = packed(truth, tmp_path / "cache")
    np.testing.assert_array_equal(arrays["images"][arrays["image_index"], None], truth.images)
    different = len(np.unique(truth.frame_image_id)) - 2
    assert len(arrays["images"]) == different == 43
    index = arrays["image_index"]
    assert index.dtype == np.int32 and index[0] == index[1] == 0
    test = truth.tiers == "test"
    same = truth.frame_image_id[test][:, None] == truth.frame_image_id[test]
    np.testing.assert_array_equal(index[test][:, None] == index[test], same)


@pytest.mark.parametrize("shape", [(1, 16, 24), (3, 18, 11)])
def test_quarter_is_four_times_the_bilinear_quarter(write_mouse, tmp_path, shape):
    arrays, _ = packed(write_mouse(shape=shape), tmp_path / "cache")
    images = torch.from_numpy(arrays["images"]).float().reshape(-1, *shape)
    wanted = torch.nn.functional.interpolate(images, scale_factor=0.25, mode="bilinear")
    ours = arrays["images_quarter"].reshape(wanted.shape)
    assert ours.dtype == np.uint16
    np.testing.assert_array_equal(ours / 4, wanted.numpy())


def test_color_images_keep_their_channels(write_mouse, tmp_path):
    truth = write_mouse(shape=(3, 10, 11))
    arrays, _ = packed(truth, tmp_path / "cache")
    np.testing.assert_array_equal(arrays["images"][arrays["image_index"]], truth.images)
    assert read_manifest(tmp_path / "cache")["image_shape"] == [3, 10, 11]


@pytest.mark.parametrize("value", [0.5, -1, 256])
def test_other_than_whole_numbers_are_packed_as_float32_with_a_reason(write_mouse, tmp_path, value):
    truth = write_mouse()
    truth.images[57, 0, 0, 0] = value  # late: found when most is already packed as uint8
    np.save(truth.folder / "data/images/57.npy", truth.images[57])
    arrays, _ = packed(truth, tmp_path / "cache")
    images = arrays["images"][arrays["image_index"]]
    np.testing.assert_array_equal(images[:, None], truth.images, strict=True)
    assert "images_quarter" not in arrays
    reason = read_manifest(tmp_path / "cache")["image_dtype_reason"]
    assert reason == "data/images/57.npy has values that are not whole numbers in 0..255"


def test_folder_zip_and_place_give_the_same_bytes(write_mouse, tmp_path):
    folder = write_mouse().folder
    with zipfile.ZipFile(tmp_path / "mouse.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in folder.rglob("*.npy"):
            archive.write(file, f"top/{file.relative_to(folder).as_posix()}")
    shutil.copytree(folder, tmp_path / "elsewhere")
    sources = (folder, tmp_path / "mouse.zip", tmp_path / "elsewhere")
    for i, source in enumerate(sources):
        pack(open_mouse(source), tmp_path / f"deep/{i}" / "cache")
    first, *others = (contents(tmp_path / f"deep/{i}/cache") for i in range(3))
    assert all(other == first for other in others)


def test_killed_packing_continues_to_the_same_bytes(write_mouse, tmp_path, monkeypatch):
    folder = write_mouse().folder
    monkeypatch.setattr(packing, "BLOCK", 4)
    pack(open_mouse(folder), tmp_path / "whole")
    draw, cache = random.Random(3), tmp_path / "killed"
    writes = draw.randrange(100), draw.randrange(60), draw.randrange(20), 10**6
    command = [sys.executable, "-c", KILLED, folder, cache, *map(str, writes)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"{-signal.SIGKILL} False"] * 3 + ["0 True"]
    assert contents(cache) == contents(tmp_path / "whole")
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("late", [False, True])
def test_interrupted_packing_repeats_no_finished_block(write_mouse, tmp_path, monkeypatch, late):
    truth = write_mouse()
    if late:  # a float32 build continues as one
        np.save(truth.folder / "data/images/0.npy", truth.images[0] + 0.5)
    monkeypatch.setattr(packing, "BLOCK", 8)
    pack(open_mouse(truth.folder), tmp_path / "whole")
    stack, read = packing._stack, []

    def interrupted(mouse, kind, trials, shape):
        if kind == "responses":
            read.append(trials.start)
            if trials.start == 32 and read.count(32) == 1:
                raise KeyboardInterrupt
        return stack(mouse, kind, trials, shape)

    monkeypatch.setattr(packing, "_stack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack(open_mouse(truth.folder), tmp_path / "cache")
    with pytest.raises(DataError, match=r"not a packed session \(no manifest.json\): re-run 01"):
        read_manifest(tmp_path / "cache")
    pack(open_mouse(truth.folder), tmp_path / "cache")
    assert read == [0] * late + [0, 8, 16, 24, 32, 32, 40, 48, 56]
    assert contents(tmp_path / "cache") == contents(tmp_path / "whole")


def test_what_was_begun_from_another_source_is_begun_anew(write_mouse, tmp_path, monkeypatch):
    truth = write_mouse()
    monkeypatch.setattr(packing, "BLOCK", 8)
    run = packing._Build.run

    def interrupted(build):
        run(build)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(packing._Build, "run", interrupted)
        pack(open_mouse(truth.folder), tmp_path / "cache")
    np.save(truth.folder / "data/responses/0.npy", truth.responses[0] + 1)
    arrays, _ = packed(truth, tmp_path / "cache")
    np.testing.assert_allclose(arrays["responses"][0], truth.responses[0] + 1, rtol=1e-6)


def test_killed_between_the_last_byte_and_the_last_name(write_mouse, tmp_path, monkeypatch):
    mouse = open_mouse(write_mouse().folder)

    def interrupted(path, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", interrupted)
        pack(mouse, tmp_path / "cache")
    monkeypatch.setattr(packing, "_build", lambda *_: pytest.fail("packed again"))
    pack(mouse, tmp_path / "cache")
    read_manifest(tmp_path / "cache")


def test_current_cache_is_left_alone(write_mouse, tmp_path, monkeypatch):
    mouse = open_mouse(write_mouse().folder)
    pack(mouse, tmp_path / "cache")
    monkeypatch.setattr(packing, "_build", lambda *_: pytest.fail("packed again"))
    pack(mouse, tmp_path / "cache")


def test_stale_cache_is_refused_until_packed_again(write_mouse, tmp_path):
    truth, cache = write_mouse(), tmp_path / "cache"
    pack(open_mouse(truth.folder), cache)
    read_manifest(cache)
    np.save(truth.folder / "data/responses/3.npy", truth.responses[3] + 1)  # same name and size
    with pytest.raises(DataError, match=r"is stale: .* changed since .* re-run 01_preprocess$"):
        read_manifest(cache)
    arrays, _ = packed(truth, cache)
    np.testing.assert_allclose(arrays["responses"][3], truth.responses[3] + 1, rtol=1e-6)
    read_manifest(cache)


def test_cache_outlives_its_source_and_moves_with_it(write_mouse, tmp_path):
    truth = write_mouse()
    pack(open_mouse(truth.folder), tmp_path / "processed/mouse")
    (tmp_path / "moved").mkdir()
    for name in ("raw", "processed"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    read_manifest(tmp_path / "moved/processed/mouse")
    np.save(tmp_path / "moved/raw" / truth.folder.name / "data/responses/0.npy", np.zeros(7))
    with pytest.raises(DataError, match="is stale"):
        read_manifest(tmp_path / "moved/processed/mouse")
    shutil.rmtree(tmp_path / "moved/raw")
    read_manifest(tmp_path / "moved/processed/mouse")


def test_cache_of_another_layout_is_refused(write_mouse, tmp_path, monkeypatch):
    pack(open_mouse(write_mouse().folder), tmp_path / "cache")
    for module in (packing, building):
        monkeypatch.setattr(module, "SCHEMA", module.SCHEMA + 1)
    with pytest.raises(DataError, match=r"has cache layout 1, not 2: re-run 01_preprocess"):
        read_manifest(tmp_path / "cache")


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, r"No space left on device; nothing was kept: free about 0 MB or choose"),
        (errno.EROFS, r"Read-only file system; nothing was kept: choose a data_root that can"),
        (errno.EIO, r"Input/output error; nothing was kept: check the disk"),
    ],
)
def test_failed_write_is_one_error_and_leaves_nothing_new(
    write_mouse, tmp_path, monkeypatch, code, remedy, before
):
    truth = write_mouse()
    if before:
        pack(open_mouse(truth.folder), tmp_path / "processed/mouse")
        np.save(truth.folder / "data/responses/3.npy", truth.responses[3] + 1)
    old = contents(tmp_path / "processed/mouse") if before else {}
    put, count = building.Rows._put, iter(range(100))

    def failing(rows, position, data, end=None):
        if next(count) == 4:
            raise OSError(code, os.strerror(code))
        put(rows, position, data, end)

    monkeypatch.setattr(building.Rows, "_put", failing)
    with pytest.raises(DataError, match=rf"^session '21067-10-18' could not .*{remedy}") as raised:
        pack(open_mouse(truth.folder), tmp_path / "processed/mouse")
    assert raised.value.__suppress_context__ and "\n" not in str(raised.value)
    left = [p.name for p in (tmp_path / "processed").iterdir()]
    assert left == (["mouse"] if before else [])
    assert not before or contents(tmp_path / "processed/mouse") == old


def test_read_only_data_root_is_one_error(write_mouse, tmp_path, monkeypatch):
    make = Path.mkdir

    def refuse(path, *args, **kwargs):
        if tmp_path in path.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        make(path, *args, **kwargs)

    mouse = open_mouse(write_mouse().folder)
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=r"Permission denied at .*partial; .*choose a data_root"):
        pack(mouse, tmp_path / "cache")


def test_bad_trials_stop_packing_and_leave_nothing(write_mouse, tmp_path):
    truth = write_mouse()
    file = truth.folder / "data/responses/41.npy"
    for bad, message in (
        (np.full(7, np.nan), r"responses/41.npy has values that are NaN or infinite: validate"),
        (np.zeros(6), r"responses/41.npy is \(6,\) but \(7,\) is expected: validate"),
        (np.zeros((2, 7)), r"responses/41.npy is \(14,\) but \(7,\) is expected: validate"),
    ):
        np.save(file, bad)
        with pytest.raises(DataError, match=message):
            pack(open_mouse(truth.folder), tmp_path / "processed/mouse")
        assert list((tmp_path / "processed").iterdir()) == []
    file.unlink()
    with pytest.raises(DataError, match=r"^session '21067-10-18' .*responses/41.npy is missing"):
        pack(open_mouse(truth.folder), tmp_path / "processed/mouse")


def test_source_that_changes_meanwhile_is_refused(write_mouse, tmp_path, monkeypatch):
    truth, run = write_mouse(), packing._Build.run

    def disturbed(build):
        run(build)
        np.save(truth.folder / "data/responses/0.npy", truth.responses[0] + 1)

    monkeypatch.setattr(packing._Build, "run", disturbed)
    with pytest.raises(DataError, match="changed while it was packed: re-run"):
        pack(open_mouse(truth.folder), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_folder_of_other_files_is_never_replaced(write_mouse, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("irreplaceable")
    with pytest.raises(DataError, match="mine holds files that are no packed session"):
        pack(open_mouse(write_mouse().folder), tmp_path / "mine")
    assert (tmp_path / "mine/thesis.tex").read_text() == "irreplaceable"
    (tmp_path / "empty").mkdir()
    pack(open_mouse(write_mouse().folder), tmp_path / "empty")


def test_manifest_says_what_was_found(write_mouse, tmp_path):
    truth = write_mouse()
    for i in np.flatnonzero(truth.tiers == "test"):
        np.save(truth.folder / f"data/responses/{i}.npy", np.zeros(7))
    packed(truth, tmp_path / "cache")
    found = json.loads((tmp_path / "cache/manifest.json").read_text())
    wanted = {"key": "21067-10-18", "role": "pretraining", "trials": 60, "units": 7, "images": 45}
    wanted |= {"withheld_tiers": ["test"], "image_dtype": "uint8", "schema": packing.SCHEMA}
    assert found | wanted == found
    assert set(found["sha256"]) == {
        *("images.npy", "images_quarter.npy", "image_index.npy", "responses.npy"),
        *("behavior.npy", "pupil_center.npy", "meta.npz"),
    }


def test_memory_is_bounded_by_a_few_blocks(write_mouse, tmp_path, monkeypatch):
    tiers = ("train",) * 100 + ("validation",) * 40 + ("test",) * 20
    mouse = open_mouse(write_mouse(shape=(1, 72, 128), tiers=tiers).folder)
    monkeypatch.setattr(packing, "BLOCK", 10)
    block = 10 * 72 * 128 * 4
    tracemalloc.start()
    pack(mouse, tmp_path / "cache")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * block < len(tiers) * 72 * 128 * 4 / 2
