"""Features of images: what a forward pass gives, in the order of the images, or nothing."""

import json
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.models import extraction
from src.models.activations import activations, prepare
from src.models.extraction import Reduction, extract, projection
from src.models.feature_files import ImagesFrom, open_features
from src.models.networks import Layer
from src.paths import ROOT
from tests.models.toy_network import LAYERS, RECORD, pictures, toy

ALL = ("first", "again0", "again1", "last")


def by_hand(module, images):
    x = torch.from_numpy(images) / 255
    x = (x - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.2, 0.25, 0.3])[
        :, None, None
    ]
    with torch.no_grad():
        first = module.first(x)
        norm = module.norm
        relu = first.clamp(min=0)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        shift = norm.bias - norm.running_mean * scale
        again0 = module.again(relu * scale[:, None, None] + shift[:, None, None])
        again1 = module.again(again0)
        return dict(zip(ALL, (first, again0, again1, module.last(again1.flatten(1))), strict=True))


def npy_bytes(folder):
    return {f.name: f.read_bytes() for f in folder.glob("*.npy")}


def test_hooks_give_what_a_forward_by_hand_gives(tmp_path):
    network, images = toy(), pictures()
    extract(network, images, tmp_path / "f", ALL, batch=3)
    for name, wanted in by_hand(network.module, images).items():
        found = open_features(tmp_path / "f", name, image_sha256(images))
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)
        assert found.dtype == np.float32 and isinstance(found, np.memmap)


def test_one_pass_a_batch_serves_all_layers_and_a_rerun_needs_none(tmp_path):
    network, images = toy(), pictures()
    extract(network, images, tmp_path / "f", ALL, batch=4)
    assert network.module.forwards == 3
    before = npy_bytes(tmp_path / "f")
    extract(network, images, tmp_path / "f", ALL, batch=4)
    assert network.module.forwards == 3 and npy_bytes(tmp_path / "f") == before


def test_the_pass_ends_after_the_last_layer_asked_for():
    network, reached = toy(), []
    network.module.last.register_forward_pre_hook(lambda *_: reached.append(True))
    x = prepare(pictures(2), RECORD)
    activations(network, x, LAYERS[:2])
    assert not reached
    activations(network, x, LAYERS[:4])
    assert reached
    assert not network.module.first._forward_hooks


@pytest.mark.parametrize(
    "change",
    [
        lambda n, x: (n, x + np.uint8(1), "float32"),
        lambda n, x: (n, x[::-1], "float32"),
        lambda n, x: (n, x, "float16"),
        lambda n, x: (replace(n, record=replace(RECORD, preprocessing=OTHER)), x, "float32"),
        lambda n, x: (altered(n), x, "float32"),
    ],
    ids=["images", "order", "dtype", "preprocessing", "weights"],
)
def test_other_inputs_are_extracted_anew(tmp_path, change):
    network, images = toy(), pictures()
    extract(network, images, tmp_path / "f", ["last"])
    before = npy_bytes(tmp_path / "f")
    network, images, dtype = change(network, images)
    extract(network, images, tmp_path / "f", ["last"], dtype=dtype)
    assert npy_bytes(tmp_path / "f") != before
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


OTHER = replace(RECORD.preprocessing, order="BGR")


def altered(network):
    with torch.no_grad():
        network.module.last.bias += 1
    return network


@pytest.mark.parametrize("write", [1, 5])  # in the first batch and in the third
def test_a_killed_pass_goes_on_and_ends_in_the_same_bytes(tmp_path, write):
    script = "import sys; from pathlib import Path; from tests.models import toy_network as t; "
    script += "t.extract_killed(Path(sys.argv[1]), int(sys.argv[2]))"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "f"), str(write)], cwd=ROOT, timeout=120
    )
    assert done.returncode == -signal.SIGKILL and not (tmp_path / "f").exists()
    network = toy()
    extract(network, pictures(), tmp_path / "f", ("first", "last"), batch=3)
    assert network.module.forwards == 4 - write // 2
    extract(toy(), pictures(), tmp_path / "undisturbed", ("first", "last"), batch=3)
    assert npy_bytes(tmp_path / "f") == npy_bytes(tmp_path / "undisturbed")


