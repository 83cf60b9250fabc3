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
# # 12 · The ensemble, honestly
#
# **What does an ensemble gain, how should its members be mixed, and which of its scores may be
# believed?**
#
# The winner of SENSORIUM 2022 averaged ten networks. Networks that start from other weights and
# see other trials make other errors, and a mean over networks keeps what they agree on. How much
# that brings, and how soon it stops, is the first question here. The second is how to average:
# after the output nonlinearity, as the winner did, before it, or with weights learned on
# validation trials.
#
# The third is about honesty. The winner drew ten random re-splits of the training and validation
# trials, one a member. Early stopping then works for each member, but a trial that validates one
# member trains most others: the score of the whole ensemble on validation trials is
# *contaminated*. It is tempting to read, since it is printed after every training, and it rewards
# members that learned their training trials by heart. With K folds each trial is held out by
# exactly one member, is never used to stop it, and the *out-of-fold* score is honest. The control
# for both is the test set, which no member saw.
#
# This goes with the competition summary (Willeke et al. 2022), which reports ensembles by their
# test score alone. The answer is the last table.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.intervals import comparison_table, interval_table, load_results
from src.evaluation.members import member_curve
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
subsets: int = 10  # at most so many ensembles of each size are scored
resamples: int = 1000  # bootstrap resamples of the images
seed: int = 42  # seed of the subsets and the bootstrap

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = [f"ensemble_{name}" for name in ("members", "modes", "honesty", "gains")]
tables = {name: places.tables / f"{name}.csv" for name in names}
figures = {name: places.figures / f"12_{name}.png" for name in ("members", "honesty")}
declare(*tables.values(), *figures.values())
use_style()

# %% [markdown]
# ## The ensembles
#
# The first ensemble of the study's main table, and one that is trained for this notebook. In the
# `full` profile both have the same architecture; in the demo the second is smaller, to be cheap,
# so compare within an ensemble, not between them.

# %%
first = next(plan for plan in settings.main if plan.members > 1)
plans = [first, *settings.asked("12_fig_ensemble")]
ensembles = {plan.model.name: plan for plan in plans}
main = first.model.name
pd.DataFrame({name: {"members": p.members, "split": p.split} for name, p in ensembles.items()}).T

# %% [markdown]
# Mice whose test responses were withheld have no score and are left out.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
sessions = {key: session for key, session in sessions.items() if not session.withheld("test")}
members = {
    name: load_results(
        sessions,
        places.predictions / name,
        {f"{m}": f"member_{m:02d}" for m in range(1, plan.members + 1)},
    )
    for name, plan in ensembles.items()
}
print("sessions:", ", ".join(sessions))

# %% [markdown]
# ## How many members?
#
# Every subset of the members is an ensemble of its own. For each size, all of them are scored on
# the test trials, or at most ten drawn at random, and the scores averaged: the curve does not
# hang on the order in which members were trained. Intervals are over test images; the gain over
# one member is computed on the same resampled images.

# %%
curves = pd.concat(
    member_curve(
        results, numpy_stream(seed, "members", name), most=subsets, resamples=resamples
    ).assign(model=name)
    for name, results in members.items()
)
save_table(curves, tables["ensemble_members"])
curves.set_index(["model", "members"]).round(4)

# %% [markdown]
# ## Which mean?
#
# ELU(y) + 1 is convex, so the mean after it is never below the value it takes at the mean of y;
# the two differ where members disagree. The learned mix has one weight a member and session. If
# members are equally good, equal weights are best, and learning them can only add noise; unlike
# the two means it can also shrink or stretch all predictions, which correlations do not see but
# FEVE does.

# %%
modes = {"mean": ".", "mean before ELU + 1": "mean_linear", "learned mix": "mix"}
mixed = load_results(sessions, places.predictions / main, modes)
scores = interval_table(mixed, numpy_stream(seed, "modes"), resamples)
pairs = [(name, "mean") for name in modes if name != "mean"]
against = comparison_table(mixed, pairs, numpy_stream(seed, "modes"), resamples)
keys = ["model", "metric", "session"]
against = against.rename(columns={"low": "difference_low", "high": "difference_high"})
mode_table = scores.merge(against.drop(columns="other"), how="left", on=keys)
save_table(mode_table, tables["ensemble_modes"])
shown = mode_table[mode_table["session"].str.startswith("mean")].drop(columns="session")
shown.round(4)

# %%
rows = shown[(shown["metric"] == "avg") & (shown["model"] != "mean")]
rows = rows[["model", "difference", "difference_low", "difference_high"]]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
panels.members_curve(axes[0], curves)
panels.interval_rows(
    axes[1],
    rows.set_axis(["label", "score", "low", "high"], axis=1),
    "correlation to average, minus that of the mean",
)
axes[1].set_title(main)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["members"])

