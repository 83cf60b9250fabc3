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
# # 08 · One map of your own
#
# **What does the map you have in mind explain?**
#
# The tables of this study hold some dozens of maps, and yours may not be among them. Here you say
# in a few words what it is, and get a table of scores and a figure; without an answer, each word
# has a default. From a terminal:
#
# ```bash
# python -m src.run notebooks/macaque_it/08_fig_one_map.py \
#     -p network objects -p layer block3 -p readout mlp
# ```
#
# | word | what it may be |
# |---|---|
# | `network`, `layer` | whatever `02_extract` has shown the images to |
# | `features` | `all`, or `pca`: the leading principal components |
# | `readout` | `linear`: least squares; `ridge`: a penalty a site; `mlp`: a small network |
# | `lr`, `epochs` | of the small network |
#
# A word that has no bearing on the map, such as a learning rate for ridge, is an error and not
# ignored: who gives one believes that it does something.
#
# Whatever is chosen inside the map is chosen on training images. Components are found without
# the images that are held out, the penalty is the one that predicts held-out images best, and
# the small network stops at the epoch that suits a tenth of its training images. But *you* choose
# too. Try ten maps and keep the one with the best score here, and that score is too good, by as
# much as ten draws of luck are worth. Published attempts at this task were kept in that way. So the
# score on *held-out training* images stands beside the other: choose by that one, and read the
# other once, at the end.
#
# The answer is the table, drawn in the figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import explained_variance
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation.feature_grams import open_gram
from src.evaluation.intervals import SessionResults, interval_table
from src.evaluation.one_map import OneMap, fit_one_map
from src.evaluation.probes import ImageResponses, fitted_trials, scored_trials
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
network: str = ""  # a frozen network of the profile; empty: the one whose layers are stacked
layer: str = ""  # one of its layers; empty: the last but one of those that are stacked
features: str = "pca"  # all or pca
components: int = 0  # of pca; 0: 1000, or half of the training images where these are fewer
readout: str = "ridge"  # linear, ridge or mlp
lr: float = 0.0  # learning rate of an mlp; 0: 0.001
epochs: int = 0  # of an mlp; 0: 40
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 2000  # bootstrap resamples of the scored images
seed: int = 42  # seed of the folds, of an mlp and of the bootstrap

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
usual = next(probe for probe in settings.probes if probe.kind == "stacked").pairs[-2]
network, layer = network or usual[0], layer or usual[1]
asked = OneMap(features, components, readout, lr, epochs)
words = [str(word) for word in asked.words.values() if word is not None]
name = "_".join(["08", network, layer, *words])
table, drawn = places.tables / f"{name}.csv", places.figures / f"{name}.png"
declare(table, drawn)
print(f"{network}, {layer}: {asked}")

# %% [markdown]
# ## Fit
#
# On the official split, as in `03_probe`: images for training and validation are fitted, and
# those for testing scored, or, where their rates were never given out, those for validation.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
fitted, maps = {}, {}
for key, session in sessions.items():
    trials = fitted_trials(session, official_split(session))
    fitted[key] = ImageResponses.of(session, trials)
    gram = open_gram(places.features / network / key, layer, image_sha256(session.images))
    maps[key] = fit_one_map(asked, gram, fitted[key], seed)
    print(f"{key}: {len(fitted[key].rows)} images fitted, {maps[key].inputs} axes read")

# %% [markdown]
# ## Score
#
# Explained variance and correlation, means over sites, with intervals from resampled images.

# %%
results = []
for key, session in sessions.items():
    trials = scored_trials(session, official_split(session))
    predicted = {name: maps[key].predicted[session.image_index[trials]]}
    rates = session.responses(trials).numpy()
    results.append(SessionResults(key, session.image_ids[trials], rates, predicted))
draws = {"resamples": resamples, "metrics": ("ev", "avg")}
intervals = interval_table(results, numpy_stream(seed, "one map"), **draws)

# %%
inside = {k: explained_variance(maps[k].held_out, fitted[k].responses) for k in sessions}
held_out = {key: np.nanmean(values) for key, values in inside.items()}
held_out[f"mean of {len(sessions)}"] = np.mean(list(held_out.values()))
wide = intervals.pivot(index="session", columns="metric", values=["score", "low", "high"])
columns = {
    f"{label}{suffix}": wide[which, metric].reindex(list(held_out))
    for metric, label in {"ev": "ev", "avg": "r"}.items()
    for which, suffix in {"score": "", "low": " low", "high": " high"}.items()
}
found = pd.DataFrame(columns).rename_axis("session").reset_index()
found["ev, held out"] = found["session"].map(held_out)
found["axes"] = found["session"].map({key: fit.inputs for key, fit in maps.items()})
found.round(3)

# %%
words = {"study": study.name, "network": network, "layer": layer, **asked.words, "seed": seed}
words["data"] = "simulated" if simulated else "recorded"
save_table(pd.concat([pd.DataFrame([words] * len(found)), found], axis=1), table)

# %% [markdown]
# ## The table, and the sites behind it

# %%
cells = found if len(sessions) > 1 else found[:1]
columns = {"session": cells["session"]}
for metric, label in (("ev", "EV"), ("r", "r")):
    parts = cells[metric], cells[f"{metric} low"], cells[f"{metric} high"]
    columns[label] = [f"{x:.3f} [{a:.3f}, {b:.3f}]" for x, a, b in zip(*parts, strict=True)]
columns["EV, held out"] = [f"{x:.3f}" for x in cells["ev, held out"]]
cells = pd.DataFrame(columns)

# %%
scored = []
for key, session in sessions.items():
    seen = ImageResponses.of(session, scored_trials(session, official_split(session)))
    scored.append(explained_variance(maps[key].predicted[seen.rows], seen.responses))
both = {"held out of the fitted": [*inside.values()], "scored": scored}
both = {label: np.concatenate(values) for label, values in both.items()}
shown = {label: values[np.isfinite(values)] for label, values in both.items()}

# %%
use_style()
height = 0.9 + 0.26 * len(cells)
figure, axes = plt.subplots(2, 1, figsize=(6.4, height + 2.6), height_ratios=[height, 2.6])
panels.text_table(axes[0], cells)
axes[0].set_title(f"{network}, {layer}: {features}, {readout}")
shades = dict(zip(shown, ("#e69f00", "#0072b2"), strict=True))
panels.score_histograms(axes[1], shown, shades, "explained variance (EV)")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** Above, a row a session and the mean over sessions, with 95 % intervals over
# images. Below, the same score site by site, as two distributions: on the scored images, and
# on the fitted ones while they were held out. They lie on each other if nothing has leaked; scored
# ones a little to the right of the others would be no wonder, since their map has seen a quarter
# more images.
#
# Worth trying: `readout` `linear` with all features and with fifty components, which shows what a
# penalty is for; and `mlp`, which on features of a good layer gains little over ridge, or nothing.
# The published small networks on such features stayed below ridge from the same layer.
