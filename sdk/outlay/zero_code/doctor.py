"""`outlay doctor --sdk` and `outlay.doctor()`: what is hooked, where spans go, what was dropped and why.

As a command it looks at this environment: which clients are installed, what the variables say, whether the server takes
spans, what earlier processes have left. In a process that runs, `outlay.doctor()` says the same of that process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from outlay import _safely, wire
from outlay.export.choose import sender_for
from outlay.export.sender import unseen
from outlay.export.spool import OFF, REST_SUFFIX, SUFFIX, Spool
from outlay.settings import Settings
from outlay.tracing import lifecycle
from outlay.tracing.client import Client

OK, WARN, FAIL = "ok", "warn", "FAIL"
Finding = tuple[str, str]
TRANSPORTS = ("httpx", "httpx2", "urllib3", "requests", "aiohttp")
"""What clients send with, where their calls are metered."""

BESIDE = (
    "opentelemetry-distro",
    "langfuse",
    "traceloop-sdk",
    "openlit",
    "logfire",
    "mlflow",
    "arize-phoenix-otel",
    "openinference-instrumentation",
    "langsmith",
)
"""Libraries that make spans of model calls, too; both together are counted once."""


def findings(client: Client | None = None) -> Iterator[Finding]:
    """What was looked at: `ok`, `warn` or `FAIL`, and what is so.

    Args:
        client: That of the running process; None looks at the environment alone.
    """
    problems: list[str] = []
    running = client is not None and client.pipeline is not None
    if client is not None and running:
        settings = client.settings
    else:
        settings = Settings.from_env(os.environ, on_error=lambda error: problems.append(str(error)))
    yield from ((FAIL, f"{problem}; the default is used") for problem in problems)
    if settings.disabled:
        yield WARN, "switched off (OUTLAY_DISABLED or OTEL_SDK_DISABLED): nothing is recorded"
        return
    yield OK, f"Outlay {_version('outlay') or 'of this folder'}, Python {sys.version.split()[0]}"
    if settings.service:
        yield OK, f"service {settings.service}" + (f", environment {settings.environment}" * bool(settings.environment))
    else:
        yield WARN, "the service has no name: set OUTLAY_SERVICE, or init(service=…)"
    yield from _hooks(settings, running)
    yield from _beside()
    if client is not None and running and client.sender is not None and client.sender.target:
        yield OK, f"spans go through {client.sender.target}"
    else:
        yield _target(settings)
    yield from _left(settings)
    if client is not None and running:
        yield from _counts(client)


def _hooks(settings: Settings, running: bool) -> Iterator[Finding]:
    if not settings.wire:
        yield WARN, "calls are not metered at the HTTP layer (OUTLAY_WIRE=false)"
        return
    found = [f"{name} {known}" for name in TRANSPORTS if (known := _version(name))]
    if not found:
        yield WARN, f"no HTTP library is installed that is metered ({', '.join(TRANSPORTS)})"
    elif running:
        yield OK, f"hooked: {', '.join(wire.hooked()) or 'nothing yet'}; the rest when it is imported"
        for name in wire.missed():
            said = f"{name} was imported past Outlay, by an import hook of another tool: its calls are not metered"
            yield FAIL, f"{said}; import it before outlay.init(), or start with `outlay run`"
    else:
        yield OK, f"metered when imported: {', '.join(found)}"


def _beside() -> Iterator[Finding]:
    found = [f"{name} {known}" for name in BESIDE if (known := _version(name))]
    if found:
        yield OK, f"beside it: {', '.join(found)}; a call that both see is counted once"


def _target(settings: Settings) -> Finding:
    """Whether an empty request is taken where spans go."""
    where = f"spans go to {settings.traces_url} ({settings.protocol})"
    sender = sender_for(settings)
    try:
        with unseen():
            answer = sender.send("traces", b"", min(settings.export_timeout_s, 5.0))
    finally:
        sender.end()
    status = answer.status
    if 200 <= status < 300:
        return OK, f"{where}, which takes them"
    if status in (401, 403):
        if "authorization" not in (settings.headers or {}):
            return FAIL, f"{where}, which asks for a key ({status}): set OUTLAY_API_KEY"
        make = "`outlay keys create --project NAME` on the server makes one"
        return FAIL, f"{where}, which refuses the key ({status}): set OUTLAY_API_KEY to one that it knows; {make}"
    if not status or status == 503:
        why = f" ({answer.reason})" if answer.reason else ""
        return FAIL, f"{where}, where nobody answers{why}: start the server (outlay serve), or set OUTLAY_ENDPOINT"
    return FAIL, f"{where}, which answers {status}: is it Outlay's port?"


def _left(settings: Settings) -> Iterator[Finding]:
    """What earlier processes have left in the spool."""
    spool = Spool.of(settings)
    if spool is None:
        why = "off" if settings.spool_dir == OFF else "none beside spool_file" if settings.spool_file else "none here"
        yield OK if settings.spool_file else WARN, f"local spool: {why}; what is not sent when a process dies is lost"
        return
    if not os.access(_existing(spool.folder), os.W_OK):
        yield WARN, f"the local spool {spool.folder} cannot be written: what is not sent when a process dies is lost"
        return
    files = [*spool.folder.glob(f"*{SUFFIX}")] if spool.folder.is_dir() else []
    size = sum(file.stat().st_size for file in files if file.exists())
    yield OK, f"local spool {spool.folder}: {len(files)} files, {size:,} bytes; the next start sends what is left there"
    rest = [*spool.folder.glob(f"*{REST_SUFFIX}")] if spool.folder.is_dir() else []
    if rest:
        yield WARN, f"{len(rest)} files there hold what could not be read (*{REST_SUFFIX})"


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _counts(client: Client) -> Iterator[Finding]:
    found = lifecycle.stats()
    yield WARN if found["dropped"] else OK, ", ".join(f"{count:,} {name}" for name, count in found.items()) + " so far"
    yield from ((WARN, said + (f" ({count} times)" if count > 1 else "")) for count, said in _safely.told.values())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def report(client: Client | None = None) -> tuple[str, bool]:
    """The findings as lines, and whether nothing is wrong."""
    found: list[Any] = [*findings(client)]
    return "".join(f"{state:<5} {said}\n" for state, said in found), all(state != FAIL for state, _ in found)


def doctor() -> str:
    """What is hooked, where spans go, what was dropped and why, in this process: a line each, printed and returned.

    The command `outlay doctor --sdk` says what can be known from outside.
    """
    said, _ = report(lifecycle.get_client())
    print(said, end="")
    return said


def main() -> None:
    """Look at the environment; exit code 1 where something is wrong."""
    said, is_well = report()
    print(said, end="")
    sys.exit(0 if is_well else 1)
