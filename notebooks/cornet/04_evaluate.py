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
# # 04 · Evaluate
#
# **Which network is most like V4 and IT, by which measure, and which differences are real?**
#
# "Brain-like" is measured in several ways, and they need not agree:
#
# - **mappings** ask how well a linear map from features predicts sites: partial least squares
#   (Brain-Score's own), ridge regression, and the strictest, one feature for one site
#   (`neuron_to_neuron`). `reverse_pls` turns the question round: a network whose features are
#   mostly *not* in the recorded sites scores low on it, however well it predicts them;
# - **geometry** asks, without any fit, whether the same images are alike: correlation of
#   dissimilarities (`rdm`), and kernel alignment (`cka`). The usual, biased CKA nears 1 for any
#   two sets with more features than images; here it is the unbiased one.
#
# Each comes with its own ceiling and its own way to divide by it, so that scores of different
# measures do not compare, and a network's rank may change. A published score without the name of
# its formula says little: the same correlation of .58 is .41, .50 or .71.
#
# The layer that stands for a network in a region was chosen among training images (`03_probe`).
# Intervals are from resampled images and sites, the same for all networks, so that differences
# are paired. The network that simulated sites read is in the table as the truth, not as a
# contestant.
#
# The answer is the table of scores and the first figure.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.data.assembly_files import open_assembly
from src.evaluation.likeness import Settings, score
from src.evaluation.normalization import FORMULAS, all_forms
from src.evaluation.score_record import Source, comparison_table, save_records
from src.evaluation.scores import readable
from src.evaluation.stored_sets import stored_sets
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
resamples: int = 200  # of images and sites, for intervals
seed: int = 42  # seed of the resamples

# %%
study = STUDIES["cornet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("layers", "scores", "sites", "measures", "comparisons", "forms", "published")
tables = {name: places.tables / f"{name}.csv" for name in names}
tables["sites"] = places.tables / "04_sites.csv"
drawn = {name: places.figures / f"04_{name}.png" for name in ("scores", "sites", "measures")}
declare(*tables.values(), *drawn.values())

# %% [markdown]
# ## What was scored
#
# One row a network, layer and region. `headline` marks the layer that stands for a network in a
# region.

# %%
probes = [probe.name for probe in settings.probes if not probe.question]
found = pd.concat(pd.read_csv(note_input(places.tables / f"03_{name}.csv")) for name in probes)
chosen = pd.concat(
    pd.read_csv(note_input(places.tables / f"03_{name}_choice.csv")) for name in probes
)
chosen = chosen.loc[chosen["best"], ["model", "region", "layer", "nested"]]
chosen = chosen.rename(columns={"layer": "place"})
layers = found.merge(chosen.assign(headline=True), "left", on=["model", "region", "place"])
layers["headline"] = layers["headline"].notna()
save_table(layers, tables["layers"])
print(len(layers), "scores of", layers["model"].nunique(), "networks")

# %%
scores = layers.sort_values(["region", "raw"], ascending=False, kind="stable")
save_table(scores, tables["scores"])
shown = ["model", "region", "place", "raw", "ci_low", "ci_high", "nested", "ceiling", "ceiled"]
readable(scores.loc[scores["headline"], shown])

# %% [markdown]
# `raw` is the median correlation, `nested` the same where each draw of test images saw only a
# layer chosen without them: if the two agree, choosing cost nothing. `ceiled` is r² / c, the share
# of the explainable variance that is explained.
#
# ## How sure are the differences?

# %%
path = note_input(places.raw / "assembly.h5")
assembly = open_assembly(path)
sets = {n.name: stored_sets(places.features, n.name, path) for n in settings.networks}
how = Settings(resamples=resamples, seed=seed, ceiling="none")
source = Source(study.name, "all", "simulated" if simulated else "recorded")

# %%
best = scores[scores["headline"]].set_index(["region", "model"])["place"]
parts = []
for region in study.sessions:
    own = {model: sets[model][place] for model, place in best[region].items()}
    records = [score(x, assembly, "pls", region, source=source, settings=how) for x in own.values()]
    parts.append(comparison_table(records).assign(region=region))

# %%
comparisons = pd.concat(parts)
save_table(comparisons, tables["comparisons"])
leader = [best[region].index[0] for region in study.sessions]
readable(comparisons[comparisons["model"].isin(leader)])

# %% [markdown]
# Each row: the first minus the second, with a paired interval, and p for no difference. Networks
# whose intervals overlap in the figure may still differ surely here, since both were right and
# wrong about the same images.

# %%
use_style()
height = 1.1 + 0.28 * len(best["IT"])
figure, axes = plt.subplots(1, 2, figsize=(9, height), sharex=True)
for axis, region in zip(axes, study.sessions, strict=True):
    rows = scores[scores["headline"] & (scores["region"] == region)]
    rows = rows.rename(columns={"raw": "score", "ci_low": "low", "ci_high": "high"})
    rows = rows.assign(label=rows["model"] + ", " + rows["place"])
    panels.interval_rows(axis, rows, "r, median over sites")
    axis.axvline(np.sqrt(rows["ceiling"].iloc[0]), color="#8b1e2d", linestyle=(0, (4, 2)))
    axis.set_title(region)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["scores"])

