"""CORnets by name: their files, their layers over time, and features of folders of pictures."""

import re
import warnings
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.data.pictures import squared
from src.data.vision_operators import ensure
from src.manifest import file_sha256
from src.models.activations import activations, prepare
from src.models.cornet import AREAS, LETTERS
from src.models.extraction import extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.models.networks import IMAGENET
from src.models.picture_features import export_features
from src.models.pretrained import find_weights, load_network, random_network
from src.models.registry import network_record
from src.studies import STUDIES
from src.studies.records import FrozenNetwork

EVERY = pytest.mark.parametrize("letter", LETTERS)
SIZE = 32


@cache
def small(letter, seed=0):
    """A random start for pictures of 32 pixels."""
    network = random_network(network_record(f"cornet_{letter}"), seed)
    return replace(network, record=replace(network.record, input_size=SIZE))


def drawn(n=6):
    return np.random.default_rng(0).integers(0, 256, (n, 3, SIZE, SIZE), np.uint8)


@EVERY
def test_records_say_what_is_known_of_the_files(letter):
    record = network_record(f"cornet_{letter}")
    assert re.fullmatch(rf"cornet_{letter}-[0-9a-f]{{8}}\.pth", record.file)
    assert record.sha256 and record.sha256 in record.file and record.weights == record.file
    assert (record.input_size, record.preprocessing) == (224, IMAGENET)
    assert "none stated" in record.license and "GPL-3" in record.license
    assert ("NeurIPS" in record.citation) == (letter == "s")


@pytest.mark.parametrize(
    ("letter", "names", "constant"),
    [
        ("z", "V1 V2 V4 IT decoder", ""),
        ("s", "V1 V2-t0 V2-t1 V4-t0 V4-t1 V4-t2 V4-t3 IT-t0 IT-t1 decoder", ""),
        ("r", None, "V2-t0 V4-t0 IT-t0"),
        ("rt", None, "V2-t0 V4-t0 V4-t1 IT-t0 IT-t1 IT-t2"),
    ],
)
def test_layers_are_areas_at_their_steps(letter, names, constant):
    """Those marked as constant are the ones, and all of those, that are: seen from outside."""
    network = small(letter)
    every = [f"{area}-t{t}" for area, t in product(AREAS, range(5))]
    assert [v.name for v in network.record.layers] == (
        names.split() if names else [*every, "decoder"]
    )
    found = activations(network, prepare(drawn(2), network.record), network.record.layers)
    assert [k for k, x in found.items() if torch.equal(x[0], x[1])] == constant.split()
    assert set(network.record.informative) == set(found) - set(constant.split())
    areas = [layer.area for layer in network.record.layers]
    assert areas == sorted(areas, key=AREAS.index)


def test_random_starts_follow_their_seed():
    record, before = network_record("cornet_z"), torch.get_rng_state()
    one, same, other = (random_network(record, s).module.state_dict() for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name in (name for name in one if name.endswith("weight")):
        assert torch.equal(one[name], same[name]) and not torch.equal(one[name], other[name])


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_published_file_is_loaded_whole_or_plain(wrapped, tmp_path):
    """CN-08: `state_dict` of a checkpoint, `module.` of a module trained on several devices."""
    module, record = small("rt").module, network_record("cornet_rt")
    state, path = module.state_dict(), tmp_path / record.file
    if wrapped:
        state = {f"module.{name}": value for name, value in state.items()}
        state = {"epoch": 25, "state_dict": state, "optimizer": {"lr": 0.1}}
    torch.save(state, path)
    with pytest.raises(DataError, match=r"has sha256 .* but 'cornet_rt-933c001c.pth' 933c001c"):
        load_network(record, tmp_path)
    loaded = load_network(replace(record, sha256=file_sha256(path)[:8]), tmp_path)
    assert loaded.file_sha256 == file_sha256(path) and not loaded.module.training
    x = prepare(drawn(2), small("rt").record)
    with torch.inference_mode():
        assert torch.equal(loaded.module(x), module(x))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("module.V1.conv.bias"), "missing V1.conv.bias"),
        (lambda s: s.update({"module.V5": torch.ones(1)}), "unexpected V5"),
        (lambda s: s.update({"V5": torch.ones(1)}), "unexpected V5"),
        (
            lambda s: s.update({"module.V1.conv.bias": torch.ones(3)}),
            r"V1.conv.bias is \(3,\), exp",
        ),
    ],
)
def test_checkpoints_that_do_not_fit_are_refused_by_name(change, text, tmp_path):
    state = {f"module.{name}": value for name, value in small("z").module.state_dict().items()}
    change(state)
    torch.save({"state_dict": state}, tmp_path / "z.pth")
    with pytest.raises(DataError, match=text):
        load_network(replace(network_record("cornet_z"), sha256=""), tmp_path / "z.pth")


