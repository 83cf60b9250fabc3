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
# # 09 · Report
#
# **How well is IT predicted, on one page?**
#
# The course asked its students for one page: a table of models, linear ones, networks trained and
# untrained, networks trained on the rates, and the best; and a figure of prediction against layer.
# Pages like it are written last and by hand, from numbers copied out of notebooks, and several of
# those handed in gave a number that the notebook beside it no longer printed.
#
# So this page is not written but drawn, and nothing is computed for it. Every number is read from
# the tables that `01_preprocess` and `04_evaluate` stored. Run with new data or another model, it
# says something else, and a record names the very files it was made from.
#
# What belongs on such a page, beside scores:
#
# - **intervals**, over images, and in the table over images and sites as well. Two models whose
#   rows overlap may still differ surely, since they are compared on the same images: for that,
#   see the differences in `comparisons.csv`;
# - **the ceiling**, without which .4 may be anything between poor and perfect;
# - **how the best was chosen**: on held-out training images. The best of what was scored would be
#   too good, the more models there are to pick from;
# - **where the data come from**. Published scores appear as marks only if the data are those they
#   are about. A simulated site has no literature.
#
# The answer is the page at the end.

# %%
import matplotlib.pyplot as plt
import pandas as pd

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
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
page, table = places.figures / "09_report.png", places.tables / "09_report.csv"
declare(page, table)

# %% [markdown]
# ## What was stored

# %%
names = ("models", "intervals", "ceilings", "sessions", "sites")
stored = {name: pd.read_csv(note_input(places.tables / f"{name}.csv")) for name in names}
data = stored["sites"]["data"].iloc[0]
intervals = stored["intervals"]
means = intervals[intervals["session"].str.startswith("mean")]
ev, r = (means[means["metric"] == metric].set_index("model") for metric in ("ev", "avg"))
ceilings = stored["ceilings"].query("group == 'all'").set_index("model")
models = stored["models"].drop_duplicates("model").set_index("model")
print(f"{len(models)} models, {data} data")

# %% [markdown]
# ## What each model is
#
# One row for each probe, the layer chosen on training images, and one for each network trained on
# the rates. The best is the probe with the highest score on held-out *training* images. Networks
# trained on the rates hold out images to stop their training, so those scores do not compare, and
# they do not compete for the word.

# %%
models["is"] = models["kind"].map({"pixels": "linear, from pixels", "trained": "trained on rates"})
models.loc[models["kind"] == "layers", "is"] = "one layer, trained network"
starts = stored["models"].groupby("model").size().astype(str)
models.loc[models["random"], "is"] = "one layer, random starts: " + starts
several = {"combined": "layers, weighted", "fields": "layers through windows"}
several |= {"components": "layers side by side", "trees": "boosted trees on layers"}
several = models["kind"].map(several | {"stacked": "sum of layers' predictions"})
models["is"] = models["is"].fillna(several).fillna(models["kind"])
models.loc[models.index.str.startswith("planted"), "is"] = "the truth (simulated)"
eligible = models[models["headline"]]
best = eligible.loc[eligible["is"] != "the truth (simulated)", "ev, held out"].idxmax()
print("best, by held-out training images:", best)

# %% [markdown]
# Three rows say what a score is worth: two that see no image, the mean of its category and of its
# object, and the best map again, fitted to rates that belong to other images.

# %%
means_of = {f"mean of {kind}": f"no image, its {kind}" for kind in ("category", "object")}
unseen = pd.DataFrame({"is": {name: text for name, text in means_of.items() if name in ev.index}})
report = pd.concat([eligible[["is"]], unseen])
report = report.join(ev[["score", "low", "high", "low_units", "high_units"]])
report = report.join(r["score"].rename("r")).join(ceilings[["c", "ev_c", "r_c"]])
report.loc[f"{best}, permuted", ["is", "score", "r"]] = (
    "the best, rates permuted",
    *models.loc[best, ["ev, permuted", "r, permuted"]],
)
report["best"] = report.index == best
report = report.sort_values("score", ascending=False).rename_axis("model").reset_index()
report.insert(0, "data", data)
save_table(report, table)
readable(report.drop(columns="data"))

