"""Heads on frozen maps, networks that are trained on, and networks that name objects as well."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from src.config import (
    ConvCoreConfig,
    DenseReadoutConfig,
    InputConfig,
    ModelConfig,
    NetworkCoreConfig,
    TrainingConfig,
)
from src.correlation import pearson
from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.data.inferotemporal import open_inferotemporal
from src.data.objects import CLASSES, classes_of
from src.data.pack import pack
from src.data.session import Session, open_sessions
from src.data.splits import inner_split
from src.models.encoder import Encoder, SessionFacts
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.models.map_sessions import open_inputs
from src.simulate.inferotemporal import simulate_inferotemporal
from src.studies.records import FrozenNetwork
from src.training.checkpoint import load_encoder
from src.training.trainer import Run, train

RECIPE = TrainingConfig(
    batch_size=32,
    learning_rate=3e-3,
    schedule="cosine",
    max_epochs=2,
    loss="mse",
    optimizer="adamw",
)
PLANTED = FrozenNetwork("planted", "random_map")
WHOLE, RAW = InputConfig(scale="full"), InputConfig(scale="full", raw=True)
MAPS = InputConfig(scale="full", maps="planted/layer2")
NAMING = InputConfig(scale="full", objects=True)
HEAD = ModelConfig(
    "head", ConvCoreConfig(()), MAPS, DenseReadoutConfig(hidden=0), output="identity"
)
DUAL = ModelConfig(
    "dual",
    ConvCoreConfig((4, 8)),
    NAMING,
    DenseReadoutConfig(hidden=8),
    objects=DenseReadoutConfig(hidden=8),
    output="identity",
)
TUNED = ModelConfig(
    "tuned",
    NetworkCoreConfig("objects", "object_network", layer="block2", pool=4),
    RAW,
    DenseReadoutConfig(hidden=0),
    output="identity",
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A packed tiny IT session, and the features of the map its sites read."""
    root = tmp_path_factory.mktemp("heads")
    pack(
        open_inferotemporal(simulate_inferotemporal(root / "raw", root / "truth", "tiny", 7)),
        root / "packed" / "pooled",
    )
    images = Session(root / "packed/pooled", WHOLE).images
    shown = frozen_network(PLANTED, images.shape[-1], 7)
    layers = {name: Reduction(14) for name in ("layer1", "layer2")}
    extract(shown, images, root / "features/planted/pooled", layers)
    return root


def opened(root, inputs):
    return dict(open_inputs(root / "packed", inputs, root / "features"))


def splits(sessions):
    return {key: inner_split(session, 1) for key, session in sessions.items()}


def fitted(root, model, recipe, folder):
    sessions = opened(root, model.inputs)
    encoder = Encoder(model, sessions, seed=1)
    history = train(
        encoder, sessions, splits(sessions), recipe, 1, folder, device="cpu", progress=False
    )
    return encoder, sessions, history


def test_maps_stand_in_for_images_in_the_order_of_trials(root):
    session = opened(root, MAPS)["pooled"]
    backwards = np.arange(session.n_trials)[::-1]  # as if images had been shown last to first
    session._index_file = backwards
    plain = open_sessions(root / "packed", WHOLE)["pooled"]
    features = open_features(root / "features/planted/pooled", "layer2", image_sha256(plain.images))
    index = np.array([7, 3, 3, 40])
    expected = features[backwards[index]].astype(np.float32)
    batch = session.batch(index)
    np.testing.assert_array_equal(batch.images.numpy(), expected)
    assert torch.equal(batch.responses, plain.batch(index).responses)
    assert session.image_shape == expected.shape[1:]
    assert len({session.fingerprint, plain.fingerprint}) == 2
    assert session.select(n_units=3).batch(index).images.shape == batch.images.shape


def test_features_without_places_are_no_maps(root):
    images = Session(root / "packed/pooled", WHOLE).images
    objects = FrozenNetwork("objects", "object_network", start="random", draw=1)
    shown = frozen_network(objects, images.shape[-1], 7)
    extract(shown, images, root / "features/objects/pooled", {"pool": Reduction(14)})
    with pytest.raises(DataError, match=r"'objects/pool' has \(128,\) features an image"):
        opened(root, replace(MAPS, maps="objects/pool"))


def test_a_linear_head_on_the_planted_map_predicts(root, tmp_path):
    recipe = replace(RECIPE, max_epochs=12, learning_rate=1e-2, weight_decay=1.0)
    encoder, sessions, history = fitted(root, HEAD, recipe, tmp_path)
    assert history["validation"].max() > 0.3
    loaded = load_encoder(tmp_path / "weights.pt", sessions)
    batch = sessions["pooled"].batch(np.arange(5))
    assert torch.equal(loaded(batch, "pooled"), encoder(batch, "pooled"))


