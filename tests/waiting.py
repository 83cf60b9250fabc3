"""What a second process, here a thread, says when it has to wait for the first."""

import time
from concurrent.futures import Future

import pytest


def said_until_it_waits(second: Future, capsys: pytest.CaptureFixture) -> str:
    """What is printed until the second one waits, or has ended."""
    said = ""
    for _ in range(3000):
        said += capsys.readouterr().out
        if second.done() or "waiting for it" in said:
            break
        time.sleep(0.01)
    return said