def test_a_missing_file_is_named_with_its_place(tmp_path):
    with pytest.raises(
        DataError, match=r"put cornet_s-1d3f7974.pth \(github.com/dicarlolab/CORnet"
    ):
        find_weights(network_record("cornet_s"), tmp_path)


@pytest.mark.parametrize(("letter", "early"), [("r", "IT-t0"), ("rt", "IT-t2")])
def test_steps_before_the_image_are_refused_before_a_pass(letter, early, tmp_path):
    """IT-34 and CN-15: from such features, only the mean can be predicted, whose EV is 0."""
    network = small(letter)
    text = f"'cornet_{letter}': {early} are the same for all images .*: choose of V1-t0, .*decoder"
    with pytest.raises(DataError, match=text):
        extract(network, drawn(), tmp_path / "f", ("V1-t0", early))
    assert not list(tmp_path.iterdir())
    unmarked = replace(network.record, layers=(replace(network.layer(early), constant=False),))
    with pytest.raises(DataError, match=f"'{early}': all 6 images have the same"):
        extract(replace(network, record=unmarked), drawn(), tmp_path / "f", (early,))


def test_every_informative_step_is_extracted_in_one_pass(tmp_path):
    network, images = small("rt"), drawn()
    folder = extract(network, images, tmp_path / "f", network.record.informative, batch=4)
    with torch.inference_mode():
        states = network.module.states(prepare(images, network.record))
    for name in network.record.informative[:-1]:
        area, t = name.split("-t")
        found = open_features(folder, name, image_sha256(images))
        np.testing.assert_allclose(found, states[area][int(t)], rtol=1e-4, atol=1e-5)


def test_a_plan_may_say_at_which_size_pictures_are_shown():
    plan = FrozenNetwork("c", "cornet_z", start="random", size=64)
    assert frozen_network(plan, 32, 0).record.input_size == 64
    assert frozen_network(replace(plan, size=0), 32, 0).record.input_size == 224
    map_ = FrozenNetwork("m", "random_map", start="random", size=64)
    assert frozen_network(map_, 32, 0).record.input_size == 64


@pytest.mark.parametrize("profile", ["smoke", "demo", "full"])
def test_plans_of_the_study_ask_for_no_step_before_the_image(profile):
    plans = STUDIES["macaque_it"].profile(profile).networks
    plans = [plan for plan in plans if plan.network.startswith("cornet")]
    assert plans
    for plan in plans:
        assert set(plan.layers) <= set(network_record(plan.network).informative)


@pytest.fixture
def folder(tmp_path):
    """Pictures of several sizes and kinds: gray, with transparency, in a sub-folder."""
    rng, made = np.random.default_rng(3), tmp_path / "pictures"
    (made / "more").mkdir(parents=True)
    kinds = {"a10.png": (40, 50, 3), "a2.png": (33, 47), "more/b.png": (60, 44, 4)}
    for name, shape in kinds.items():
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(made / name)
    return made


def exported(path):
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


