"""`kill -9` between an alert's fire and its messages: how many each receiver gets, over many rounds.

    python benchmarks/killed_messages.py --rounds 30

A process evaluates a budget that is over and tells five real receivers on loopback: a webhook, Slack's, PagerDuty's and
Alertmanager's shapes over HTTP, and a mail server. It is killed when one of them, another one each round, has read its
message and not yet answered; in every sixth round before the first one is sent. A second process then makes the next
round on the same store. Each receiver must end with one message or two: never none, never more. The store is made once
and copied for each round, and processes are forked from one that has imported everything.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PATHS = [str(ROOT / name) for name in ("sdk", "collector", "analytics", "web")]
sys.path[:0] = [*PATHS, str(ROOT)]

from outlay_analytics.alerting import evaluate, outbox  # noqa: E402
from outlay_analytics.alerting.budgets import put_budget  # noqa: E402
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts  # noqa: E402
from outlay_collector.store import migrate, open_store  # noqa: E402

KINDS = ("webhook", "slack", "pagerduty", "alertmanager", "email")
NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
PATIENCE_S = 300
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["outlay_analytics.alerting.evaluate", "tests.hand_calls"])


class Receivers:
    """Four HTTP receivers and a mail server; the one that is named kills the sender once it has its message."""

    def __init__(self, http_port: int, mail_port: int) -> None:
        self.got: Counter[str] = Counter()
        self.victim: ForkServerProcess | None = None
        self.kill_at = ""
        self.ports = (http_port, mail_port)

    def take(self, kind: str) -> None:
        self.got[kind] += 1
        if kind == self.kill_at and self.victim is not None:
            self.kill_at = ""
            self.victim.kill()
            wait([self.victim.sentinel], PATIENCE_S)  # whoever started it asks how it ended


@contextmanager
def receivers() -> Iterator[Receivers]:
    from tests.mail_server import Mailbox, mail_server

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            found.take(self.path.strip("/"))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Whoever asked was killed."""

    class Letters(list[Any]):
        def append(self, letter: Any) -> None:
            super().append(letter)
            found.take("email")

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    with mail_server("AUTH PLAIN LOGIN") as box:
        assert isinstance(box, Mailbox)
        found = Receivers(server.server_port, box.port)
        box.letters = Letters()
        try:
            yield found
        finally:
            server.shutdown()
            server.server_close()
            thread.join(5)


def settings_for(http_port: int, mail_port: int) -> AlertSettings:
    """The five receivers as channels."""
    table: list[dict[str, Any]] = [
        {"name": kind, "kind": kind, "url": f"http://127.0.0.1:{http_port}/{kind}"} for kind in KINDS if kind != "email"
    ]
    table[2]["routing_key"] = "k" * 32
    table.append({"name": "email", "kind": "email", "to": ["ops@example.com"]})
    return parse_alerts(
        {
            "allow": ["127.0.0.1"],
            "channels": table,
            "smtp": f"smtp://127.0.0.1:{mail_port}",
            "smtp_from": "outlay@example.com",
            "smtp_tls": False,
        }
    )


def prepare(folder: str) -> None:
    """A store with a budget that is over."""
    from tests.hand_calls import call, put

    store = open_store(f"chdb://{folder}/db")
    migrate(store)
    put(store, call(NOW - timedelta(hours=1), "5", feature="search"))
    body = {"amount_usd": str(Decimal(1)), "notify": list(KINDS)}
    put_budget(store, store.writer(), "default", "all", body, NOW, (), settings_for(1, 1).channels)
    store.close()


def evaluated(folder: str, http_port: int, mail_port: int, minute: int, suicide: bool) -> None:
    """One round of evaluation on the store of a folder."""
    if suicide:

        def die(*_: Any, **__: Any) -> Any:
            os.kill(os.getpid(), signal.SIGKILL)

        outbox.send = die
    store = open_store(f"chdb://{folder}/db")
    now = NOW + timedelta(minutes=minute)
    evaluate.evaluate(store, store.writer(), now, settings_for(http_port, mail_port))
    store.close()


def start(folder: Path, found: Receivers, minute: int, suicide: bool = False) -> ForkServerProcess:
    process = PROCESSES.Process(target=evaluated, args=(str(folder), *found.ports, minute, suicide))
    process.start()
    return process


def prepared(folder: Path) -> Path:
    """A folder with the store that every round begins with."""
    process = PROCESSES.Process(target=prepare, args=(str(folder),))
    process.start()
    process.join(PATIENCE_S)
    assert process.exitcode == 0
    return folder


def one_round(made: Path, folder: Path, kill_at: str) -> dict[str, int]:
    """Messages by receiver; `kill_at` is a kind, or empty to be killed before the first message.

    Args:
        made: From `prepared`.
        folder: Where its copy may lie.
        kill_at: See above.
    """
    shutil.copytree(made / "db", folder / "db", symlinks=True)
    with receivers() as found:
        found.kill_at = kill_at
        victim = found.victim = start(folder, found, 0, suicide=not kill_at)
        victim.join(PATIENCE_S)
        assert victim.exitcode == -signal.SIGKILL
        found.victim = None
        second = start(folder, found, 1)
        second.join(PATIENCE_S)
        assert second.exitcode == 0
        return dict(found.got)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    spread: Counter[int] = Counter()
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as first:
        made = prepared(Path(first))
        for number in range(rounds):
            kill_at = ("", *KINDS)[number % (len(KINDS) + 1)]
            with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
                got = one_round(made, Path(folder), kill_at)
            spread.update(got.get(kind, 0) for kind in KINDS)
    print(json.dumps({"rounds": rounds, "receivers": len(KINDS), "messages": dict(sorted(spread.items()))}))


if __name__ == "__main__":
    main()
