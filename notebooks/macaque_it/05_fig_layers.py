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
# # 05 · Layers
#
# **Which layer predicts IT best, and what of it has training taught?**
#
# In every network of the published projects the curve over layers is an inverted U: a tenth of the
# variance from the first convolution, two fifths from the last layers but one or two, and less from
# the very last. It is read as a correspondence of depth in the network and depth in the brain. Two
# controls belong to it, and both were missing where they were needed most:
#
# - **untrained networks.** A random network is not nothing: pooled random filters already tell many
#   images apart. One random start is one draw, so there are five, each with alphas of its own.
#   In some projects random networks came out far worse than the mean, and the cause is not known;
# - **permuted rates.** If rates are handed to other images before fitting, every score must fall
#   to zero. A loader that had shuffled its images would pass for such a permutation, and was not
#   noticed for want of this control.
#
# The answer is the first figure.

# %%
from itertools import cycle

import matplotlib.pyplot as plt
import pandas as pd

from src.config import InputConfig
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation.decomposition import decompose
from src.evaluation.feature_grams import open_gram
from src.evaluation.generalization import variance_partition
from src.evaluation.linear_probes import folds_of
from src.evaluation.linear_scores import permutation_control
from src.evaluation.probes import ImageResponses, fitted_trials, scored_trials
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.feature_files import layer_names
from src.paths import run_paths
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
permutations: int = 5  # of the rates, for the control
seed: int = 42  # seed of the permutations

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
tables = {name: places.tables / f"05_{name}.csv" for name in ("layers", "permuted", "partition")}
declare(tables["layers"], tables["permuted"], places.figures / "05_layers.png")

# %% [markdown]
# ## Scores by layer
#
# From `04_evaluate`: for every network and layer the mean over units, and its model's interval.

# %%
units = pd.read_csv(note_input(places.tables / "units.csv"))
intervals = pd.read_csv(note_input(places.tables / "intervals.csv"))
means = intervals[intervals["session"].str.startswith("mean")]
families = {}  # random starts of one network together, other networks each by itself
for probe in (p for p in settings.probes if p.kind == "layers" and not p.question):
    each = {name: (name,) for name in probe.networks}
    families |= {probe.name: probe.networks} if settings.untrained(probe) else each
layers_of = {family: layer_names(places.features / names[0]) for family, names in families.items()}
layers_of

# %%
rows = []
for family, layer in ((f, layer) for f, layers in layers_of.items() for layer in layers):
    own = units[units["model"] == f"{family}_{layer}"]
    for metric in ("ev", "avg"):
        limits = means[(means["model"] == f"{family}_{layer}") & (means["metric"] == metric)]
        starts = own.groupby(["start", "session"])[metric].mean().groupby("start").mean()
        for network, score in zip(families[family], starts, strict=True):
            row = family, network, layer, metric, score, *limits[["low", "high"]].iloc[0]
            rows.append(row)
columns = ["family", "network", "layer", "metric", "score", "low", "high"]
layers = pd.DataFrame(rows, columns=columns)
layers.insert(0, "data", "simulated" if simulated else "recorded")
save_table(layers, tables["layers"])
shown = layers[layers["metric"] == "ev"]
shown.pivot_table("score", ["family", "layer"], aggfunc=["mean", "min", "max"], sort=False).round(3)

# %%
use_style()
colors = cycle(("#0072b2", "#e69f00", "#d55e00", "#777777", "#009e73"))
shades = dict(zip(families, colors, strict=False))
widths = [max(len(layers_of[family]), 3) for family in families]

# %%
shape = {"figsize": (9, 4.8), "sharey": "row", "squeeze": False, "width_ratios": widths}
figure, axes = plt.subplots(2, len(families), **shape)
for row, (metric, label) in zip(axes, {"ev": "EV", "avg": "r"}.items(), strict=True):
    for axis, family in zip(row, families, strict=True):
        part = layers[(layers["family"] == family) & (layers["metric"] == metric)]
        panels.layer_profile(axis, part, family, shades[family])
        axis.set_title(family.replace("_", " ") if metric == "ev" else "")
        axis.grid(axis="y")
    row[0].set_ylabel(f"{label}, mean over units")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "05_layers.png")

# %% [markdown]
# **What one sees.** One column a family of networks, layers from the first to the last. Bars are
# intervals over images; where a family has several random starts, a band goes from the worst to
# the best of them. Simulated sites read the second layer of the `planted` map, and that is where
# its curve ends highest. `other maps` are built alike with other filters: how far they fall short
# is what it costs to know the kind of a code and not the code. A trained network that beats its
# untrained twins has learned something that IT uses; how much is the distance between the two
# curves, not the height of the first.
#
# CORnet-RT is recurrent: its areas answer once a time step, and the image climbs one area a step.
# It comes here with one start of random weights, each area at the first step that can know the
# image and at the last, as in V4-t2 and V4-t4. One start is one draw and has no band: it shows
# how such a network is read, and nothing is claimed of untrained ones of its kind. Before the first
# step an area is the same for all images and explains nothing: such layers are refused by name.
#
# ## Site by site

