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
# # 01 · Preprocess
#
# **What is in recordings of V4 and IT, and how well could any model of them do?**
#
# A score says how like a brain a network is only beside what was possible. Sites are noisy: shown
# the same image again, they do not answer the same. What of a site's variance over images
# comes again is its *reliability* c, and no model can explain more than that. So before any
# network is looked at, this notebook
#
# 1. finds an *assembly*: responses to single presentations, [presentation x site], with a table
#    that names image, object and repeat, and one that names region and animal. The `demo`
#    profile simulates one: 64 objects, sites of V4 and IT of two monkeys;
# 2. averages repeats and finds the reliability of each site, as Brain-Score does;
# 3. scores a toy assembly against itself, which has to give about 1.
#
# The simulated sites were made to have a right answer. V4 sites read area V4 of one random
# CORnet-Z, IT sites its area IT: a few directions of it, and, in IT, a fifth of the signal is
# tuning to categories, which no random network knows. One IT site is noise alone and one never
# changes, since such sites exist. Everything that was planted is kept apart, in `truth.npz`.
#
# Beside the assembly of mean rates lie one in bins of 10 ms, choices of human observers, voxels of
# a scanned subject, and folders of images to train networks on; later notebooks open them.
#
# The answer is the table of ceilings, and the figure below it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assemblies import Assembly
from src.data.assembly_files import open_assembly
from src.data.blocks import read
from src.data.feature_set import FeatureSet
from src.data.folders import open_folders
from src.data.objects import categories_of
from src.data.registry import require_raw
from src.evaluation.likeness import Settings, score
from src.evaluation.repetition_ceiling import internal_consistency
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.frozen import frozen_network
from src.models.planted import areas_of
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.ventral import PRESETS, load_ventral_truth, simulate_ventral
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation and of the network it reads

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
truth = places.raw.with_name(f"{places.raw.name}_truth")
tables = {name: places.tables / f"{name}.csv" for name in ("sessions", "sites", "ceilings", "toy")}
drawn = {name: places.figures / f"01_{name}.png" for name in ("images", "ceilings")}
declare(*tables.values(), *drawn.values())

# %% [markdown]
# ## Find the recordings
#
# Your own go to `data/raw/cornet/<name>/assembly.h5`; NetCDF as Brain-Score writes it, npz and csv
# are read as well. For those of the papers, `python -m src.fetch cornet` says where to get what.
# The simulation asks a random CORnet-Z what its areas make of each image. It is the network
# called `planted`, which a later notebook will show the images again.

# %%
if simulated:
    size = PRESETS[settings.simulation].size
    read_by_sites = frozen_network(settings.network("planted"), size, seed)
    simulate_ventral(places.raw, truth, settings.simulation, seed, areas_of(read_by_sites))
elif not recording:
    require_raw(study.name, places.raw)
path = places.raw / "assembly.h5"
assembly = open_assembly(note_input(path))
print("(n_presentations, n_sites) =", assembly.values.shape)

# %%
shown = assembly.stimuli.groupby("stimulus_id").size()
rows = assembly.units.groupby(["region", "animal"]).size().rename("n_units").reset_index()
rows["n_images"], rows["n_objects"] = len(shown), assembly.stimuli["object_name"].nunique()
rows["repeats"] = f"{shown.min()} to {shown.max()}"
rows["n_presentations"] = len(assembly.values)
rows.insert(0, "data", "simulated" if simulated else "recorded")
save_table(rows, tables["sessions"])
rows

# %% [markdown]
# ## The images

# %%
use_style()
pixels, ids = read(path, "images/pixels"), read(path, "images/stimulus_id")
names = assembly.stimuli.drop_duplicates("stimulus_id").set_index("stimulus_id")["object_name"]
objects = names.loc[ids].to_numpy(str)
groups = categories_of(objects) if simulated else objects
first = np.unique(groups, return_index=True)[1][:8]
figure, axes = plt.subplots(1, len(first), figsize=(9, 1.6))
for axis, i in zip(axes, first, strict=True):
    panels.picture(axis, pixels[i][None])
    axis.set_title(objects[i], fontsize=8)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["images"])

