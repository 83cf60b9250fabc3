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
# # 05 · One trunk or four
#
# **Must areas share their features, and do features found in a brain beat those found in a task?**
#
# `gnet8j` has one trunk, whose features all four areas read. `gnet8r` is four networks, each of
# which sees the voxels of one area only. If the visual system is a chain in which V2 is made of V1
# and V4 of both, a joint trunk costs nothing, and saves: it learns what all have in common from
# four times as many voxels. If it were four systems side by side, each would do better alone.
#
# So the two are compared voxel by voxel, on the same test images, by the correlation with means of
# their repeats (with `metric`, with single trials, as published). The published answer was that
# they predict equally well, differences being below .02 nearly everywhere, with four trunks
# slightly ahead, and more so in later areas. From this alone one may not conclude that there is no
# hierarchy: a joint trunk that is as good is what a hierarchy predicts, too. `06_fig_transfer`
# asks the sharper question.
#
# The share of voxels in which one model is better is a fragile number. Where two models are equal
# it is 50 %, and with noise in both it stays near 50 % even when one is better for all. Its
# interval comes from test images, drawn anew, the same ones for both models. A control shows what
# is left of it without any difference: for every image a coin decides which prediction is called
# whose.
#
# The published tables stand at the end, with what each number is and whether it can be had from
# the published files.
#
# The answer is the first figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.analyses.wins import together, wins
from src.config import InputConfig
from src.correlation import pearson, shuffled_limit
from src.data.nsd import EARLY
from src.data.session import open_sessions
from src.evaluation.intervals import load_results
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import mark_simulated, model_color, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.studies.nsd_gnet_published import TABLES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
metric: str = ""  # avg, r of means of repeats; single, of single trials; empty: the profile's
seed: int = 42  # of resamples
resamples: int = 200  # of test images

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {n: places.tables / f"05_{n}.csv" for n in ("better", "published", "beside")}
drawn = {n: places.figures / f"05_{n}.png" for n in ("all", "areas", "people", "better")}
rho, label = settings.scoring.metric(metric), settings.scoring.label(metric)
declare(*tables.values(), *drawn.values())

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
pair = {name: name for name in ("gnet8j", "gnet8r")}
found = load_results(sessions, places.predictions, pair, tier=None)  # those predicted
results = [x.rows(rho) for x in found]
area = np.concatenate([sessions[x.session].area for x in results])
person = np.concatenate([[x.session] * x.responses.shape[1] for x in results])
r = {n: np.concatenate([pearson(x.predictions[n], x.responses) for x in results]) for n in pair}
least = shuffled_limit(min(len(x.responses) for x in results))
print(f"{len(area)} voxels; {label}, of shuffled images stays below {least:.3f}")

# %% [markdown]
# ## Voxel by voxel

# %%
use_style()
both, apart = (r["gnet8j"], r["gnet8r"], least), f"{label}, four trunks − one trunk"
sides = tuple(model_color(name) for name in pair)
figure, axes = plt.subplots(2, 1, figsize=(4.8, 5), sharex=True, height_ratios=(1, 2.6))
panels.difference_margin(axes[0], *both, sides)
panels.difference_map(axes[1], *both)
axes[1].set_xlabel(apart)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["all"])

# %% [markdown]
# **What one sees.** Every hexagon counts voxels, dark for many: to the right those that four trunks
# predict better, further up those that both predict well. The dashed line is what shuffled images
# reach; above stand the voxels that exceed it in at least one of the two, in the color of the
# better one, and percentages are of these.

# %%
hues = ("#0072b2", "#d55e00", "#009e73", "#e69f00", "#56b4e9", "#cc79a7", "#8a8a8a", "#332288")
people = dict(zip(sessions, hues, strict=False))
figure, axes = plt.subplots(1, 4, figsize=(10.5, 2.9), sharey=True)
for axis, name in zip(axes, EARLY, strict=True):
    here = area == name
    panels.difference_dots(axis, r["gnet8j"][here], r["gnet8r"][here], person[here], people)
    axis.set_title(name, loc="center")
    axis.label_outer()
axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)
figure.supxlabel(apart, fontsize=9)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["areas"])

# %% [markdown]
# **What one sees.** A panel an area, a dot a voxel in the color of its subject; percentages are of
# all voxels.

# %%
colors = dict(zip(EARLY, ("#0072b2", "#009e73", "#e69f00", "#d55e00"), strict=True))
rows = -(-len(sessions) // 4)
figure, axes = plt.subplots(rows, min(4, len(sessions)), figsize=(7, 2.9 * rows), squeeze=False)
for axis, key in zip(axes.flat, sessions, strict=False):
    here = person == key
    panels.difference_dots(axis, r["gnet8j"][here], r["gnet8r"][here], area[here], colors)
    axis.set_title(key, loc="center")
    axis.set_xlabel(apart.replace(", four", ",\nfour"))
axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.1)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["people"])

# %% [markdown]
# **What one sees.** The same, a panel a subject and a dot a voxel in the color of its area.
#
# ## How often is one better?
#
# All trials of an image stay together when images are drawn anew.

# %%
parts = []
for x in results:
    models = [x.predictions[name] for name in pair]
    rng = numpy_stream(seed, "better", x.session)
    parts.append(wins(*models, x.responses, x.image_ids, resamples, rng, settings.scoring.over))
all_wins = together(parts)

# %%
groups = {name: area == name for name in EARLY}
groups |= {x.session: person == x.session for x in results} | {"all": area != ""}
rows = [
    {"label": name, "voxels": here.sum(), **all_wins.row(here)} for name, here in groups.items()
]
better = pd.DataFrame(rows)
chance = (f"{a:.0f} to {b:.0f}" for a, b in zip(better.chance_low, better.chance_high, strict=True))
better["note"] = [f"coin: {text}" for text in chance]
save_table(better, tables["better"])

# %%
figure, axis = plt.subplots(figsize=(5.4, 0.8 + 0.3 * len(better)))
axis.axvline(50, color="#b8b8b8", linewidth=1, zorder=0)
panels.interval_rows(axis, better, f"voxels that four trunks predict better (%), {label}")
axis.set_xlim(0, 100)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn["better"])

# %% [markdown]
# **What one sees.** A row an area and a subject: the share of voxels, its interval with other
# images, and beside it where a coin would put it. Outside the coin's range one of the two is
# better; how much better, the first figure says. With the few trials of a simulated subject a joint
# trunk has the advantage of four times as many voxels to learn from, which NSD's thirty thousand
# trials make small.
#
# ## The published tables
#
# `source data` was deposited with the paper, `stored` is output of the published notebooks. Where
# they disagree, both are printed. `variance` is in percent of all variance, `fev` in percent of
# what can be explained, and the second is not the first over the published ceiling: how it was
# averaged is not known, so ours below is not the same quantity.

# %%
published = pd.DataFrame([vars(one) for one in TABLES])
save_table(published, tables["published"])
wide = published[published["table"].isin(["variance", "fev"])]
wide.pivot_table("value", ["table", "status", "system"], "place", sort=False).round(2)

# %%
alpha = published[published["table"].isin(["alpha", "better", "shared", "unique"])]
alpha = alpha.pivot_table("value", ["table", "status", "system"], "place", sort=False)
alpha.round(2)

# %% [markdown]
# ## Ours
#
# Percent of the variance of means over repeats, and of the explainable part of it.

# %%
units = pd.read_csv(note_input(places.tables / "04_units.csv"))
ours = units.groupby(["model", "area"], sort=False)[["ceiling", "variance", "explained"]].mean()
ours = ours.reset_index().assign(data="simulated" if simulated else "recorded")
save_table(ours, tables["beside"])
readable(ours, 2)

# %% [markdown]
# In the published numbers the gain over features of AlexNet is large in V1 and V2 and about nil in
# hV4: "optimized on the brain beats optimized on a task" is a claim about early areas. And a fifth
# to two fifths of what could be explained, no model explains. On simulated subjects none of the
# published numbers is to be compared with ours; they are a record of what `full` has to meet.