# %% [markdown]
# **What one sees.** Left, the score rises with every member added, most with the second: averaging
# k networks divides by k the part of their error that is their own, and leaves what they share.
# The bars say how uncertain a score is with so few test images. All sizes are scored on the same
# images, so the gains in the table are known much better than the scores. The shaded range, from
# the worst to the best choice of members, closes because there are fewer choices, and is no
# measure of uncertainty; where it is wide at 1, reporting the best of a few single networks says
# little about the next one. Right, the other two ways to combine, less the plain mean, on the same
# images: what they change is small beside what a second member brings.
#
# ## Which scores may be believed?
#
# Single-trial correlations, the only score that exists for images shown once. *Test*: no member
# saw these. *Held out*: each trial is predicted by just those members that did not train on it.
# *Contaminated*: the same trials, predicted by all members, most of which were trained on them.

# %%
held = {
    "resplit": {"validation, held out": "held_out", "validation, all members": "contaminated"},
    "kfold": {"out of fold": "out_of_fold"},
}
trained = {
    name: load_results(sessions, places.predictions / name, held[plan.split], tier=None)
    for name, plan in ensembles.items()
    if plan.split in held
}
if not trained:
    print("all members trained on the official split: there are test scores only")

# %%
rows = []
for name in ensembles:
    curve = curves[curves["model"] == name]
    rows += [curve.head(1).assign(label="test, one member")]
    rows += [curve.tail(1).assign(label="test, all members")]
    if name in trained:
        scores = interval_table(trained[name], numpy_stream(seed, "honesty"), resamples)
        scores = scores[(scores["metric"] == "single") & scores["session"].str.startswith("mean")]
        rows.append(scores.rename(columns={"model": "label"}).assign(model=name))
honesty = pd.concat(rows)[["model", "label", "score", "low", "high"]]
honesty["status"] = (
    honesty["label"].map({"validation, all members": "CONTAMINATED"}).fillna("honest")
)
save_table(honesty, tables["ensemble_honesty"])

# %% [markdown]
# How much of that is contamination? The gain of all members as it appears on validation trials,
# over the members that held each trial out, beside the true gain, on test trials, over one member.
# What the first has in excess is memory of training trials.

# %%
gains = []
for name in (name for name in trained if ensembles[name].split == "resplit"):
    pair = ("validation, all members", "validation, held out")
    found = comparison_table(trained[name], [pair], numpy_stream(seed, "honesty"), resamples)
    mean = (found["metric"] == "single") & found["session"].str.startswith("mean")
    apparent = found.loc[mean, ["difference", "low", "high"]].iloc[0]
    true = curves.loc[curves["model"] == name, ["gain", "gain_low", "gain_high"]].iloc[-1]
    gains += [(name, "validation", *apparent, "CONTAMINATED"), (name, "test", *true, "honest")]
gains = pd.DataFrame(gains, columns=["model", "label", "score", "low", "high", "status"])
save_table(gains, tables["ensemble_gains"])

# %%
shown = [(f"{name}, {p.split}", honesty[honesty["model"] == name]) for name, p in ensembles.items()]
shown += [(f"{name}, gain of all members", part) for name, part in gains.groupby("model")]
figure, axes = plt.subplots(1, len(shown), figsize=(3.4 * len(shown), 2.6), squeeze=False)
for axis, (title, part) in zip(axes[0], shown, strict=True):
    xlabel = "difference of correlation" if "gain" in title else "single-trial correlation"
    panels.interval_rows(axis, part, xlabel)
    axis.set_title(title)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["honesty"])

# %% [markdown]
# **What one sees.** In black, scores that may be believed. The out-of-fold score should agree with
# that of one member on test trials to within both intervals, since a fold's network is one
# network. Its own interval is the narrower, because every training image takes part, while the
# test score hangs on few images (in the demo 40, the same for all mice). Of the re-splits, the
# trials a member held out give about what one member gets on the test set, a little more where
# several members held a trial out, and because early stopping chose the epoch by them. In red, the
# same trials predicted by all members: as far as it lies to the right of the same ensemble's test
# score, it is too good, although nothing but the trials has changed. Right, the two gains. The
# true one is what averaging brings; the rest of the apparent one is memory. How large that rest is
# depends on how much the networks overfit, and so on the data and on the training.
#
# The last table, and the answer.

# %%
honesty.round(4)

# %% [markdown]
# An ensemble gains with every member and is hardly sensitive to how its members are mixed. Believe
# its score on test trials, and, without any test trials, the out-of-fold score, which is that of
# one member and so a cautious one. Do not believe the score of a re-split ensemble on validation
# trials. What is not shown here: ensembles of other seeds, which the intervals do not cover.
