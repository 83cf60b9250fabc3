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
# # 00 · Import a recording
#
# **How do my own images and responses enter this study, so that every later notebook runs on them
# unchanged?**
#
# The models of SENSORIUM 2022 were made for mouse visual cortex, but nothing in them is about
# mice. A core turns images into feature maps, a readout for each session picks a place and a
# mixture of features for each unit, and both are fitted to responses. Whoever has shown images to
# an animal and counted spikes, or measured fluorescence, can ask the same question: how much of
# what these units do can a network learn from this recording alone?
#
# What you need is little:
#
# - **images**: an array `(images, height, width)` or `(images, height, width, 3)`, or a folder or
#   zip of image files; of files, the natural order of the names counts (`image2` before
#   `image10`), not the order in which a zip happens to list them;
# - **responses**: an array `(units, images)` of means over repeats, or `(units, images, repeats)`
#   of single repeats, padded with NaN where an image was shown fewer times than others;
# - if you have them, coordinates `(units, 3)`, behavior `(images, 3)` and pupil position
#   `(images, 2)`.
#
# No animal ids, no experiment database, no particular software. This notebook writes them in the
# layout in which the study's own mice are published, and that is all it does: from
# `01_preprocess` on, your recording is one more mouse. The answer stands at the end, a table with
# one row a session and two figures to see with your own eyes that images and responses belong
# together.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.arrays import discover_sessions
from src.data.recording import ImportConfig, import_recording
from src.data.sensorium import open_mice
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.simulate.recording import simulate_recording

# %% tags=["parameters"]
profile: str = "recording"  # the later notebooks' profile for recordings; names what has no name
study: str = "sensorium2022"  # the study whose notebooks are to find it; or macaque_it
recording: str = "example"  # name under which the later notebooks find it
source: str = ""  # folder with images_<session>.zip and responses_<session>.npy; empty: simulated
sessions: str = ""  # names of the sessions to import, with commas; empty: all in the source
color: bool = True  # three color channels; False: one gray one
height: int = 56  # pixels to resize images to, width in proportion; 0: leave them as they are
train: float = 0.75  # fraction of the different images to train on
validation: float = 0.10  # fraction to choose models on; the rest is for testing
average_training: bool = True  # average the repeats of images that are not for testing
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulated example

# %%
name = recording or profile
places = run_paths(study, name, data_root, output_root)
figures = {n: places.figures / f"{n}.png" for n in ("00_images", "00_responses")}
declare(places.raw / "recording.json", places.tables / "recording.csv", *figures.values())
use_style()

# %% [markdown]
# ## Find the sessions
#
# A session is one population of units that saw one list of images, usually one animal on one day.
# In a folder, sessions are known by their file names: `images_<session>.zip` (or `.npy`, or a
# folder `images_<session>`) goes with `responses_<session>.npy`. If there is
# `responses_raw_<session>.npy` as well, with single repeats, that is used instead, because only
# single repeats tell how noisy a unit is. `behavior_`, `pupil_` and `coordinates_<session>.npy`
# are taken where they are.
#
# Several sessions may come from different animals. They will share one core, so they help each
# other: the features that drive one animal's units are not so different from those that drive
# another's.
#
# If no source is given, an example is *simulated*, in these very files. It shows what the
# notebook does; nothing about it is real.

# %%
folder = Path(source) if source else places.raw.with_name(f"{name}_source")
if not source:
    simulate_recording(folder, seed)
chosen = [s.strip() for s in sessions.split(",") if s.strip()]
found = discover_sessions(folder, chosen)
{name: (str(arrays.images), str(arrays.responses)) for name, arrays in found.items()}

# %% [markdown]
# Arrays already in memory need no files. In a notebook of your own, write `found = {"monday":
# SessionArrays(images, responses)}` and go on from here.
#
# ## Decide who trains and who tests
#
# A model must be tested on images that it has never seen, and this is easier to get wrong than it
# seems. Many recordings show an image twice: again in the second half of a session, or to another
# animal. Splitting a session by its halves, or each session by itself, then puts the same image
# on both sides, and a model that merely remembers scores well.
#
# Here the *content* of an image decides. Its decoded pixels are hashed (sha256), the hash is read
# as a number between 0 and 1, and that number says whether the image trains, validates or tests.
# Nothing is drawn at random and nothing depends on order, so:
#
# - an image is on the same side in every session of every recording, whatever its file is called;
# - an import next month with two more sessions moves no image, and old scores stay comparable;
# - two laboratories that use the same images agree on the split without talking to each other.
#
# The hash is taken before color or size is changed, so neither option touches the split either.
# One trap remains: the same image saved twice with different compression has different pixels.
# Small gray copies of all images are therefore compared, and images that agree to within
# compression noise count as one. (In the six macaque V4 sessions that this notebook was tried on,
# no such pair exists. The two most similar different images share a background and differ in
# the object before it, and stay two images.)
#
# ## What becomes of repeats
#
# If single repeats are given, a *test* image keeps them, one trial each: from them the later
# notebooks estimate how much of a unit's variance any model could explain. Images to train and
# validate on get one trial, the mean of their repeats, as in the original study, where each was
# shown only once. The mean carries all that the loss can use, since the Poisson loss is linear in
# the response, and training then costs one pass for each image instead of ten. Set
# `average_training` to false to keep every repeat.
#
# A repeat in which only some units have a value is left out and counted in the table below. We do
# not fill gaps: a response that was not measured is not a trial. An image without any complete
# repeat is an error that names it.
#
# ## Write the recording
#
# Everything is checked first: as many responses as images, no NaN where an image was shown, no
# negative counts, files that are images, sizes that agree. What does not fit is reported in one
# line, with both shapes and what to do. The recording is written to one side and put in its place
# only when it is complete, so an error or a kill leaves nothing half-written. Running this again
# with the same input changes nothing; with other input it replaces the earlier import.

