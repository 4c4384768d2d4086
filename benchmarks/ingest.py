"""What it costs to take spans in: CPU from accept to stored, to settled and to rolled up, against ClickHouse alone.

    PYTHONPATH=sdk:collector python benchmarks/ingest.py --spans 51200

Bodies look like traffic of LLM applications: 512 spans each, 26 attributes a span, a prompt of 1–2 KB and an answer of
0.6–1.6 KB, gzip. They go to a collector in this process over real HTTP, four at a time, from a second process; CPU is
user + system of this process with all its threads. What was stored is settled and rolled up then, in one burst; each
span is a call of its own, so settle writes as many calls as there are spans. The floor is the same bytes, already
unpacked and framed, inserted into the same tables by one INSERT per 10,000 spans; merges are stopped for both. Rounds
alternate, medians are printed. Read ratios: on a shared machine absolute figures wander, and `ratio_rolled_up_user`, of
user time alone, the least.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MODELS = (
    "gpt-5-mini",
    "gpt-4o-2024-11-20",
    "gpt-4.1-nano",
    "claude-sonnet-4-5",
    "claude-haiku-4-5",
    "gemini-2.5-flash",
)
FEATURES = tuple(f"feature-{n}" for n in range(16))
SPANS_PER_BODY = 512
SPANS_PER_INSERT = 10_240
STAGES = ("floor", "ingest", "settle", "rollup", "spans_per_s", "user_ratio")
EVER = datetime(2100, 1, 1, tzinfo=UTC)  # all is quiet by then, and due


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spans", type=int, default=51_200, help="spans per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--send", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--from", dest="folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        send(options.send, Path(options.folder))
        return
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
        print(json.dumps(measure(Path(folder), options.spans // SPANS_PER_BODY, options.rounds), indent=2))


def measure(folder: Path, bodies: int, rounds: int) -> dict[str, Any]:
    from outlay_collector.load.loader import Loader
    from outlay_collector.prices.book import PriceBook
    from outlay_collector.receive.http import Receiver
    from outlay_collector.rollup.hours import Rollup
    from outlay_collector.settle import Settler
    from outlay_collector.spool.spool import Spool
    from outlay_collector.store import migrate, open_store

    tempfile.tempdir = str(folder)
    store = open_store(f"chdb://{folder}/store")
    migrate(store)
    writer = store.writer()
    writer.run("SYSTEM STOP MERGES")
    spool = Spool(folder / "spool", quota_bytes=1 << 30)
    loader = Loader(store, spool)
    loader.start()
    port = serve(Receiver(spool, lambda header: "default"))
    settler, rollup = Settler(store, PriceBook(store)), Rollup(store, budget_s=3600)
    spans = bodies * SPANS_PER_BODY
    figures: dict[str, list[float]] = {name: [] for name in STAGES}
    for number in range(rounds):
        raw = [body(number * bodies + n) for n in range(bodies)]
        before = os.times().user
        figures["floor"].append(per_100k(floor(writer, raw), spans))
        floor_user_s = os.times().user - before
        empty(writer)
        sent = folder / f"round{number}"
        sent.mkdir()
        for n, one in enumerate(raw):
            (sent / f"{n:05d}.pb.gz").write_bytes(gzip.compress(one, 6))
        del raw
        before, started, user_before = cpu_s(), time.monotonic(), os.times().user
        subprocess.run([sys.executable, __file__, "--send", str(port), "--from", str(sent)], check=True)
        while spool.size_bytes:
            time.sleep(0.01)
        figures["ingest"].append(per_100k(cpu_s() - before, spans))
        figures["spans_per_s"].append(spans / (time.monotonic() - started))
        stored = store.query("SELECT count() AS n FROM spans")[0]["n"]
        assert stored == spans, f"{stored} of {spans} spans are stored"
        before = cpu_s()
        while settler.run_once():
            pass
        figures["settle"].append(per_100k(cpu_s() - before, spans))
        settled = store.query("SELECT count() AS n FROM calls FINAL")[0]["n"]
        assert settled == spans, f"{settled} of {spans} calls are settled"
        before = cpu_s()
        while rollup.run_once(EVER):
            pass
        figures["rollup"].append(per_100k(cpu_s() - before, spans))
        figures["user_ratio"].append((os.times().user - user_before) / floor_user_s)
        empty(writer)
    settler.close()
    rollup.close()
    loader.stop()
    spool.close()
    store.close()
    medians = {name: round(statistics.median(values), 2) for name, values in figures.items()}
    floor_s, stored_s = medians["floor"], medians["ingest"]
    settled_s = stored_s + medians["settle"]
    return {
        "cpu_s_per_100k_spans": {
            "floor": floor_s,
            "accept_to_stored": stored_s,
            "settle": medians["settle"],
            "rollup": medians["rollup"],
        },
        "ratio": round(stored_s / floor_s, 2),
        "ratio_settled": round(settled_s / floor_s, 2),
        "ratio_rolled_up": round((settled_s + medians["rollup"]) / floor_s, 2),
        "ratio_rolled_up_user": medians["user_ratio"],
        "spans_per_s": round(medians["spans_per_s"]),
        "rounds": {name: [round(value, 2) for value in values] for name, values in figures.items()},
    }


def empty(writer: Any) -> None:
    """Forget the spans of a round, and that their traces changed."""
    for table in ("spans", "trace_hours", "dirty_traces", "calls", "repeats", "response_ids", "dirty_hours"):
        writer.run(f"TRUNCATE TABLE {table}")


def floor(writer: Any, raw: list[bytes]) -> float:
    """CPU seconds of ClickHouse alone, for the same rows in the same tables."""
    from outlay_collector.otlp.schema import LOAD_FORMAT, LOAD_SETTINGS, envelope, varint

    now = time.time_ns()
    trailer = envelope(project="default", body_id="b", received_ns=now, oldest_ns=1, newest_ns=now + 10**15)
    step = SPANS_PER_INSERT // SPANS_PER_BODY
    parts = [
        b"".join(varint(len(one) + len(trailer)) + one + trailer for one in raw[at : at + step])
        for at in range(0, len(raw), step)
    ]
    before = cpu_s()
    for number, part in enumerate(parts):
        token = f"floor-{now}-{number}"
        settings = {**LOAD_SETTINGS, "insert_deduplication_token": token}
        writer.load("otlp_in", part, fmt=LOAD_FORMAT, settings=settings)
    return cpu_s() - before


def serve(app: Any) -> int:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off", access_log=False))
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def send(port: int, folder: Path) -> None:
    """Post every file, four at a time, again after a 503."""

    def lane(paths: list[Path]) -> None:
        connection = HTTPConnection("127.0.0.1", port)
        for path in paths:
            status = 0
            while status != 200:
                headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
                connection.request("POST", "/v1/traces", path.read_bytes(), headers)
                answer = connection.getresponse()
                answer.read()
                status = answer.status
                if status == 503:
                    time.sleep(0.1)

    files = sorted(folder.glob("*.gz"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lane, [files[at::4] for at in range(4)]))


def body(seed: int) -> bytes:
    """One request of LLM spans, the same for the same seed."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(600)]
    out = ExportTraceServiceRequest()
    resource_spans = out.resource_spans.add()
    for key, value in (
        ("service.name", "shop-api"),
        ("service.version", "2026.11.3"),
        ("deployment.environment.name", "production"),
        ("telemetry.sdk.language", "python"),
        ("telemetry.sdk.name", "opentelemetry"),
        ("telemetry.sdk.version", "1.45.2"),
        ("host.name", "api-7f9c"),
        ("process.pid", 4242),
    ):
        put(resource_spans.resource.attributes, key, value)
    scope = resource_spans.scope_spans.add()
    scope.scope.name, scope.scope.version = "outlay", "0.1.0"
    hour = time.time_ns() // (3600 * 10**9) * 3600 * 10**9
    trace, root = b"", b""
    for n in range(SPANS_PER_BODY):
        span = scope.spans.add()
        span.span_id = rng.randbytes(8)
        if n % 4 == 0:
            trace, root = rng.randbytes(16), span.span_id
        else:
            span.parent_span_id = root
        model = rng.choice(MODELS)
        span.trace_id, span.name, span.kind = trace, f"chat {model}", span.SPAN_KIND_CLIENT
        span.start_time_unix_nano = hour - rng.randrange(3600 * 10**9)
        span.end_time_unix_nano = span.start_time_unix_nano + int(rng.lognormvariate(0.2, 0.7) * 1e9)
        prompt, answer = text(rng, words, 1000, 2000), text(rng, words, 600, 1600)
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": model,
            "gen_ai.response.model": model,
            "gen_ai.response.id": "chatcmpl-" + rng.randbytes(12).hex(),
            "gen_ai.request.temperature": round(rng.random(), 2),
            "gen_ai.request.top_p": 1.0,
            "gen_ai.request.max_tokens": 1024,
            "gen_ai.response.finish_reasons": ["stop"],
            "gen_ai.usage.input_tokens": len(prompt) // 4,
            "gen_ai.usage.output_tokens": len(answer) // 4,
            "gen_ai.usage.cache_read.input_tokens": len(prompt) // 8 if rng.random() < 0.35 else 0,
            "gen_ai.usage.cache_creation.input_tokens": 0,
            "gen_ai.conversation.id": "conv_" + rng.randbytes(8).hex(),
            "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": prompt}]}]),
            "gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [{"content": answer}]}]),
            "server.address": "api.example.com",
            "server.port": 443,
            "outlay.feature": rng.choice(FEATURES),
            "user.id": f"user_{rng.randrange(20_000):05d}",
            "outlay.customer": f"customer-{rng.randrange(40)}",
            "outlay.team": f"team-{rng.randrange(6)}",
            "outlay.cache.hit": rng.random() < 0.2,
            "outlay.prompt.version": f"v{rng.randrange(1, 9)}",
            "gen_ai.response.time_to_first_chunk": round(rng.lognormvariate(-1, 0.5), 3),
            "gen_ai.request.stream": rng.random() < 0.5,
        }
        for name, given in attributes.items():
            put(span.attributes, name, given)
    return bytes(out.SerializeToString())


def text(rng: random.Random, words: list[str], least: int, most: int) -> str:
    size, out, length = rng.randint(least, most), [], 0
    while length < size:
        word = words[int(len(words) * rng.random() ** 1.7)]
        out.append(word)
        length += len(word) + 1
    return " ".join(out)


def put(attributes: Any, key: str, value: Any) -> None:
    made = attributes.add(key=key).value
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, list):
        for item in value:
            made.array_value.values.add(string_value=item)
    else:
        made.string_value = value


def cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def per_100k(seconds: float, spans: int) -> float:
    return seconds / spans * 100_000


if __name__ == "__main__":
    main()
