"""Other libraries' instrumentations of the OpenAI client, on for a while and then really off.

`uninstrument()` of opentelemetry-instrumentation-openai 0.62 leaves every method wrapped, so that its spans would stand
between the spans of all later tests of the process.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from wrapt import FunctionWrapper


@contextmanager
def instrumented(instrumentor: Any, provider: TracerProvider) -> Iterator[None]:
    """Instrument the OpenAI client with spans that go to `provider`, for the time of the block."""
    before = set(_wrapped())
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        for owner, name in set(_wrapped()) - before:
            setattr(owner, name, inspect.getattr_static(owner, name).__wrapped__)


def _wrapped() -> Iterator[tuple[type, str]]:
    """Methods of the client that something has wrapped."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("openai.resources"):
            for owner in list(vars(module).values()):
                if inspect.isclass(owner):
                    for name, value in list(vars(owner).items()):
                        if isinstance(value, FunctionWrapper):
                            yield owner, name