@EVERY
def test_features_of_a_folder_are_those_of_its_pictures_one_by_one(letter, folder, tmp_path):
    """CN-09 and CN-14, and C1 and C3: batches, names, all steps on an axis."""
    network = small(letter)
    part, n = ("IT.output", {"z": 1, "s": 2}.get(letter, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = exported(export_features(network, folder, tmp_path, part, batch=2))
    names = ["a2.png", "a10.png", "more/b.png"]
    assert list(found["names"]) == names and list(found["steps"]) == list(range(n))
    assert found["features"].shape == (3, n, 512) and found["features"].dtype == np.float32
    for i, name in enumerate(names):
        image = np.asarray(Image.open(folder / name).convert("RGB").resize((SIZE, SIZE), 2))
        x = prepare(image.transpose(2, 0, 1)[None], network.record)
        with torch.inference_mode():
            wanted = network.module.states(x)["IT"].flatten(1)
        np.testing.assert_allclose(found["features"][i], wanted, rtol=1e-4, atol=1e-5)
    rows = pd.read_csv(tmp_path / f"cornet_{letter}_IT.output_all.csv")
    assert rows["name"].tolist() == np.repeat(names, n).tolist()
    assert rows["step"].tolist() == [*range(n)] * 3
    np.testing.assert_allclose(rows["mean"], found["features"].mean(2).ravel(), rtol=1e-6)


def test_one_step_another_size_and_the_middle_of_pictures(folder, tmp_path):
    network = small("rt")
    every, one, cut = (
        exported(export_features(network, folder, tmp_path, "V1.output", size=64, **how))
        for how in ({"step": None}, {"step": 2}, {"step": 2, "crop": True})
    )
    assert one["features"].shape == (3, 1, 64 * 256) and list(one["steps"]) == [2]
    assert (tmp_path / "cornet_rt_V1.output_t2.csv").is_file()
    np.testing.assert_array_equal(every["features"][:, 2:3], one["features"])
    image = squared(np.asarray(Image.open(folder / "a10.png")), 64, crop=True)
    x = prepare(image.transpose(2, 0, 1)[None], replace(network.record, input_size=64))
    with torch.inference_mode():
        wanted = network.module.states(x)["V1"][2].flatten(1)
    np.testing.assert_allclose(cut["features"][1], wanted, rtol=1e-4, atol=1e-5)
    assert exported(export_features(network, folder, tmp_path))["features"].shape == (3, 1, 512)


def test_what_cannot_be_exported_is_refused(folder, tmp_path):
    with pytest.raises(DataError, match=r"'V2.conv1' has steps of different sizes"):
        export_features(small("s"), folder, tmp_path, "V2.conv1")
    with pytest.raises(DataError, match=r"call 7 .from 0. of 'IT.output'.*calls 2 times"):
        export_features(small("s"), folder, tmp_path, "IT.output", step=7)
    with pytest.raises(DataError, match=r"no module 'V5.output': its parts are V1, V2, V4, IT"):
        export_features(small("z"), folder, tmp_path, "V5.output")
    (folder / "notes.txt").write_text("no picture")
    with pytest.raises(DataError, match=r"notes.txt is not an image"):
        export_features(small("z"), folder, tmp_path)


@pytest.mark.parametrize(
    ("letter", "part", "step", "names"),
    [
        ("r", "IT.output", 0, "IT-t0"),
        ("rt", "IT.output", None, "IT-t0, IT-t1, IT-t2"),
        ("rt", "IT.conv_input", None, "IT.conv_input-t0, IT.conv_input-t1"),
    ],
)
def test_steps_without_an_image_are_warned_of_once(letter, part, step, names, folder, tmp_path):
    with pytest.warns(UserWarning, match=f"': {names} are the same for all images") as said:
        export_features(small(letter), folder, tmp_path, part, step, batch=1)
    assert len(said) == 1 and said[0].filename == __file__


def test_one_picture_cannot_show_that_a_step_is_constant_but_the_record_does(folder, tmp_path):
    with pytest.warns(UserWarning, match="IT-t0 are the same for all images"):
        export_features(small("r"), folder / "more", tmp_path, "IT.output", 0)
    export_features(small("r"), folder / "more", tmp_path, "IT.output", 1)


@pytest.mark.parametrize("shape", [(300, 400, 3), (401, 257, 3)])
def test_pictures_are_cut_and_stretched_as_by_torchvision(shape):
    ensure()
    from torchvision import transforms

    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    cut = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224)])
    for crop, wanted in ((True, cut), (False, transforms.Resize((224, 224)))):
        assert np.array_equal(squared(image, 224, crop), wanted(Image.fromarray(image)))
