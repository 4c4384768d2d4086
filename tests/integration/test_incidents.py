"""One incident from detector to pager: the same id and figures in alert, API, pages, command and report."""

from __future__ import annotations

import csv
import html
import io
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hand_calls import call, put
from tests.receiver import Received, receiver
from tests.web_server import Running, own_store, running

from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.query.text import usd
from outlay_collector.store import Store
from outlay_web.cache import Cache
from outlay_web.config import Settings
from outlay_web.services.anomalies import finder

NOW = datetime(2026, 3, 20, 18, 10, tzinfo=UTC)
CLOSED = NOW.replace(minute=0)
BEGAN = CLOSED - timedelta(hours=7)
HOUR = timedelta(hours=1)


def hour_of_calls(at: datetime, feature: str, noise: np.random.Generator, wordy: float = 1.0) -> list[dict[str, Any]]:
    """Eight to sixteen calls of about $0.06; `wordy` times the answer."""
    rows = []
    for k in range(12 + round(4 * math.sin(at.hour / 24 * 2 * math.pi))):
        tokens, output = round(1000 * float(noise.normal(1, 0.03))), round(200 * wordy * float(noise.normal(1, 0.03)))
        lines = {"input": f"{tokens * 1e-5:.6f}", "output": f"{output * 25e-5:.6f}"}
        cost = str(sum(map(Decimal, lines.values())))
        told = {"prompt": feature, "prompt_version": "7" if wordy > 1 else "6", "customer": ("acme", "globex")[k % 2]}
        used = {"input_tokens": tokens, "output_tokens": output, "cost_lines": lines, "cache_read_tokens": 0}
        rows.append(call(at + timedelta(minutes=k), cost, feature=feature, **told, **used))
    return rows


def fill(store: Store) -> None:
    """Three features for 37 days; the prompts of two of them change at BEGAN: their answers are three times as long."""
    noise = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for k in range(37 * 24):
        at = CLOSED - timedelta(hours=37 * 24 - k)
        for feature in ("search", "mail", "triage"):
            rows += hour_of_calls(at, feature, noise, 3.0 if at >= BEGAN and feature != "triage" else 1.0)
    put(store, *rows)


