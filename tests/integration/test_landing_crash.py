"""What was acknowledged is stored once, whatever moment the process dies, and the ledger adds up at every moment."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from tests.landing import Collector, Http, collector
from tests.otlp_bodies import body, logs_body, span
from tests.waiting import until

from outlay.errors import StoreError
from outlay_collector.load import batch, loader
from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

ROOT = Path(__file__).parents[2]


class Died(BaseException):
    """Stands for kill -9 at one exact place: nothing after it runs."""


def die(*args: Any, **kwargs: Any) -> Any:
    raise Died


MOMENTS: dict[str, tuple[Any, str]] = {
    "before the spans": (batch.Batch, "_insert_spans"),
    "between spans and logs": (batch.Batch, "_insert_logs"),
    "between logs and dirty marks": (batch, "write_marks"),
    "between dirty marks and ledger": (batch.Batch, "_forget_revived"),
    "between ledger and removal": (Spool, "finish"),
}


@pytest.fixture(params=["read here", "read by ClickHouse"])
def _either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small batches are read in Python; these tests hold for both."""
    if request.param == "read by ClickHouse":
        monkeypatch.setattr(batch, "FEW_SPANS", 0)


@pytest.mark.usefixtures("_either_way")
@pytest.mark.parametrize("moment", MOMENTS)
def test_dying_at_any_step_of_a_batch_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    rng = random.Random(5)
    spans = [span(rng) for _ in range(30)]
    evaluation = {"gen_ai.evaluation.name": "ok", "gen_ai.evaluation.score.value": 1}
    log = {"trace_id": spans[0].trace_id, "event_name": "gen_ai.evaluation.result", "attributes": evaluation}
    first = Collector(store, tmp_path / "spool")
    first.send(body(spans[:20]))
    first.load()
    first.send(body([*spans[10:], span(rng, span_id=b"x")]))
    first.send(logs_body([log]), kind="logs")
    with monkeypatch.context() as patch:
        patch.setattr(*MOMENTS[moment], die)
        with pytest.raises(Died):
            first.load()
    with collector(store, tmp_path / "spool") as second:
        second.ledger()
        second.load()
        ledger = second.ledger()
        expected = {"received": 41, "stored": 30, "duplicate": 10, "rejected": 1, "pending": 0, "logs_stored": 1}
        assert {name: ledger[name] for name in expected} == expected
        assert len(second.spans()) == 30
        # What was inserted before the end is known by its token: thirty and the ten that were sent again.
        assert store.query("SELECT sum(spans) AS n FROM trace_hours") == [{"n": 40}]
        assert store.query("SELECT count() AS n FROM events FINAL") == [{"n": 1}]
        dirty = {row["trace_id"] for row in store.query("SELECT trace_id FROM dirty_traces")}
        assert dirty == {one.trace_id.hex() for one in spans}
        assert not list((tmp_path / "spool").glob("*.known"))
    first.close()


@pytest.mark.usefixtures("_either_way")
def test_a_body_that_clickhouse_cannot_take_is_found_and_set_aside_alone(store: Store, tmp_path: Path) -> None:
    rng = random.Random(2)
    good = [span(rng) for _ in range(40)]
    with collector(store, tmp_path / "spool") as made:
        for at in range(0, 40, 5):
            made.send(body(good[at : at + 5]))
            if at == 15:
                poison(made, [span(rng), span(rng)])
        made.load()
        assert {row["span_id"] for row in made.spans()} == {one.span_id.hex() for one in good}
        ledger = made.ledger()
        assert (ledger["stored"], ledger["quarantined"], ledger["duplicate"]) == (40, 2, 0)
        assert len(list(made.spool.quarantine.path.glob("*.rec"))) == 1
        assert "Code" in next(made.spool.quarantine.path.glob("*.txt")).read_text()
        made.send(body(good[:3]))
        made.load()
        assert made.ledger()["duplicate"] == 3


def poison(made: Collector, spans: list[Span]) -> None:
    """Put a body into the spool that the door would never let in: its last bytes are missing."""
    made.send(body(spans))
    file = made.spool._open.path
    last = list(made.spool.read(made.spool._open))[-1]
    made.spool.warm(last.body_id)
    bad = replace(last, body=last.body[:-3])
    packed = bad.pack()
    size = len(last.pack())
    data = file.read_bytes()[:-size] + packed
    file.write_bytes(data)
    made.spool._open.size += len(packed) - size


@pytest.mark.usefixtures("_either_way")
def test_a_store_that_is_broken_for_everyone_sets_nothing_aside(store: Store, tmp_path: Path) -> None:
    rng = random.Random(2)
    writer = store.writer()
    with collector(store, tmp_path / "spool") as made:
        made.send(body([span(rng)]))
        made.send(body([span(rng)]))
        writer.run("RENAME TABLE spans TO spans_away")
        for _ in range(2):
            with pytest.raises(StoreError):
                made.load()
        writer.run("RENAME TABLE spans_away TO spans")
        assert made.ledger()["pending"] == 2
        made.load()
        ledger = made.ledger()
        assert (ledger["stored"], ledger["quarantined"]) == (2, 0)


