"""Two choices side by side, computed by hand from small worlds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put
from tests.integration.test_experiments import world as experiment_world
from tests.integration.test_quality import WEEK

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.decide import decide
from outlay_analytics.questions.decide_thresholds import decide_thresholds
from outlay_analytics.questions.experiments import experiment
from outlay_collector.store import Store

MINUTE = timedelta(minutes=1)
D = Decimal


def world(store: Store, small: int, large: int, cents: tuple[int, int] = (1, 10), **own: Any) -> None:
    """100 calls of each model, a second and two long, within six hours; so many are right."""
    rows, scores = [], []
    for model, right, cost in (("small", small, cents[0]), ("large", large, cents[1])):
        for n in range(100):
            usd = str(D(cost + n % 2) / 100)  # half of them a cent more
            ns = 1_000_000_000 if model == "small" else 2_000_000_000
            rows.append(call((n * 3) * MINUTE, usd, model=model, duration_ns=ns, **own))
            about = {"project": "default", "trace_id": rows[-1]["trace_id"], "span_id": rows[-1]["span_id"]}
            at = {"label": "", "at": DAY + timedelta(days=9)}
            scores.append({**about, **at, "name": "right", "value": float(n < right)})
    put(store, *rows)
    writer = store.writer()
    writer.insert("scores", scores)
    writer.close()


def test_a_cheaper_model_that_is_as_good_is_taken(store: Store) -> None:
    world(store, 96, 97)
    found = decide(store, WEEK, "model", "large", "small", margin=0.1)
    assert (found["verdict"], found["reason"]) == ("second", "no worse by more than 0.1 and cheaper")
    large, small = found["sides"]
    assert (large["value"], large["mean"], large["cost_per_call_usd"], large["units"]) == (
        "large",
        0.97,
        D("0.105"),
        100,
    )
    assert large["cost_ci_low_usd"] < D("0.105") < large["cost_ci_high_usd"]
    score, cost, errors, p95 = found["differences"]
    assert (score["verdict"], cost["verdict"], p95["verdict"]) == ("no worse", "better", "better")
    assert score["difference"] == pytest.approx(-0.01)
    assert (cost["measure"], cost["difference"]) == ("cost_per_call_usd", D("-0.09"))
    assert (errors["verdict"], p95["difference"]) == ("not enough data", pytest.approx(-1000, rel=0.05))
    assert p95["ci_low"] < -1000 < p95["ci_high"] < 0
    monthly = D(200) * D("365.25") / 12  # within a day
    assert found["monthly"]["calls"] == round(monthly)
    assert found["monthly"]["change_usd"] == (D("-0.09") * monthly).quantize(D("1e-12"))
    assert large["monthly_usd"] - small["monthly_usd"] == -found["monthly"]["change_usd"]
    assert found["warnings"] == [
        "the calls of both are taken to be alike; an experiment (outlay.assign) removes that assumption"
    ]
    # the other way round the same is said of the other side
    back = decide(store, WEEK, "model", "small", "large", margin=0.1)
    assert (back["verdict"], back["differences"][0]["difference"]) == ("first", pytest.approx(0.01))


def test_a_cheaper_model_that_is_worse_is_a_trade_off(store: Store) -> None:
    world(store, 60, 97)
    assert decide(store, WEEK, "model", "large", "small")["verdict"] == "trade-off"
    assert decide(store, WEEK, "model", "small", "large")["verdict"] == "trade-off"


def test_a_model_that_is_worse_and_dearer_is_not_taken(store: Store) -> None:
    world(store, 97, 60)
    assert decide(store, WEEK, "model", "small", "large")["reason"] == "the second is worse and dearer"
    assert decide(store, WEEK, "model", "large", "small")["reason"] == "better and cheaper"


def test_what_cannot_be_told_is_not_decided(store: Store) -> None:
    world(store, 90, 92)
    found = decide(store, WEEK, "model", "large", "small", margin=0.01)
    assert (found["verdict"], found["reason"]) == ("not enough data", "quality: the interval holds both")
    put(store, *(call(n * MINUTE, "1", model=model) for n in range(10) for model in ("a", "b")))
    found = decide(store, WEEK, "model", "a", "b")
    assert (found["score"], found["verdict"]) == (None, "not enough data")
    assert "nothing is scored" in found["reason"]
    assert [one["why"] for one in found["differences"]] == [
        "a side has 10 traces of at least 30",
        "a side has 10 traces of at least 30",
        "a side has fewer than 72 calls",
    ]


def test_arms_are_compared_over_the_whole_experiment_in_its_units(store: Store) -> None:
    experiment_world(store)
    scope = Scope(WEEK.window, {"experiment": ("prompt",)})
    found = decide(store, scope, "arm", "control", "new")
    assert (found["unit"], found["verdict"], found["warnings"]) == ("user", "not enough data", [])
    assert found["reason"] == "cost: all units are equal"
    assert found["differences"][0]["verdict"] == "better"
    assert "at every look" in found["method"]
    assert "Bonferroni" not in found["method"]
    with pytest.raises(BadRequest, match="arms are of an experiment: name it"):
        decide(store, WEEK, "arm", "control", "new")


def test_arms_of_one_experiment_share_its_five_percent_as_on_its_own_page(store: Store) -> None:
    about = {"experiment": "three", "feature": "chat"}
    put(
        store,
        *(
            call(n * MINUTE, str(D(1 + n % 7) / 100), user=f"{arm}{n}", arm=arm, **about)
            for arm in ("a", "b", "c")
            for n in range(60)
        ),
    )
    found = decide(store, Scope(WEEK.window, {"experiment": ("three",)}), "arm", "a", "b")
    assert "shared by 2 comparisons with one arm (Bonferroni)" in found["method"]
    own = experiment(store, WEEK, "three", control="a")
    assert own is not None
    [there] = [one for one in own["differences"] if (one["arm"], one["measure"]) == ("b", "cost_per_call_usd")]
    [here] = [one for one in found["differences"] if one["measure"] == "cost_per_call_usd"]
    assert (here["ci_low"], here["ci_high"]) == (there["ci_low"], there["ci_high"])
    assert here["ci_high"] is not None


def test_what_is_not_there_is_refused_by_name(store: Store) -> None:
    world(store, 90, 90, feature="chat")
    with pytest.raises(BadRequest, match="has model 'nano'; there: 'large', 'small'"):
        decide(store, WEEK, "model", "small", "nano")
    with pytest.raises(BadRequest, match="two values of model, not 'small' and 'small'"):
        decide(store, WEEK, "model", "small", "small")
    with pytest.raises(BadRequest, match="by: 'colour' is not a dimension"):
        decide(store, WEEK, "colour", "a", "b")


def test_two_thresholds_differ_by_the_runs_between_them(store: Store) -> None:
    """At .6 a run is answered at once; between .5 and .9 half of the first answers are right, all further ones are."""
    rows, scores = [], []
    for n in range(200):
        confidence, escalates = (0.95, False) if n % 2 else (0.7, n % 4 == 0)
        run = {"cascade_name": "c", "cascade_run_id": f"r{n}", "trace_id": f"{n + 1:032x}"}
        said = {"cascade_confidence": confidence, "cascade_tier": 0}
        rows.append(call(n * MINUTE, "0.01", **run, **said, cascade_outcome="escalated" if escalates else "accepted"))
        right = float(n % 2 or n % 8 < 4)
        scores.append((rows[-1], right))
        if escalates:
            rows.append(call(n * MINUTE, "0.10", **run, cascade_tier=1, cascade_outcome="accepted"))
            scores.append((rows[-1], 1.0))
    put(store, *rows)
    writer = store.writer()
    about = [{"trace_id": row["trace_id"], "span_id": row["span_id"], "value": value} for row, value in scores]
    same = {"project": "default", "name": "right", "label": "", "at": DAY + timedelta(days=9)}
    writer.insert("scores", [one | same for one in about])
    writer.close()
    scope = Scope(WEEK.window, {"cascade": ("c",)})
    found = decide_thresholds(store, scope, "0.6", "0.9")
    low, high = found["sides"]
    assert (low["cost_per_call_usd"], high["cost_per_call_usd"]) == (D("0.01"), D("0.06"))
    assert (low["errors"], low["error_rate"]) == (None, None)  # which runs would fail is not known
    assert (low["escalation_rate"], high["escalation_rate"]) == (0.0, 0.5)
    assert (low["mean"], high["mean"]) == (0.75, 1.0)
    score, cost = found["differences"]
    assert (score["difference"], cost["difference"]) == (0.25, D("0.05"))
    assert score["ci_low"] > 0
    assert cost["ci_low"] < D("0.05") < cost["ci_high"]
    assert (score["verdict"], cost["verdict"], found["verdict"]) == ("better", "worse", "trade-off")
    back = decide_thresholds(store, scope, "0.9", "0.6")
    assert (back["differences"][0]["difference"], back["verdict"]) == (-0.25, "trade-off")
    assert decide_thresholds(store, scope, "0.6", "0.65")["differences"][0]["difference"] is None  # no run between
    with pytest.raises(BadRequest, match=r"first: a threshold is a number such as 0\.8, not 'high'"):
        decide_thresholds(store, scope, "high", "0.6")
    with pytest.raises(BadRequest, match="name it, cascade=NAME"):
        decide_thresholds(store, WEEK, "0.5", "0.6")
    with pytest.raises(BadRequest, match="no run of a cascade 'd'"):
        decide_thresholds(store, Scope(WEEK.window, {"cascade": ("d",)}), "0.5", "0.6")
