"""Training on images alone: what is learned, what a killed run gives, what evaluation leaves."""

from dataclasses import replace
from math import log

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, r2_score
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from src.config import ClassifierConfig, ReconstructionConfig
from src.data.errors import DataError
from src.models.autoencoder import AutoEncoder
from src.models.object_network import ObjectNetwork
from src.seeds import numpy_stream, stream
from src.training import checkpoint, pretraining
from src.training.pretraining import Run, augmented, learning_rate, pretrain, share_right
from src.training.tasks import Pictures, chance_levels, task_of

CLASSES, SIZE = 4, 16
CONFIG = ClassifierConfig(epochs=3, batch_size=32, learning_rate=0.01, jitter=1, flip=False)


def prepare(images):
    """Gray to three channels, about -2 to 2."""
    return torch.from_numpy(np.array(images)).float().sub(128).div(64).expand(-1, 3, -1, -1)


def gratings(n, seed):
    """Noisy gratings of four orientations and any phase: -> (n, 1, 16, 16) uint8, (n,)."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % CLASSES)
    angle, phase = np.pi * labels / CLASSES, rng.uniform(0, 2 * np.pi, n)
    row, column = np.mgrid[:SIZE, :SIZE]
    along = np.cos(angle)[:, None, None] * column + np.sin(angle)[:, None, None] * row
    waves = np.sin(1.2 * along + phase[:, None, None]) + rng.normal(0, 0.7, (n, SIZE, SIZE))
    return (128 + 40 * waves).clip(0, 255).astype(np.uint8)[:, None], labels


DATA = (*gratings(160, 1), *gratings(80, 2))


def network(seed=1):
    return ObjectNetwork(CLASSES, (8, 16), generator=stream(seed, "init"))


def parts(data=DATA):
    return Pictures(*data[:2]), Pictures(*data[2:])


@pytest.fixture
def fit(tmp_path):
    """Train a fresh small network in a folder: keyword arguments change the configuration."""

    def run(folder="one", seed=7, data=DATA, prepare=prepare, module=None, show=False, **changes):
        config, module = replace(CONFIG, **changes), module or network()
        place = tmp_path / folder
        return pretrain(module, *parts(data), config, seed, place, prepare, "cpu", show)

    run.folder = tmp_path
    return run


def contents(folder):
    return {f.name: f.read_bytes() for f in folder.glob("*")}


def a_run(module=None, **changes):
    return Run(module or network(), *parts(), replace(CONFIG, **changes), 7, prepare)


def test_it_learns_what_can_be_learned(fit, capsys):
    module = network()
    history = fit(module=module, epochs=8, show=True)
    assert history["validation"].iloc[-1] > 0.9  # chance is 0.25 with a deviation of 0.05
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] < 1.5 * log(CLASSES)
    with torch.no_grad():
        named = module(prepare(DATA[2])).argmax(1).numpy()
    assert history["validation"].iloc[-1] == pytest.approx(accuracy_score(DATA[3], named))
    assert "by chance 25.0%" in capsys.readouterr().out


def test_permuted_labels_teach_nothing(fit):
    labels = np.random.default_rng(0).permutation(DATA[1])
    history = fit(data=(DATA[0], labels, *DATA[2:]), epochs=4)
    assert abs(history["validation"].iloc[-1] - 1 / CLASSES) < 0.2  # four deviations


def test_a_finished_folder_holds_weights_and_history(fit):
    module = network()
    history = fit(module=module)
    assert set(contents(fit.folder / "one")) == {"weights.pt", "history.csv"}
    pd.testing.assert_frame_equal(history, pd.read_csv(fit.folder / "one" / "history.csv"))
    assert list(history) == ["epoch", "learning_rate", "loss", "training", "validation"]
    assert list(history["epoch"]) == [1, 2, 3]
    content = checkpoint.read(fit.folder / "one" / "weights.pt")
    assert content["validation"] == history["validation"].iloc[-1]
    assert not module.training
    for name, value in module.state_dict().items():
        assert torch.equal(value, content["state"][name])


def test_a_seed_gives_the_same_bytes_and_another_one_others(fit):
    fit("one")
    fit("two", module=network())
    fit("three", seed=8)
    one, two, three = (contents(fit.folder / name) for name in ("one", "two", "three"))
    assert one == two
    assert one["history.csv"] != three["history.csv"]


class Interrupted(Exception):
    """Stands for a power cut."""


def breaking(after, prepare=prepare):
    """`prepare` that works only so many times; it is called once before training, and once in it.

    An epoch takes 5 calls for training and 3 for validation.
    """
    calls = []

    def broken(images):
        calls.append(1)
        if len(calls) > after:
            raise Interrupted
        return prepare(images)

    return broken


@pytest.mark.parametrize("after", [2 + 3, 2 + 8 + 2, 2 + 2 * 8 + 6])
def test_an_interrupted_run_continues_to_the_same_bytes(fit, after):
    fit("whole")
    with pytest.raises(Interrupted):
        fit("cut", prepare=breaking(after))
    assert set(contents(fit.folder / "cut")) == ({"resume.pt"} if after > 2 + 8 else set())
    with pytest.raises(Interrupted):
        fit("cut", prepare=breaking(2 + 4))  # epochs done before are not done again
    fit("cut")
    assert contents(fit.folder / "whole") == contents(fit.folder / "cut")


@pytest.mark.parametrize("file", ["weights.pt", "history.csv"])
def test_a_run_cut_off_as_it_writes_continues_to_the_same_bytes(fit, file, monkeypatch):
    fit("whole")
    replacing = pretraining.manifest.replacing

    def cut(path, note=True):
        if path.name == file:
            raise Interrupted
        return replacing(path, note)

    with monkeypatch.context() as patch:
        patch.setattr(pretraining.manifest, "replacing", cut)
        with pytest.raises(Interrupted):
            fit("cut")
    fit("cut", prepare=breaking(2))  # nothing is left to train
    assert contents(fit.folder / "whole") == contents(fit.folder / "cut")


def test_a_finished_run_is_kept_only_if_nothing_changed(fit, capsys):
    history = fit()
    whole = contents(fit.folder / "one")
    pd.testing.assert_frame_equal(fit(prepare=breaking(1)), history)
    assert contents(fit.folder / "one") == whole
    images, labels = DATA[0].copy(), DATA[1].copy()
    images[5, 0, 3, 3] ^= 1
    labels[9] = (labels[9] + 1) % CLASSES
    for changes, said in (
        ({"seed": 8}, "seed: 7 -> 8"),
        ({"jitter": 0}, "training.jitter: 1 -> 0"),
        ({"data": (images, *DATA[1:])}, "pictures.training"),
        ({"data": (DATA[0], labels, *DATA[2:])}, "pictures.training"),
        ({"data": (*DATA[:2], DATA[2][:70], DATA[3][:70])}, "pictures.validation"),
        ({"module": network(2)}, "initial"),
        ({"module": nn.Sequential(network(), nn.Identity())}, "network"),
        ({"prepare": breaking(2, lambda images: 2 * prepare(images))}, "prepared"),
    ):
        with pytest.raises(Interrupted):  # it trains
            fit(**{"prepare": breaking(2)} | changes)
        assert said in capsys.readouterr().out


def test_rates_of_the_optimizer_are_the_closed_form():
    """Linear, then torch's own cosine: 5 steps an epoch, 2 of 4 epochs warm-up."""
    run, rates = a_run(epochs=4, warmup_epochs=2), []
    hook = register_optimizer_step_pre_hook(
        lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"])
    )
    rows = [run.train_epoch(epoch) for epoch in (1, 2, 3, 4)]
    hook.remove()
    other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.01)
    cosine, falling = torch.optim.lr_scheduler.CosineAnnealingLR(other, 10), []
    for _ in range(10):
        falling.append(other.param_groups[0]["lr"])
        other.step()
        cosine.step()
    np.testing.assert_allclose(rates, [*np.linspace(0.001, 0.01, 10), *falling], rtol=1e-9)
    assert [row["learning_rate"] for row in rows] == rates[4::5]
    assert learning_rate(0, 5, replace(CONFIG, warmup_epochs=0)) == 0.01


