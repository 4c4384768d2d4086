"""Rules that tell of a price before it changes: over a price list with dates, by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put

from outlay.errors import ConfigError
from outlay_analytics.alerting.measures import fires, measure
from outlay_analytics.alerting.preview import preview
from outlay_analytics.alerting.rules import AlertRule, read_rule
from outlay_analytics.alerting.sums import Asked
from outlay_analytics.query.errors import BadRequest
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

NOW = datetime(2026, 3, 20, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def rule(threshold: str = "0.1", **more: Any) -> AlertRule:
    return read_rule("r", {"kind": "price_change", "threshold": threshold, "window": "7d", **more})


def price(model: str, valid_from: datetime, input_usd: str, output_usd: str = "4") -> dict[str, Any]:
    return {
        "provider": "nimbus",
        "model": model,
        "valid_from": valid_from.isoformat(),
        "source": "a letter",
        "input_usd_per_mtok": input_usd,
        "output_usd_per_mtok": output_usd,
    }


@pytest.fixture
def world(store: Store, writer: Writer) -> Store:
    """Of four models one gets dearer in five days, one did ten days ago, one is not used, one stays as it is."""
    book = PriceBook(store)
    first = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [price(model, first, "1") for model in ("soon", "past", "unused", "same")]
    rows += [
        price("soon", NOW + 5 * DAY, "1.2"),
        price("past", NOW - 10 * DAY, "1", "1"),
        price("same", NOW + DAY, "1"),
    ]
    book.put(writer, [*rows, price("unused", NOW + DAY, "9")])
    names = [("soon", "search"), ("past", "chat"), ("same", "chat")]
    for days in (2, 20):
        put(
            store,
            *[call(NOW - days * DAY, "3", matched_model=f"nimbus:{name}", feature=feature) for name, feature in names],
        )
    return store


def test_a_price_of_a_model_in_use_is_told_of_before_it_changes(world: Store) -> None:
    found = measure(world, rule(), NOW, None, Asked(world, [rule()]))
    assert found.value == Decimal("0.2")
    assert (
        found.words
        == "soon: input $1.00 to $1.20 per million (+20%) from 25 March 2026; $6.00 went to it in four weeks"
    )
    assert fires(rule(), found)
    assert not fires(rule("0.3"), found)
    before = measure(world, rule(), NOW - 3 * DAY, None, Asked(world, [rule()]))
    assert (before.value, before.words) == (Decimal(0), "no price of a model in use changes within 7 days")
    of_others = rule(scope={"feature": ["chat"]})
    assert measure(world, of_others, NOW, None, Asked(world, [of_others])).value == Decimal(0)


def test_the_preview_says_when_it_would_have_been_told(world: Store) -> None:
    found = preview(world, rule(), NOW)
    (now, past) = found["fired"]
    assert now["reason"].startswith("soon: input")
    assert past["reason"].startswith("past: output $4.00 to $1.00 per million (\N{MINUS SIGN}75%) from 10 March 2026")
    assert past["value"] == 0.75
    assert NOW - 17 * DAY <= past["started_at"] <= past["ended_at"] <= NOW - 10 * DAY
    assert found["judged"] >= 59


def test_without_a_list_or_calls_nothing_changes_and_a_share_is_below_one(store: Store) -> None:
    assert measure(store, rule(), NOW, None, Asked(store, [rule()])).value == Decimal(0)
    with pytest.raises((BadRequest, ConfigError), match="has to be below 1"):
        rule("1.5")
