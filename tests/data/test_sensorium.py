"""Opening a mouse: folder and zip alike, key and role, optional parts, unreadable files."""

import shutil
import zipfile

import numpy as np
import pytest

from src.data.errors import DataError
from src.data.npy_tree import parse_npy
from src.data.sensorium import ROLES, open_mouse


def zipped(folder, path, top=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"__MACOSX/{top}data/images/._0.npy", b"junk of a Macintosh")
        for file in sorted(folder.rglob("*.npy")):
            archive.write(file, top + file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("top", ["", "static21067-10-18-x/", "raw/some folder/"])
def test_folder_and_zip_hold_the_same_arrays(write_mouse, tmp_path, top):
    folder = write_mouse().folder
    names = [f.relative_to(folder).as_posix() for f in folder.rglob("*.npy")]
    mice = open_mouse(folder), open_mouse(zipped(folder, tmp_path / "any name.zip", top))
    for name in names:
        stored = np.load(folder / name)
        for mouse in mice:
            read = mouse.array(name.removesuffix(".npy"))
            assert read.dtype == stored.dtype
            np.testing.assert_array_equal(read, stored, strict=True)


def test_trials_are_as_written_whatever_their_stored_form(write_mouse):
    truth = write_mouse(image_dtype=np.uint8, response_dtype=np.float32)
    mouse = open_mouse(truth.folder)
    for kind in ("images", "responses", "behavior", "pupil_center"):
        read = np.stack([mouse.trial(kind, i) for i in range(mouse.n_trials)])
        np.testing.assert_array_equal(read, getattr(truth, kind), strict=True)
    np.save(truth.folder / "data/images/0.npy", truth.images[0, 0])  # (h, w)
    assert open_mouse(truth.folder).trial("images", 0).shape == truth.images[0].shape


def test_key_from_name_or_from_neurons_and_role(write_mouse, tmp_path):
    folder = write_mouse().folder
    assert (open_mouse(folder).key, open_mouse(folder).role) == ("21067-10-18", "pretraining")
    for new in ("renamed", "mouse.A"):
        shutil.copytree(folder, tmp_path / new)
        assert open_mouse(tmp_path / new).key == "21067-10-18"
    archive = zipped(folder, tmp_path / "b.zip", "inner/")
    assert open_mouse(archive).key == "21067-10-18"
    roles = sorted(ROLES.values())
    assert len(roles) == 7 and roles.count("pretraining") == 5
    assert (ROLES["26872-17-20"], ROLES["27204-5-13"]) == ("sensorium", "sensorium+")


def test_recording_without_animal_ids_is_named_by_its_folder(write_mouse, tmp_path):
    folder = write_mouse("210325", recording=True).folder
    mouse = open_mouse(folder)
    assert (mouse.key, mouse.role) == ("210325", "recording")
    assert open_mouse(zipped(folder, tmp_path / "WE 1.zip", "inner/")).key == "WE 1"
    assert not mouse.has_kind("behavior") and mouse.optional("meta/neurons/area") is None


def test_neurons_of_two_sessions_are_refused(write_mouse, tmp_path):
    folder = write_mouse().folder.rename(tmp_path / "renamed")
    np.save(folder / "meta/neurons/sessions.npy", np.array([10, 10, 10, 11, 11, 11, 11]))
    with pytest.raises(DataError, match=r"one value each.*\[10, 11\].*one folder is one session"):
        _ = open_mouse(folder).key


@pytest.mark.parametrize("name", ["image_id", "colorframeprojector_image_id"])
def test_image_ids_under_their_three_names(write_mouse, name):
    truth = write_mouse()
    trials = truth.folder / "meta/trials"
    (trials / "frame_image_id.npy").rename(trials / f"{name}.npy")
    np.testing.assert_array_equal(open_mouse(truth.folder).image_ids, truth.frame_image_id)
    (trials / f"{name}.npy").unlink()
    with pytest.raises(DataError, match="add one of frame_image_id, image_id"):
        _ = open_mouse(truth.folder).image_ids


def test_trial_ids_are_text(write_mouse):
    truth = write_mouse()
    mouse = open_mouse(truth.folder)
    assert mouse.trial_ids.tolist() == [str(i) for i in truth.trial_idx]
    hashed = np.array([f"{i:032x}" for i in range(60)])
    np.save(truth.folder / "meta/trials/trial_idx.npy", hashed)
    assert open_mouse(truth.folder).trial_ids.tolist() == hashed.tolist()


def test_stamp_changes_with_the_source_only(write_mouse, tmp_path):
    folder = write_mouse().folder
    first, archive = open_mouse(folder).stamp, zipped(folder, tmp_path / "a.zip")
    (folder / "config.json").write_text('{"links": {}}')  # other software's file
    assert open_mouse(folder).stamp == first
    packed = open_mouse(archive).stamp
    assert open_mouse(shutil.copy(archive, tmp_path / "b.zip")).stamp == packed
    responses = np.load(folder / "data/responses/3.npy")
    np.save(folder / "data/responses/3.npy", responses + 1)  # same name, same size
    assert open_mouse(folder).stamp != first
    assert open_mouse(zipped(folder, tmp_path / "c.zip")).stamp != packed


@pytest.mark.parametrize("shape", [(), (1,), (3, 4), (0, 2)])
@pytest.mark.parametrize("dtype", ["u1", "i8", "f2", ">f4", "f8", "U5"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_parse_npy_equals_numpy(tmp_path, shape, dtype, order):
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    read = parse_npy((tmp_path / "a.npy").read_bytes(), "a.npy")
    np.testing.assert_array_equal(read, np.load(tmp_path / "a.npy"), strict=True)


@pytest.mark.parametrize("length", [0, 5, 9, 11, 60, 130, -1])
def test_every_truncation_of_an_npy_file_is_named(tmp_path, length):
    np.save(tmp_path / "a.npy", np.arange(6.0))
    data = (tmp_path / "a.npy").read_bytes()[:length]
    with pytest.raises(DataError, match=r"^data/responses/5.npy is (truncated|not a complete)"):
        parse_npy(data, "data/responses/5.npy")


def test_pickled_objects_are_never_loaded(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="pickled objects, which are never loaded"):
        parse_npy((tmp_path / "a.npy").read_bytes(), "a.npy")


def test_corrupt_zip_is_named_at_opening_and_at_reading(write_mouse, tmp_path):
    folder = write_mouse().folder
    archive = zipped(folder, tmp_path / "a.zip")
    data = bytearray(archive.read_bytes())
    (tmp_path / "short.zip").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"short.zip is not a complete zip .*: download it again"):
        open_mouse(tmp_path / "short.zip")
    with zipfile.ZipFile(archive) as opened:
        info = opened.getinfo("data/images/7.npy")
    at = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
    data[at : at + 20] = bytes(20)
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"bad.zip is corrupt at data/images/7.npy"):
        open_mouse(tmp_path / "bad.zip").trial("images", 7)


def test_what_is_no_mouse_is_refused(write_mouse, tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        open_mouse(tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no mouse"):
        open_mouse(tmp_path / "empty")
    write_mouse("one", recording=True)
    write_mouse("two", recording=True)
    with pytest.raises(DataError, match="holds several mice: one/, two/"):
        open_mouse(tmp_path / "raw")


def test_text_where_numbers_belong_is_named(write_mouse):
    folder = write_mouse().folder
    np.save(folder / "data/responses/2.npy", np.array(["a"] * 7))
    with pytest.raises(DataError, match=r"data/responses/2.npy holds <U1, not real numbers"):
        open_mouse(folder).trial("responses", 2)
    np.save(folder / "data/images/2.npy", np.zeros((1, 1, 4, 4)))
    with pytest.raises(DataError, match=r"images/2.npy is \(1, 1, 4, 4\), not \(channels, height"):
        open_mouse(folder).trial("images", 2)
