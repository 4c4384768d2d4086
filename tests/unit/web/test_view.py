"""A page's URL: what a form means by it, and the links that lead on from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.requests import Request

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.holidays import NO_HOLIDAYS
from outlay_web.http.context import Context
from outlay_web.pages.address import canonical
from outlay_web.pages.parts import trace_href
from outlay_web.pages.slices import slices_table
from outlay_web.pages.view import View, read_view

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)


def request(query: str, path: str = "/spend") -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost:4318")],
            "state": {"project": "default"},
            "scheme": "http",
            "server": ("localhost", 4318),
            "root_path": "",
        }
    )


def view(query: str, path: str = "/spend", **options: Any) -> View:
    settings = SimpleNamespace(public_url="")
    ctx = cast(Context, SimpleNamespace(config={}, now=lambda: NOW, settings=settings, holidays=NO_HOLIDAYS))
    return read_view(ctx, request(query, path), ("group_by", "interval", "cursor", "base_start", "base_end"), **options)


def pairs(address: str | None) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(address or "").query, keep_blank_values=True)


@pytest.mark.parametrize(
    "query", ["", "start=-7d", "feature=", "group_by=feature%2Cmodel", "feature=a&feature=b&tag.plan=x"]
)
def test_a_clean_address_is_left_alone(query: str) -> None:
    assert canonical(request(query)) is None


def test_a_forms_empty_fields_vanish_and_its_groups_join() -> None:
    better = canonical(request("start=-7d&interval=&group_by=feature&group_by=model&measure="))
    assert pairs(better) == [("start", "-7d"), ("group_by", "feature,model")]
    assert canonical(request(urlsplit(better or "").query)) is None


def test_a_filter_of_the_form_becomes_a_parameter_of_its_own() -> None:
    assert pairs(canonical(request("team=x&dim=feature&value=a+%26+b"))) == [("team", "x"), ("feature", "a & b")]
    assert pairs(canonical(request("dim=tag&value=plan%3Dpro"))) == [("tag.plan", "pro")]


def test_a_forms_local_time_is_read_in_the_readers_zone() -> None:
    better = canonical(request("timezone=Europe/Berlin&start=2026-07-01T00:00&end=2026-07-02T12:30"))
    assert ("start", "2026-06-30T22:00:00Z") in pairs(better)
    assert ("end", "2026-07-02T10:30:00Z") in pairs(better)


def test_links_to_other_pages_keep_window_and_filters_and_nothing_else() -> None:
    shown = view("start=-7d&feature=a&tag.plan=pro&group_by=model&interval=day&cursor=c")
    assert pairs(shown.to("/calls")) == [("start", "-7d"), ("feature", "a"), ("tag.plan", "pro")]
    assert pairs(shown.to("/calls", start=None, status="error")) == [
        ("feature", "a"),
        ("tag.plan", "pro"),
        ("status", "error"),
    ]


def test_a_trace_is_left_for_the_same_project_window_and_filters() -> None:
    href = trace_href(view("project=shop&start=-7d&feature=a&group_by=model"), "ab" * 16, "cd" * 8)
    assert urlsplit(href).path == "/traces/" + "ab" * 16
    assert urlsplit(href).fragment == "span-" + "cd" * 8
    assert pairs(href) == [("project", "shop"), ("start", "-7d"), ("feature", "a")]


def test_changing_something_starts_paging_again() -> None:
    assert pairs(view("start=-7d&cursor=c", "/calls").here(start="-30d")) == [("start", "-30d")]


def test_another_window_drops_the_base_that_belonged_to_the_old_one() -> None:
    based = view("start=-24h&base_start=-48h&base_end=-24h&feature=a", "/explain")
    for address in (
        based.here(start="-7d", end=None),
        based.between(NOW - timedelta(days=3), NOW),
        *(link.href for link in based.ranges),
    ):
        assert {name for name, _ in pairs(address)} <= {"start", "end", "feature"}
    assert based.hidden("start", "end", "interval") == [("feature", "a")]
    kept = [("start", "-24h"), ("base_start", "-48h"), ("base_end", "-24h"), ("feature", "b")]
    assert pairs(based.narrowed("feature", "b")) == kept
    again = based.here(start="-7d", base_start="-14d", base_end="-7d")
    assert pairs(again) == [("start", "-7d"), ("base_start", "-14d"), ("base_end", "-7d"), ("feature", "a")]


def test_narrowing_replaces_the_filter_of_that_name() -> None:
    shown = view("feature=a&feature=b&group_by=feature")
    assert pairs(shown.narrowed("feature", "c")) == [("feature", "c"), ("group_by", "feature")]
    assert pairs(shown.narrowed("feature", None)) == [("feature", ""), ("group_by", "feature")]


def test_each_filter_is_a_chip_whose_link_takes_only_it_away() -> None:
    chips = view("feature=a&feature=b").chips
    assert [(name, value, pairs(without)) for name, value, without in chips] == [
        ("feature", "a", [("feature", "b")]),
        ("feature", "b", [("feature", "a")]),
    ]


@pytest.mark.parametrize(
    ("start", "interval"),
    [("-24h", "hour"), ("-72h", "hour"), ("-7d", "day"), ("-90d", "day"), ("-365d", "week"), ("-800d", "month")],
)
def test_the_step_suits_the_window(start: str, interval: str) -> None:
    shown = view(f"start={start}")
    assert shown.interval == interval
    assert 2 <= len(shown.steps) <= 110


def test_the_default_range_is_marked_as_chosen() -> None:
    assert [link.label for link in view("").ranges if link.on] == ["30 d"]
    assert [link.label for link in view("", default_days=7).ranges if link.on] == ["7 d"]
    assert [link.label for link in view("start=2026-11-01").ranges if link.on] == []


def test_a_step_of_a_chart_leads_to_its_own_window() -> None:
    shown = view("start=-7d&feature=a&interval=day")
    step = shown.steps[2]
    assert pairs(shown.at(step)) == [
        ("start", step.start.strftime("%Y-%m-%dT%H:%M:%SZ")),
        ("feature", "a"),
        ("end", (step.start + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")),
    ]


@pytest.mark.parametrize(
    "query", ["group_by=cost", "group_by=feature,team,model", "interval=year", "interval=hour&start=-90d", "nonsense=1"]
)
def test_what_makes_no_sense_is_refused_with_its_name(query: str) -> None:
    with pytest.raises(BadRequest, match=query.partition("=")[0]):
        read_all(query)


def read_all(query: str) -> None:
    shown = view(query)
    _ = (shown.groups("feature"), shown.interval)


@pytest.mark.parametrize("start", ["2026-11-01T00:00:00-05:00", "2026-11-01T05:00:00z"])
def test_an_instant_with_an_offset_of_its_own_is_not_taken_for_local_time(start: str) -> None:
    query = f"start={start}&end=now&timezone=Asia/Tokyo"
    assert canonical(request(query)) is None
    assert view(query).window.start == datetime(2026, 11, 1, 5, tzinfo=UTC)


def test_no_share_of_a_change_is_more_than_all_of_it() -> None:
    slices = [{"where": {"model": "m"}, "change_usd": Decimal(-3), "share": share} for share in (3.06, 0.4, -0.2)]
    table = slices_table(view(""), slices)
    assert table is not None
    html = table.html()
    assert "306" not in html
    assert [text in html for text in ("all of it; other parts went against it", "40%", "against it")] == [True] * 3
