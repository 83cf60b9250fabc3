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
# # 04 · Evaluate
#
# **How well are the responses to films predicted, neuron by neuron, and how well could they be?**
#
# The competition's score is the *single-trial correlation*: for each neuron, all scored frames of
# all test trials are put one after the other, predictions beside responses, and correlated. It is
# not a mean of the correlations of trials: a model must also get right that one film drives a
# neuron more than another. Four more numbers tell how much of the rest is noise:
#
# - **correlation to average**: first the mean over the repeats of a film, then the correlation,
#   over all films together (`avg`) or film by film (`avg_per_video`). Predictions are averaged
#   too, for they differ between repeats as the mouse's behavior does.
# - **CC_norm** (Schoppe et al. 2016): the covariance with the mean response, over what the power of
#   the repeatable signal allows. 1 is perfect.
# - **reliability**: how well the mean of the repeats agrees with that of others; its root is the
#   most that `avg` can be.
# - the **Poisson loss**, which also minds the size of a response.
#
# Which frames count is a choice, too. The winners handed in 249 columns for films of 300 frames,
# and leaving out the first 50 gives 250. Both are scored here: `official` and `full`. And every
# score stands beside the name of its scaling, because dividing by another standard deviation
# makes another score.
#
# Means over neurons come in both forms in use: `pooled` over all neurons (the organizers), and the
# mean of the mice's means (the winner). The answer is the table of scores and its figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.movies import open_movie_sessions
from src.evaluation.movie_references import reference_results
from src.evaluation.movie_results import (
    load_movie_results,
    movie_comparisons,
    movie_intervals,
    published_table,
    summary,
    unit_table,
)
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 500  # bootstrap resamples of the films
seed: int = 42  # seed of the bootstrap and of halves of repeats

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("units", "scores", "intervals", "comparisons", "published", "references")
tables = {name: places.tables / f"{name}.csv" for name in names}
declare(*tables.values(), places.figures / "04_scores.png", places.figures / "04_ceiling.png")

# %% [markdown]
# ## Predictions and responses
#
# Rows of a file are frames of trials, matched by name, by neuron, and by the hash of the film that
# was shown: a prediction for another film does not pass. Tiers whose responses are withheld cannot
# be scored; for scored mice that leaves the oracle trials, for public ones everything.

# %%
systems = {plan.model.name: plan.model.name for plan in settings.main}
inputs = settings.main[0].model.inputs
sessions = open_movie_sessions(places.processed, inputs)
tracks = {
    "oracle": ("oracle",),
    "main": ("live_test_main", "final_test_main"),
    "OOD": ("live_test_bonus", "final_test_bonus"),
}

# %%
results = {
    track: load_movie_results(sessions, places.predictions, systems, tiers)
    for track, tiers in tracks.items()
}
results = {track: found for track, found in results.items() if found}
for track, found in results.items():
    print(track, {one.session: one.responses.shape for one in found}, "(rows, units)")

# %% [markdown]
# ## One row a neuron

# %%
units = pd.concat(unit_table(found, seed).assign(track=track) for track, found in results.items())
save_table(units, tables["units"])
units.groupby(["track", "model", "session"], sort=False)["single"].describe().round(3)

# %% [markdown]
# A neuron that never varies, or one whose prediction does not, has a correlation of 0 and counts;
# `n_nan` would say how many predicted values are no numbers.
#
# ## The scores
#
# With both policies of frames, and with the name of the scaling in every row. `headline` marks the
# rows of all neurons together on official frames, those that a run prints at its end.

# %%
rows = []
for policy in ("official", "full"):
    for track in results:
        again = load_movie_results(sessions, places.predictions, systems, tracks[track], policy)
        table = summary(unit_table(again, seed)).assign(track=track, frames=policy)
        rows.append(table)
scores = pd.concat(rows, ignore_index=True).assign(
    response_scale=inputs.response_scale, data="simulated" if simulated else "recorded"
)
scores["headline"] = (scores["frames"] == "official") & (scores["session"] == "pooled")
save_table(scores, tables["scores"])

# %%
together = scores[scores["session"].str.contains("pooled|mean of")]
together.pivot_table(
    index=["track", "model"], columns=["frames", "session"], values="single", sort=False
).round(3)

