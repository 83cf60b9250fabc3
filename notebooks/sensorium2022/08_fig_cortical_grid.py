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
# # 08 · The cortical grid
#
# **Do neurons that lie close together respond alike, over how many micrometers, and does the same
# hold from one brain to the next?**
#
# The published analysis cuts the cortex into 25 × 25 × 10 cells, interpolates the units' mean
# responses to the test images to every cell, and calls two cells similar when these responses
# correlate over images. It then sorts the cells by their distance from the first one, averages
# similarity over cells *k ranks apart*, and finds that it falls with k almost on a straight line:
# Pearson's r is about −0.9 within a brain, and −0.99 across brains.
#
# There is a catch, or two. A rank lag is not a distance: two cells as far from the first one may
# lie on opposite sides of it. And interpolation makes neighboring cells alike, because they are
# mixed from the same units. So the curve is drawn here beside three things that could prove it
# empty:
#
# - **shuffled units**: responses are handed to other units at random, and everything is done again.
#   Whatever remains comes from the grid, not from the cortex.
# - **a world without surprises**, in which similarity is exactly a known function of distance.
# - **the distance curve**: similarity of pairs against the micrometers between them, of the units
#   themselves, with intervals over units.
#
# The answer is the table of length constants, and the figure before it.

# %%
from collections import defaultdict
from functools import partial, reduce
from itertools import combinations, combinations_with_replacement, permutations, product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses import cortical_grid as grids
from src.analyses.distance import Population, decay, distance_curve
from src.config import InputConfig
from src.correlation import pearson
from src.data.session import open_sessions
from src.evaluation.metrics import Repeats
from src.evaluation.prediction import align, load_prediction
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import FAINT, INK, mark_simulated, model_color, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = ""  # model whose predictions are drawn; empty: the profile's first wide one
drop: int = 300  # largest lags left out of the rank-lag curve, as published
resamples: int = 200  # bootstrap resamples of units, and of images
shuffles: int = 20  # times that units are shuffled; five times as often for pairs of units
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of resamples and shuffles

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
models = [plan.model.name for plan in settings.main]
model = model or next(name for name in models if name.startswith("wide"))

# %%
names = ("08_lag_and_distance", "08_curves", "08_maps", "08_change_ratio")
figures = {name: places.figures / f"{name}.png" for name in names}
names = ("published_grid", "rank_lag", "distance_curves", "length_constants")
names += ("change_ratio", "change_ratio_tests")
tables = {name: places.tables / f"{name}.csv" for name in names}
declare(*figures.values(), *tables.values())
colors = {"predicted": model_color(model), "measured": INK, "shuffled": FAINT}
use_style()

# %% [markdown]
# ## Mean responses, and the cells
#
# What each unit is predicted to do for each test image that all sessions share, and what it was
# measured to do, mean over repeats. Sessions with withheld responses have predictions only.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
shared = reduce(np.intersect1d, (s.image_ids[s.trials("test")] for s in sessions.values()))
predicted, measured = {}, {}
for key, session in sessions.items():
    trials = session.trials("test")
    repeats = Repeats.of(session.image_ids[trials])
    rows = np.isin(repeats.ids, shared)
    prediction = load_prediction(places.predictions / model / f"{key}.npz")
    values = align(prediction, session.trial_ids[trials], session.unit_ids)
    predicted[key] = repeats.mean(values)[rows]
    if not session.withheld("test"):
        measured[key] = repeats.mean(session.responses(trials).numpy())[rows]
print("(n_images, n_units) =", {key: x.shape for key, x in predicted.items()})

# %% [markdown]
# Positions are centered and divided by one number a session, so that they lie in −1..1; the box
# around all of them is cut into cells. Each session is triangulated once, and its units' values are
# then interpolated to the cells, all images at a time. Cells outside the hull of the units have no
# value.

# %%
normal = {key: grids.normalized(session.coordinates) for key, session in sessions.items()}
scale = {key: um for key, (_, um) in normal.items()}
grid = grids.Grid.of([positions for positions, _ in normal.values()])
cells = {
    key: grids.Interpolation.of(positions, grid.centers) for key, (positions, _) in normal.items()
}
rows = [(key, len(p), cells[key].inside.sum(), um) for key, (p, um) in normal.items()]
print(f"{grid.shape[0]} x {grid.shape[1]} x {grid.shape[2]} = {len(grid.centers)} cells")
pd.DataFrame(rows, columns=["session", "units", "cells inside", "µm for 1"]).round(0)

# %% [markdown]
# The real data set has seven or eight thousand units a session, more than the grid has cells. A
# simulated session has some fifty: a cell there is mixed from four units that may be two hundred
# micrometers apart.
#
# ## The rank-lag curve
#
# For every session, every pair of sessions, and every shuffle.

