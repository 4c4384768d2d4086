"""What the SDK costs its host: caller CPU per call, import CPU, and installed size, beside raw OpenTelemetry and peers.

    python benchmarks/sdk.py                       # raw OpenTelemetry and Outlay, and peers that are installed
    python benchmarks/sdk.py --peers DIR           # also a virtual environment per peer and for us, made in DIR by uv
    python benchmarks/sdk.py --calls 1000 --rounds 5

The instrumented function gets about 1.5 KB of messages and returns a ready OpenAI-like response object; nothing else
happens in it. Every variant exports to nowhere. Each runs in a process of its own, variants interleaved over the
rounds; shown are the median, the median over the rounds of the ratio to a raw OpenTelemetry span with the same content
in the same round, and the ratio of the best rounds, which other work on the machine disturbs the least. Then what each
lever adds to a call (`sdk_levers.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sdk_levers

ROOT = Path(__file__).parents[1]
BYTECODE = os.path.join(tempfile.gettempdir(), "outlay-benchmark-bytecode")
PEERS = {
    "langfuse": "langfuse",
    "openlit": "openlit",
    "traceloop": "traceloop-sdk",
    "logfire": "logfire",
    "mlflow": "mlflow-tracing",
}
BASELINE = {
    "outlay": "otel",
    "outlay+content": "otel+content",
    "outlay record": "otel",
    "otel+batch": "otel+content",
    **dict.fromkeys(PEERS, "otel+content"),
}
OTEL_IMPORT = (
    "import opentelemetry.sdk.trace, opentelemetry.sdk.trace.export; "
    "from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter"
)
IMPORTS = {
    "otel sdk + exporter": OTEL_IMPORT,
    "outlay": "import outlay",
    "outlay + init()": "import outlay; outlay.init()",
    "langfuse": "import langfuse",
    "openlit": "import openlit",
    "traceloop": "import traceloop.sdk",
    "logfire": "import logfire",
    "mlflow": "import mlflow",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--variant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        print(json.dumps(measure(options.variant, options.calls)))
        sys.stdout.flush()
        os._exit(0)
    pythons = dict.fromkeys(PEERS, sys.executable)
    if options.peers:
        pythons = {
            name: str(install(options.peers / name, package, "pydantic", "httpx")) for name, package in PEERS.items()
        }
    variants = ["otel", "otel+content", "otel+batch", "outlay", "outlay+content", "outlay record", *PEERS]
    show_calls(variants, pythons, options.calls, options.rounds)
    show_levers(options.peers, options.calls, options.rounds)
    show_imports(pythons, options.rounds)
    show_sizes(options.peers)


def install(folder: Path, *packages: str) -> Path:
    """A virtual environment with these packages in it, and nothing else."""
    python = folder / "bin" / "python"
    if not python.exists():
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}") or "uv"
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *packages], check=True)
    return python


def ran(what: str, command: list[Any], round_number: int, rounds: int) -> str:
    """The last line that a variant's process prints; empty where it fails, as without its package."""
    print(f"\r{what}, round {round_number} of {rounds}\033[K", end="", file=sys.stderr, flush=True)
    done = subprocess.run(command, capture_output=True, text=True, env=environment())
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    said = done.stdout.splitlines()
    return said[-1] if done.returncode == 0 and said else ""


def show_calls(variants: list[str], pythons: dict[str, str], calls: int, rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in variants}
    missing: set[str] = set()
    for turn in range(1, rounds + 1):
        for name in variants:
            if name in missing:
                continue
            command = [pythons.get(name, sys.executable), __file__, "--variant", name, "--calls", str(calls)]
            said = ran(name, command, turn, rounds)
            if said:
                found[name].append(json.loads(said))
            else:
                missing.add(name)
    print(f"{'caller CPU per call':24s} {'median µs':>10s} {'best µs':>10s} {'ratio':>7s} {'of best':>7s}")
    for name in variants:
        if name in missing:
            print(f"{name:24s} not installed")
            continue
        base = found[BASELINE.get(name, name)]
        ratio = statistics.median(mine / theirs for mine, theirs in zip(found[name], base, strict=True))
        best = min(found[name]) / min(base)
        print(f"{name:24s} {statistics.median(found[name]):10.1f} {min(found[name]):10.1f} {ratio:7.2f} {best:7.2f}")


def show_levers(folder: Path | None, calls: int, rounds: int) -> None:
    """What a lever adds to a call, beside peers in `folder`."""
    pythons = {"": sys.executable, **dict.fromkeys(sdk_levers.PEERS, sys.executable)}
    if folder is not None:
        for name, package in sdk_levers.PEERS.items():
            pythons[name] = str(install(folder / name, package, "pydantic"))
    print(f"\n{'caller CPU per call':24s} {'median µs':>10s} {'best µs':>10s}")
    for name, what in sdk_levers.VARIANTS.items():
        found = []
        for turn in range(1, rounds + 1):
            python = pythons[sdk_levers.python_of(name)]
            said = ran(name, [python, __file__, "--variant", name, "--calls", str(calls)], turn, rounds)
            if not said:
                break
            found.append(json.loads(said))
        told = f"{statistics.median(found):10.1f} {min(found):10.1f}  {what}" if found else "not installed"
        print(f"{name:24s} {told}")


