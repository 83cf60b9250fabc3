# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 01 · Preprocess
#
# **Is this recording fit to train on, and what exactly will a network see of it?**
#
# SENSORIUM 2022 (Willeke et al. 2022) asks for the responses of some 8,000 excitatory neurons in
# layer 2/3 of mouse primary visual cortex to natural images. Each image was shown for half a
# second while a two-photon microscope recorded calcium activity; the number to predict is the
# deconvolved activity summed over 50 to 550 ms after onset. About 5,000 images were shown once,
# for training and validation. One hundred test images were shown about ten times each, so that
# the noise of a neuron can be told from the part of its response that images can explain.
#
# This notebook goes from raw files to a packed recording:
#
# 1. find the recordings (in the `demo` and `smoke` profiles, *simulate* them),
# 2. check every file, and stop with a clear message if one is wrong,
# 3. pack thousands of small files into a few memory-mapped arrays,
# 4. find the main objects of the images, for the models that ask for them,
# 5. look at what a network will receive,
# 6. decide which trials train, validate and test.
#
# The answer stands at the end: a table of sessions, and a figure of images before and after
# scaling.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.box_files import has_object, read_boxes
from src.data.box_supply import beside, supply_boxes
from src.data.boxes import GENERAL, PERSON, Thresholds, named
from src.data.checks import check_mouse, require_valid
from src.data.pack import pack
from src.data.registry import require_raw
from src.data.sensorium import open_mice
from src.data.session import Session, open_sessions
from src.data.small_detector import train_detector
from src.data.splits import member_splits
from src.evaluation.overlap import one_each, recall_precision
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.config import PRESETS
from src.simulate.images import draw_images
from src.simulate.mice import simulate_mice
from src.simulate.truth import load_truth
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation and of K-fold splits
boxes: str = "auto"  # object boxes from files, table, detector or none; auto: the first there is
box_table: str = ""  # CSV with image_id, x, y, w, h in 0..1; empty: boxes.csv by the recordings
detector_weights: str = ""  # YOLO weights; empty: detector.pt by the recordings
person_weights: str = ""  # YOLO weights that know persons, added; empty: person.pt there
fill_boxes: bool = False  # the full frame where a box is missing, instead of an error

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
declare(
    *(places.tables / f"{name}.csv" for name in ("sessions", "checks", "boxes")),
    places.figures / "01_input.png",
)

# %% [markdown]
# ## Find the recordings
#
# Real recordings lie in `data/raw/sensorium2022/full`, one zip or folder a mouse, as they were
# published; `python -m src.fetch sensorium2022` gets them there or says how. The demo has none:
# ImageNet-derived images may not be passed on, and a first run should not begin with a download of
# many gigabytes. It *simulates* mice instead, in the very same layout: images with the 1/f spectrum
# of natural scenes, neurons with oriented receptive fields laid out retinotopically over the
# cortex, responses modulated by behavior, and gamma noise. Because the simulator knows the truth,
# every later number can be held against it. The truth is kept outside the mouse folders, where no
# reader of recordings can stumble on it.

# %%
if simulated:
    truth = places.raw.with_name(f"{places.raw.name}_truth")
    simulate_mice(places.raw, truth, settings.simulation, seed)
elif not recording:
    require_raw(study.name, places.raw)
mice = open_mice(places.raw, fill_boxes)
[f"{mouse.key}: {mouse.role}" for mouse in mice]

# %% [markdown]
# ## Check every file
#
# A recording is some 25,000 small files, and one truncated file in the middle of a training run
# costs a night. So each is opened once, here. The report has one line for each finding: `error`
# stops us, `warning` is worth reading, `note` records a choice, for example which statistics were
# recomputed. Nothing is repaired silently; a message names the file, the field, the shapes, and
# what to do.

# %%
reports = {mouse.key: check_mouse(mouse) for mouse in mice}
checks = pd.concat(report.assign(session=key) for key, report in reports.items())
save_table(checks, places.tables / "checks.csv")
checks

# %%
for mouse in mice:
    require_valid(mouse, reports[mouse.key])

