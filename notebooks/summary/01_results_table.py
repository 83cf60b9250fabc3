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
# # 01 · Results table
#
# **What did each study come to, and how does that stand beside what was published?**
#
# Every study ends with a table of scores for all of its models. This notebook takes the few that
# say most from each, puts their intervals beside them, and next to both the number of the
# literature that they may be held against, with where it was found and how far it can be trusted.
# It computes nothing anew: `04_evaluate` of each study wrote what it reads.
#
# Two numbers are subtracted only if they are of the same thing: the same recorded data, the same
# metric, the same split. Otherwise the column `difference` is empty, and `no difference` says why.
# A run on simulated data meets that fate in every row. A simulated neuron is as noisy as we made
# it, so a model may explain more of it than anyone ever explained of a real one, or less, and
# neither says anything about the model. What these rows do show is that the whole way from
# recording to score can be gone, and where each number will stand once the recordings are there
# (profile `full`).
#
# Published numbers come in several kinds. `stored output`: printed in a notebook that was
# published with its results. `as stated`: in a text of the authors. `read by eye`: off a figure,
# to a hundredth at best. `upstream tables`, `tests`, `code`: files published with a paper.
# `measured`: computed by others on these very recordings. Numbers of which we know only from
# hearsay stand nowhere.
#
# The README of the repository shows a shorter form of this table, made by the same function.

# %%
import matplotlib.pyplot as plt

from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.results import results_table, runs_of
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
every: bool = False  # all runs found among the figures, not only that of the profile

# %%
places = run_paths("summary", recording or profile, data_root, output_root)
table, figure_file = places.tables / "results.csv", places.figures / "01_results.png"
declare(table, figure_file)

# %% [markdown]
# ## Which studies were run?
#
# A run is a profile, or a recording of one's own. With `every`, all runs are shown that left
# tables among the figures, which is how a recording can be seen beside the demo.

# %%
root, run = places.figures.parents[1], places.figures.name
kind = "recording" if recording else "profile"
runs = list(runs_of(root)) if every else [(study, run) for study in STUDIES]
results = results_table(root, runs)
save_table(results, table)
for study in sorted(set(STUDIES) - set(results["study"])):
    print(f"{study}: no scores; bash run_all.sh --{kind} {run} --study {study} makes them")

# %% [markdown]
# ## The table
#
# One row a score. *Scored on* says what it is a mean over, or the single session, region or layer
# that it belongs to. Metrics are r, a correlation; EV, the share of the variance of mean responses
# that is explained; FEVE, the share of what images can explain at all. Intervals are of 95 % and
# over images or films. Where none stands, the study's own table has none for this score: medians
# over units, and scores of single tracks of films. `tables/results.csv` has the sources as well.

# %%
columns = ["data", "model", "scored on", "metric", "units", "ours", "low", "high"]
columns += ["published", "system", "status", "difference", "no difference"]
readable(results.set_index(["study", "run"])[columns])

# %% [markdown]
# ## One look
#
# The same as a figure, a block a study, the published numbers as open diamonds. Gray diamonds are
# of other data than ours: they say in which region numbers of this kind lie, and no more.

# %%
use_style()
shown = results.assign(score=results["ours"], label=results["model"] + ", " + results["metric"])
single = ~shown["scored on"].str.startswith("mean") & (shown["scored on"] != "")
shown["label"] += (", " + shown["scored on"]).where(single, "")
blocks = list(shown.groupby(["study", "run"], sort=False)) or [(("no study", run), shown)]
sizes = [len(block) + 2 for _, block in blocks]
figure, axes = plt.subplots(
    len(blocks), figsize=(8, 0.23 * sum(sizes) + 0.4), height_ratios=sizes, squeeze=False
)
figure.get_layout_engine().set(w_pad=0.12)

# %%
for axis, ((study, name), block) in zip(axes[:, 0], blocks, strict=True):
    ends = {end: block[end].fillna(block["score"]) for end in ("low", "high")}
    panels.interval_rows(axis, block.assign(**ends), "", zero=True)
    panels.published_marks(axis, block)
    axis.set_title(f"{study}, {name}: {', '.join(block['data'].unique())} data", loc="left")
    axis.set_xlim(min(-0.02, block["low"].min() - 0.02), 1.02)
axes[-1, 0].set_xlabel("score, with its interval")
if set(results["data"]) == {"simulated"}:
    mark_simulated(figure)
save_figure(figure, figure_file)

# %% [markdown]
# **What one sees.** In each block, simple models above and richer ones below, as far as the study
# has them: whether the richer ones are worth their price is the question of the study's own
# figures, which pair the models image by image and so see smaller differences than two intervals
# side by side can. Scores of different blocks are not to be compared. A mouse neuron on single
# trials, a site in IT averaged over forty presentations and a voxel differ first of all in noise.
#
# Next, `02_figure_gallery` collects what the studies drew.