def test_shuffled_or_other_rows_are_refused(tmp_path):
    images = pictures()
    extract(toy(), images, tmp_path / "f", ["last"])
    hashes = image_sha256(images)
    with pytest.raises(DataError, match="same images in another order"):
        open_features(tmp_path / "f", "last", image_sha256(images[np.r_[1, 0, 2:10]]))
    for other in (hashes[:-1], [*hashes[:-1], "0" * 64]):
        with pytest.raises(DataError, match="other images"):
            open_features(tmp_path / "f", "last", other)
    with pytest.raises(DataError, match="no layer 'first': choose of last"):
        open_features(tmp_path / "f", "first", hashes)
    np.save(tmp_path / "f/last.npy", np.zeros((9, 5), np.float32))
    with pytest.raises(DataError, match=r"\(9, 5\), not \(10, 5\)"):
        open_features(tmp_path / "f", "last", hashes)
    with pytest.raises(DataError, match="no features"):
        open_features(tmp_path, "last", hashes)


def test_permuted_images_permute_features(tmp_path):
    images, order = pictures(), np.random.default_rng(0).permutation(10)
    reductions = {"again0": Reduction(pool=2), "first": Reduction(project=20), "last": Reduction()}
    extract(toy(), images, tmp_path / "a", reductions, batch=1)
    extract(toy(), images[order], tmp_path / "b", reductions, batch=1)
    for name in reductions:
        a = open_features(tmp_path / "a", name, image_sha256(images))
        b = open_features(tmp_path / "b", name, image_sha256(images[order]))
        np.testing.assert_array_equal(a[order], b)


def test_pooled_and_projected_are_those_of_the_whole(tmp_path):
    images = pictures()
    reductions = {"first": Reduction(pool=3), "again0": Reduction(pool=5, project=30, seed=4)}
    extract(toy(), images, tmp_path / "f", reductions)
    whole = by_hand(toy().module, images)
    hashes = image_sha256(images)
    wanted = F.adaptive_avg_pool2d(whole["first"], 3)
    np.testing.assert_allclose(open_features(tmp_path / "f", "first", hashes), wanted, atol=1e-6)
    pooled = F.adaptive_avg_pool2d(whole["again0"], 5).flatten(1).numpy()
    wanted = pooled @ projection(100, 30, 4, "again0").toarray().T
    np.testing.assert_allclose(open_features(tmp_path / "f", "again0", hashes), wanted, atol=1e-5)


def test_what_is_not_larger_is_kept_and_what_has_no_maps_is_not_pooled(tmp_path):
    assert Reduction(pool=14).pooled(x := torch.rand(1, 2, 7, 7)) is x
    with pytest.raises(DataError, match=r"\(10, 5, 3\) has no maps to pool"):
        Reduction(pool=1).pooled(torch.rand(10, 5, 3))
    extract(toy(), pictures(), tmp_path / "f", {"last": Reduction(pool=1, project=5)})
    assert open_features(tmp_path / "f", "last", image_sha256(pictures())).shape == (10, 5)


def test_projection_is_sparse_seeded_and_keeps_inner_products_on_average():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 400))
    y = y + x
    found = [(p @ x) @ (p @ y) for p in (projection(400, 50, seed, "layer") for seed in range(300))]
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - x @ y) < 4 * error < 0.1 * (x @ y)
    one = projection(400, 50, 0, "layer")
    assert one.nnz == pytest.approx(50 * 400 / 20, rel=0.15)
    for same, seed, name in ((True, 0, "layer"), (False, 1, "layer"), (False, 0, "other")):
        again = projection(400, 50, seed, name)
        assert np.array_equal(one.toarray(), again.toarray()) == same


def test_images_may_come_from_a_function_or_a_file_and_gray_is_copied(tmp_path):
    gray = pictures()[:, 0]
    np.save(tmp_path / "gray.npy", gray)
    given = {
        "function": ImagesFrom(10, lambda first, stop: gray[first:stop]),
        "file": np.load(tmp_path / "gray.npy", mmap_mode="r"),
        "one channel": gray[:, None],
        "three": np.repeat(gray[:, None], 3, axis=1),
    }
    made = [npy_bytes(extract(toy(), x, tmp_path / name, ["last"])) for name, x in given.items()]
    assert all(m == made[0] for m in made)


