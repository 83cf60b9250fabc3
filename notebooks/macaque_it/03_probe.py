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
# # 03 · Probe
#
# **How much of the rates is a linear map from pixels, or from a layer of a network?**
#
# A probe is ridge regression: rates are a weighted sum of features, and large weights are
# discouraged by a number, alpha. Without it a map with more features than images fits anything,
# noise too, and predicts nothing. With the right alpha a hundred thousand features of 2592 images
# are no problem.
#
# What the right alpha is differs by orders of magnitude between layers, and between sites. One
# course project stopped its grid of alphas far too early and used one fitted model for all layers;
# and its images were shuffled against the rates, so that every layer came out near zero. So here:
#
# - features are scaled so that the mean squared length of an image is 1, which makes alphas of
#   different layers comparable, and the grid has twelve decades; a site at its end is reported;
# - every layer and every site has its own alpha, chosen among *training* images by the error on
#   those held out: five folds, in which every object occurs, or single images where there are no
#   objects. Scored images have no say;
# - one decomposition of the images' inner products gives the exact held-out error for all alphas,
#   folds and sites, without a refit.
#
# The answer is a table of scores, and files of predictions for `04_evaluate`.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import explained_variance
from src.data.session import open_sessions
from src.data.splits import halves_split, official_split
from src.evaluation.linear_probes import controlled, fit_controlled
from src.evaluation.linear_scores import sample_of
from src.evaluation.metrics import correlation
from src.evaluation.prediction import save_prediction
from src.evaluation.probes import ImageResponses, fitted_trials, prediction_for, scored_trials
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
probe: str = "objects"  # a probe of the profile
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the folds and of the permutation control

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
plan = settings.probe(probe)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"03_{probe}{name}.csv" for name in ("", "_units")}
drawn, bars = (places.figures / f"03_{probe}{name}.png" for name in ("", "_units"))
declare(*tables.values(), drawn, bars)
plan

# %% [markdown]
# ## Who is fitted, who is scored
#
# The official split, or, for comparison with published numbers of the V4 recordings, the first half
# of a session's images against the second. An image shown in both halves is fitted and never
# scored. Responses are means over repeats where there are any.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
split_of = {"official": official_split, "halves": halves_split}[plan.split]
splits = {key: split_of(session) for key, session in sessions.items()}
fitted = {k: ImageResponses.of(s, fitted_trials(s, splits[k])) for k, s in sessions.items()}
scored = {k: ImageResponses.of(s, scored_trials(s, splits[k])) for k, s in sessions.items()}
pd.DataFrame(
    {
        "units": {k: s.n_units for k, s in sessions.items()},
        "fitted images": {k: len(i.rows) for k, i in fitted.items()},
        "scored images": {k: len(i.rows) for k, i in scored.items()},
        "scores are": {k: sample_of(scored[k].rows, fitted[k].rows) for k in sessions},
    }
)

# %% [markdown]
# ## Fit
#
# Probes of `layers` fit every layer by itself. `combined` weighs several layers, for each site, and
# `fields` looks at them through one of many Gaussian windows, for each site the one that predicts
# held-out training images best. Pixels get four maps: with the right alpha; with alpha 1, as
# published; by least squares; and by least squares from principal components.
#
# Layers can also be put together afterwards. `stacked` fits each alone and adds the predictions,
# with weights that are not negative and chosen on held-out predictions, so that a layer which only
# fits its own images well gets none (Breiman 1996). `all_layers` puts a thousand principal
# components of each layer side by side, as one project did with six layers of ResNet-50; it got
# −.609 by least squares, which here stands beside ridge. `trees` are boosted trees on a few
# components of each layer: not linear, so they show what a linear map leaves. Components are found
# anew without each fold; found once on all images, they would have seen those held out.

# %%
systems, permuted = {}, {}
for key, session in sessions.items():
    both = fit_controlled(plan, session, fitted[key], places.features, seed)
    systems[key], permuted[key] = both

