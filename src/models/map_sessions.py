"""Sessions whose images are maps of a frozen network, read from disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from src.config import InputConfig
from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.data.session import Session, copy_rows, open_sessions
from src.manifest import file_sha256, fingerprint
from src.models.feature_files import open_features


class MapSession(Session):
    """A session that shows `inputs.maps`, "network/layer", in place of its images.

    `features` is the folder 02_extract wrote to. DataError where the maps are of other images, or
    are no maps.
    """

    def __init__(self, folder: Path, inputs: InputConfig, features: Path) -> None:
        network, self.layer_name = inputs.maps.split("/")
        self.features = Path(features) / network / Path(folder).name
        super().__init__(folder, inputs)

    def _image_shape(self) -> tuple[int, int, int]:
        found = self._map_file.shape[1:]
        if len(found) != 3:
            raise DataError(
                f"layer '{self.inputs.maps}' has {found} features an image, not (c, h, w): choose "
                "a layer with maps, and do not project it"
            )
        return tuple(map(int, found))

    @cached_property
    def _map_file(self) -> np.ndarray:
        return open_features(self.features, self.layer_name, image_sha256(self.images))

    @property
    def fingerprint(self) -> str:
        """That of the session and of the maps."""
        return fingerprint([super().fingerprint, file_sha256(self.features / "manifest.json")])

    def _images(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """Maps as stored: (n,) -> (n, c, h, w) float32."""
        maps = copy_rows(self._map_file, self._index_file[rows])
        return torch.from_numpy(maps).to(device).to(torch.float32)


def open_inputs(folder: Path, inputs: InputConfig, features: Path) -> Mapping[str, Session]:
    """All packed sessions in a folder by key, showing images or, where asked for, maps of them."""
    if not inputs.maps:
        return open_sessions(folder, inputs)
    keys = open_sessions(folder, InputConfig(scale="full"))
    return {key: MapSession(folder / key, inputs, features) for key in keys}
