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
# **What do fixed filters make of the images, and why is it worth storing?**
#
# Two kinds of features in this study are never trained. One is the *prefilter* of GNet: the first
# two layers of AlexNet, edges and their combinations, which stay as ImageNet left them. The other
# is a pyramid of Gabor filters, the textbook picture of V1: waves of some frequencies in six
# orientations, and of each pair of phases the energy.
#
# The prefilter is 42 % of the multiplications of GNet's trunk and prefilter together. The published
# code computed it anew for every batch of every epoch, twice, and its gradients as well, although
# nothing of it ever moved. Its maps for one image are 280 kB in half precision. So they are
# computed once, here, and training reads them: with one pass in place of two, a step has less than
# a third of the arithmetic. What half precision changes of a prediction is a thousandth of what
# a prediction is, and a test holds it there. The price is that images cannot be shifted or flipped
# while training.
#
# For receptive fields the same holds twice over. Each of thousands of candidate fields pools the
# same maps with other weights: stored maps are read once for every hundred candidates, and the
# network is never asked again.
#
# Real weights come from a file, `alexnet_conv_imagenet.pt` in `data/weights`. The demo has none and
# draws the prefilter at random, which its name says; a random prefilter still has edges of all
# kinds, only fewer of the useful ones.
#
# The answer is the figure: an image, and what some channels make of it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.paths import run_paths
from src.studies import STUDIES
from src.studies.nsd_gnet import caution

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
network: str = "prefilter"  # a frozen network of the profile
weights: str = ""  # its file, or a folder of such; empty: data/weights, or torch hub's cache
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # of random weights

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
plan = settings.network(network)
places = run_paths(study.name, recording or profile, data_root, output_root)
table, drawn = places.tables / f"02_{network}.csv", places.figures / f"02_{network}.png"
declare(table, drawn)
plan

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
size = next(iter(sessions.values())).image_shape[-1]
kept = weights or (places.weights if places.weights.is_dir() else None)
shown = frozen_network(plan, size, seed, kept)
print(f"{shown.record.name}, weights: {shown.weights}; {shown.record.citation}")

# %% [markdown]
# ## One pass
#
# Every different image of a subject once, in order; a hash of each lies beside its row. Maps finer
# than `pool` cells a side are averaged down to that.

# %%
layers = dict.fromkeys(plan.layers or shown.record.informative, Reduction(plan.pool))
folders = {key: places.features / network / key for key in sessions}
for key, session in sessions.items():
    extract(shown, session.images, folders[key], layers, dtype="float16")

# %%
key, session = next(iter(sessions.items()))
hashes = image_sha256(session.images)
maps = {name: open_features(folders[key], name, hashes) for name in layers}
described = pd.DataFrame(
    [
        {
            **dict(
                zip(("layer", "images", "channels", "height", "width"), (n, *m.shape), strict=True)
            ),
            "MB": m.nbytes / 1e6,
            "mean": float(m[:50].mean(dtype=float)),
        }
        for n, m in maps.items()
    ]
)
save_table(described, table)
described.round(3)

# %%
use_style()
last = list(maps.values())[-1][0].astype(float)
strongest = np.argsort(-last.std((1, 2)))[:4]
figure, axes = plt.subplots(1, 5, figsize=(9, 2))
panels.picture(axes[0], session.images[0])
axes[0].set_title("image")
for axis, channel in zip(axes[1:], strongest, strict=True):
    scaled = last[channel] / last[channel].max() * 255
    panels.picture(axis, scaled[None])
    axis.set_title(f"channel {channel}")
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** The four channels that vary most within this image, light where they respond.
# A channel is one kind of pattern, its map says where in the image it is. What a voxel reads is a
# weighted sum of many channels at one place, and finding the place and the weights is all that is
# left to do for `03_probe`; GNet stacks seven more layers on the prefilter's maps first, and learns
# them from the voxels.
#
# Next: `02_train` for networks, `03_probe` for receptive fields on features as they are.