# %% [markdown]
# **What one sees.** One image of each category. Where the object is, how large and how it is
# turned changes from image to image, and the background has nothing to do with it.
#
# ## Ceilings
#
# The labels of repeats are split in half at random, ten times; the means over both halves are
# correlated over images, site by site, and r of halves becomes that of all repeats by
# Spearman and Brown's formula, c = 2r / (1 + r). Brain-Score's ceiling of a region is the median
# over its sites, and the mean over halvings.

# %%
found = {r: internal_consistency(assembly.of_region(r)) for r in study.sessions}
ceilings = pd.DataFrame(
    {
        "data": "simulated" if simulated else "recorded",
        "region": list(found),
        "ceiling": [c.score for c in found.values()],
        "error": [c.error for c in found.values()],
        "n_units": [c.raw.shape[1] for c in found.values()],
    }
)
save_table(ceilings, tables["ceilings"])
ceilings.round(4)

# %%
sites = pd.concat(
    assembly.of_region(r).units.assign(c=found[r].raw.mean(0)) for r in study.sessions
)
save_table(sites, tables["sites"])
lowest = sites.nsmallest(3, "c")[["unit_id", "region", "c"]]
print("sites of no defined c:", ", ".join(sites.loc[sites["c"].isna(), "unit_id"]) or "none")
lowest.round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8), sharey=True)
for axis, region in zip(axes, study.sessions, strict=True):
    c = sites.loc[sites["region"] == region, "c"].dropna()
    panels.score_histograms(axis, {region: c.to_numpy()}, {region: "#0072b2"}, "reliability c")
    axis.set(title=f"{region}, ceiling {found[region].score:.3f}", ylabel="")
axes[0].set_ylabel("sites")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["ceilings"])

# %% [markdown]
# **What one sees.** One histogram a region, the line its median. The published data have medians
# of .82 in IT and .88 in V4, and these were simulated to be like them. Of the two IT sites at zero
# one fires at random and one never changes: nothing can be explained in either.
#
# Is what was measured what was planted?

# %%
if simulated:
    known = load_ventral_truth(truth / "truth.npz")
    planted = pd.Series(known["reliability"], assembly.units["unit_id"])
    error = (sites.set_index("unit_id")["c"] - planted).dropna()
    print(f"c measured minus c planted: mean {error.mean():+.4f}, largest {error.abs().max():.4f}")

# %% [markdown]
# ## A toy, scored against itself
#
# Thirty stimuli of three objects, 25 units. A model whose features are the very responses predicts
# them through a linear map as well as such a map can be fitted, and its dissimilarities are the
# same. Any pipeline of scores has to pass this before its numbers mean anything.

# %%
rng = numpy_stream(seed, "toy")
labels = pd.DataFrame({"stimulus_id": np.arange(30), "object_name": np.repeat(["a", "b", "c"], 10)})
values = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 25))
toy = Assembly(values, labels, pd.DataFrame({"unit_id": np.arange(25), "region": "toy"}))
features = FeatureSet(values, labels["stimulus_id"].astype(str), "itself")
how = Settings(ceiling="none", components=3, resamples=0)
own = {m: score(features, toy, m, settings=how).raw for m in ("pls", "ridge", "rdm", "cka")}
toy_scores = pd.DataFrame({"metric": list(own), "raw": list(own.values())})
save_table(toy_scores, tables["toy"])
toy_scores.round(4)

# %% [markdown]
# ## Images to train on
#
# Folders as ImageNet has them, a class each. In the demo these are new images of the same
# objects, to be named by category; no image of the assembly is among them.

# %%
if (places.raw / "pictures").is_dir():
    train, held_out = open_folders(places.raw / "pictures")
    print(f"{len(train)} images to train on, {len(held_out)} to validate:", *train.classes)

# %% [markdown]
# Next: `02_train` trains a network to name these images, and `02_extract` shows the images of
# the assembly to networks that never see a response.
