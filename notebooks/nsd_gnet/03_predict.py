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
# **What does a trained network say about images it never saw?**
#
# The test images are those that every subject saw three times; as published, in the profile
# `legacy`, all that were shared, however often they were seen. A network is loaded, set to
# evaluation mode, and asked about every trial of them; trials that show the same image share one
# prediction, which is computed once. The published code predicted ten thousand images of eight
# subjects after every epoch, with gradients recorded, to score the few hundred among them that
# stop the training.
#
# A checkpoint knows the voxels and images it was trained on, and loading it against others is an
# error. Predictions are files with the ids of their trials and voxels, so that `04_evaluate` can
# put models of one area together, and refuse what does not belong together.
#
# A model's prediction has the scale of z-scored responses and none of their noise. So it varies
# less than what it predicts: the variance of a good prediction is about the noise ceiling of its
# voxel, a fifth of the variance of a single trial. Averaging the trials of an image takes noise
# away from the measurement and leaves the prediction as it is, and the correlation grows, without
# the model being any better. Which of the two is scored has to be said with every number.
#
# The answer, one file of predictions a subject, is what `04_evaluate` reads. The figure shows the
# best-predicted voxel.

# %%
import matplotlib.pyplot as plt
import numpy as np

from src.correlation import pearson
from src.data.session import chosen_sessions
from src.data.splits import member_splits
from src.evaluation.ensemble import combine
from src.evaluation.metrics import Repeats, correlation
from src.evaluation.prediction import predictions_of, save_prediction
from src.figures.panels import predicted_against_measured
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, file_sha256, note_input, save_figure
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.training.checkpoint import load_encoder

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "gnet8j"  # a model of the profile, trained by 02_train
subjects: str = ""  # only these, as subj01 subj02, a model of its own; empty: all
areas: str = ""  # only their voxels in these, as V1 V2; empty: those of the model
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
every: bool = False  # predict all images a subject saw as well, into a folder of their own
seed: int = 42  # the seed given to 02_train

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
plan = settings.plan(model).narrowed(subjects, areas)
places = run_paths(study.name, recording or profile, data_root, output_root)
name = plan.model.name
folder = places.predictions / name
sessions = open_inputs(places.processed, plan.model.inputs, places.features)
sessions = chosen_sessions(sessions, plan.sessions, plan.area.split())
(splits,) = member_splits(sessions, plan.split, 1, seed)
declare(*(folder / f"{key}.npz" for key in sessions))

# %%
weights = [note_input(places.member(name, m + 1) / "weights.pt") for m in range(plan.members)]
encoders = [load_encoder(path, sessions, model=plan.model) for path in weights]
provenance = [
    {"model": name, "member": m, "seed": seed, "checkpoint": file_sha256(path)}
    for m, path in enumerate(weights, start=1)
]
print(len(encoders), "members of", name)

# %% [markdown]
# ## Predict

# %%
made = {}
for key, session in sessions.items():
    trials = splits[key].test
    outputs = predictions_of(encoders, session, trials, provenance, device=device)
    made[key] = combine([y.responses() for y in outputs])
    save_prediction(made[key], folder / f"{key}.npz")
    print(f"{key}: (n_trials, n_units) = {made[key].values.shape}")

# %% [markdown]
# With `every`, all images that a subject saw follow, a trial of each: what noise models and
# comparisons with other models need, 185 MB for a subject of NSD. Test images among them get the
# same predictions.

# %%
for key, session in sessions.items() if every else ():
    first = np.unique(session.image_index, return_index=True)[1]
    outputs = predictions_of(encoders, session, first, provenance, device=device)
    whole = combine([y.responses() for y in outputs])
    save_prediction(whole, folder.with_name(f"{name}_every_image") / f"{key}.npz")
    print(f"{key}: (n_images, n_units) = {whole.values.shape}")

# %% [markdown]
# ## A first look
#
# One trial at a time, and averaged over the trials of an image.

# %%
key, session = next(iter(sessions.items()))
predicted, trials = made[key].values, splits[key].test
measured, repeats = session.responses(trials).numpy(), Repeats.of(session.image_ids[trials])
single = pearson(predicted, measured)
average = correlation(repeats.mean(predicted), repeats.mean(measured))
print(f"median over {len(single)} voxels: single trials {np.median(single):.3f}, ", end="")
print(f"means of repeats {np.median(average):.3f}")

# %%
use_style()
best = int(np.argmax(average))
figure, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
means = repeats.mean(predicted)[:, best], repeats.mean(measured)[:, best]
predicted_against_measured(axes[0], predicted[:, best], measured[:, best], single[best])
predicted_against_measured(axes[1], *means, average[best])
axes[0].set_title(f"{key}, voxel {session.unit_ids[best]}, trials")
axes[1].set_title("means of repeats")
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / f"03_{name}_best_unit.png")

# %% [markdown]
# **What one sees.** The same voxel twice. Left, every trial is a point, and the three trials of an
# image stand at the same predicted value, one above the other: their spread is noise that no model
# of the image can explain. Right, their means, on which much of the noise is gone. Points lie
# steeper than the diagonal, since the prediction varies less than the measurement.
#
# Next: `03_probe` for features that were not trained on voxels, `04_evaluate` for all of them.
