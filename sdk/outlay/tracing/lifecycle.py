"""From the first call to the end of the process: `init()`, the one client, `flush()` and `shutdown()`.

The client starts with `init()`, or with the first tracked call; what meters the wire is told then (`when_started`), so
that nothing here imports it.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from outlay import _interpreter, _names, _safely
from outlay.export import children
from outlay.settings import Settings
from outlay.tracing.client import Client, Redact

ISOLATED = (
    "Outlay does not work in an isolated subinterpreter, which starts no threads; calls made in it are not recorded. "
    "Use threads or processes instead."
)
_client = Client()
_lock = threading.RLock()
_started = False
_starting = False  # seen by the thread that holds the lock: what starting calls must not start again
_parts: dict[str, Any] = {}
_told: set[str] = set()  # arguments of a second init() that are said not to be taken
_begins: list[Callable[[], None]] = []
_ends: list[Callable[[Client], None]] = []


def get_client() -> Client:
    """The client; set up from the environment if `init()` was not called."""
    if not _started:
        _start({}, explicit=False)
    return _client


def running() -> Client:
    """The client as it is, for the hooks: somebody else's HTTP request must not start anything."""
    return _client


@_safely.safely()
def init(
    service: str | None = None,
    environment: str | None = None,
    *,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    api_key: str | None = None,
    service_version: str | None = None,
    stream_usage: bool | None = None,
    capture_content: bool | None = None,
    content_ratio: float | None = None,
    redact: Redact | None = None,
    estimate_usage: bool | None = None,
    propagate: bool | None = None,
    set_global: bool | None = None,
    share_spans: bool | None = None,
    tracer_provider: Any = None,
    exporter: Any = None,
    protocol: str | None = None,
    wire: bool | None = None,
    spool_dir: str | None = None,
    spool_file: str | None = None,
    mode: str | None = None,
    disabled: bool | None = None,
) -> None:
    """Start metering. Optional: the first tracked call does it with the environment's settings.

    Safe to call twice; the first call wins, and a second one with other values says so in the log. Never raises: a
    setting that cannot be read is logged and replaced by its default.

    Args:
        service: Name of this service (`OTEL_SERVICE_NAME`).
        environment: Where it runs: prod, staging …
        endpoint: Base URL of the server (`OTEL_EXPORTER_OTLP_ENDPOINT`); default http://localhost:4318.
        headers: Headers of every export (`OTEL_EXPORTER_OTLP_HEADERS`).
        api_key: Ingest key; decides the project.
        service_version: Version of this service.
        stream_usage: Ask OpenAI-style chat streams for usage. They then end with one more chunk without choices.
        capture_content: Keep prompts and completions on the spans. Off by default.
        content_ratio: Share of traces whose content is kept. Costs are always kept.
        redact: Called with each text before it is queued; what it returns is kept.
        estimate_usage: Estimate tokens, marked so, where a stream ended without usage.
        propagate: Add `traceparent` and `baggage` to outgoing HTTP requests.
        set_global: Serve as OpenTelemetry's tracer provider while the application has none.
        share_spans: Let the application's own exporters have Outlay's spans, too.
        tracer_provider: Use this provider instead of the global one.
        exporter: Any SpanExporter of OpenTelemetry, which gets the spans instead of the server, through Outlay's queue.
        protocol: `http/protobuf`, or `grpc` (`OTEL_EXPORTER_OTLP_PROTOCOL`).
        wire: Meter calls at the HTTP layer. On by default.
        spool_dir: Folder that keeps what is not sent yet, for the next start; `off`: none.
        spool_file: File for what could not be sent, to be loaded with `outlay ingest`.
        mode: `serverless` sends at the end of the outermost tracked call; `process` does not, whatever the platform.
        disabled: Switch everything off.
    """
    given = {
        "service": service,
        "environment": environment,
        "endpoint": endpoint,
        "headers": headers,
        "api_key": api_key,
        "service_version": service_version,
        "protocol": protocol,
        "stream_usage": stream_usage,
        "capture_content": capture_content,
        "content_ratio": content_ratio,
        "estimate_usage": estimate_usage,
        "propagate": propagate,
        "set_global": set_global,
        "share_spans": share_spans,
        "wire": wire,
        "spool_dir": spool_dir,
        "spool_file": spool_file,
        "mode": mode,
        "disabled": disabled,
    }
    _start(given, explicit=True, redact=redact, provider=tracer_provider, exporter=exporter)


