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
# # 06 · Layers
#
# **Which layer goes with which region, and with which moment?**
#
# That areas of a network line up with areas of the brain, early with early and late with late, is
# the claim in the names that CORnet gives its areas. As a table it is three-fold: layer by region,
# by time. This notebook draws it, and puts three controls beside it:
#
# - **untrained networks** of the same make. Much of the agreement of a network with cortex is
#   there before any training, so what training has taught is a difference and not a height;
# - **permuted images.** Features are handed to other images, and everything is scored as
#   before. What is left is what a score is worth when there is nothing to find; a loader that had
#   shuffled its images would pass for this, and would be seen here;
# - **the planted network**, on simulated sites: V4 reads its V4, and IT its IT. If the table did
#   not show *that*, it could show nothing.
#
# Scans are scored in the same way. A voxel is a unit and a region of interest a region; what it
# repeats is known from its *noise ceiling signal-to-noise ratio* (ncsnr, Allen et al. 2022), since
# images were shown only three times.
#
# For time, rates in bins of 10 ms are averaged to bins of 30 ms, weighted by how much of a bin
# lies in another, and each is predicted by itself.
#
# The answer is the first figure.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assembly_files import open_assembly
from src.evaluation.folds import brain_score_splits
from src.evaluation.likeness import Settings, score
from src.evaluation.stored_sets import stored_sets
from src.evaluation.time_bins import aligned, scored_by_bin
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
network: str = ""  # whose layers are drawn over time and on voxels; empty: the first
seed: int = 42  # seed of the permutation

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
layers = pd.read_csv(note_input(places.tables / "layers.csv"))
network = network or layers["model"].iloc[0]
declare(places.tables / "06_permuted.csv", places.figures / "06_regions.png")

# %% [markdown]
# ## Layer by region
#
# From `04_evaluate`: the median correlation of every layer with every region, for each network.

# %%
use_style()
parts = {
    name: part.pivot_table("raw", "region", "place", sort=False).loc[list(study.sessions)]
    for name, part in layers.groupby("model", sort=False)
}
widths = [part.shape[1] for part in parts.values()]
figure, axes = plt.subplots(1, len(parts), figsize=(2 + 0.34 * sum(widths), 2.2), sharey=True,
                            width_ratios=widths, squeeze=False)  # fmt: skip
for axis, (name, part) in zip(axes[0], parts.items(), strict=True):
    panels.value_map(axis, part.to_numpy(), study.sessions, list(part.columns))
    axis.set_title(name.removeprefix("cornet_").replace("_", " "), fontsize=8)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "06_regions.png")

# %% [markdown]
# **What one sees.** One map a network, layers from left to right, regions as rows, dark is well
# predicted. The planted network has its darkest field of each row at the area of that name. In all
# others the two rows look alike: where features are rich, both regions are predicted better, which
# alone says nothing of a correspondence. It takes the difference between rows.
#
# ## With permuted images

# %%
path = note_input(places.raw / "assembly.h5")
assembly = open_assembly(path)
rng, how = numpy_stream(seed, "permuted"), Settings(ceiling="none", resamples=0)
data = "simulated" if simulated else "recorded"

# %%
rows = []
for name, part in parts.items():
    last = part.columns[-2]  # before the decoder
    x = stored_sets(places.features, name, path)[last]
    moved = replace(x, values=x.values[rng.permutation(len(x.values))])
    for region in study.sessions:
        row = {"model": name, "region": region, "layer": x.layer}
        row["permuted"] = score(moved, assembly, "pls", region, settings=how).raw
        rows.append({**row, "true": part.loc[region, last]})

# %%
permuted = pd.DataFrame(rows)
permuted.insert(0, "data", data)
save_table(permuted, places.tables / "06_permuted.csv")
permuted.round(3)

# %% [markdown]
# Correlations with the wrong images scatter around zero, so rows were aligned, and nothing above
# comes from anything but the images.
#
# ## Layer by moment

# %%
timed = places.raw / "assembly_10ms.h5"
if timed.exists():
    declare(places.tables / "06_moments.csv", places.figures / "06_moments.png")
    means = open_assembly(note_input(timed)).averaged()
    bins = np.array([(t, t + 30) for t in range(70, 250, 30)])
    y = aligned(means.values, means.time_bins, bins)
    splits = brain_score_splits(means.column("object_name"))

# %%
if timed.exists():
    found = {}
    for place, x in stored_sets(places.features, network, path).items():
        features = x.values[x.rows(means.stimulus_ids)]
        found[place] = [one.score for one in scored_by_bin(features, y, splits)]
    moments = pd.DataFrame(found, [f"{a}-{b}" for a, b in bins]).rename_axis("ms").reset_index()
    save_table(moments, places.tables / "06_moments.csv")

# %%
if timed.exists():
    values = moments.set_index("ms").T
    figure, axis = plt.subplots(figsize=(5.4, 2.8))
    top = float(np.nanmax(values.to_numpy()))
    image = panels.value_map(
        axis, values.to_numpy(), list(values.index), list(values.columns), (0, top)
    )
    axis.set(xlabel="ms after the image came on", title=f"{network} to IT sites")
    figure.colorbar(image, ax=axis, label="r, median over sites")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "06_moments.png")

# %% [markdown]
# **What one sees.** Layers as rows, moments as columns. A static network says the same at all
# times, so a row changes only because the sites do. Simulated sites answer to the object in an
# image from some 100 ms on, and for half of the varied images 50 ms later, so that prediction
# rises in two steps. It stays low, since tuning to single objects, drawn at random, is something
# that no area of a random network holds; and before, sites tell images apart in a way that no
# area shares.
#
# ## Voxels

# %%
scanned = places.raw / "voxels.h5"
if scanned.exists():
    declare(places.tables / "06_voxels.csv", places.figures / "06_voxels.png")
    voxels = open_assembly(note_input(scanned))
    how = Settings(ceiling="ncsnr", resamples=0)

# %%
if scanned.exists():
    rows = []
    for place, x in stored_sets(places.features, network, path).items():
        for region in voxels.units["region"].unique():
            one = score(x, voxels, "pls", region, settings=how)
            row = {"model": network, "layer": place, "region": region, "raw": one.raw}
            rows.append({**row, "ceiling": one.ceiling, "explained": one.ceiled_units})
    by_roi = pd.DataFrame(rows)
    save_table(by_roi, places.tables / "06_voxels.csv")

# %%
if scanned.exists():
    wide = by_roi.pivot_table("explained", "region", "layer", sort=False)
    figure, axis = plt.subplots(figsize=(5.4, 2.6))
    image = panels.value_map(axis, wide.to_numpy(), list(wide.index), list(wide.columns))
    axis.set_title(f"{network} to voxels")
    figure.colorbar(image, ax=axis, label="r² / c, mean over voxels")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "06_voxels.png")

# %% [markdown]
# **What one sees.** The share of what is explainable in a voxel, by layer and region of interest.
# In the simulation the early region reads V1, the middle one V4 and the ventral one IT, and the
# darkest field of a row lies there. A voxel's correlation is low, since it was measured three
# times only; set against its own ceiling it is not.
