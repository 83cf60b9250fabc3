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
# # 05 · Unrolling
#
# **When does an image reach an area, and what do further time steps buy?**
#
# CORnet-R and CORnet-RT have the same weights, to the last one, and are different networks. Both
# give every area a state that is added to what comes from below and passed on; they differ in
# *when* an area reads:
#
# - **R** (called legacy, as in the first version): within a step, areas go in order, each reading
#   what the one before it has just made. An image is through all four areas in the second step;
# - **RT** (biological): all areas go at once, each reading what the one before it made a step
#   *earlier*. An image needs a step for each area, as it does in a brain, where every stage adds
#   ten milliseconds or so.
#
# In the first step of both, areas beyond V1 have nothing to read. What they put out then is a
# constant, which follows from the weights alone: zeros stay zeros in a convolution without bias,
# and group norm makes its own bias of them. A user who exports "IT at step 0" gets this constant,
# the same for a face and a chair.
#
# Two things are measured. Which share of an area's outputs differs between images at all, step
# by step: that must be all or nothing, and where it turns is fixed by the wiring. And how well
# each step predicts V4 and IT, which shows what recurrence adds to the first pass.
#
# The answer is the two figures.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assembly_files import open_assembly
from src.data.blocks import read
from src.data.feature_set import FeatureSet
from src.evaluation.likeness import Settings, score
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.cornet import AREAS, TIMES
from src.models.planted import states_of
from src.paths import run_paths
from src.studies import STUDIES
from src.studies.records import FrozenNetwork
from src.training.start import trained_network

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # the seed given to 01_preprocess

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"05_{name}.csv" for name in ("reached", "steps")}
drawn = {name: places.figures / f"05_{name}.png" for name in tables}
declare(*tables.values(), *drawn.values())

# %% [markdown]
# ## Two networks of one set of weights
#
# Those that `02_train` taught to an RT, where the profile trains one, and random ones otherwise.

# %%
trained = next((n for n in settings.networks if n.name == "cornet_rt"), None)
random = FrozenNetwork("cornet_rt", "cornet_rt", start="random", draw=1)
size = settings.networks[0].size
plan = replace(trained or random, size=size)
kept = places.weights if places.weights.is_dir() else None
rt = trained_network(plan, places.runs, size or 224, seed, kept)
r = trained_network(replace(random, network="cornet_r"), places.runs, size or 224, seed, kept)
r = replace(r, record=replace(r.record, input_size=rt.record.input_size))
r.module.load_state_dict(rt.module.state_dict())
print("weights:", rt.weights)

# %%
path = note_input(places.raw / "assembly.h5")
assembly = open_assembly(path)
pixels, ids = read(path, "images/pixels"), read(path, "images/stimulus_id")
states = {name: states_of(network, pixels) for name, network in {"R": r, "RT": rt}.items()}
print("(n_steps, n_images, n_features) of IT =", states["RT"]["IT"].shape)

# %% [markdown]
# ## When does an image arrive?

# %%
rows = []
for name, areas in states.items():
    for area in AREAS:
        for step, x in enumerate(areas[area]):
            differs = float((x != x[0]).any(axis=0).mean())
            rows.append({"network": name, "area": area, "step": step, "share": differs})
reached = pd.DataFrame(rows)
reached.insert(0, "data", "simulated" if simulated else "recorded")
save_table(reached, tables["reached"])
reached.pivot_table("share", ["network", "area"], "step", sort=False).round(2)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.6), sharey=True)
for axis, name in zip(axes, states, strict=True):
    wide = reached[reached["network"] == name].pivot_table("share", "area", "step", sort=False)
    panels.value_map(axis, wide.to_numpy(), list(wide.index), list(map(str, wide.columns)))
    axis.set(title=f"CORnet-{name}", xlabel="step")
    axis.tick_params(axis="x", rotation=0)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["reached"])

# %% [markdown]
# **What one sees.** The share of outputs that are not the same for all images; zero is exactly
# zero. In R everything beyond V1 waits for one step, in RT for one step an area, a staircase. Most
# of an area turns at once. Outputs that never differ are rectified to zero by every image.
#
# The decoder reads IT at the last step alone, so an RT of three steps gives the same class to
# every image, whatever its training.
#
# ## What do later steps add?
#
# Each step of IT predicts IT sites by partial least squares, and each step of V4 predicts V4.
# Steps before the image are left out, since they predict nothing.

# %%
how = Settings(resamples=0, seed=seed)
rows = []
for name, areas in states.items():
    for area in study.sessions:
        for step, x in enumerate(areas[area]):
            if (x != x[0]).any():
                one = FeatureSet(x, ids, name, name, area, step)
                found = score(one, assembly, "pls", area, settings=how)
                row = {"network": name, "area": area, "step": step}
                rows.append({**row, "raw": found.raw, "error": found.error, "c": found.ceiling})
steps = pd.DataFrame(rows)
steps.insert(0, "data", "simulated" if simulated else "recorded")
save_table(steps, tables["steps"])
steps.pivot_table("raw", ["area", "network"], "step", sort=False).round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.5, 2.8))
colors = {"R": "#0072b2", "RT": "#d55e00"}
for axis, area in zip(axes, study.sessions, strict=True):
    for name, part in steps[steps["area"] == area].groupby("network"):
        look = {"color": colors[name], "marker": "o", "markersize": 4, "capsize": 2}
        axis.errorbar(part["step"], part["raw"], part["error"], label=name, **look)
    axis.set(title=f"area {area} to sites of {area}", xlabel="step", xlim=(-0.3, TIMES - 0.7))
    axis.set_xticks(np.arange(TIMES))
axes[0].set_ylabel("r, median over sites")
axes[1].legend()
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["steps"])

# %% [markdown]
# **What one sees.** Where a curve begins is where the image arrives, a step or two later in RT.
# Bars are standard errors over the ten draws of test images. What comes after the first point is
# recurrence. Simulated sites answer once and have no dynamics that recurrence could explain, so
# that further steps help no more than they hurt: differences of a few hundredths, up or down, are
# what chance makes of another filter. In recordings of IT, later steps are to be compared with
# later time bins (Kar et al. 2019), and there the question of what recurrence buys has an answer.
#
# The first area of both networks is the same at every step, and all of step 0 is: with equal
# weights, only the order of reading tells them apart.
