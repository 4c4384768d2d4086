"""OpenTelemetry's entry points: with them, `opentelemetry-instrument` finds Outlay.

The instrumentor starts the SDK beside whatever else is instrumented. The distribution sets no exporter, for who sends
to Outlay alone; where `OTEL_PYTHON_DISTRO=outlay` does not ask for it, it leaves its place to OpenTelemetry's.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

NAME = "outlay"


class OutlayInstrumentor(BaseInstrumentor):  # type: ignore[misc]
    """Starts Outlay with what the environment says."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing beside Outlay itself is needed."""
        return ()

    def _instrument(self, **given: Any) -> None:
        from outlay.tracing.lifecycle import get_client

        os.environ.setdefault("OUTLAY_AUTO_FEATURES", "true")
        get_client()

    def _uninstrument(self, **given: Any) -> None:
        from outlay.tracing.lifecycle import shutdown

        shutdown()


class OutlayDistro(BaseDistro):  # type: ignore[misc]
    """Sends to Outlay and nowhere else, unless the environment names exporters."""

    def _configure(self, **given: Any) -> None:
        if os.environ.get("OTEL_PYTHON_DISTRO") == NAME:
            for signal in ("TRACES", "METRICS", "LOGS"):
                os.environ.setdefault(f"OTEL_{signal}_EXPORTER", "none")
            return
        try:
            from opentelemetry.distro import OpenTelemetryDistro
        except ImportError:
            return
        OpenTelemetryDistro()._configure(**given)  # type: ignore[no-untyped-call]
