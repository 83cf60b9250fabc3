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
# # 09 · Neurons
#
# **Which neurons are predicted well, and do neurons fall into kinds?**
#
# Two figures of the published analysis have their counterparts here. The first plots every unit's
# score against the place of its cell body: is there a corner, or a depth, where the model does
# better? The second groups the units by k-means. Upstream, a unit was described by its position in
# raw micrometers, and beside it, unscaled, by its 100 predicted responses. Positions differ by
# hundreds, responses by one, so that distance between units *is* distance in cortex, and whatever
# the responses are, the clusters must come out as blobs of tissue.
#
# So the grouping is done here with four descriptions of the same units:
#
# - **unscaled**: micrometers beside responses, as upstream;
# - **position**: micrometers alone, the control that must differ if responses matter;
# - **function**: responses alone, each unit z-scored over images, so that neither gain nor place
#   plays a part, and two units are near when their responses correlate;
# - **scaled**: position and function, each with the same total variance.
#
# How alike two groupings are is measured by the adjusted Rand index, 1 for the same groups, 0 for
# chance. Whether there are groups at all is a question of its own: the gap statistic compares the
# tightness of k clusters with that in data that have none. The answer is the figure of Rand
# indices, and the table of gaps before it.

# %%
from functools import reduce
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from src.analyses import clusters as groups
from src.analyses.cortical_grid import normalized
from src.analyses.gradients import binned_means, trend
from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.bootstrap import interval
from src.evaluation.metrics import Repeats
from src.evaluation.prediction import align, load_prediction
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.panels.scores import LABELS
from src.figures.style import FAINT, INK, mark_simulated, model_color, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = ""  # model whose scores and predictions are used; empty: the first wide one
clusters: int = 20  # of k-means, as published; fewer where there are not 20 units for each
largest: int = 10  # number of clusters up to which the gap is computed
most: int = 4000  # units to group, at random among all
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of starts, reference sets and shuffles

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
models = [plan.model.name for plan in settings.main]
model = model or next(name for name in models if name.startswith("wide"))
members = settings.plan(model).members
system = f"{model} x {members}" if members > 1 else model
sessions = open_sessions(places.processed, InputConfig(scale="full"))
fields = {key: normalized(session.coordinates) for key, session in sessions.items()}

# %%
names = ("09_score_by_place", "09_gap", "09_clusters", "09_rand", "09_embedding")
figures = {name: places.figures / f"{name}.png" for name in names}
tables = {n: places.tables / f"{n}.csv" for n in ("score_trends", "gap", "clusters", "rand")}
declare(*figures.values(), *tables.values())
use_style()

# %% [markdown]
# ## Score against place
#
# Correlation to average of all units, and FEVE of those with at least 15 % explainable variance,
# along the three axes of cortex. X and Y are relative to the center of each session's field, depth
# is as recorded. Dots are units, lines are means of bins with 95 % intervals over units.

# %%
units = pd.read_csv(note_input(places.tables / "units.csv"))
units = units[(units["model"] == system) & (units["status"] != "withheld")]
units[["x", "y"]] -= units.groupby("session")[["x", "y"]].transform("mean")
by_metric = {"avg": units.dropna(subset="avg"), "feve": units[units["kept"]]}
by_metric = {metric: known for metric, known in by_metric.items() if len(known) > 1}
axis_labels = {"x": "x from center (µm)", "y": "y from center (µm)", "z": "depth z (µm)"}

# %%
rows = []
n = len(by_metric)
figure, axes = plt.subplots(n, 3, figsize=(9, 2.4 * n), sharey="row", sharex="col", squeeze=False)
for row, (metric, known) in zip(axes, by_metric.items(), strict=True):
    for axis, name in zip(row, axis_labels, strict=True):
        rng = numpy_stream(seed, "trend", metric, name)
        place, score = known[name].to_numpy(), known[metric].to_numpy()
        means = binned_means(place, score, 7, rng)
        panels.score_profile(axis, place, score, means, model_color(system))
        rows.append((metric, name, len(known), *trend(place, score, known["session"], rng)))
    row[0].set_ylabel(LABELS[metric])
for axis, label in zip(axes[-1], axis_labels.values(), strict=True):
    axis.set_xlabel(label)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["09_score_by_place"])
