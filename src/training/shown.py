"""Images of folders as a network is shown them, decoded here or by other processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from src.data.folders import PictureFolder
from src.data.pictures import squared
from src.seeds import numpy_stream, stream
from src.training.augment import random_crop


class Shown(Dataset):
    """Random parts of images in an epoch, their middle without one: (epoch, i) -> image, label.

    A crop is drawn from a stream of its own, so that it matters neither who decodes it nor when.
    """

    def __init__(self, folder: PictureFolder, size: int, seed: int) -> None:
        self.folder, self.size, self.seed = folder, size, seed

    def __getitem__(self, which: tuple[int | None, int]) -> tuple[Tensor, int]:
        epoch, i = which
        image = self.folder.read(i)
        if epoch is None:
            pixels = squared(image, self.size, crop=True)
        else:
            pixels = random_crop(image, self.size, numpy_stream(self.seed, "crop", epoch, i))
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), int(self.folder.labels[i])


class Loader:
    """Batches of images, decoded by processes that stay from one epoch to the next."""

    def __init__(self, shown: Shown, workers: int) -> None:
        how = {"multiprocessing_context": "spawn", "persistent_workers": True} if workers else {}
        self._batches: list[list[tuple[int | None, int]]] = []
        generator = stream(shown.seed, "loader")  # of a number nobody uses: not the global one
        self._loader = DataLoader(
            shown, batch_sampler=self._batches, num_workers=workers, generator=generator, **how
        )

    def load(
        self, batches: Iterable[np.ndarray], epoch: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels batch by batch: -> (n, 3, s, s) uint8, (n,)."""
        self._batches[:] = [[(epoch, i) for i in batch.tolist()] for batch in batches]
        return iter(self._loader)
