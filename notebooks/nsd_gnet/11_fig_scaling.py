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
# # 11 · Scaling
#
# **How many images does a model of a voxel need, and would more help?**
#
# A subject of NSD lay in the scanner for thirty to forty hours. Was the last one still worth it?
# The published answer is for receptive fields on features of AlexNet: from one thousand trials to
# twenty-seven, the median correlation over voxels of one subject grows from .155 to .237, fast at
# first and then slowly, by .004 in the last third. A model with more to learn, such as GNet, needs
# more before it bends.
#
# Here the same is done on this run's data. Feature-weighted receptive fields (`03_probe`) are
# fitted to growing parts of the training images, several random ones of each size, and all of them
# are scored on the same test images. With all their trials, parts have as many trials as the
# published ones, 1, 2, 3, 6, 9, 18 and 27 thousand, where there are twenty-seven thousand to train
# on, and the same shares of what there is elsewhere.
#
# NSD shows an image three times. Was that wise, or would three times the images have served better?
# So every part is fitted twice: with one trial of each of its images, and with all three. At the
# same number of trials the first has seen three times as many images, each with more noise.
#
# A part is chosen by images, not trials, so that no image is in it and in what chooses. Field and
# ridge parameter are chosen on a tenth of each part, kept back, or where images are few, as in
# `demo`, on each of them in turn (`03_probe`). In the published code it was a tenth of *all*, so
# that small parts had next to nothing left to train on, and the very smallest, by a negative
# length, nearly everything. Here sizes are checked.
#
# Two controls. Images of a part can be dealt out anew among its responses: what is left is the
# score of a model that has learned nothing, at every size. And at the other end stands the ceiling,
# the correlation of a perfect model with single trials, which no number of images can raise.
#
# The features are those of GNet's prefilter, as stored by `02_extract`.
#
# The answer is the figure.

# %%
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import pearson
from src.data.gaussian_fields import field_grid
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.data.splits import few_repeats, official_split
from src.evaluation.bootstrap import interval
from src.evaluation.field_ridge import fit_fields
from src.evaluation.probes import ImageResponses
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.feature_files import open_features
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
network: str = "prefilter"  # whose features
layer: str = "conv2"  # of its layers
shares: str = "1 2 3 6 9 18 27"  # 27ths of the training images, with all trials as published
repeats: str = "1 3"  # trials of each image, at most
parts: int = 2  # random ones of each size up to a third
seed: int = 42  # of the parts and resamples

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
table, drawn = places.tables / "11_scaling.csv", places.figures / "11_scaling.png"
declare(table, drawn)

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
candidates, lambdas = field_grid(0.06, 2.0, sizes=4), np.logspace(0, 6, 7)
held_out = settings.probes[0].held_out  # share of a part
sizes = {key: len(np.unique(s.image_ids[s.trials("train")])) for key, s in sessions.items()}
least = min(sizes.values()) * min(map(int, shares.split())) / 27
assert least >= 10, "ten images are the least"
dealt_anew = "dealt anew"
kinds = [f"{r} trial{'s' * (int(r) > 1)} an image" for r in repeats.split()] + [dealt_anew]
print(f"{len(candidates)} candidates; training images: {sizes}")

# %% [markdown]
# ## Fit to parts
#
# One and all trials of the images of a part are fitted at once, as if of other voxels; images count
# alike, however many of their trials there are.

# %%
numbers, given, shown = [int(r) for r in repeats.split()], {}, {}
for key, session in sessions.items():
    train = official_split(session).train
    for r in numbers:
        rng = numpy_stream(seed, "repeats", key)
        few = train[few_repeats(session.image_index[train], r, rng)]
        means = ImageResponses.of(session, few)
        given[key, r] = means.responses, np.bincount(session.image_index[few])[means.rows]
        shown[key] = means.rows  # the same ones for all

