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
# # 13 · Limited data
#
# **How many images does a model need, and would more still help?**
#
# A recording session ends when the animal is tired; 5,000 images are about what one can have.
# Whether that is enough, whether a simpler model would have done with less, and whether the next
# session is better spent on new neurons or on more images for the same ones, can be read from one
# curve: the score against the number of training images. The study of the ViT peer V1T (Li et al.
# 2023) draws it from 500 to 4,500 images, and this notebook is its counterpart.
#
# What is held equal matters. Here the smaller sets are subsets of the larger ones, drawn by one
# seed, and the sessions, the test trials, the validation trials, the initial weights and the
# number of training steps an epoch are the same at every size: with few images an epoch of one
# pass would be short, and the curve would show training time instead of data. What is *not* scaled
# down: early stopping looks at all validation images, and responses and images are standardized by
# the whole training set.
#
# The answer is the table of gains: what each step up in size brings, paired over images.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.intervals import comparison_table, interval_table, load_results
from src.evaluation.metrics import Repeats
from src.figures import panels
from src.figures.style import FAINT, mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
resamples: int = 1000  # bootstrap resamples of the test images
seed: int = 42  # seed of the bootstrap and the shuffled control

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
figure_path = places.figures / "13_limited_data.png"
names = ("limited_data", "limited_data_gains")
tables = {name: places.tables / f"{name}.csv" for name in names}
declare(figure_path, *tables.values())
use_style()

# %% [markdown]
# ## The models
#
# Each size of each model is a training of its own. Where the main table holds the same model
# trained on everything, it ends the curve.

# %%
counts = pd.read_csv(note_input(places.tables / "sessions.csv"))["train"]
limited = settings.asked("13_fig_limited_data")
shapes = {replace(plan.model, name="") for plan in limited}
whole = [plan.model.name for plan in settings.main if replace(plan.model, name="") in shapes]
models = pd.DataFrame(
    [(p.model.name, p.model.name.removesuffix(f"_{p.images}"), p.images) for p in limited]
    + [(name, name, round(counts.mean())) for name in whole],
    columns=["system", "model", "images"],
).sort_values(["model", "images"], ignore_index=True)
models

# %% [markdown]
# ## The curve
#
# Test trials, scored as in `04_evaluate`, with 95 % intervals over test images. The control is the
# best model with its predictions handed to other images: what remains of its score is what one
# gets without knowing anything about the image.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
sessions = {key: session for key, session in sessions.items() if not session.withheld("test")}
systems = {name: f"{name}/member_01" for name in models["system"]}
results = load_results(sessions, places.predictions, systems)

# %%
largest, generator = models["system"].iloc[models["images"].argmax()], numpy_stream(seed, "control")
for result in results:
    repeats = Repeats.of(result.image_ids)
    order = generator.permutation(len(repeats.ids))
    shuffled = repeats.mean(result.predictions[largest])[order][repeats.index]
    result.predictions["shuffled"] = shuffled

# %%
scores = interval_table(results, numpy_stream(seed, "intervals"), resamples)
scores = scores[scores["session"].str.startswith("mean")].rename(columns={"model": "system"})
table = models.merge(scores, on="system")
save_table(table, tables["limited_data"])
control = scores[(scores["system"] == "shuffled") & (scores["metric"] == "single")].iloc[0]
print(f"shuffled images: {control.score:.3f}, from {control.low:.3f} to {control.high:.3f}")
table[table["metric"] == "single"].drop(columns=["session", "metric"]).round(3)

# %% [markdown]
# ## Beside the published curve
#
# Points of the V1T study, on the real mice, read by eye from a stored figure, to about 0.01: a
# reference for the shape, not a target for simulated data.

# %%
published = pd.DataFrame([vars(score) for score in study.published if score.images])
published["model"] = published["system"].str.removeprefix("V1T study, ").str.lower()
published = published.rename(columns={"value": "score"})
published[["system", "images", "metric", "score", "tolerance", "source"]]

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=(1.3, 1))
shading = {"color": FAINT, "alpha": 0.5, "linewidth": 0, "label": "shuffled images"}
axes[0].axhspan(control.low, control.high, **shading)
panels.size_curve(axes[0], table[table["metric"] == "single"])
panels.size_curve(axes[1], published)
axes[0].set_title("ours, simulated mice" if simulated else "ours")
axes[1].set_title("published, real mice, read by eye")
if simulated:
    mark_simulated(figure)
save_figure(figure, figure_path)

# %% [markdown]
# **What one sees.** Left, the score against the number of training images, which grow by equal
# factors, not equal steps. In the demo both curves still rise at the last size: 320 images are few,
# and its networks are small and stop after seven epochs. The nonlinear model gains more from the
# same images than the linear one; with the fewest, there is little to choose between them and
# neither is far from the gray band, which knows nothing of the image. Right, the published pattern
# on real mice, from ten times as many images: the larger model starts below the CNN and ends above
# it. Only the `full` profile can be compared with it.
#
# ## What each step brings
#
# From one size to the next, the same test images and the same resamples; `units_better` is the
# share of neurons that gained. An interval that excludes 0 says that the extra images helped, as
# far as test images can tell. It does not cover the luck of one initialization or of one choice of
# training images, of which there is one a size.

# %%
steps = models[models["model"].duplicated(keep="last")].index
pairs = [(models["system"][i + 1], models["system"][i]) for i in steps]
gains = comparison_table(results, pairs, numpy_stream(seed, "gains"), resamples)
gains = gains[gains["session"].str.startswith("mean") & (gains["metric"] == "single")]
save_table(gains, tables["limited_data_gains"])
gains.drop(columns=["session", "metric"]).round(3)

# %% [markdown]
# More images help while the interval of the last step lies above 0; a model whose last step is not
# told from 0 has either what it needs or too little capacity to use more, and the comparison
# between models says which. What the curve cannot say is where it would level off beyond its end.
