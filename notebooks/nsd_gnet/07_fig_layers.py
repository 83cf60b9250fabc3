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
# # 07 · Layers
#
# **Which depth of a network does a voxel read, if nobody tells it?**
#
# The trunk of GNet offers every voxel seven layers at once, on two maps. Nothing says that V1 must
# read the first of them. So where a voxel's weights went is a finding, and there are two honest
# ways to ask. Keep one layer alone and set all other weights to zero: what is left of the
# prediction is *shared* by that layer. Take that layer away and keep the rest: what is lost was
# *unique* to it. Nothing is fitted again.
#
# $$\text{shared} = 100\,\frac{\rho_{\text{alone}}^2}{\rho^2},\qquad
# \text{unique} = 100\,\frac{\rho^2 - \rho_{\text{without}}^2}{\rho^2}.$$
#
# Both in percent of what the whole model explains. Layers say much the same, so shared is large
# nearly everywhere, and unique small; neither needs to lie between 0 and 100. In the published
# networks the fine map, with the first three layers, shares about 90 % everywhere. Of it, in the
# joint network, 86 % are unique in V1 and 55 % in hV4; in four separate networks it is the other
# way round, 60 and 72. The depth an area reads is a property of the network as much as of the
# area: a caution about hierarchies read off from layers.
#
# Intervals are from test images drawn anew, the same for all layers. The published ones treated a
# correlation and that of one of its parts as independent; what that comes to is printed beside.
# Correlations run over means of repeats, or with `metric` over single trials, as published.
#
# A simulated voxel has a true depth: V1 to hV4 read stages 1 to 4 of a stack. The answer is the
# second figure, and the truth stands in it.

# %%
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.layer_tuning import (
    MASKS,
    area_shares,
    layer_parts,
    session_tuning,
    unit_tuning,
)
from src.correlation import shuffled_limit
from src.data.nifti import write_maps
from src.data.nsd import EARLY, Areas, find_subjects
from src.data.splits import member_splits
from src.evaluation.bootstrap import Resamples
from src.evaluation.metrics import scored_rows
from src.figures import panels
from src.figures.style import mark_simulated, model_color, use_style
from src.manifest import declare, note_input, save_arrays, save_figure, save_table
from src.models.gnet import layer_channels
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.studies.nsd_gnet_published import TABLES
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
source: str = ""  # root of NSD as given to 01_preprocess; empty: data/raw/nsd_gnet/full
metric: str = ""  # avg, r of means of repeats; single, of single trials; empty: the profile's
seed: int = 42  # of resamples
resamples: int = 200  # of test images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"07_{n}.csv" for n in ("units", "areas")}
arrays = {n: places.tables / f"07_tuning_{n}.npz" for n in ("gnet8j", "gnet8r")}
drawn = {n: places.figures / f"07_{n}.png" for n in ("depth", "layers", "maps", "unique")}
rho = settings.scoring.metric(metric)
squared = settings.scoring.label(metric).replace("r,", "% of r²,")
subjects = find_subjects(source or places.raw)
declare(*tables.values(), *arrays.values(), *drawn.values())
declare(*(places.figures / f"maps/{key}_gnet8j_deepest.nii.gz" for key in subjects))

# %%
sessions = open_inputs(places.processed, settings.plan("gnet8j").model.inputs, places.features)
names = {"gnet8j": [""], "gnet8r": list(EARLY)}
encoders = {}
for model, areas in names.items():
    for area in areas:
        found = places.member(f"{model}_{area}" if area else model, 1) / "weights.pt"
        encoders[model, area] = load_encoder(note_input(found))

# %% [markdown]
# ## What each layer adds
#
# Predictions are sums over channels, so what a layer adds is computed once, and one alone or all
# but one are sums of parts. The best layer of every voxel, and how evenly all of them share, also
# go into volumes below `maps`.

# %%
(splits,) = member_splits(sessions, settings.plan("gnet8j").split, 1, seed)
parts, responses, images = {}, {}, {}
for key, session in sessions.items():
    trials = splits[key].test
    measured = session.image_ids[trials], session.responses(trials).numpy()
    for model, areas in names.items():
        whole = np.empty((7, len(trials), session.n_units), np.float32)
        for area in areas:
            here = session.area == area if area else slice(None)
            seen = session.select(area=area) if area else session
            whole[:, :, here] = layer_parts(encoders[model, area], seen, trials)
        images[key], responses[key], *whole = scored_rows(rho, *measured, *whole)
        parts[model, key] = np.stack(whole)