# %%
rows, sizes = [], [int(share) for share in shares.split()]
for key, session in sessions.items():
    test, hashes = official_split(session).test, image_sha256(session.images)
    maps = [open_features(places.features / network / key, layer, hashes)]
    asked, back = np.unique(session.image_index[test], return_inverse=True)
    responses, counts = zip(*(given[key, r] for r in numbers), strict=True)
    for share, part in product(sizes, range(parts)):
        if share > 9 and part:
            continue  # larger parts are much the same images
        rng = numpy_stream(seed, "part", key, share, part)
        some = rng.permutation(len(shown[key]))[: round(share * len(shown[key]) / 27)]
        few, many = (np.sort(x) for x in np.split(some, [int(held_out * len(some))]))
        dealt = responses[-1].copy()
        dealt[some] = dealt[rng.permutation(some)]
        y, shows = np.hstack([*responses, dealt]), shown[key]
        fit = fit_fields(maps, y, candidates, many, few, lambdas, shows=shows)
        made = fit.predict([m[asked] for m in maps])[back]
        for kind, of, n in zip(
            kinds, np.split(made, len(kinds), 1), (*counts, counts[-1]), strict=True
        ):
            r = pearson(of, session.responses(test).numpy())
            low, high = interval(np.median(rng.choice(r, (500, len(r))), axis=1))
            row = {"session": key, "kind": kind, "images": len(some), "trials": n[some].sum()}
            rows.append(row | {"part": part, "r": np.median(r), "low": low, "high": high})

# %%
scaling = pd.DataFrame(rows)
save_table(scaling, table)
scaling.groupby(["session", "kind", "images"], sort=False)["r"].mean().unstack().round(3)

# %% [markdown]
# ## Trials, and repeats

# %%
known = pd.read_csv(note_input(places.tables / "units.csv")).dropna()
ceilings = np.sqrt(known.groupby("session")["ceiling_1"].median() / 100)
colors = dict(zip(kinds, ("#56b4e9", "#0072b2", "#332288"), strict=False)) | {dealt_anew: "#b8b8b8"}
use_style()
figure, axes = plt.subplots(1, len(sessions) + 1, figsize=(3.1 * (len(sessions) + 1), 3.4))
for axis, key in zip(axes, sessions, strict=False):
    for kind, color in colors.items():
        here = scaling[(scaling["session"] == key) & (scaling["kind"] == kind)]
        panels.scaling_curve(axis, here, color, kind)
    style = {"color": "#222222", "linewidth": 1, "linestyle": (0, (4, 2)), "label": "ceiling"}
    axis.axhline(ceilings[key], **style)
    axis.set(title=key, ylim=(-0.15, 1.05))
axes[0].set(ylabel="median r, single trials")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=4)
trials, stored = (1, 2, 3, 6, 9, 18, 27), (0.155, 0.185, 0.199, 0.215, 0.223, 0.233, 0.237)
axes[-1].plot(trials, stored, "o-", color="#d55e00", markersize=3.5)
axes[-1].set(xscale="log", xlabel="thousand trials", title="published (stored), subject 1")
axes[-1].set_xticks([1, 3, 9, 27], ["1", "3", "9", "27"], minor=False)
axes[-1].set_xticks([], minor=True)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** A dot a part, its line an interval over voxels; the curves join their means,
# pale with one trial of each image, dark with all three. At the same number of trials the pale one
# is ahead where there are a hundred or more: in `demo`, three hundred images once give .39 and .38,
# a hundred images three times .26 and .28. Noise that differs from image to image is averaged by
# the fit as well; what an image adds beside, a repeat does not. Repeats tell how much of a response
# is signal, which is why test images need them. Gray is a model whose images were dealt out anew,
# near zero at any size. The dashed line is the ceiling. What is between the end of a curve and the
# ceiling is not for more images alone to close: a perfect model must have the right features, too.
# The last panel is the published curve, of 15,660 voxels of one subject, stored with the notebooks;
# its features come from AlexNet trained on photographs, and its ceiling would be near .39.
#
# A voxel has as many weights here as the layer has channels, and its field for the choosing. That
# is why a few dozen images already say something.
