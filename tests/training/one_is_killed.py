"""What each of two processes does where the second is killed and the first waits for it."""

import os
import signal

import torch

from src.training.parallel import process_group


def wait_for_a_killed_one(folder):
    """Leave a file named after this process; the second then ends, by SIGKILL."""
    (folder / f"{os.getpid()}.pid").touch()
    with process_group("cpu") as group:
        assert group.sum(torch.ones(())) == 2
        if group.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        group.wait()
