"""Files from elsewhere run no code: every loader is fed a pickle that would leave a mark."""

import pickle
import zipfile

import numpy as np
import pytest
import torch

from src.data.arrays import RecordedSession, SessionArrays
from src.data.assembly_files import open_assembly
from src.data.box_files import read_boxes
from src.data.feature_set import open_feature_sets
from src.data.movie_recording import MovieArrays, RecordedMovie, load_mat
from src.data.npy_tree import parse_npy
from src.data.objects92 import _read as read_objects92
from src.data.stored import read_tensors
from src.evaluation.prediction import load_prediction
from src.models.pretrained import _read as read_weights
from src.models.registry import network_record
from src.models.upstream import load_upstream
from src.models.upstream_video import load_dynamic_vfm
from src.training import checkpoint
from tests.data.damage import MARK, Bomb, npy

IMAGES = np.zeros((2, 8, 8), np.uint8)


def boxed(bomb):
    """The bomb in an array of objects, which numpy pickles."""
    array = np.empty(1, object)
    array[0] = bomb
    return npy(array)


def plain(path, bomb):
    path.write_bytes(pickle.dumps(bomb))


def in_npy(path, bomb):
    path.write_bytes(boxed(bomb))


def in_npz(path, bomb):
    names = ("values", "features", "names", "boxes", "found", "predictions", "trial_ids")
    with zipfile.ZipFile(path, "w") as archive:  # of every array that a loader asks for
        for name in (*names, "provenance", "image_ids", "unit_ids", "origin"):
            archive.writestr(f"{name}.npy", boxed(bomb))


def in_torch(path, bomb):
    torch.save({"state": bomb, "inputs": {}}, path)


LOADERS = {
    "checkpoint": ("weights.pt", checkpoint.read),
    "encoder": ("weights.pt", checkpoint.load_encoder),
    "tensors": ("weights.pt", read_tensors),
    "network": ("weights.pt", lambda path: read_weights(path, network_record("alexnet"))),
    "published images": ("model.pth", load_upstream),
    "published films": ("model.pth", load_dynamic_vfm),
    "assembly": ("assembly.npz", open_assembly),
    "assembly in HDF5": ("assembly.h5", open_assembly),
    "features": ("features.npz", open_feature_sets),
    "prediction": ("prediction.npz", load_prediction),
    "boxes": ("boxes.npz", lambda path: read_boxes(path.parent, "mouse", np.zeros(1, int))),
    "mouse": ("0.npy", lambda path: parse_npy(path.read_bytes(), path.name)),
    "pictures": ("images.npy", lambda path: RecordedSession("a", SessionArrays(path, path))),
    "responses": ("units.npy", lambda path: RecordedSession("a", SessionArrays(IMAGES, path))),
    "film": ("movie.npy", lambda path: RecordedMovie("a", MovieArrays(path, path))),
    "matlab": ("movie.mat", lambda path: load_mat(path, "movie", "responses")),
    "matlab RDM": ("rdm.mat", read_objects92),
}


@pytest.mark.parametrize("write", [plain, in_npy, in_npz, in_torch], ids=lambda f: f.__name__)
@pytest.mark.parametrize("loader", LOADERS)
def test_no_loader_runs_what_a_file_brings(loader, write, tmp_path):
    name, load = LOADERS[loader]
    write(tmp_path / name, Bomb(tmp_path / MARK))
    with pytest.raises(ValueError, match=r"get|re-run|delete|save|is not|network|holds") as caught:
        load(tmp_path / name)
    assert not (tmp_path / MARK).exists()
    assert (tmp_path / name).stem in str(caught.value)


def test_the_bomb_goes_off_where_pickles_are_loaded(tmp_path):
    in_torch(tmp_path / "w.pt", Bomb(tmp_path / MARK))
    torch.load(tmp_path / "w.pt", weights_only=False)
    assert (tmp_path / MARK).exists()