def _start(given: dict[str, Any], *, explicit: bool, **parts: Any) -> None:
    """Start, or say that it is too late; `parts` are those of `Client.configure`.

    Threads that come meanwhile wait: what they record before everything is set up would be lost.
    """
    global _started, _starting
    with _lock:
        if _starting or (_started and not explicit):
            return
        settings = Settings.from_env(os.environ, on_error=_bad_setting, **given)
        if _started and _client.explicit:
            _tell_others(given, settings, parts)
            return
        if not settings.disabled and _interpreter.is_isolated():
            _safely.warn("interpreter", ISOLATED)
            settings = replace(settings, disabled=True)
        if not _started:
            atexit.register(_exit)
        _client.explicit = explicit
        _names.environment = settings.environment
        _parts.update(parts)
        _starting = True
        try:
            _client.configure(settings, **parts)
            if _client.enabled:
                for begin in _begins:
                    begin()
        finally:
            _starting, _started = False, True
        if _client.enabled and _client.pipeline is not None:
            _client.pipeline.recover()


def _tell_others(given: dict[str, Any], settings: Settings, parts: dict[str, Any]) -> None:
    """Say which values of a second `init()` are other than those of the first, each once."""
    others = {name for name, value in parts.items() if value is not None and not _is_same(value, _parts.get(name))}
    said = [name for name, value in given.items() if value is not None]
    others |= {name for name in said if getattr(settings, name) != getattr(_client.settings, name)}
    if others - _told:
        first = "init() was already called; the settings of the first call stay, other %s is not taken"
        _safely.warn(f"init {sorted(others)}", first, ", ".join(name for name in (*parts, *given) if name in others))
        _told.update(others)


def _is_same(value: Any, other: Any) -> bool:
    """A bound method is another object each time it is looked up, and equal to itself."""
    return value is other or (callable(value) and bool(value == other))


def _bad_setting(error: Exception) -> None:
    _safely.warn(f"setting {error}", "%s; the default is used", error)


@_safely.safely(False)
def flush(timeout: float = 30.0) -> bool:
    """Wait until everything recorded so far is on the server.

    A producer of many past calls loses nothing if it flushes before the queue fills (`OUTLAY_QUEUE_SPANS`, 8192).

    Args:
        timeout: Seconds to wait at most.

    Returns:
        Whether everything was delivered.
    """
    pipeline = _client.pipeline
    return pipeline.flush(timeout) if pipeline is not None else True


@_safely.safely()
def shutdown(timeout: float | None = None) -> None:
    """Send what is queued and stop. Runs by itself at exit; later spans start it again."""
    end_open_calls(_client)
    pipeline = _client.pipeline
    if pipeline is not None:
        pipeline.shutdown(_client.settings.exit_timeout_s if timeout is None else timeout)


@_safely.safely()
def _exit() -> None:
    """The process ends: send what is queued, and from now on everything at once."""
    _client.exiting = True
    end_open_calls(_client)
    if _client.pipeline is not None:
        _client.pipeline.exit()
    _client.end()


children.watch(_exit)


def end_open_calls(client: Client) -> None:
    """End the calls whose results nobody has fetched."""
    for end in _ends:
        end(client)


def when_started(begin: Callable[[], None]) -> None:
    """Have this called when a client starts, or gets other settings."""
    _begins.append(begin)


def before_end(end: Callable[[Client], None]) -> None:
    """Have this called before the last spans of a client are sent."""
    _ends.append(end)


def stats() -> dict[str, int]:
    """Counts of spans since the start: `exported`, `dropped`, `spooled`."""
    pipeline = _client.pipeline
    if pipeline is None:
        return {"exported": 0, "dropped": 0, "spooled": 0}
    return {"exported": pipeline.exported, "dropped": pipeline.dropped, "spooled": pipeline.spooled}