# %%
ids, over = np.concatenate(list(images.values())), settings.scoring.over
again = Resamples.make(ids, resamples, numpy_stream(seed, "tuning"), over)
tunings = {}
for model in names:
    given = [parts[model, key] for key in sessions], responses.values(), images.values()
    tunings[model] = session_tuning(*given, again)

# %% [markdown]
# A table has a row a voxel, another the means over voxels above what shuffled images reach, which
# count by what is explained of them: `all` subjects together, and each. The correlations behind
# them, with all layers, with each mask alone and without it, are kept as means and standard
# deviations over resamples.

# %%
cells = [{"session": k, "unit_id": s.unit_ids, "area": s.area} for k, s in sessions.items()]
cells = pd.concat(map(pd.DataFrame, cells), ignore_index=True)
ids = {"session": cells["session"].to_numpy(str), "unit_id": cells["unit_id"].to_numpy()}
rows = []
for model, (found, samples) in tunings.items():
    rows.append(cells.assign(model=model, **unit_tuning(found, samples)))
    save_arrays(arrays[model], masks=list(MASKS), **ids, **samples.moments)
units = pd.concat(rows, ignore_index=True)
save_table(units, tables["units"])

# %%
least = shuffled_limit(min(len(r) for r in responses.values()))
by_area, people = [], {"all": cells["area"] != ""}
people |= {key: cells["session"] == key for key in sessions}
for model, (person, theirs), area in product(names, people.items(), EARLY):
    found, samples = tunings[model]
    chosen = (theirs & (cells["area"] == area)).to_numpy() & (found.whole > least)
    row = {"model": model, "session": person, "area": area, "voxels": chosen.sum()}
    shares = area_shares(found, samples, chosen)
    by_area.append(pd.DataFrame({"mask": list(MASKS), **row, **shares}))
areas = pd.concat(by_area, ignore_index=True)
save_table(areas, tables["areas"])

# %%
for (key, model), here in units.groupby(["session", "model"]):
    stem = places.figures / f"maps/{key}_{model}"
    values = {name: here[name] for name in ("deepest", "spread")}
    write_maps(stem, values, here["unit_id"].to_numpy(), Areas(subjects[key]).prf)

# %%
good = units[units["r"] > least].copy()
print(f"{len(good)} of {len(units)} voxels are above {least:.3f}, which shuffled images stay below")
shown = ["r", "deepest", "spread", "error", "error_published"]
good.groupby(["model", "area"], sort=False)[shown].median().round(2)

# %% [markdown]
# Medians over voxels. `error` is the standard deviation of what is unique to the fine map in these
# resamples, and `error_published` that of the published formula from the same resamples. The
# formula takes the correlation with all layers and that without some for independent. They rise and
# fall together, with the images that happen to be easy, and in the ratio this cancels; what the
# formula does not know either are the long tails of a ratio of few images. In `demo`, with 27 test
# images, the first counts more, and the published error of a voxel is the larger one.
#
# ## By layer
#
# Left, the mean share of each layer alone. Right, how many voxels of an area have their best layer
# where.

# %%
columns = list(MASKS)[:7]
both = areas[areas["session"] == "all"]
shared = both.pivot(index=["model", "area"], columns="mask", values="shared")[columns]
best = pd.crosstab([good["model"], good["area"]], good["deepest"], normalize="index")
best = best.reindex(columns=range(1, 8), fill_value=0)

# %%
use_style()
figure, axes = plt.subplots(2, 2, figsize=(8, 4.2), sharex=True)
for row, model in zip(axes, names, strict=True):
    for axis, table in zip(row, (shared / 100, best), strict=True):
        values = table.reindex([(model, a) for a in EARLY]).to_numpy()
        panels.value_map(axis, values, EARLY, columns)
    row[0].set_ylabel(model)
axes[0, 0].set_title("share of one layer alone")
axes[0, 1].set_title("share of voxels with their best layer here")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["depth"])

