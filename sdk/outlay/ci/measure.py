"""What one run of a command took: its calls by feature or model, counted on the way to a server of our own."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from outlay import semconv
from outlay.export.decode import spans_of
from outlay.zero_code.run import SITE

NAMELESS = "(none)"


@dataclass(frozen=True, slots=True)
class Totals:
    """Calls and what they took. `cost_usd` is None where no call has a price; `unpriced` says how many have none."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None
    unpriced: int = 0
    failed: int = 0
    cached: int = 0

    @property
    def tokens(self) -> int:
        """Input and output."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        known = [one.cost_usd for one in (self, other) if one.cost_usd is not None]
        return Totals(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(known, Decimal(0)) if known else None,
            self.unpriced + other.unpriced,
            self.failed + other.failed,
            self.cached + other.cached,
        )

    def as_json(self) -> dict[str, Any]:
        """Its fields; money as text."""
        return {**asdict(self), "cost_usd": None if self.cost_usd is None else format(self.cost_usd, "f")}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Totals:
        """The way back."""
        cost = told["cost_usd"]
        return cls(**{**told, "cost_usd": None if cost is None else Decimal(cost)})


@dataclass(frozen=True, slots=True)
class Measure:
    """One run at one revision: its exit code, and totals by what the calls are for."""

    revision: str
    exit_code: int
    rows: Mapping[str, Totals]

    @property
    def all(self) -> Totals:
        """Every call."""
        found = Totals()
        for totals in self.rows.values():
            found = found.plus(totals)
        return found

    def as_json(self) -> dict[str, Any]:
        """Its fields."""
        rows = {name: totals.as_json() for name, totals in self.rows.items()}
        return {"revision": self.revision, "exit_code": self.exit_code, "rows": rows}

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Measure:
        """The way back.

        Raises:
            AttributeError, KeyError, TypeError, ArithmeticError: If it is none.
        """
        rows = {name: Totals.of_json(totals) for name, totals in told["rows"].items()}
        return cls(told["revision"], told["exit_code"], rows)


def measure(command: Sequence[str], folder: Path, root: Path, revision: str, by: str) -> Measure:
    """Run a command in a folder of a tree and count its calls. What it prints goes to stderr.

    Args:
        command: The program and its arguments.
        folder: Where it runs.
        root: Top of the tree: what the tree holds is imported before what is installed of it.
        revision: What the tree is.
        by: Attribute by which calls are summed up.
    """
    with _listening() as server:
        paths = [SITE, root, root / "src", *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(str(path) for path in paths if str(path))),
            "OUTLAY_ENDPOINT": server.url,
            "OUTLAY_PROTOCOL": "http/protobuf",
            "OUTLAY_COMPRESSION": "gzip",
            "OUTLAY_SPOOL_DIR": "off",
            "OUTLAY_EXIT_TIMEOUT_S": "60",
        }
        words = (
            [sys.executable, *command] if command[0].endswith(".py") else [_program(command[0], folder), *command[1:]]
        )
        code = subprocess.run(words, cwd=folder, env=environ, stdout=sys.stderr.fileno(), check=False).returncode
        return Measure(revision, code, summed(server.bodies, by))


def _program(name: str, folder: Path) -> str:
    """Of a path, what is there in the tree; else what is here: a virtual environment is in no revision."""
    is_here = os.path.dirname(name) and not (folder / name).exists() and Path(name).exists()
    return os.path.abspath(name) if is_here else name


def summed(bodies: Iterable[bytes], by: str) -> dict[str, Totals]:
    """Value of an attribute → what the calls took that have it."""
    rows: dict[str, Totals] = {}
    for body in bodies:
        for span in spans_of(body):
            said = span.attributes or {}
            scope = span.instrumentation_scope
            if scope is None or scope.name != semconv.SCOPE or semconv.OPERATION not in said:
                continue
            name = str(said.get(by) or NAMELESS)
            rows[name] = rows.get(name, Totals()).plus(_of_call(said, not span.status.is_ok))
    return rows


def _of_call(said: Mapping[str, Any], failed: bool) -> Totals:
    if said.get(semconv.CACHE_HIT):
        return Totals(cached=1)
    tokens_in, tokens_out = (said.get(key) or 0 for key in (semconv.INPUT_TOKENS, semconv.OUTPUT_TOKENS))
    told = said.get(semconv.COST_USD)
    cost = None if told is None else Decimal(repr(float(told)))
    return Totals(1, tokens_in, tokens_out, cost, unpriced=int(cost is None and not failed), failed=int(failed))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("/traces"):
            self.server.bodies.append(gzip.decompress(body))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is said of it."""


@contextmanager
def _listening() -> Iterator[_Server]:
    server = _Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="outlay-ci", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
