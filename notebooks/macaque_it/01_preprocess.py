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
# # 01 · Preprocess
#
# **What is in a file of object images and IT rates, and is it fit to fit models to?**
#
# Inferior temporal cortex (IT) is the last purely visual stage of the macaque brain, and its sites
# tell objects apart: faces from tables, one car from another. Majaj, Hong, Solomon & DiCarlo (2015)
# recorded sites of two monkeys that looked at rendered objects, in all sizes and views, pasted on
# backgrounds that have nothing to do with them. A course used 168 of these sites: 3200 gray
# images of 64 objects, and for every site the mean number of spikes from 70 to 170 ms after an
# image came on, averaged over some 40 presentations and normalized. The task is to predict these
# rates for images that no model has seen.
#
# This notebook
#
# 1. finds the file (in the `demo` and `smoke` profiles it *simulates* one, in the same layout),
# 2. checks every key, shape and image, and stops with a clear message if something is wrong,
# 3. packs it in the form that all studies share: images as the 8-bit gray they are,
# 4. looks at images, objects and rates.
#
# The answer stands at the end: a table of the splits, and what one site prefers.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.assembly import find_assembly
from src.data.inferotemporal import open_inferotemporal
from src.data.inferotemporal_checks import check_inferotemporal
from src.data.objects import CATEGORIES, categories_of
from src.data.pack import pack
from src.data.registry import require_raw
from src.data.sensorium import open_mice
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation.probes import ImageResponses, scored_trials
from src.evaluation.reliability import assembly_table, site_table
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.inferotemporal import simulate_inferotemporal
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation, of an assembly's split, and of split halves
source: str = ""  # IT_data.h5 or an assembly; empty: that in data/raw/macaque_it/full
stimulus: int = 0  # number of the training image to look at
site: int = 0  # number of the site to look at

