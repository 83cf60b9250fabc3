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
# # 00 · Import a recording of a film
#
# **How do my own film and responses enter this study, so that its models can be trained on them?**
#
# A model of this study looks at a second of film and says what neurons do in its last frames.
# Nothing in it is about mice, two-photon microscopes or 36 x 64 pixels. Whoever has shown a long
# film to a retina, a thalamus or a cortex, and counted spikes or measured calcium frame by frame,
# can fit the same models. What is needed is two plain arrays:
#
# - `movie_<session>.npy`, frames `(t, h, w)`, any numbers, at any frame rate;
# - `responses_<session>.npy`, one row a frame, `(t, units)` or `(t,)`;
# - if there are, `behavior_<session>.npy` `(t, 2)`, `pupil_<session>.npy` `(t, 2)` and
#   `coordinates_<session>.npy` `(units, 3)`;
# - or a MATLAB file with two variables, whose names are parameters below.
#
# One thing must be decided with care. A neuron responds to what it saw *before*, and consecutive
# frames of a film resemble each other. Random frames for testing would be surrounded by training
# frames, and a model could copy. So time is cut into **blocks**: each goes to training, to early
# stopping (`oracle`) or to testing, and between two blocks some frames, the *guard*, belong to
# neither. A guard as long as a model looks back means that no frame is input on two sides. Blocks
# are then cut into trials of consecutive frames; those that are scored begin fifty frames early,
# because a trial's first fifty are never scored.
#
# The answer stands at the end: a table of what was imported, and how well a *linear* model does
# on it, which any model of films has to beat.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from src.config import InputConfig
from src.correlation import pearson
from src.data.movie_checks import require_valid_movies
from src.data.movie_mouse import open_movie_mice
from src.data.movie_pack import pack_movies
from src.data.movie_recording import MovieImport, discover_movies, import_movies, load_mat
from src.data.movies import open_movie_sessions
from src.evaluation.lag_ridge import fit_lag_ridge
from src.evaluation.movie_predictions import measured
from src.figures import panels
from src.figures.style import mark_simulated, use_style
from src.manifest import declare, save_figure, save_table
from src.paths import run_paths
from src.simulate.movie_recording import simulate_movie_recording

# %% tags=["parameters"]
profile: str = "recording"  # the later notebooks' profile for recordings
recording: str = "example"  # name under which the later notebooks find it
source: str = ""  # folder with movie_<session>.npy, or a .mat file; empty: simulated
movie_name: str = "stim"  # variable of a .mat file that holds the film
response_name: str = "counts"  # variable of a .mat file that holds the responses
rate: float = 30.0  # frames a second
trial: int = 300  # frames a trial
guard: int = 30  # frames left out between blocks
lags: int = 12  # frames that the linear model looks back
data_root: str = ""  # folder of raw, processed and runs; empty: data/ of the repository
output_root: str = ""  # folder of figures and tables; empty: figures/ of the repository
seed: int = 42  # seed of the simulated recording

# %%
places = run_paths("sensorium2023", recording or profile, data_root, output_root)
tables = {name: places.tables / f"import_{name}.csv" for name in ("sessions", "linear")}
figure_path = places.figures / "00_linear.png"
declare(*tables.values(), figure_path)

# %% [markdown]
# ## The arrays
#
# Without a source a small recording is simulated: flickering squares, and four cells with a
# center, a surround and two phases in time, two of which saturate.

# %%
folder = Path(source).expanduser()
if not source:
    folder = simulate_movie_recording(places.raw.with_name(f"{places.raw.name}_arrays"), seed)
if folder.suffix == ".mat":
    sessions_given = {folder.stem: load_mat(folder, movie_name, response_name, rate)}
else:
    sessions_given = discover_movies(folder, rate)
list(sessions_given)

# %% [markdown]
# ## Cut in time, and written
#
# The first seven tenths of the time train, the next tenth decides when to stop, the last fifth
# tests. A recording that drifts wants several smaller blocks of each instead: `blocks` of
# `MovieImport` takes any sequence.

# %%
config = MovieImport(trial=trial, guard=guard)
imported = import_movies(places.raw, sessions_given, config)
save_table(imported, tables["sessions"])
imported

# %%
for mouse in open_movie_mice(places.raw):
    require_valid_movies(mouse)
    pack_movies(mouse, places.processed / mouse.key)
inputs = InputConfig(scale="full", raw=True, response_scale="none")
sessions = open_movie_sessions(places.processed, inputs)
{key: (session.image_shape, session.n_units) for key, session in sessions.items()}

# %% [markdown]
# ## A linear model
#
# Ridge regression from all pixels of the last frames: the receptive field in space and time that
# textbooks estimate by reverse correlation. Its penalty is chosen on the oracle block, and it is
# scored on the test block, on the very frames on which `04_evaluate` will score networks.

# %%
rows, fits = [], {}
for key, session in sessions.items():
    pieces = {
        tier: [
            (session.video(i).astype(np.float32), session.responses_of(i))
            for i in session.trials(tier)
        ]
        for tier in ("train", "oracle", "live_test_main")
    }
    fits[key] = fit_lag_ridge(pieces["train"], pieces["oracle"], lags)
    index = session.trials("live_test_main")
    parts = [
        fits[key].predict(film)[session.scored_frames(i)]
        for i, (film, _) in zip(index, pieces["live_test_main"], strict=True)
    ]
    scores = pearson(np.concatenate(parts), measured(session, index))
    rows += [
        (key, unit, r, fits[key].alpha) for unit, r in zip(session.unit_ids, scores, strict=True)
    ]
linear = pd.DataFrame(rows, columns=["session", "unit_id", "single", "alpha"])
save_table(linear, tables["linear"])
linear.round(3)

# %%
use_style()
key, unit = linear.loc[linear["single"].idxmax(), ["session", "unit_id"]]
weights = fits[key].weights[:, :, list(sessions[key].unit_ids).index(unit)]
frames = weights.reshape(len(weights), *sessions[key].manifest["shape"])[::-1]
figure, axis = plt.subplots(figsize=(9, 1.5))
panels.film_strip(axis, frames, -np.arange(len(frames))[::-1] / rate)
axis.set_xlabel(f"{key}, unit {unit}: weights of the linear model, time before the response")
if not source:
    mark_simulated(figure)
save_figure(figure, figure_path)

# %% [markdown]
# **What one sees.** The weights of one unit, from the oldest frame to the newest: bright where
# light drives it, dark where light silences it. A spot that appears, grows and turns into its
# opposite is what a cell of retina or thalamus looks like. Noise all over means that frames and
# responses do not belong together, or that they are shifted by more than the lags allow: check
# the order and the offset before anything else.
#
# ## Go on
#
# The recording lies in `data/raw/sensorium2023/` under its name, in the layout of the study's own
# mice. Set `recording` to that name in the notebooks from `01_preprocess` on. Models must not ask
# for behavior that was not recorded; those of the profile `recording` do not, and do without
# coordinates. `04_evaluate` prints their scores with both ways to count frames.
