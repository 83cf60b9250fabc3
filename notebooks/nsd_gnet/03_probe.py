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
# # 03 · Probe
#
# **How far does one come with features as they are, if every voxel may choose where it looks?**
#
# A feature-weighted receptive field (fwRF; St-Yves & Naselaris 2018) says that a voxel sees one
# place of the image, with any mixture of features. The place is a Gaussian: a position and a size,
# one of hundreds or thousands of candidates. Seen through it, a map of a feature is one number an
# image, and the weights of the features are a ridge regression:
#
# $$r_v = b_v + \sum_f w_{vf}\,\frac{\sum_s g_{vs} x_{fs} - m_f}{\sigma_f}.$$
#
# So for every voxel there is a search over candidates and over nine ridge parameters, each judged
# by the squared error on training images that were held out: a tenth of them, where there are
# thousands. With three hundred, as in `demo`, a tenth is thirty, and among two thousand pairs of
# field and parameter the best on thirty images is best by chance. It was so here: more than half of
# the voxels took the smallest of nine Gabor parameters, and predicted test images worse than their
# own mean does, by 15 % of the variance. So where images are few each is held out in turn, which
# costs no refits: what a ridge says without an image follows from what it says with it.
#
# The published solver asked the network again for every candidate, and inverted a matrix for every
# ridge parameter: 31 hours on an accelerator for eight subjects. Here maps are stored, read once
# for each hundred candidates, and what is factored once serves all voxels; weights are only
# computed for the candidate that a voxel chose, and then from all training images. With a tenth
# held out the choice is the published one, and a test holds it to stored results, voxel by voxel.
#
# Means over the trials of an image take the place of trials. With the number of trials as weight
# this is not an approximation: the equations are the same, and there are a third as many rows.
#
# What the published solver did differently can be had with `legacy`: it held out the last tenth of
# the training *trials*, whose images it had mostly fitted before, standardized features with the
# held-out ones among them, penalized the constant, and kept the weights of nine tenths. The profile
# `legacy` asks for it, as for all that the published code did differently.
#
# The answer is a file of predictions for `04_evaluate`, and the fields in the figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.wave_tuning import wave_curves, wave_tuning
from src.config import InputConfig
from src.correlation import pearson
from src.data.gaussian_fields import field_grid
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.data.splits import member_splits
from src.evaluation.field_search import search_fields
from src.evaluation.prediction import save_prediction
from src.evaluation.probes import FieldRows, prediction_for
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.models.feature_files import open_features
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
probe: str = "gabor_fwrf"  # a probe of the profile
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
legacy: bool = False  # the published definition of the solver
seed: int = 42  # of the choice of held-out images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
plan = settings.probe(probe)
places = run_paths(study.name, recording or profile, data_root, output_root)
sessions = open_sessions(places.processed, InputConfig(scale="full"))
folder, table = places.predictions / probe, places.tables / f"03_{probe}.csv"
declare(table, *(folder / f"{key}.npz" for key in sessions))
plan

# %%
candidates = field_grid(*plan.grid)
old = legacy or plan.legacy
(fitted,) = member_splits(sessions, "acquisition" if old else "official", 1, seed)
(scored,) = member_splits(sessions, plan.split, 1, seed)
lambdas = np.logspace(*plan.lambdas, 9)
print(f"{len(candidates)} candidate fields of {len(np.unique(candidates[:, 2]))} sizes")

# %% [markdown]
# ## Fit
#
# Training images alone choose field and ridge parameter. Images of testing and stopping are not
# looked at. With `coarse` in the plan a wider grid is searched first, and then, voxel by voxel, the
# hundred candidates nearest to what was found.

