"""Plans laid over a forecast, and incidents taken out of what it learns, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from outlay_analytics.forecast.overlays import laid_over, parse_overlays
from outlay_analytics.forecast.projection import NAMES
from outlay_analytics.query.calendar import Series
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.incident_excess import Added, excess_in
from outlay_analytics.query.window import Window

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS: list[dict[str, Any]] = [
    {"time": NOW.replace(hour=0) + k * DAY, **{f"{name}_usd": Decimal(10) for name in NAMES}} for k in range(5)
]


def means(*texts: str) -> list[Decimal]:
    rows = laid_over(ROWS, parse_overlays(texts, NOW, "UTC"), "day", "UTC")
    assert all(len({row[f"{name}_usd"] for name in NAMES}) == 1 for row in rows)  # bounds move with the mean
    return [row["mean_usd"] for row in rows]


def test_plans_change_their_days_and_no_others() -> None:
    assert means("2026-03-22:+25%:launch") == [10, 10, Decimal("12.5"), Decimal("12.5"), Decimal("12.5")]
    assert means("2026-03-21..2026-03-22:-4usd") == [10, 6, 6, 10, 10]
    assert means("2026-03-21:+100%", "2026-03-23:-50%:smaller model", "2026-03-24:+1usd") == [10, 20, 20, 10, 11]
    assert means("2026-03-21:-15usd") == [10, 0, 0, 0, 0]  # nobody is paid for calling less


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("moon", "overlay 'moon' cannot be read; write it as 2026-12-01:+25%:launch"),
        ("2026-03-32:+5%", "day is out of range for month"),
        ("2026-03-20:+5%", "begins on 2026-03-20; it is about what is to come, from 2026-03-21 on"),
        ("2026-03-25..2026-03-22:+5%", "ends before it begins"),
        ("2026-03-25:-101%", "takes more than all of it; the least is -100%"),
    ],
)
def test_a_plan_that_cannot_be_says_why(text: str, said: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_overlays([text], NOW, "UTC")
    assert said in str(refused.value)


def test_what_an_incident_added_is_taken_out_of_what_is_learned_of_its_days() -> None:
    """$24 over six hours from 21:00: half of them on the first day."""
    times = [NOW.replace(hour=0) + k * DAY for k in range(3)]
    begin = NOW.replace(hour=21)
    found = excess_in(times, [Added({}, Window(begin, begin + timedelta(hours=6)), Decimal(24))])
    assert found == {times[0]: Decimal(12), times[1]: Decimal(12)}
    series = Series(times, [Decimal(30), Decimal(5), Decimal(7)], excess=found)
    assert list(series.values) == [30, 5, 7]
    assert list(series.learned) == [18, 0, 7]
    assert series.since_first().until(times[1]).excess_note() == "$12.00 that incidents added are not learned from"
    assert Series(times, [Decimal(1)] * 3).excess_note() == ""
