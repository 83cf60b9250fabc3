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
# # 09 · RSA of 92 images
#
# **Which models see 92 images as human IT does, and as monkey IT does?**
#
# Kriegeskorte and colleagues (2008) showed the same 92 images, of faces, bodies, animals, plants
# and tools, to people in a scanner and to monkeys with electrodes in IT. There is no way to match
# a voxel to a neuron, but none is needed: for each pair of images, how differently does a
# population answer to them? These 4186 *dissimilarities* make a table that can be compared across
# species, methods and models, without a fit.
#
# Two species agreed, r = .49, and the best computer models of the time agreed with neither. This
# notebook reproduces these numbers on the original data, and adds networks that came later.
#
# How well could a model do? The four people differ. If one takes the mean of the other three as a
# model of the fourth, that is a score any true model should reach; the mean of all four, the
# fourth included, does better than a model can. Between both lies the *ceiling* (Nili et al.
# 2014). Ranks are averaged and not values, since models are compared by rank.
#
# The data come with demonstrations of the RSA toolbox and are not part of this repository. Put the
# three files that `src/data/objects92.py` names into a folder and give it as `source`. Nothing
# here is simulated, and nothing is fitted.
#
# The answer is the last figure.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.data.errors import DataError
from src.data.objects92 import open_objects92
from src.evaluation.geometry import subject_ceilings, subject_scores
from src.evaluation.similarity import pair_correlation, rank_normalized, rdm
from src.figures import panels
from src.figures.style import use_style
from src.manifest import declare, save_figure, save_table
from src.models.planted import areas_of, last_steps
from src.models.pretrained import find_weights, load_network, random_network
from src.models.registry import network_record
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
source: str = ""  # folder with the three .mat files
weights: str = ""  # folder of weights; empty: data/weights, or torch hub's cache
networks: str = "alexnet cornet_z cornet_rt"  # shown the images; those without weights: random
seed: int = 42  # seed of random weights

# %%
study = STUDIES["cornet"]
places = run_paths(study.name, recording or profile, data_root, output_root)
table, agreement = (places.tables / f"09_{name}.csv" for name in ("models", "agreement"))
drawn = {name: places.figures / f"09_{name}.png" for name in ("brains", "models", "ranking")}
declare(table, agreement, *drawn.values())

# %% [markdown]
# ## Two species

# %%
data = open_objects92(source)
human = data.human.mean(0)
lower, upper = subject_ceilings(data.human)
found = {
    "human and monkey IT, Pearson r": pair_correlation(data.monkey, data.published_human),
    "ceiling, lower": lower,
    "ceiling, upper": upper,
}
published = {"human and monkey IT, Pearson r": 0.49}
numbers = pd.DataFrame({"ours": found, "published": published}).rename_axis("number").reset_index()
save_table(numbers.assign(data="recorded"), agreement)
print("(n_subjects, n_images, n_images) =", data.human.shape)
numbers.round(3)

# %%
use_style()
figure, axes = plt.subplots(1, 3, figsize=(11.5, 4))
brains = {
    "human IT, mean of four": human,
    "monkey IT": data.monkey,
    "human subject 1": data.human[0],
}
for axis, (name, one) in zip(axes, brains.items(), strict=True):
    panels.rank_map(axis, one, data.groups)
    axis.set_title(name)
for axis in axes[1:]:
    axis.set_yticks([])
save_figure(figure, drawn["brains"])

# %% [markdown]
# **What one sees.** Dark is alike, by rank. The first large square is animate, bodies and faces,
# inside it the darkest are faces; the second is all that is not. Monkey IT has the same squares,
# and finds human and animal faces even more alike. The third map is one person: the same, through
# noise, which is what the ceiling measures.
#
# ## Models
#
# First those that came with the data: labels (animacy, four categories), early visual cortex
# (EVA), and computer models of the time. Then pixels, and networks, layer by layer. A network
# whose weights are not in the folder is random, and its name says so.

# %%
rdms = dict(data.models)
pixels = data.pictures.reshape(len(data.pictures), -1)
rdms["pixels"] = rdm(pixels)
kind = dict.fromkeys(rdms, "stored")
kept = weights or (places.weights if places.weights.is_dir() else None)

