"""Simulated NSD: its files are read back as planted, packed, split, and its failures found."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from src.config import InputConfig
from src.correlation import pearson
from src.data.errors import DataError
from src.data.nsd import Areas, Design, NsdFiles, inflate, read_scan, scan_shape, tiers_of, z_scored
from src.data.nsd_checks import check_nsd
from src.data.nsd_session import open_subjects, resized
from src.data.nsd_synthetic import NsdSynthetic, read_synthetic
from src.data.pack import pack
from src.data.panoptic import Panoptic, stimulus_info
from src.data.session import open_sessions
from src.data.splits import acquisition_split, official_split
from src.seeds import numpy_stream
from src.simulate.nsd import PRESETS, _image_order, load_truth, simulate_nsd
from src.simulate.nsd_cortex import FREQUENCIES, ORIENTATIONS, Voxels, gratings, signals
from src.simulate.nsd_failures import plant
from src.simulate.nsd_scenes import draw_patterns

TINY = PRESETS["tiny"]
SIZE = 57


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The tiny preset."""
    root = tmp_path_factory.mktemp("tiny_nsd")
    simulate_nsd(root / "nsd", root / "truth", TINY, 5)
    return root


@pytest.fixture(scope="module")
def packed(tiny):
    """Its subjects, packed."""
    for subject in open_subjects(tiny / "nsd", SIZE):
        pack(subject, tiny / "packed" / subject.key)
    return open_sessions(tiny / "packed", InputConfig(scale="full", raw=True))


def test_both_formats_give_the_same_voxels(tiny):
    files = NsdFiles(tiny / "nsd", 1)
    truth = load_truth(tiny / "truth/subj01.npz")
    for path in files.scans:
        twin = path.with_name(path.name.replace(".hdf5", ".nii.gz"))
        assert scan_shape(path) == scan_shape(twin) == (60, *TINY.volume)
        places = truth.places[::-1]
        np.testing.assert_array_equal(read_scan(path, places), read_scan(twin, places))
    with h5py.File(files.scans[0]) as file:
        assert file["betas"].chunks == (60, 1, 1, 1)
        whole = file["betas"][:].transpose(3, 2, 1, 0).reshape(-1, 60)
    np.testing.assert_array_equal(read_scan(files.scans[0], truth.places), whole[truth.places].T)


def test_only_voxels_of_areas_are_read(tiny, monkeypatch):
    read, get = [], h5py.Dataset.__getitem__

    def counting(dataset, where):
        values = get(dataset, where)
        read.append(values.size)
        return values

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counting)
    files, truth = NsdFiles(tiny / "nsd", 1), load_truth(tiny / "truth/subj01.npz")
    read_scan(files.scans[0], truth.places)
    assert sum(read) <= 60 * 2.5 * len(truth.places)


def test_responses_are_scored_within_each_scan_session(tiny, packed):
    truth, session = load_truth(tiny / "truth/subj01.npz"), packed["subj01"]
    np.testing.assert_array_equal(session.unit_ids, truth.places)
    z = session.responses(np.arange(session.n_trials)).numpy().reshape(3, 60, -1)
    odd = truth.odd == "constant"
    np.testing.assert_allclose(z.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(1)[:, ~odd], 1, atol=1e-4)
    assert (z[..., odd] == 0).all()
    stored = np.array([[300, 0], [600, 0], [0, 0]], np.int16)
    expected = (np.array([1, 2, 0]) - 1) / (np.std([1, 2, 0]) + 1e-6)
    np.testing.assert_allclose(z_scored(stored)[:, 0], expected, rtol=1e-6)


