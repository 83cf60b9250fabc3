"""Training on folders of pictures: a killed run is the whole one, sums are the recipe's."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import active_children
from socket import socket
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from src import cornet, locks
from src.config import RecognitionConfig, RecognizerConfig
from src.data.errors import DataError
from src.data.folders import open_folders
from src.paths import ROOT
from src.studies.cornet import RECIPES
from src.training import checkpoint, recognition
from src.training.augment import random_crop
from src.training.parallel import Group
from src.training.recognition import (
    Saving,
    hits,
    learning_rate,
    named,
    recognizer,
    train_recognizer,
)
from src.training.shown import Loader, Shown
from tests.waiting import said_until_it_waits

RECIPE = RecognitionConfig(epochs=2, batch_size=8, learning_rate=0.02, step_size=1)
MODEL = RecognizerConfig("small", "cornet_z", 32)
QUIET = {"device": "cpu", "progress": False}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes that differ in color: 20 pictures to train on, 9 to validate."""
    root, rng = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 9)):
        for i in range(count):
            pixels = rng.integers(0, 120, (36, 40 + i % 3, 3), np.uint8)
            pixels[..., i % 3] += 100
            folder = root / part / "abc"[i % 3]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"picture{i}.png")
    return root


def trained(data, folder, config=RECIPE, seed=1, model=MODEL, **how):
    folders = open_folders(data)
    network = recognizer(model, len(folders[0].classes), seed)
    history = train_recognizer(network, folders, config, seed, folder, **{**QUIET, **how})
    return network.module, history