def show_imports(pythons: dict[str, str], rounds: int) -> None:
    template = (
        "import time; t = time.process_time(); {}; print((time.process_time() - t) * 1000); import os; os._exit(0)"
    )
    found: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for turn in range(rounds + 1):  # the first compiles
        for name, statement in IMPORTS.items():
            command = [
                pythons.get(name, sys.executable),
                "-c",
                template.format(statement).replace("os._exit", "import sys; sys.stdout.flush(); os._exit"),
            ]
            said = ran(f"import of {name}", command, turn, rounds)
            if said and turn:
                found[name].append(float(said))
    base = found["otel sdk + exporter"]
    print(f"\n{'import CPU':24s} {'median ms':>10s} {'best ms':>10s} {'ratio':>7s} {'of best':>7s}")
    for name, values in found.items():
        if values:
            middle, best = statistics.median(values), min(values)
            ratios = f"{middle / statistics.median(base):7.2f} {best / min(base):7.2f}"
            print(f"{name:24s} {middle:10.1f} {best:10.1f} {ratios}")


def show_sizes(folder: Path | None) -> None:
    """What installing each into an empty environment takes: size and number of distributions."""
    if folder is None:
        return
    code = (
        "import importlib.metadata as m; found = list(m.distributions()); "
        "print(len(found), sum(file.size or 0 for entry in found for file in entry.files or ()))"
    )
    otel = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
    packages = {"otel sdk + exporter": otel, "outlay": (str(ROOT),), **{name: (p,) for name, p in PEERS.items()}}
    print(f"\n{'installed':24s} {'MB':>10s} {'distributions':>14s}")
    for name, wanted in packages.items():
        python = install(folder / f"size-{name.split()[0]}", *wanted)
        count, size = subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.split()
        print(f"{name:24s} {int(size) / 1e6:10.1f} {count:>14s}")