trends = pd.DataFrame(rows, columns=["metric", "along", "units", "r", "p"])
save_table(trends, tables["score_trends"])
readable(trends)

# %% [markdown]
# **What one sees.** Units differ far more among each other than any bin differs from the next: at
# every place there are units predicted well and units not predicted at all. A bin whose interval
# stands apart from its neighbors is worth a look, but with seven bins on six axes one will by
# chance; the table says more. It has the correlation of score and place within sessions, and how
# often units shuffled within their session give one as large. On these simulated mice no place was
# planted to be better than another, and with some hundred units only strong trends would show.
#
# ## What a unit is described by
#
# The predicted mean response to every test image that all sessions share: the same images, so that
# units of different brains can stand in one table. Positions are relative to the center of each
# field; brains are not registered.

# %%
shared = reduce(np.intersect1d, (s.image_ids[s.trials("test")] for s in sessions.values()))
responses, positions, brains, ids = [], [], [], []
for number, (key, session) in enumerate(sessions.items()):
    trials = session.trials("test")
    repeats = Repeats.of(session.image_ids[trials])
    prediction = load_prediction(places.predictions / model / f"{key}.npz")
    values = repeats.mean(align(prediction, session.trial_ids[trials], session.unit_ids))
    responses.append(values[np.isin(repeats.ids, shared)])
    positions.append(np.multiply(*fields[key]))
    brains.append(np.full(session.n_units, number))
    ids.append(session.unit_ids)

# %%
total = sum(map(len, positions))
chosen = np.sort(numpy_stream(seed, "units").permutation(total)[:most])
responses = np.concatenate(responses, axis=1)[:, chosen]  # (n_images, n_units)
positions, brains, ids = (np.concatenate(x)[chosen] for x in (positions, brains, ids))
print("(n_images, n_units) =", responses.shape, "of", total)

# %%
described = {kind: groups.features(kind, positions, responses) for kind in groups.FEATURES}
variances = {
    kind: (x[:, :3].var(axis=0).sum(), x.var(axis=0).sum()) for kind, x in described.items()
}
share = variances["unscaled"][0] / variances["unscaled"][1]
print(f"unscaled: {100 * share:.3f} % of the variance between units is position")

# %% [markdown]
# ## Are there kinds at all?
#
# The more clusters, the less variance within them, also where there are none. The gap is how much
# less than in reference sets without clusters, drawn uniformly from a box along the data's
# principal axes (Tibshirani, Walther & Hastie 2001). Their rule takes the smallest k whose gap is
# within one standard error of the next. The control is `function` with each image's responses
# handed to other units: the same values, no kinds.

# %%
control = groups.shuffled_units(described["function"], numpy_stream(seed, "control"))
tried = {"function": described["function"], "function, shuffled": control}
tried["unscaled"] = described["unscaled"]
gaps, best = [], {}
for kind, x in tried.items():
    gap = groups.gap_statistic(x, largest, numpy_stream(seed, "gap", kind))
    columns = {"features": kind, "k": gap.k, "within": gap.within, "gap": gap.gap}
    gaps.append(pd.DataFrame({**columns, "error": gap.error}))
    best[kind] = gap.best

# %%
gaps = pd.concat(gaps, ignore_index=True)
upstream = {2: 0.426, 3: 0.427, 4: 0.217, 5: 0.211, 6: 0.295}
shown = gaps.pivot_table(index="k", columns="features", values="gap", sort=False).reset_index()
shown["upstream, unscaled (stored output)"] = shown["k"].map(upstream)
save_table(gaps, tables["gap"])
print("clusters by the rule:", best)
readable(shown)

# %%
shades = {"function": model_color(model), "function, shuffled": FAINT, "unscaled": INK}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
for kind, one in gaps.groupby("features", sort=False):
    panels.elbow(axes[0], one, shades[kind], kind)
    panels.gap_curve(axes[1], one, shades[kind], kind)
axes[0].legend()
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["09_gap"])