def test_an_epoch_is_the_one_written_out():
    """Order, augmentation, smoothed loss and AdamW (Loshchilov & Hutter 2019) of two steps."""
    config = replace(CONFIG, batch_size=100, label_smoothing=0.2, weight_decay=0.1, flip=True)
    module, first, second, losses = network().train(), {}, {}, []
    order = numpy_stream(7, "shuffle", 1).permutation(160)
    random = numpy_stream(7, "augment", 1)
    for step, index in enumerate((order[:80], order[80:])):
        images = augmented(DATA[0][index], 1, True, random)
        named = F.log_softmax(module(prepare(images)), 1)
        target = 0.8 * F.one_hot(torch.from_numpy(DATA[1][index]), CLASSES) + 0.2 / CLASSES
        loss = -(target * named).sum(1).mean()
        losses.append(loss.item())
        module.zero_grad()
        loss.backward()
        rate, t = 0.01 * (step + 1) / 2, step + 1
        for name, p in module.named_parameters():
            m = first[name] = 0.9 * first.get(name, 0) + 0.1 * p.grad
            v = second[name] = 0.999 * second.get(name, 0) + 0.001 * p.grad**2
            change = (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
            p.data -= rate * (0.1 * p.data + change)
    run = Run(network(), *parts(), config, 7, prepare)
    assert run.train_epoch(1)["loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    for ours, theirs in zip(run.network.parameters(), module.parameters(), strict=True):
        assert (ours - theirs).norm() < 1e-3 * theirs.norm() + 1e-4


def test_evaluation_leaves_each_part_in_its_mode():
    module = network().train()
    module.block1.eval()
    modes = [part.training for part in module.modules()]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    task = task_of(CONFIG, module, *parts(), prepare)
    score = share_right(module, parts()[1], task, prepare, batch_size=7)
    assert score == share_right(module, parts()[1], task, prepare, 80)  # no batch statistics
    assert [part.training for part in module.modules()] == modes
    assert all(torch.equal(before[n], value) for n, value in module.state_dict().items())
    module.classifier.forward = breaking(0)
    with pytest.raises(Interrupted):
        share_right(module, parts()[1], task, prepare)
    assert [part.training for part in module.modules()] == modes


def test_moved_images_show_what_was_there():
    """Against numpy's edge padding; all moves and both sides occur."""
    images = np.random.default_rng(0).integers(0, 256, (400, 2, 5, 7), dtype=np.uint8)
    moved, seen = augmented(images, 1, True, np.random.default_rng(1)), set()
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    for i, image in enumerate(moved):
        for move in np.ndindex(3, 3, 2):
            there = padded[i, :, move[0] : move[0] + 5, move[1] : move[1] + 7]
            if np.array_equal(image, there[..., ::-1] if move[2] else there):
                seen.add(move)
                break
        else:
            pytest.fail(f"image {i} is none of its 18 versions")
    assert len(seen) == 18
    assert np.array_equal(augmented(images, 0, False, np.random.default_rng(1)), images)


def test_chance_is_that_of_a_classifier_that_does_not_look():
    labels, held_out = np.array([0, 2, 2, 2, 1, 1]), np.array([2, 1, 1, 0, 2])
    dummy = DummyClassifier(strategy="most_frequent").fit(labels[:, None], labels)
    expected = {"uniform": 0.2, "most_frequent": dummy.score(held_out[:, None], held_out)}
    assert chance_levels(labels, held_out, 5) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        (1, DATA[1] - 1, ("(160, 1, 16, 16)", "(160,)", "from -1 to 2")),
        (3, DATA[3] + 1, ("(80, 1, 16, 16)", "(80,)", "from 1 to 4")),
        (1, DATA[1][:-1], ("(160, 1, 16, 16)", "(159,)")),
        (3, np.eye(CLASSES, dtype=int)[DATA[3]], ("(80, 1, 16, 16)", "(80, 4)")),
        (1, DATA[1] / 1, ("float64",)),
        (0, DATA[0] / np.float32(255), ("float32", "uint8")),
        (2, DATA[2][:, 0], ("(80, 16, 16)", "(n, c, h, w)")),
        (2, DATA[2][:0], ("(0, 1, 16, 16)", "(80,)")),
    ],
)
def test_unfit_images_and_labels_are_refused_with_both_shapes(fit, part, value, said):
    with pytest.raises(DataError) as error:
        fit(data=(*DATA[:part], value, *DATA[part + 1 :]))
    assert all(words in str(error.value) for words in said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 5.79},
        {"epochs": 0},
        {"batch_size": True},
        {"batch_size": 1},
        {"warmup_epochs": 3},
        {"jitter": -1},
        {"threads": "2"},
        {"learning_rate": 0.0},
        {"weight_decay": -1e-3},
        {"label_smoothing": 1.0},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(CONFIG, **wrong)


