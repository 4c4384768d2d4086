"""Sender: puts encoded requests on the wire, unseen by the application's own instrumentations."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context

from outlay.settings import Settings

if TYPE_CHECKING:
    pass


@contextmanager
def unseen() -> Iterator[None]:
    """Instrumentations of HTTP in the application make no span of what we send, or each export would cause another."""
    token = otel_context.attach(otel_context.set_value(otel_context._SUPPRESS_INSTRUMENTATION_KEY, True))
    try:
        yield
    finally:
        otel_context.detach(token)


class Sender:
    """Puts encoded requests on the wire. Tests and other transports replace it.

    `send` returns (HTTP status, seconds to wait); status 0 means that nobody answered.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: Any = None

    def prepare(self) -> None:
        """Import what sending needs; a child that is forked in the middle of an import would wait for it for ever."""
        import gzip  # noqa: F401

        import requests  # noqa: F401

    def send(self, signal: str, body: bytes, timeout_s: float) -> tuple[int, float]:
        """POST one request and wait for the answer."""
        import gzip

        import requests

        if self._session is None:
            self._session = requests.Session()
        url = self._settings.logs_url if signal == "logs" else self._settings.traces_url
        headers = {
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "user-agent": "outlay-python",
            **(self._settings.headers or {}),
        }
        verify = os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or True
        try:
            response = self._session.post(
                url,
                data=gzip.compress(body, 1),
                headers=headers,
                timeout=(min(timeout_s, 3.0), timeout_s),
                verify=verify,
                allow_redirects=False,
            )
        except (requests.RequestException, OSError):
            return 0, 0.0
        try:
            wait_s = float(response.headers.get("retry-after") or 0)
        except ValueError:
            wait_s = 0.0
        return response.status_code, wait_s

    def close(self) -> None:
        """Forget the connections; a forked child must not use its parent's."""
        self._session = None
