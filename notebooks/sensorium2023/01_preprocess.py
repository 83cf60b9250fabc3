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
# **Are these recordings fit to train on, and which frames of which films do they hold?**
#
# SENSORIUM 2023 (Turishcheva et al. 2023, 2024) asks for the activity of some 8,000 neurons of
# mouse primary visual cortex while the mouse watches films: ten seconds each, gray, 36 x 64
# pixels, 30 frames a second. Pupil size, running speed and the pupil's center were recorded along
# with the responses, frame by frame. Each training film was shown once; six films of each other
# tier eight to ten times. Beside natural films there are five kinds that no model was trained on:
# flashed images, drifting Gabors, Gaussian dots, random dot kinematograms and pink noise.
#
# A trial is thus no longer an image and a number a neuron, but a film and a trace a neuron: one
# axis more. This notebook goes from raw files to packed sessions:
#
# 1. find the mice (in the profiles `demo` and `smoke`, *simulate* them),
# 2. hold their numbers of neurons and trials against the published ones,
# 3. check every file, and stop with a clear message if one is wrong,
# 4. pack: each different film once, responses mapped into memory,
# 5. look at one trial, and at where the neurons lie,
# 6. count the films that mice share.
#
# The answer stands in the table of sessions and in the figures of one trial.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.data.movie_checks import check_movies, require_valid_movies
from src.data.movie_leaks import EVALUATED, shared_videos
from src.data.movie_mouse import open_movie_mice
from src.data.movie_pack import pack_movies
from src.data.movie_tables import differences, session_table
from src.data.movies import open_movie_sessions
from src.data.registry import require_raw
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.simulate.movie_mice import simulate_movie_mice
from src.studies import STUDIES

# %% tags=["parameters"]
profile: str = "demo"  # smoke, demo, full, or recording for one of your own
recording: str = ""  # name given in 00_import_recording; empty: the profile's own data
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulation
response_dtype: str = "float16"  # in which responses are packed: float16 or float32

# %%
study = STUDIES["sensorium2023"]
settings = study.profile(profile)
places = run_paths(study.name, recording or profile, data_root, output_root)
simulated = settings.simulation is not None and not recording
names = ("sessions", "checks", "shared_videos", "stimuli")
tables = {name: places.tables / f"{name}.csv" for name in names}
figures = {name: places.figures / f"01_{name}.png" for name in ("trial", "units")}
declare(*tables.values(), *figures.values())

# %% [markdown]
# ## Find the mice
#
# Real mice lie in `data/raw/sensorium2023/full`, one zip or folder each, under the names they were
# published with; a read-only disk will do, because nothing is ever written there. The license
# forbids passing the data on, so that the demo *simulates* mice in the very same layout: panning
# textures with the spectrum of natural scenes, neurons that see motion in one place after a lag,
# are scaled by running and moved by the pupil, and answer with Poisson noise. They are easier than
# real ones, so that networks learn something of them within minutes: less noise, and fewer
# of them nonlinear. What is true of them is stored outside their folders.
# `python -m src.fetch sensorium2023` fetches the ten zips one by one, and a download that breaks
# off goes on where it was; look at their terms first.

# %%
if simulated:
    truth = places.raw.with_name(f"{places.raw.name}_truth")
    simulate_movie_mice(places.raw, truth, settings.simulation, seed)
elif not recording:
    require_raw(study.name, places.raw)
mice = open_movie_mice(places.raw, response_dtype)
sessions_found = session_table(mice)
save_table(sessions_found, tables["sessions"])
sessions_found

# %% [markdown]
# The columns count trials of each tier. `pad` is the length in frames of every file of a mouse:
# shorter trials are filled up with NaN (some tools write zeros), so that the valid length has to be
# found trial by trial, and for films, responses, behavior and pupil apart, since one of them may
# end a frame early. For the ten published mice, every difference from the published table is
# listed here:

# %%
for mouse in mice:
    print(mouse.key, differences(mouse) or "as published, or not one of the ten")

# %% [markdown]
# ## Check every file
#
# One line a finding: `error` stops us, `warning` is to be judged, `note` says what was found. A
# trial without a valid film (the real data have two) is kept in the tables and used for nothing.
# Withheld responses, zeros in the files, are named and never scored.

# %%
reports = {mouse.key: check_movies(mouse) for mouse in mice}
checks = pd.concat(report.assign(session=key) for key, report in reports.items())
save_table(checks, tables["checks"])
checks[["session", "severity", "field", "message"]]

