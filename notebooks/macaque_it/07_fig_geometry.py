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
# # 07 · Geometry
#
# **Do predicted responses keep what is alike and what is not: sites to sites, images to
# images?**
#
# A score by site asks whether each row of a table is right. Cortex is read out by many sites at
# once, and what can be read from them depends on how their responses lie to each other: which
# images evoke nearly the same pattern, and which are far apart. A model may explain a third of
# every site's variance and keep this geometry nearly whole, if what it misses is noise, each site
# its own. It may also explain as much and lose it, if it misses what all sites share. Two scores
# say which:
#
# - **RSA** (Kriegeskorte et al. 2008). For every pair of images, 1 minus the correlation of their
#   patterns over sites, a *representational dissimilarity matrix*; then Spearman's correlation of
#   two such matrices, over pairs. Only the order of distances counts;
# - **CKA** (Kornblith et al. 2019). The alignment of two matrices of inner products between
#   images, which large directions dominate. Its usual estimate is biased: with more sites than
#   images, any two sets of responses look alike. Here it is the unbiased one (Song et al. 2012),
#   which for unrelated responses is zero.
#
# Both are given *predicted responses* and not features: a layer of a network may hold the geometry
# of IT only once it is weighted, and those weights were fitted to other images. They are called
# encoding-RSA and encoding-CKA for that reason.
#
# The answer is a table of all models with seven scores each; three figures show the best of them.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import explained_variance, z_score
from src.data.objects import categories_of
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation import similarity
from src.evaluation.intervals import load_results
from src.evaluation.metrics import (
    Repeats,
    correlation,
    mean_absolute_error,
    mean_squared_error,
    r_squared,
)
from src.evaluation.permutation import p_value
from src.evaluation.probes import fitted_trials, group_means, scored_trials
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
shuffles: int = 500  # permutations of the images of a prediction
seed: int = 42  # seed of the permutations

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
table = places.tables / "07_metrics.csv"
drawn = {n: places.figures / f"07_{n}.png" for n in ("correlations", "dissimilarities", "site")}
declare(table, *drawn.values())

# %% [markdown]
# ## Which models
#
# One of each probe and every trained network, as listed by `04_evaluate`. The best is the probe
# that predicts held-out *training* images best; on simulated sites the layer they were made to
# read is left aside, since it is the truth. Of random starts, the first stands for all.

# %%
listed = pd.read_csv(note_input(places.tables / "models.csv"))
chosen = listed[listed["headline"]].drop_duplicates("model").set_index("model")
honest = chosen[~chosen.index.str.startswith("planted")]
best = honest["ev, held out"].idxmax()
chosen[["kind", "random", "ev, held out"]].round(3)

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
results = load_results(sessions, places.predictions, chosen["folder"].to_dict(), tier=None)
pictures = [Repeats.of(x.image_ids) for x in results]
measured = {x.session: some.mean(x.responses) for x, some in zip(results, pictures, strict=True)}
predicted = {
    (x.session, model): some.mean(p)
    for x, some in zip(results, pictures, strict=True)
    for model, p in x.predictions.items()
}
print(best, "is the best;", {key: y.shape for key, y in measured.items()}, "(n_images, n_units)")

# %% [markdown]
# ## Sites beside sites
#
# The correlation of every two columns of the table [measured, predicted], over scored images.
# Sites are sorted so that neighbors are alike in what was *measured* (a tree of average
# similarity), and the same order is used for both halves. Shown is the session with most sites.

# %%
sizes = {key: y.shape[1] for key, y in measured.items()}
shown = max(sizes, key=sizes.get)
true, guess = measured[shown], predicted[shown, best]
order = similarity.similar_order(true)
both = z_score(np.hstack([true[:, order], guess[:, order]]))
correlations = both.T @ both / len(both)
print("(2 n_units, 2 n_units) =", correlations.shape)

# %%
use_style()
figure, axis = plt.subplots(figsize=(5.2, 4.4))
image = panels.correlation_map(axis, correlations, ("measured", "predicted"))
figure.colorbar(image, ax=axis, label="r over images", shrink=0.8)
axis.set_title(f"{shown}, {len(order)} sites; predicted by {best}")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["correlations"])

# %% [markdown]
# **What one sees.** The upper left block is how alike sites are in truth, the lower right how alike
# they are in prediction, and the other two how each prediction goes with each measured site. Their
# diagonals are the scores r of the sites. Predicted sites are *more* alike than measured ones: what
# a model leaves out is different in each site, noise most of all, so that blocks are stronger in
# color and not different in shape. A model that gave the same to all sites would show one even
# block, and off-diagonal blocks that are striped along one side only.
#
# ## Images beside images
#
# Now the same table, rows against rows. Every map is drawn by rank, which is all that RSA sees.
# Chance is measured by permuting the images of the prediction: each geometry stays what it is,
# and only which image is which is lost.