# %%
worlds = [("predicted", predicted), ("measured", measured)]
for k in range(shuffles):
    rng = numpy_stream(seed, "shuffle", k)
    worlds.append(
        ("shuffled", {key: x[:, rng.permutation(x.shape[1])] for key, x in predicted.items()})
    )

# %%
rows, curves = [], defaultdict(list)
for kind, world in worlds:
    values = {key: cells[key](x) for key, x in world.items()}
    for a, b in combinations_with_replacement(values, 2):
        group = "within" if a == b else "across"
        curve = grids.rank_lag_curve(values[a], values[b], grid.centers, drop)
        curves[group, kind].append(curve)
        r = pearson(np.arange(len(curve))[:, None], curve[:, None])[0]
        rows.append((group, kind, a, b, len(curve), r))

# %%
lags = pd.DataFrame(rows, columns=["group", "kind", "session", "other", "lags", "r"])
save_table(lags, tables["rank_lag"])
summary = lags.groupby(["group", "kind"], sort=False)["r"].describe()
summary[["count", "mean", "min", "max"]].round(3)

# %% [markdown]
# ## Why a lag is not a distance
#
# Two checks that need no responses, on the cells of one session. Left, how far apart cells k ranks
# apart really are. Right, the rank-lag curves of worlds in which similarity is exactly
# exp(−distance / length), with a length of 30 to 240 µm and nothing else.

# %%
first = next(iter(sessions))
inside = grids.ranked(grid.centers, cells[first].inside)
ranked = grid.centers[inside] * scale[first]

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
panels.rank_lag(axes[0], [grids.lag_means(ranked, np.positive, drop)])
axes[0].set(ylabel="mean distance (µm)", ylim=(0, None), title=f"cells of {first}, k ranks apart")
for length, shade in ((30.0, 0), (60.0, 0.3), (120.0, 0.6), (240.0, 0.85)):
    known = grids.lag_means(ranked, partial(decay, length=length), drop)
    r = pearson(np.arange(len(known))[:, None], known[:, None])[0]
    panels.rank_lag(axes[1], [known], plt.cm.viridis(shade), f"{length:.0f} µm, r = {r:.2f}")
axes[1].set(ylim=(0, None), title="worlds of known length")
axes[1].legend()
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["08_lag_and_distance"])

# %% [markdown]
# **What one sees.** Left, cells of neighboring rank are not neighbors: they lie about equally far
# from the first cell, on a shell around it, and on average that is a good part of the whole field
# apart. The curve starts there, and not at 0 µm. Right, similarity is 1 at distance 0 in all four
# worlds, and the rank-lag curves begin far below it. All of them fall, and Pearson's r with the
# lag, the number in the published titles, is strongly negative for all: it says how straight a
# curve is, neither how steep nor how far it reaches.
#
# ## Similarity against distance
#
# So the distance itself. All pairs of units of a session, or a random sample where there are many,
# by the micrometers between their cell bodies; intervals resample the units, the bands are those of
# shuffled units. The same for pairs of cells, with intervals over images, because cells share
# units. Across sessions, distance is that of two positions relative to their own field's center:
# **brains are laid over one another without registration**, so it is nominal.

# %%
populations = {}
for kind, world in worlds[:2]:
    for key, x in world.items():
        inside, um = cells[key].inside, scale[key]
        populations["units", kind, key] = Population(x, normal[key][0] * um)
        spread = cells[key].of_inside
        populations["cells", kind, key] = Population(x, grid.centers[inside] * um, spread)

# %%
edges = np.array([0, 50, 100, 150, 200, 250, 300, 400, 500, 600])
results, rows = {}, []
for place, kind in product(("units", "cells"), ("predicted", "measured")):
    found = [p for (where, what, _), p in populations.items() if (where, what) == (place, kind)]
    parts = {"within": [(one, None) for one in found], "across": list(combinations(found, 2))}
    most, times = {"units": (5000, 5 * shuffles), "cells": (500, shuffles)}[place]
    for group in (name for name, sides in parts.items() if sides):
        rng = numpy_stream(seed, "distance", kind, place, group)
        curve = distance_curve(parts[group], edges, rng, resamples, times, most)
        results[group, place, kind] = curve.table
        rows.append((group, place, kind, *curve.length))

# %%
table = pd.concat(results, names=["group", "place", "kind"]).reset_index(level=[0, 1, 2])
save_table(table, tables["distance_curves"])
lengths = pd.DataFrame(rows, columns=["group", "place", "kind", "length_um", "low", "high"])
save_table(lengths, tables["length_constants"])
readable(lengths, 0)

