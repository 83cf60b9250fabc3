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
# 4. look at what a network will receive,
# 5. decide which trials train, validate and test.
#
# The answer stands at the end: a table of sessions, and a figure of images before and after
# scaling.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.checks import check_mouse, require_valid
from src.data.pack import pack
from src.data.sensorium import open_mice
from src.data.session import Session, open_sessions
from src.data.splits import member_splits
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.simulate.mice import simulate_mice
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation and of K-fold splits

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
declare(
    places.tables / "sessions.csv", places.tables / "checks.csv", places.figures / "01_input.png"
)

# %% [markdown]
# ## Find the recordings
#
# Real recordings lie in `data/raw/sensorium2022/full`, one zip or folder a mouse, as they were
# published. The demo has none: ImageNet-derived images may not be passed on, and a first run
# should not begin with a download of many gigabytes. It *simulates* mice instead, in the very
# same layout: images with the 1/f spectrum of natural scenes, neurons with oriented receptive
# fields laid out retinotopically over the cortex, responses modulated by behavior, and gamma
# noise. Because the simulator knows the truth, every later number can be held against it. The
# truth is kept outside the mouse folders, where no reader of recordings can stumble on it.

# %%
if simulated:
    truth = places.raw.with_name(f"{places.raw.name}_truth")
    simulate_mice(places.raw, truth, settings.simulation, seed)
mice = open_mice(places.raw)
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

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
first = next(iter(sessions.values()))
print("(c, h, w) =", first.image_shape, " (n_trials, n_units) =", (first.n_trials, first.n_units))

# %% [markdown]
# ## What a network receives
#
# The published baseline sees images at a quarter of their size, 36 x 64 pixels, by bilinear
# interpolation. At exactly 0.25 that is nothing else than the mean of the central 2 x 2 pixels of
# each 4 x 4 block, so we compute just that, once, and store the sums as integers: no rounding,
# and 64 times less to read. The winner's network sees full resolution and learns its own
# reduction. Images are standardised, responses are divided by their standard deviation over the
# training trials, behavior likewise.

# %%
quarter = Session(places.processed / first.key, InputConfig(scale="quarter"))
index = first.trials("train")[:4]
full_images, small_images = first.batch(index).images, quarter.batch(index).images
print("(n, c, h, w) =", tuple(full_images.shape), "->", tuple(small_images.shape))

# %%
use_style()
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
