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
# **How good are the predictions, neuron by neuron, and how good could they be at all?**
#
# A neuron shown the same image ten times gives ten different answers. No model of images can
# predict that part, so a correlation of 0.4 with single trials may be poor or nearly perfect.
# Four numbers tell the story, each over the test trials of one neuron:
#
# - **single-trial correlation** of prediction and response, the competition's ranking score. It
#   mixes model and noise.
# - **correlation to average**, with the mean over repeats: most of the noise is averaged out.
# - **FEVE**, the fraction of *explainable* variance explained. The variance V over all trials,
#   less the mean variance N over repeats of an image, is what images can explain; FEVE is the
#   model's share of it. It is averaged over neurons for which at least 15 % of the variance is
#   explainable, as in the competition; every neuron stays in the table.
# - **CC_norm**, the correlation to average divided by its ceiling CC_max, what a perfect model
#   would reach with so few repeats (Schoppe et al. 2016).
#
# Beside every score stands an interval: the images are resampled, because other images would have
# given another score. Models are compared on the same neurons and the same resampled images, so
# that what they share cancels. The answer is the table of scores, and the figure after it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.intervals import comparison_table, interval_table, load_results
from src.evaluation.metrics import single_trial_correlation
from src.evaluation.prediction import align, load_prediction
from src.evaluation.scores import summary_table, unit_table
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
resamples: int = 1000  # bootstrap resamples of the test images
seed: int = 42  # seed of the bootstrap

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("units", "scores", "intervals", "comparisons", "published")
tables = {name: places.tables / f"{name}.csv" for name in names}
declare(*tables.values(), places.figures / "04_scores.png", places.figures / "04_ceiling.png")

# %% [markdown]
# ## Predictions and responses
#
# A model with several members enters twice: its first member alone, and the ensemble's mean. Rows
# are matched by trial id and columns by unit id, so a file whose rows were shuffled scores the
# same, and a file that lacks a neuron is refused.

# %%
systems = {}
for plan in settings.main:
    name = plan.model.name
    systems[name] = f"{name}/member_01"
    if plan.members > 1:
        systems[f"{name} x {plan.members}"] = name
systems

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
results = load_results(sessions, places.predictions, systems)
print("sessions:", ", ".join(sessions))

# %% [markdown]
# ## One row a neuron
#
# The table is complete and in the order of the recording: neurons below the threshold, and mice
# whose test responses were withheld, are marked in `status` and `kept`, not dropped. An id, once
# lost, cannot be joined with anything.

# %%
units = pd.concat(
    unit_table(sessions[result.session], p, result.responses, result.image_ids).assign(model=system)
    for system in systems
    for result in results
    for p in [result.predictions[system]]
)
save_table(units, tables["units"])
units.groupby(["model", "session"], sort=False)["status"].value_counts().unstack(fill_value=0)

# %% [markdown]
# ## The scores
#
# Means over neurons, then over the mice that can be scored. `n_kept` counts the neurons with at
# least 15 % explainable variance, over which FEVE and CC_norm are averaged. A model that is given
# boxes of objects knows something from outside: a detector that was trained on other photographs.

# %%
scores = summary_table(units)
scores.insert(0, "data", "simulated" if simulated else "recorded")
told = {plan.model.name: plan.external for plan in settings.main}
scores["external information"] = scores["model"].str.split(" x ").str[0].map(told)
save_table(scores, tables["scores"])
shown = ["model", "session", "status", "n_units", "n_kept", "single", "avg", "avg_median"]
shown += ["feve", "cc_norm", "external information"]
scores[shown].round(3)

# %% [markdown]
# ## How sure is that?
#
# 95 % intervals over test images. A few images that happen to be easy or hard move a score by as
# much as a change of architecture does, and the intervals say by how much.

# %%
intervals = interval_table(results, numpy_stream(seed, "intervals"), resamples)
save_table(intervals, tables["intervals"])
means = intervals[intervals["session"].str.startswith("mean")]
means.drop(columns="session").round(3)

# %%
baseline = next(name for name in ("cnn", "ln") if name in systems)
pairs = [(name, baseline) for name in systems if name != baseline]
comparisons = comparison_table(results, pairs, numpy_stream(seed, "comparisons"), resamples)
save_table(comparisons, tables["comparisons"])
comparisons[comparisons["session"].str.startswith("mean")].drop(columns="session").round(3)

# %% [markdown]
# An interval that excludes 0 is a difference that other images would very likely show again. It
# says nothing about other random seeds, nor about other mice.

# %% [markdown]
# ## Out of fold
#
# A model trained on K folds can also be scored on its training and validation images, each
# predicted by the one member that never saw it. These are single presentations, so only the
# single-trial correlation exists; it should agree with that of one member on the test images,
# because a fold's network is one network, not an ensemble.

# %%
rows = []
for name in (plan.model.name for plan in settings.main if plan.split == "kfold"):
    for result in (result for result in results if result.responses.any()):
        session = sessions[result.session]
        held_out = load_prediction(places.predictions / name / "out_of_fold" / f"{session.key}.npz")
        trials = np.flatnonzero(np.isin(session.trial_ids, held_out.trial_ids))
        p = align(held_out, session.trial_ids[trials], session.unit_ids)
        score = single_trial_correlation(p, session.responses(trials).numpy()).mean()
        test = single_trial_correlation(result.predictions[name], result.responses).mean()
        rows.append((name, session.key, len(trials), score, test))
pd.DataFrame(rows, columns=["model", "session", "trials", "out of fold", "one member, test"]).round(
    3
)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
panels.score_distributions(axes[0], units, "avg")
panels.score_intervals(axes[1], means)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "04_scores.png")

# %% [markdown]
# **What one sees.** Left, every line is one model: the share of neurons whose correlation to
# average lies below the value on the axis, so a line further right is a better model. The lines
# rise early: some neurons in every recording cannot be predicted by anything. Right, the mean
# scores with their intervals.
#
# ## Against the ceiling

# %%
last = list(systems)[-1]
figure, axis = plt.subplots(figsize=(4.2, 4))
panels.score_against_ceiling(axis, units[(units["model"] == last) & (units["status"] == "scored")])
axis.set_title(last)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "04_ceiling.png")

# %% [markdown]
# **What one sees.** Each point is a neuron: the score it got, against the best score its noise
# allows. Points on the diagonal are explained as far as these repeats can tell. The distance
# below it is what a better model could still gain; the distance from the diagonal's end to 1 is
# noise, which nobody can.
#
# ## Beside the published numbers
#
# Numbers from stored outputs of the published code, each beside ours for the same mouse and
# metric. They are comparable only in the `full` profile, on the real recordings; on simulated
# mice the column `ours` shows where a number will appear, and must not be read as a reproduction.

# %%
published = pd.DataFrame([vars(score) for score in study.published])
ours = scores.melt(["model", "session"], ["single", "avg", "feve"], "metric", "ours")
published = published.merge(
    ours.pivot_table(index=["session", "metric"], columns="model", values="ours").reset_index(),
    how="left",
    on=["session", "metric"],
)
published.insert(0, "our data", "simulated" if simulated else "real")
save_table(published, tables["published"])
published.round(3)

# %% [markdown]
# The published rows differ in their use of behavior and in ensemble size. They are a record, not
# a ranking.
#
# The tables of this notebook are all that the figure notebooks read.
