"""Features of an assembly's images as 02_extract stored them, ready to be scored."""

from __future__ import annotations

from pathlib import Path

from src.data.blocks import read
from src.data.feature_set import FeatureSet
from src.data.hashes import image_sha256
from src.models.feature_files import layer_names, open_features


def stored_sets(features: Path, network: str, assembly: Path) -> dict[str, FeatureSet]:
    """A network's features by layer, in order of depth; rows are the images of `assembly`.

    `features` holds a folder a network. DataError if they are of other images. The layer V2-t1 is
    area V2 at step 1.
    """
    ids, hashes = (
        read(assembly, "images/stimulus_id"),
        image_sha256(read(assembly, "images/pixels")),
    )
    found = {}
    for layer in layer_names(features / network):
        x = open_features(features / network / assembly.stem, layer, hashes)
        area, _, step = layer.partition("-t")
        flat = x.reshape(len(x), -1)
        grid = x.shape[1:] if x.ndim == 4 else ()
        found[layer] = FeatureSet(flat, ids, network, network, area, int(step or 0), grid)
    return found
