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
# # 11 · Behavior
#
# **Are responses predicted better while the pupil is wide, and does a model have to be told?**
#
# A mouse that is aroused has wide pupils, and its visual cortex responds more strongly and more
# reliably. A model of images knows nothing of that; models with behavior are told the pupil's
# size, its change and the running speed of each trial.
#
# As in the study of V1T (Li et al. 2023), test trials are cut into thirds of the pupil's size, and
# the single-trial correlation is taken in the smallest and in the largest third, neuron by neuron.
# Three things could make them differ, and each has its control:
#
# - **other images** happened to be shown while the pupil was wide. In the null, pupil sizes are
#   shuffled among the repeats of each image, so every third keeps its images.
# - **more reliable neurons.** Then any predictor does better, also one that is no model at all:
#   `other repeats` predicts a trial by the mean of the same image's other trials.
# - **a model that uses behavior.** Then models that are told it should gain over those that are
#   not, in either third.
#
# This is the counterpart of V1T's figure of pupil-dilation thirds. Only images shown at least twice
# enter, since the others have nothing to be shuffled with. The answer is the table of differences,
# and the figure after it.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.analyses.behavior import (
    REPEATS,
    benefit_table,
    compare,
    difference_table,
    repeated,
    third_table,
    thirds,
    unit_table,
    varies,
    with_other_repeats,
)
from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.intervals import load_results
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
resamples: int = 500  # bootstrap resamples, and shuffles
seed: int = 42  # seed of both

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
told = [plan.model.name for plan in settings.main if plan.model.inputs.behavior]
models = [plan.model.name for plan in settings.main]
names = ("thirds", "differences", "benefit", "units")
tables = {name: places.tables / f"behavior_{name}.csv" for name in names}
figures = {name: places.figures / f"11_{name}.png" for name in ("thirds", "units")}
declare(*tables.values(), *figures.values())
use_style()
print("told the behavior:", ", ".join(told) or "none", " of:", ", ".join(models))

# %% [markdown]
# ## Who can be asked
#
# Mice with behavior and with public test responses. The others are named here, with the reason.

# %%
sessions = open_sessions(places.processed, InputConfig(behavior=True))
reasons = {key: "no behavior" for key, session in sessions.items() if session.behavior_missing}
reasons |= {key: "test responses withheld" for key, s in sessions.items() if s.withheld("test")}
for key, reason in reasons.items():
    print(f"left out: {key}, {reason}")

# %% [markdown]
# One network a model, its first member, so that models are compared like with like: an ensemble
# would win over a single network whatever it was told.

# %%
scored = {key: session for key, session in sessions.items() if key not in reasons}
first = {name: f"{name}/member_01" for name in models}
loaded = load_results(scored, places.predictions, first)
behavior = {}
for key, result in zip(scored, loaded, strict=True):
    trials = scored[key].trials("test")[repeated(result)]
    behavior[key] = scored[key].batch(trials).behavior.numpy()
results = [with_other_repeats(result) for result in loaded]
{result.session: f"(n_trials, n_units) = {result.responses.shape}" for result in results}

# %% [markdown]
# ## Thirds
#
# The same for running speed. A mouse that sits in most trials has the same speed, zero, in all of
# them; equal values stay together, so that its smallest third is every trial in which it sat. A
# mouse whose state does not vary has no thirds, and is left out of that state.

# %%
states = {"pupil size": 0, "running speed": 2}
found = {}
for state, column in states.items():
    values = {key: traces[:, column] for key, traces in behavior.items()}
    usable = [result for result in results if varies(values[result.session])]
    found[state] = compare(usable, values, numpy_stream(seed, state), resamples)
    print(state, {key: thirds(x).sum(axis=1).tolist() for key, x in values.items()})

# %%
scores = pd.concat(third_table(one).assign(state=state) for state, one in found.items())
differences = pd.concat(difference_table(one).assign(state=state) for state, one in found.items())
save_table(scores, tables["thirds"])
save_table(differences, tables["differences"])
means = differences[differences["session"].str.startswith("mean")]
means.set_index(["state", "model"]).drop(columns="session").round(3)

# %% [markdown]
# `null` is the mean difference with the state shuffled among the repeats of each image. It need not
# be 0: if harder images happened to be shown while the pupil was wide, it is negative. p says how
# often a shuffled difference lies as far from it as the real one, on either side. `units_better`
# is the share of neurons with the higher score in the largest third.

# %%
figure, axes = plt.subplots(2, 2, figsize=(9, 6.6), layout="constrained")
for row, state in zip(axes, states, strict=True):
    one = scores[(scores["state"] == state) & scores["session"].str.startswith("mean")]
    panels.third_scores(row[0], one, state)
    panels.third_differences(row[1], means[means["state"] == state], state)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["thirds"])

# %% [markdown]
# **What one sees.** Left, mean single-trial correlations in both thirds, with intervals over
# images; right, their differences, paired over images and neurons, and what shuffled states give.
# `other repeats` is the control without a model: where it rises too, the neurons have become more
# reliable, and the models merely share in that. In simulated mice arousal and running raise every
# neuron's gain a little, so some rise is expected; with the demo's few images that of running can
# be seen, and that of the pupil cannot be told from nothing. Intervals of scores lie a little low,
# because a resample holds fewer different images; those of differences do not.
#
# ## Neuron by neuron

# %%
pairs = [(name, name.removesuffix("_plus")) for name in told]
pairs = [(name, other) for name, other in pairs if other in models and other != name]
shown = [*dict.fromkeys(name for pair in pairs for name in reversed(pair))] or models
shown = [*shown[:2], REPEATS]
mean = next(key for _, key in found["pupil size"] if key.startswith("mean"))
figure, axes = plt.subplots(1, len(shown), figsize=(9, 3.4), layout="constrained")
for axis, name in zip(axes, shown, strict=True):
    panels.paired_units(axis, found["pupil size"][name, mean].units, name)
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["units"])
ids = {key: session.unit_ids for key, session in sessions.items()}
save_table(unit_table(found["pupil size"], ids), tables["units"])

# %% [markdown]
# **What one sees.** Each point is a neuron, its score with a wide pupil against that with a narrow
# one. Above the diagonal are neurons that are predicted better while the pupil is wide. A third of
# the test trials is few for one neuron, so single points scatter; it is the cloud that counts.
#
# ## What being told is worth
#
# A model with behavior against the model of the same core without, in either third. In profiles
# whose networks train for a few epochs only, this says more about training than about behavior.

# %%
benefit = pd.concat(benefit_table(one, pairs).assign(state=state) for state, one in found.items())
save_table(benefit, tables["benefit"])
shown = benefit[benefit["session"].isin(means["session"])].drop(columns="session")
print("pairs of models with and without behavior:", len(pairs))
shown.round(3)

# %% [markdown]
# A model can be better with a wide pupil for want of noise, and worse with a narrow one, and know
# nothing of pupils: the first table says whether the difference is there, its row `other repeats`
# whether it is the neurons', and the last table what telling the model adds. Only the `full`
# profile, with networks trained to their end, can ask this of real mice.
