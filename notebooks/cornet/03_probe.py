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
# **How well do the layers of a network predict V4, and how well IT?**
#
# Brain-Score's answer (Schrimpf et al. 2018) is a recipe in five lines. Take the features of a
# layer for all images. Draw a tenth of the images to test, by object, ten times. Fit the
# responses of all sites to the other nine tenths by partial least squares with 25 components.
# Correlate predictions and responses over the test images, site by site. The score is the median
# over sites, and the mean over the ten draws.
#
# The draws here are Brain-Score's own, image by image; its scores are reproduced to nine
# digits by other regressions and to a thousandth by this one, where its own fit stops early. What
# takes most of its time is not needed: everything that PLS does with features depends on their
# inner products alone, which are computed once for all ten draws.
#
# Which layer stands for which area? Looking for the best layer on the same images that it is
# then scored on makes the score too good. So the choice is *nested*: each draw chooses among its
# training images, and its test images see the chosen layer alone. CORnets come with an answer,
# since their areas have names; whether V4 is best predicted by V4 is then a finding and no
# definition.
#
# The answer is the figure of scores over layers, and the table of choices.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assembly_files import open_assembly
from src.evaluation.layer_choice import choose_layer
from src.evaluation.likeness import Settings, score
from src.evaluation.score_record import Source, save_records
from src.evaluation.stored_sets import stored_sets
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
probe: str = "cornet_z"  # a probe of the profile: networks of one architecture
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
components: int = 25  # of partial least squares
resamples: int = 200  # of images and sites, for intervals
seed: int = 42  # seed of the resamples

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
plan = settings.probe(probe)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
folder = places.predictions / probe
tables = {name: places.tables / f"03_{probe}{name}.csv" for name in ("", "_choice")}
drawn = places.figures / f"03_{probe}.png"
declare(*tables.values(), folder / "scores.csv", drawn)
plan

# %% [markdown]
# ## Responses, and features of the same images
#
# Rows are matched by the images' ids; features carry their images' hashes, so that a row
# cannot belong to another image.

# %%
path = note_input(places.raw / "assembly.h5")
assembly = open_assembly(path)
sets = {
    (network, place): features
    for network in plan.networks
    for place, features in stored_sets(places.features, network, path).items()
}
first = next(iter(sets.values()))
print(len(sets), "layers;", "(n_images, n_features) =", first.values.shape, "of the first")

# %% [markdown]
# ## Score every layer
#
# `raw` is Brain-Score's median correlation, with an interval from resampled images *and* sites;
# `ceiling` the reliability c of the region. Three generations of a formula divide one by the
# other, and were mixed up in threads and papers: r / c, (r / c)², and since the end of 2025 r² /
# c. c is already a share of variance, so r² / c is the share of what can be explained; it is
# called `ceiled` here, and the others stand beside it in the stored table, each by its name.

# %%
data = "simulated" if simulated else "recorded"
source = Source(study.name, "all", data)
how = Settings(components=components, resamples=resamples, seed=seed)
records = [
    score(features, assembly, "pls", region, source=source, settings=how)
    for features in sets.values()
    for region in study.sessions
]

# %%
save_records(records, folder)
found = pd.read_csv(folder / "scores.csv")
found["place"] = [place for _, place in sets for _ in study.sessions]
save_table(found.drop(columns="seconds"), tables[""])
shown = ["model", "place", "region", "raw", "ci_low", "ci_high", "ceiling", "ceiled", "seconds"]
found[shown].round(3)

# %% [markdown]
# ## Choose a layer for each region

# %%
means = assembly.averaged()
choices, objects = [], means.column("object_name")
for region in study.sessions:
    y = means.of_region(region).values
    for network in plan.networks:
        own = {place: x for (name, place), x in sets.items() if name == network}
        layers = {place: x.values[x.rows(means.stimulus_ids)] for place, x in own.items()}
        choice = choose_layer(layers, y, objects, "pls")
        row = choice.table().assign(model=network, region=region, nested=choice.nested.score)
        choices.append(row.assign(best=row["layer"] == choice.layer))

# %%
choices = pd.concat(choices)
save_table(choices, tables["_choice"])
choices[choices["best"]].round(3)

# %% [markdown]
# `training` is the mean score inside training images, by which a layer was chosen; `chosen` the
# share of draws that chose it; `nested` the score that the choice has not seen.

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
colors = dict(zip(plan.networks, ("#0072b2", "#d55e00", "#009e73", "#e69f00"), strict=False))
for axis, region in zip(axes, study.sessions, strict=True):
    part = found[found["region"] == region]
    for k, network in enumerate(plan.networks):
        own = part[part["model"] == network]
        at = np.arange(len(own)) + 0.12 * k
        reach = np.abs(own[["ci_low", "ci_high"]].to_numpy().T - own["raw"].to_numpy())
        look = {"color": colors[network], "marker": "o", "markersize": 4, "label": network}
        axis.errorbar(at, own["raw"], reach, **look)
    axis.set_xticks(np.arange(len(own)), own["place"], rotation=30, ha="right")
    ceiling = np.sqrt(part["ceiling"].iloc[0])
    axis.axhline(ceiling, color="#8b1e2d", linestyle=(0, (4, 2)), linewidth=1)
    axis.text(0, ceiling, "√c", color="#8b1e2d", va="bottom", fontsize=8)
    axis.set(title=region, ylim=(min(0, part["ci_low"].min()), 1))
axes[0].set_ylabel("r, median over sites")
axes[1].legend(fontsize=7)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** Correlations over layers, for V4 left and IT right, with intervals; the dashed
# line is √c, the highest correlation there can be. The planted network peaks at its own area in
# each panel, since that is what sites read. Another random network of the same make comes close
# and stays below, and has its peak where the code is the richest, not where it is called so. A
# trained network is lower on these simulated sites than an untrained one may be: they read a
# random code, and training moves away from it. In cortex it is the other way round, which is the
# finding of Yamins et al. (2014).
#
# Next: `04_evaluate` puts networks and measures side by side.
