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
# # 02 · Train
#
# **Can a network learn to see from the responses of voxels alone?**
#
# GNet is a prefilter (see `02_extract`), a trunk of seven convolutional layers, and for every voxel
# a readout of its own. The trunk gives two maps: one of 25 by 25 places with channels of its first
# three layers, one of 13 by 13 with those of the last four. A voxel has a *pooling field* on each,
# a free map of weights that sum to one, and a weight for each of the 512 channels:
#
# $$r_v = b_v + \sum_f w_{vf}\, a\Big(\sum_s g_{vs}\, a(x_{fs})\Big),\quad
# a(x) = \log(1 + |x|)\tanh x.$$
#
# It may thus look anywhere and read any depth; nothing says that V1 reads early layers.
#
# | model | trunk |
# |---|---|
# | `gnet8j` | one for all four areas, jointly, and all subjects |
# | `gnet8r_V1` … `gnet8r_hV4` | one for each area, trained on its voxels alone |
#
# `subjects` and `areas` train a model of any of them, which 03_predict knows by the same two.
#
# The loss is the squared error, summed; voxels that are predicted well in a batch weigh up to ten
# times as much as others, so that noise does not lead. A batch is of one subject, and a step moves
# the trunk and that subject's readout.
#
# Where the published code made two passes for each step, one to move the trunk and one, after it
# had moved, to move the readout, we make one. Its batches were trials in the order of the scan,
# whose slow drifts a correlation over a batch sees; ours are shuffled. Its stopping trials showed
# images it had trained on; ours do not. All of these are fields of the configuration, printed
# below, and `two_pass`, `contiguous` and the split `acquisition` bring the published ways back.
# Does the half of the work cost accuracy? On a simulated subject, with the same epochs, the median
# validation correlation differs by -.002 (95 % interval over four seeds -.018 to .014) at 55 % of
# the time; with the same *time*, 27 epochs for 15, ours is ahead by .044 (.039 to .048)
# (`tests/benchmarks/gnet_accuracy.py`).
#
# The answer is the figure: the median correlation with single trials of images never seen.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import as_plain
from src.data.session import chosen_sessions
from src.data.splits import member_splits
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure
from src.models.encoder import Encoder
from src.models.frozen import frozen_network
from src.models.map_sessions import open_inputs
from src.paths import run_paths
from src.seeds import member_seed
from src.studies import STUDIES
from src.studies.nsd_gnet import caution
from src.training.trainer import train

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "gnet8j"  # a model of the profile, see the table above
member: int = 1  # which ensemble member, from 1
subjects: str = ""  # only these, as subj01 subj02, a model of its own; empty: all
areas: str = ""  # only their voxels in these, as V1 V2; empty: those of the model
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
processes: int = 1  # that share the training, on a GPU each where there are GPUs
seed: int = 42  # every member derives its own seed from this one

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
plan = settings.plan(model).narrowed(subjects, areas)
places = run_paths(study.name, recording or profile, data_root, output_root)
name = plan.model.name
folder = places.member(name, member)
declare(*(folder / name for name in ("weights.pt", "history.csv", "steps.csv", "epochs.npz")))

# %% [markdown]
# ## The configuration

# %%
pd.json_normalize(as_plain(plan)).T.rename(columns={0: "value"})

# %%
sessions = open_inputs(places.processed, plan.model.inputs, places.features)
sessions = chosen_sessions(sessions, plan.sessions, plan.area.split())
splits = member_splits(sessions, plan.split, plan.members, seed)[member - 1]
for key, session in sessions.items():
    print(f"{key}: (n_trials, n_units) = ({len(splits[key].train)}, {session.n_units}) to train on")

# %%
encoder = Encoder(plan.model, sessions, seed=member_seed(seed, member))
if getattr(plan.model.core, "prefilter", "stored") != "stored":
    kept = places.weights if places.weights.is_dir() else None
    size = next(iter(sessions.values())).image_shape[-1]
    encoder.core.start_from(frozen_network(settings.network("prefilter"), size, seed, kept))
trunk = sum(weights.numel() for weights in encoder.core.parameters())
whole = sum(weights.numel() for weights in encoder.parameters())
units = sum(session.n_units for session in sessions.values())
print(f"{trunk:,} weights in the trunk, {(whole - trunk) // units:,} for each of {units} voxels")

# %% [markdown]
# ## Training
#
# A killed run continues from its last epoch to the same bits. Readouts of thousands of voxels would
# fill gigabytes if all their pooled channels were kept for the backward pass. They are made a few
# voxels at a time, `chunk` of the readout, and again when gradients are due; results do not depend
# on it.

# %%
options = {"device": device, "processes": processes}
history = train(
    encoder, sessions, splits, plan.training, member_seed(seed, member), folder, **options
)
history[["epoch", "loss", "validation", "validation_loss", "best"]].tail(3)

# %%
use_style()
figure, axes = plt.subplots(1, 5, figsize=(12.5, 2.8), width_ratios=(1, 1, 2.2, 1, 1))
losses = {"loss": "training loss", "validation_loss": "validation loss"}
for axis, (column, label) in zip(axes, losses.items(), strict=False):
    axis.plot(history["epoch"], history[column], color="#222222")
    axis.set(xlabel="epoch", ylabel=label)
    axis.ticklabel_format(useOffset=False)
    axis.locator_params(integer=True, axis="x")
with np.load(folder / "epochs.npz") as epochs:
    panels.epoch_violins(axes[2], np.hstack(list(epochs.values())))
panels.learning_curve(axes[2], history, name)
readout = next(iter(encoder.readouts.values()))
best = int(readout.weights.detach().norm(dim=1).argmax())
for axis, field, depth in zip(axes[3:], readout.fields, ("layers 1-3", "layers 4-7"), strict=True):
    shown = field[best : best + 1].detach().numpy()
    panels.receptive_field(axis, shown - shown.mean())
    axis.set_title(f"field on {depth}")
if settings.simulation:
    mark_simulated(figure, caution(settings))
save_figure(figure, places.figures / f"02_{name}_member_{member:02d}.png")

# %% [markdown]
# **What one sees.** First the loss of training batches, a weighted sum over voxels, and the
# squared error of stopping images, per trial and voxel. Then the correlation with single trials
# of the stopping images after every epoch, a violin of all voxels with its median; the marked
# epoch is kept. It starts near zero, since all fields begin as the whole image and all weights as
# next to nothing. Right, the two pooling fields of the voxel with the largest weights, less their
# mean, in places of the map. Nobody told it to be local: where a spot stands out, the voxel's
# responses did. With few trials most of a field is still close to even.
#
# Next: `03_predict` asks the network about the images all subjects saw.
