"""Ninety days in simulated time: what is told of twenty injected incidents, and of the same days without them.

    nice -n 10 python benchmarks/replay.py --worlds worlds

A real `outlay serve` gets 36 days to learn from and 90 to watch over OTLP/HTTP, as four features call two models with
the hours of a working week, for $1.25 a day: it receives, settles and rolls them up. `--worlds` keeps what it then has,
for the next time on the same day. Then the rounds that a server makes over its
incidents are made over the same store, one every `--every` hours of those days, each with its own present; what goes
out is counted by a real receiver on loopback. An incident is found where a message names its feature between its
beginning and a day after its end; its cause is right where the message's first sentence has the words of the driver
that was injected. The twin is the same traffic without incidents: whatever is told of it is false.

`--timezone Europe/Berlin` has people work by the clock of a place, so that their hours move when it is changed, and the
budget's months are those of that place; `--until 2026-11-30` has the days end before that one, to hold such a change.

Receivers as a team has them: warnings go to Slack, what is critical to PagerDuty; messages are counted in both
together. A webhook, which holds a state and hears all of it, is what the other figures are read from. A budget for all
spend, a quarter above what a month usually costs, is watched too.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / name) for name in ("sdk", "collector", "analytics", "web", "benchmarks")]

from replay_world import HOUR, KINDS, LEARN_DAYS, WATCH_DAYS, Injected, injected, spans  # noqa: E402
from trickle import serving  # noqa: E402

from outlay_analytics.alerting import evaluate  # noqa: E402
from outlay_analytics.alerting.budget import Budget  # noqa: E402
from outlay_analytics.alerting.settings import parse_alerts  # noqa: E402
from outlay_analytics.anomalies.incidents import find  # noqa: E402
from outlay_analytics.explain.drivers import happened  # noqa: E402
from outlay_collector.store import migrate, open_store  # noqa: E402

FLOOR_USD = "0.05"
BUDGET_USD = "48"
PATIENCE_S = 1800.0


def send(port: int, first: datetime, incidents: list[Injected], seed: int, zone: ZoneInfo) -> int:
    """Everything through the door, and wait until it is settled and rolled up. Returns how many calls there are."""
    connection = HTTPConnection("127.0.0.1", port, timeout=120)
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    batch, sent = [], 0

    def post() -> None:
        scope = [{"scope": {"name": "replay"}, "spans": batch}]
        body = json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scope}]})
        connection.request("POST", "/v1/traces", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        batch.clear()

    for one in spans(first, incidents, seed, zone):
        batch.append(one)
        sent += 1
        if len(batch) == 2000:
            post()
    post()
    came = time.monotonic()
    while time.monotonic() < came + PATIENCE_S:
        connection.request("GET", "/api/v1/status")
        state = json.loads(connection.getresponse().read())
        if state["pending"] == state["unsettled_traces"] == 0 and state["calls"] == sent:
            time.sleep(30)  # and the rollups
            return sent
        time.sleep(2)
    raise SystemExit(f"not settled after {PATIENCE_S:.0f} s: {state}")


def replay(
    folder: Path, first: datetime, days: list[int], every_h: int, show: bool, zone: ZoneInfo
) -> tuple[list[tuple[datetime, dict[str, Any]]], dict[str, int]]:
    """Every message to the webhook with the simulated instant at which it went out; how many people got by channel."""
    inbox: list[dict[str, Any]] = []
    heard: dict[str, list[datetime]] = {"slack": [], "pagerduty": []}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if (kind := self.path.strip("/")) in heard:
                heard[kind] += [now] * (said.get("event_action") != "resolve")
            else:
                inbox.append(said)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    channels = [
        {"name": "webhook", "kind": "webhook", "url": f"{at}/hook"},
        {
            "name": "pagerduty",
            "kind": "pagerduty",
            "routing_key": "k" * 32,
            "url": f"{at}/pagerduty",
            "severities": ["critical"],
        },
        {"name": "slack", "kind": "slack", "url": f"{at}/slack", "severities": ["warning"]},
    ]
    names = tuple(channel["name"] for channel in channels)
    settings = parse_alerts(
        {"allow": ["127.0.0.1"], "notify": names, "channels": channels, "anomaly_floor_usd": FLOOR_USD}
    )
    budget = Budget("all", Decimal(BUDGET_USD), notify=names, timezone=str(zone))
    told = []
    store = open_store(f"chdb://{folder}/data/db")
    migrate(store)  # a kept world may be older than the code
    writer = store.writer()
    failed: list[Exception] = []

    def looks(*asked: Any, **options: Any) -> dict[str, Any]:
        try:
            return find(*asked, **options)
        except Exception as exc:
            failed.append(exc)
            raise

    for hour in range(days[0] * 24, days[1] * 24, every_h):
        now = first + timedelta(days=LEARN_DAYS) + hour * HOUR + timedelta(minutes=5)
        evaluate.evaluate_anomalies(store, writer, now, settings, finder=looks)
        evaluate.evaluate(store, writer, now, settings, [budget])
        if failed:
            raise SystemExit(f"the round of {now} failed: {failed[0]}")
        told += [(now, message) for message in inbox]
        for message in inbox if show else ():
            said = message["alerts"][0]
            words, where = said["annotations"]["description"], said["labels"].get("feature", "")
            rule = said["labels"]["alertname"]
            print(f"{now:%a %d %b %H:%M} {message['status']} {rule} {where}: {words}", flush=True)
        inbox.clear()
    store.close()
    server.shutdown()
    return told, {kind: len(times) for kind, times in heard.items()}


def judge(
    incidents: list[Injected], told: list[tuple[datetime, dict[str, Any]]], heard: dict[str, int]
) -> dict[str, Any]:
    """Delay, messages and causes per incident; what belongs to none is false."""
    beginnings, repeats, known = [], 0, set()
    for at, message in told:
        if message["status"] == "firing":
            said = {
                (alert["fingerprint"], alert["startsAt"]) for alert in message["alerts"] if alert["status"] == "firing"
            }
            if said <= known:
                repeats += 1  # it became worse
            else:
                beginnings.append((at, message))
            known |= said
    owner: dict[int, list[int]] = {number: [] for number in range(len(incidents))}
    false = 0
    for k, (at, message) in enumerate(beginnings):
        mine = [
            number
            for number, one in enumerate(incidents)
            if one.begin <= at <= one.end + timedelta(days=1)
            and any(alert["labels"].get("feature", one.feature) == one.feature for alert in message["alerts"])
        ]
        false += not mine
        for number in mine[:1]:
            owner[number].append(k)
    found = [number for number, mine in owner.items() if mine]
    delays = [(beginnings[owner[n][0]][0] - incidents[n].begin) / HOUR for n in found]
    right = {
        n: happened(KINDS[incidents[n].kind][0])
        in beginnings[owner[n][0]][1]["alerts"][0]["annotations"]["description"].partition(". ")[0]
        for n in found
    }
    return {
        "incidents": len(incidents),
        "found": len(found),
        "missed": [incidents[n].kind for n in owner if n not in found],
        "delay_h_median": round(statistics.median(delays), 1) if delays else None,
        "delay_h_worst": round(max(delays), 1) if delays else None,
        "beginnings_per_found": round(sum(len(owner[n]) for n in found) / len(found), 2) if found else None,
        "messages": heard,
        "messages_per_incident": round(sum(heard.values()) / len(incidents), 2) if incidents else None,
        "beginnings": len(beginnings),
        "repeats": repeats,
        "ends": sum(message["status"] == "resolved" for _, message in told),
        "right_cause": round(sum(right.values()) / len(right), 2) if right else None,
        "wrong_cause": [incidents[n].kind for n, good in right.items() if not good],
        "false": false,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="hours between two rounds")
    parser.add_argument(
        "--days", type=int, nargs=2, default=[0, WATCH_DAYS], help="the first and last that are watched"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("incidents", "twin"))
    parser.add_argument("--timezone", type=ZoneInfo, default=ZoneInfo("UTC"), help="by whose clock people work")
    parser.add_argument("--until", type=date.fromisoformat, help="the day after the last that is watched; today")
    parser.add_argument("--worlds", type=Path, help="a folder that keeps what was received")
    parser.add_argument("--show", action="store_true", help="every message, too")
    options = parser.parse_args()
    until = options.until or datetime.now(UTC).date()
    first = datetime.combine(until, clock(), UTC) - timedelta(days=LEARN_DAYS + WATCH_DAYS)
    zone = options.timezone
    place = "" if zone.key == "UTC" else f"-{zone.key.replace('/', '-')}"
    for name in ("incidents", "twin"):
        if options.only not in (None, name):
            continue
        incidents = injected(first, random.Random(options.seed), zone) if name == "incidents" else []
        with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
            kept = (options.worlds or Path(folder)) / f"{name}-{options.seed}-{first:%Y-%m-%d}{place}"
            if not kept.exists():
                kept.mkdir(parents=True)
                with serving(kept) as server:
                    send(server.port, first, incidents, options.seed, zone)
            shutil.copytree(kept, Path(folder) / "seen", symlinks=True)
            began = time.process_time()
            told, heard = replay(Path(folder) / "seen", first, options.days, options.every, options.show, zone)
        watched = [
            one for one in incidents if options.days[0] <= (one.begin - first).days - LEARN_DAYS < options.days[1]
        ]
        print(
            json.dumps({"world": name, "cpu_s": round(time.process_time() - began), **judge(watched, told, heard)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
