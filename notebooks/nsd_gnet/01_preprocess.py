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
# **What is in the Natural Scenes Dataset, how much of it does this study need, and is it sound?**
#
# Eight people each looked at up to ten thousand photographs in a 7-tesla scanner, every photograph
# three times, over a year (Allen et al. 2022). The responses of visual cortex to single
# presentations were estimated voxel by voxel and given to everybody. St-Yves, Allen, Wu, Kay &
# Naselaris (2023) trained convolutional networks on nothing but these responses, in V1, V2, V3 and
# hV4, and asked two things: do features found in a brain predict it better than features found in
# a task, and do the four areas form a hierarchy in which later areas are made of earlier ones?
#
# All of it together is 400 GB. The study needs the voxels of four areas, 1.6 GB, and the images,
# small. So nothing here reads a volume: a scan session is opened, and of each voxel that is wanted
# its responses are taken. This notebook
#
# 1. finds the data below one folder (in the `demo` and `smoke` profiles it *simulates* two
#    subjects in the same files: photographs of noise, ellipses and gratings, responses that read a
#    small stack of random convolutions, noise, offsets of a day),
# 2. says what there is and what it will cost, before anything is done,
# 3. checks voxels, and whether two presentations of an image give similar responses, without which
#    trials and images do not belong together,
# 4. packs every subject: responses z-scored within each scan session, images resized once.
#
# The answers are the two tables of subjects and findings, and the figure of noise ceilings.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.nsd import Areas
from src.data.nsd_checks import check_nsd
from src.data.nsd_session import open_subjects
from src.data.pack import pack
from src.data.panoptic import Panoptic, stimulus_info
from src.data.registry import require_raw
from src.data.session import open_sessions
from src.data.splits import acquisition_split, official_split, save_splits
from src.evaluation.ceilings import noise_ceiling
from src.evaluation.scores import readable
from src.figures import panels
from src.figures.panels.volumes import slices_through
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.simulate.nsd import simulate_nsd
from src.studies import STUDIES
from src.training import gnet_budget as budget

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation
source: str = ""  # root of NSD, with nsddata_betas below; empty: data/raw/nsd_gnet/full

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None
declare(*(places.tables / f"{name}.csv" for name in ("sessions", "checks", "units")))
declare(*(places.figures / f"01_{name}.png" for name in ("images", "masks", "ceilings")))

# %% [markdown]
# ## Find it, and count
#
# Each subject has its own voxels and its own scan sessions; three of the eight came to fewer than
# forty. An image is known by its number in the file of all 73 000; a thousand were shown to
# everybody. NSD comes with terms to agree to: `python -m src.fetch nsd_gnet` says how.

# %%
truth = places.raw.with_name(f"{places.raw.name}_truth")
if simulated:
    simulate_nsd(places.raw, truth, settings.simulation, seed)
elif not source:
    require_raw(study.name, places.raw)
size = settings.network("prefilter").size
subjects = open_subjects(source or places.raw, size)

# %%
rows = []
for subject in subjects:
    areas = pd.Series(subject.area).value_counts().to_dict()
    images = len(np.unique(subject.image_ids))
    megabytes = (4 * subject.n_trials * len(subject.unit_ids) + images * 3 * size**2) / 1e6
    scans = len(subject.files.scans)
    counts = {"scan sessions": scans, "trials": subject.n_trials, "images": images}
    rows.append({"session": subject.key, **counts, **areas, "MB when packed": megabytes})
inventory = pd.DataFrame(rows)
inventory.round(1)

# %% [markdown]
# ## What it will cost
#
# Before anything is written: space on disk, and time and memory of one training of all areas and
# all subjects. Weights, both moments of Adam and the best weights so far are there for every
# subject; a step sees one of them, and what its voxels pool is made `chunk` voxels at a time. For
# the eight subjects of NSD this is 34 GB of disk, most of it the maps that `02_extract` stores,
# and 2.6 GB of memory; a benchmark, `tests/benchmarks/gnet_memory.py`, holds the estimate against
# what is used.

