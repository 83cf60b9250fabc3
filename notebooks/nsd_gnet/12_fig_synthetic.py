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
# # 12 · Synthetic images
#
# **What is left of a model's accuracy when the images are of another kind?**
#
# A model that was fitted to responses to photographs is tested on responses to other photographs.
# That says little about what it has understood: whatever goes together in photographs may stand for
# one another. NSD has an answer in store that is seldom asked for. In one more scan session the
# same eight people saw 284 artificial images: gratings, noise, letters, scenes in wrong colors
# (Gifford et al. 2025). A model that has found what a voxel responds to should predict these as
# well. One that has found what goes along with it in photographs should not.
#
# Every subject has 744 trials of them; 220 images are common to all, 64 stand in colors of the
# subject's own. The images fill the screen, and what is taken of them is the middle square, where
# NSD's photographs were. Responses are standardized over the trials of the session, as in every
# other one.
#
# Nothing is fitted here. The trunks of `02_train` learned from stored maps, so the prefilter is put
# in front of them again, and they see pixels. Four trunks and one trunk are compared on both kinds
# of images: which predicts more voxels better, and how well do both do at all? A model that wins by
# a lot where neither predicts anything has won nothing, which is why the win percentage stands
# beside the mean accuracy.
#
# In `demo` the artificial images are gratings of any orientation, frequency, contrast and color,
# and the voxels are simulated, so that the true model would lose nothing.
#
# The answer is the table and the figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.wins import together, wins
from src.correlation import pearson, shuffled_limit
from src.data.nsd import EARLY, find_subjects
from src.data.nsd_synthetic import read_synthetic
from src.data.splits import member_splits
from src.evaluation.metrics import scored_rows
from src.evaluation.prediction import align, load_prediction
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.frozen import frozen_network
from src.models.gnet_pixels import respond, with_pixels
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
source: str = ""  # root of NSD as given to 01_preprocess; empty: data/raw/nsd_gnet/full
weights: str = ""  # file of the prefilter, or a folder; empty: data/weights, or torch hub's cache
metric: str = ""  # avg, r of means of repeats; single, of single trials; empty: the profile's
seed: int = 42  # of a random prefilter, as in 02_extract, and of resamples
resamples: int = 100  # of images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"12_{n}.csv" for n in ("units", "wins")}
drawn = {n: places.figures / f"12_{n}.png" for n in ("patterns", "accuracy")}
rho, label = settings.scoring.metric(metric), settings.scoring.label(metric)
declare(*tables.values(), *drawn.values())

# %% [markdown]
# ## The session, and the models with their prefilter

# %%
plans = [settings.plan(name) for name in ("gnet8j", *(f"gnet8r_{area}" for area in EARLY))]
sessions = open_inputs(places.processed, plans[0].model.inputs, places.features)
size = next(iter(sessions.values())).images.shape[-1]
subjects = find_subjects(source or places.raw)
scans = {key: read_synthetic(subjects[key], s.unit_ids, size) for key, s in sessions.items()}
kept = weights or (places.weights if places.weights.is_dir() else None)
prefilter = frozen_network(settings.network("prefilter"), size, seed, kept)
for key, scan in scans.items():
    print(f"{key}: {len(scan.images)} images, (n_trials, n_units) = {scan.responses.shape}")

# %%
use_style()
scan = next(iter(scans.values()))
ends = {"of all": scan.images[:6], "of one": scan.images[-6:]}
figure, axis = plt.subplots(figsize=(6, 2.2))
panels.picture_rows(axis, ends)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["patterns"])

# %% [markdown]
# **What one sees.** Artificial images: above those that all subjects see, below those in colors of
# the first subject's own.
#
# ## Predictions

# %%
predicted = {"gnet8j": {}, "gnet8r": {}}
for plan in plans:
    trained = load_encoder(note_input(places.member(plan.model.name, 1) / "weights.pt"))
    seeing = with_pixels(trained, prefilter, size)
    for key, session in sessions.items():
        here = session.area == plan.area if plan.area else session.area != ""
        name = "gnet8r" if plan.area else "gnet8j"
        found = predicted[name].setdefault(key, np.zeros((len(scans[key].shown), len(here))))
        found[:, here] = respond(seeing, key, scans[key].images)[scans[key].shown]

# %%
(splits,) = member_splits(sessions, plans[0].split, 1, seed)
rows, parts, seen = [], [], []
for key, session in sessions.items():
    scan, trials = scans[key], splits[key].test
    photographs = session.image_ids[trials], session.responses(trials).numpy()
    patterns = scan.shown, scan.responses
    for name, of in predicted.items():
        stored = load_prediction(places.predictions / f"{name}/{key}.npz")
        known = align(stored, session.trial_ids[trials], session.unit_ids)
        row = {"session": key, "unit_id": session.unit_ids, "area": session.area, "model": name}
        row["photographs"] = pearson(*scored_rows(rho, *photographs, known)[1:])
        row["patterns"] = pearson(*scored_rows(rho, *patterns, of[key])[1:])
        rows.append(pd.DataFrame(row))
    ids, measured, *both = scored_rows(rho, *patterns, *(of[key] for of in predicted.values()))
    seen.append(len(ids))
    rng = numpy_stream(seed, "synthetic", key)
    parts.append(wins(*both, measured, ids, resamples, rng, settings.scoring.over))
units = pd.concat(rows)
save_table(units, tables["units"])
units.groupby(["model", "area"], sort=False)[["photographs", "patterns"]].median().round(3)

# %% [markdown]
# ## Who wins, and at what accuracy?

# %%
joint, own = (units[units["model"] == name] for name in predicted)
means = (joint["patterns"].to_numpy() + own["patterns"].to_numpy()) / 2
all_wins, area = together(parts), joint["area"].to_numpy()
groups = {name: area == name for name in EARLY} | {"all": area != ""}
rows = [
    {"area": n, "voxels": here.sum(), "mean accuracy": means[here].mean(), **all_wins.row(here)}
    for n, here in groups.items()
]
table = pd.DataFrame(rows)
save_table(table, tables["wins"])
readable(table)

# %%
figure, axes = plt.subplots(1, 2, figsize=(7.6, 3.5))
panels.unit_scatter(axes[0], joint["photographs"].to_numpy(), joint["patterns"].to_numpy())
axes[0].set(xlabel=f"{label}, photographs", ylabel=f"{label}, artificial images")
axes[0].set_title("one trunk")
axes[0].set(xlim=(-0.6, 1.1), ylim=(-0.6, 1.1), xticks=[-0.5, 0, 0.5, 1])
least = shuffled_limit(min(seen))
panels.difference_map(axes[1], joint["patterns"].to_numpy(), own["patterns"].to_numpy(), least)
axes[1].set(xlabel=f"{label}, four trunks − one trunk", title="artificial images")
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["accuracy"])

# %% [markdown]
# **What one sees.** Left, a dot a voxel: how well one trunk predicts responses to photographs it
# has not seen, and of artificial images; what lies below the diagonal is what did not carry
# over. Right, hexagons count voxels: sideways by how much four trunks are better on artificial
# images, upwards how well both do. In the table `score` is the percentage of voxels that four
# trunks predict better, with its interval over images, and `chance` where a coin would put it. In
# `demo` three hundred scenes taught the trunks little about gratings that fill the image, and
# what a win percentage says there is worth as much as the accuracy beside it. There is no published
# table to stand beside this one: it was not part of the study.
