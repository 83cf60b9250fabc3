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
# # 02 · Search
#
# **At which learning rate does a network learn from rates, and how would one know without looking
# at the images it is scored on?**
#
# A recipe has a dozen numbers, and the wrong learning rate makes the rest irrelevant. The published
# search for one took rates from a ten-millionth to a ten-thousandth. Nothing was learned at any of
# them, and the best trial explained half a percent of the variance. Its schedules took steps of
# 5.79 epochs, a length that is never reached. And trials were compared on the very images that
# the winner was then scored on.
#
# Here
#
# - rates go from 0.00001 to 0.1, every factor of ten as likely as another, and lengths are whole
#   numbers of epochs, or the search does not start;
# - a trial is a short training on nine tenths of the *training* images, and its score is the
#   correlation on the last tenth. Images that are scored later are never opened;
# - the first trials are drawn at random. Later ones are drawn where good trials were denser than
#   bad ones (a tree-structured Parzen estimator), and one that is below the median of the former
#   ones at the same epoch is pruned;
# - a killed search goes on with the trial it was in, and ends with the same table. Trials are kept
#   in a small database beside the checkpoints; the address of a shared one as `storage` lets
#   several machines work on one search. Then the order of trials depends on who is faster.
#
# The answer is a recipe, which `02_train` takes, and the first figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import as_plain
from src.data.splits import member_splits
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.selection import equal_models, selection_gain
from src.studies import STUDIES
from src.training.found import NAME, best_trial, found_plan
from src.training.search import search

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "it_cnn_searched"  # a model of the profile whose plan has a search
storage: str = ""  # URL of a database several machines share; empty: a file beside checkpoints
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # of the draws, and from which training derives its own

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
table = places.tables / f"02_search_{model}.csv"
figure_path = places.figures / f"02_search_{model}.png"
declare(places.search(model) / NAME, table, figure_path)

# %% [markdown]
# ## What is tried

# %%
print(f"{plan.search.trials} trials of {plan.search.epochs} epochs")
pd.DataFrame([as_plain(one) for one in plan.search.space], dtype=object).fillna("")

# %%
sessions = open_inputs(places.processed, plan.model.inputs, places.features)
(splits, *_) = member_splits(sessions, plan.split, plan.members, seed, plan.images)
parts = {"train": "fitted", "validation": "compare trials", "test": "not looked at"}
counts = {k: {parts[p]: len(getattr(s, p)) for p in parts} for k, s in splits.items()}
pd.DataFrame(counts).T

# %% [markdown]
# ## The search

# %%
trials = search(plan, sessions, seed, places.search(model), storage, device)
save_table(trials, table)
trials.sort_values("score", ascending=False).round(5)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.2), sharey=True)
panels.trial_scores(axes[0], trials, "learning_rate")
panels.best_so_far(axes[1], trials)
axes[1].set_ylabel("")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, figure_path)

# %% [markdown]
# **What one sees.** Left, every trial at its learning rate. The score rises over decades, has a
# summit, and falls off where the network no longer varies with the image; trials at both ends
# would have looked, by themselves, like a model that cannot do the task. A search whose best trial
# lies at the edge of its range has not found a summit but a wall, and should be widened. Hollow
# marks are pruned trials; where each keeps up with the median of the former ones, there are none.
# Right, the best score so far: once draws heed the scores, trials gather near the best.
#
# ## What was found

# %%
found = found_plan(plan, places)
best = best_trial(trials)
both = pd.json_normalize([as_plain(plan), as_plain(found)]).T
both.columns = ["before", "found"]
both[both["before"].map(repr) != both["found"].map(repr)]

# %% [markdown]
# ## How much of it is luck?
#
# The best of many trials was picked for its score, so part of that score is chance. How much can
# be simulated: models that are in truth *equally* good, each with noise of its own, compared on as
# many images as here; the best of them is then shown as many fresh ones. A population of sites is
# taken to be worth four independent ones.

# %%
images = sum(len(split.validation) for split in splits.values())
for models, n in ((len(trials), images), (200, images), (200, 288)):
    gains = [
        selection_gain(
            *equal_models(numpy_stream(seed, "luck", models, n, k), models, n, best["score"])
        )
        for k in range(20)
    ]
    print(f"best of {models} equal models on {n} images: looks {np.mean(gains):.3f} too good")

# %% [markdown]
# This is the trap: 288 images are the set on which published projects both chose and reported. At
# their score, a correlation of .56, the winner of two hundred configurations looks .05 better than
# it is, and more at a lower score; and nothing has been learned from one trial to the next.
# Differences between trials that are smaller than this say nothing. Here the price is paid on the
# inner images: the score above is a means to choose, and it is no result.
#
# Next: `02_train` trains the network for its full length with what was found, `03_predict` and
# `04_evaluate` score it, beside the same network with the recipe set by hand, on images that no
# trial has seen.