# %%
shown = data.pictures.transpose(0, 3, 1, 2)
for name in networks.split():
    record = network_record(name)
    try:
        network, word = load_network(record, find_weights(record, kept)), ""
    except DataError:
        network, word = random_network(record, seed), " (random)"
    for layer, x in areas_of(network, last_steps(network))(shown).items():
        rdms[f"{name} {layer}{word}"] = rdm(x)
        kind[f"{name} {layer}{word}"] = f"{name}{word}"
print(len(rdms), "models")

# %%
rows = []
for name, one in rdms.items():
    each = subject_scores(one, data.human)
    ranked = rank_normalized(one)
    row = {"model": name, "kind": kind[name], "subjects": each.mean()}
    row |= {f"subject_{k}": value for k, value in enumerate(each, 1)}
    row["mean_human"] = pair_correlation(ranked, rank_normalized(human))
    row["monkey"] = pair_correlation(ranked, rank_normalized(data.monkey))
    rows.append(row)

# %%
models = pd.DataFrame(rows).sort_values("subjects", ascending=False)
save_table(models.assign(data="recorded"), table)
models[["model", "subjects", "mean_human", "monkey"]].round(3)

# %% [markdown]
# `subjects` is the mean Spearman correlation with each of the four people, which is what the
# ceiling is about; `mean_human` that with the mean of their dissimilarities, which has less noise
# and is what is often quoted: the two must not be mixed. `monkeyIT`, as a model of people, is one
# of the best. Layers are taken where their rectification ends, before any pooling; with it, small
# shifts count less, and AlexNet's first two layers have .180 and .218 in place of .173 and .215.
#
# ## A few of them, drawn

# %%
nets = models[models["kind"] != "stored"]
best = nets.loc[nets.groupby("kind")["subjects"].idxmax(), "model"]
picked = ["animacy", "HMAX", "pixels", *best]
figure, axes = plt.subplots(1, len(picked), figsize=(2.2 * len(picked), 2.5))
for axis, name in zip(axes, picked, strict=True):
    panels.rank_map(axis, rdms[name])
    axis.set_title(name, fontsize=8)
save_figure(figure, drawn["models"])

# %% [markdown]
# **What one sees.** Animacy is a label: two squares, and nothing within. Pixels and early models
# see stripes: single images that are unlike all others, by their size or their brightness. In
# the best layers of a trained network faces begin to be alike, which in random ones they are only
# as far as their outlines are.
#
# ## The ranking

# %%
rows = models.rename(columns={f"subject_{k}": f"seed_{k}" for k in (1, 2, 3, 4)})
seeds = rows[[f"seed_{k}" for k in (1, 2, 3, 4)]]
rows = rows.assign(label=rows["model"], score=rows["subjects"])
rows = rows.assign(low=seeds.min(axis=1), high=seeds.max(axis=1))
figure, axis = plt.subplots(figsize=(6.5, 1 + 0.2 * len(rows)))
axis.axvspan(lower, upper, color="#8b1e2d", alpha=0.12, linewidth=0)
axis.text((lower + upper) / 2, -0.9, "ceiling", color="#8b1e2d", ha="center", fontsize=8)
panels.interval_rows(axis, rows, "Spearman r with human IT, mean of four people", zero=True)
axis.tick_params(axis="y", labelsize=7.5)
save_figure(figure, drawn["ranking"])

# %% [markdown]
# **What one sees.** Models from best to worst: the large dot is the mean, small ones are the four
# people, with a line from the lowest to the highest; the band is the ceiling. A label of animacy
# alone stands above everything that was computed from pixels, and touches the band. No layer of
# these networks comes near it: trained on photographs, they see faces and bodies, but not that
# animals belong together. What is missing, a linear read-out can still find in their features
# (Khaligh-Razavi & Kriegeskorte 2014), and RSA does not ask for one.
#
# Quote such a ranking with the images it is about: 92 objects cut out on gray, of which half
# were chosen to be animate.
