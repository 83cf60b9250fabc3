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
# **What does a network trained on rates say about images it never saw?**
#
# All members of one model are loaded, in evaluation mode, and asked about every image that is
# scored later, and about the test images whose rates were never given out. The ensemble's
# prediction is the mean of its members'.
#
# A checkpoint knows what it was trained on, so loading it against other sites or another image
# size is an error. Loaded again, it says the same as when it was trained, to the last bit. That is
# less obvious than it sounds: one published search scored its networks with batch normalization
# still learning, so that the score of an image depended on which images stood beside it. Here
# whoever asks networks puts them into evaluation mode first.
#
# The answer, one file of predictions, is what `04_evaluate` reads.

# %%
import matplotlib.pyplot as plt
import numpy as np

from src.correlation import explained_variance
from src.data.splits import official_split
from src.evaluation.ensemble import combine
from src.evaluation.metrics import Repeats, correlation
from src.evaluation.prediction import predictions_of, save_prediction
from src.evaluation.probes import scored_trials
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, file_sha256, note_input, save_figure
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.studies import STUDIES
from src.training.checkpoint import load_encoder
from src.training.found import found_plan

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "it_cnn"  # a model of the profile, trained by 02_train
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 02_train

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
folder = places.predictions / model
sessions = open_inputs(places.processed, plan.model.inputs, places.features)
declare(*(folder / f"{key}.npz" for key in sessions))

# %%
members = range(1, plan.members + 1)
weights = [note_input(places.member(model, m) / "weights.pt") for m in members]
encoders = [load_encoder(path, sessions, model=found_plan(plan, places).model) for path in weights]
provenance = [
    {"model": model, "member": m, "seed": seed, "checkpoint": file_sha256(path)}
    for m, path in zip(members, weights, strict=True)
]
print(len(encoders), "members of", model)

# %% [markdown]
# ## Predict
#
# Which images are scored does not depend on the model: those for testing, or, where their
# responses are withheld, those for validation. Of several members each is kept as well, so that
# `04_evaluate` can say what their mean gains.

# %%
made = {}
for key, session in sessions.items():
    places_of = {"": scored_trials(session, official_split(session))}
    if session.withheld("test"):
        places_of["test"] = session.trials("test")
    for place, trials in places_of.items():
        outputs = predictions_of(encoders, session, trials, provenance, device=device)
        each = [y.responses() for y in outputs]
        together = combine(each)
        save_prediction(together, folder / place / f"{key}.npz")
        if len(each) > 1 and not place:
            for m, one in zip(members, each, strict=True):
                save_prediction(one, folder / f"member_{m:02d}" / f"{key}.npz")
        made.setdefault(key, (trials, together))
key, (trials, prediction) = next(iter(made.items()))
print("(n_trials, n_units) =", prediction.values.shape)

# %% [markdown]
# ## A first look
#
# The site that is predicted best, one point an image.

# %%
session = sessions[key]
repeats = Repeats.of(session.image_ids[trials])
predicted = repeats.mean(prediction.values)
measured = repeats.mean(session.responses(trials).numpy())
r, ev = correlation(predicted, measured), explained_variance(predicted, measured)
best = int(np.argmax(r))
print(f"mean over {len(r)} units: EV {np.nanmean(ev):.3f}, r {r.mean():.3f}")

# %%
use_style()
figure, axis = plt.subplots(figsize=(3.8, 3.6))
panels.predicted_against_measured(axis, predicted[:, best], measured[:, best], r[best])
axis.set_title(f"{key}, unit {session.unit_ids[best]}")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"03_{model}_best_unit.png")

# %% [markdown]
# **What one sees.** The points of a well-predicted site follow the diagonal, flatter than it: a
# model that is unsure predicts closer to the mean. Points in a vertical heap would be a network
# that says the same for every image, which is what too low a learning rate makes. Its
# correlation is then reported as zero and not as missing, and the training notebook says so.
#
# One site picked for its score proves nothing. Here are all of them, in the order of the file.

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6))
panels.unit_bars(axes[0], ev, "explained variance (EV)")
panels.unit_bars(axes[1], r, "correlation r")
if settings.simulation and not recording:
    mark_simulated(figure)
save_figure(figure, places.figures / f"03_{model}_units.png")

# %% [markdown]
# **What one sees.** One bar a site, and the mean as a dashed line. Sites differ by far more than
# models do: in part since some are noisier than others, which their ceiling tells, in part since a
# model holds what some sites read and not what others do. `04_evaluate` scores them beside the
# probes.