# %% [markdown]
# ## Pack
#
# Training reads images in random order, thousands of times. One file a trial means thousands of
# system calls an epoch, and 32-bit copies of everything in memory: the published code needs 6 to
# 13 GB for each training process. Packed, a mouse is a handful of arrays: images as the 8-bit
# integers they are, each distinct image once, and responses as 32-bit floats. The operating
# system maps them into memory, so any number of ensemble members share one copy. Packing can be
# interrupted; it continues where it stopped and ends with the same bytes. A cache made from other
# files is refused, not reused.

# %%
for mouse in mice:
    pack(mouse, places.processed / mouse.key)

# %% [markdown]
# ## Where the objects are
#
# The winner of the competition told its network, in four numbers an image, where the main object
# is: center, width and height of one box. Two YOLO detectors drew boxes, a general one that may
# be unsure (confidence from 0.05) and one whose persons alone count (from 0.5). All boxes of an
# image were merged into the smallest box around them; where nothing was found, the full frame
# stands in. Boxes are **external information**: such a detector was trained on photographs of the
# kind the mice saw, so a model with boxes has not learned from the recording alone, and tables
# say so. Whether boxes help is the question of `14_fig_boxes`.
#
# Each mouse gets them from the first of these that is there: files in the recording
# (`data/xywh`), a table, or a detector whose weights are a parameter. Without any it has none,
# and a model that wants boxes stops and says so. In simulated images the objects are known. One
# simulated mouse comes without files: for it a small detector is trained here, from a
# configuration of a few lines, on other simulated scenes, and then does what a large one would do
# on photographs. What was detected is kept by image content, so a killed run continues.

# %%
needed = boxes == "detector" or (boxes == "auto" and not all(m.has_kind("xywh") for m in mice))
table_path = beside(places.raw, "boxes.csv", box_table)
weights = [
    (beside(places.raw, "detector.pt", detector_weights), GENERAL),
    (beside(places.raw, "person.pt", person_weights), PERSON),
]
weights = [(path, thresholds) for path, thresholds in weights if path and needed]

# %%
small, home = settings.detector, places.processed / "detector"
if simulated and small and needed and not (weights or table_path):
    look, rng = PRESETS[settings.simulation], numpy_stream(seed, "images", "detector")
    scenes, known = draw_images(rng, small.scenes, look.spectrum, look.object_fraction)
    path = train_detector(scenes, known, has_object(known), small, home)
    weights = [(path, Thresholds(small.confidence, size=small.size))]
detector = named(weights, home / "ultralytics")

# %%
supplied = pd.DataFrame(
    supply_boxes(places.processed / mouse.key, boxes, table_path, detector, home, fill_boxes)
    for mouse in mice
)
save_table(supplied, places.tables / "boxes.csv")
supplied.round(2)

# %% [markdown]
# How good are detected boxes? In simulated images it can be told. Recall is the share of objects
# whose detected box overlaps the true one by at least half (intersection over union), precision
# the share of detected boxes that do.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
shown = {}
for key, origin in supplied.loc[supplied["boxes from"] != "none", ["session", "boxes from"]].values:
    first = sessions[key].unique_images("train")
    drawn, found, _ = read_boxes(places.processed / key, key, sessions[key].image_index)
    shown[key] = origin, first, drawn[first], found[first]
quality = {}
for key, (origin, first, drawn, found) in shown.items():
    if simulated and origin != "file":
        true = load_truth(truth / f"{key}.npz").boxes[first]
        pair = one_each(drawn, found), one_each(true, has_object(true))
        quality[key] = recall_precision(*pair)
pd.DataFrame(quality, index=["recall", "precision"]).round(2)

# %%
use_style()
if shown:
    key = list(quality or shown)[-1]
    origin, first, drawn, found = shown[key]
    figure, axes = plt.subplots(2, 5, figsize=(9, 2.9))
    batch = sessions[key].batch(first[: axes.size])
    for axis, image, box, there in zip(axes.flat, batch.images, drawn, found, strict=False):
        panels.stimulus(axis, image.numpy())
        panels.object_box(axis, box, "#d55e00" if there else "#0072b2")
    if key in quality:
        for axis, box in zip(
            axes.flat, load_truth(truth / f"{key}.npz").boxes[first], strict=False
        ):
            panels.object_box(axis, box, "#009e73", dashed=True)
    figure.suptitle(f"{key}, boxes from {origin}")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "01_boxes.png")

