"""Servers and workers that end without `atexit`: their calls are sent when their own work is done.

uvicorn gives its signal back once it has shut down, and dies of it. RQ runs each job in a fork that leaves by
`os._exit`; the job may be what imports Outlay, so that only what comes after it can be hooked.
"""

from __future__ import annotations

import os
from types import ModuleType
from typing import Any

from outlay.tracing import lifecycle
from outlay.wire.patched import patch


def hook(module: ModuleType) -> None:
    """Patch `uvicorn.server` or a module with RQ's worker."""
    if hasattr(module, "Server"):
        patch(module.Server, "shutdown", _after_shutdown)
    for worker in (getattr(module, name, None) for name in ("BaseWorker", "Worker")):
        for name in ("handle_job_success", "handle_job_failure"):
            if worker is not None and name in vars(worker):
                patch(worker, name, _after_job)


def _after_shutdown(original: Any) -> Any:
    async def shutdown(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await original(self, *args, **kwargs)
        finally:
            lifecycle.shutdown()

    return shutdown


def _after_job(original: Any) -> Any:
    def handle(self: Any, *args: Any, **kwargs: Any) -> Any:
        started_in = getattr(self, "pid", None)
        try:
            return original(self, *args, **kwargs)
        finally:
            if started_in != os.getpid():  # a fork for this job alone
                lifecycle.shutdown()

    return handle
