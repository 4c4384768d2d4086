"""What a quiet server costs: one call a second, with somebody looking or nobody.

    python benchmarks/trickle.py --rate 1 --seconds 60

A real `outlay serve` on an empty directory of its own gets `rate` calls a second over OTLP/HTTP, each in a body of
its own, as small applications send them. Somebody who looks asks the API every `--every` seconds for the newest
calls, which also says how long a call took from being sent until it was seen (an upper bound: it was visible at some
time between two questions). After a round with nobody, one who comes asks until the last call is there. CPU is user +
system of the server's process with all its threads, from /proc, as a share of one core; it includes answering. On a
machine without a core to spare runs take longer and are fewer; `settle_runs` says how many there were.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

WARM_UP_S = 20.0
PATIENCE_S = 60.0
FIGURE = re.compile(r'outlay_job_(runs|busy_seconds)_total\{job="([^"]+)"\} (\S+)')
ROOTS = ("sdk", "collector", "analytics", "web")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rate", type=float, nargs="+", default=[1.0, 5.0], help="calls a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long each round is measured")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two questions of who looks")
    parser.add_argument("--idle", action="store_true", help="also measure a server that gets nothing")
    parser.add_argument("--only", choices=("somebody", "nobody"))
    options = parser.parse_args()
    rounds = [(rate, looks) for rate in options.rate for looks in ("somebody", "nobody")]
    rounds = [one for one in rounds if options.only in (None, one[1])]
    for rate, looks in [(0.0, "nobody")] * options.idle + rounds:
        with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder, serving(Path(folder)) as server:
            figures = measure(server, rate, options.seconds, options.every if looks == "somebody" else None)
        print(json.dumps({"calls_per_s": rate, "looks": looks, **figures}), flush=True)


class Serving:
    """A server of its own process."""

    def __init__(self, pid: int, port: int) -> None:
        self.pid = pid
        self.port = port

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def send(self, number: int) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/v1/traces", json.dumps(body(number)), {"content-type": "application/json"})
        assert connection.getresponse().status == 200
        connection.close()

    def jobs(self) -> dict[tuple[str, str], float]:
        """Runs and busy seconds of each background job, from /metrics, which asks for no data to be made."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return {(job, figure): float(value) for figure, job, value in FIGURE.findall(text)}

    def seen(self) -> set[str]:
        """The newest calls that the API shows, by trace."""
        return {call["trace_id"] for call in self.get("/api/v1/calls?limit=100&start=-1h")["calls"]}

    def get(self, path: str) -> Any:
        """An answer of the API."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return answer


@contextmanager
def serving(folder: Path) -> Iterator[Serving]:
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": ":".join(str(root / name) for name in ROOTS)}
    command = [sys.executable, "-m", "outlay_web", "serve", "--data", str(folder / "data"), "--port", "0"]
    process = subprocess.Popen([*command, "--grpc-port", "off"], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield Serving(process.pid, int(line.split("ready at http://127.0.0.1:")[1].split(",")[0].split()[0]))
    finally:
        process.terminate()
        process.wait(30)


def measure(server: Serving, rate: float, seconds: float, every_s: float | None) -> dict[str, Any]:
    sent: dict[str, float] = {}
    shown: dict[str, float] = {}
    over = threading.Event()

    def look() -> None:
        while every_s is not None and not over.wait(every_s):
            for trace in server.seen():
                shown.setdefault(trace, time.monotonic())

    eyes = threading.Thread(target=look)
    eyes.start()
    number = 0
    began = time.monotonic()
    jobs_began, cpu_began, measured_from = server.jobs(), 0.0, 0.0
    while (now := time.monotonic() - began) < WARM_UP_S + seconds:
        if now >= WARM_UP_S and not measured_from:
            jobs_began, cpu_began, measured_from = server.jobs(), server.cpu_s(), time.monotonic()
        if not rate:
            time.sleep(0.2)
            continue
        number += 1
        sent[f"{number:032x}"] = time.monotonic()
        server.send(number)
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
    jobs = server.jobs()
    share = (server.cpu_s() - cpu_began) / (time.monotonic() - measured_from)
    over.set()
    eyes.join()
    figures: dict[str, Any] = {"cpu_share_of_a_core": round(share, 3)}
    grown = {key: value - jobs_began.get(key, 0.0) for key, value in jobs.items()}
    figures["settle_runs"] = int(grown["settle", "runs"])
    figures["busy_s"] = {job: round(value, 2) for (job, figure), value in grown.items() if figure == "busy_seconds"}
    if every_s is None and rate:
        came = time.monotonic()
        while f"{number:032x}" not in server.seen() and time.monotonic() < came + PATIENCE_S:
            time.sleep(0.1)
        figures["visible_after_first_look_s"] = round(time.monotonic() - came, 2)
    waited = sorted(shown[t] - at for t, at in sent.items() if t in shown and at > measured_from)
    if waited:
        figures["visible_p50_s"] = round(statistics.median(waited), 2)
        figures["visible_p95_s"] = round(waited[int(0.95 * (len(waited) - 1))], 2)
    return figures


def body(number: int) -> dict[str, Any]:
    """One call of one trace, as OTLP/JSON."""
    start = time.time_ns() - 800_000_000
    given = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{number}",
        "gen_ai.usage.input_tokens": 900 + number % 200,
        "gen_ai.usage.output_tokens": 90 + number % 20,
        "outlay.feature": f"feature-{number % 5}",
        "outlay.user": f"user-{number % 50}",
    }
    span = {
        "traceId": f"{number:032x}",
        "spanId": f"{number:016x}",
        "name": "chat gpt-4o-mini",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 700_000_000),
        "attributes": [{"key": key, "value": value(given[key])} for key in given],
        "status": {},
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "bench"}, "spans": [span]}]}]}


def value(given: Any) -> dict[str, str]:
    return {"intValue": str(given)} if isinstance(given, int) else {"stringValue": str(given)}


if __name__ == "__main__":
    main()