# %% [markdown]
# **What one sees.** Orange, the box a network will be told of; blue, the full frame where nothing
# was found; dashed green, the true box where it is known. A box tells roughly where something is
# and how large. A detector misses some objects and now and then takes a bright patch of texture
# for one; the numbers above say how often. A network is told the same four numbers either way.
#
# ## What a network receives
#
# The published baseline sees images at a quarter of their size, 36 x 64 pixels, by bilinear
# interpolation. At exactly 0.25 that is nothing else than the mean of the central 2 x 2 pixels of
# each 4 x 4 block, so we compute just that, once, and store the sums as integers: no rounding,
# and 64 times less to read. The winner's network sees full resolution and learns its own
# reduction. Images are standardized, responses are divided by their standard deviation over the
# training trials, behavior likewise.

# %%
first = next(iter(sessions.values()))
print("(c, h, w) =", first.image_shape, " (n_trials, n_units) =", (first.n_trials, first.n_units))

# %%
quarter = Session(places.processed / first.key, InputConfig(scale="quarter"))
index = first.trials("train")[:4]
full_images, small_images = first.batch(index).images, quarter.batch(index).images
print("(n, c, h, w) =", tuple(full_images.shape), "->", tuple(small_images.shape))

# %%
figure, axes = plt.subplots(2, len(index), figsize=(9, 3.2))
for column, row_images in zip(axes.T, zip(full_images, small_images, strict=True), strict=True):
    for axis, image in zip(column, row_images, strict=True):
        axis.imshow(image[0], cmap="gray", vmin=-2.5, vmax=2.5)
        axis.set(xticks=[], yticks=[], xlabel=f"{image.shape[2]} x {image.shape[1]} pixels")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_input.png")

# %% [markdown]
# The quarter-size image keeps the coarse structure that a mouse, with its low acuity, can
# resolve, and loses the finest texture.
#
# ## Which trials train, validate and test
#
# The official split is part of the recording. The winner drew ten new splits of the same trials,
# one for each ensemble member, so a trial that validates one member trains another: an ensemble
# score on validation trials would be contaminated. Folds avoid that. With K folds every trial is
# held out by exactly one member, and an image is never on two sides. The table counts trials and
# shows how much the validation trials of two members overlap, in percent.

# %%
schemes = {
    kind: member_splits(sessions, kind, 5, seed) for kind in ("official", "resplit", "kfold")
}
held_out = {"official": "validation", "resplit": "validation", "kfold": "test"}
overlap = {
    kind: np.mean(
        [np.isin(getattr(a[key], part), getattr(b[key], part)).mean() for key in sessions]
    )
    for kind, part in held_out.items()
    for a, b in [schemes[kind][:2]]
}
pd.Series(overlap, name="overlap of two members' held-out trials (%)").mul(100).round(1).to_frame()

# %%
table = pd.DataFrame(
    [
        {
            "session": key,
            "role": session.role,
            "units": session.n_units,
            **{
                tier: len(session.trials(tier))
                for tier in ("train", "validation", "test", "final_test")
            },
            "test images": len(session.unique_images("test")),
            "test responses": "withheld" if session.withheld("test") else "present",
            "behavior": "missing" if session.behavior_missing else "present",
        }
        for key, session in sessions.items()
    ]
)
save_table(table, places.tables / "sessions.csv")
table

# %% [markdown]
# **What one sees.** Each row is a mouse. Competition mice have their test responses withheld (the
# files hold zeros), so they can train a core but cannot be scored here; scores skip them by name
# instead of averaging in zeros. One mouse was published without behavior. Repeat counts are
# uneven, because excluded trials make them so: nothing that follows assumes exactly ten.
#
# Next: `02_train` fits one ensemble member of one model.
