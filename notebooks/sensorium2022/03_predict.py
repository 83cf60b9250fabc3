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
# **What does a trained model, and the mean of its ensemble, say about images it never saw?**
#
# A member is one trained network. Members differ in their random start and in the trials they
# were trained on, so they err differently, and their mean errs less. That is the whole idea of an
# ensemble, and it won the competition with ten members. This notebook loads all members of one
# model, predicts every test trial of every mouse, and averages *after* the output nonlinearity,
# which keeps predictions in the units of a response.
#
# Where a model uses neither behavior nor pupil, its prediction depends on the image alone, and
# each image is computed once, not ten times for ten repeats.
#
# The answer, one file a session with the predictions of every member, is what `04_evaluate` and
# all figures read. No later notebook needs the network, or a GPU.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.session import open_sessions
from src.data.splits import member_splits
from src.evaluation.ensemble import combine, fit_mix, held_out, out_of_fold
from src.evaluation.metrics import Repeats, correlation_to_average
from src.evaluation.prediction import prediction_of, predictions_of, save_prediction
from src.evaluation.submission import export
from src.figures.panels import predicted_against_measured
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, file_sha256, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "wide"  # a model of the profile, trained by 02_train
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 02_train
submission: bool = False  # write the competition's CSV files too, some 150 MB a mouse and test set

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
folder = places.predictions / model
members = range(1, plan.members + 1)

# %%
sessions = open_sessions(places.processed, plan.model.inputs)
declare(
    places.tables / f"positions_{model}.csv",
    *(folder / f"member_{member:02d}" / f"{key}.npz" for member in members for key in sessions),
    *(folder / f"{key}.npz" for key in sessions),
)

# %% [markdown]
# ## Load the members
#
# A checkpoint holds its weights, its configuration, and what it was trained on. Loading it
# against other sessions, with other neurons or another image size, is an error, not a guess.

# %%
weights = [note_input(places.member(model, m) / "weights.pt") for m in members]
encoders = [load_encoder(path, sessions, model=plan.model) for path in weights]
provenance = [
    {"model": model, "member": m, "seed": seed, "checkpoint": file_sha256(path)}
    for m, path in zip(members, weights, strict=True)
]
print(len(encoders), "members of", model)

# %% [markdown]
# ## Predict the test trials
#
# Test trials are the one part of the data no member has seen, in training or in early stopping.
# Networks are in evaluation mode: the reading positions are the means of their Gaussians, nothing
# is sampled, and batch statistics are the ones kept from training, so the same trial gives the
# same prediction whatever is predicted beside it.
#
# Each batch of images is read once and shown to all members. Every member's predictions are saved,
# one file a session, and then their mean.

# %%
outputs, ensembles = {}, {}
for key, session in sessions.items():
    outputs[key] = predictions_of(
        encoders, session, session.trials("test"), provenance, device=device
    )
    responses = [y.responses() for y in outputs[key]]
    for member, prediction in zip(members, responses, strict=True):
        save_prediction(prediction, folder / f"member_{member:02d}" / f"{key}.npz")
    ensembles[key] = combine(responses)
    save_prediction(ensembles[key], folder / f"{key}.npz")
first_key = next(key for key, session in sessions.items() if not session.withheld("test"))
print("(n_trials, n_units) =", ensembles[first_key].values.shape)

# %% [markdown]
# ## Two other ways to combine
#
# The published ensemble is the plain mean after the output nonlinearity, and so is ours. Two
# others are kept beside it for `12_fig_ensemble`: the mean *before* the nonlinearity, and a mix
# with one weight a member, fitted to the validation trials. With re-splits or folds most members
# were trained on those trials, so the weights are fitted to predictions that are too good; the
# score on test trials is honest all the same.

# %%
if plan.members > 1:
    for key, session in sessions.items():
        save_prediction(combine(outputs[key], "mean_linear"), folder / "mean_linear" / f"{key}.npz")
        trials = session.trials("validation")
        validation = predictions_of(encoders, session, trials, provenance, device=device)
        fitted = np.stack([y.responses().values for y in validation])  # (k, n, u)
        mix = fit_mix(fitted, session.responses(trials).numpy())
        mixed = combine([y.responses() for y in outputs[key]], "mix", mix)
        save_prediction(mixed, folder / "mix" / f"{key}.npz")