# %%
figure, axes = plt.subplots(2, 3, figsize=(10, 6), sharey="row")
for row, group in zip(axes, ("within", "across"), strict=True):
    row[0].set_title(f"{group} sessions, published curve")
    for kind in ("shuffled", "predicted", "measured"):
        if (group, kind) in curves:
            panels.rank_lag(row[0], curves[group, kind], colors[kind], kind)
    for axis, place in zip(row[1:], ("units", "cells"), strict=True):
        axis.set_title(f"{group} sessions, pairs of {place}")
        for kind in ("predicted", "measured"):
            if (group, place, kind) in results:
                panels.distance_curve(axis, results[group, place, kind], colors[kind], kind)
                panels.null_band(
                    axis, results[group, place, kind], colors[kind], f"{kind}, shuffled"
                )
for axis in axes[0]:
    axis.legend()
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["08_curves"])

# %% [markdown]
# **What one sees.** Left, the published curve: it falls within sessions, as it does in the paper,
# and with shuffled units it falls as well. Right, why: cells interpolated between the same units
# are alike at short range whatever these units do, so the curve of cells hugs its own null. Only
# the middle panels speak of neurons. Where points at short distance lie above their band, near
# units are more alike than far ones; where the curve stays in the band, these units do not show it.
# With fifty simulated units a session, few pairs are closer than 100 µm: predictions rise above
# their band there, measured responses, with their noise, hardly do, and the length constants have
# intervals too wide to use, or none. (Planted in this simulation was a tuning shared over 60 µm;
# `tests/analyses/test_distance.py` recovers it from a denser population of linear units.)
# Predictions are alike at any distance, more than measured responses are: all are made by one small
# network. And where its readout takes positions from the cortex, near units are made alike by
# construction.
#
# Across sessions the published curve has no direction that shuffles do not have. A straight line in
# a smooth curve is easily had by chance: over shuffles and pairs, r takes any value between −1 and
# 1.
#
# ## Maps
#
# The similarity of one reference cell, in the square, with all cells of its plane: a mean over all
# parallel planes, then over sessions, or over ordered pairs of sessions with the reference in the
# first. Upstream drew the same planes and references; where a reference lies outside a hull, the
# nearest cell inside all of them takes its place. The last row is that of shuffled units.

# %%
inside = np.stack([interpolation.inside.reshape(grid.shape) for interpolation in cells.values()])
spatial = [
    (kind, {key: grids.on_grid(cells[key](x), grid) for key, x in world.items()})
    for kind, world in worlds[:7]
]
predicted_on_grid = list(spatial[0][1].values())
shuffled_on_grid = [z for _, world in spatial[2:] for z in world.values()]

# %%
pairs = {
    "within": [(z, z) for z in predicted_on_grid],
    "across": list(permutations(predicted_on_grid, 2)),
    "shuffled": [(z, z) for z in shuffled_on_grid],
}
views = [("xy", (-0.48, 0.08)), ("xy", (0.8, 0.64)), ("xy", (-0.8, -0.72))]
views += [("yz", (0.08, 0.0)), ("xz", (-0.48, 0.0))]

# %%
references = [grids.nearest_covered(inside, grid, *view) for view in views]
maps = defaultdict(list)
for group, sides in pairs.items():
    for (plane, _), reference in zip(views, references, strict=True):
        each = [grids.similarity_map(a, b, plane, reference) for a, b in sides]
        maps[group].append(grids.known_mean(np.stack(each)))

# %%
published_limits = {"within": 0.5, "across": 0.3, "shuffled": 0.5}
needed = {group: [np.nanquantile(np.abs(m), 0.9) for m in found] for group, found in maps.items()}
limits = {group: max(published_limits[group], *needed[group]) for group in maps}

# %%
figure, axes = plt.subplots(3, 5, figsize=(10, 5.4), sharex=True)
for row, (group, found) in zip(axes, maps.items(), strict=True):
    for axis, values, (plane, _), reference in zip(row, found, views, references, strict=True):
        centers = tuple(grid.axes[grids.AXES[name]] for name in plane)
        panels.similarity_map(axis, values, centers, reference, round(limits[group], 1))
    row[0].set_ylabel(group, fontsize=10)
    panels.similarity_scale(row, round(limits[group], 1))
for top, bottom, (plane, _) in zip(axes[0], axes[-1], views, strict=True):
    top.set_title(f"{plane[0].upper()} and {plane[1].upper()}")
    bottom.set_xlabel(f"{plane[0]} (field = −1..1)")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["08_maps"])

