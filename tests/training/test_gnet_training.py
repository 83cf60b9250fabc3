"""GNet on simulated NSD from its files to transfer: stored maps, one trunk or one an area."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from src.analyses.refit import generate, refit, responding
from src.analyses.transfer import read_frozen
from src.config import (
    ConvCoreConfig,
    GNetCoreConfig,
    InputConfig,
    ModelConfig,
    PoolingReadoutConfig,
    TrainingConfig,
    TrunkMapsConfig,
)
from src.correlation import pearson
from src.data.errors import DataError
from src.data.nsd_session import open_subjects
from src.data.pack import pack
from src.data.session import chosen_sessions, open_sessions
from src.data.splits import member_splits, official_split
from src.manifest import WriteError
from src.models.encoder import Encoder
from src.models.extraction import extract, state_sha256
from src.models.frozen import frozen_network
from src.models.gnet import TrunkMaps, prefilter_network
from src.models.map_sessions import TrunkSession, open_inputs
from src.simulate.nsd import PRESETS, simulate_nsd
from src.studies.nsd_gnet import NSD_GNET
from src.studies.records import Plan
from src.training import checkpoint
from src.training.device import threads
from src.training.own_best import OwnBest
from src.training.trainer import Run, train
from tests.disks import disk

WORLD = replace(PRESETS["tiny"], scans=2, trials_per_scan=30, pixels=67, voxels=4)
CORE = GNetCoreConfig("stored", (0.45, 0.45, 0.45), width=8)
MAPS = InputConfig(scale="full", maps="prefilter/conv2")
MODEL = ModelConfig("gnet8j", CORE, MAPS, PoolingReadoutConfig(), output="identity")
RECIPE = TrainingConfig(
    batch_size=20,
    learning_rate=1e-3,
    max_epochs=2,
    patience=2,
    loss="batch_rho2",
    turns="alone",
    score="median",
    start_counts=False,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Packed subjects, and the maps of their images."""
    root = tmp_path_factory.mktemp("gnet")
    simulate_nsd(root / "nsd", root / "truth", WORLD, 3)
    for subject in open_subjects(root / "nsd", 67):
        pack(subject, root / "packed" / subject.key)
    network = prefilter_network(CORE.mean, 67, seed=0)
    for key, session in open_sessions(root / "packed", InputConfig(scale="full")).items():
        extract(
            network, session.images, root / "features/prefilter" / key, ["conv2"], 32, "float16"
        )
    return root


@pytest.fixture(scope="module")
def sessions(world):
    return open_inputs(world / "packed", MAPS, world / "features")


def fit(sessions, folder, model=MODEL, recipe=RECIPE, start=None, split=official_split, watch=None):
    encoder = Encoder(model, sessions, seed=1)
    if start is not None:
        encoder.core.load_state_dict(start.core.state_dict())
    splits = {key: split(session) for key, session in sessions.items()}
    given = encoder, sessions, splits, recipe, 1, folder, "cpu", False, watch
    return encoder, train(*given)