def test_the_head_of_the_best_project_has_its_size():
    model = replace(HEAD, core=ConvCoreConfig((512, 256)), readout=DenseReadoutConfig(hidden=512))
    encoder = Encoder(model, {"a": SessionFacts(168, (1024, 14, 14))}, 0)
    assert sum(p.numel() for p in encoder.parameters()) == 6_511_528


def test_the_dual_task_network_has_its_size():
    branch = DenseReadoutConfig(channels=(256, 512))
    model = replace(DUAL, core=ConvCoreConfig(), readout=branch, objects=branch)
    encoder = Encoder(model, {"a": SessionFacts(168, (3, 224, 224))}, 0)
    assert sum(p.numel() for p in encoder.parameters()) == 9_650_366


def test_the_loss_is_that_of_rates_and_of_names(root):
    sessions = opened(root, NAMING)
    session = sessions["pooled"]
    recipe = replace(RECIPE, object_weight=0.3)
    encoder = Encoder(DUAL, sessions, seed=1).eval()
    run = Run(encoder, sessions, splits(sessions), recipe, 1)
    index = np.arange(20)
    loss, _ = run.accumulate("pooled", index, torch.Generator())
    batch = session.batch(index)
    names = torch.tensor([CLASSES.index(name) for name in classes_of(session.objects[index])])
    assert torch.equal(batch.objects, names)
    rates, named = encoder.respond_and_name(batch, "pooled")
    expected = F.mse_loss(rates, batch.responses) + 0.3 * F.cross_entropy(named, names)
    torch.testing.assert_close(loss, expected)
    assert torch.equal(rates, encoder(batch, "pooled"))
    right = (named.argmax(1) == names).float().mean()
    run.splits = {"pooled": replace(run.splits["pooled"], validation=index)}
    run.validate()
    assert run.watched["validation_named"] == pytest.approx(right.item())


def test_it_learns_both(root, tmp_path):
    recipe = replace(RECIPE, max_epochs=25, object_weight=0.3, learning_rate=1e-2)
    encoder, sessions, history = fitted(root, DUAL, recipe, tmp_path)
    assert history["validation_named"].iloc[-1] > 3 / len(CLASSES)
    assert history["validation"].max() > 0.1
    loaded = load_encoder(tmp_path / "weights.pt", sessions)
    assert loaded.config == encoder.config


def test_a_core_moves_as_much_as_its_share(root, tmp_path):
    moved = {}
    for share in (0.0, 0.1, 1.0):
        sessions = opened(root, RAW)
        start = Encoder(TUNED, sessions, seed=1).core.state_dict()
        recipe = replace(RECIPE, core_rate=share, max_epochs=1)
        encoder, *_ = fitted(root, TUNED, recipe, tmp_path / str(share))
        after = encoder.core.state_dict()
        if not share:  # statistics of batch norm included
            assert all(torch.equal(after[name], start[name]) for name in start)
        weights = [name for name in start if name.endswith("0.weight")]
        moved[share] = sum((after[n] - start[n]).abs().mean().item() for n in weights)
    assert moved[0.0] == 0 < 3 * moved[0.1] < moved[1.0]


def test_what_does_not_go_together_is_refused(root):
    sessions = opened(root, WHOLE)
    plain = replace(DUAL, objects=None, inputs=WHOLE)
    with pytest.raises(ValueError, match=r"object_weight=0\.5 and objects=None"):
        recipe = replace(RECIPE, object_weight=0.5)
        Run(Encoder(plain, sessions, 1), sessions, splits(sessions), recipe, 1)
    with pytest.raises(ValueError, match=r"objects and inputs\.objects go together"):
        Encoder(replace(DUAL, inputs=WHOLE), sessions, 1)
    mouse = Session(root / "packed/pooled", NAMING)
    mouse.objects = None
    with pytest.raises(DataError, match="has no objects"):
        mouse.batch(np.arange(2))


def test_scores_are_of_the_predictions_that_are_made(root):
    sessions = opened(root, NAMING)
    run = Run(
        Encoder(DUAL, sessions, 1), sessions, splits(sessions), replace(RECIPE, object_weight=1), 1
    )
    batch = sessions["pooled"].batch(run.splits["pooled"].validation)
    with torch.no_grad():
        predicted = run.encoder.eval()(batch, "pooled").numpy()
    assert run.validate() == pytest.approx(pearson(predicted, batch.responses.numpy()).mean())