# %%
config = ImportConfig(color, height or None, train, validation, average_training)
config

# %%
table = import_recording(places.raw, found, config)
save_table(table, places.tables / "recording.csv")
table.set_index("session").T

# %% [markdown]
# **What one sees.** `different_images` is smaller than `images` where a session shows an image
# more than once. The fractions of training, validation and test images differ a little from
# session to session, because the hash, not a count, decides. `repeats_min` and `repeats_max` say
# how often an image was shown in the arrays that were given, 1 where only means are known; for
# such a session correlations can be computed, but no ceiling.
#
# Now from the files just written, how many images do two sessions have in common?

# %%
mice = {mouse.key: mouse for mouse in open_mice(places.raw)}
images = {key: set(mouse.image_ids.tolist()) for key, mouse in mice.items()}
pd.DataFrame({a: {b: len(images[a] & images[b]) for b in images} for a in images})

# %%
sides = pd.concat(
    [pd.DataFrame({"image": m.image_ids, "side": m.tiers}) for m in mice.values()]
).drop_duplicates()
print("images on more than one side, in any session:", int(sides.image.duplicated().sum()))

# %% [markdown]
# ## Look at the images
#
# Eight images of each session as a network will receive them, with the side they are on. Upside
# down, mirrored, wrong colors, a neighbor's stimuli: one look finds what no check can.

# %%
shown = {key: np.linspace(0, mouse.n_trials - 1, 8).astype(int) for key, mouse in mice.items()}
figure, axes = plt.subplots(len(mice), 8, figsize=(9, 1.35 * len(mice)), squeeze=False)
for (key, mouse), row in zip(mice.items(), axes, strict=True):
    row[0].set_ylabel(key)
    for axis, trial in zip(row, shown[key], strict=True):
        axis.imshow(mouse.trial("images", trial).transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
        axis.set(xticks=[], yticks=[], title=mouse.tiers[trial])
if not source:
    mark_simulated(figure)
save_figure(figure, figures["00_images"])

# %% [markdown]
# ## Do images and responses belong together?
#
# The commonest mistake in such an import is an order that does not match: responses sorted one
# way, images another. Every shape is then right and every number wrong, and a network will learn
# nothing without saying why. So we look at one unit of the first session: the one whose response
# varies most for its mean, over training images. Below are the images that drive it most and
# least.

# %%
mouse = next(iter(mice.values()))
training = np.flatnonzero(mouse.tiers == "train")
responses = np.stack([mouse.trial("responses", trial) for trial in training])
print("(n_trials, n_units) =", responses.shape)

# %%
fano = responses.var(0) / responses.mean(0).clip(min=1e-6)
unit = int(fano.argmax())
order = training[np.argsort(responses[:, unit], kind="stable")]
rows = {"drive it most": order[::-1][:8], "drive it least": order[:8]}

# %%
figure, axes = plt.subplots(2, 8, figsize=(9, 2.9))
for (label, trials), row in zip(rows.items(), axes, strict=True):
    row[0].set_ylabel(label)
    for axis, trial in zip(row, trials, strict=True):
        axis.imshow(mouse.trial("images", trial).transpose(1, 2, 0), cmap="gray", vmin=0, vmax=255)
        axis.set(xticks=[], yticks=[], title=f"{mouse.trial('responses', trial)[unit]:.2f}")
figure.suptitle(f"session {mouse.key}, unit {mouse.unit_ids[unit]}: response to each image")
if not source:
    mark_simulated(figure)
save_figure(figure, figures["00_responses"])

# %% [markdown]
# **What one sees.** If the orders match, the upper row has something in common that the lower row
# has not: a color, a texture, a shape, brightness at one place. If both rows look like a random
# draw, for several units, check the order before anything else.
#
# ## Go on
#
# The recording's name leads through the rest of the study. Set `profile` to `recording` and
# `recording` to that name in the notebooks from `01_preprocess` on, or run them all from a shell:
#
# ```bash
# bash run_all.sh --recording example
# ```
#
# The profile `recording` trains four models that need neither coordinates nor behavior: a linear
# one (`ln`), the baseline CNN (`cnn`), a wide CNN (`wide`) and an ensemble of it. Their units get
# free readout positions. `04_evaluate` then prints scores for the held-out images, and ceilings
# for sessions with single repeats.
