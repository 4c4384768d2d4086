"""Pulls bills while this process holds the lease, on a thread of its own: a provider may keep it waiting."""

from __future__ import annotations

from outlay.errors import OutlayError
from outlay_collector.jobs import WorkerThread
from outlay_collector.store import Store
from outlay_collector.store.lease import Fence
from outlay_web.http.context import Context
from outlay_web.services import bills

LOOK_S = 60.0


class Bills:
    """The accounts of `[[bills]]`, pulled when they are due.

    Args:
        store: Writes only while `lease` is held.
    """

    def __init__(self, ctx: Context, store: Store, lease: Fence) -> None:
        self._ctx = ctx
        self._lease = lease
        self._writer = store.writer()
        self._thread: WorkerThread | None = None

    def watch(self, thread: WorkerThread) -> None:
        """Pull on `thread` from now on."""
        thread.add("bills", LOOK_S, self.pull_due)
        self._thread = thread
        thread.start()

    def stop(self, timeout_s: float) -> bool:
        """End the thread; returns whether it ended in time. What waits for a provider ends with the program."""
        return self._thread is None or self._thread.stop(timeout_s)

    def pull_due(self) -> None:
        """Pull what is due.

        Raises:
            OutlayError: Says which accounts were not pulled and why, as the status shows it.
        """
        if not self._lease.held():
            return
        failed = bills.pull_due(self._ctx, self._writer)
        if failed:
            raise OutlayError("; ".join(f"{name}: {why}" for name, why in failed.items()))
