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
# correlation and that of one of its parts as independent, and left out a term.
#
# A simulated voxel has a true depth: V1 to hV4 read stages 1 to 4 of a stack. The answer is the
# second figure, and the truth stands in it.

# %%
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.layer_tuning import area_shares, layer_parts, layer_tuning, spread, tuning_samples
from src.data.nifti import write_maps
from src.data.nsd import EARLY, Areas, find_subjects
from src.data.splits import member_splits
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
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
seed: int = 42  # of resamples
resamples: int = 200  # of test images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"07_{n}.csv" for n in ("units", "areas")}
drawn = {n: places.figures / f"07_{n}.png" for n in ("depth", "maps", "unique")}
subjects = find_subjects(source or places.raw)
declare(*tables.values(), *drawn.values())
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
    responses[key], images[key] = session.responses(trials).numpy(), session.image_ids[trials]
    for model, areas in names.items():
        whole = np.empty((7, len(trials), session.n_units), np.float32)
        for area in areas:
            here = session.area == area if area else slice(None)
            seen = session.select(area=area) if area else session
            whole[:, :, here] = layer_parts(encoders[model, area], seen, trials)
        parts[model, key] = whole

# %%
rows, by_area = [], []
for (model, key), part in parts.items():
    session, r = sessions[key], responses[key]
    tuning, least = layer_tuning(part, r), 3 / np.sqrt(len(r))
    unit = {"model": model, "session": key, "unit_id": session.unit_ids, "area": session.area}
    layers = {f"L{k}": share for k, share in enumerate(tuning.shared, 1)}
    unit |= {"r": tuning.whole, "deepest": tuning.shared.argmax(0) + 1, **layers}
    halves = np.stack([part[:3].sum(0), part[3:].sum(0)])
    given = halves, r, images[key]
    fine = layer_tuning(*given[:2])
    unit |= {"spread": spread(tuning.alone**2), "unique": fine.unique[0]}
    rows.append(pd.DataFrame(unit))
    rng = numpy_stream(seed, "tuning", key)
    samples = tuning_samples(*given, resamples, rng, settings.scoring.over)
    for area in EARLY:
        chosen = (session.area == area) & (tuning.whole > least)
        shares = {n: v[0] for n, v in area_shares(fine, samples, chosen).items()}
        by_area.append(
            {"model": model, "session": key, "area": area, "voxels": chosen.sum(), **shares}
        )
units, areas = pd.concat(rows, ignore_index=True), pd.DataFrame(by_area)

# %%
save_table(units, tables["units"])
save_table(areas, tables["areas"])
for (key, model), here in units.groupby(["session", "model"]):
    stem = places.figures / f"maps/{key}_{model}"
    values = {name: here[name] for name in ("deepest", "spread")}
    write_maps(stem, values, here["unit_id"].to_numpy(), Areas(subjects[key]).prf)
units.groupby(["model", "area"], sort=False)[["r", "deepest", "spread"]].mean().round(2)

# %% [markdown]
# ## By layer
#
# Mean share of each layer alone over voxels above what shuffled trials reach, which count by what
# is explained of them. Right, how many voxels of an area have their best layer where.

# %%
good = units[units["r"] > least].copy()
columns = [f"L{k}" for k in range(1, 8)]
good[columns] = good[columns].mul(good["r"] ** 2, axis=0)
sums = good.groupby(["model", "area"])[columns].sum()
power = (good["r"] ** 2).groupby([good["model"], good["area"]]).sum()
shared = sums.div(power, axis=0)
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
#
# ## The fine map and the coarse one

# %%
picked = areas[areas["session"] == next(iter(sessions))].drop(columns="session")
stored = pd.DataFrame([vars(o) for o in TABLES if o.table in ("shared", "unique")])
stored = stored.pivot(index=["system", "place"], columns="table", values="value").reset_index()
stored = stored.rename(columns={"system": "model", "place": "area"})
for name in ("shared", "unique"):
    stored[[f"{name}_low", f"{name}_high"]] = np.add.outer(stored[name].to_numpy(), [-2, 2])
colors = {"gnet8j": "#0072b2", "gnet8r": "#d55e00"}
stored["area"] = pd.Categorical(stored["area"], EARLY)
stored["model"] = stored["model"].str.lower()

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.2), sharey=True)
panels.share_bars(axes[0], picked.fillna(0), colors)
panels.share_bars(axes[1], stored.sort_values(["model", "area"]), colors)
if simulated:
    truth = np.arange(1, 5)
    axes[0].set_xticks(range(4), [f"{a}\nstage {k}" for a, k in zip(EARLY, truth, strict=True)])
axes[0].set(ylabel="% of what is explained", xlabel=f"ours, {next(iter(sessions))}, fine map")
axes[1].set(xlabel="published (stored), fine map")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["maps"])

# %% [markdown]
# **What one sees.** Pale: what the fine map, layers 1 to 3, explains alone. Solid: what is lost
# without it. The rest to 100 is what both maps say. Left ours with intervals over images (in a
# simulation with the true stage of each area below), right the stored bars of the published
# notebooks, whose uncertainty of two is that of reading them off. An area without any voxel above
# chance has no bar.

# %%
shades = dict(zip(EARLY, ("#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True))
both = list(product(EARLY, sessions))
figure, axes = plt.subplots(2, 1, figsize=(8, 4.6))
for axis, model in zip(axes, names, strict=True):
    here = good[good["model"] == model]
    groups = {(a, k): here[(here["area"] == a) & (here["session"] == k)] for a, k in both}
    values = {f"{a}\n{k}": v["unique"] for (a, k), v in groups.items() if len(v) > 2}
    colors = {name: shades[name.split("\n")[0]] for name in values}
    if values:
        panels.score_violins(axis, values, colors, "unique (%)")
    axis.set_title(f"{model}, fine map{'' if values else ': too few voxels above chance'}")
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