# %% [markdown]
# **What one sees.** A dark patch around each square, within sessions, looks like a patch of alike
# neurons. The last row shows the same patch, as large, with shuffled units: at this density of
# units it is the reach of the interpolation. On simulated data nothing else should be read from the
# first row. With thousands of units a session the patch of the last row shrinks to a few cells, and
# what is larger than it can be believed. Across sessions, the square marks nothing: nothing aligned
# these brains, so only a similarity coarser than the misplacement of their fields could show. The
# color scale is the published one, 0.5 within and 0.3 across, or wider where needed.
#
# ## Is one direction steeper?
#
# The published analysis asks how fast similarity changes along X, Y and depth Z:
# |r(cell) − r(reference)| / distance for cells up to two away along one axis. It used one formula
# for responses, another for predictions, and tested Y against Z over cells. Cells are no
# independent samples: thousands of them are mixed from the same units. So here is one definition,
# per 100 µm, with every cell a reference, and Welch's test twice: over cells, as upstream, and over
# the means of sessions.

# %%
parts = []
for kind, world in spatial:
    for key, z in world.items():
        for axis in grids.AXES:
            ratio = grids.change_ratio(z, z, grid, axis) * 100 / scale[key]
            parts.append(pd.DataFrame({"kind": kind, "session": key, "axis": axis, "ratio": ratio}))
ratios = pd.concat(parts, ignore_index=True)
means = ratios.groupby(["kind", "axis", "session"], sort=False)["ratio"].mean().reset_index()
save_table(means, tables["change_ratio"])
means.pivot_table(index=["kind", "session"], columns="axis", values="ratio", sort=False).round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(3, 2))
panels.change_boxes(axes[0], ratios, colors)
panels.session_means(axes[1], means, colors)
axes[0].set_title("all cells", pad=20)
axes[1].set(title="means of sessions", ylabel="change of r per 100 µm")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["08_change_ratio"])

# %%
rows = []
for samples, values in (("cells", ratios), ("sessions", means)):
    for kind in means["kind"].unique():
        y, z = (values[(values["kind"] == kind) & (values["axis"] == k)]["ratio"] for k in "yz")
        if len(y) > 1:
            rows.append({"samples": samples, "kind": kind, "n": len(y), **grids.welch(y, z)})
tests = pd.DataFrame(rows)
save_table(tests, tables["change_ratio_tests"])
readable(tests)

# %% [markdown]
# **What one sees.** Similarity changes more along depth than along X and Y, and the test over cells
# finds it at any level of significance: there are tens of thousands of them. Shuffled units show
# the same step. It comes from where units lie, in a field that is wide and flat, and from the thin
# simplices between them, not from what they do. Over sessions there are as many samples as mice. A
# difference between axes counts only as far as it exceeds that of the shuffled units.
#
# ## Beside the published numbers
#
# Pearson's r of the rank-lag curves, from stored outputs of the published notebooks, beside ours
# for the same session, and the mean of ours with shuffled units. An average is the r of the average
# curve. The ten published pairs of sessions are not named, so ours stand in the table `rank_lag`.

# %%
published = {
    **{"21067-10-18": -0.9461, "23343-5-17": -0.9249, "22846-10-16": -0.9086},
    **{"23656-14-22": -0.8679, "23964-4-22": -0.8791, "average within": -0.927},
    "average across": -0.9932,
}
of_pairs = (-0.9697, -0.9675, -0.9785, -0.9865, -0.9655, -0.9804, -0.9852, -0.9825, -0.9394, -0.917)
published |= {f"pair {k}": r for k, r in enumerate(of_pairs, 1)}

# %%
rows = lags[lags["group"] == "within"].rename(columns={"session": "curve"})[["curve", "kind", "r"]]
for (group, kind), found in curves.items():
    shortest = min(map(len, found))
    average = np.mean([curve[:shortest] for curve in found], axis=0)
    r = pearson(np.arange(shortest)[:, None], average[:, None])[0]
    rows.loc[len(lags) + len(rows)] = (f"average {group}", kind, r)

# %%
ours = rows.pivot_table(index="curve", columns="kind", values="r", sort=False)
table = pd.DataFrame({"curve": published.keys(), "upstream r": published.values()})
table["status"] = "stored output"
table = table.merge(ours.reset_index(), how="left", on="curve")
table.insert(0, "our data", "simulated" if simulated else "recorded")
save_table(table, tables["published_grid"])
readable(table)

# %% [markdown]
# **What one sees.** Values near −0.9 in both. On simulated mice they must not be read as a
# reproduction, and the column of shuffled units shows how little it takes to get them.
#
# So: do near neurons respond alike? The rank-lag curve cannot say. The distance curve of units,
# against its shuffles, can, and gives a length where there are enough close pairs: see the table of
# length constants, where a dash means that these data do not say. From one brain to the next, this
# analysis shows nothing before the brains are registered.