# %%
rows, weights = [], []
for key, session in sessions.items():
    hashes, test = image_sha256(session.images), scored[key].test
    maps = [open_features(places.features / n / key, layer, hashes) for n, layer in plan.pairs]
    if old:
        shown = FieldRows.as_published(session, fitted[key])
    else:
        rng = numpy_stream(seed, "held out", key)
        shown = FieldRows.drawn(session, fitted[key], plan.held_out, rng)
    how = {"lambdas": lambdas, "counts": shown.counts, "legacy": old, "shows": shown.images}
    halves = shown.train, shown.held_out
    fit = search_fields(maps, shown.responses, plan.grid, plan.coarse, *halves, **how)
    predicted = fit.predict(maps)
    weights.append(fit.weights)
    made = prediction_for(session, test, predicted, {"probe": probe, "seed": seed})
    save_prediction(made, folder / f"{key}.npz")
    single = pearson(made.values, session.responses(test).numpy())
    x, y, sigma = fit.fields[fit.field_index].T
    kept = {"x": x, "y": y, "sigma": sigma, "lambda": lambdas[fit.lambda_index], "r": single}
    rows.append(
        pd.DataFrame({"session": key, "unit_id": session.unit_ids, "area": session.area, **kept})
    )
units = pd.concat(rows)
save_table(units, table)

# %%
units.groupby(["session", "area"], sort=False)[["sigma", "r"]].median().round(3)

# %% [markdown]
# ## Where voxels look

# %%
use_style()
areas = list(dict.fromkeys(units.area))
figure, axes = plt.subplots(1, len(areas), figsize=(2.4 * len(areas), 2.8))
for axis, area in zip(axes, areas, strict=True):
    here = units[units.area == area].copy()
    here[["x", "sigma"]] *= 2  # half-widths of the image
    here["y"] *= -2
    here["r"] *= 2
    panels.windows(axis, here)
    axis.set_title(area)
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / f"03_{probe}.png")

# %% [markdown]
# **What one sees.** One circle a voxel, at one standard deviation of its field; the square is the
# image, and dark circles belong to voxels that are predicted well. Fields grow from V1 to hV4, in
# cortex and in the simulation. Faint circles are voxels whose choice was decided by noise, and
# their places mean nothing.
#
# ## What was chosen
#
# How strongly the ridge was held back, of the nine parameters on offer; at either end more would
# have been wanted. Of a pyramid of waves the weights say more: which frequency and which
# orientation a voxel prefers, as the mean over the other one of its weights.

# %%
waves = plan.networks == ("gabor",)
if waves:
    every = np.concatenate(weights)
    tuned = pd.concat([units.reset_index(drop=True), wave_tuning(every, plan.layers)], axis=1)
    save_table(tuned, places.tables / f"03_{probe}_waves.csv")

# %%
figure, axes = plt.subplots(1, 3 if waves else 1, figsize=(9 if waves else 3.4, 2.7), squeeze=False)
counts = units["lambda"].value_counts().reindex(lambdas, fill_value=0)
axes[0, 0].bar(np.log10(lambdas), counts, width=0.3, color="#8fa9bb")
axes[0, 0].set(xlabel="logarithm of lambda", ylabel="voxels")
for axis, curves in zip(axes[0, 1:], wave_curves(every) if waves else (), strict=True):
    for area in areas:
        axis.plot(curves[units.area == area].mean(0), "o-", markersize=3, label=area)

# %%
if waves:
    axes[0, 1].set(xlabel="cycles an image", ylabel="mean weight")
    ticks = [layer.removeprefix("f").lstrip("0") for _, layer in plan.pairs]
    axes[0, 1].set_xticks(range(len(ticks)), ticks)
    axes[0, 2].set(xlabel="orientation (°)")
    axes[0, 2].set_xticks(range(6), range(0, 180, 30))
    axes[0, 2].legend(loc="center left", bbox_to_anchor=(1, 0.5))
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / f"03_{probe}_choice.png")

# %% [markdown]
# **What one sees.** Left, how many voxels chose each parameter. With a pyramid of waves, in the
# middle and right, what areas prefer on average; the table `waves` has the preferred wave of every
# voxel and how much it stands out. Simulated voxels of `demo` read random convolutions, in which
# there are no waves to prefer, and curves are flat but for chance.
#
# Next: `04_evaluate` sets them beside networks that were trained on the voxels.
