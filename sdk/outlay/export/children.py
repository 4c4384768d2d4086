"""Processes that end without `atexit`: the children of multiprocessing, of its pools, and of billiard (Celery).

They leave by `os._exit` once their work has returned, after the finalizers of their own `util` module; and a pool that
is left as a `with` block ends its workers by SIGTERM, which runs nothing at all. Both ways pass by here. A child that
handles SIGTERM itself keeps its handler.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

_LIBRARIES = ("multiprocessing", "billiard")
_LAST = -1000  # exit priority: after the finalizers of the application, which may still make calls


class _Watch:
    """What to call at the end; one per process, and its forked children inherit it."""

    def __init__(self) -> None:
        self.end: Callable[[], object] | None = None

    def prepare(self) -> None:
        """Arm this process now, and again when the library starts a child, which forgets the finalizers it finds."""
        if self.end is not None:
            for util, _ in _loaded():
                util.register_after_fork(self, _Watch.arm)
            self.arm()

    def arm(self) -> None:
        """Have `end` called, if this is a child. Twice does no harm: what is sent is sent."""
        for util, current in _loaded():
            if getattr(current, "_parent_pid", None) is None and not _is_spawned(current):
                continue  # no child of this library
            util.Finalize(None, self.finish, exitpriority=_LAST)
            worker: Any = getattr(current, "_target", None)
            if hasattr(worker, "on_exit"):  # billiard's pools leave past their own finalizers
                worker.on_exit = self.after(worker.on_exit)
            in_main = threading.current_thread() is threading.main_thread()
            if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self.terminated)

    def after(self, theirs: Callable[..., object] | None) -> Callable[..., None]:
        """What a pool calls in a worker that leaves: theirs, then ours."""

        def leave(*facts: object) -> None:
            try:
                if theirs is not None:
                    theirs(*facts)
            finally:
                self.finish()

        return leave

    def finish(self) -> None:
        """Call `end`; a SIGTERM meanwhile asks for what is happening already, and must not break it off."""
        if self.end is None:
            return
        in_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN) if in_main else None
        try:
            self.end()
        finally:
            if in_main:
                signal.signal(signal.SIGTERM, before or signal.SIG_DFL)

    def terminated(self, number: int, frame: object) -> None:
        """End as SIGTERM would have, a little later: pools may send it twice, and `end` takes a bounded time."""
        try:
            self.finish()
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)


def _loaded() -> Iterator[tuple[Any, Any]]:
    """`util` and the current process of each library that this process uses."""
    for name in _LIBRARIES:
        process: Any = sys.modules.get(f"{name}.process")
        if process is None:
            continue
        current = process.current_process()
        if f"{name}.util" in sys.modules or _is_spawned(current):
            yield importlib.import_module(f"{name}.util"), current


def _is_spawned(current: Any) -> bool:
    """Whether this is a spawned child that reads its main module; it loads `util` next, and forgets no finalizers."""
    return bool(getattr(current, "_inheriting", False))


_watch = _Watch()


def watch(end: Callable[[], object]) -> None:
    """Call `end` when this process ends, if it is such a child, and at the end of every such child that it forks."""
    _watch.end = end
    _watch.prepare()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watch.prepare)