def environment() -> dict[str, str]:
    """Without settings of the shell, with the source tree on the path and with bytecode, as installed code has."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "OUTLAY_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**kept, "PYTHONPATH": str(ROOT / "sdk"), "PYTHONPYCACHEPREFIX": BYTECODE}


# --- one variant, in a process of its own

Function = Callable[..., Any]
Instrumented = tuple[Function, Callable[[], object]]


def measure(variant: str, calls: int) -> float:
    """Added CPU of the calling thread per call, in µs: the median of five passes."""
    import logging
    import time

    logging.disable(logging.CRITICAL)
    response, messages = make_response(), make_messages()

    def chat(messages: list[dict[str, str]], model: str = "gpt-4o", temperature: float = 0.2) -> object:
        return response

    instrumented, flush = instrument(variant, chat)

    def run(function: Function, count: int) -> float:
        started = time.thread_time()
        for _ in range(count):
            function(messages, model="gpt-4o", temperature=0.2)
        spent = time.thread_time() - started
        flush()
        return spent / count * 1e6

    run(instrumented, 200)
    bare = min(run(chat, 5000) for _ in range(3))
    return statistics.median(run(instrumented, calls) for _ in range(5)) - bare


def make_messages() -> list[dict[str, str]]:
    return [
        {"role": "system", "content": "You are a helpful support agent. " * 10},
        {"role": "user", "content": "prompt text word " * 70},
    ]


def make_response() -> object:
    from types import SimpleNamespace as Plain

    class Response(Plain):
        """Shaped like a chat completion."""

    details = Plain(cached_tokens=128)
    usage = Plain(prompt_tokens=412, completion_tokens=220, total_tokens=632, prompt_tokens_details=details)
    message = Plain(role="assistant", content="completion text word " * 50)
    choice = Plain(index=0, finish_reason="stop", message=message)
    return Response(id="chatcmpl-123", model="gpt-4o-2024-11-20", choices=[choice], usage=usage)


def instrument(variant: str, chat: Function) -> Instrumented:
    """The instrumented function, and what waits until its spans are gone."""
    if variant.startswith("lever"):
        if sdk_levers.python_of(variant):
            return sdk_levers.lever(variant, chat), nothing
        instrument_outlay("outlay", chat)  # sends to nowhere
        return sdk_levers.lever(variant, chat), nothing
    if variant.startswith("outlay"):
        return instrument_outlay(variant, chat)
    if variant.startswith("otel"):
        return instrument_otel(variant, chat)
    exporter = no_exporter()
    if variant == "langfuse":
        from langfuse import Langfuse, observe  # type: ignore[import-not-found]

        client = Langfuse(public_key="pk", secret_key="sk", base_url="http://127.0.0.1:9", span_exporter=exporter)
        return observe(as_type="generation")(chat), client.flush
    if variant == "openlit":
        import openlit  # type: ignore[import-not-found]
        from opentelemetry.exporter.otlp.proto.http import trace_exporter

        trace_exporter.OTLPSpanExporter.export = exporter.export  # type: ignore[method-assign]
        openlit.init(otlp_endpoint="http://127.0.0.1:9", disable_metrics=True, disable_events=True)
        return openlit.trace(chat), nothing
    if variant == "traceloop":
        from traceloop.sdk import Traceloop  # type: ignore[import-not-found]
        from traceloop.sdk.decorators import task  # type: ignore[import-not-found]

        Traceloop.init(app_name="x", exporter=exporter, telemetry_enabled=False, instruments=set())
        return task(name="chat")(chat), nothing
    if variant == "logfire":
        import logfire  # type: ignore[import-not-found]
        from opentelemetry.sdk.trace import SpanProcessor

        logfire.configure(send_to_logfire=False, console=False, additional_span_processors=[SpanProcessor()])
        return logfire.instrument("chat", record_return=True)(chat), nothing
    if variant == "mlflow":
        # Without an OpenTelemetry endpoint it writes each trace to its store in the caller's thread: 40 ms a call.
        os.environ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = "http://127.0.0.1:9/v1/traces"
        import tempfile

        import mlflow  # type: ignore[import-not-found]

        mlflow.set_tracking_uri("file://" + tempfile.mkdtemp())
        return mlflow.trace(name="chat", span_type="LLM")(chat), nothing
    raise SystemExit(f"unknown variant {variant}")


def instrument_outlay(variant: str, chat: Function) -> Instrumented:
    import outlay
    from outlay.export.encode import Encoder
    from outlay.export.sender import Answer, Sender

    def encode(self: Encoder, spans: object, late: dict[int, object]) -> bytes:
        late.clear()
        return b"-"  # nothing at all would mean that it is still being encoded

    Encoder.spans = encode  # type: ignore[method-assign]
    Sender.send = lambda self, signal, body, timeout_s: Answer(200)  # type: ignore[method-assign]
    outlay.init("bench", capture_content=variant.endswith("content"), endpoint="http://127.0.0.1:9")
    facts: dict[str, Any] = {"feature": "support-chat", "user": "user_1", "customer": "acme", "prompt_version": "v3"}
    if variant == "outlay record":
        usage = {"input_tokens": 412, "cache_read_tokens": 128, "output_tokens": 220}

        def record(messages: object, model: str, temperature: float) -> None:
            outlay.record(
                usage=usage,
                model=model,
                provider="openai",
                response_model="gpt-4o-2024-11-20",
                started_at=1772366400.0,
                ended_at=1772366401.5,
                **facts,
            )

        return record, outlay.flush
    return outlay.track(**facts)(chat), outlay.flush


def instrument_otel(variant: str, chat: Function) -> Instrumented:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind

    provider = TracerProvider()
    flush: Callable[[], object] = nothing
    if variant.endswith("batch"):
        provider.add_span_processor(BatchSpanProcessor(no_exporter(), max_queue_size=1 << 16))
        flush = provider.force_flush
    else:
        provider.add_span_processor(SpanProcessor())
    tracer = provider.get_tracer("floor")
    content = variant != "otel"

    def call(messages: list[dict[str, str]], model: str, temperature: float) -> object:
        with tracer.start_as_current_span("chat gpt-4o", kind=SpanKind.CLIENT) as span:
            response = chat(messages, model=model, temperature=temperature)
            usage = response.usage
            found = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model,
                "gen_ai.response.model": response.model,
                "gen_ai.response.id": response.id,
                "gen_ai.request.temperature": temperature,
                "gen_ai.usage.input_tokens": usage.prompt_tokens,
                "gen_ai.usage.output_tokens": usage.completion_tokens,
                "gen_ai.usage.cache_read.input_tokens": usage.prompt_tokens_details.cached_tokens,
                "gen_ai.response.finish_reasons": ("stop",),
                "outlay.feature": "support-chat",
                "user.id": "user_1",
                "outlay.customer": "acme",
                "outlay.prompt.version": "v3",
            }
            if content:
                said = [{"role": "assistant", "content": response.choices[0].message.content}]
                found["gen_ai.input.messages"] = json.dumps(messages)
                found["gen_ai.output.messages"] = json.dumps(said)
            span.set_attributes(found)
            return response

    return call, flush


def no_exporter() -> Any:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return Nowhere()


def nothing() -> None:
    """Nothing to wait for."""


if __name__ == "__main__":
    main()
