"""Windows, filters and dimensions as a question names them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_analytics.query.dimensions import DIMENSIONS, check_groups, dimension_value
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.window import Window, check_interval, parse_window

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def test_the_default_is_the_last_thirty_days() -> None:
    assert parse_window(None, None, NOW) == Window(NOW - 30 * DAY, NOW)


def test_an_end_alone_has_the_thirty_days_before_it() -> None:
    end = datetime(2026, 2, 1, tzinfo=UTC)
    assert parse_window(None, "2026-02-01", NOW) == Window(end - 30 * DAY, end)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("now", NOW),
        ("-24h", NOW - DAY),
        ("-2w", NOW - 14 * DAY),
        ("-15m", NOW - timedelta(minutes=15)),
        ("2026-03-01T00:00:00Z", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T00:00:00+02:00", datetime(2026, 2, 28, 22, tzinfo=UTC)),
        ("2026-03-01T00:00:00 02:00", datetime(2026, 2, 28, 22, tzinfo=UTC)),
        ("2026-03-01T00:00:00-05:30", datetime(2026, 3, 1, 5, 30, tzinfo=UTC)),
        ("2026-03-01T00:00:00.123456789Z", datetime(2026, 3, 1, microsecond=123456, tzinfo=UTC)),
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
    ],
)
def test_instants_are_read(text: str, instant: datetime) -> None:
    assert parse_window(text, "now", NOW).start == instant


@pytest.mark.parametrize(
    "text",
    [
        "yesterday", "2026-13-01", "2026-03-01T00:00:00", "-5y", "--1d", "-1", "٢٠٢٦-٠٣-٠١", "2026-03-01T25:00:00Z",
        "0001-01-01T00:00:00+14:00", "1960-01-01", "9999-12-31", "-999999w", "2026-03-01T00:00:00Z; DROP",
    ],
)  # fmt: skip
def test_what_is_no_instant_is_refused_with_its_name(text: str) -> None:
    with pytest.raises(BadRequest, match="start"):
        parse_window(text, None, NOW)


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadRequest, match="after end"):
        parse_window("2026-03-02", "2026-03-01", NOW)


def test_the_previous_window_is_as_long_and_just_before() -> None:
    window = Window(NOW, NOW + 3 * DAY)
    assert window.previous() == Window(NOW - 3 * DAY, NOW)


@given(st.text(max_size=40))
def test_any_text_is_an_instant_or_a_bad_request(text: str) -> None:
    try:
        window = parse_window(text, None, NOW)
    except BadRequest:
        return
    assert window.start.tzinfo is UTC


def test_an_unknown_filter_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(BadRequest, match="'featur' is not a dimension; allowed: feature, team"):
        Scope(Window(NOW, NOW), {"featur": ("a",)})


def test_a_tag_needs_a_key() -> None:
    with pytest.raises(BadRequest):
        Scope(Window(NOW, NOW), {"tag.": ("a",)})


def test_an_unknown_zone_is_refused() -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "localtime", "UTC\0"):
        with pytest.raises(BadRequest, match="timezone"):
            Scope(Window(NOW, NOW), timezone=name)


def test_groups_are_known_distinct_and_few() -> None:
    assert check_groups(("feature", "tag.plan")) == ("feature", "tag.plan")
    for bad in (["user; DROP"], ["feature", "feature"], list(DIMENSIONS)[:9]):
        with pytest.raises(BadRequest, match="group_by"):
            check_groups(bad)


def test_an_unknown_interval_is_refused() -> None:
    assert check_interval("week") == "week"
    with pytest.raises(BadRequest, match="interval must be one of hour, day"):
        check_interval("minute")


def test_values_and_tag_keys_never_become_sql() -> None:
    params: dict[str, Any] = {}
    evil = "x'] OR 1=1 --"
    sql = filter_sql(Scope(Window(NOW, NOW), {f"tag.{evil}": (evil,), "feature": (evil,)}), "calls", params)
    assert sql is not None
    assert "OR 1=1" not in sql
    assert evil in params.values()


def test_the_rollup_says_when_it_cannot_filter() -> None:
    scope = Scope(Window(NOW, NOW), {"user": ("u1",)})
    assert filter_sql(scope, "rollup", {}) is None
    assert filter_sql(scope, "calls", {}) is not None


def test_an_unknown_value_is_none_and_a_tier_is_a_number() -> None:
    assert dimension_value("feature", "") is None
    assert dimension_value("cascade_tier", "0") == 0
    assert dimension_value("tag.n", "0") == "0"
