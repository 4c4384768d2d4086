"""Starlette's and FastAPI's background tasks: what a tracked function leaves for after the response belongs to it.

The task runs when the function has returned and its context is gone, so it keeps the context that it was made in.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context

from outlay.tracing.context import SCOPE_KEY
from outlay.wire.threads import MARK


def hook(module: ModuleType) -> None:
    """Patch `starlette.background`. `BackgroundTasks` is many of them, and calls each."""
    task = module.BackgroundTask
    if not hasattr(task.__call__, MARK):
        task.__init__ = _init(task.__init__)
        task.__call__ = _call(task.__call__)


def _init(original: Any) -> Any:
    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        context = otel_context.get_current()
        if SCOPE_KEY in context:
            setattr(self, MARK, context)

    return init


def _call(original: Any) -> Any:
    @functools.wraps(original)
    async def call(self: Any) -> None:
        context = getattr(self, MARK, None)
        if context is None:
            await original(self)
            return
        token = otel_context.attach(context)
        try:
            await original(self)
        finally:
            otel_context.detach(token)

    setattr(call, MARK, True)
    return call