# %% [markdown]
# **What one sees.** Dark is much; an area without a voxel above chance stays white. If depth
# followed the hierarchy, dark would run from the upper left to the lower right. A trunk for one
# area has no reason to keep its early layers for another, so the lower rows may differ from the
# upper ones without the areas being different.

# %%
figure, axes = plt.subplots(2, 5, figsize=(11, 5.6), sharey=True, width_ratios=(0.8, 1, 1, 1, 1))
core = settings.plan("gnet8j").model.core
wide = [kept.stop - kept.start for kept in layer_channels(core.width).values()]
for row, share in zip(axes, ("shared", "unique"), strict=True):
    panels.mask_strips(row[0], {name: np.repeat(mask, wide) for name, mask in MASKS.items()})
    for axis, area in zip(row[1:], EARLY, strict=True):
        ends = {f"{share}_{end}": end for end in ("low", "high")}
        here = both[both["area"] == area].rename(columns=ends)
        panels.intervals_by_model(axis, here, "mask", share)
        axis.set(xlabel=share, title=area if share == "shared" else "")
    row[0].set_title("kept alone" if share == "shared" else "taken away")
axes[0, -1].legend(loc="upper left", bbox_to_anchor=(1, 1))
figure.supxlabel(squared, fontsize=9)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["layers"])

# %% [markdown]
# **What one sees.** A row a mask, dark the channels it keeps of those that voxels read (above, all
# others being 0) or takes away (below): each layer, and at the bottom all of the fine map and all
# of the coarse one. Beside it for each area what is left of the explained variance, and what is
# lost, means over voxels of all subjects with 95 % intervals over images.
#
# ## The fine map and the coarse one

# %%
picked = both[both["mask"] == "fine map"]
stored = pd.DataFrame([vars(o) for o in TABLES if o.table in ("shared", "unique")])
stored = stored.pivot(index=["system", "place"], columns="table", values="value").reset_index()
stored = stored.rename(columns={"system": "model", "place": "area"})
for name in ("shared", "unique"):
    stored[[f"{name}_low", f"{name}_high"]] = np.add.outer(stored[name].to_numpy(), [-2, 2])
colors = {model: model_color(model) for model in names}
stored["area"] = pd.Categorical(stored["area"], EARLY)
stored["model"] = stored["model"].str.lower()

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), sharey=True)
panels.share_bars(axes[0], picked, colors)
panels.share_bars(axes[1], stored.sort_values(["model", "area"]), colors)
if simulated:
    truth = np.arange(1, 5)
    axes[0].set_xticks(range(4), [f"{a}\nstage {k}" for a, k in zip(EARLY, truth, strict=True)])
axes[0].set(ylabel=squared, xlabel="ours, all subjects, fine map")
axes[1].set(xlabel="published (stored), fine map")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["maps"])

# %% [markdown]
# **What one sees.** Pale: what the fine map, layers 1 to 3, explains alone. Solid: what is lost
# without it; dashed, the mean of that over areas. The rest to 100 is what both maps say. Left ours,
# with intervals over images (in a simulation with the true stage of each area below), right the
# stored bars of the published notebooks, whose uncertainty of two is that of reading them off. An
# area without any voxel above chance has no bar.

# %%
shades = dict(zip(EARLY, ("#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True))
groups = good.groupby(["model", "area", "session"])["unique"]
groups = {name: values for name, values in groups if len(values) > 2}

# %%
figure, axes = plt.subplots(2, 1, figsize=(8, 4.6))
for axis, model in zip(axes, names, strict=True):
    here = product([model], EARLY, sessions)
    values = {f"{n[1]}\n{n[2]}": groups[n] for n in here if n in groups}
    colors = {name: shades[name.split("\n")[0]] for name in values}
    if values:
        panels.score_violins(axis, values, colors, "unique (%)")
    few = "" if values else ": too few voxels above chance"
    axis.set_title(f"{model}, fine map, {squared}{few}")
    axis.axis("on" if values else "off")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["unique"])

# %% [markdown]
# **What one sees.** What is lost without the fine map, voxel by voxel, with boxes of quartiles, by
# area and subject; groups of fewer than three voxels above chance are left out, and nothing is
# trimmed.
#
# A small stack of random convolutions needs no depth to be imitated: its fourth stage can be read
# from a fine map of a trained trunk nearly as well as from a coarse one. What is shared says what
# suffices, and never what the brain does.
