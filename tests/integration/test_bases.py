"""What a change is measured against: the same base in messages, links and pages, and none where the past is short."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.hand_calls import call, put
from tests.receiver import Received
from tests.web_server import Running, own_store, running

from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.alerting.settings import parse_alerts
from outlay_analytics.explain.bases import against, comparable, too_little
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_collector.store import Store
from outlay_web.config import Settings

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SETTINGS = parse_alerts({"allow": ["127.0.0.1"]})
MONTH = Window(datetime(2026, 3, 1, tzinfo=UTC), NOW)


def calls(store: Store, start: datetime, end: datetime, every: timedelta = HOUR, **fields: Any) -> None:
    """A call of a cent in every hour (or so) of [start, end)."""
    given = {"feature": "search", "input_tokens": 1000, "output_tokens": 100, **fields}
    count = (end - start) // every
    put(store, *(call(start + k * every, "0.01", **given) for k in range(count)))


def scope(window: Window = MONTH, **filters: str) -> Scope:
    return Scope(window, {name: (value,) for name, value in filters.items()})


def test_the_base_is_the_same_hours_of_the_weeks_before(store: Store) -> None:
    calls(store, NOW - 50 * DAY, NOW)
    for length, weeks in ((HOUR, 1), (7 * DAY, 1), (8 * DAY, 2), (MONTH.length, 3)):
        window = Window(NOW - length, NOW)
        back = timedelta(weeks=weeks)
        assert comparable(store, scope(window)).window == Window(window.start - back, window.end - back)


@pytest.mark.parametrize(
    ("length", "back", "words"),
    [
        (7 * DAY, 7 * DAY, "the 7 days before"),
        (DAY, 7 * DAY, "the same 24 hours a week earlier"),
        (30 * DAY, 35 * DAY, "the same 30 days 5 weeks earlier"),
        (3 * HOUR, DAY, "the same 3 hours a day earlier"),
        (3 * HOUR, 50 * HOUR, "the 3 hours from 18 March 2026 07:30 UTC"),
        (3 * HOUR, -DAY, "the 3 hours from 21 March 2026 09:30 UTC"),
    ],
)
def test_what_is_compared_with_is_said_as_people_say_it(length: timedelta, back: timedelta, words: str) -> None:
    assert against(Window(NOW - length, NOW), Window(NOW - length - back, NOW - back)) == words


def test_a_young_project_has_the_time_just_before_or_nothing(store: Store) -> None:
    calls(store, NOW - 5 * DAY, NOW)
    day = Window(NOW - DAY, NOW)
    assert comparable(store, scope(day)).window == day.previous()
    refused = comparable(store, scope())
    assert refused.window is None
    assert refused.reason == (
        "calls are recorded only since 15 March 2026, too late to compare with 8 February to 27 February"
    )
    assert comparable(store, scope(EVERYTHING)).window is None
    assert comparable(store, Scope(day, project="none")).reason == "no calls are recorded yet"


def test_a_part_that_began_within_the_base_is_refused_and_one_that_is_new_is_not(store: Store) -> None:
    calls(store, NOW - 60 * DAY, NOW)
    base = Window(NOW - 14 * DAY, NOW - 7 * DAY)
    window = Window(NOW - 7 * DAY, NOW)
    calls(store, NOW - 8 * DAY, NOW, feature="late")
    calls(store, NOW - 3 * DAY, NOW, feature="new")
    calls(store, NOW - 40 * DAY, NOW, 9 * DAY, feature="rare")
    assert "only since 12 March 2026" in too_little(store, scope(window, feature="late"), base)
    for feature in ("search", "new", "rare"):
        assert too_little(store, scope(window, feature=feature), base) == ""


def test_a_base_in_which_nothing_was_recorded_is_refused(store: Store) -> None:
    calls(store, NOW - 60 * DAY, NOW - 20 * DAY)
    calls(store, NOW - 6 * DAY, NOW)
    window = Window(NOW - 5 * DAY, NOW)
    assert comparable(store, scope(window)).reason == "no calls are recorded from 8 March to 13 March"
    assert "on only 2 days from 10 March to 15 March" in too_little(store, scope(window), window.previous())
    assert comparable(store, scope(window, feature="search")).window is None


def test_a_budget_alert_says_why_it_compares_with_nothing(store: Store, hook: Received) -> None:
    calls(store, NOW - 20 * DAY, NOW)
    writer = store.writer()
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": [hook.url]}, NOW)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    (told,) = hook.json[0]["alerts"]
    reason, words = told["annotations"]["description"].split(". ", 1)
    assert reason.startswith("spent $4.68 of $1.00 (468%)")
    assert words.startswith("Why it changed cannot be said: calls are recorded only since 28 February 2026, too late ")
    assert "base_start" not in told["generatorURL"]


def test_what_is_told_again_is_worded_from_the_new_amounts(store: Store, hook: Received) -> None:
    calls(store, NOW - 60 * DAY, NOW)
    writer = store.writer()
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": [hook.url]}, NOW)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    later = NOW + timedelta(hours=25)
    calls(store, NOW, later, timedelta(minutes=6))
    evaluate.evaluate(store, writer, later, replace(SETTINGS, repeat=DAY))
    for body, amount, end in zip(hook.json, ("$4.68", "$7.18"), (NOW, later), strict=True):
        words = body["alerts"][0]["annotations"]["description"]
        assert words.startswith(f"spent {amount} of $1.00")
        assert f"to {amount}." in words or f"stayed at {amount}" in words
        asked = parse_qs(urlsplit(body["alerts"][0]["generatorURL"]).query)
        assert asked["end"] == [end.isoformat().replace("+00:00", "Z")]
        spans = [
            datetime.fromisoformat(asked[f"{name}end"][0]) - datetime.fromisoformat(asked[f"{name}start"][0])
            for name in ("", "base_")
        ]
        assert spans[0] == spans[1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1)) as found:
        yield found


def test_the_page_behind_a_messages_link_shows_the_messages_figures(server: Running, hook: Received) -> None:
    store = server.assembly.store
    calls(store, NOW - 60 * DAY, NOW)
    calls(store, NOW - 6 * HOUR, NOW, timedelta(minutes=1))
    writer = store.writer()
    put_budget(store, writer, "default", "b", {"amount_usd": "1", "notify": [hook.url]}, NOW)
    evaluate.evaluate(store, writer, NOW, SETTINGS)
    told = hook.json[0]["alerts"][0]
    link = urlsplit(told["generatorURL"])
    page = html.unescape(server.get(f"{link.path}?{link.query}").text)
    words = re.findall(r"(Spend [a-z]+ .*?\$.*?)\.(?: |$)", told["annotations"]["description"])
    assert words
    assert words[0] in page
    path = server.api("/alerts").json["alerts"][0]["explain"]
    assert path == f"{link.path}?{link.query}"
    assert html.escape(path) in server.get("/alerts").text


def test_the_page_refuses_a_base_before_the_first_call_and_takes_one_that_is_named(server: Running) -> None:
    now = server.assembly.context.now()
    calls(server.assembly.store, now - 20 * DAY, now, project="young")
    page = server.get("/explain", ("start", "-19d"), ("project", "young")).text
    assert "Nothing to compare with yet" in page
    assert "Calls are recorded only since" in page
    assert "figure-drivers" not in page
    base = (("base_start", "-38d"), ("base_end", "-19d"))
    named = server.get("/explain", ("start", "-19d"), ("project", "young"), *base).text
    assert "Take care: calls are recorded only since" in named
    assert "figure-drivers" in named
    assert server.get("/explain", ("start", "1970-01-01T00:00:00Z")).status == 200


@pytest.mark.parametrize("interval", ["day", "hour"])
def test_spend_explain_and_a_bar_of_the_chart_show_the_same_change(server: Running, interval: str) -> None:
    """Twice as dear as the week before, alike with the time just before: every figure speaks of the former."""
    now, project = server.assembly.context.now(), f"twice-{interval}"
    calls(server.assembly.store, now - 30 * DAY, now - 4 * DAY, project=project)
    for _ in range(2):
        calls(server.assembly.store, now - 4 * DAY, now, project=project, user=f"u{_}")
    given = [("project", project), ("start", "-2d"), ("interval", interval)]
    page = html.unescape(server.get("/spend", *given).text)
    assert change_of(page, server) > 50
    twin = re.search(r"<table[^>]*><caption[^>]*>Cost by feature.*?</table>", page, re.DOTALL)
    assert twin is not None
    bars = re.findall(r'<tr><th[^>]*><a href="([^"]+)"', twin[0])
    bar = bars[len(bars) // 2]
    assert urlsplit(bar).path == {"day": "/spend", "hour": "/calls"}[interval]
    assert change_of(html.unescape(server.get(re.sub("^/calls", "/spend", bar)).text), server) > 50
    assert change_of(html.unescape(server.get("/", *given).text), server, "By feature") > 50


def change_of(page: str, server: Running, heading: str = "Who spent what") -> float:
    """Percent that the only feature's row of a table changed by; the explanation that it leads to says the same."""
    section = re.search(rf'<section class="card" aria-label="{heading}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert section is not None
    change = re.search(r'<span class="num delta[^>]*>([^<]*)</span>', section[1])
    link = re.search(r'href="(/explain[^"]+)"', section[1])
    assert change is not None
    assert link is not None
    tiles = html.unescape(server.get(link[1]).text)
    assert f">{change[1]}</span>" in tiles
    return float(re.sub(r"[^\d.+-]", "", change[1]))
