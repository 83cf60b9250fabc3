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
# # 08 · Tables
#
# **Does naming images better make a network more like a brain, and where do our numbers stand?**
#
# In 2018 the answer was yes, up to a point. Among networks that had been built to name the
# images of ImageNet, those that named more of them also predicted V4 and IT better, until
# accuracy reached about .7; beyond it they went on naming more and predicted no better. CORnet-S
# was built at that bend: shallow, recurrent, with four areas, and first on the mean of four
# measures. The paper's tables are in `src/studies/cornet.py`, each number with where it is from;
# here they are drawn.
#
# Three things are easily missed in such tables:
#
# - the neural scores are correlations, *not* divided by a ceiling, and two of the four columns
#   that make the mean are not neural at all. CORnet-S leads the mean because it is the only one of
#   them with object solution times, .25; the others have none, which counts as 0;
# - they were measured on private parts of the recordings. The public parts, which anybody can
#   score, give other numbers for the same network: AlexNet has .584 and .580 in IT;
# - accuracies of CORnet-S differ between two tables of the same authors, .731 and .747.
#
# Below the published points stand scores of this run, with what they were made from. If that says
# "simulated", nothing there is to be compared: a row of the table says so itself.
#
# The answer is the first figure.

# %%
import matplotlib.pyplot as plt
import pandas as pd
from scipy.stats import spearmanr

from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"08_{name}.csv" for name in ("published", "accuracy", "ours")}
drawn = {name: places.figures / f"08_{name}.png" for name in ("accuracy", "ours")}
declare(*tables.values(), *drawn.values())

# %% [markdown]
# ## The published table

# %%
rows = pd.DataFrame([vars(one) for one in study.published])
main = rows[rows["session"] == "private"].drop_duplicates(["system", "metric"])
wide = main.pivot_table("value", "system", "metric", sort=False)
names = ("top1", "v4", "it", "it_neurons", "it_images", "ost", "i2n", "behavior", "mean")
wide = wide[list(names)].dropna(subset=["top1"]).sort_values("mean", ascending=False)
save_table(wide.reset_index(), tables["published"])
readable(wide.reset_index(), 3)

# %% [markdown]
# `it_neurons` and `it_images` are IT with neurons and with images that were not there when
# networks were compared: the order of networks changes little, so that it had not been found by
# looking. Empty cells are not known and are left so.
#
# ## Accuracy against likeness

# %%
known = wide.dropna(subset=["v4"])
order = {"v4": "V4, r", "it": "IT, r", "i2n": "behavior i2n, r", "mean": "mean of four"}
accuracy = pd.DataFrame(
    [(name, *spearmanr(known["top1"], known[name]), len(known)) for name in order],
    columns=["measure", "spearman", "p", "networks"],
)
save_table(accuracy, tables["accuracy"])
readable(accuracy)

# %%
use_style()
figure, axes = plt.subplots(1, 5, figsize=(12, 2.9), width_ratios=(1, 1, 1, 1, 0.7))
limits = rows[rows["system"] == "ceiling"].set_index(["session", "metric"])["value"]
for axis, (metric, label) in zip(axes, order.items(), strict=False):
    panels.numbered_points(axis, known, "top1", metric, "CORnet-S")
    axis.set(xlabel="ImageNet top-1", ylabel=label)
    if ("private", metric) in limits:
        axis.set_title(f"√c = {limits['private', metric] ** 0.5:.2f}, above", fontsize=8)
panels.key_of(axes[-1], known)
save_figure(figure, drawn["accuracy"])

# %% [markdown]
# **What one sees.** One number a network, CORnet-S in orange; published values, redrawn. Over the
# neural panels stands √c, the highest correlation there can be, far above all of them. In this
# range of accuracies neither V4 nor IT goes up with it: VGG is first in V4 with .71, and CORnet-S
# and DenseNet lead IT. Behavior does, up to about .7. The last panel is the one the paper is known
# for, and its outlier is explained by one column.
#
# ## Scores of this run

# %%
ours = pd.read_csv(note_input(places.tables / "scores.csv"))
ours = ours.loc[ours["headline"], ["data", "model", "region", "place", "raw", "ceiling", "ceiled"]]
save_table(ours, tables["ours"])
readable(ours)

# %%
trained = [plan.model.name for plan in settings.main]
named = {m: pd.read_csv(note_input(places.tables / f"03_{m}_named.csv")) for m in trained}
first = {m: t.set_index("weights")["top1"] for m, t in named.items()}
top1 = {m: values["trained"] for m, values in first.items()}
control = {f"{m}_random": values["guessing"] for m, values in first.items()}
control |= {f"{m}_random_1": values["guessing"] for m, values in first.items()}
points = ours.pivot_table("raw", "model", "region", sort=False)
points["top1"] = pd.Series(top1 | control)
points = points.dropna(subset=["top1"])
points.round(3)

# %%
sites = pd.read_csv(note_input(places.tables / "sites.csv"))
quartiles = sites.groupby("region")["c"].quantile([0.25, 0.75]) ** 0.5
figure, axes = plt.subplots(1, 3, figsize=(9, 2.9), width_ratios=(1, 1, 0.8))
for axis, region in zip(axes, study.sessions, strict=False):
    panels.numbered_points(axis, points, "top1", region)
    panels.ceiling_band(axis, *quartiles[region])
    axis.set(xlabel="top-1 on validation images", ylabel=f"{region}, r", xlim=(0, 1))
panels.key_of(axes[-1], points)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["ours"])

# %% [markdown]
# **What one sees.** Networks of this run that were trained to name images, and random ones of
# the same make, at the accuracy of guessing; the band is √c of the middle half of the sites. On
# simulated sites, which read a random network, naming better brings no likeness, and training may
# cost some. With recorded sites and published weights (`full`), this figure is to be held against
# the one above.
#
# Numbers that are not known are not made up: V4 and IT scores of CORnet-Z and CORnet-R were never
# published in these tables.
