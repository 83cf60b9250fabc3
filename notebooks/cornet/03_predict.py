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
# **Which images does the trained network name, and which classes does it confuse?**
#
# A network that is to stand for the ventral stream has to do what the ventral stream does: say
# what is in an image, wherever it is. Top-1, the share of images named at the first guess, is
# the number by which such networks are known, and the axis on which later notebooks ask whether
# better naming makes a network more like a brain.
#
# One number hides how it comes about. A network may know half the classes and guess the others, or
# it may confuse two that look alike and know the rest; for a comparison with human choices it is
# the confusions that count (`07_fig_behavior`). So here every validation image is shown once, in
# the way that training validated it (the middle of the image), and its class probabilities are
# kept with its file name.
#
# Two controls: guessing, and the same network with the weights it started from. A network that
# names more than its untrained self has learned it from the images; one that does not has
# learned nothing, whatever its loss says.
#
# The answer is the table of accuracies, and the figure of confusions. Probabilities are written as
# they come out of the softmax, without calibration: that of the best class is usually too high.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from src.data.folders import open_folders
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_arrays, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES
from src.training import checkpoint
from src.training.recognition import named, recognizer

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
model: str = "cornet_z"  # a model of the profile
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 02_train

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
plan = settings.plan(model)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
kept = places.predictions / model / "validation.npz"
table, drawn = places.tables / f"03_{model}_named.csv", places.figures / f"03_{model}_named.png"
declare(kept, table, drawn)

# %% [markdown]
# ## Show the validation images

# %%
_, held_out = open_folders(places.raw / "pictures")
network = recognizer(plan.model, len(held_out.classes), seed)
untrained = named(network, held_out, device)
weights = checkpoint.read(note_input(places.member(model, 1) / "weights.pt"))
network.module.load_state_dict(weights["state"])
probabilities = named(network, held_out, device)
save_arrays(kept, probabilities=probabilities, names=np.array(held_out.names))
print("(n_images, n_classes) =", probabilities.shape)

# %% [markdown]
# ## How many are named?

# %%
rows = []
for name, p in {"trained": probabilities, "as it started": untrained}.items():
    ranked = np.argsort(-p, axis=1) == held_out.labels[:, None]
    row = {"model": model, "weights": name, "top1": ranked[:, 0].mean()}
    rows.append({**row, "top5": ranked[:, :5].any(1).mean(), "n_images": len(p)})
guessing = {"model": model, "weights": "guessing", "top1": 1 / len(held_out.classes)}
guessing |= {"top5": min(1, 5 / len(held_out.classes)), "n_images": len(held_out)}
accuracy = pd.DataFrame([*rows, guessing])
accuracy.insert(0, "data", "simulated" if simulated else "recorded")
save_table(accuracy, table)
accuracy.round(3)

# %% [markdown]
# The trained network's top-1 is that of the last line of its history: the same images in the
# same form, by other code.

# %%
history = pd.read_csv(note_input(places.member(model, 1) / "history.csv"))
print(f"in training {history['validation'].iloc[-1]:.4f}, here {rows[0]['top1']:.4f}")

# %% [markdown]
# ## What is taken for what?
#
# Rows are what an image shows, columns what the network says, each row as shares that sum to 1.
# Beyond some thirty classes, names no longer fit and are left out.

# %%
confused = confusion_matrix(held_out.labels, probabilities.argmax(1), normalize="true")
right = pd.Series(np.diag(confused), held_out.classes, name="share named")
right.sort_values().round(2).to_frame().T

# %%
use_style()
figure, axis = plt.subplots(figsize=(4.6, 4))
names = held_out.classes if len(right) <= 30 else ()
image = panels.value_map(axis, confused, names, names, numbers=False)
axis.set(xlabel="named", ylabel="shown", title=f"{model}, top-1 {rows[0]['top1']:.2f}")
figure.colorbar(image, ax=axis, label="share of images", shrink=0.8)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** A dark diagonal is a network that names what it is shown. Dark columns are
# classes it falls back on: a network at the start of its training says one or two names to
# everything. Pairs that stay dark off the diagonal, on both sides of it, look alike to the
# network; with simulated images these are categories of like outline.
#
# Next: `03_probe` asks what the same networks say of V4 and IT, which is another question: a
# network may name little and yet have features that sites share, and the other way round.
