"""A forecast does not learn what incidents added, as long as they are over and not the new level."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.hand_calls import call, put

from outlay_analytics.forecast.projection import look_ahead
from outlay_analytics.incidents.incident import Incident
from outlay_analytics.incidents.repository import write_incidents
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING
from outlay_collector.store import Store

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 3, 17, 6, tzinfo=UTC)


def test_the_dollars_of_an_incident_that_is_over_are_not_expected_again(store: Store) -> None:
    rows = [call(NOW - (k + 1) * HOUR, "1", feature=("chat", "search")[k % 2]) for k in range(28 * 24)]
    put(store, *rows, *(call(BEGIN + k * HOUR, "40", feature="chat") for k in range(12)))
    writer = store.writer()

    def month(feature: str = "") -> float:
        filters = {"feature": (feature,)} if feature else {}
        return look_ahead(store, Scope(EVERYTHING, filters), "month", NOW).total["mean"]

    taught, spent = month(), 19.5 * 24 + 480
    one = Incident(
        project="default",
        incident_id="i",
        scope={"feature": "chat"},
        channel="spend",
        fingerprint="f",
        started_at=BEGIN,
        ended_at=BEGIN + 12 * HOUR,
        ongoing=True,
        actual_usd=Decimal(486),
        expected_usd=Decimal(6),
        impact_lo_usd=Decimal(470),
        impact_hi_usd=Decimal(490),
        score=0.9,
        cause="more requests came",
        seen_at=NOW,
        updated_at=NOW - HOUR,
    )
    write_incidents(writer, [one])
    assert month() == taught  # it goes on: it may be the new level
    write_incidents(writer, [replace(one, ongoing=False, updated_at=NOW)])
    assert abs(month() - (spent + 11.5 * 24)) < 1
    assert taught - month() > 50
    assert (
        "$480.00 that incidents added are not learned from" in look_ahead(store, Scope(EVERYTHING), "month", NOW).note
    )
    assert abs(month("search") - 15.5 * 24) < 1  # of another feature
    part = {"scope": {"feature": "chat"}, "impact_usd": Decimal(480), "started_at": BEGIN, "ended_at": one.ended_at}
    together = replace(one, ongoing=False, scope={}, parts=(part,), updated_at=NOW + HOUR)
    write_incidents(writer, [together])  # of several series, each part counts where it lies
    assert abs(month("chat") - (9.75 * 24 + 480 + 5.75 * 24)) < 1
