"""The same loading through ClickHouse's HTTP protocol: sessions, raw inserts, the ledger and a restart."""

from __future__ import annotations

import random
import uuid
from pathlib import Path

from tests.clickhouse_http import ClickHouseHttp
from tests.conftest import ENGINE_PATH
from tests.landing import collector
from tests.otlp_bodies import body, logs_body, span

from outlay_collector.store import migrate, open_store


def test_spans_and_logs_land_once_through_http(tmp_path: Path) -> None:
    rng = random.Random(4)
    spans = [span(rng, {"list": ["a", 'b"'], "n": 1, "f": 0.5}) for _ in range(40)]
    evaluation = {"gen_ai.evaluation.name": "ok", "gen_ai.evaluation.score.value": 0.5}
    log = {"trace_id": spans[0].trace_id, "event_name": "gen_ai.evaluation.result", "attributes": evaluation}
    database = f"test_{uuid.uuid4().hex[:12]}"
    with ClickHouseHttp(str(ENGINE_PATH)) as server:
        store = open_store(server.dsn(database))
        migrate(store)
        with collector(store, tmp_path / "spool") as first:
            assert first.loader.seen is None
            first.send(body(spans[:30]))
            first.load()
        with collector(store, tmp_path / "spool") as second:
            second.send(body(spans[20:]))
            second.send(logs_body([log]), kind="logs")
            second.load()
            ledger = second.ledger()
            assert (ledger["received"], ledger["stored"], ledger["duplicate"]) == (50, 40, 10)
            assert ledger["logs_stored"] == 1
            assert [row["attributes"] for row in second.spans()] == [
                {"list": '["a","b\\""]', "n": "1", "f": "0.5"}
            ] * 40
            assert store.query("SELECT value FROM scores FINAL") == [{"value": 0.5}]
        store.writer().run(f"DROP DATABASE {database} SYNC")
        store.close()