# %%
held = next(x for x in results if x.session == shown)
first = np.unique(held.image_ids, return_index=True)[1]
objects = sessions[shown].objects
if objects is not None:
    place = dict(zip(sessions[shown].image_ids, objects, strict=True))
    names = np.array([place[i] for i in held.image_ids[first]])
    groups = categories_of(names)
    rows = np.lexsort((names, groups))
else:
    groups, rows = np.full(len(first), "all images"), similarity.similar_order(true.T)

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.4, 3.9))
for axis, (name, y) in zip(axes, {"measured": true, best: guess}.items(), strict=True):
    panels.rank_map(axis, similarity.rdm(y[rows]), groups[rows] if objects is not None else None)
    axis.set_title(name)
axes[1].set_yticks([])
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["dissimilarities"])

# %% [markdown]
# **What one sees.** Dark is alike; images are sorted by category where it is known, and by what
# was measured where it is not. Dark squares on the diagonal are categories, dark squares off it
# are pairs of categories that these sites confuse. In the measured map they are blurred by noise,
# which makes every pair look more apart. If the right map has the same squares, the model has the
# geometry; if its squares are cleaner, it has less noise, and perhaps too few differences *within*
# a category.
#
# ## All models
#
# Seven scores, means over sites for the first five. Of two models with the same explained variance,
# the one with the higher RSA spends its errors where they do not matter to a reader of all sites.
# The mean of the category, which sees no image, is a hard opponent here: it has all the geometry
# between categories and none within.

# %%
for x, some in zip(results, pictures, strict=True):
    session = sessions[x.session]
    if session.objects is not None:
        parts = (f(session, official_split(session)) for f in (fitted_trials, scored_trials))
        known = group_means(session, categories_of(session.objects), *parts)
        predicted[x.session, "mean of category"] = some.mean(known)

# %%
rng, rows_of = numpy_stream(seed, "geometry"), []
for (key, model), p in predicted.items():
    y = measured[key]
    by_site = {"ev": explained_variance(p, y), "r": correlation(p, y), "r2": r_squared(p, y)}
    by_site |= {"mse": mean_squared_error(p, y), "mae": mean_absolute_error(p, y)}
    row = {"session": key, "model": model, **{n: np.nanmean(v) for n, v in by_site.items()}}
    ranks = [similarity.rank_normalized(similarity.rdm(z)) for z in (y, p)]
    kernels = [similarity.kernel(z) for z in (y, p)]
    for name, compare, pair in (
        ("rsa", similarity.pair_correlation, ranks),
        ("cka", similarity.kernel_alignment, kernels),
    ):
        null = similarity.permuted(compare, *pair, rng, shuffles)
        row[name] = compare(*pair)
        row |= {f"{name} by chance": np.quantile(null, 0.95), f"{name} p": p_value(row[name], null)}
    rows_of.append(row)

# %%
metrics = pd.DataFrame(rows_of).sort_values(["session", "rsa"], ascending=[True, False])
data = pd.read_csv(note_input(places.tables / "sites.csv"))["data"].iloc[0]
metrics.insert(0, "data", data)
save_table(metrics, table)
short = metrics[metrics["session"] == shown].drop(columns=["data", "session"])
readable(short)

# %% [markdown]
# `by chance` is what 95 of 100 permutations stay below; p cannot be less than one over their
# number. These scores are of predictions, so they order *models of these sites*, and not networks.
#
# ## One site

# %%
r = correlation(guess, true)
ranked = np.argsort(r)
picked = {"typical": ranked[len(ranked) // 2], "best": ranked[-1]}
figure, axes = plt.subplots(2, 1, figsize=(9, 4.8))
for axis, (word, unit) in zip(axes, picked.items(), strict=True):
    along = rows if objects is not None else np.argsort(true[:, unit])
    panels.rate_profile(axis, true[along, unit], guess[along, unit], groups[along])
    axis.set_title(f"{word} site: {sessions[shown].unit_ids[unit]}, r = {r[unit]:.2f}")
axes[0].set_xticks([])
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["site"])

# %% [markdown]
# **What one sees.** Every scored image in a row, categories as background (without categories,
# images go by measured rate). A site that is only tuned to categories would be a staircase. The
# model follows the stairs and much of the ups and downs within them, which no label could tell it,
# and stays closer to the mean than the site does: it predicts what to expect, and the site is not
# only that.
