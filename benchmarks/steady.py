"""What a steady load costs, and how soon it is seen: a real server, bodies of 512 spans, somebody who looks.

    python benchmarks/steady.py --seconds 60 --bodies 60

A real `outlay serve` on an empty directory gets bodies as in `ingest.py`, first `--bodies` of them as fast as it takes
them: what it sustains, from the first span sent until the last one is settled. Then half of that rate for `--seconds`,
with a call of its own every second that somebody looks for every half second: how long it took from being sent until
it was seen (an upper bound, by half a second at most). CPU is user + system of the server's process, merges, roll-ups
and answers included, per 100,000 spans sent at half load; `floor` is ClickHouse alone for as many spans, in this
process right before. Read ratios; where others use the machine, what is sustained is theirs to say.
"""

from __future__ import annotations

import argparse
import gzip
import json
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import ingest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from trickle import Serving, serving

LANES = 4
LOOK_S = 0.5
PATIENCE_S = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bodies", type=int, default=60, help="bodies that are sent as fast as possible")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long half of that is sent")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
        floor_s = floor(Path(folder))
        with serving(Path(folder)) as server:
            figures = measure(server, options.bodies, options.seconds)
    figures["floor_cpu_s_per_100k_spans"] = round(floor_s, 2)
    figures["ratio"] = round(figures["cpu_s_per_100k_spans"] / floor_s, 2)
    print(json.dumps(figures, indent=2))


def floor(folder: Path) -> float:
    """CPU-s of ClickHouse alone per 100,000 spans, once it is warm."""
    from outlay_collector.store import migrate, open_store

    store = open_store(f"chdb://{folder}/floor")
    migrate(store)
    writer = store.writer()
    raw = [ingest.body(seed) for seed in range(20)]
    rounds = []
    for _ in range(3):
        rounds.append(ingest.per_100k(ingest.floor(writer, raw), len(raw) * ingest.SPANS_PER_BODY))
        ingest.empty(writer)
    store.close()
    return float(statistics.median(rounds[1:]))


def measure(server: Serving, bodies: int, seconds: float) -> dict[str, Any]:
    made = renewed([ingest.body(seed) for seed in range(4)])
    burst = [next(made) for _ in range(bodies)]
    post(server.port, burst[: bodies // 8])  # what is made once: connections, caches, the list of prices
    settled(server)
    burst, began = burst[bodies // 8 :], time.monotonic()
    with ThreadPoolExecutor(LANES) as pool:
        list(pool.map(lambda lane: post(server.port, burst[lane::LANES]), range(LANES)))
    settled(server)
    sustained = len(burst) * ingest.SPANS_PER_BODY / (time.monotonic() - began)
    every_s = 2 * ingest.SPANS_PER_BODY / sustained
    sending = [next(made) for _ in range(int(seconds / every_s))]
    sent: dict[str, float] = {}
    shown: dict[str, float] = {}
    sent_all, seen_all = threading.Event(), threading.Event()
    threads = [
        threading.Thread(target=look, args=(server, shown, seen_all)),
        threading.Thread(target=mark, args=(server, sent, sent_all)),
    ]
    cpu_s, began = server.cpu_s(), time.monotonic()
    for thread in threads:
        thread.start()
    try:
        for number, each in enumerate(sending):
            time.sleep(max(0.0, began + number * every_s - time.monotonic()))
            post(server.port, [each])
        took_s = time.monotonic() - began
        sent_all.set()
        threads[1].join()
        settled(server)
        time.sleep(2 * LOOK_S)
        cpu_s = server.cpu_s() - cpu_s
    finally:
        sent_all.set()
        seen_all.set()
        for thread in threads:
            thread.join()
    waited = sorted(shown[trace] - at for trace, at in sent.items() if trace in shown)
    spans = len(sending) * ingest.SPANS_PER_BODY
    return {
        "sustained_spans_per_s": round(sustained),
        "sent_spans_per_s": round(spans / took_s),
        "cpu_s_per_100k_spans": round(ingest.per_100k(cpu_s, spans), 2),
        "visible_p50_s": round(statistics.median(waited), 2),
        "visible_p95_s": round(waited[int(0.95 * (len(waited) - 1))], 2),
        "looked_for": len(waited),
    }


def renewed(templates: list[bytes]) -> Iterator[bytes]:
    """Bodies like these with ids of their own, packed: a body that is made anew takes a hundred times as long."""
    rng = random.Random(1)
    requests = [ExportTraceServiceRequest.FromString(each) for each in templates]
    while True:
        request = rng.choice(requests)
        ids: dict[bytes, bytes] = {b"": b""}
        for span in request.resource_spans[0].scope_spans[0].spans:
            ids[span.span_id] = rng.randbytes(8)
            span.trace_id = ids.setdefault(span.trace_id, rng.randbytes(16))
            span.span_id, span.parent_span_id = ids[span.span_id], ids[span.parent_span_id]
            for pair in span.attributes:
                if pair.key == "gen_ai.response.id":
                    pair.value.string_value = "chatcmpl-" + rng.randbytes(12).hex()
        yield gzip.compress(request.SerializeToString(), 6)


def post(port: int, bodies: list[bytes]) -> None:
    """Send bodies one after the other, again after a 503."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
    for body in bodies:
        status = 0
        while status != 200:
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
            if status != 200:
                time.sleep(0.1)
    connection.close()


def settled(server: Serving) -> None:
    """Wait until nothing waits."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = server.get("/api/v1/status")
        if not found["pending"] and not found["unsettled_traces"]:
            return
        time.sleep(0.1)
    raise TimeoutError(f"after {PATIENCE_S:g} s there are still spans that are not settled: {found}")


def look(server: Serving, shown: dict[str, float], over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        for trace in server.seen():
            shown.setdefault(trace, time.monotonic())


def mark(server: Serving, sent: dict[str, float], over: threading.Event) -> None:
    """Send a call a second that is looked for."""
    number = 0
    while not over.wait(1.0):
        number += 1
        sent[f"{number:032x}"] = time.monotonic()
        server.send(number)


if __name__ == "__main__":
    main()