# %% [markdown]
# ## Out of fold
#
# If the members were trained on K folds, every training and validation trial was held out by
# exactly one of them. Its prediction by that one member is honest, so all 5,000 images can be
# scored, not only the test images. The official split has no such prediction.

# %%
splits = member_splits(sessions, plan.split, plan.members, seed, plan.images)
if plan.split == "kfold":
    for key, session in sessions.items():
        parts = [
            prediction_of(encoder, session, split[key].test, made_from, device=device)
            for encoder, split, made_from in zip(encoders, splits, provenance, strict=True)
        ]
        save_prediction(out_of_fold(parts), folder / "out_of_fold" / f"{key}.npz")

# %% [markdown]
# The winner's re-splits overlap at random. A trial in the validation set of one member is in the
# training set of most others, so the ensemble's score on it is *contaminated*. To show by how
# much, trials that at least one member held out are predicted twice: by the members that held
# them out, and by all.

# %%
if plan.split == "resplit":
    for key, session in sessions.items():
        everything = np.arange(session.n_trials)
        held = np.array([np.isin(everything, split[key].validation) for split in splits])  # (k, n)
        trials = np.flatnonzero(held.any(axis=0))
        made = predictions_of(encoders, session, trials, provenance, device=device)
        responses = [y.responses() for y in made]
        save_prediction(held_out(responses, held[:, trials]), folder / "held_out" / f"{key}.npz")
        save_prediction(combine(responses), folder / "contaminated" / f"{key}.npz")

# %% [markdown]
# ## Files for the competition
#
# With `-p submission true`, the ensemble's predictions are also written as the competition's CSV
# files, for the live test set and, where there is one, for the final one; and beside them the
# files of measured responses to score them with, unless the responses were withheld.

# %%
tiers = ("test", "final_test") if submission else ()
for key, session, tier in ((k, s, t) for k, s in sessions.items() for t in tiers):
    if len(trials := session.trials(tier)):
        made = predictions_of(encoders, session, trials, provenance, device=device)
        predicted = combine([y.responses() for y in made])
        print(export(predicted, folder / "submission" / key, "prediction", tier))
        if not session.withheld(tier):
            measured = replace(predicted, values=session.responses(trials).numpy())
            print(export(measured, folder / "submission" / key, "responses", tier))

# %% [markdown]
# ## Where each neuron looks
#
# The learned readout positions are needed for the retinotopic maps of `06_fig_retinotopy`.
# Members agree on them closely; their mean is kept.

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
save_table(positions, places.tables / f"positions_{model}.csv")
positions.describe().loc[["min", "50%", "max"]]

# %% [markdown]
# ## A first look
#
# The neuron whose mean responses the ensemble predicts best, in the first mouse with test
# responses. Each point is one image: its mean over repeats, measured against predicted.

# %%
session, ensemble = sessions[first_key], ensembles[first_key]
trials = session.trials("test")
responses = session.batch(trials).responses.numpy()
scores = correlation_to_average(ensemble.values, responses, session.image_ids[trials])
best = int(np.argmax(scores))

# %%
use_style()
repeats = Repeats.of(session.image_ids[trials])
figure, axis = plt.subplots(figsize=(3.8, 3.6))
predicted_against_measured(
    axis, repeats.mean(ensemble.values)[:, best], repeats.mean(responses)[:, best], scores[best]
)
axis.set_title(f"{first_key}, unit {session.unit_ids[best]}")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"03_{model}_best_unit.png")

# %% [markdown]
# **What one sees.** For a well-predicted neuron the points follow the diagonal. The largest
# responses are usually under-predicted: a squared or Poisson loss pulls a model that is unsure
# towards the mean. One neuron picked for its score proves nothing, of course; `04_evaluate`
# scores them all.