def test_the_loader_thread_outlives_a_store_that_fails_for_a_while(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loader, "BACKOFF_S", (0.01,))
    loaded = threading.Event()
    made = Collector(store, tmp_path / "spool")
    made.loader.on_loaded = loaded.set
    real = Writer.load

    def failing(self: Writer, *args: Any, **kwargs: Any) -> None:
        raise StoreError("too many parts", code=252, retryable=True)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "load", failing)
        made.loader.start()
        made.send(body([span(random.Random(1))]))
        until(lambda: made.loader.retries >= 3)
        assert Writer.load is not real
    assert loaded.wait(60)
    assert made.ledger()["stored"] == 1
    assert sum("stuck" in message for message in caplog.messages) == 1
    assert made.loader.stop()
    made.close()


def test_a_stop_that_finds_the_loader_waiting_for_the_store_tries_once_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loader, "BACKOFF_S", (60.0,))
    made = Collector(store, tmp_path / "spool")

    def failing(self: Writer, *args: Any, **kwargs: Any) -> None:
        raise StoreError("no space", code=243, retryable=True)

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "load", failing)
        made.loader.start()
        made.send(body([span(random.Random(1))]))
        until(lambda: made.loader.retries == 1)
    assert made.loader.stop()
    assert made.ledger()["stored"] == 1


def test_what_is_sent_is_queryable_within_a_second_and_stopping_loads_the_rest(store: Store, tmp_path: Path) -> None:
    rng = random.Random(1)
    made = Collector(store, tmp_path / "spool")
    made.loader.start()
    made.send(body([span(rng)]))
    until(lambda: bool(made.spans()))
    for _ in range(5):
        made.send(body([span(rng)]))
    assert made.loader.stop()
    assert made.loader.stop()
    assert len(made.spans()) == 6
    assert made.ledger()["pending"] == 0
    made.close()


def test_the_ledger_adds_up_in_every_snapshot_while_spans_pour_in(store: Store, tmp_path: Path) -> None:
    rng = random.Random(1)
    made = Collector(store, tmp_path / "spool")
    made.loader.start()
    sent = threading.Event()

    def pour() -> None:
        for _ in range(40):
            made.send(body([span(rng) for _ in range(20)] + [span(rng, trace_id=b"x")]))
        sent.set()

    thread = threading.Thread(target=pour)
    thread.start()
    received = 0
    while not sent.is_set():
        ledger = made.ledger()
        assert ledger["received"] >= received
        received = ledger["received"]
    thread.join()
    until(lambda: made.ledger()["pending"] == 0)
    ledger = made.ledger()
    assert (ledger["received"], ledger["stored"], ledger["rejected"]) == (840, 800, 40)
    made.close()


def test_the_sequence_grows_though_the_clock_goes_back(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(1)
    for years in (0, 3, 6):
        with monkeypatch.context() as patch:
            real = time.time_ns
            patch.setattr(time, "time_ns", lambda real=real, years=years: real() - years * 10**16)
            with collector(store, tmp_path / "spool") as made:
                made.send(body([span(rng)]), max_age_days=None)
                made.load()
    rows = store.query("SELECT seq FROM dirty_traces ORDER BY seq")
    assert len({row["seq"] for row in rows}) == len(rows)
    known = store.query(load_sql("outlay_collector.load.sql", "ledger"), {"collector": ""})
    assert [row["received"] for row in known] == [3]


class Killable:
    """tests/landing_server.py on a data directory."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.http = Http(0)

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / part) for part in ("sdk", "collector"))}
        command = [sys.executable, str(ROOT / "tests" / "landing_server.py"), str(self.data), str(self.http.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert self.process.stdout is not None
        self.http.port = int(self.process.stdout.readline())
        until(self.listens)

    def listens(self) -> bool:
        try:
            self.http.socket().close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def get(self, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.http.port, timeout=300)
        try:
            connection.request("GET", path)
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def test_kill_9_in_the_middle_of_sending_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    server = Killable(tmp_path)
    acknowledged: set[tuple[str, str]] = set()
    tried: set[tuple[str, str]] = set()
    lock = threading.Lock()

    def client(seed: int, stop: threading.Event, unanswered: list[tuple[bytes, set[tuple[str, str]]]]) -> None:
        rng = random.Random(seed)
        while not stop.is_set():
            if unanswered:
                sent, keys = unanswered.pop()
            else:
                spans = [span(rng) for _ in range(rng.choice((1, 20, 200)))]
                sent, keys = body(spans), {(one.trace_id.hex(), one.span_id.hex()) for one in spans}
            with lock:
                tried.update(keys)
            try:
                answered = server.http.post(sent).status == 200
            except OSError:
                answered = False
            except http.client.HTTPException:
                answered = False
            if answered:
                with lock:
                    acknowledged.update(keys)
            else:
                unanswered.append((sent, keys))
                time.sleep(0.02)

    left: list[list[tuple[bytes, set[tuple[str, str]]]]] = [[], []]
    rng = random.Random(11)
    for cycle in range(4):
        server.start()
        stop = threading.Event()
        threads = [threading.Thread(target=client, args=(cycle * 10 + n, stop, left[n])) for n in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.3, 1.2))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join()
    server.start()
    try:
        until(lambda: bool(server.get("/ledger")["pending"] == 0))
        found = {(row["t"], row["s"]): row["n"] for row in server.get("/spans")}
        ledger = server.get("/ledger")
    finally:
        server.kill()
    assert len(acknowledged) > 100
    assert acknowledged <= set(found)
    assert set(found) <= tried
    assert set(found.values()) == {1}
    assert ledger["stored"] == len(found)
    assert ledger["received"] == ledger["stored"] + ledger["duplicate"]