def test_a_loss_that_is_not_finite_ends_training(fit):
    with pytest.raises(FloatingPointError, match="learning rate"):
        fit(prepare=lambda images: prepare(images) * torch.inf)
    assert not list(fit.folder.glob("one/*"))


def test_images_on_disk_train_like_those_in_memory(fit):
    path = fit.folder / "images.npy"
    np.save(path, DATA[0])
    fit("memory")
    fit("disk", data=(np.load(path, mmap_mode="r"), *DATA[1:]))
    assert contents(fit.folder / "memory") == contents(fit.folder / "disk")


def shaded(n, seed):
    """Gratings with one bright half: -> (n, 1, 16, 16) uint8."""
    images, labels = gratings(n, seed)
    images[labels < 2, :, :8] //= 4
    return images


DRAWN = (Pictures(shaded(160, 1)), Pictures(shaded(80, 2)))
REDRAW = ReconstructionConfig(epochs=3, batch_size=32, learning_rate=0.01, jitter=1, flip=False)


def autoencoder():
    return AutoEncoder((3, SIZE, SIZE), (8,), 6, generator=stream(1, "init"))


def test_pictures_are_drawn_again_from_a_code(tmp_path, capsys):
    """The share drawn is scikit-learn's R2 about the mean training picture."""
    module, config = autoencoder(), replace(REDRAW, epochs=8)
    history = pretrain(module, *DRAWN, config, 7, tmp_path / "a", prepare, "cpu")
    with torch.no_grad():
        x, drawn = (f(prepare(DRAWN[1].images)).numpy() for f in (lambda x: x, module))
    both = [x - prepare(DRAWN[0].images).mean(0).numpy(), drawn - x]
    ours, errors = (np.concatenate([v.ravel(), -v.ravel()]) for v in both)  # of mean 0
    share = r2_score(ours, ours + errors)
    assert history["validation"].iloc[-1] == pytest.approx(share, abs=1e-5)
    assert 0.3 < share < 1 and history["training"].iloc[-1] > 0.3
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    assert f"{share:.1%} of the variance of validation images drawn" in capsys.readouterr().out
    assert checkpoint.read(tmp_path / "a" / "weights.pt")["chance"] == {"mean_image": 0.0}