# %%
wide = units.pivot_table(index=["session", "unit_id"], columns="model", values="avg")
models = pd.read_csv(note_input(places.tables / "models.csv"))
chosen = models[models["headline"] & (models["kind"] == "layers")].drop_duplicates("model")
best = chosen.set_index("family")["layer"]
made = {family: settings.network(names[0]) for family, names in families.items()}
random = {f: n for f, n in made.items() if n.start == "random" and not n.training}
trained = {f: n for f, n in made.items() if n.training or (n.weights and f not in random)}
pairs = [(a, b) for a in random for b in trained if made[a].network == made[b].network]
best

# %%
for pair in pairs[:1]:
    declare(places.figures / "05_trained.png")
    columns = {family: wide[f"{family}_{best[family]}"] for family in pair}
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6))
    panels.unit_scatter(axes[0], *(columns[family].to_numpy() for family in pair))
    axes[0].set(xlabel=f"r, {pair[0]}, mean of starts", ylabel=f"r, {pair[1]}")
    values = {family: c.to_numpy() for family, c in columns.items()}
    panels.score_violins(axes[1], values, shades, "r")
    panels.score_histograms(axes[2], values, shades, "r")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "05_trained.png")

# %% [markdown]
# **What one sees.** Left, each dot is a site, by one layer of the untrained networks and one of a
# network of the same architecture that was trained, each the best for *held-out training*
# images. In the demo its training were a thousand images of the same objects; published
# networks saw a million others. In the middle and right, the same scores as distributions: side by
# side, with boxes of the middle half of the sites, and over each other.
#
# ## What training adds, and what it takes away
#
# A higher score does not say that a trained layer holds what an untrained one holds and more. Both
# are fitted alone and side by side, and what they explain of the scored images is taken apart:
# `only` is what is lost without a layer, `shared` what either gives (Borcard et al. 1992; de Heer
# et al. 2017, for cortex).

# %%
key, session = next(iter(open_sessions(places.processed, InputConfig(scale="full")).items()))
split, hashes = official_split(session), image_sha256(session.images)
fitted, scored = (
    ImageResponses.of(session, f(session, split)) for f in (fitted_trials, scored_trials)
)

# %%
for untrained, taught in pairs[:1]:
    declare(tables["partition"])
    both = [
        open_gram(places.features / families[family][0] / key, best[family], hashes)
        for family in (taught, untrained)
    ]
    parts = variance_partition(both, fitted, scored, seed)
    parts.columns = [name.replace("first", taught).replace("second", untrained) for name in parts]
    parts.insert(0, "unit_id", session.unit_ids)
    save_table(parts, tables["partition"])
    print(parts.drop(columns="unit_id").mean().round(3).to_string())

# %% [markdown]
# Most is shared: random filters of the same architecture already hold it. What only the trained
# layer gives is what was learned. It exceeds the difference of the two scores by what only the
# untrained one gives, which naming objects had no use for.
#
# ## Permuted rates
#
# The same layer of every family, its rates permuted over fitted images before each fit, and alpha
# chosen anew in the same folds.

# %%
controls = []
for family, (network, *_) in families.items():
    layer = best[family]
    gram = open_gram(places.features / network / key, layer, hashes)
    axes_of = decompose(gram, fitted.rows)
    told = fitted.responses, gram[scored.rows], scored.responses, seed, permutations
    control = permutation_control(axes_of, *told, groups=folds_of(fitted.objects, seed))
    here = shown[(shown["network"] == network) & (shown["layer"] == layer)]
    controls.append(control.assign(network=network, layer=layer, true_ev=here["score"].item()))

# %%
permuted = pd.concat(controls)
save_table(permuted, tables["permuted"])
print(f"largest EV {permuted['ev'].max():.3f}, largest |r| {permuted['r'].abs().max():.3f}")
permuted.groupby(["network", "layer"], sort=False)[["true_ev", "ev", "r"]].mean().round(3)

# %% [markdown]
# With rates that belong to other images, explained variance is zero to within some thousandths,
# or below. Correlations scatter around zero, each permutation its own way: what is left of a map is
# tiny, but it is wrong for all sites alike, the more so the more alike sites are, and their mean
# does not average that out. With the demo's 140 scored images some go a little beyond .05, which
# is the limit for twice as many. Rows were aligned, and no score above comes from anything else.
