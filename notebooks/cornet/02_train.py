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
# **How does a CORnet learn to name images, and does it?**
#
# CORnets have four areas named after those of the ventral stream, and a decoder. They are trained
# like any network of computer vision, to name images, and no recording of a brain is used.
# Kubilius and colleagues published a recipe for each: stochastic gradient descent with momentum .9
# and weight decay 1e-4 in batches of 256, and a learning rate that is cut to a tenth every 10
# epochs of 25 (Z, R and RT) or every 20 of 43 (S). Training sees random parts of images, at
# random scale and half of them mirrored; validation sees their middle.
#
# Four things that went wrong in the published training code cannot here:
#
# - a restarted run began all its epochs again, and its schedule was not saved. Here a killed run
#   goes on at the step of its last checkpoint and ends in the *same bytes*: order and crops are
#   drawn from streams named by seed, epoch and image, so that no state of a generator can be
#   lost;
# - the log was written anew, whole, at every step. Here it grows a line at a time;
# - the learning rate in the log came from a formula of its own. Here it is what the optimizer
#   used;
# - after the last epoch the whole training set was read once more for one validation.
#
# In the `demo` profile the images are simulated, of eight categories, and networks are trained
# for a few epochs at 64 pixels (RT at 32), on the processor. `full` takes ImageNet, and days;
# several `processes` share them, on a GPU each, as do those of `python -m src.cornet train
# --ngpus 2`.
#
# The answer is the learning curve.

# %%
import matplotlib.pyplot as plt
import pandas as pd

from src.config import as_plain
from src.data.folders import open_folders
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure
from src.paths import run_paths
from src.studies import STUDIES
from src.training.recognition import Saving, recognizer, train_recognizer

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "cornet_z"  # a model of the profile
member: int = 1  # number of the run, from 1
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
processes: int = 1  # that share the training, on a GPU each where there are GPUs
workers: int = 0  # processes that load images; 0: this one
seed: int = 42  # seed of weights, order and crops, together with the number of the run

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
folder = places.member(model, member)
drawn = places.figures / f"02_{model}_{member:02d}.png"
declare(folder / "weights.pt", folder / "history.csv", drawn)
pd.Series({**as_plain(plan.model), **as_plain(plan.training)}, name="value").to_frame()

# %% [markdown]
# ## Images and network
#
# `train/<class>/*` and `val_in_folders/<class>/*` (or `val`), as ImageNet is kept. Both parts must
# have the same classes.

# %%
train, held_out = open_folders(places.raw / "pictures")
network = recognizer(plan.model, len(train.classes), seed + member - 1)
count = sum(p.numel() for p in network.module.parameters())
print(f"{len(train)} and {len(held_out)} images of {len(train.classes)} classes")
print(f"{network.record.name}: {count:,} weights, images of {network.record.input_size} pixels")

# %% [markdown]
# ## Train
#
# `weights.pt` holds the last weights, with the configuration, the hash of the images and all
# else that they depend on; only a run of equal inputs is taken as done. `log.csv` beside it has a
# line every tenth of an epoch, with the seconds spent on loading and on computing.

# %%
history = train_recognizer(
    network,
    (train, held_out),
    plan.training,
    seed + member - 1,
    folder,
    saving=Saving(validation=1.0, model=plan.training.epochs),
    device=device,
    workers=workers,
    processes=processes,
)
history.tail(3).round(4)

# %% [markdown]
# ## Did it learn?
#
# Two controls stand beside the curve: guessing, one over the number of classes, and always naming
# the most frequent class. Top-5 counts an image as right if its class is among the five best
# guesses, which with few classes says little.

# %%
use_style()
guess = 1 / len(train.classes)
figure, axes = plt.subplots(1, 2, figsize=(8, 2.8))
axes[0].plot(history["epoch"], history["loss"], color="#b8b8b8", label="training")
axes[0].plot(history["epoch"], history["validation_loss"], color="#222222", label="validation")
axes[0].set(xlabel="epoch", ylabel="cross-entropy")
axes[0].xaxis.get_major_locator().set_params(integer=True)
axes[0].legend()
panels.learning_curve(axes[1], history)
axes[1].axhline(guess, color="#8b1e2d", linestyle=(0, (4, 2)), linewidth=1)
axes[1].text(history["epoch"].iloc[0], guess, "guessing", va="top", fontsize=8)
axes[1].set(ylabel="top-1, validation", ylim=(0, 1))
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %%
last = history.iloc[-1]
print(f"top-1 {last['validation']:.3f}, top-5 {last['validation_top5']:.3f}, guessing {guess:.3f}")

# %% [markdown]
# **What one sees.** Left, the loss; training sees random parts of images, which are harder than
# the whole, so that its curve may stay above. Right, the share of validation images named at the
# first guess. Dotted rules mark epochs after which the rate was cut: the curve steps up there, as
# weights stop being thrown about. Two epochs, as in the `smoke` profile, teach nothing and only
# show that everything runs.
#
# Next: `02_extract` freezes the network and shows it the images that monkeys saw; `03_predict`
# asks which classes it confuses.