def test_a_network_that_draws_the_mean_training_picture_has_a_share_of_nothing():
    mean = prepare(DRAWN[0].images).mean(0)

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.mean = nn.Parameter(mean)

        def forward(self, x):
            return self.mean.expand_as(x)

    task = task_of(REDRAW, Mean(), *DRAWN, prepare)
    assert share_right(Mean(), DRAWN[1], task, prepare) == pytest.approx(0, abs=1e-6)
    assert share_right(nn.Sequential(Mean(), nn.Identity()), DRAWN[0], task, prepare, 7) < 1e-6


@pytest.mark.parametrize("after", [2 + 3 + 3, 2 + 3 + 8 + 2])
def test_an_interrupted_drawing_continues_to_the_same_bytes(tmp_path, after):
    """As above; the mean picture takes three calls more."""

    def fit(folder, prepare=prepare):
        pretrain(autoencoder(), *DRAWN, REDRAW, 7, tmp_path / folder, prepare, "cpu", False)

    fit("whole")
    with pytest.raises(Interrupted):
        fit("cut", breaking(after))
    assert set(contents(tmp_path / "cut")) == ({"resume.pt"} if after > 2 + 3 + 8 else set())
    fit("cut")
    assert contents(tmp_path / "whole") == contents(tmp_path / "cut")


def test_what_does_not_suit_the_task_is_refused(tmp_path):
    def fit(module, parts, config):
        pretrain(module, *parts, config, 7, tmp_path, prepare, "cpu", False)

    with pytest.raises(DataError, match=r"labels are \(160,\), but images are to be drawn"):
        fit(autoencoder(), parts(), REDRAW)
    with pytest.raises(DataError, match=r"draws \(4,\), images are \(3, 16, 16\)"):
        fit(network(), DRAWN, REDRAW)
    with pytest.raises(DataError, match=r"training images are .* labels none: give each"):
        fit(network(), DRAWN, CONFIG)
