"""Leases over HTTP, on a cluster: a number is given once, who lost it writes and sends nothing, another goes on."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clickhouse_cluster import ClickHouseCluster
from tests.conftest import ENGINE_PATH
from tests.receiver import Received
from tests.unit.collector.test_lease import Clock

from outlay.errors import StoreError
from outlay_analytics.alerting import outbox
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.notify.messages import Message
from outlay_collector.settle import Settler
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.clock import utc_now
from outlay_collector.store.lease import LEASE_S, Lease, StoredClaims, lease_on
from outlay_web.config import Config, Settings
from outlay_web.server.application import Application

OUTBOUND = parse_alerts({"allow": ["127.0.0.1"]}).outbound


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    """A migrated database on a cluster of one shard."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with ClickHouseCluster(str(ENGINE_PATH)) as server:
        made = open_store(server.dsn(name, "one"))
        migrate(made)
        yield server.dsn(name, "one")
        made.writer().run(f"DROP DATABASE {name} SYNC")
        made.close()


@pytest.fixture
def stores(dsn: str) -> Iterator[tuple[Store, Store]]:
    """The same database as two processes see it."""
    opened = open_store(dsn), open_store(dsn)
    yield opened
    for store in opened:
        store.close()


def pair(stores: tuple[Store, Store]) -> tuple[Clock, Lease, Lease]:
    name, clock = uuid.uuid4().hex, Clock()
    first, second = (Lease(name, StoredClaims(store, name), clock=clock) for store in stores)
    return clock, first, second


def test_a_number_is_given_once_however_many_claim_it(stores: tuple[Store, Store]) -> None:
    name = uuid.uuid4().hex
    told: dict[str, str] = {}

    def claim(holder: str, store: Store) -> None:
        claims = StoredClaims(store, name)
        start.wait()
        told[holder] = claims.claim(7, holder).holder

    start = threading.Barrier(6)
    threads = [threading.Thread(target=claim, args=(f"p{k}", stores[k % 2])) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 6
    assert len(set(told.values())) == 1
    rows = stores[0].query("SELECT count() AS n FROM leases WHERE name = {name:String}", {"name": name})
    assert rows == [{"n": 1}]


def test_a_standby_takes_over_and_who_was_fenced_writes_nothing(stores: tuple[Store, Store]) -> None:
    clock, first, second = pair(stores)
    old, new = stores[0].fenced(first.check).writer(), stores[1].fenced(second.check).writer()
    assert first.take()
    assert not second.take()
    old.insert("silences", [{"project": "lease", "fingerprint": "old"}])
    with pytest.raises(StoreError, match="has ended"):
        new.insert("silences", [{"project": "lease", "fingerprint": "new"}])
    clock.now += LEASE_S
    assert second.take()
    new.insert("silences", [{"project": "lease", "fingerprint": "new"}])
    with pytest.raises(StoreError, match="has ended"):
        old.insert("silences", [{"project": "lease", "fingerprint": "late"}])
    assert not first.take()
    found = stores[0].query("SELECT fingerprint FROM silences FINAL WHERE project = 'lease' ORDER BY fingerprint")
    assert [row["fingerprint"] for row in found] == ["new", "old"]


def test_a_message_that_two_processes_hold_goes_out_once(stores: tuple[Store, Store], hook: Received) -> None:
    clock, first, second = pair(stores)
    writers = [store.fenced(lease.check).writer() for store, lease in zip(stores, (first, second), strict=True)]
    now = utc_now()
    message = Message(uuid.uuid4().hex, "g", "firing", "title", (), "http://x", "http://x")
    first.take()
    second.take()
    outbox.intend(writers[0], "default", message, [hook.url], now)
    clock.now += LEASE_S  # the first slept with its message unsent
    assert second.take()
    with pytest.raises(StoreError, match="has ended"):
        outbox.deliver(stores[0], writers[0], now, {}, OUTBOUND)
    assert hook.bodies == []
    assert outbox.deliver(stores[1], writers[1], now, {}, OUTBOUND) == 1
    with pytest.raises(StoreError, match="has ended"):
        outbox.intend(writers[0], "default", message, [hook.url], now)
    assert outbox.deliver(stores[0], writers[0], now, {}, OUTBOUND) == 0
    assert len(hook.bodies) == 1


def test_a_lease_is_kept_in_the_background_and_given_to_who_waits(stores: tuple[Store, Store]) -> None:
    name = uuid.uuid4().hex
    first, second = lease_on(stores[0], name), lease_on(stores[1], name)
    first.wait()
    begun = threading.Event()
    second.keep(begun.set)
    assert not second.held()
    first.release()
    assert begun.wait(60)
    assert second.held()
    assert not first.held()
    second.release()


def test_jobs_go_on_in_another_process_when_theirs_ends(dsn: str, tmp_path: Path) -> None:
    def jobs(name: str) -> Application:
        settings = Settings(data=tmp_path / name, store_dsn=dsn, grpc_port=-1, roles=("jobs",))
        return Application(Config(settings, {}), command="serve")

    def settles(assembly: Application) -> bool:
        assert assembly.context.run_task is not None
        return isinstance(assembly.context.run_task(lambda settler: settler), Settler)

    first, second = jobs("first"), jobs("second")
    try:
        first.lease.wait()
        first.start()
        second.start()
        assert settles(first)
        with pytest.raises(StoreError, match="lease of jobs"):
            settles(second)
        first.close(60)
        second.lease.wait()
        assert settles(second)
    finally:
        first.close(60)
        second.close(60)