def test_trials_show_the_images_of_the_design(tiny, packed):
    design = Design.read(NsdFiles(tiny / "nsd", 1).design)
    for key, session in packed.items():
        row = int(key[-2:]) - 1
        ids = design.images[row, design.order[: session.n_trials]]
        np.testing.assert_array_equal(session.image_ids, ids)
        with h5py.File(NsdFiles(tiny / "nsd", 1).stimuli) as file:
            original = file["imgBrick"][ids[7]]
        resized = Image.fromarray(original).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        found = session.pixels(np.array([7]))[0].transpose(1, 2, 0)
        np.testing.assert_array_equal(found, np.asarray(resized))
        assert session.image_shape == (3, SIZE, SIZE)
        batch = session.batch(np.array([7]))
        assert batch.images.max() > 100 and batch.responses.shape == (1, session.n_units)


def test_the_signal_is_in_the_responses(tiny, packed):
    design = Design.read(NsdFiles(tiny / "nsd", 1).design)
    for key, session in packed.items():
        truth = load_truth(tiny / f"truth/{key}.npz")
        z = session.responses(np.arange(session.n_trials)).numpy()
        signal = truth.signal[design.order[: session.n_trials]]
        r = np.array(
            [np.corrcoef(a, b)[0, 1] if a.std() else 0 for a, b in zip(z.T, signal.T, strict=True)]
        )
        plain = truth.odd == ""
        ceiling = truth.ncsnr / np.sqrt(1 + truth.ncsnr**2)
        assert np.abs(r - ceiling)[plain].mean() < 0.07
        names = np.array(["V1", "V2", "V3", "hV4"])[truth.area]
        np.testing.assert_array_equal(session.area, names)


