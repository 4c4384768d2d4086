"""Routing, computed by hand from small worlds: what another tier would bring, and when nothing is said."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.routing import routing
from outlay_collector.store import Store

WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
MINUTE = timedelta(minutes=1)
D = Decimal
TIERS = {"cheap": "small", "frontier": "large"}


def routed(
    store: Store,
    tier: str,
    n: int,
    right: int,
    cost: str | None,
    p: float | None = 0.5,
    scores: bool = True,
    **more: Any,
) -> list[dict[str, Any]]:
    reason = more.pop("reason", "default")
    about = {"route_tier": tier, "route_reason": reason, "route_propensity": p, "model": TIERS[tier], "task": "triage"}
    rows = [call(k * MINUTE, cost, **about | more) for k in range(n)]
    put(store, *rows)
    at = DAY + timedelta(days=9)
    told = [
        {"project": "default", "trace_id": row["trace_id"], "span_id": row["span_id"], "label": "", "name": "good"}
        | {"value": float(k < right), "at": at}
        for k, row in enumerate(rows)
    ]
    if scores:
        writer = store.writer()
        writer.insert("scores", told)
        writer.close()
    return rows


def by_tier(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["tier"]: row for row in found["rows"]}


def test_what_a_tier_would_bring_is_reckoned_by_the_probabilities(store: Store) -> None:
    # Easy requests go to the cheap tier with 3 in 4, hard ones with 1 in 4; the cheap one is as good as the other.
    routed(store, "cheap", 300, 285, "0.01", 0.75, reason="easy")
    routed(store, "frontier", 100, 95, "0.1", 0.25, reason="explored, not cheap: easy")
    routed(store, "cheap", 100, 80, "0.02", 0.25, reason="explored, not frontier: hard")
    routed(store, "frontier", 300, 240, "0.3", 0.75, reason="hard")
    found = routing(store, WEEK, margin=0.1)
    rows, [task] = by_tier(found), found["tasks"]
    cheap, frontier = rows["cheap"], rows["frontier"]
    half_easy = pytest.approx((0.95 + 0.8) / 2)
    assert (cheap["mean"], frontier["mean"]) == (half_easy, half_easy)
    assert (cheap["ips"], cheap["snips"]) == (pytest.approx(0.875), pytest.approx(0.875))
    assert (cheap["cost_per_request_usd"], frontier["cost_per_request_usd"]) == (D("0.015"), D("0.2"))
    now = (300 * D("0.01") + 100 * D("0.1") + 100 * D("0.02") + 300 * D("0.3")) / 800
    assert (task["mean"], task["cost_per_request_usd"]) == (half_easy, now)
    assert cheap["cost_difference_usd"] == D("0.015") - now
    # Kish: (Σ v)² ÷ Σ v², v = 4/3 and 4.
    assert cheap["effective_scores"] == pytest.approx(800**2 / (300 * 16 / 9 + 100 * 16), abs=0.1)
    assert cheap["difference"] == pytest.approx(0)
    assert cheap["verdict"] == "no worse"
    assert (task["recommended"], task["proposal"]) == ("cheap", None)
    a_month = 365.25 / 12  # five hours count as a day
    assert float(task["monthly_saving_usd"]) == pytest.approx(float(now - D("0.015")) * 800 * a_month)
    assert "cheaper" in task["reason"]
    assert task["assumption"]
    assert (cheap["said_as"], task["said_as"]) == ("task", "task")
    assert (cheap["reach_ratio"], task["explorable_ratio"], frontier["models"]) == (1.0, 1.0, ["large"])


def test_a_low_effective_sample_recommends_nothing_and_says_how_to_find_out(store: Store) -> None:
    routed(store, "frontier", 400, 380, "0.1", 0.975)
    routed(store, "cheap", 20, 20, "0.01", 0.025, reason="explored, not frontier: default")
    found = routing(store, WEEK)
    row, [task] = by_tier(found)["cheap"], found["tasks"]
    assert row["effective_scores"] == pytest.approx(20)
    assert (row["difference_ci_low"], row["monthly_saving_usd"], row["verdict"]) == (None, None, "not enough data")
    assert "20 of the 100 effective requests" in row["reason"]
    assert task["recommended"] is None
    proposal = task["proposal"]
    # Enough answers that 1.96² · variance ÷ 0.02² is reached, both tiers drawn by 1 in 5 of the requests in a day.
    assert proposal["answers"] == 436
    assert (proposal["explore"], proposal["requests"], proposal["days"]) == (0.1, 436 * 2 * 10, 21)
    assert proposal["code"] == 'outlay.Router(tiers, rules, default="frontier", explore=0.1)'


def test_what_was_chosen_for_certain_says_nothing_of_other_tiers(store: Store) -> None:
    routed(store, "frontier", 200, 190, "0.1", 1.0, reason="pro")
    routed(store, "cheap", 200, 150, "0.01", 1.0, reason="free")
    [task] = routing(store, WEEK)["tasks"]
    assert task["reason"] == "every tier was chosen for certain: what another would have brought is not known"
    assert (task["recommended"], task["explorable_ratio"]) == (None, 0.0)
    assert task["proposal"]["tiers"] == ["cheap", "frontier"]


def test_routes_without_a_probability_or_a_score_or_a_price_are_said_to_be_so(store: Store) -> None:
    routed(store, "frontier", 5, 5, "0.1", None, task="", feature="triage")
    [task] = routing(store, WEEK)["tasks"]
    assert (task["task"], task["said_as"]) == ("triage", "feature")
    assert task["reason"] == "no call says with which probability its tier was chosen"
    assert task["proposal"]["requests"] is None
    routed(store, "frontier", 200, 0, "0.1", 0.5, scores=False, task="other")
    routed(store, "cheap", 200, 0, None, 0.5, scores=False, task="other")
    rows = [row for row in routing(store, WEEK)["rows"] if row["task"] == "other"]
    assert {row["tier"]: row["reason"] for row in rows} == {
        "frontier": "what 200 of the task's calls cost is not known",
        "cheap": "what 200 of the task's calls cost is not known",
    }


def test_a_retry_is_no_decision_of_its_own(store: Store) -> None:
    for tier, cost in (("cheap", "0.01"), ("frontier", "0.1")):
        rows = routed(store, tier, 150, 150, cost, request_id=tier)
        again = [{**row, "span_id": f"{n:016x}", "attempt": 2} for n, row in enumerate(rows, 10**6)]
        put(store, *again)
    found = routing(store, WEEK)
    assert {row["tier"]: (row["requests"], row["calls"]) for row in found["rows"]} == {
        "cheap": (150, 300),
        "frontier": (150, 300),
    }
    assert by_tier(found)["cheap"]["cost_per_request_usd"] == D("0.02")


def test_nothing_routed_is_no_row_and_bad_input_is_refused_by_name(store: Store) -> None:
    put(store, call(MINUTE, "0.01"))
    assert (routing(store, WEEK)["rows"], routing(store, WEEK)["tasks"]) == ([], [])
    for margin in (-1, math.nan, math.inf, 1e308, 1e-300):  # the last two cannot be squared
        with pytest.raises(BadRequest, match="margin must be a number of at least 0"):
            routing(store, WEEK, margin=margin)
    with pytest.raises(BadRequest, match="no call in this window is scored 'nice'"):
        routing(store, WEEK, score="nice")
    with pytest.raises(BadRequest, match="name it with score="):
        routing(store, WEEK, success="1")