def test_images_that_change_between_hash_and_pass_are_refused(tmp_path):
    calls = []

    def read(first, stop):
        calls.append(first)
        return pictures()[first:stop] + np.uint8(len(calls) > 1)

    with pytest.raises(DataError, match="changed meanwhile"):
        extract(toy(), ImagesFrom(10, read), tmp_path / "f", ["last"])
    assert not list(tmp_path.iterdir())


def test_a_layer_that_is_the_same_for_all_images_is_an_error(tmp_path):
    network = toy()
    with torch.no_grad():
        network.module.again.weight.zero_()
    with pytest.raises(DataError, match="layer 'again0': all 10 images have the same"):
        extract(network, pictures(), tmp_path / "f", ["first", "again0"])
    assert not list(tmp_path.iterdir())
    extract(network, pictures()[[0, 0, 0]], tmp_path / "f", ["again0"])  # one image, three times


def test_values_too_large_for_float16_are_refused(tmp_path):
    network = toy()
    with torch.no_grad():
        network.module.last.bias.fill_(1e6)
    with pytest.raises(DataError, match=r"'last', images 0 to 9.*not finite: keep float32"):
        extract(network, pictures(), tmp_path / "f", ["last"], dtype="float16")


def test_modes_are_restored_also_after_an_error(tmp_path):
    network = toy()
    network.module.train()
    network.module.norm.eval()  # frozen within a network that trains
    modes = [m.training for m in network.module.modules()]
    extract(network, pictures(), tmp_path / "trains", ["last"])
    assert [m.training for m in network.module.modules()] == modes
    extract(toy(), pictures(), tmp_path / "evaluates", ["last"])
    assert npy_bytes(tmp_path / "trains") == npy_bytes(tmp_path / "evaluates")
    handle = network.module.last.register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        extract(network, pictures(), tmp_path / "fails", ["last"])
    handle.remove()
    assert [m.training for m in network.module.modules()] == modes
    assert not network.module.last._forward_hooks


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (LAYERS[4], "'unused' is call 0 .* of 'unused', which a forward pass calls 0 times"),
        (Layer("third", "again", call=2), "call 2 .* calls 2 times"),
        (Layer("no", "nothing.here"), "no module 'nothing.here': its parts are first, relu"),
    ],
)
def test_a_layer_that_is_not_reached_is_named(layer, text):
    with pytest.raises(DataError, match=text):
        activations(toy(), prepare(pictures(2), RECORD), [layer])


def test_a_folder_of_other_files_is_left_alone(tmp_path):
    (tmp_path / "f").mkdir()
    (tmp_path / "f/thesis.txt").write_text("years")
    with pytest.raises(DataError, match="no features"):
        extract(toy(), pictures(), tmp_path / "f", ["last"])
    assert (tmp_path / "f/thesis.txt").exists()
    with pytest.raises(DataError, match="no layer 'fc': choose of first"):
        extract(toy(), pictures(), tmp_path / "g", ["fc"])
    with pytest.raises(DataError, match="0 images, 1 layers"):
        extract(toy(), pictures(0), tmp_path / "g", ["last"])


def test_the_manifest_says_what_the_features_are_of(tmp_path, monkeypatch):
    monkeypatch.setattr(extraction.manifest, "environment", lambda: {"commit": "c"})
    extract(toy(), pictures(), tmp_path / "f", {"first": Reduction(pool=2)}, dtype="float16")
    found = json.loads((tmp_path / "f/manifest.json").read_text())
    assert found["network"]["preprocessing"]["mean"] == [0.4, 0.5, 0.6]
    assert (found["weights"], found["batch_norm"]) == ("random, seed 0", "running")
    assert found["layers"][0]["reduction"] == {"pool": 2, "project": 0, "seed": 0}
    assert found["shapes"] == {"first": [4, 2, 2]} and found["dtype"] == "float16"
    assert found["image_sha256"] == image_sha256(pictures())
    assert found["made_by"] == {"commit": "c"} and len(found["sha256"]["first"]) == 64
