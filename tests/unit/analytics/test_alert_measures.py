"""What a rule compares its window with: weeks that do not overlap it, and none from before there was anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_analytics.alerting.measures import _at, fires
from outlay_analytics.alerting.rule_value import RuleValue
from outlay_analytics.alerting.rules import read_rule
from outlay_analytics.alerting.sums import Sums
from outlay_analytics.query.window import Window

NOW = datetime(2026, 3, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class World:
    """Hours at so many dollars and ten times as many calls; the argument is how many hours ago each is."""

    level: Callable[[int], int]

    def sums(self, window: Window) -> Sums:
        ago = [(NOW - window.start) // HOUR - 1 - k for k in range(window.length // HOUR)]
        dollars = sum(map(self.level, ago))
        return Sums(usd=Decimal(dollars), calls=10 * dollars, priced=10 * dollars, errors=dollars)

    def first(self, window: Window) -> datetime | None:
        hours = [window.start + k * HOUR for k in range(window.length // HOUR)]
        return next((at for at in hours if self.level((NOW - at) // HOUR - 1)), None)


def measured(kind: str, window: str, level: Callable[[int], int]) -> RuleValue:
    return _at(read_rule("r", {"kind": kind, "threshold": "0.5", "window": window}), NOW, World(level))


def test_a_window_longer_than_a_week_is_compared_with_time_before_it() -> None:
    assert measured("above_usual", "30d", lambda ago: 3 if ago < 720 else 1).value == 3
    assert measured("no_data", "30d", lambda ago: 0 if ago < 360 else 1).value == Decimal("0.5")
    assert measured("above_usual", "7d", lambda ago: 3 if ago < 168 else 1).value == 3


def test_a_week_that_began_before_the_first_call_is_not_usual() -> None:
    found = measured("above_usual", "7d", lambda ago: 1 if ago < 192 else 0)
    assert (found.value, found.words) == (None, "no spend in the same hours of the weeks before")
    assert measured("above_usual", "24h", lambda ago: 1 if ago < 192 else 0).value == 1
    assert measured("no_data", "7d", lambda ago: 1 if ago < 192 else 0).value is None


def test_a_share_of_just_the_threshold_is_not_above_it() -> None:
    """A tenth has no float: 0.1 as one is a little more."""
    rule = read_rule("r", {"kind": "error_share", "threshold": "0.1"})
    assert not fires(rule, _at(rule, NOW, World(lambda _: 1)))


def test_spend_of_calls_without_a_known_cost_is_not_zero() -> None:
    class Unpriced(World):
        def sums(self, window: Window) -> Sums:
            return Sums(calls=20)

    found = _at(read_rule("r", {"kind": "spend_usd", "threshold": "1"}), NOW, Unpriced(lambda _: 1))
    assert (found.value, found.words) == (None, "no call has a known cost in 24 hours")