# %%
for mouse in mice:
    require_valid_movies(mouse, reports[mouse.key])

# %% [markdown]
# ## Pack
#
# A clip of one second is all that a training step needs of a trial. The published code read the
# whole trial, all neurons and all frames in double precision, normalized it, and threw nine
# tenths away: 15 to 31 ms a clip, and 98 GB in memory for ten mice. Packed, a clip is one read of
# thirty frames. Films are stored as bytes under the hash of their content, each once, however many
# mice saw it; responses as 16-bit floats, time first. The manifest says what rounding that is.

# %%
for mouse in mice:
    pack_movies(mouse, places.processed / mouse.key)
sessions = open_movie_sessions(
    places.processed, InputConfig(scale="full", behavior=True, pupil=True)
)
packed = ["videos", "videos_float16", "rounding_error", "statistics_provided", "withheld_tiers"]
pd.DataFrame({key: [s.manifest[name] for name in packed] for key, s in sessions.items()}, packed)

# %% [markdown]
# Responses are then divided by the standard deviation of each neuron **at each frame index**. That
# is an accident of how the data were exported, and the organizers kept it; it also changes the
# score. `response_scale` chooses it by name: `per_frame` (official), `per_unit` or `none`.
#
# ## One trial

# %%
session = next(iter(sessions.values()))
trial = session.trials("oracle")[0]
film = session.video(trial)
responses = session.responses_of(trial)
clip = session.clips([trial], [0], frames=int(session.lengths[trial]))
print("(t, h, w) =", film.shape, " (t, u) =", responses.shape)

# %%
use_style()
heights = (1, 2) if session.behavior_missing and session.pupil_missing else (1, 2, 1.6)
size = 9, 1.2 * sum(heights)
figure, axes = plt.subplots(len(heights), 1, figsize=size, height_ratios=heights)
shown = np.linspace(0, len(film) - 1, 7).astype(int)
panels.film_strip(axes[0], film[shown], shown / 30)
panels.response_raster(axes[1], responses)
axes[1].set_xlabel("frame")
if len(heights) == 3:
    recorded = ("pupil size", "running", "pupil x", "pupil y")
    panels.behavior_traces(axes[2], clip.behavior[0].numpy(), clip.pupil[0].numpy(), recorded)
    axes[2].set_xlabel("frame")
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["trial"])

# %% [markdown]
# **What one sees.** Above, frames of one film; in the middle every neuron's response to each of
# its frames, dark where it is strong; below, what the mouse did meanwhile. Neurons that see the
# same place answer together when something moves through it, and many answer more strongly while
# the mouse runs.
#
# ## Where the neurons lie
#
# Ten planes, 25 µm apart, were scanned one after the other.

# %%
if session.coordinates is not None:
    figure, axis = plt.subplots(figsize=(5, 4.2), subplot_kw={"projection": "3d"})
    panels.units_by_depth(axis, session.coordinates)
    axis.set_title(f"{session.key}, {session.n_units} units")
else:
    figure, axis = plt.subplots(figsize=(5, 4.2))
    panels.response_bars(axis, responses.mean(0))
if simulated:
    mark_simulated(figure)
save_figure(figure, figures["units"])

# %% [markdown]
# ## What was shown
#
# The files do not say what kind of film a trial shows. It can be told from its length, and flashed
# images from their standing still.

# %%
kinds = pd.concat(
    pd.DataFrame({"session": key, "tier": s.tiers, "stimulus": s.stimuli})
    for key, s in sessions.items()
)
stimuli = kinds.value_counts(["session", "tier", "stimulus"], sort=False).reset_index(name="trials")
save_table(stimuli, tables["stimuli"])
stimuli[stimuli["tier"].str.endswith("bonus")]

# %% [markdown]
# ## Films that mice share
#
# Every two mice of a pair saw the same films, and the responses of one mouse of each pair are
# public. The table counts, for the tiers that are scored, films that another mouse was shown in a
# tier with responses. A model trained on those has seen the test films, through another brain.

# %%
shared = shared_videos(sessions)
save_table(shared, tables["shared_videos"])
between = shared[(shared["session"] != shared["other"]) & (shared["shared"] > 0)]
between[between["tier"].isin(EVALUATED)].head(12)

# %% [markdown]
# **What one sees.** No film is in two tiers of one mouse, and training on the tier `train` alone
# is clean. Whoever adds the partner's other tiers, as two of the three winners did, trains on test
# films; `10_fig_leakage` asks what that gives away.
#
# Next: `02_train` fits one model.
