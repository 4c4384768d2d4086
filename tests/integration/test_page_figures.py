"""What pages make of figures: unknown is neither new nor cheap, changes name their base, words are words."""

from __future__ import annotations

import csv
import io
import re
import tomllib
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.integration.test_cascades import world
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings
from outlay_web.pages.reconcile import proposal_text

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1)) as found:
        yield found


def unpriced(at: Any, **fields: Any) -> dict[str, Any]:
    return call(at, None, cost_state="unpriced", model="mystery", **fields)


def changes(page: str, heading: str) -> dict[str, str]:
    """The words in the column of changes, by the name of the row."""
    section = re.search(rf'aria-label="{heading}">.*?<thead>(.*?)</thead>.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert section is not None
    heads = [re.sub(r"<[^>]+>", "", head).strip() for head in re.findall(r"<th.*?</th>", section[1], re.DOTALL)]
    rows = re.findall(r"<tr.*?</tr>", section[2], re.DOTALL)
    cells = [
        [re.sub(r"<[^>]+>", "", one).strip() for one in re.findall(r"<t[dh].*?</t[dh]>", r, re.DOTALL)] for r in rows
    ]
    return {row[0]: row[heads.index("Change")] for row in cells}


def test_what_cost_an_unknown_amount_before_is_not_new(server: Running) -> None:
    now, store = server.assembly.context.now(), server.assembly.store
    about = {"project": "new"}
    put(store, *(call(now - k * DAY / 2, "0.01", feature="old", **about) for k in range(1, 60)))
    put(store, unpriced(now - 8 * DAY, feature="known by now", **about))
    put(store, call(now - 2 * DAY, "0.01", feature="known by now", **about))
    put(store, call(now - 2 * DAY, "0.01", feature="fresh", **about))
    for path, heading in (("/spend", "Who spent what"), ("/", "By feature")):
        found = changes(server.get(path, ("project", "new"), ("start", "-7d")).text, heading)
        assert (found["known by now"], found["fresh"]) == ("–", "new"), path


def test_what_a_call_costs_counts_only_calls_whose_cost_is_known(server: Running) -> None:
    now, store = server.assembly.context.now(), server.assembly.store
    put(store, *(call(now - DAY, "0.30", project="half") for _ in range(2)))
    put(store, *(unpriced(now - DAY, project="half") for _ in range(6)))
    for path in ("/", "/spend"):
        page = server.get(path, ("project", "half"), ("start", "-7d")).text
        tile = re.search(
            r'<div class="tile-label">Per call</div>\s*<div class="tile-value">(.*?)</div>', page, re.DOTALL
        )
        assert tile is not None
        assert "$0.30" in tile[1], path


@pytest.mark.parametrize(
    ("start", "words"),
    [("-24h", "against the same 24 hours a week earlier"), ("-21d", "last 7 days against the 7 days before")],
)
def test_overview_says_which_time_is_explained_against_which(server: Running, start: str, words: str) -> None:
    now, store = server.assembly.context.now(), server.assembly.store
    put(store, *(call(now - k * DAY / 4, "0.01", project=f"why{start}") for k in range(1, 240)))
    page = server.get("/", ("project", f"why{start}"), ("start", start)).text
    assert words in page
    told = re.search(r'class="tile-change" title="([^"]+)"', page)
    assert told is not None
    assert told[1].startswith("Against ")


def test_a_change_from_an_unknown_cost_is_not_shown_as_an_amount(server: Running) -> None:
    now, store = server.assembly.context.now(), server.assembly.store
    put(store, *(unpriced(now - k * DAY / 2, project="blind") for k in range(14, 60)))
    put(store, *(call(now - k * DAY / 2, "0.01", project="blind") for k in range(1, 14)))
    page = server.get("/explain", ("project", "blind"), ("start", "-7d")).text
    assert "the change is not known" in page
    assert "figure-drivers" not in page
    assert "Largest driver" not in page
    tile = re.search(r'<div class="tile-label">Change</div>\s*<div class="tile-value">(.*?)</div>', page, re.DOTALL)
    assert tile is not None
    assert "–" in tile[1]
    overview = server.get("/", ("project", "blind"), ("start", "-7d")).text
    assert "none of the earlier calls has a known cost" in overview
    assert "figure-drivers" not in overview


def test_the_tables_of_overview_add_up_with_what_they_leave_out(server: Running) -> None:
    now, store = server.assembly.context.now(), server.assembly.store
    put(store, *(call(now - DAY, f"0.{k:02}", project="many", feature=f"f{k}") for k in range(1, 11)))
    answer = server.get("/", ("project", "many"), ("start", "-7d"), ("csv", "top-feature")).text
    rows = list(csv.DictReader(io.StringIO(answer)))
    assert (len(rows), rows[-1]["feature"]) == (7, "4 others")
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal("0.55")


def test_no_page_shows_its_own_markup(server: Running) -> None:
    """Of five runs of a cascade one failed before anybody counted it."""
    failed = {"cost_state": "not_billed", "status": "error", "cascade_run_id": "r5", "cascade_outcome": "failed"}
    known = {"cascade_name": "triage", "cascade_tier": 0, "model": "gpt-5-mini"}
    put(server.assembly.store, *world(), call(timedelta(hours=5), "0", **failed, **known))
    march = (("start", "2026-03-01T00:00:00Z"), ("end", "2026-03-20T00:00:00Z"))
    for path in (
        "/",
        "/spend",
        "/explain",
        "/quality",
        "/tradeoff",
        "/routing",
        "/experiments",
        "/caching",
        "/cascades",
        "/forecast",
        "/calls",
        "/alerts",
        "/settings",
    ):
        page = server.get(path, *march).text
        assert "&lt;span" not in page, path
        assert "&lt;time" not in page, path
    assert "; over the 4 runs whose cost is known" in server.get("/cascades", *march).text


def test_a_proposed_discount_is_valid_toml_whatever_the_bill_calls_its_model() -> None:
    odd = 'a "b"\\ \n[[discounts]]'
    one = {"provider": odd, "model": odd, "discount": Decimal("0.1"), "valid_from": "2026-11-01"}
    (row,) = tomllib.loads(proposal_text(one))["discounts"]
    assert (row["provider"], row["model"]) == (odd, odd)
