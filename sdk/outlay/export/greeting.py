"""One line on a terminal or in a notebook, once: the first spans have arrived, and where to look at them."""

from __future__ import annotations

import os
import sys

from outlay.export.sender import Answer, Sender
from outlay.settings import Settings


def is_wanted(settings: Settings) -> bool:
    """Whether somebody sits before this process and has not asked for silence."""
    return settings.greeting and ("ipykernel" in sys.modules or _is_terminal())


def _is_terminal() -> bool:
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except (AttributeError, ValueError):  # closed, or put in its place by somebody
        return False


class Greeting(Sender):
    """Sends as another sender does, and says so after the first time, in the process that it was made in."""

    def __init__(self, settings: Settings, inner: Sender) -> None:
        super().__init__(settings)
        self._inner = inner
        self._process = os.getpid()
        self._is_said = False
        self.target = inner.target

    def prepare(self) -> None:
        """As the other does."""
        self._inner.prepare()

    def send(self, signal: str, body: bytes, timeout_s: float) -> Answer:
        """Send; after the first success, say so."""
        answer = self._inner.send(signal, body, timeout_s)
        if 200 <= answer.status < 300 and not self._is_said:
            self._is_said = True
            if os.getpid() == self._process:
                self._say()
        return answer

    def _say(self) -> None:
        settings = self._settings
        page = settings.endpoint + "/calls" if settings.protocol != "grpc" else "the server's page"
        out = sys.stdout if "ipykernel" in sys.modules else sys.stderr
        try:
            print(f"outlay: the first calls have arrived: {page}", file=out, flush=True)
        except (OSError, ValueError):
            pass  # the terminal is gone

    def close(self) -> None:
        """As the other does."""
        self._inner.close()

    def end(self) -> None:
        """As the other does."""
        self._inner.end()