# %%
for key, session in sessions.items():
    trials = scored_trials(session, splits[key])
    hidden = session.trials("test") if session.withheld("test") else []
    for name, one in systems[key].items():
        made = {"probe": probe, "system": name, "split": splits[key].fingerprint, "seed": seed}
        for place, which in (("", trials), ("test", hidden)):
            if len(which):
                path = places.predictions / probe / name / place / f"{key}.npz"
                save_prediction(prediction_for(session, which, one.predicted, made), path)

# %% [markdown]
# Rates of the test images were never given out; predictions for them are written too, in `test`
# beside the others, with the same ids.
#
# ## How good?
#
# `ev` is the share of variance explained, 1 − Var(y − ŷ)/Var(y), and `r` Pearson's correlation,
# both over images and averaged over sites; on the scored images, and on the fitted ones held
# out. If the two agree, nothing has leaked.
#
# `permuted` is what the same map says of the scored images after it was fitted to rates that
# belong to other images, for some twenty of the sites. Choices were made as before, and nothing
# is left to find: with the right alpha, explained variance is zero to within some thousandths.
# Least squares finds something all the same, and pays for it. A score clearly above zero would be
# one of no map at all, and would say that scored images were seen.

# %%
rows = []
for key, named in systems.items():
    for name, one in named.items():
        p, y = one.predicted[scored[key].rows], scored[key].responses
        inside = explained_variance(one.held_out, fitted[key].responses)
        r = correlation(p, y)
        some = controlled(len(r))
        chance = permuted[key][name].predicted[scored[key].rows], y[:, some]
        chance = np.nanmean(explained_variance(*chance)), correlation(*chance).mean()
        values = np.nanmean(explained_variance(p, y)), r.mean(), np.median(r), np.nanmean(inside)
        edges = int((one.edge != 0).sum())
        rows.append((name, key, len(r), *values, *chance, np.median(one.alpha), edges))
columns = [
    "system",
    "session",
    "units",
    "ev",
    "r",
    "median r",
    "ev, held out",
    "ev, permuted",
    "r, permuted",
    "alpha",
    "at an edge",
]
found = pd.DataFrame(rows, columns=columns)
save_table(found, tables[""])
found.round(3)

# %%
chosen = pd.concat(
    pd.DataFrame(
        {
            "system": name,
            "session": key,
            "unit_id": sessions[key].unit_ids,
            "alpha": one.alpha,
            "edge": one.edge,
            "ev": explained_variance(one.predicted[scored[key].rows], scored[key].responses),
            "r": correlation(one.predicted[scored[key].rows], scored[key].responses),
            **one.chosen,
        }
    )
    for key, named in systems.items()
    for name, one in named.items()
)
save_table(chosen, tables["_units"])

# %%
use_style()
figure, axis = plt.subplots(figsize=(7, 1.2 + 0.28 * found["system"].nunique()))
panels.unit_boxes(axis, chosen, "r")
axis.set_xlabel("correlation r on scored images")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** One row a map; a box holds the middle half of the sites, the line is their
# median. Maps with a negative explained variance can still have a correlation above zero: they
# know which images drive a site, and exaggerate by how much.
#
# Sites at the upper edge of the grid are those that nothing predicts: their best alpha is the
# largest, which is to say the mean. At the lower edge, a map with far more features than images
# passes through all of them and still predicts best; less alpha would change nothing.
#
# ## Site by site
#
# The map that predicts held-out training images best.

# %%
best = found.loc[found["ev, held out"].idxmax(), "system"]
sites = chosen[chosen["system"] == best]
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8))
for axis, (score, label) in zip(axes, {"ev": "EV", "r": "r"}.items(), strict=True):
    panels.unit_bars(axis, sites[score].to_numpy(), label)
figure.suptitle(best)
if simulated:
    mark_simulated(figure)
save_figure(figure, bars)

# %% [markdown]
# **What one sees.** One bar a site, in the order of the file (a session after the other), and the
# mean as a dashed line. A mean may be made by a few sites; bars of nearly one height say that it is
# not, and a site at zero is one to look up in `01_preprocess`: it may have no reliable response.
