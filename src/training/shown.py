"""Pictures of folders as a network is shown them, decoded here or by other processes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from src.data.folders import PictureFolder
from src.data.pictures import squared
from src.seeds import numpy_stream, stream
from src.training.augment import random_crop


class Shown(Dataset):
    """Random parts of pictures in a training epoch, their middle without one: i -> picture, label.

    A crop is drawn from a stream of its own, so that it matters neither who decodes it nor when.
    """

    def __init__(self, folder: PictureFolder, size: int, seed: int, epoch: int | None) -> None:
        self.folder, self.size, self.seed, self.epoch = folder, size, seed, epoch

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = self.folder.read(i)
        if self.epoch is None:
            pixels = squared(image, self.size, crop=True)
        else:
            random = numpy_stream(self.seed, "crop", self.epoch, i)
            pixels = random_crop(image, self.size, random)
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy()), int(self.folder.labels[i])

    def load(self, batches: Iterable[np.ndarray], workers: int) -> DataLoader:
        """Pictures and labels batch by batch: -> (n, 3, s, s) uint8, (n,)."""
        how = {"multiprocessing_context": "spawn"} if workers else {}
        listed = [batch.tolist() for batch in batches]
        generator = stream(self.seed, "loader")  # of a number nobody uses: not the global one
        return DataLoader(
            self, batch_sampler=listed, num_workers=workers, generator=generator, **how
        )
