"""Settings as a table: each has a name, a default, a unit and one sentence.

The SDK's table is `SETTINGS`; the server keeps a table of its own and reads it with the same `read_settings`, so that
documentation and code cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outlay._setting import Setting, read_headers, read_ratio, read_settings
from outlay.errors import ConfigError

SETTINGS: tuple[Setting, ...] = (
    Setting("endpoint", "http://localhost:4318", "", "Base URL of the server that takes OTLP/HTTP."),
    Setting("headers", None, "", "Headers of every export, `name=value,name=value`.", parse=read_headers, secret=True),
    Setting("api_key", "", "", "Ingest key, sent as `Authorization: Bearer KEY`.", secret=True),
    Setting(
        "protocol",
        "http/protobuf",
        "",
        "How spans are sent. OpenTelemetry's variables hold for OpenTelemetry's endpoint, not for one of ours.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"),
        allowed=("http/protobuf", "grpc"),
    ),
    Setting(
        "compression",
        "gzip",
        "",
        "Whether requests are compressed.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"),
        allowed=("gzip", "none"),
    ),
    Setting(
        "certificate",
        "",
        "",
        "File with the certificates by which the server is trusted.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"),
    ),
    Setting(
        "client_certificate",
        "",
        "",
        "File with our own certificate, for servers that ask for one.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"),
    ),
    Setting(
        "client_key",
        "",
        "",
        "File with the key of our own certificate.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"),
    ),
    Setting(
        "insecure",
        False,
        "",
        "Without TLS where a gRPC endpoint names neither http nor https.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE"),
    ),
    Setting("service", "", "", "Name of this service.", otel=("OTEL_SERVICE_NAME",)),
    Setting("service_version", "", "", "Version of this service."),
    Setting("environment", "", "", "Where it runs: prod, staging …"),
    Setting("disabled", False, "", "Switch the SDK off; decorators then cost nothing.", otel=("OTEL_SDK_DISABLED",)),
    Setting("capture_content", False, "", "Keep prompts and completions on the spans."),
    Setting("content_ratio", 1.0, "", "Share of traces whose content is kept; costs always are.", parse=read_ratio),
    Setting("stream_usage", False, "", "Ask OpenAI-style chat streams for usage; they then end with one more chunk."),
    Setting("estimate_usage", True, "", "Estimate tokens, marked so, where a stream ended without usage."),
    Setting("propagate", False, "", "Add `traceparent` and `baggage` to outgoing HTTP, for services behind."),
    Setting("set_global", True, "", "Serve as OpenTelemetry's tracer provider while the app has none of its own."),
    Setting("share_spans", False, "", "Let the application's own exporters have Outlay's spans, too."),
    Setting(
        "auto_features",
        False,
        "",
        "Where no code names a feature: the route of the request or the name of the task; on under `outlay run`.",
    ),
    Setting("features", "", "", "Functions that are features: `module:function=feature`, with commas."),
    Setting("wire", True, "", "Meter calls at the HTTP layer."),
    Setting(
        "queue_spans",
        8192,
        "spans",
        "Spans that may wait to be sent; newer ones are dropped and counted.",
        otel=("OTEL_BSP_MAX_QUEUE_SIZE",),
        minimum=1,
    ),
    Setting("queue_bytes", 16 << 20, "bytes", "Text that may wait to be sent.", minimum=1024),
    Setting(
        "batch_spans",
        512,
        "spans",
        "Spans sent in one request.",
        otel=("OTEL_BSP_MAX_EXPORT_BATCH_SIZE",),
        minimum=1,
    ),
    Setting(
        "flush_interval_ms",
        1000,
        "ms",
        "Longest time a span waits for company.",
        otel=("OTEL_BSP_SCHEDULE_DELAY",),
        minimum=1,
    ),
    Setting(
        "export_timeout_s",
        10.0,
        "s",
        "Longest time one export may take.",
        otel=("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"),
        minimum=0.1,
    ),
    Setting(
        "mode",
        "",
        "",
        "serverless: as flush_at_end; process: not so. Default: what the platform's variables say.",
        allowed=("", "serverless", "process"),
    ),
    Setting(
        "flush_at_end",
        False,
        "",
        "Outermost tracked functions and calls return once their spans are sent, as where a platform freezes then.",
    ),
    Setting("exit_timeout_s", 4.0, "s", "Longest time process exit waits for what is still queued.", minimum=0),
    Setting(
        "spool_dir",
        "",
        "",
        "Folder that keeps what is not sent yet, for the next start; off: none. Default: in the user's state.",
    ),
    Setting("spool_file", "", "", "File that takes what could not be sent, for `outlay ingest`; {pid} is replaced."),
    Setting(
        "spool_bytes",
        64 << 20,
        "bytes",
        "Most that a process keeps on disk of what is not sent yet, in all its files; beyond that, spans are dropped.",
        minimum=0,
    ),
    Setting("greeting", True, "", "Say once, on a terminal or in a notebook, that the first calls have arrived."),
)

SERVERLESS = (
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "K_SERVICE",  # Cloud Run and Cloud Functions
    "FUNCTION_TARGET",
    "FUNCTIONS_WORKER_RUNTIME",  # Azure Functions
    "VERCEL",
    "NETLIFY",
)
"""Set by platforms that may freeze a process once it has answered."""

_GRPC_ENDPOINT = "http://localhost:4317"

_NAMED = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the SDK runs with. One field per entry of `SETTINGS`, in the same order."""

    endpoint: str
    headers: Mapping[str, str] | None
    api_key: str
    protocol: str
    compression: str
    certificate: str
    client_certificate: str
    client_key: str
    insecure: bool
    service: str
    service_version: str
    environment: str
    disabled: bool
    capture_content: bool
    content_ratio: float
    stream_usage: bool
    estimate_usage: bool
    propagate: bool
    set_global: bool
    share_spans: bool
    auto_features: bool
    features: str
    wire: bool
    queue_spans: int
    queue_bytes: int
    batch_spans: int
    flush_interval_ms: int
    export_timeout_s: float
    mode: str
    flush_at_end: bool
    exit_timeout_s: float
    spool_dir: str
    spool_file: str
    spool_bytes: int
    greeting: bool
    traces_url: str = ""
    logs_url: str = ""

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str],
        *,
        on_error: Callable[[ConfigError], None] | None = None,
        **given: Any,
    ) -> Settings:
        """Read `OUTLAY_*` and the OpenTelemetry variables that mean the same; `given` wins where it is not None.

        Raises:
            ConfigError: If a value is wrong and `on_error` is not given.
        """
        values = read_settings(SETTINGS, environ, on_error)
        taken: dict[str, Any] = {}
        for name, value in given.items():
            if name not in _NAMED:
                raise TypeError(f"there is no setting {name!r}")
            if value is not None:
                try:
                    taken[name] = _NAMED[name].take(value)
                except ConfigError as bad:
                    if on_error is None:
                        raise
                    on_error(bad)
        values.update(taken)
        if not environ.get("OUTLAY_FLUSH_AT_END", "").strip() and "flush_at_end" not in taken:
            frozen = any(environ.get(variable) for variable in SERVERLESS) and values["mode"] != "process"
            values["flush_at_end"] = frozen or values["mode"] == "serverless"
        explicit = taken.get("endpoint") or environ.get("OUTLAY_ENDPOINT", "").strip()
        if explicit and "protocol" not in taken and not environ.get("OUTLAY_PROTOCOL", "").strip():
            values["protocol"] = _NAMED["protocol"].default
        is_grpc = values["protocol"] == "grpc"
        default = _GRPC_ENDPOINT if is_grpc else values["endpoint"]
        for signal in ("traces", "logs"):
            values[f"{signal}_url"] = _signal_url(signal, explicit, default, environ, is_grpc)
        values["endpoint"] = values["traces_url"].removesuffix("/v1/traces")
        headers: dict[str, str] = {}
        for variable in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
            if environ.get(variable):
                try:
                    headers.update(read_headers(environ[variable]))
                except ValueError:
                    error = ConfigError(f"{variable}: expected name=value,name=value")
                    if on_error is None:
                        raise error from None
                    on_error(error)
        headers.update({name.lower(): value for name, value in (values["headers"] or {}).items()})
        if values["api_key"]:
            headers["authorization"] = f"Bearer {values['api_key']}"
        values["headers"] = headers
        return cls(**values)


def _signal_url(signal: str, explicit: str, default: str, environ: Mapping[str, str], is_grpc: bool) -> str:
    """Where one signal goes, as the OTLP exporter specification has it: a signal's own URL is used as it is."""
    path = "" if is_grpc else f"/v1/{signal}"
    if explicit:
        base = explicit.rstrip("/")
        base = base.removesuffix("/v1/traces").removesuffix("/v1/logs")
        return base + path
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip()
    if own:
        return own
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or default
    return base.rstrip("/") + path