# %% [markdown]
# **What one sees.** Left, the elbow: variance within falls fast for `unscaled`, because three
# dimensions of tissue are quickly cut, and slowly for `function`; neither has a corner that one
# could point at, and the curve of `function, shuffled` shows how much falls by itself. Right, the
# gap. Its height depends on how much of the reference box the data fill, so that only its course
# counts. For real kinds it would rise to their number and then fall. `unscaled` and the shuffled
# control fall from the start: no clusters, by the rule k = 1. `function` keeps rising a little. Its
# units are not as scattered as shuffled ones, but wherever the rule stops, at the first step that
# is within the error, the gap rises on: no number of kinds stands out. With two hundred simulated
# units that is as much as can be said, and what was planted: many small modules, not a few types.
#
# ## Four groupings of the same units
#
# To compare groupings they need the same number of clusters, whether or not the data ask for it:
# 20 as upstream, or as many as leave 20 units for each.

# %%
k = max(2, min(clusters, len(brains) // 20))
labels = {
    kind: groups.fit_clusters(x, k, numpy_stream(seed, "clusters", kind))[0]
    for kind, x in described.items()
}
table = pd.DataFrame({"session": np.array(list(sessions))[brains], "unit_id": ids, **labels})
save_table(table, tables["clusters"])
print(k, "clusters of", len(table), "units")

# %%
figure, axes = plt.subplots(1, 4, figsize=(10, 3), sharey=True)
for axis, (kind, found) in zip(axes, labels.items(), strict=True):
    panels.clusters_in_cortex(axis, positions, found)
    axis.set_title(kind)
    axis.label_outer()
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["09_clusters"])

# %% [markdown]
# **What one sees.** Cell bodies from above, all sessions laid over one another; colors are
# arbitrary and differ between panels. `unscaled` and `position` cut the field into the same kind of
# tiles. `function` mixes its colors over the field, and `scaled` lies between the two, as it must.
#
# ## How alike are they?
#
# Every pair of groupings, with the units of one shuffled for the null. Three more for scale: the
# same features grouped again from other starts, which is as alike as k-means can be to itself; and
# function against the session a unit was recorded in.

# %%
pairs = {f"{a} – {b}": (labels[a], labels[b]) for a, b in combinations(labels, 2)}
for kind in ("position", "function"):
    again = groups.fit_clusters(described[kind], k, numpy_stream(seed, "again", kind))[0]
    pairs[f"{kind} – {kind}, other starts"] = (labels[kind], again)
pairs["function – session"] = (labels["function"], brains)
rows = []
for pair, (a, b) in pairs.items():
    null = groups.rand_null(a, b, numpy_stream(seed, "rand", pair))
    rows.append((pair, adjusted_rand_score(a, b), *interval(null)))
rand = pd.DataFrame(rows, columns=["pair", "rand", "null_low", "null_high"])
save_table(rand, tables["rand"])

# %%
figure, axis = plt.subplots(figsize=(7, 3.4))
panels.rand_bars(axis, rand)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["09_rand"])
readable(rand)

# %% [markdown]
# **What one sees.** The unscaled grouping of upstream is nearly that of positions alone, about as
# alike as k-means of positions is to itself from other starts. Responses had no say. Grouped by
# function, units share a little with their place: the index is small, and outside the gray band of
# shuffled units. Part of that may be built in, since these responses are predictions of a network
# whose readout may place near units alike. And k-means of function agrees only partly with itself
# from other starts: another sign that the clusters are cuts through a cloud, not kinds. That they
# do not follow the sessions says that a unit's brain does not decide its cluster.
#
# ## A map of function
#
# t-SNE puts units near one another whose responses correlate. Left, colored by the clusters of
# function; right, by session.

# %%
points = groups.projection(described["function"], numpy_stream(seed, "projection"))
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
panels.embedding(axes[0], points, labels["function"])
panels.embedding(axes[1], points, brains, list(sessions))
axes[0].set_title("cluster")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["09_embedding"])

# %% [markdown]
# **What one sees.** Near units in this map share colors, left, because both come from the same
# distances; the picture is no evidence of its own. Small islands are units of nearly equal
# predictions. Right, every session is everywhere.
#
# So: how well a neuron is predicted depends little on where it lies, as far as these units tell,
# and *kinds* of neurons need more than a clustering that returns k of them. The published clusters
# are tiles of tissue. Described by function, units differ by degrees here; whether real ones do is
# a question for the same notebook with the `full` profile.
