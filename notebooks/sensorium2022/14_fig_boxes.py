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
# # 14 · Object boxes
#
# **Does a network predict V1 better when it is told where the main object of an image is?**
#
# The winner of SENSORIUM 2022 gave its network four extra numbers an image: center, width and
# height of a box around whatever two object detectors had found. It won. Whether the boxes had a
# part in that was never shown: there is no upstream figure without them, so this notebook is the
# counterpart of one that should exist.
#
# There are reasons for doubt. Four constant planes before a convolution without padding amount to
# a bias for each feature (`02_train`), so a box can say *how much* there is, and not *where* in
# the feature map. Where nothing was found the box is the full frame, which an object that fills
# the image also has. And numbers that say nothing are not free: a network must learn to ignore
# them, from few images.
#
# So one model is trained in several conditions, with equal seeds and equal splits:
#
# | condition | what the network is told |
# |---|---|
# | `box_true` | the box of the image, as `01_preprocess` supplied it |
# | `box_full_frame` | the full frame, always: four numbers that never vary |
# | `box_shuffled` | the box of another image, the same one at every repeat: the null |
# | `box_none` | nothing |
# | `box_flag` | the box, and whether there is one at all |
# | `box_uncentered` | the box, but not the winner's second plane, the image less its mean |
#
# The last one asks a smaller question of the same kind: that plane, too, adds one number an
# image. The answer is the last figure, and the table above it.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.session import open_sessions
from src.evaluation.ablation import ablation_table
from src.evaluation.intervals import SessionResults, interval_table
from src.evaluation.prediction import align, load_prediction
from src.figures import panels
from src.figures.panels.scores import LABELS
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, note_input, save_figure, save_table
from src.paths import run_paths
from src.seeds import numpy_stream
from src.simulate.config import PRESETS
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
metric: str = "single"  # score that is compared: single or avg
resamples: int = 1000  # bootstrap resamples of the images, and random exchanges of conditions
seed: int = 42  # seed of both

# %%
study = STUDIES["sensorium2022"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
plans = {plan.model.name: plan for plan in settings.asked("14_fig_boxes")}
tables = {name: places.tables / f"14_{name}.csv" for name in ("conditions", "differences")}
declare(*tables.values(), places.figures / "14_boxes.png")

# %% [markdown]
# ## The boxes
#
# Where each mouse's boxes come from, and in how many of its images there is an object.

# %%
pd.read_csv(note_input(places.tables / "boxes.csv")).round(2)

# %%
if simulated:
    effect = PRESETS[settings.simulation].box_effect
    print(f"simulated neurons respond to the box with strength {effect:g}")

# %% [markdown]
# The neurons of the demo are simulated, and the strength above is the size of the effect a box was
# given in them. At 0 the truth is known: no condition that differs only in its boxes can be better
# but by chance. A planted effect is tried in `tests/benchmarks/accuracy.py`.
#
# ## Predictions of every member
#
# Members of equal number start from equal seeds and see the same batches. They are scored one by
# one, not as an ensemble; a condition's score is the mean over its members.

# %%
sessions = open_sessions(places.processed, InputConfig(scale="full"))
results = []
for key, session in sessions.items():
    trials = session.trials("test")
    ids = session.trial_ids[trials], session.unit_ids
    predictions = {
        name: np.stack(
            [
                align(load_prediction(places.predictions / f"{name}/{member}/{key}.npz"), *ids)
                for member in (f"member_{k:02d}" for k in range(1, plan.members + 1))
            ]
        )
        for name, plan in plans.items()
    }
    responses = session.responses(trials).numpy()
    results.append(SessionResults(key, session.image_ids[trials], responses, predictions))
print("(k_members, n_trials, n_units) =", next(iter(predictions.values())).shape)

# %% [markdown]
# ## The conditions
#
# Intervals of 95 % over test images and over members, whose seeds differ; mean over the mice that
# can be scored.

# %%
scores = interval_table(results, numpy_stream(seed, "intervals"), resamples)
scores = scores[scores["session"].str.startswith("mean") & (scores["metric"] == metric)]
scores.insert(0, "data", "simulated" if simulated else "recorded")
scores["members"] = [plans[name].members for name in scores["model"]]
scores["external information"] = [plans[name].external for name in scores["model"]]
save_table(scores, tables["conditions"])
scores.round(4)

# %% [markdown]
# ## The differences
#
# Two conditions are compared on the same images, units and seeds, so that what they share cancels.
# The interval says how the difference would move with other images and other seeds. The p-value
# asks whether it could be chance among images: image by image, the predictions of the two
# conditions are exchanged at random, and p is the share of exchanges, both signs counted, whose
# difference is as large as the real one. The last pair shows what meaningless numbers do: shuffled
# boxes against none at all.

# %%
pairs = [
    ("box_true", "box_full_frame"),
    ("box_true", "box_shuffled"),
    ("box_true", "box_none"),
    ("box_flag", "box_true"),
    ("box_true", "box_uncentered"),
    ("box_shuffled", "box_none"),
]
pairs = [pair for pair in pairs if set(pair) <= set(plans)]
differences = ablation_table(results, pairs, numpy_stream(seed, "ablation"), resamples, metric)
differences.insert(0, "data", "simulated" if simulated else "recorded")
differences["external information"] = "object boxes"
save_table(differences, tables["differences"])
differences.drop(columns=["data", "session", "external information"]).round(4)

# %%
use_style()
names = {name: name.removeprefix("box_").replace("_", " ") for name in plans}
left = scores.assign(label=scores["model"].map(names))
right = differences.rename(columns={"difference": "score"}).assign(
    label=differences["model"].map(names) + " − " + differences["other"].map(names),
    note=[f"p = {p:.3f}" for p in differences["p"]],
)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(1, 1.25))
panels.interval_rows(axes[0], left, LABELS[metric])
panels.interval_rows(axes[1], right, "difference", zero=True)
if simulated:
    mark_simulated(figure)
save_figure(figure, places.figures / "14_boxes.png")

# %% [markdown]
# **What one sees.** Left, the scores of the conditions with their intervals. These are wide,
# because images differ much in how well they are predicted, whoever predicts them. Right, the
# paired differences, where that cancels: the black dot is the mean over seeds with its interval,
# the gray dots below are the single pairs of seeds.
#
# An interval that covers 0 says that these images and seeds cannot tell the two conditions apart.
# Gray dots on both sides of 0 show why: another start moves the score by as much as the boxes do.
# The p-value does not know that, since it exchanges images alone. One below 0.05 beside an interval
# that covers 0 is a reason to train more seeds, not a finding.
#
# The row to read first is true − shuffled: both networks get numbers of the same kind, and only
# in one of them do they belong to the image. Without a box effect it has no side. Rows against
# the full frame or none mix two things, what a box tells and what four more inputs cost; where
# boxes tell nothing, and training is as short as in the demo, they may well lie below 0, and so
# may shuffled − none, which is that cost alone.
#
# On real recordings, boxes earn their place only if the true ones beat the shuffled ones *and*
# none, in every seed. Even then it is knowledge from outside the recording, and a score with
# boxes is to be compared with scores that had them too.
