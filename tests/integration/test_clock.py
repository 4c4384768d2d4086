"""A server's clock can be set: windows, forecasts and budgets are of its moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.web_server import own_store, running

from outlay_web.config import Settings


def test_windows_forecasts_and_budgets_are_of_the_moment_that_is_set(tmp_path: Path) -> None:
    moment = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1), clock=lambda: moment) as server:
        assert server.post("/api/v1/budgets/all", {"amount_usd": "10"}, method="PUT").status == 200
        (budget,) = server.api("/budgets").json["budgets"]
        assert budget["window"] == {"start": "2026-03-01T00:00:00Z", "end": "2026-04-01T00:00:00Z"}
        assert budget["elapsed_ratio"] == (19 * 24 + 12.5) / (31 * 24)
        assert server.api("/spend").json["window"]["end"] == "2026-03-20T12:30:00Z"
        assert server.api("/forecast").json["as_of"] == "2026-03-20T12:30:00Z"