# %%
plan = settings.plan("gnet8j")
voxels = {subject.key: len(subject.unit_ids) for subject in subjects}
trials = {subject.key: subject.n_trials for subject in subjects}
images = len(np.unique(np.concatenate([subject.image_ids for subject in subjects])))
given = voxels, plan.model.core, plan.model.readout, (budget.map_side(size),) * 2
cost = {"memory": budget.gigabytes(budget.training_memory(*given, plan.training.batch_size))}
cost["disk"] = budget.gigabytes(budget.packed_disk(voxels, trials, images, size))
shown = {subject.key: int((subject.tiers == "train").sum()) for subject in subjects}
steps = sum(-(-n // plan.training.batch_size) for n in shown.values())
epochs = plan.training.max_epochs
work = epochs * budget.training_work(voxels, shown, plan.model.core, (budget.map_side(size),) * 2)
hours = ", ".join(f"{work / speed / 3600:.2g} h on {name}" for name, speed in budget.SPEEDS.items())
print(f"one trunk: {steps} steps an epoch, {epochs} epochs at most, about {hours}; GB:")
readable(pd.DataFrame(cost).rename_axis("part").reset_index())

# %% [markdown]
# ## Which voxels
#
# Early visual areas, as moving bars found them, are what is modeled here. An atlas knows more
# areas and more voxels of these, the brain all the rest. Six slices through each of the three
# masks:

# %%
areas = Areas(subjects[0].files)
masks = {"brain": areas.brain(), "any visual area": areas.visual(), "V1 to hV4": areas.early()}
use_style()
figure, axes = plt.subplots(1, 6, figsize=(10, 2.3))
for axis, at in zip(axes, slices_through(masks["any visual area"], 6), strict=True):
    panels.volume_slice(axis, masks, 2, at)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_masks.png")
print({f"{name}, voxels": int(mask.sum()) for name, mask in masks.items()})

# %% [markdown]
# **What one sees.** Gray the brain, light blue the areas of the atlas, dark blue those of V1 to hV4
# that moving bars reached. A simulated brain has little but its areas, which lie in
# stripes.
#
# ## Check it
#
# `error` stops us, `warning` is worth reading. A simulation plants three odd voxels in V1 of each
# subject: one that is constant, one whose signal-to-noise ratio is missing, one that reaches the
# end of its 16-bit range.

# %%
checks = pd.concat([check_nsd(subject).assign(session=subject.key) for subject in subjects])
save_table(checks, places.tables / "checks.csv")
assert not (checks.severity == "error").any(), checks.message.iloc[0]
checks[["session", "severity", "field", "message"]]

# %% [markdown]
# ## Pack and split
#
# Responses are percent of signal change. Their offset and scale drift from day to day, so each
# voxel is z-scored within each scan session, over all of its trials.
#
# Images of one subject alone train. Shared images that everybody saw three times test, averaged
# over repeats or one by one, and the other shared ones stop the training: no image is on two sides.
# The published split kept the last tenth of the training *trials* for that, in the order shown.
# Nearly all of their images had been trained on before, and the table says how many. It tested on
# every single trial of any shared image. The profile `legacy` does the same.

# %%
for subject in subjects:
    pack(subject, places.processed / subject.key)
sessions = open_sessions(places.processed, InputConfig(scale="full"))
splits = {key: official_split(session) for key, session in sessions.items()}
save_splits(places.processed / "split.json", splits)

# %%
for row, (key, session) in zip(rows, sessions.items(), strict=True):
    split, published = splits[key], acquisition_split(session)
    row |= {part: len(getattr(split, part)) for part in ("train", "validation", "test")}
    trained, stopping = (
        np.unique(session.image_ids[p]) for p in (published.train, published.validation)
    )
    row["overlap as published"] = f"{np.isin(stopping, trained).sum()} of {len(stopping)} images"
save_table(pd.DataFrame(rows), places.tables / "sessions.csv")
pd.DataFrame(rows)[["session", "train", "validation", "test", "overlap as published"]]

# %%
session = next(iter(sessions.values()))
tests = session.unique_images("test")[:4], session.unique_images("train")[:4]
figure, axis = plt.subplots(figsize=(5, 2.6))
panels.picture_rows(
    axis, dict(zip(("all see", "one sees"), map(session.pixels, tests), strict=True))
)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_images.png")

# %% [markdown]
# **What one sees.** Images of the two kinds are alike; only who saw them differs.
#
# What is *in* an image is known for photographs of COCO, pixel by pixel: each has a map of
# segments, cropped as NSD cropped the photograph. It takes no part in this study, but whoever asks
# what a voxel prefers will want it. A folder `coco` beside NSD's, with `annotations` and the maps
# of `panoptic_annotations_trainval2017`, is read if it is there.

# %%
coco = places.raw / "coco" if not source else Path(source) / "coco"
info = stimulus_info(subjects[0].files.design.with_name("nsd_stim_info_merged.csv"))
panoptic = Panoptic.read(coco) if coco.exists() else None
known = info[info["cocoId"].isin(panoptic.files if panoptic else ())].iloc[:4]
print(f"{len(known)} images shown of those whose segments are known")

# %%
if len(known):
    figure, axes = plt.subplots(1, len(known), figsize=(2.2 * len(known), 2.6), squeeze=False)
    for axis, image in zip(axes[0], known.itertuples(), strict=True):
        labels = panoptic.labels(image.cocoId, image.cropBox, size)
        panels.segment_map(axis, labels, panoptic.names)
        axis.set_title(f"image {image.Index}")
    if simulated:
        mark_simulated(figure)
    save_figure(figure, places.figures / "01_labels.png")

# %% [markdown]
# **What one sees.** The kinds of things in some images, named once in each; white is unknown.
#
# ## What is possible
#
# NSD gives for every voxel the standard deviation of its signal over that of its noise. From it
# follows the percent of variance that a perfect model would explain: of single trials, and of
# means over three, where noise is a third.

# %%
units = []
for subject in subjects:
    q = subject.ncsnr
    columns = {"unit_id": subject.unit_ids, "area": subject.area, "ncsnr": q}
    columns |= {f"ceiling_{n}": noise_ceiling(q, np.full(1, n)) for n in (1, 3)}
    units.append(pd.DataFrame({"session": subject.key, **columns}))
units = pd.concat(units)
save_table(units, places.tables / "units.csv")
units.groupby(["session", "area"], sort=False)[["ncsnr", "ceiling_1", "ceiling_3"]].median().round(
    2
)

# %%
figure, axis = plt.subplots(figsize=(4.6, 3))
known = units.dropna()
values = {"single trials": known.ceiling_1.to_numpy(), "means of three": known.ceiling_3.to_numpy()}
colors = dict(zip(values, ("#8fa9bb", "#d55e00"), strict=True))
panels.score_histograms(axis, values, colors, "noise ceiling (% of variance)")
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "01_ceilings.png")

# %% [markdown]
# **What one sees.** Lines are medians over voxels. A ceiling of 15 %, which is NSD's mean for
# single trials, means that a perfect model would correlate with a trial by 0.39. Scores look low
# beside those of other fields, and are not: they are read against this figure.
#
# Next: `02_extract` stores what the first two layers of AlexNet make of the images.
