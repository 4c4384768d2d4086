"""Threads: what a tracked function hands to a thread still belongs to it.

Python gives new threads an empty context. While a feature or tag is in force, `ThreadPoolExecutor.submit` (and with it
`loop.run_in_executor`) and `Thread.start` carry the OpenTelemetry context over; otherwise they are left alone.
"""

from __future__ import annotations

import functools
import threading
from types import ModuleType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from outlay.tracing.context import SCOPE_KEY

MARK = "__outlay__"


def hook(module: ModuleType) -> None:
    """Patch `concurrent.futures.thread` or `threading`."""
    if module is threading:
        if not hasattr(threading.Thread.start, MARK):
            threading.Thread.start = _start(threading.Thread.start)  # type: ignore[method-assign]
    elif not hasattr(module.ThreadPoolExecutor.submit, MARK):
        module.ThreadPoolExecutor.submit = _submit(module.ThreadPoolExecutor.submit)


def _submit(original: Any) -> Any:
    @functools.wraps(original)
    def submit(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        context = otel_context.get_current()
        if SCOPE_KEY not in context:
            return original(self, fn, *args, **kwargs)
        return original(self, _run_in, context, fn, *args, **kwargs)

    setattr(submit, MARK, True)
    return submit


def _start(original: Any) -> Any:
    @functools.wraps(original)
    def start(self: threading.Thread) -> Any:
        context = otel_context.get_current()
        if SCOPE_KEY in context and not _is_worker(self):
            self.run = functools.partial(_run_in, context, self.run)  # type: ignore[method-assign]
        return original(self)

    setattr(start, MARK, True)
    return start


def _is_worker(thread: threading.Thread) -> bool:
    """Whether the thread outlives its starter's work: executors give each of their tasks a context of its own."""
    target = getattr(thread, "_target", None)
    module = getattr(target, "__module__", "") or type(thread).__module__
    return module.startswith(("concurrent.futures", "anyio", "outlay"))


def _run_in(context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:
    token = otel_context.attach(context)
    try:
        return function(*args, **kwargs)
    finally:
        otel_context.detach(token)