# %% [markdown]
# ## The page
#
# First its words: the table as text, a dash for what is not known, and a line on the data.

# %%
text = readable(report, 2)
shown = pd.DataFrame(
    {
        "model": report["model"].where(~report["best"], report["model"] + " (best)"),
        "what it is": report["is"],
        "EV": text["score"],
        "95 %, images": text["low"] + " … " + text["high"],
        "images, sites": text["low_units"] + " … " + text["high_units"],
        "r": text["r"],
        "EV / c": text["ev_c"],
        "r / √c": text["r_c"],
    }
)
counts = stored["sessions"][["units", "different images"]].sum()
c = report["c"].mean()
ceiling = f"mean reliability of sites {c:.2f}" if pd.notna(c) else "reliability of sites not known"
facts = f"{data} data; {counts['units']} sites, {counts['different images']} images; {ceiling}"
facts

# %% [markdown]
# Then its figures. Layers of one network side by side; random starts of one network as their mean.

# %%
layers = models[models["kind"] == "layers"].join(ev[["score", "low", "high"]])
families = {f: part.assign(network=f) for f, part in layers.groupby("family", sort=False)}
published = pd.DataFrame([vars(s) for s in study.published]).query("metric == 'ev'")
marks = published if data == "recorded" and not recording else published.head(0)
bars = report.rename(columns={"model": "label"})[["label", "score", "low", "high"]]
bars = pd.concat([bars, marks.assign(label=marks["system"] + " *", score=marks["value"])])
bars = bars.assign(low=bars["low"].fillna(bars["score"]), high=bars["high"].fillna(bars["score"]))
bars = bars.sort_values("score", ascending=False)
floor = min(bars["low"].clip(lower=-0.2).min(), 0)

# %%
use_style()
figure = plt.figure(figsize=(8.27, 11.69))
heights = (0.25 * (len(shown) + 1), 2.7, 0.6 + 0.22 * len(bars))
top, middle, bottom = figure.subfigures(3, 1, height_ratios=heights, hspace=0.03)
figure.suptitle(f"{recording or study.title}\n{facts}", x=0.02, ha="left", fontsize=10)
panels.text_table(top.subplots(), shown, (0.22, 0.23, 0.06, 0.14, 0.14, 0.06, 0.07, 0.08), 2)
widths = [max(part["layer"].nunique(), 3) for part in families.values()]
axes = middle.subplots(1, len(widths), sharey=True, squeeze=False, width_ratios=widths)[0]
for axis, (family, part) in zip(axes, families.items(), strict=True):
    panels.layer_profile(axis, part, family, "#777777" if part["random"].all() else "#0072b2")
    axis.set_title(family.replace("_", " "), fontsize=8.5)
    axis.grid(axis="y")
axes[0].set_ylabel("EV, mean over sites")
axes[0].set_ylim(bottom=min(layers["low"].min(), 0))
axis = bottom.subplots()
panels.interval_rows(axis, bars, "explained variance, with its interval over images", zero=True)
if pd.notna(c):
    axis.axvline(c, color="#8b1e2d", linestyle=(0, (4, 2)), linewidth=1)
    axis.text(c, -0.55, "ceiling ", color="#8b1e2d", ha="right", fontsize=8)
axis.set_xlim(left=floor - 0.02)
if simulated:
    mark_simulated(figure)
save_figure(figure, page)

# %% [markdown]
# **What one sees.** The table from best to worst, with what each model is. The middle row is
# explained variance against depth, for each network by itself: blue for trained ones, gray for
# random starts, bars for intervals over images. The lowest panel shows the same models as the
# table; the dashed red line is the ceiling, where it is known, and rows with a star are published,
# where the data are theirs. The distance from the best row to the dashed line is what is left to
# explain.
#
# What the page may be quoted for: one data set, some hundred sites of one or two monkeys, images
# of 64 rendered objects. That a model predicts these rates says that it holds what these sites
# hold, up to a linear map, and not that it sees as a monkey does.