def test_splits_share_no_image_or_as_published(packed):
    for key, session in packed.items():
        split, legacy = official_split(session), acquisition_split(session)
        shown = [set(session.image_ids[p]) for p in (split.train, split.validation, split.test)]
        assert not (shown[0] & shown[1] or shown[0] & shown[2] or shown[1] & shown[2])
        per_image = np.unique(session.image_ids[split.test], return_counts=True)[1]
        assert (per_image == 3).all()
        assert len(shown[1] | shown[2]) <= TINY.shared
        assert len(shown[1]) >= 1 and len(shown[2]) >= TINY.shared * 2 / 3
        trained, validated = (set(session.image_ids[p]) for p in (legacy.train, legacy.validation))
        assert trained & validated, key
        assert len(legacy.validation) == -(-len(split.train) // 10)
        assert legacy.train.max() < legacy.validation.min()


@pytest.mark.parametrize(
    ("subjects", "counts", "legacy"),
    [
        ("1 2 5 7", (27000, 1455, 1545), (24300, 2700, 3000)),
        ("3 6", (21629, 826, 1545), (19466, 2163, 2371)),
        ("4 8", (20312, 643, 1545), (18280, 2032, 2188)),
    ],
)
def test_splits_have_the_published_counts_at_full_size(subjects, counts, legacy):
    """With an order drawn so that shared images seen three times by 22 500 trials are 515."""
    trials = dict.fromkeys("1257", 30000) | dict.fromkeys("36", 24000) | dict.fromkeys("48", 22500)
    order = full_size_order()
    design = Design(order, np.zeros((8, 10000), int), 1000)
    tiers = tiers_of(design, trials)
    for key in subjects.split():
        found = tuple((tiers[key] == t).sum() for t in ("train", "validation", "test"))
        assert found == counts
        split = acquisition_split(SimpleNamespace(tiers=tiers[key]))
        assert tuple(map(len, split.as_plain().values())) == legacy


def full_size_order():
    """Repeats of shared images placed by their published numbers of presentations."""
    shared = np.arange(1000)
    by_end = {22500: 1545 + 643, 24000: 1545 + 826, 30000: 3000}
    times = np.zeros((3, 1000), int)
    times[0, :515] = 3
    for row, end in enumerate(by_end):
        times[row] = np.maximum(times[row], times[row - 1] if row else 0)
        missing = by_end[end] - times[row].sum()
        for i in np.resize(np.arange(515, 1000), 3000):
            cap = 2 if row == 0 else 3
            if missing and times[row, i] < cap:
                times[row, i] += 1
                missing -= 1
    spans = np.diff([0, 22500, 24000, 30000])
    gains = np.diff(times, axis=0, prepend=0)
    others = iter(np.repeat(np.arange(1000, 10000), 3))
    parts = []
    for gain, span in zip(gains, spans, strict=True):
        here = np.repeat(shared, gain)
        parts += [here, np.fromiter(others, int, span - len(here))]
    return np.concatenate(parts)


def test_masks_of_areas(tiny):
    areas, truth = Areas(NsdFiles(tiny / "nsd", 1)), load_truth(tiny / "truth/subj01.npz")
    early, visual, brain = areas.early(), areas.visual(), areas.brain()
    np.testing.assert_array_equal(np.flatnonzero(early), truth.places)
    assert (visual & early).sum() == early.sum() < visual.sum() <= brain.sum()
    assert areas.brain(inflated=True).sum() >= brain.sum()
    assert areas.prf.affine[0, 0] == pytest.approx(-1.8)


def test_inflating_fills_gaps_and_not_edges():
    alone = np.zeros((5, 5, 5), bool)
    alone[2, 2, 2] = True
    np.testing.assert_array_equal(inflate(alone), alone)
    gap = np.zeros((5, 5, 5), bool)
    gap[1, 2, 2] = gap[3, 2, 2] = True
    assert inflate(gap)[2, 2, 2] and inflate(gap).sum() == 3
    edge = np.zeros((5, 5, 5), bool)
    edge[0] = edge[-1, :, :] = False
    edge[0, 2, 2] = True
    assert not inflate(edge)[-1].any()  # does not wrap around


def test_the_same_seed_gives_the_same_files(tmp_path):
    small = replace(TINY, subjects=1, scans=2, pixels=32, trials_per_scan=30)
    for name in "ab":
        simulate_nsd(tmp_path / name / "nsd", tmp_path / name / "truth", small, 5)
    for path in sorted((tmp_path / "a").rglob("*.*")):
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.is_dir() or path.read_bytes() == other.read_bytes(), path.name
    with pytest.raises(FileExistsError, match="another simulation"):
        place = tmp_path / "a/nsd", tmp_path / "a/truth"
        simulate_nsd(*place, replace(small, voxels=7), 5)


def test_gratings_prefer_their_orientation_and_frequency():
    grid = (np.arange(96) + 0.5) / 96 - 0.5
    x, y = np.meshgrid(grid, -grid)  # y upwards
    for f, frequency in enumerate(FREQUENCIES):
        for k in range(ORIENTATIONS):
            angle = np.pi * k / ORIENTATIONS
            wave = np.cos(2 * np.pi * frequency * (np.cos(angle) * x + np.sin(angle) * y))
            picture = np.rint(127 + 100 * wave).astype(np.uint8)[None, None].repeat(3, 1)
            found = gratings(torch.from_numpy(picture).float() / 255)[0, :, 16:32, 16:32].mean(
                (1, 2)
            )
            assert found.unflatten(0, (3, 6))[f].argmax() == k
            if frequency > 3:
                assert found.argmax() == f * ORIENTATIONS + k


def test_every_generator_gives_standard_signals_of_its_own(tiny):
    with h5py.File(NsdFiles(tiny / "nsd", 1).stimuli) as file:
        images = file["imgBrick"][:64]
    for generator in ("hierarchical", "branched", "gabor"):
        voxels = Voxels.draw(5, generator, 0, "a")
        found = signals(images, voxels, generator, seed=1, first=32)
        assert found.shape == (64, 20)
        np.testing.assert_allclose(found.std(0), 1)
        alone = signals(images, voxels, generator, seed=2, first=32)
        assert bool(np.abs(found - alone).max() > 0.5) is (generator != "gabor")


def test_odd_voxels_are_reported_and_nothing_else(tiny):
    reports = [check_nsd(subject) for subject in open_subjects(tiny / "nsd", SIZE)]
    for report in reports:
        assert set(report.severity) == {"warning"}
        assert report.message.str.extract(r"voxels (are constant|reach|have no)")[0].notna().all()
        assert len(report) == 3


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ("missing_scan", "lacks betas_session02, but has betas_session03"),
        ("truncated_scan", "betas_session02.hdf5 is not a complete HDF5 file|damaged"),
        ("wrong_shape", r"prf-visualrois is \(9, 12, 11\), Kastner2015 \(10, 12, 11\)"),
        ("damaged_images", "nsd_stimuli.hdf5 is not a complete HDF5 file"),
    ],
)
def test_planted_failures_are_named(tiny, tmp_path, failure, message):
    shutil.copytree(tiny / "nsd", tmp_path / "nsd")
    plant(failure, NsdFiles(tmp_path / "nsd", 1))
    with pytest.raises(DataError, match=message):
        for subject in open_subjects(tmp_path / "nsd", SIZE):
            pack(subject, tmp_path / "packed" / subject.key)
    assert not list((tmp_path / "packed").glob("subj01*"))


