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
# # 09 · Where neurons look
#
# **Does a model of films find the map of the visual field in the cortex, and the eye's movements?**
#
# A readout gives each neuron a place in the feature maps, its receptive field's center. The model
# is not told that neighbors in cortex look at neighboring places; the published readout lets a
# small network guess the center from the position of the cell body, others learn it freely. In
# both cases a smooth map should come out: primary visual cortex is *retinotopic*. If it does,
# the positions mean what they say; if it does not, the scores rest on something else.
#
# The second question is the eye. The mice were free to move theirs, and a receptive field moves
# over the screen with it. A *shifter*, a tiny network with the pupil's center as its input, moves
# all centers of a mouse together. What it has learned can be drawn: for each place of the pupil,
# an arrow.
#
# The third is depth. Ten planes were recorded, from 200 to 425 µm below the surface. Do models
# predict some better than others? In real data, deeper planes are dimmer; in the simulation,
# depth makes no difference, and any trend seen there would be an accident.
#
# In simulated mice the true centers are known, so that the map can be checked against the truth,
# not only against its own smoothness.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from src.analyses.retinotopy import limits, position_colors
from src.correlation import pearson
from src.data.movies import open_movie_sessions
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.simulate.movie_truth import load_movie_truth
from src.studies import STUDIES
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"fields_{n}.csv" for n in ("units", "maps")}
figures = {n: places.figures / f"09_{n}.png" for n in ("retinotopy", "shifts", "depth")}
declare(*tables.values(), *figures.values())

# %% [markdown]
# ## The centers
#
# From the first model of the profile's contest, with the cell bodies and the scores of
# `04_evaluate` beside them.

# %%
name = settings.contest[0]
sessions = open_movie_sessions(places.processed, settings.plan(name).model.inputs)
columns = [
    pd.DataFrame(
        {"session": key, "unit_id": s.unit_ids, **dict(zip("xyz", s.coordinates.T, strict=True))}
    )
    for key, s in sessions.items()
]
somata = pd.concat(columns, ignore_index=True).rename(columns={"z": "depth"})
centers = pd.read_csv(note_input(places.tables / f"positions_{name}.csv"))
scores = pd.read_csv(note_input(places.tables / "units.csv"))
scores = scores[(scores["model"] == name) & (scores["track"] == "oracle")]
units = somata.merge(centers, on=["session", "unit_id"], validate="one_to_one")
units = units.merge(scores[["session", "unit_id", "single"]], on=["session", "unit_id"], how="left")

# %%
if simulated:
    truth = places.raw.with_name(f"{places.raw.name}_truth")
    true = [load_movie_truth(truth / f"{key}.npz").cortex.cortex.rf_centers for key in sessions]
    units[["true_x", "true_y"]] = np.concatenate(true)
save_table(units, tables["units"])
units.head()

# %% [markdown]
# How much of the centers a plane over the cortex explains (R² of a linear fit), and, where the
# truth is known, the correlation with the true centers over neurons that are predicted at all.

# %%
rows = []
for key, table in units.groupby("session", sort=False):
    x = np.column_stack([table[["x", "y"]], np.ones(len(table))])
    mu = table[["mu_x", "mu_y"]].to_numpy()
    rest = mu - x @ np.linalg.lstsq(x, mu)[0]
    row = {"session": key, "R2 of a plane": 1 - rest.var() / max(mu.var(0).mean(), 1e-12)}
    if simulated:
        seen = table[table["single"] > table["single"].median()]
        pair = seen[["mu_x", "mu_y"]].to_numpy(), seen[["true_x", "true_y"]].to_numpy()
        row |= dict(zip(("r of x", "r of y"), pearson(*pair), strict=True))
    rows.append(row)
maps = pd.DataFrame(rows)
save_table(maps, tables["maps"])
maps.round(3)

# %%
use_style()
key = maps.loc[maps["R2 of a plane"].idxmax(), "session"]
table = units[units["session"] == key]
mu = table[["mu_x", "mu_y"]].to_numpy()
colors = position_colors(mu, *limits(mu))
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.8))
axes[0].scatter(table["x"], table["y"], color=colors, s=22)
axes[0].set(xlabel="x (µm)", ylabel="y (µm)", title=f"{key}: cell bodies")
panels.position_scatter(axes[1], mu, colors)
axes[1].set_title("centers in the image")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["retinotopy"])

# %% [markdown]
# **What one sees.** Left, cell bodies in the color of the place that their neuron looks at; right,
# these places in the image. Colors that change smoothly over the cortex are a map. A model that
# has hardly been trained leaves all centers near the middle, and the map is then not yet there.
#
# ## The eye
#
# What the shifter does with the pupil's center, at nine by seven places within two standard
# deviations.

# %%
encoder = load_encoder(note_input(places.member(name, 1) / "weights.pt"), sessions)
grid = np.stack(np.meshgrid(np.linspace(-2, 2, 9), np.linspace(-2, 2, 7)), -1).reshape(-1, 2)
pupil = torch.from_numpy(grid.astype(np.float32))
shifts = {key: shifter(pupil).detach().numpy() for key, shifter in encoder.shifters.items()}
{key: f"largest shift {np.abs(s).max():.3f} of the half width" for key, s in shifts.items()}

# %%
shown = list(shifts)[:2]
figure, axes = plt.subplots(1, max(len(shown), 1), figsize=(8.4, 3.4), squeeze=False)
for axis, key in zip(axes[0], shown, strict=False):
    panels.shift_arrows(axis, grid, 8 * shifts[key])
    axis.set_title(f"{key}, arrows 8 times as long")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["shifts"])

# %%
if simulated:
    for key in shifts:
        planted = grid @ load_movie_truth(truth / f"{key}.npz").cortex.cortex.pupil_map
        same = pearson(shifts[key] - shifts[key].mean(0), planted)
        print(f"{key}: correlation of learned and planted shift, x {same[0]:.2f}, y {same[1]:.2f}")

# %% [markdown]
# **What one sees.** Arrows show where receptive fields go when the pupil is there. In a mouse whose
# shifter has learned, they point the same way as the pupil moved, and grow with its distance from
# the middle. Where arrows are tiny the model has found nothing to gain from the eye.
#
# ## Depth

# %%
figure, axis = plt.subplots(figsize=(4.4, 4))
panels.score_by_plane(axis, units.dropna(subset="single"))
axis.set_title(name)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["depth"])

# %% [markdown]
# **What one sees.** Each point is a neuron at its plane, the line joins the means of the planes. A
# trend with depth in a real recording may come from the microscope as well as from the cortex.