@dataclass
class World:
    """A server whose clock is set, and where its alerts go."""

    server: Running
    hook: Received
    now: datetime = NOW

    @property
    def settings(self) -> AlertSettings:
        return parse_alerts({"allow": ["127.0.0.1"], "notify": [self.hook.url], "anomaly_floor_usd": "1"})

    def round(self) -> int:
        """One round over the incidents, as the server makes it."""
        ctx = self.server.assembly.context
        ctx.cache = Cache()  # it rests after a search; time here does not pass by itself
        with ctx.own_writer() as writer:
            return evaluate.evaluate_anomalies(
                ctx.store, writer, self.now, self.settings, ("default",), finder(ctx, 300)
            )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world that is only looked at."""
    with begun(tmp_path_factory.mktemp("incidents")) as made:
        yield made


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[World]:
    """A world of its own, where time goes on."""
    with begun(tmp_path) as made:
        yield made


@contextmanager
def begun(folder: Path) -> Iterator[World]:
    with receiver() as hook:
        made = World(None, hook)  # type: ignore[arg-type]
        settings = Settings(data=folder, store_dsn=own_store(), grpc_port=-1)
        with running(settings, clock=lambda: made.now) as server:
            made.server = server
            fill(server.assembly.context.store)
            assert server.post("/api/v1/markers", {"name": "deploy 42", "at": BEGAN.isoformat()}).status == 201
            made.round()
            yield made


def the_one(world: World) -> dict[str, Any]:
    (found,) = world.server.api("/incidents").json["incidents"]
    shown: dict[str, Any] = found
    return shown


def test_two_features_that_move_together_are_one_incident_with_its_parts(world: World) -> None:
    one = the_one(world)
    assert one["scope"] == {}
    assert sorted(part["scope"]["feature"] for part in one["parts"]) == ["mail", "search"]
    assert (one["started_at"], one["ended_at"], one["ongoing"]) == (
        "2026-03-20T11:00:00Z",
        "2026-03-20T18:00:00Z",
        True,
    )
    assert one["cause"] == "each call wrote more tokens"
    for name in ("actual_usd", "expected_usd", "impact_usd"):
        assert sum(Decimal(part[name]) for part in one["parts"]) == Decimal(one[name])


def test_its_drivers_add_up_to_what_is_above_expected_and_an_interval_holds_it(world: World) -> None:
    one = the_one(world)
    above = Decimal(one["impact_usd"])
    assert above == Decimal(one["actual_usd"]) - Decimal(one["expected_usd"]) > 0
    assert abs(sum(Decimal(driver["usd"]) for driver in one["drivers"]) - above) < Decimal("0.0001")
    assert one["drivers"][0]["driver"] == "output_tokens"
    assert Decimal(one["impact_lo_usd"]) < above < Decimal(one["impact_hi_usd"])
    true = (
        Decimal("0.1") * sum(len(hour_of_calls(BEGAN + k * HOUR, "x", np.random.default_rng(0))) for k in range(7)) * 2
    )
    assert abs(above - true) < true / 10


def test_what_was_changed_around_its_start_is_said_and_traces_show_it(world: World) -> None:
    one = the_one(world)
    assert {change["name"] for change in one["changes"]} == {
        "deploy 42",
        "prompt version 7 of mail",
        "prompt version 7 of search",
    }
    assert {change["at"] for change in one["changes"]} == {"2026-03-20T11:00:00Z"}
    assert one["examples"]
    assert world.server.api(f"/traces/{one['examples'][0]}").status == 200
    listed = world.server.api("/markers", ("start", "-2d")).json["markers"]
    assert {marker["name"] for marker in listed} == {change["name"] for change in one["changes"]}


def test_alert_message_anomalies_report_and_pages_tell_the_same_id_and_figures(world: World) -> None:
    one, server = the_one(world), world.server
    above, usual = usd(one["impact_usd"]), usd(one["expected_usd"])
    (alert,) = server.api("/alerts").json["alerts"]
    assert one["alerts"] == [alert["id"]]
    assert above in alert["reason"]
    assert usual in alert["reason"]
    told = world.hook.json[0]["alerts"][0]
    assert told["generatorURL"].endswith(f"/incidents/{one['id']}")
    assert above in told["annotations"]["summary"]
    (anomaly,) = server.api("/anomalies").json["anomalies"]
    assert anomaly["id"] == one["id"]
    assert all(anomaly[name] == one[name] for name in ("actual_usd", "expected_usd", "impact_usd", "impact_hi_usd"))
    assert f"{above} more than expected" in server.api("/report", ("day", "2026-03-20")).json["text"]
    page = server.get(f"/incidents/{one['id']}").text
    for words in (above, usual, "Each call wrote more tokens", "deploy 42", "prompt version 7 of mail", "goes on"):
        assert words in page, words
    whole = server.api(f"/incidents/{one['id']}").json
    for name in ("lever", "month_end"):  # what would stop it, and where the month is heading: as in the message
        assert whole[name] == told["annotations"][name]
        assert whole[name] in html.unescape(page)
    assert whole["lever"].startswith("take back ")
    for path in ("/", "/forecast"):
        assert f"/incidents/{one['id']}" in server.get(path).text, path


def test_explain_against_what_was_expected_has_the_same_figures(world: World) -> None:
    for part in the_one(world)["parts"]:
        span = (("start", part["started_at"]), ("end", part["ended_at"]), ("feature", part["scope"]["feature"]))
        found = world.server.api("/explain", *span, ("base", "expected")).json
        assert sum(Decimal(d["usd"]) for d in found["drivers"]) == Decimal(found["change_usd"])
        assert abs(Decimal(found["change_usd"]) / Decimal(part["impact_usd"]) - 1) < Decimal("0.1")
        assert "more than expected was spent" in found["sentences"][0]
        page = world.server.get("/explain", *span, ("base", "expected")).text
        assert "what was expected" in page
        assert '<div class="tile-label">Expected</div>' in page
        assert " usually" in found["sentences"][1]
        assert not [words for words in found["sentences"] if " before" in words]


def test_explain_refuses_a_base_it_does_not_know_and_an_expectation_without_past(world: World) -> None:
    answer = world.server.api("/explain", ("base", "usual"))
    assert answer.error[2] == "base must be one of expected, previous, week_earlier, not 'usual'"
    early = (("start", "2026-02-13T00:00:00Z"), ("end", "2026-02-14T00:00:00Z"), ("base", "expected"))
    unknown = world.server.api("/explain", *early).json
    assert (unknown["change_usd"], unknown["drivers"]) == (None, [])
    assert unknown["sentences"][0].startswith("What was expected cannot be said: calls are recorded only since")
    both = (("base", "expected"), ("base_start", "-2d"), ("base_end", "-1d"))
    assert "give one of both" in world.server.api("/explain", *both).error[2]


def test_the_page_takes_the_bases_of_the_api_and_draws_spend_without_the_part_that_moved(world: World) -> None:
    span = (("start", BEGAN.isoformat()), ("end", CLOSED.isoformat()))
    for name in ("previous", "week_earlier"):
        answer, page = (at("/explain", *span, ("base", name)) for at in (world.server.api, world.server.get))
        assert page.status == 200
        assert html.escape(answer.json["sentences"][0], quote=False) in page.text.replace("&#39;", "'"), name
    (first, *_) = answer.json["slices"]
    query = (*span, ("base", "week_earlier"), ("csv", "apart"))
    rows = list(csv.DictReader(io.StringIO(world.server.get("/explain", *query).text)))
    assert len(rows) == 7
    rest = sum(Decimal(v) for row in rows for k, v in row.items() if "without" in k)
    whole = sum(Decimal(v) for row in rows for k, v in row.items() if "all" in k)
    inside = world.server.api(
        "/spend", *span, *((n, v or "") for n, v in first["where"].items()), ("interval", "total")
    )
    assert abs(whole - rest - Decimal(inside.json["total"]["cost_usd"])) < Decimal("1e-6")


def test_explain_breaks_down_by_every_dimension(world: World) -> None:
    for by in ("customer", "prompt_version", "user", "task", "experiment", "tag.plan"):
        assert world.server.get("/explain", ("by", by), ("start", "-1d")).status == 200, by
    assert "Prompt version" in world.server.get("/explain", ("by", "prompt_version"), ("start", "-1d")).text


def test_it_keeps_its_id_while_it_grows_and_ends_and_its_history_is_told(moving: World) -> None:
    world = moving
    one, server = the_one(world), world.server
    events = f"/api/v1/incidents/{one['id']}/events"
    assert [event["kind"] for event in one["history"]] == ["opened"]
    assert server.post(events, {"kind": "note", "text": " "}).error[2] == "a note needs a text"
    assert server.post(events, {"kind": "teleport"}).status == 422
    assert server.post("/api/v1/incidents/nope/events", {"kind": "resolved"}).status == 404
    assert server.post(events, {"kind": "acknowledged", "by": "ann"}).json["state"] == "acknowledged"
    assert server.post(events, {"kind": "owner", "text": "search team"}).json["owner"] == "search team"
    noted = server.post(events, {"kind": "note", "text": "rolled back", "by": "ann"}).json
    assert [note["text"] for note in noted["notes"]] == ["rolled back"]
    assert server.api("/alerts").json["alerts"][0]["acknowledged_at"]
    page = server.get(f"/incidents/{one['id']}").text
    assert "rolled back" in page
    assert re.search(r"owner\s*search team", page)

    calm, ctx = np.random.default_rng(4), server.assembly.context
    grown = [r for f in ("search", "mail") for r in hour_of_calls(CLOSED, f, calm, 3.0)]
    put(ctx.store, *grown, *hour_of_calls(CLOSED, "triage", calm))
    world.now = NOW + HOUR
    world.round()
    longer = the_one(world)
    assert (longer["id"], longer["state"]) == (one["id"], "acknowledged")
    assert Decimal(longer["impact_usd"]) > Decimal(one["impact_usd"])

    for k in range(1, 8):
        put(ctx.store, *[r for f in ("search", "mail", "triage") for r in hour_of_calls(CLOSED + k * HOUR, f, calm)])
    world.now = NOW + 8 * HOUR
    world.round()
    over = server.api(f"/incidents/{one['id']}").json
    assert (over["state"], over["ongoing"], over["ended_at"]) == ("resolved", False, "2026-03-20T19:00:00Z")
    assert [event["kind"] for event in over["history"]] == ["opened", "acknowledged", "owner", "note", "ended"]
    world.round()
    assert len(server.api(f"/incidents/{one['id']}").json["history"]) == 5
    assert [message["status"] for message in world.hook.json] == ["firing", "resolved"]
    assert server.api("/incidents", ("state", "open")).json["incidents"] == []
    assert len(server.api("/incidents", ("state", "resolved")).json["incidents"]) == 1


def test_a_marker_says_what_is_wrong_with_it(world: World) -> None:
    post = world.server.post
    assert post("/api/v1/markers", {"name": ""}).status == 422
    assert "at" in post("/api/v1/markers", {"name": "x", "at": "yesterday-ish"}).error[2]
    assert "nonsense" in post("/api/v1/markers", {"name": "x", "scope": {"nonsense": "a"}}).error[2]


def test_there_is_no_page_for_an_incident_that_is_none(world: World) -> None:
    assert world.server.get("/incidents/0123").status == 404
    assert world.server.api("/incidents/0123").status == 404
