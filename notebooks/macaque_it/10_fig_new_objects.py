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
# # 10 · New objects
#
# **Does a map from images to rates hold for objects it was never fitted to?**
#
# Scored images are new, and yet nothing in them is: each shows one of the 64 objects that were
# fitted, some forty times each, in another place and from another side. A map may then do well by
# remembering what each object does to each site. That is not what one hopes to learn about cortex,
# which has never seen these objects before either and still tells them apart.
#
# So here *whole objects* are held out: in each of eight folds one object of each category, all its
# images. The map is fitted to the other 56 and predicts the eight it does not know. Beside it
# stands the same map with as many images held out of *known* objects. The difference of the two
# is what it owes to having met an object. Both are found on the fitted images of the study; those
# that `04_evaluate` scores are not touched.
#
# Two rows see no image. The mean of the category exists for a new object too, and a map that
# falls to it has learned categories and no more. The mean of the object is of no help with an
# object that was never shown, so there is none.
#
# What to expect? Features of a fixed layer know no object, and only the weights on them were
# fitted. A network that was *trained to name* these very objects is another case: its layers met
# all of them, held out or not, with their names though without a rate.
#
# The answer is the figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import explained_variance
from src.data.hashes import image_sha256
from src.data.objects import categories_of
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation.bootstrap import interval
from src.evaluation.feature_grams import open_gram
from src.evaluation.generalization import (
    held_out_means,
    held_out_objects,
    object_folds,
    outer_scores,
    resampled_ev,
)
from src.evaluation.probes import ImageResponses, fitted_trials
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 2000  # bootstrap resamples of objects
outer_splits: int = 0  # splits of the fitted images on which every map is fitted anew, such as 10
seed: int = 42  # seed of folds, splits and the bootstrap

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"10_{name}.csv" for name in ("objects", "splits")}
drawn = places.figures / "10_objects.png"
declare(tables["objects"], drawn, *[tables["splits"]] * (outer_splits > 0))

# %% [markdown]
# ## Which maps
#
# Ridge from one layer of each network, the layer that predicts held-out training images best, as
# listed by `04_evaluate`. Of random starts, the first.

# %%
listed = pd.read_csv(note_input(places.tables / "models.csv"))
chosen = listed[listed["headline"] & (listed["kind"] == "layers")].drop_duplicates("family")
chosen = chosen.set_index("family")[["layer", "system"]]
chosen["network"] = [name.removesuffix(f"_{layer}") for layer, name in chosen.to_numpy()]
chosen

# %%
key, session = next(iter(open_sessions(places.processed, InputConfig(scale="full")).items()))
images = ImageResponses.of(session, fitted_trials(session, official_split(session)))
hashes, y = image_sha256(session.images), images.responses
grams = {
    family: open_gram(places.features / row.network / key, row.layer, hashes)
    for family, row in chosen.iterrows()
}
folds = object_folds(images.objects, seed)
pd.DataFrame(
    {
        "fitted objects": len(np.unique(images.objects[folds["new"] != 0])),
        "held out": len(np.unique(images.objects[folds["new"] == 0])),
        "its images": int((folds["new"] == 0).sum()),
    },
    index=["first fold"],
)

# %% [markdown]
# ## Fit
#
# One decomposition of a layer's inner products gives the exact predictions for both ways of holding
# out, without a refit, and a site's alpha is chosen anew for each.

# %%
predicted = {family: held_out_objects(gram, images, seed) for family, gram in grams.items()}
categories = categories_of(images.objects)
predicted["mean of category"] = {
    kind: held_out_means(y, categories, fold) for kind, fold in folds.items()
}
means = held_out_means(y, images.objects, folds["known"])
if np.isfinite(means).all():  # no object has all its images in one fold
    predicted["mean of object"] = {"known": means}

# %% [markdown]
# Intervals draw *objects* anew, all images of an object together: images of one object are
# alike, and another experiment would have had other objects.

# %%
drawn_of = {
    (family, kind): resampled_ev(p, y, images.objects, resamples, seed)
    for family, kinds in predicted.items()
    for kind, p in kinds.items()
}
rows = []
for family, kinds in predicted.items():
    row = {"family": family}
    for kind, p in kinds.items():
        row[kind] = np.nanmean(explained_variance(p, y))
        row[f"{kind}_low"], row[f"{kind}_high"] = interval(drawn_of[family, kind], 0.95)
    if "new" in kinds:
        loss = drawn_of[family, "known"] - drawn_of[family, "new"]
        row["loss"] = row["known"] - row["new"]
        row["loss_low"], row["loss_high"] = interval(loss, 0.95)
    rows.append(row)
found = pd.DataFrame(rows).sort_values("new", ascending=False, na_position="last")
found = found.reset_index(drop=True)
found.insert(0, "data", "simulated" if simulated else "recorded")
save_table(found, tables["objects"])
found.drop(columns="data").round(3)

# %%
use_style()
figure, axes = plt.subplots(1, 2, figsize=(9, 1.2 + 0.42 * len(found)), width_ratios=(3, 2))
parts = [
    found[["family", kind, f"{kind}_low", f"{kind}_high"]]
    .set_axis(["label", "score", "low", "high"], axis=1)
    .dropna()
    for kind in ("known", "new", "loss")
]
for kind, part in zip(("known", "new"), parts[:2], strict=True):
    part["label"] += f", {kind}"
both = pd.concat(parts[:2]).sort_index(kind="stable")
panels.interval_rows(axes[0], both, "explained variance of held-out images", zero=True)
panels.interval_rows(axes[1], parts[2], "known − new", zero=True)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** Left, for each map the images of known and of new objects; right, what it
# loses on new ones. A map to the right of the mean of the category predicts more than which
# category a new object is of. A loss near zero says that what was fitted is a relation of features
# and rates and no list of objects. Even the layer that simulated sites read loses a little: a map
# is fitted to fewer kinds of images, and new objects are farther from them. The mean of the
# category loses least: an object is one of eight that it averages.
#
# ## Other splits
#
# The split of the study is one of many. With `outer_splits`, the fitted images are split again,
# a tenth scored and the choice of alpha made inside the rest, to show how much a score depends on
# which images were drawn. Every split costs a decomposition a map, so there are none by default.

# %%
splits = [
    outer_scores(gram, images, seed, outer_splits).assign(family=family)
    for family, gram in grams.items()
    if outer_splits
]
for table in [pd.concat(splits)] if splits else []:
    save_table(table, tables["splits"])
    print(table.groupby("family", sort=False)[["ev", "r"]].agg(["mean", "std"]).round(3))

# %% [markdown]
# Their standard deviation is that of *one* split; since splits share most images, it must not be
# divided by the root of their number. It is the scale on which two published scores, of different
# splits, may differ and mean the same.