def test_trials_in_another_order_are_noticed(tiny, tmp_path):
    shutil.copytree(tiny / "nsd", tmp_path / "nsd")
    plant("permuted_trials", NsdFiles(tmp_path / "nsd", 1))
    report = check_nsd(open_subjects(tmp_path / "nsd", SIZE)[0])
    assert report.severity.iloc[0] == "error" and report.field.iloc[0] == "masterordering"
    assert "trials are not in the order of the design" in report.message.iloc[0]


@pytest.mark.parametrize("preset", ["smoke", "demo"])
def test_a_third_of_the_shared_images_is_seen_too_rarely_by_who_misses_the_last_scan(preset):
    config = PRESETS[preset]
    order = _image_order(config, seed=5)
    assert (np.bincount(order) == 3).all()
    shown = np.unique(order[-config.trials_per_scan :])
    late = np.arange(int(np.ceil(config.shared * 2 / 3)), config.shared)
    np.testing.assert_array_equal(shown[shown < config.shared], late)


def test_the_scan_of_patterns_is_read_like_the_others(tiny):
    truth, files = load_truth(tiny / "truth/subj01.npz"), NsdFiles(tiny / "nsd", 1)
    scan = read_synthetic(files, truth.places, SIZE)
    count = TINY.patterns
    assert scan.images.shape == (count, 3, SIZE, SIZE) and scan.images.dtype == np.uint8
    assert np.bincount(scan.shown).tolist() == [2] * count
    drawn = draw_patterns(numpy_stream(5, "patterns"), count, TINY.pixels)
    np.testing.assert_array_equal(scan.images[3], resized(drawn[3], SIZE))
    np.testing.assert_array_equal(scan.images[-1], resized(drawn[-1], SIZE))
    with np.load(tiny / "truth/subj01_synthetic.npz") as stored:
        signal = stored["signal"]
    fine = (truth.odd == "") & (truth.ncsnr > 0.7)
    r, dealt = (pearson(signal[x], scan.responses)[fine] for x in (scan.shown, scan.shown[::-1]))
    assert np.median(r) > 0.4 and abs(np.median(dealt)) < 0.2
    betas = NsdSynthetic(files).betas
    twin = betas.with_name("betas_nsdsynthetic.nii.gz")
    np.testing.assert_array_equal(read_scan(betas, truth.places), read_scan(twin, truth.places))


def test_without_the_scan_of_patterns_it_is_said(tmp_path):
    with pytest.raises(DataError, match="or do without it"):
        read_synthetic(NsdFiles(tmp_path, 1), np.arange(3), SIZE)


def test_the_table_of_images_says_how_they_were_cropped(tiny):
    files = NsdFiles(tiny / "nsd", 1)
    info = stimulus_info(files.design.with_name("nsd_stim_info_merged.csv"))
    found = Panoptic.read(tiny / "nsd/coco")
    assert set(found.files) == set(info.cocoId[:4])
    labels = found.labels(info.cocoId[2], info.cropBox[2], SIZE)
    assert labels.shape == (SIZE, SIZE) and (labels > 0).all()
