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
# # 11 · Scaling
#
# **How many images does a model of a voxel need, and would more help?**
#
# A subject of NSD lay in the scanner for thirty to forty hours. Was the last one still worth it?
# The published answer is for receptive fields on features of AlexNet: from one thousand trials to
# twenty-seven, the median correlation over voxels of one subject grows from .155 to .237, fast at
# first and then slowly, by .004 in the last third. A model with more to learn, such as GNet, needs
# more before it bends.
#
# Here the same is done on this run's data. Feature-weighted receptive fields (`03_probe`) are
# fitted to growing parts of the training images, several random ones of each size, and all of them
# are scored on the same test images. A part is chosen by images, not trials, so that no image is
# half in. Field and ridge parameter are chosen on a tenth of each part, kept back, or where images
# are few, as in `demo`, on each of them in turn (`03_probe`). In the published code it was a tenth
# of *all*, so that small parts had next to nothing left to train on, and the very smallest, by a
# negative length, nearly everything. Here sizes are checked.
#
# Two controls. Images of a part can be dealt out anew among its responses: what is left is the
# score of a model that has learned nothing, at every size. And at the other end stands the ceiling,
# the correlation of a perfect model with single trials, which no number of images can raise.
#
# The features are those of GNet's prefilter, as stored by `02_extract`.
#
# The answer is the figure.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import pearson
from src.data.gaussian_fields import field_grid
from src.data.hashes import image_sha256
from src.data.session import open_sessions
from src.data.splits import official_split
from src.evaluation.bootstrap import interval
from src.evaluation.field_ridge import fit_fields
from src.evaluation.probes import ImageResponses
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.models.feature_files import open_features
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES
from src.studies.nsd_gnet import caution

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
network: str = "prefilter"  # whose features
layer: str = "conv2"  # of its layers
shares: str = "0.1 0.2 0.4 1"  # of the training images
parts: int = 2  # random ones of each size but the last
seed: int = 42  # of the parts and resamples

# %%
study = STUDIES["nsd_gnet"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
table, drawn = places.tables / "11_scaling.csv", places.figures / "11_scaling.png"
declare(table, drawn)

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
candidates, lambdas = field_grid(0.06, 2.0, sizes=4), np.logspace(0, 6, 7)
held_out = settings.probes[0].held_out  # share of a part
sizes = {key: len(np.unique(s.image_ids[s.trials("train")])) for key, s in sessions.items()}
assert min(sizes.values()) * min(map(float, shares.split())) >= 10, "ten images are the least"
print(f"{len(candidates)} candidates; training images: {sizes}")

# %% [markdown]
# ## Fit to parts

# %%
rows = []
for key, session in sessions.items():
    split, hashes = official_split(session), image_sha256(session.images)
    maps = [open_features(places.features / network / key, layer, hashes)]
    shown, test = ImageResponses.of(session, split.train), split.test
    y, measured = np.zeros((len(session.images), session.n_units)), session.responses(test).numpy()
    y[shown.rows] = shown.responses
    counts = np.bincount(session.image_index[split.train], minlength=len(y)).astype(float)
    for share in map(float, shares.split()):
        n = round(share * len(shown.rows))
        for part in range(parts if share < 1 else 1):
            rng = numpy_stream(seed, "part", key, n, part)
            some = rng.permutation(shown.rows)[:n]
            few, many = np.split(some, [int(held_out * n)])
            dealt = y.copy()
            dealt[some] = y[rng.permutation(some)]
            halves = np.sort(many), np.sort(few)
            fit = fit_fields(maps, np.hstack([y, dealt]), candidates, *halves, lambdas, counts)
            made = fit.predict(maps)[session.image_index[test]]
            for kind, of in zip(("fitted", "dealt anew"), np.split(made, 2, axis=1), strict=True):
                r = pearson(of, measured)
                row = {"session": key, "images": n, "trials": counts[some].sum(), "part": part}
                again = rng.choice(r, (500, len(r)))
                low, high = interval(np.median(again, axis=1))
                rows.append(row | {"kind": kind, "r": np.median(r), "low": low, "high": high})

# %%
scaling = pd.DataFrame(rows)
save_table(scaling, table)
scaling.pivot_table("r", ["session", "kind"], "images").round(3)

# %%
known = pd.read_csv(note_input(places.tables / "units.csv")).dropna()
ceilings = np.sqrt(known.groupby("session")["ceiling_1"].median() / 100)
use_style()
figure, axes = plt.subplots(1, len(sessions) + 1, figsize=(3.1 * (len(sessions) + 1), 3))
colors = {"fitted": "#0072b2", "dealt anew": "#b8b8b8"}
for axis, key in zip(axes, sessions, strict=False):
    for kind, color in colors.items():
        here = scaling[(scaling["session"] == key) & (scaling["kind"] == kind)]
        axis.vlines(
            here["images"], here["low"], here["high"], color=color, linewidth=0.8, alpha=0.5
        )
        axis.plot(here["images"], here["r"], "o", color=color, markersize=3.5)
        middle = here.groupby("images")["r"].mean()
        axis.plot(middle.index, middle, color=color, label=kind)
    axis.axhline(
        ceilings[key], color="#222222", linewidth=1, linestyle=(0, (4, 2)), label="ceiling"
    )
    axis.set(xscale="log", xlabel="training images", title=key, ylim=(-0.15, 1.05))
    axis.set_xticks(middle.index, middle.index)
    axis.set_xticks([], minor=True)
axes[0].set(ylabel="median r, single trials")
axes[0].legend(loc="upper left")
trials, stored = (1, 2, 3, 6, 9, 18, 27), (0.155, 0.185, 0.199, 0.215, 0.223, 0.233, 0.237)
axes[-1].plot(trials, stored, "o-", color="#d55e00", markersize=3.5)
axes[-1].set(xscale="log", xlabel="thousand trials", title="published (stored), subject 1")
axes[-1].set_xticks([1, 3, 9, 27], ["1", "3", "9", "27"], minor=False)
axes[-1].set_xticks([], minor=True)
if simulated:
    mark_simulated(figure, caution(settings))
save_figure(figure, drawn)

# %% [markdown]
# **What one sees.** A dot a part, its line an interval over voxels; the curve joins their means.
# Gray is a model whose images were dealt out anew, near zero at any size. The dashed line is the
# ceiling. What is between the end of a curve and the ceiling is not for more images alone to close:
# a perfect model must have the right features, too. The last panel is the published curve, of
# 15,660 voxels of one subject, stored with the notebooks; its features come from AlexNet trained on
# photographs, and its ceiling would be near .39.
#
# A voxel has as many weights here as the layer has channels, and its field for the choosing. That
# is why a few dozen images already say something.
