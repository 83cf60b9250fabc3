"""Sessions whose images are maps of a frozen network or trunk, read from disk."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from src.config import InputConfig
from src.data.errors import DataError
from src.data.hashes import image_sha256
from src.data.session import Session, copy_rows, open_sessions
from src.manifest import explained, fingerprint
from src.models.cores import Core
from src.models.extraction import state_sha256
from src.models.feature_files import open_features
from src.models.gnet import TrunkMaps

LOOKED_AT = 64  # images at a time


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
        """That of the session and of the layer's maps, whoever made them."""
        maps = json.loads((self.features / "manifest.json").read_text())["sha256"]
        return fingerprint([super().fingerprint, maps[self.layer_name]])

    def _images(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """Maps as stored: (n,) -> (n, c, h, w) float32."""
        maps = copy_rows(self._map_file, self._index_file[rows])
        return torch.from_numpy(maps).to(device).to(torch.float32)


class TrunkSession(Session):
    """A session that shows what a frozen trunk makes of its images, side by side, looked at once.

    Maps are float16 in a file without a name in `folder`, which is gone with the process: 407 kB an
    image of NSD (specification nsd_gnet, 9.2).
    """

    def __init__(self, session: Session, core: Core, folder: Path) -> None:
        self.__dict__.update(copy.copy(session).__dict__)
        self.session, self.core, self.scratch = session, core.eval(), Path(folder)
        self.shapes = core.map_shapes(*session.image_shape[1:])
        self.image_shape = (self.shapes[0][0], 1, sum(h * w for _, h, w in self.shapes))

    @property
    def fingerprint(self) -> str:
        """That of the session, of a selection of it, and of the trunk."""
        trunk = state_sha256(self.core)
        return fingerprint([super().fingerprint, self.session.fingerprint, trunk])

    def _images(self, rows: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """Maps of both sizes side by side: (n,) -> (n, c, 1, s) float32."""
        if "_seen_file" not in self.__dict__:
            self._seen_file = self._look(device)
        seen = copy_rows(self._seen_file, self._index_file[rows])
        return torch.from_numpy(seen).to(device).to(torch.float32)

    @torch.inference_mode()
    def _look(self, device: torch.device | str) -> np.memmap:
        """What the trunk makes of every image of the packed session: -> (i, c, 1, s).

        Written before it is mapped, so that a full disk is an error.
        """
        _, first = np.unique(self._index_file, return_index=True)
        home, core = next(self.core.parameters()).device, self.core.to(device)
        with explained(self.scratch / "maps of the trunk"):
            self.scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.scratch) as file:  # stays while it is mapped
                for start in range(0, len(first), LOOKED_AT):
                    rows = first[start : start + LOOKED_AT]
                    maps = TrunkMaps.side_by_side(core(self.session._images(rows, device))).half()
                    if not maps.isfinite().all():
                        raise DataError(
                            f"session '{self.key}': maps of the trunk {tuple(maps.shape)} are not "
                            "finite in float16: train the trunk again, at a lower learning rate"
                        )
                    file.write(maps.cpu().numpy().data)
                core.to(home)
                file.flush()
                shape = len(first), *self.image_shape
                return np.memmap(file, np.float16, "r", shape=shape)


def open_inputs(folder: Path, inputs: InputConfig, features: Path) -> Mapping[str, Session]:
    """All packed sessions in a folder by key, showing images or, where asked for, maps of them."""
    if not inputs.maps:
        return open_sessions(folder, inputs)
    keys = open_sessions(folder, InputConfig(scale="full"))
    return {key: MapSession(folder / key, inputs, features) for key in keys}