# %% [markdown]
# **What one sees.** Networks from best to worst, each by its chosen layer, with 95 % intervals;
# the dashed line is √c. On simulated sites the planted network stands first in both regions, at
# its own areas, and what it lacks to the ceiling in IT is the tuning to categories that it cannot
# know. The distance to the next random network is what it is worth to have these very filters.
#
# ## Site by site
#
# A median hides the sites. For the best network of each region: every site's correlation, mean over
# the ten draws of test images, against the highest that its own noise allows, √c.

# %%
sites = []
for region in study.sessions:
    row = scores[scores["headline"] & (scores["region"] == region)].iloc[0]
    probe = next(one.name for one in settings.probes if row["model"] in one.networks)
    with np.load(note_input(places.predictions / probe / f"raw_{row['id']}.npz")) as stored:
        r, c = stored["by_split"].mean(0), stored["unit_ceilings"]
    sites.append(pd.DataFrame({"model": row["model"], "region": region, "avg": r, "c": c}))

# %%
sites = pd.concat(sites)
sites["cc_max"] = np.sqrt(sites["c"].clip(lower=0))
sites["explained"] = np.sign(sites["avg"]) * sites["avg"] ** 2 / sites["c"].where(sites["c"] > 0)
save_table(sites.rename(columns={"avg": "r"}).drop(columns="cc_max"), tables["sites"])
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.2), sharey=True)
for axis, (region, part) in zip(axes, sites.groupby("region", sort=False), strict=True):
    panels.score_against_ceiling(axis, part)
    axis.set(title=f"{region}, {part['model'].iloc[0]}", xlabel="√c", ylabel="")
axes[0].set_ylabel("r")
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["sites"])

# %% [markdown]
# **What one sees.** One dot a site. None can stand above the diagonal but by chance, and those that
# lie far below it are the ones that this layer does not know. The site of noise alone sits at the
# left end, on zero, where no network can be blamed for it; a mean over sites that divided each by
# its own c would be thrown off by just this one, which is why the median comes first.
#
# ## Other measures
#
# The same layers by every other measure. Those of geometry have no fit that could make up for
# features that no site has, so they are lower.

# %%
rows = []
plain = Settings(resamples=0, seed=seed)
for (region, model), place in best.items():
    for metric in ("pls", "ridge", "neuron_to_neuron", "rdm", "cka"):
        one = score(sets[model][place], assembly, metric, region, source=source, settings=plain)
        rows.append(one)
    sites = int((assembly.units["region"] == region).sum())
    few = replace(plain, components=min(plain.components, sites))
    back = sets[model]["decoder"]
    rows.append(score(back, assembly, "reverse_pls", region, source=source, settings=few))

# %%
save_records(rows, places.predictions / "measures")
measures = pd.read_csv(places.predictions / "measures" / "scores.csv")
save_table(measures.drop(columns="seconds"), tables["measures"])
wide = measures.pivot_table("raw", ["region", "model"], "metric", sort=False)
wide.round(3)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 1.2 + 0.3 * len(best["IT"])), sharey=True)
for axis, region in zip(axes, study.sessions, strict=True):
    part = wide.loc[region].loc[sorted(wide.loc[region].index)]
    panels.value_map(axis, part.to_numpy(), list(part.index), list(part.columns))
    axis.set_title(region)
if simulated:
    mark_simulated(figure)
save_figure(figure, drawn["measures"])

# %% [markdown]
# **What one sees.** One row a network, one column a measure, r or alignment as it is, not divided
# by a ceiling. Columns are to be read one by one, and they do not order networks alike. Mappings
# find the features that sites share, however small; geometry weighs every feature by its variance.
# Simulated sites read directions of an area that are not its largest, so even the network they
# read is low by geometry, and another may stand above it. `reverse_pls` is the other way round:
# features of the decoder predicted from the recorded sites, of which there are far fewer than
# features.
#
# ## One score, three formulas

# %%
first = scores[scores["headline"]].iloc[-1]
published_r, published_c = 0.5796, 0.8158  # AlexNet, public IT: correlation and ceiling
forms = pd.DataFrame(
    {
        "formula": FORMULAS,
        f"{first['model']}, {first['region']}": all_forms(first["raw"], first["ceiling"]),
        "AlexNet, public IT": all_forms(published_r, published_c),
    }
)
save_table(forms.rename_axis("version").reset_index(), tables["forms"])
forms.round(4)

# %% [markdown]
# ## Beside the published numbers
#
# Tables of the papers and tests of the published code. They are of recorded sites, on private
# parts of the data, and a simulated site has no literature: they stand here as a record.
# `08_fig_tables` draws them.

# %%
published = pd.DataFrame([vars(one) for one in study.published]).drop(columns="images")
save_table(published, tables["published"])
table = published[published["session"] == "private"].drop_duplicates(["system", "metric"])
readable(table.pivot_table("value", "system", "metric", sort=False).reset_index())

# %% [markdown]
# Next: `05_fig_unrolling` looks into time, `06_fig_layers` at all layers and regions, and
# `07_fig_behavior` at choices.
