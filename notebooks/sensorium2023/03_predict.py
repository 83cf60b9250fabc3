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
# # 03 · Predict
#
# **What does a trained model say about every frame of films it never saw?**
#
# The network sees 30 frames, one second, and speaks about the last of them. A trial lasts ten
# seconds. So a window moves along the film, each step as far as there are outputs, and its outputs
# are laid end to end. The last window rarely fits the grid: it is pushed back to end with the
# trial, and only the frames that are still missing are taken from it. The published code did this
# for the two lengths of the competition and failed for others; here any length of at least one
# clip works, and a property test tries hundreds of them.
#
# Predictions are kept as a table with one row a frame of a trial and one column a unit. In this
# form a frame of a film is what an image was in the older studies, and everything that scores,
# averages or resamples predictions of images does the same for films. The answer, one file a
# mouse, is what `04_evaluate` and the figures read. No later notebook needs the network.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.correlation import pearson
from src.data.movies import open_movie_sessions
from src.evaluation.ensemble import combine
from src.evaluation.lags import overlap_scores, step_scores
from src.evaluation.levels import level_table
from src.evaluation.movie_predictions import by_trial, measured, movie_predictions
from src.evaluation.movie_submission import bundle, export, submitted
from src.evaluation.prediction import save_prediction
from src.figures.panels import traces
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, file_sha256, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "mean_2_4_8_16"  # a model of the profile, trained by 02_train
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 02_train
lag_trials: int = 2  # oracle trials a mouse on which lags and overlaps are compared
submission: bool = False  # write the competition's files too

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
folder = places.predictions / model
members = range(1, plan.members + 1)
main = ("live_test_main", "final_test_main")
everything = ("oracle", *main, "live_test_bonus", "final_test_bonus")
tiers = main if plan.question else everything  # a member of an ensemble is scored on these alone

# %%
sessions = open_movie_sessions(places.processed, plan.model.inputs)
compared = plan.question in ("", "08_fig_lag")
names = ("positions", "levels", *(("lags", "overlaps") if compared else ()))
tables = {name: places.tables / f"{name}_{model}.csv" for name in names}
declare(*tables.values(), *(folder / f"{key}.npz" for key in sessions))

# %% [markdown]
# ## Load the members
#
# A checkpoint holds its weights, its configuration, and what it was trained on. Loading it against
# other mice, with other neurons, is an error, not a guess. Weights are read once, not anew for
# every trial as in the published scripts.

# %%
weights = [note_input(places.member(model, m) / "weights.pt") for m in members]
encoders = [load_encoder(path, sessions, model=plan.model) for path in weights]
provenance = [
    {"model": model, "member": m, "seed": seed, "checkpoint": file_sha256(path)}
    for m, path in zip(members, weights, strict=True)
]
print(len(encoders), "member of", model)

# %% [markdown]
# ## Predict what can be scored
#
# The oracle tier chose the epoch; the live and final tiers are untouched. Each of the two has
# natural films (*main*) and films of kinds that were never trained on (*bonus*). The first 50
# frames of a trial are never scored. The predictions do differ between repeats of one film, because
# the mouse's pupil and running differ. Trials whose responses were withheld are predicted when they
# are to be handed in, with `-p submission true`.

# %%
predictions, options = {}, {"device": device, "n_threads": plan.training.threads}
for key, session in sessions.items():
    trials = np.sort(np.concatenate([session.trials(tier) for tier in tiers]))
    trials = trials if submission else trials[~session.withheld_trials(trials)]
    made = movie_predictions(encoders, session, trials, provenance, **options)
    predictions[key] = combine(made) if len(made) > 1 else made[0]
    save_prediction(predictions[key], folder / f"{key}.npz")
    print(f"{key}: (frames of {len(trials)} trials, units) = {predictions[key].values.shape}")

# %% [markdown]
# ## The same mouse at rest
#
# How much of a prediction comes from the film, and how much from the mouse? The first model of the
# profile's contest predicts the test films of public mice once more, with pupil and running held at
# their means, for `06_fig_ood`. Nothing is trained again.

