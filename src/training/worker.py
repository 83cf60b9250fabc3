"""One of the processes of src/training/launch.py: makes the call in its file, for its part."""

from __future__ import annotations

import os
import pickle
import sys
from contextlib import ExitStack, redirect_stdout
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import record


@record
def main() -> None:
    """Make the call; its file was written by this user a moment ago. Only the first prints."""
    rank = os.environ["RANK"]
    call = Path(sys.argv[1]) / rank
    function, arguments = pickle.loads(call.read_bytes())
    call.unlink()
    with ExitStack() as stack:
        if rank != "0":
            stack.enter_context(redirect_stdout(stack.enter_context(open(os.devnull, "w"))))
        function(*arguments)


if __name__ == "__main__":
    main()