def test_one_trunk_for_all_areas_and_subjects(sessions, tmp_path):
    encoder, history = fit(sessions, tmp_path)
    assert set(encoder.readouts) == {"subj01", "subj02"}
    assert history.loss.iloc[1] < history.loss.iloc[0]
    steps = sum(-(-len(official_split(s).train) // 20) for s in sessions.values())
    assert (tmp_path / "steps.csv").read_text().count("\n") == 2 * steps + 1
    _, again = fit(sessions, tmp_path / "again")
    np.testing.assert_array_equal(history.loss, again.loss)


def test_scores_of_units_after_each_epoch_survive_a_kill(sessions, tmp_path):
    """The kept epoch's are those of the weights kept; a run that was killed leaves the same."""
    recipe = replace(RECIPE, max_epochs=3, patience=3)
    encoder, history = fit(sessions, tmp_path / "whole", recipe=recipe)
    with np.load(tmp_path / "whole/epochs.npz") as file:
        whole = dict(file)
    for key, session in sessions.items():
        assert whole[key].dtype == np.float16 and whole[key].shape == (3, session.n_units)
        batch = session.batch(official_split(session).validation, "cpu")
        with torch.no_grad():
            expected = pearson(encoder(batch, key).numpy(), batch.responses.numpy())
        found = whole[key][history.validation.argmax()]
        np.testing.assert_allclose(found, expected, atol=1e-3)
    medians = np.median(np.hstack(list(whole.values())).astype(float), 1)
    np.testing.assert_allclose(medians, history.validation, atol=1e-3)

    def killed(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(sessions, tmp_path / "killed", recipe=recipe, watch=killed)
    fit(sessions, tmp_path / "killed", recipe=recipe)
    for name in ("epochs.npz", "history.csv", "weights.pt"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_trunk_for_each_area(sessions, tmp_path):
    for area in ("V1", "hV4"):
        here = {key: s.select(area=area) for key, s in sessions.items()}
        encoder, _ = fit(here, tmp_path / area, replace(MODEL, name=f"gnet8r_{area}"))
        assert all(len(r.bias) == WORLD.voxels for r in encoder.readouts.values())


def test_one_trunk_for_some_subjects_and_areas(sessions, tmp_path):
    plan = Plan(MODEL, RECIPE).narrowed("subj02", "V1 V3")
    chosen = chosen_sessions(sessions, plan.sessions, plan.area.split())
    encoder, history = fit(chosen, tmp_path, plan.model)
    assert list(encoder.readouts) == ["subj02"] and history.loss.iloc[-1] < history.loss.iloc[0]
    assert set(chosen["subj02"].area) == {"V1", "V3"}
    assert len(encoder.readouts["subj02"].bias) == 2 * WORLD.voxels


def test_a_frozen_trunk_stays_to_the_bit_and_has_no_dropout(sessions, tmp_path):
    first = {key: s.select(area="V1") for key, s in sessions.items()}
    trained, _ = fit(first, tmp_path / "V1")
    before = state_sha256(trained.core)
    transfer = replace(RECIPE, core_rate=0.0)
    moved, history = fit(sessions, tmp_path / "all", recipe=transfer, start=trained)
    assert state_sha256(moved.core) == before
    assert history.loss.iloc[1] < history.loss.iloc[0]
    again = Encoder(MODEL, sessions, seed=1)
    assert any(
        not torch.equal(a, b)
        for a, b in zip(moved.readouts.parameters(), again.readouts.parameters(), strict=True)
    )


def test_networks_are_fitted_anew_to_what_one_predicts(world, sessions, tmp_path):
    areas = sorted({*sessions["subj01"].area})
    plans = [Plan(MODEL, RECIPE)]
    plans += [Plan(replace(MODEL, name=f"gnet8r_{a}"), RECIPE, area=a) for a in areas]
    rng, made, splits = np.random.default_rng(0), {}, {}
    for key, session in sessions.items():
        signal = rng.normal(size=(session.image_index.max() + 1, session.n_units))
        predicted = signal[session.image_index]
        given = session, official_split(session), predicted
        made[key], splits[key] = responding(*given, False, rng)
        shown = session.image_index[splits[key].train]
        assert len(np.unique(shown)) == len(shown)
        found = made[key].responses(np.arange(session.n_trials)).numpy()
        assert pearson(found, predicted).min() > 0.999  # nothing of what was recorded
        noisy, same = responding(*given, True, rng)
        assert len(same.train) == len(official_split(session).train)
        r = pearson(noisy.responses(np.arange(session.n_trials)).numpy(), predicted)
        assert np.abs(r).max() < 0.9
    given = made, splits, "single", 1, tmp_path, "cpu"
    found = refit(plans, *given)
    units = sum(session.n_units for session in sessions.values())
    assert found.joint.shape == found.own.shape == (units,)
    assert found.transferred.shape == (len(areas), units) and np.isfinite(found.own).all()
    known = np.concatenate([session.area for session in sessions.values()])
    np.testing.assert_array_equal(np.array(areas)[found.area], known)
    for key, session in made.items():  # what was trained is scored on what was made
        encoder = checkpoint.load_encoder(tmp_path / "gnet8j/weights.pt", made)
        batch = session.batch(splits[key].test)
        with torch.no_grad():
            r = pearson(encoder(batch, key).numpy(), batch.responses.numpy())
        here = np.concatenate([[k == key] * s.n_units for k, s in made.items()])
        np.testing.assert_allclose(found.joint[here], r, atol=1e-4)
    makers = {tmp_path / f"{p.model.name}/weights.pt": p for p in plans[1:]}  # four trunks generate
    again, parts = generate(makers, world / "packed", world / "features", False, 1)
    for area in areas:
        encoder = checkpoint.load_encoder(tmp_path / f"gnet8r_{area}/weights.pt")
        here = again["subj01"].select(area=area)
        batch = here.batch(parts["subj01"].test)
        with torch.no_grad():
            r = pearson(encoder(batch, "subj01").numpy(), batch.responses.numpy())
        assert r.min() > 0.999
    raw = replace(plans[0], model=replace(MODEL, inputs=InputConfig(scale="full", raw=True)))
    with pytest.raises(DataError, match="sees pixels"):
        refit([raw], *given)


def test_a_drifting_trunk_is_the_published_one(sessions, tmp_path):
    first = {key: s.select(area="V1") for key, s in sessions.items()}
    trained, _ = fit(first, tmp_path / "V1")
    drifting = replace(RECIPE, core_rate=0.0, drifting=True, max_epochs=1)
    moved, _ = fit(sessions, tmp_path / "all", recipe=drifting, start=trained)
    for (name, a), b in zip(
        moved.core.state_dict().items(), trained.core.state_dict().values(), strict=True
    ):
        assert torch.equal(a, b) != ("running" in name or "tracked" in name)


def test_pixels_give_what_stored_maps_give(world, sessions):
    pixels = open_inputs(world / "packed", InputConfig(scale="full", raw=True), world / "features")
    whole = replace(
        MODEL, core=replace(CORE, prefilter="frozen"), inputs=InputConfig(scale="full", raw=True)
    )
    encoder, stored = Encoder(whole, pixels, 1).eval(), Encoder(MODEL, sessions, 1).eval()
    encoder.core.start_from(prefilter_network(CORE.mean, 67, seed=0))
    encoder.core.layers.load_state_dict(stored.core.layers.state_dict())
    encoder.readouts.load_state_dict(stored.readouts.state_dict())
    index = np.arange(5)
    with torch.no_grad():
        a = encoder(pixels["subj01"].batch(index), "subj01")
        b = stored(sessions["subj01"].batch(index), "subj01")
    assert ((a - b).norm() / a.norm()).item() < 1e-3


def test_a_trunk_that_is_read_looks_at_each_image_once(sessions, tmp_path):
    """Readouts learn what they would on a trunk that looks at every batch; it stays as it is."""
    trained, _ = fit(sessions, tmp_path / "V1")
    frozen = replace(RECIPE, core_rate=0.0)
    slow, expected = fit(sessions, tmp_path / "slow", recipe=frozen, start=trained)
    splits = {key: official_split(session) for key, session in sessions.items()}
    given = Plan(MODEL, RECIPE), sessions, splits, 1, tmp_path / "quick", "cpu"
    quick = read_frozen(tmp_path / "V1/weights.pt", *given)
    found = pd.read_csv(tmp_path / "quick/history.csv")
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)
    assert state_sha256(quick.core) == state_sha256(trained.core)
    for a, b in zip(quick.readouts.parameters(), slow.readouts.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=0)
    seen = TrunkSession(sessions["subj01"].select(area="V1"), trained.core, tmp_path)
    index = np.array([3, 0, 3])
    maps = TrunkMaps(TrunkMapsConfig(seen.shapes))(seen.batch(index).images)
    with torch.no_grad():
        direct = trained.core(sessions["subj01"].batch(index).images)
    for a, b in zip(maps, direct, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    other = Encoder(MODEL, sessions, seed=2)
    assert seen.fingerprint != TrunkSession(seen.session, other.core, tmp_path).fingerprint


def test_a_disk_too_small_for_maps_is_an_error(sessions, tmp_path):
    core = Encoder(MODEL, sessions, seed=1).core
    with disk(tmp_path / "full", "size=8k") as full:
        seen = TrunkSession(sessions["subj01"], core, full)
        with pytest.raises(WriteError, match=r"full/maps of the trunk was not written: No space"):
            seen.batch(np.array([0]))
    core.layers[0].conv.weight.data *= 1e30
    with pytest.raises(DataError, match=r"'subj01': maps of the trunk \(20, 16, .+ not finite"):
        TrunkSession(sessions["subj01"], core, tmp_path).batch(np.array([0]))


def test_maps_made_again_at_another_commit_are_the_same(world, sessions, tmp_path):
    """Of the same bytes, whoever made them, nothing that read them is trained again."""
    before = sessions["subj01"].fingerprint
    shutil.copytree(world / "features", tmp_path / "features")
    file = tmp_path / "features/prefilter/subj01/manifest.json"
    content = json.loads(file.read_text())
    content["made_by"]["commit"] = "another"
    file.write_text(json.dumps(content))
    assert (
        open_inputs(world / "packed", MAPS, tmp_path / "features")["subj01"].fingerprint == before
    )
    content["sha256"]["conv2"] = "other"
    file.write_text(json.dumps(content))
    assert (
        open_inputs(world / "packed", MAPS, tmp_path / "features")["subj01"].fingerprint != before
    )


def test_everything_published_at_once_runs_in_small(world, tmp_path):
    """The plans of the profile legacy_smoke, as 02_train and 06_fig_transfer take them."""
    profile = NSD_GNET.profile("legacy_smoke")
    plan = profile.plan("gnet8r_V1")
    pixels = open_inputs(world / "packed", plan.model.inputs, world / "features")
    first = {key: session.select(area="V1") for key, session in pixels.items()}
    (splits,) = member_splits(first, plan.split, 1, seed=1)
    trained, stopping = splits["subj01"].train, splits["subj01"].validation
    ids = pixels["subj01"].image_ids
    assert np.isin(ids[stopping], ids[trained]).any() and trained.max() < stopping.min()
    encoder = Encoder(plan.model, first, seed=1)
    encoder.core.start_from(frozen_network(profile.network("prefilter"), 67, 1))
    before = state_sha256(encoder.core.prefilter)
    recipe = replace(plan.training, max_epochs=1)
    history = train(encoder, first, splits, recipe, 1, tmp_path / "V1", "cpu", progress=False)
    steps = sum(-(-len(s.train) // recipe.batch_size) for s in splits.values())
    assert (tmp_path / "V1/steps.csv").read_text().count("\n") == 2 * steps + 1
    assert np.isfinite(history.validation).all() and state_sha256(encoder.core.prefilter) == before
    (splits,) = member_splits(pixels, plan.split, 1, seed=1)
    given = replace(plan, training=recipe), pixels, splits, 1, tmp_path / "all", "cpu"
    moved = read_frozen(tmp_path / "V1/weights.pt", *given)
    same = {
        n: torch.equal(a, encoder.core.state_dict()[n]) for n, a in moved.core.state_dict().items()
    }
    assert not any(same[n] for n in same if "running" in n)  # as published, statistics drift
    assert all(same[n] for n in same if n.endswith(("weight", "bias")))


def test_each_voxel_keeps_its_own_best_epoch(world, sessions, tmp_path):
    """On a layer that is not trained, against trainings that end after each number of epochs."""
    core, readout = ConvCoreConfig(channels=()), PoolingReadoutConfig(field="one", init_std=0.001)
    model = ModelConfig("fpf", core, MAPS, readout, output="identity")
    recipe = replace(RECIPE, max_epochs=4, patience=4, own_best=True, learning_rate=0.01)
    encoder, _ = fit(sessions, tmp_path / "own", model, recipe)
    units = pd.read_csv(tmp_path / "own/units.csv")
    assert units.epoch.nunique() > 1
    splits = {key: official_split(session) for key, session in sessions.items()}
    states, scores = {}, {}
    with threads(recipe.threads):  # as training does: other counts differ in the last bits
        for epochs in range(1, 5):  # the last weights of a training that ends there
            run = Run(Encoder(model, sessions, 1), sessions, splits, recipe, 1)
            run.schedule = SimpleNamespace(learning_rate=recipe.learning_rate)
            for epoch in range(1, epochs + 1):
                run.train_epoch(epoch)
                run.history.append({"losses": []})
            states[epochs] = run.encoder.state_dict()
            scores[epochs] = {}
            for key, split in splits.items():
                batch = sessions[key].batch(split.validation, "cpu")
                with torch.no_grad():
                    predicted = run.encoder.eval()(batch, key)
                scores[epochs][key] = pearson(predicted.numpy(), batch.responses.numpy())
    for key, here in units.groupby("session"):
        every = np.array([scores[e][key] for e in range(1, 5)])
        np.testing.assert_array_equal(here.epoch, 1 + every.argmax(0))
        np.testing.assert_allclose(here.score, every.max(0), rtol=1e-6)
        for u, epoch in zip(here.unit, here.epoch, strict=True):
            for name in ("weights", "bias", "logits.0"):
                place = f"readouts.{key}.{name}"
                assert torch.equal(encoder.state_dict()[place][u], states[epoch][place][u])
    with pytest.raises(ValueError, match="own_best needs a core that stays"):
        fit(sessions, tmp_path / "shared", recipe=replace(RECIPE, own_best=True))


def test_own_best_epochs_survive_a_checkpoint(sessions, tmp_path):
    own = OwnBest(sessions)
    best = {"readouts.subj01.bias": torch.zeros(16), "core.x": torch.zeros(3)}
    scores = {"subj01": np.where(np.arange(16) % 2, 0.3, -np.inf)}
    own.keep(2, scores, best, {name: value + 7 for name, value in best.items()})
    assert best["readouts.subj01.bias"].tolist() == [0.0, 7.0] * 8 and not best["core.x"].any()
    path, again = checkpoint.write(tmp_path / "own.pt", {"own": own.state()}), OwnBest(sessions)
    again.load_state(checkpoint.read(path)["own"])
    pd.testing.assert_frame_equal(again.table(), own.table())
    assert own.table().query("session == 'subj01'").epoch.tolist() == [0, 2] * 8
