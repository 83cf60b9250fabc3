"""Images and an array of responses to them, as an assembly: what `score` takes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd

from src.data.arrays import RecordedSession, SessionArrays
from src.data.assemblies import Assembly
from src.data.pictures import content


def recorded_assembly(name: str, arrays: SessionArrays, region: str = "") -> Assembly:
    """An assembly of a session's repeats, a row each; of means, a row an image.

    A stimulus is known by its pixels and called by the name of the first file that has them: an
    image shown twice is one stimulus, so that no split has it on both sides. Column `split` says
    train for the first half of the different images and test for the others.
    """
    session = RecordedSession(name, arrays)
    names, keys = session.pictures.names, [content(image) for image in session.pictures]
    first = {key: i for i, key in reversed(list(enumerate(keys)))}
    originals = [first[key] for key in keys]  # place of the first image like each one
    trials = session.trials(np.zeros(len(keys), bool))
    shown = np.array([originals[i] for i in trials.images])
    half = sorted(first.values())[len(first) // 2]
    seen: Counter[int] = Counter()
    repetition = [seen.update([i]) or seen[i] - 1 for i in shown.tolist()]
    stimuli = pd.DataFrame(
        {
            "stimulus_id": [names[i] for i in shown],
            "repetition": repetition,
            "split": np.where(shown < half, "train", "test"),
        }
    )
    values = trials.values["responses"].astype(np.float32)
    ids = [f"{name}_{i:03}" for i in range(session.n_units)]
    units = pd.DataFrame({"unit_id": ids, "region": region, "subject": name})
    return Assembly(values, stimuli, units, source=name)