# %%
study = STUDIES["macaque_it"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
declare(*(places.tables / f"{name}.csv" for name in ("sessions", "checks", "sites", "objects")))
declare(*(places.figures / f"01_{name}.png" for name in ("images", "rates")))

# %% [markdown]
# ## Find the file
#
# `IT_data.h5` was given to students of a course and is not ours to pass on. Whoever has it puts it
# into `data/raw/macaque_it/full`, or names it as `source` (`python -m src.fetch macaque_it` brings
# weights and says the rest). The demo simulates one with the same keys and types: objects of the
# same 64 names, drawn as smooth shapes on textured backgrounds, and sites that read a fixed random
# convolutional map, are tuned to categories, and are noisy, each to its own degree. What they read
# is stored apart, so that every later number can be held against the truth.
#
# The presentations behind the means may be had too, as an *assembly*: one HDF5 file with a rate for
# every presentation, and tables that name image, repeat, monkey and region. Put it into the
# same folder as `assembly.h5`, or name it as `source`. If there is no `IT_data.h5`, its eight
# arrays are made from the assembly and marked `rebuilt`, since the split is then ours and not the
# course's. If there is one, it has to hold the means of this very assembly. The demo has both.
#
# A recording brought in by `00_import_recording` is taken instead, if one is named.

# %%
truth = places.raw.with_name(f"{places.raw.name}_truth")
if simulated:
    simulate_inferotemporal(places.raw, truth, settings.simulation, seed, assembly=True)
elif not (recording or source):
    require_raw(study.name, places.raw)
assembly = None
if not recording:
    asked = source or places.raw / "IT_data.h5"
    path, assembly = find_assembly(asked, places.processed / "IT_data.h5", seed)
found = open_mice(places.raw) if recording else [open_inferotemporal(path)]
[f"{one.key}: {one.n_trials} trials, {len(one.unit_ids)} units" for one in found]

# %% [markdown]
# ## Check it
#
# One line for each finding: `error` stops us, `warning` is worth reading, `note` records something.
# Images are stored ready for a network trained on ImageNet, with its mean taken off and divided
# by its standard deviation. Two of the course's projects did that a second time, with no message;
# in one of them a layer lost a third of what others got from it. So each image is turned back
# and must come out as gray: three equal channels between 0 and 1.

# %%
reports = {} if recording else {one.key: check_inferotemporal(one) for one in found}
columns = ["session", "severity", "file", "field", "message"]
checks = pd.concat(
    [pd.DataFrame(columns=columns), *(r.assign(session=k) for k, r in reports.items())]
)
save_table(checks, places.tables / "checks.csv")
checks

# %%
for one in found:
    pack(one, places.processed / one.key)
sessions = open_sessions(places.processed, InputConfig(scale="full"))

# %% [markdown]
# ## The images
#
# The file has no repeats: each image is one trial, and its rate already a mean. It is split in
# three: most images to fit models, a tenth to score them (`validation`), and a tenth whose rates
# were never given out. Since every choice of ours is made inside the first part, the second is
# touched once.

# %%
table = pd.DataFrame(
    {
        "session": key,
        "units": s.n_units,
        "image shape": str(s.image_shape),
        "different images": len(s.images),
        **{tier: len(s.trials(tier)) for tier in ("train", "validation", "test")},
        "objects": 0 if s.objects is None else len(np.unique(s.objects)),
        "test responses": "withheld" if s.withheld("test") else "present",
    }
    for key, s in sessions.items()
)
save_table(table, places.tables / "sessions.csv")
table

# %% [markdown]
# ## The sites, and how reliable they are
#
# Shown the same image again, a site does not fire the same. What share of its variance over
# images would come again? Each image's presentations are split in two at random, the means of
# both halves are correlated over images, and r of the halves is carried over to all
# presentations by Spearman and Brown's formula, c = 2r / (1 + r); this is done ten times, and c is
# the mean. Without presentations, c is not known, and left empty.

# %%
rng = numpy_stream(seed, "reliability")
if assembly is None:
    scored = ((s, scored_trials(s, official_split(s))) for s in sessions.values())
    sites = pd.concat(site_table(*each, rng) for each in scored)
else:
    sites = assembly_table(found[0], assembly, rng)
rebuilt = "rebuilt" in checks["field"].tolist()
sites.insert(0, "data", "simulated" if simulated else "rebuilt" if rebuilt else "recorded")
save_table(sites, places.tables / "sites.csv")
sites.fillna({"animal": ""}).groupby(["session", "animal"])["c"].describe().round(3)

# %% [markdown]
# ## The images themselves

# %%
use_style()
session = next(iter(sessions.values()))
known = session.objects is not None
first = session.unique_images("train")
if known:
    first = first[np.unique(categories_of(session.objects[first]), return_index=True)[1]]
asked = session.trials("train")[stimulus]
first = np.r_[asked, first[first != asked][:8]]
figure, axes = plt.subplots(1, len(first), figsize=(1.12 * len(first), 1.6), squeeze=False)
for axis, trial, image in zip(axes[0], first, session.pixels(first), strict=True):
    panels.picture(axis, image)
    axis.set_title(session.objects[trial] if known else str(session.trial_ids[trial]), fontsize=8)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_images.png")

# %% [markdown]
# **What one sees.** First the image asked for as `stimulus`, as it was shown and with the name of
# its object; then one of each category, or the first ones of a recording. Position, size
# and view change from image to image, so that no pixel by itself says what is shown. This is
# what makes the task hard for a model of pixels.
#
# ## Images of each object
#
# Every object must be in every part, or a score by object has holes: sums over the objects of a
# category, and the least that any of them has.

# %%
names = session.objects if known else np.full(session.n_trials, "unknown")
counts = pd.crosstab(names, session.tiers).rename_axis("object").reset_index()
counts.insert(0, "category", categories_of(counts["object"]) if known else "all")
save_table(counts, places.tables / "objects.csv")
counts.groupby("category").agg(["sum", "min"]).drop(columns="object", level=0)

# %% [markdown]
# ## One site

# %%
images = ImageResponses.of(session, session.trials("train"))
rates = images.responses[:, site] - images.responses[:, site].mean()
category = categories_of(images.objects) if known else np.full(len(rates), "all")
groups = [name for name in (*CATEGORIES, "all") if name in category]
order = np.argsort([groups.index(name) for name in category], kind="stable")
print("(n_images, n_units) =", images.responses.shape)

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(2, 1))
panels.rates_by_group(axes[0], rates[order], category[order])
if known:
    panels.group_bars(axes[1], rates, category, groups)
else:
    axes[1].remove()
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_rates.png")

# %% [markdown]
# **What one sees.** Left, the rate of one site for every training image, images of a category
# side by side; right, the means with their 95 % intervals. A site has favorites, and yet images
# of one category scatter widely: which object, where, and from which side matters too. That scatter
# is what models have to explain. A class label, however good, cannot.
#
# Next: `02_extract` shows the images to networks, `02_train` trains networks on the rates.
