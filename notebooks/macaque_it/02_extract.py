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
# # 02 · Extract
#
# **What do the layers of a network make of these images?**
#
# A network trained to name objects was never shown a neuron. If one of its layers predicts IT
# nevertheless, through nothing but a linear map, then seeing objects seems to need such features,
# in silicon as in cortex (Yamins et al. 2014). To ask that of many layers and many networks, the
# images are shown once and the features kept.
#
# Three things went wrong in published attempts at just this step, and none gave an error:
#
# - features came from a *shuffled* loader and were set against unshuffled rates, so that every
#   layer scored at chance. Here rows are in the order of the packed images, a hash of each
#   image lies beside its row, and whoever opens them must show the same hashes;
# - images were normalized twice. Here a network's own preprocessing is applied to 8-bit images
#   only, and anything else is refused;
# - "pretrained" did not say with which weights. Here a record names them.
#
# All layers are taken in one pass, each reduced as it appears, so that memory holds one batch. What
# the probes need in the end is smaller still: the inner products of all pairs of images, one
# number a pair, however many features a layer has.
#
# The answer is the last figure: how alike images look to the first and to the last layer.

# %%
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import ClassifierConfig, InputConfig, ReconstructionConfig
from src.data.hashes import image_sha256
from src.data.objects import CLASSES, categories_of, classes_of, numbers_of
from src.data.session import open_sessions
from src.evaluation.feature_grams import open_gram, store_grams
from src.evaluation.probes import ImageResponses
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.models.activations import prepare
from src.models.autoencoder import redrawn
from src.models.extraction import Reduction, extract
from src.models.feature_files import open_features
from src.models.frozen import frozen_network
from src.paths import run_paths
from src.studies import STUDIES
from src.training.pretraining import pretrain
from src.training.tasks import Pictures

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
network: str = "objects"  # a frozen network of the profile, or a group of random starts
weights: str = ""  # its file, or a folder of such; empty: data/weights, or torch hub's cache
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
device: str = "auto"  # auto, cpu, cuda or mps
seed: int = 42  # the seed given to 01_preprocess

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
plans = settings.group(network)
plan = plans[0]
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
table, drawn = places.tables / f"02_{network}.csv", places.figures / f"02_{network}.png"
again = drawn.with_stem(f"02_{network}_redrawn")
redraws = isinstance(plan.training, ReconstructionConfig)
declare(table, drawn, *[again] * redraws)
plan

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
session = next(iter(sessions.values()))
kept = weights or (places.weights if places.weights.is_dir() else None)
seen = session.pixels(session.trials("train")) if plan.calibrated else None
every = {p.name: frozen_network(p, session.image_shape[-1], seed, kept, seen) for p in plans}
shown = every[plan.name]
print(f"{shown.record.name}; {shown.record.citation}")
print("weights:", "; ".join(one.weights for one in every.values()))

# %% [markdown]
# ## What it learns first
#
# Most networks are taken as they are: with the weights of a file, or with random ones. Others learn
# from the training images before they are frozen, and none of them sees a rate.
#
# **To name objects**: 22 classes, eight animals, eight fruits, and airplanes, cars, chairs, faces,
# ships and tables. A network of the demo starts at random; a large one, already trained on a
# million photographs, gets a new last layer and goes on at a lower rate (fine-tuning).
#
# **To draw the image again** (an auto-encoder; Hinton & Salakhutdinov 2006): the image has to
# pass through a code of only 168 numbers, as many as there are sites, and a second network draws it
# from these. It needs no names. The last layer is linear: normalized pixels lie on both sides of
# zero, and a published version that ended in a sigmoid, which gives numbers from 0 to 1, could not
# draw half of them.

# %%
if plan.training:
    names, parts = isinstance(plan.training, ClassifierConfig), []
    for tier in ("train", "validation"):
        trials = session.trials(tier)
        labels = numbers_of(classes_of(session.objects[trials]), CLASSES) if names else None
        parts.append(Pictures(session.pixels(trials), labels))
    ready = partial(prepare, record=shown.record)
    folder = places.runs / network / "member_01"
    pretrain(shown.module, *parts, plan.training, seed, folder, ready, device)

# %%
use_style()
if redraws:
    figure, axis = plt.subplots(figsize=(7.5, 2.2))
    pictures = parts[1].images[:8]
    panels.picture_rows(axis, {"shown": pictures, "drawn again": redrawn(shown, pictures)})
    if simulated:
        mark_simulated(figure)
    save_figure(figure, again)

# %% [markdown]
# **What one sees**, for an auto-encoder: validation images, which it never trained on, and what
# it makes of them. Large patches of light and dark are in their places; outlines, stripes and
# texture are gone. In the demo that is over a third of the variance of the pixels; as many
# principal components would keep three fifths, so its few epochs, not the length of the code, set
# the limit. Whether IT keeps the same is for `03_probe` to say: a code can hold nearly all that is
# needed to draw an image, and little of what is needed to tell a bear from a cow.
#
# ## One pass
#
# Random starts of one network are shown the images in one run, each in turn. Maps are averaged
# down to at most 14 x 14 cells, which keeps where things are to within a fourteenth of the image,
# and 16 to 64 times fewer numbers for the early layers of a ResNet.

# %%
layers = plan.layers or shown.record.informative
reductions = {name: Reduction(plan.pool) for name in layers}
hashes = {key: image_sha256(s.images) for key, s in sessions.items()}
for name, one in every.items():
    for key, s in sessions.items():
        folder = extract(one, s.images, places.features / name / key, reductions)
        store_grams(folder, hashes[key])

# %%
rows = []
for key, name, layer in product(sessions, every, layers):
    x = open_features(places.features / name / key, layer, hashes[key])
    zeros = float(np.mean(x[:: max(len(x) // 50, 1)] == 0))
    weights_of = every[name].weights
    rows.append((key, name, weights_of, layer, str(x.shape), np.prod(x.shape[1:]), zeros))
columns = ["session", "network", "weights", "layer", "shape", "features", "share of zeros"]
extracted = pd.DataFrame(rows, columns=columns)
save_table(extracted, table)
extracted.round(3)

# %% [markdown]
# ## How alike do images look?
#
# The dissimilarity of two images is 1 minus the correlation of their features, taken about the
# mean over images. Images are sorted by category, where it is known.

# %%
chosen = ImageResponses.of(session, session.trials("train"))
groups = categories_of(chosen.objects) if chosen.objects is not None else None
order = np.arange(len(chosen.rows)) if groups is None else np.argsort(groups, kind="stable")
order = order[:: max(len(order) // 200, 1)]
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
for axis, layer in zip(axes, (layers[0], layers[-1]), strict=True):
    gram = open_gram(places.features / plan.name / session.key, layer, hashes[session.key])
    some = chosen.rows[order]
    panels.dissimilarity(axis, gram[np.ix_(some, some)], None if groups is None else groups[order])
    axis.set_title(f"{plan.name}, {layer}")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** Dark is alike. Squares along the diagonal would be categories whose images a
# layer finds alike, whatever their position and view. An early layer sees mostly backgrounds, and
# has few; a late layer of a network that has learned objects shows eight.
#
# Next: `03_probe` maps features to rates.