# %%
official = together[(together["frames"] == "official") & (together["session"] == "pooled")]
columns = ["single", "avg", "avg_per_video", "cc_norm", "reliability", "poisson"]
official.set_index(["track", "model"])[columns].round(3)

# %% [markdown]
# ## What has to be beaten
#
# Two models that a trained network must beat, also one of the few steps of the profile `smoke`; all
# are scored on the same frames. `mean response` sees nothing: it says each neuron's mean over
# training films. What does not vary correlates with nothing, so its score is 0; its Poisson loss is
# what knowing the rates alone is worth. `frame shown` is a linear map of the frame that is on the
# screen, averaged to 9 x 16 places: it has no memory, and so misses what a neuron answers a few
# frames later. Its penalty is chosen on oracle films, an advantage where these alone can be scored.
# Below 0 it counts as a rate of 0, which the loss of a neuron that answers rarely punishes hard:
# look at its correlation. `lowers_loss` is the share of neurons for which a model has a smaller
# loss than their mean.

# %%
first = next(track for track in ("main", "oracle") if track in results)
references = [reference_results(one, sessions[one.session]) for one in results[first]]
both = pd.concat([unit_table(references, seed), units[units["track"] == first]])
losses = both.pivot_table("poisson", ["session", "unit_id"], "model", sort=False)
beaten = losses.lt(losses["mean response"], axis=0).mean()
compared = summary(both).query("session == 'pooled'").assign(track=first)
compared["lowers_loss"] = compared["model"].map(beaten)
save_table(compared, tables["references"])
compared.set_index("model")[["single", "avg", "poisson", "lowers_loss"]].round(3)

# %% [markdown]
# ## How sure is that?
#
# Films are drawn with replacement, each with all its frames and repeats; models are compared on
# the same draws. With six films a tier, an interval is honest about how little six films say.

# %%
intervals = movie_intervals(results[first], seed, resamples)
save_table(intervals, tables["intervals"])
means = intervals[intervals["session"].str.startswith("mean")]
means.drop(columns="session").round(3)

# %%
reference = settings.contest[-1] if settings.contest else next(iter(systems))
pairs = [(name, reference) for name in systems if name != reference]
comparisons = movie_comparisons(results[first], pairs, seed, resamples)
save_table(comparisons, tables["comparisons"])
comparisons[comparisons["session"].str.startswith("mean")].drop(columns="session").round(3)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
panels.score_distributions(axes[0], units[units["track"] == first], "single")
panels.score_intervals(axes[1], means)
axes[1].set_xlabel("score, with its interval over films")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "04_scores.png")

# %% [markdown]
# **What one sees.** Left, the share of neurons whose score lies below the value on the axis: a line
# further right is a better model. Right, mean scores with their intervals over films.
#
# ## Against the ceiling

# %%
best = official[official["track"] == first].sort_values("single")["model"].iloc[-1]
shown = units[(units["track"] == first) & (units["model"] == best)]
shown = shown.assign(cc_max=np.sqrt(shown["reliability"].clip(lower=0)))
figure, axis = plt.subplots(figsize=(4.2, 4))
panels.score_against_ceiling(axis, shown)
axis.set_title(best)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "04_ceiling.png")

# %% [markdown]
# **What one sees.** Each point is a neuron: the correlation with its mean response, against the
# root of its reliability. What is missing below the diagonal a better model could still find.
#
# ## Beside the published numbers
#
# Comparable only in the `full` profile, on the real recordings, and even there with care: the
# published scores of the final tiers are those of mice whose responses are withheld, so that ours
# for the same tiers come from the five mice whose responses are public.

# %%
own = scores[(scores["frames"] == "official") & (scores["model"] == best)]
alike = not (simulated or recording)  # nothing was published of other data
published = published_table(study.published, own, alike).assign(model=best)
published["data"] = own["data"].iloc[0]
save_table(published, tables["published"])
columns = ["system", "session", "value", "ours", "difference", "tolerance", "within"]
published[[*columns, "data", "source", "status"]].round(3)

# %% [markdown]
# On simulated mice the column `ours` shows where a number will stand, and is no reproduction: there
# is no difference to speak of. On recorded ones `within` says whether it is at most the tolerance,
# and `status` what kind of place a published number was found in.
#
# The tables of this notebook are all that the figure notebooks read.