def same(a, b):
    return all(torch.equal(x, b.state_dict()[name]) for name, x in a.state_dict().items())


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return (*trained(data, folder), folder)


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_a_killed_run_goes_on_bit_by_bit(data, whole, tmp_path, monkeypatch, steps):
    """Within an epoch, at its end, and after; checkpoints after every step."""
    network, history, folder = whole
    step, counted = recognition.Run.step, []

    def dies(self, *batch):
        if len(counted) == steps:
            raise Killed
        counted.append(step(self, *batch))

    often = Saving(train=0.01, seconds=0)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(recognition.Run, "step", dies)
        trained(data, tmp_path, saving=often)
    assert checkpoint.read(tmp_path / "resume.pt")["done"] == steps
    again, rows = trained(data, tmp_path, saving=often)
    assert same(network, again)
    pd.testing.assert_frame_equal(rows, history)
    log = pd.read_csv(tmp_path / "log.csv")
    assert log.query("part == 'train'")["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert not (tmp_path / "resume.pt").exists()
    assert (tmp_path / "history.csv").read_bytes() == (folder / "history.csv").read_bytes()


def test_a_finished_run_is_kept_and_another_is_not(data, whole, capsys):
    network, history, folder = whole
    before = (folder / "weights.pt").stat().st_mtime_ns
    again, rows = trained(data, folder)
    assert same(network, again) and rows.equals(history)
    assert (folder / "weights.pt").stat().st_mtime_ns == before
    inputs = checkpoint.read(folder / "weights.pt")["inputs"]
    assert inputs["training"]["momentum"] == 0.9 and inputs["seed"] == 1


def test_other_pictures_train_anew(data, tmp_path, capsys):
    one = replace(RECIPE, epochs=1)
    trained(data, tmp_path, one)
    trained(data, tmp_path, replace(one, weight_decay=0.1))
    assert "training.weight_decay: 0.0001 -> 0.1" in capsys.readouterr().out


def test_steps_are_sgd_with_the_published_schedule(data, whole):
    """Written out: order and crops from their streams, one batch after the other."""
    folders = open_folders(data)
    network = recognizer(MODEL, 3, 1)
    module, device = network.module.train(), torch.device("cpu")
    mean, std = (
        torch.tensor(v)[:, None, None] for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    sgd = torch.optim.SGD(module.parameters(), 0.02, 0.9, weight_decay=1e-4)
    done = 0
    for epoch in range(2):
        shown = Shown(folders[0], 32, 1)
        order = recognition.numpy_stream(1, "shuffle", epoch).permutation(20)
        for batch in (x.tolist() for x in np.array_split(order, 3)):
            x = torch.stack([(shown[epoch, i][0] / 255 - mean) / std for i in batch]).to(device)
            y = torch.tensor([shown[epoch, i][1] for i in batch])
            sgd.param_groups[0]["lr"] = 0.02 * 0.1 ** ((done + 1) // 3)
            sgd.zero_grad()
            F.cross_entropy(module(x), y).backward()
            sgd.step()
            done += 1
    ours = whole[0].state_dict()
    for name, value in module.state_dict().items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-6)


def test_the_rate_falls_by_ten_as_published():
    """E.g. S: .1, .01 from epoch 20, .001 from epoch 40; a step before an epoch begins."""
    rates = [learning_rate(s, 5, RECIPES["s"]) for s in range(43 * 5)]
    assert [s for s in range(1, 215) if rates[s] < rates[s - 1]] == [99, 199]
    np.testing.assert_allclose([rates[0], rates[99], rates[-1]], [0.1, 0.01, 0.001])
    recipes = {k: (r.epochs, r.step_size, r.learning_rate) for k, r in RECIPES.items()}
    assert recipes == {
        "z": (25, 10, 0.01),
        "r": (25, 10, 0.1),
        "rt": (25, 10, 0.1),
        "s": (43, 20, 0.1),
    }
    assert {(r.momentum, r.weight_decay, r.batch_size) for r in RECIPES.values()} == {
        (0.9, 1e-4, 256)
    }


def test_the_rate_in_the_log_is_the_optimizers(data, tmp_path, monkeypatch):
    """C7: whatever it is, and not what a formula says it should be."""
    step = recognition.Run.step

    def other(self, *batch):
        step(self, *batch)
        self.optimizer.param_groups[0]["lr"] = 0.0007 * self.done

    monkeypatch.setattr(recognition.Run, "step", other)
    _, history = trained(data, tmp_path, saving=Saving(train=0.01))
    log = pd.read_csv(tmp_path / "log.csv").query("part == 'train'")
    np.testing.assert_allclose(log["learning_rate"], 0.0007 * np.arange(1, 7))
    np.testing.assert_allclose(history["learning_rate"].iloc[-1], 0.0042)


def test_what_the_log_holds_is_not_written_again(data, tmp_path, monkeypatch):
    """C5: each line is added to the file as it is; none is written twice."""
    write, held = recognition.StepLog.write, []

    def watched(self, *line):
        before, node = self.path.read_bytes(), self.path.stat().st_ino
        write(self, *line)
        added = self.path.read_bytes().removeprefix(before)
        held.append((added.count(b"\n"), self.path.stat().st_ino == node))

    monkeypatch.setattr(recognition.StepLog, "write", watched)
    trained(data, tmp_path, saving=Saving(train=0.01))
    assert held == [(1, True)] * 10  # six steps, four validations


def test_no_picture_is_read_after_the_last_validation(data, tmp_path, monkeypatch):
    """C6: each training picture once an epoch, each other once a validation, and those last."""
    show, shown = Shown.__getitem__, []
    monkeypatch.setattr(
        Shown, "__getitem__", lambda self, i: shown.append(i[0] is None) or show(self, i)
    )
    _, history = trained(data, tmp_path)
    assert (shown.count(False), shown.count(True)) == (2 * 20, 9 * len(history))
    assert all(shown[-9:]) and history["epoch"].iloc[-1] == 2


def test_what_is_due_twice_an_epoch_is_not_due_again_after_it(data):
    """Three steps an epoch: validations after 2 and 3, not after 4."""
    network = recognizer(MODEL, 3, 1)
    run = recognition.Run(network, open_folders(data), RECIPE, 1, Group(torch.device("cpu")), 0)
    due = []
    while run.done < 2 * run.steps:
        run.done += 1
        due.append(run.due(0.5))
    assert run.steps == 3 and due == [False, True, True] * 2


def test_a_network_is_trained_over_the_steps_asked_for():
    """C2: in RT as in R; with three steps the picture has not come to the decoder of RT."""
    x = torch.randn(2, 3, 32, 32)
    for letter, known in (("r", True), ("rt", False)):
        network = recognizer(RecognizerConfig("small", f"cornet_{letter}", 32, 3), 4, 0)
        with torch.inference_mode():
            first, second = network.module.eval()(x)
        assert (not torch.equal(first, second)) == known
        assert network.module.states(x)["IT"].shape[0] == 3


def test_hits_are_counted_as_by_sorting():
    logits, labels = torch.randn(50, 9), torch.randint(9, (50,))
    ranked = logits.argsort(1, descending=True) == labels[:, None]
    assert hits(logits, labels).tolist() == [ranked[:, 0].sum(), ranked[:, :5].any(1).sum()]
    assert hits(logits[:, :2], labels % 2)[1] == 50  # with two classes the first five are all


def test_the_log_and_the_history_hold_what_validation_gives(data, whole):
    network, history, folder = whole
    held_out = open_folders(data)[1]
    shown = Shown(held_out, 32, 1)
    x = recognition.normalized(
        torch.stack([shown[None, i][0] for i in range(9)]).float(), recognizer(MODEL, 3, 1).record
    )
    with torch.inference_mode():
        logits, labels = network(x), torch.tensor(held_out.labels)
    row = history.iloc[-1]
    assert row["validation"] == pytest.approx((logits.argmax(1) == labels).float().mean().item())
    assert row["validation_loss"] == pytest.approx(F.cross_entropy(logits, labels).item(), rel=1e-4)
    assert row["validation_top5"] == 1
    np.testing.assert_allclose(history["epoch"], [2 / 3, 1, 5 / 3, 2])
    log = pd.read_csv(folder / "log.csv").query("part == 'validation'")
    np.testing.assert_allclose(log["top1"], history["validation"], rtol=1e-6)
    assert (log["loading_seconds"] >= 0).all()


def test_named_pictures_are_those_that_validation_counted(data, whole):
    """In batches of another size; rows are probabilities in the folder's order."""
    held_out, network = open_folders(data)[1], recognizer(MODEL, 3, 1)
    network.module.load_state_dict(whole[0].state_dict())
    p = named(network, held_out, "cpu", batch=4)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert (p.argmax(1) == held_out.labels).mean() == pytest.approx(whole[1]["validation"].iloc[-1])
    loss = -np.log(p[np.arange(9), held_out.labels]).mean()
    assert loss == pytest.approx(whole[1]["validation_loss"].iloc[-1], rel=1e-4)


def test_crops_are_of_the_published_areas_and_shapes():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :96]
    image = np.stack([x, y, np.zeros_like(x)], 2).astype(np.uint8)
    areas, shapes, mirrored = [], [], []
    for _ in range(400):
        part = random_crop(image, 32, rng).astype(float)
        assert part.shape == (32, 32, 3)
        wide = (part[16, -1, 0] - part[16, 0, 0]) * 32 / 31
        high = (part[-1, 16, 1] - part[0, 16, 1]) * 32 / 31
        mirrored.append(wide < 0)
        areas.append(abs(wide) * high / image[..., 0].size)
        shapes.append(abs(wide) / high)
    assert 0.4 < np.mean(mirrored) < 0.6
    assert min(areas) > 0.05 and max(areas) < 1.05 and 0.35 < np.mean(areas) < 0.6
    assert min(shapes) > 0.65 and max(shapes) < 1.55


def test_a_picture_too_long_for_any_part_shows_its_middle():
    image = np.zeros((10, 1000, 3), np.uint8)
    image[:, 493:506] = 200
    part = random_crop(image, 8, np.random.default_rng(0))
    assert part.min() == 200


def test_crops_do_not_depend_on_who_decodes(data):
    shown = Shown(open_folders(data)[0], 32, 1)
    batches = [np.array([3, 1]), np.array([7])]
    here, there = Loader(shown, 0), Loader(shown, 1)
    for epoch in (0, 1, None):
        for x, y in zip(here.load(batches, epoch), there.load(batches, epoch), strict=True):
            assert all(torch.equal(a, b) for a, b in zip(x, y, strict=True))
    assert not torch.equal(shown[1, 3][0], shown[0, 3][0])


def test_processes_that_decode_stay_from_epoch_to_epoch(data):
    loader = Loader(Shown(open_folders(data)[0], 32, 1), 1)
    processes = []
    for epoch in (0, 1):
        assert len(list(loader.load([np.arange(4)], epoch))) == 1
        processes += [p.pid for p in active_children()]
    assert len(processes) == 2 and len(set(processes)) == 1


def test_a_loss_that_is_not_finite_stops(data, tmp_path):
    with pytest.raises(FloatingPointError, match="lower the learning rate from 1e"):
        trained(data, tmp_path, replace(RECIPE, learning_rate=1e30))


@pytest.mark.parametrize(
    ("field", "value"),
    [("epochs", 0), ("batch_size", 2.5), ("learning_rate", 0.0), ("momentum", 1.0)],
)
def test_recipes_that_make_no_sense_are_refused(field, value):
    with pytest.raises(ValueError, match=field if field != "momentum" else "momentum in 0"):
        replace(RECIPE, **{field: value})


def test_two_processes_train_as_one(data, whole, tmp_path, monkeypatch):
    """Started as torchrun does, they share each batch and add up their gradients (gloo)."""
    with socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    line = ["train", "--data_path", str(data), "-o", str(tmp_path), "--seed", "1", "-j", "0"]
    line += ["--epochs", "2", "--batch_size", "8", "--lr", "0.02", "--step_size", "1"]
    line += ["--imsize", "32", "--ngpus", "2", "--device", "cpu"]
    other = subprocess.Popen(
        [sys.executable, "-m", "src.cornet", *line],
        cwd=ROOT,
        env=os.environ | group | {"RANK": "1", "LOCAL_RANK": "1"},
    )
    for name, value in {**group, "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    try:
        assert cornet.main(line) == 0 == other.wait(60)
    finally:
        other.kill()
    state, ours = checkpoint.read(tmp_path / "weights.pt")["state"], whole[0].state_dict()
    for name, value in state.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-3, atol=1e-5)
    both = (pd.read_csv(f / "history.csv") for f in (tmp_path, whole[2]))
    np.testing.assert_allclose(*both, rtol=1e-3)


def test_a_second_training_in_a_folder_waits_for_the_first(data, whole, tmp_path, capsys):
    with ThreadPoolExecutor(1) as pool:
        with locks.alone(tmp_path):
            second = pool.submit(trained, data, tmp_path)
            said = said_until_it_waits(second, capsys)
            assert f"{tmp_path} is in use by another process (process {os.getpid()} on " in said
            assert not second.done() and not list(tmp_path.iterdir())
        network, _ = second.result()
    assert same(network, whole[0])


def test_several_devices_are_one_argument(data, tmp_path, monkeypatch):
    """The same line, once a device, by torchrun; the folder is theirs."""
    started = []

    @contextmanager
    def alone(folder):
        assert folder == tmp_path
        started.append("alone")
        yield
        started.append("free")

    @contextmanager
    def torchrun(*words):
        started.append(words)
        yield SimpleNamespace(wait=lambda: 0)

    monkeypatch.setattr(cornet, "torchrun", torchrun)
    monkeypatch.setattr(locks, "alone", alone)
    line = ["train", "--data_path", str(data), "-o", str(tmp_path), "--ngpus", "3"]
    assert cornet.main(line) == 0
    assert started == ["alone", (3, "src.cornet", *line), "free"]


def test_folders_are_named_as_they_come(data, tmp_path):
    train, held_out = open_folders(data)
    assert train.classes == ("a", "b", "c") and len(train) == 20 and len(held_out) == 9
    assert [n for n in train.names if n.startswith("a")] == [
        f"a/picture{i}.png" for i in range(0, 20, 3)
    ]
    assert train.labels.tolist() == sorted(train.labels)
    with pytest.raises(DataError, match="no folder train"):
        open_folders(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: (d / "val/d").mkdir(), "holds no image"),
        (lambda d: [f.unlink() for f in (d / "val/a").iterdir()], "holds no image"),
        (lambda d: (d / "val/a").rename(d / "val/e"), r"it lacks \['a'\], and has besides \['e'\]"),
        (lambda d: (d / "val").rename(d / "valid"), "no folder val_in_folders or val"),
    ],
)
def test_folders_that_do_not_fit_are_refused(data, tmp_path, change, said):
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    change(copy)
    with pytest.raises(DataError, match=said):
        open_folders(copy)


def test_a_file_that_is_no_picture_is_named(data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    (copy / "train/a/readme.txt").write_text("no picture")
    (copy / "train/a/.DS_Store").write_text("litter")
    train, _ = open_folders(copy)
    assert train.fingerprint != open_folders(data)[0].fingerprint
    with pytest.raises(DataError, match=r"a/readme\.txt is not an image"):
        train.read(train.names.index("a/readme.txt"))


def test_changed_pixels_are_another_folder(data, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    assert open_folders(copy)[0].fingerprint == open_folders(data)[0].fingerprint
    path = copy / "train/a/picture0.png"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert open_folders(copy)[0].fingerprint != open_folders(data)[0].fingerprint