# %%
resting = model == settings.contest[0] and "06_fig_ood" not in settings.skips
for key, session in sessions.items() if resting else ():
    trials = np.sort(np.concatenate([session.trials(tier) for tier in everything[1:]]))
    if len(trials := trials[~session.withheld_trials(trials)]):
        held = [{**own, "behavior": "held"} for own in provenance]
        made = movie_predictions(encoders, session.at_rest(), trials, held, **options)
        still = combine(made) if len(made) > 1 else made[0]
        save_prediction(still, places.predictions / f"{model}_at_rest" / f"{key}.npz")

# %% [markdown]
# ## Which outputs of a window are good?
#
# Output k of the published network is made of frames 2k and 2k + 1 of its clip, but speaks about
# frame 15 + k. The first output is thus half a second old, and the last is current. A window that
# moves by less than its outputs sees each frame several times, with several lags. Two small tables
# on a few oracle trials keep what that brings, for the models that `08_fig_lag` compares.

# %%
lags, overlaps = [], []
for key, session in sessions.items() if compared else ():
    trials = session.trials("oracle")[:lag_trials]
    lags.append(step_scores(encoders[0], session, trials).assign(session=key))
    overlaps.append(overlap_scores(encoders[0], session, trials, (15, 5)).assign(session=key))
if compared:
    save_table(pd.concat(lags, ignore_index=True), tables["lags"])
    save_table(pd.concat(overlaps, ignore_index=True), tables["overlaps"])
    print(pd.concat(overlaps).groupby(["stride", "overlap"])["score"].mean().unstack())

# %% [markdown]
# ## What each level contributes
#
# If the readout has levels, their weights, and how much each level's share of the prediction moves
# over time, go to `07_fig_levels`.

# %%
shares = [level_table(encoders[0], s, s.trials("oracle")[:lag_trials]) for s in sessions.values()]
save_table(pd.concat(shares, ignore_index=True), tables["levels"])

# %% [markdown]
# ## Where each neuron looks
#
# The mean position of each unit's Gaussian, in units of half the map, is kept for the figures about
# receptive fields.

# %%
positions = pd.concat(
    {
        key: pd.DataFrame(
            np.mean([e.readouts[key].mu.detach().cpu().numpy() for e in encoders], axis=0),
            columns=["mu_x", "mu_y"],
            index=pd.Index(session.unit_ids, name="unit_id"),
        )
        for key, session in sessions.items()
    },
    names=["session"],
).reset_index()
save_table(positions, tables["positions"])
positions.describe().loc[["min", "50%", "max"]]

# %% [markdown]
# ## Files for the competition
#
# The four files of the competition are written trial by trial, for the mice whose responses were
# withheld. Before they go into the zips each is read back and held against the mice: which trials,
# which neurons, in which order, and how many frames.

# %%
scored = {key: s for key, s in sessions.items() if s.withheld("final_test_main")}
for tier in everything[1:] if submission else ():
    rows = (row for k, s in scored.items() for row in submitted(s, tier, by_trial(predictions[k])))
    print(export(rows, folder / "submission", tier))
if submission:
    print(*bundle(folder / "submission", scored), sep="\n")

# %% [markdown]
# ## A first look
#
# The neuron that is predicted best on natural test films of the first mouse, in one of the trials.

# %%
key, session = next((k, s) for k, s in sessions.items() if not s.withheld("live_test_main"))
trials = session.trials("live_test_main")
parts = {name: (frames, values) for name, frames, values in by_trial(predictions[key])}
shown = [parts[name] for name in session.trial_ids[trials]]
count = [session.scored_frames(i) for i in trials]
predicted = np.concatenate([v[: s.stop - s.start] for (_, v), s in zip(shown, count, strict=True)])
scores = pearson(predicted, measured(session, trials))
best = int(np.argmax(scores))

# %%
use_style()
frames, values = shown[0]
recorded = session.responses_of(trials[0])[frames[0] : frames[-1] + 1, best]
figure, axis = plt.subplots(figsize=(7, 2.6))
traces(axis, frames[: len(recorded)] / 30, recorded, values[: len(recorded), best])
axis.set_title(f"{key}, unit {session.unit_ids[best]}, r = {scores[best]:.2f}")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"03_{model}_best_unit.png")

# %% [markdown]
# **What one sees.** The measured trace is spiky and the predicted one smooth: the network says how
# much a neuron is expected to do, not when its next event falls. Where both rise together the film
# contains what this neuron looks for. One neuron picked for its score proves nothing, of course;
# `04_evaluate` scores them all, by kind of film and with intervals.
