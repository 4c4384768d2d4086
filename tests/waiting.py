"""The one way in which tests wait for what happens elsewhere: in a thread, a server, another process."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 300.0  # a busy machine is slow, and only a test that fails waits this long
LONGEST_PAUSE_S = 0.3


def until(true: Callable[[], bool], what: str = "done", *, pause_s: float = 0.01) -> None:
    """Ask until the answer is yes; fail, with `what` did not become so, when it never is.

    Ever less often, up to `LONGEST_PAUSE_S`: what is asked is often a server, which each question keeps from its work.
    """
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, f"still not {what} after {PATIENCE_S:.0f} s"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
