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
# # 02 · Extract
#
# **What do the areas of a CORnet make of these images, and at which step do they begin to see?**
#
# A network is shown the images of the assembly once, and what its areas put out is kept, at
# every layer that will be scored. For a network that goes on in time, a layer is an area *at a
# step*: `IT-t3` is what area IT says at the fourth step.
#
# - **Z** has four areas of one convolution each, and one step.
# - **R** and **RT** have a state in each area, added to what comes from below. In R, an area reads
#   what the one before it has made in the same step. In RT it reads what that one made a step
#   *earlier*, as if passing it on took time, so that the image climbs one area a step and IT
#   knows nothing of it before step 3.
# - **S** repeats a bottleneck in V2, V4 and IT, two, four and two times, one area after the other.
#
# In the published code `IT.output` at the default step 0 is the same for every image in R and
# RT, and it was exported without a word; students found that read-outs of it explained nothing.
# Such a layer is refused here by name. Three more silent failures are shut out: rows in another
# order than the images (each row has its image's hash beside it), features of yesterday's
# weights (a folder is reused only for equal weights, images and preprocessing), and files of
# weights that are not what their name says (their hash is checked).
#
# The answer is the last figure: which images look alike to an early and to a late layer.

# %%
import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.blocks import read
from src.data.hashes import image_sha256
from src.data.objects import categories_of
from src.evaluation.memory import as_text, estimated_bytes
from src.evaluation.sanity import plain_readout
from src.evaluation.similarity import rdm
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.paths import run_paths
from src.studies import STUDIES
from src.training.device import pick_device
from src.training.start import trained_network

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
network: str = "planted"  # a frozen network of the profile
weights: str = ""  # its file, or a folder of such; empty: data/weights, or torch hub's cache
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 01_preprocess

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
plan = settings.network(network)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
table, drawn = places.tables / f"02_{network}.csv", places.figures / f"02_{network}.png"
sense = places.tables / f"02_{network}_sense.csv"
declare(table, sense, drawn)
plan

# %% [markdown]
# ## The network
#
# Published weights are files such as `cornet_z-5c427c9c.pth`, whose names hold the beginning of
# their hash; they are never downloaded for you. Random weights are drawn from the seed, and
# weights that `02_train` made are read from its run.

# %%
kept = weights or (places.weights if places.weights.is_dir() else None)
shown = trained_network(plan, places.runs, plan.size or 224, seed, kept)
shown.module.to(pick_device(device))
print(f"{shown.record.name}, weights: {shown.weights}; {shown.record.citation}")
constant = [layer.name for layer in shown.record.layers if layer.constant]
print("the same for all images, and left out:", ", ".join(constant) or "none")

# %% [markdown]
# ## One pass
#
# Every layer is averaged down to a grid of cells as soon as it appears, so that memory holds one
# batch.

# %%
path = note_input(places.raw / "assembly.h5")
pixels, ids = read(path, "images/pixels"), read(path, "images/stimulus_id")
layers = plan.layers or shown.record.informative
folder = places.features / network / "assembly"
extract(shown, pixels, folder, {name: Reduction(plan.pool) for name in layers})
print("(n_images, h, w) =", pixels.shape)

# %%
hashes = image_sha256(pixels)
features = {layer: open_features(folder, layer, hashes) for layer in layers}
rows = [
    (network, shown.weights, layer, str(x.shape), int(np.prod(x.shape[1:])), float((x == 0).mean()))
    for layer, x in features.items()
]
columns = ["network", "weights", "layer", "shape", "features", "share of zeros"]
extracted = pd.DataFrame(rows, columns=columns)
units = int(pd.read_csv(note_input(places.tables / "sessions.csv"))["n_units"].sum())
need = [estimated_bytes(len(pixels), p, units) for p in extracted["features"]]
extracted["memory to score"] = [as_text(size) for size in need]
save_table(extracted, table)
extracted.round(3)

# %% [markdown]
# The last column is an estimate of what scoring such a layer will take, made before anything is
# run: users of the published tools saw runs of hours end out of memory. Raw maps of all layers of
# a large network are hundreds of gigabytes; here only the inner products of images are needed, a
# number a pair.
#
# ## Do the features make sense?
#
# Users of published features found that they explained nothing, and had no way to tell why. A test
# that needs no brain: what is plain in an image, its brightness or whether it is darker on one
# side, has to be in the features of *this* image, be the network trained or not. A linear
# read-out is fitted to nine tenths of the images and asked about the others; r near zero would
# mean features of other images, of a step before the image, or of the wrong file.

# %%
plain = pd.DataFrame({layer: plain_readout(x, pixels) for layer, x in features.items()}).T
save_table(plain.rename_axis("layer").reset_index(), sense)
plain.round(2)

# %% [markdown]
# ## How alike do images look?
#
# 1 minus the correlation of two images' features, each taken about its mean over images, and
# drawn by rank: dark is alike. Images are sorted by category.

# %%
objects = pd.Series(read(path, "stimuli/object_name"), read(path, "stimuli/stimulus_id"))
names = objects[~objects.index.duplicated()].loc[ids].to_numpy(str)
groups = categories_of(names) if simulated else names
order = np.argsort(groups, kind="stable")
order = order[:: max(len(order) // 200, 1)]
use_style()
figure, axes = plt.subplots(1, 2, figsize=(8, 3.9))
for axis, layer in zip(axes, (layers[0], layers[-1]), strict=True):
    x = features[layer][order].reshape(len(order), -1)
    panels.rank_map(axis, rdm(x - x.mean(0)), groups[order])
    axis.set_title(f"{network}, {layer}")
axes[1].set_yticks([])
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** Squares along the diagonal would be categories whose images a layer finds
# alike, wherever the object is and however it is turned. Random weights show next to none: the
# first layer sees backgrounds, and the last is a blurred first. Training makes squares, the more
# the longer it goes on.

# %%
made = json.loads((folder / "manifest.json").read_text())
print("weights", made["state_sha256"][:16], "of images", made["image_sha256"][0][:16], "...")

# %% [markdown]
# Next: `03_probe` maps every layer to the responses of V4 and IT.
