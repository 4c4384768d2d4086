"""Experiments, computed by hand from small worlds: arms, units, verdicts, and what makes them untrustworthy."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put
from tests.integration.test_quality import WEEK

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.decide import decide
from outlay_analytics.questions.experiment_checks import parse_split
from outlay_analytics.questions.experiments import experiment, list_experiments
from outlay_collector.store import Store

MINUTE = timedelta(minutes=1)
SIZES = {"control": (100, 60), "new": (100, 90)}  # units, successes


def world(store: Store, sizes: dict[str, tuple[int, int]] = SIZES, **fields: Any) -> None:
    """Two calls by each user, of a cent in control and of two elsewhere; the last one is scored."""
    rows, scores = [], []
    for arm, (units, successes) in sizes.items():
        for n in range(units):
            about = {"experiment": "prompt", "arm": arm, "user": f"{arm}-{n}", **fields}
            cost = "0.01" if arm == "control" else "0.02"
            rows += [call(n * MINUTE, cost, **about), last := call(n * MINUTE, cost, **about)]
            about = {"project": "default", "trace_id": last["trace_id"], "span_id": last["span_id"], "label": ""}
            scores.append({**about, "name": "good", "value": float(n < successes), "at": DAY + timedelta(days=9)})
    put(store, *rows)
    writer = store.writer()
    writer.insert("scores", scores)
    writer.close()


def asked(store: Store, name: str = "prompt", **own: Any) -> dict[str, Any]:
    found = experiment(store, WEEK, name, **own)
    assert found is not None
    return found


def test_arms_are_measured_and_compared_in_units(store: Store) -> None:
    world(store)
    found = asked(store)
    assert (found["unit"], found["control"], found["score"]) == ("user", "control", "good")
    control, new = sorted(found["arms"], key=lambda arm: arm["arm"])
    assert (control["units"], control["n"], control["calls"], control["mean"]) == (100, 100, 200, 0.6)
    assert (round(control["ci_low"], 3), round(control["ci_high"], 3)) == (0.502, 0.691)  # Wilson
    assert new["cost_per_call_usd"] == Decimal("0.02")
    assert new["cost_per_success_usd"] == Decimal("0.022222222222")
    score, cost, errors = found["differences"]
    assert score["verdict"] == "better"
    assert score["difference"] == pytest.approx(0.3)
    assert 0 < score["ci_low"] < 0.3 < score["ci_high"]
    assert (cost["measure"], cost["difference"]) == ("cost_per_call_usd", Decimal("0.01"))
    assert (errors["difference"], errors["verdict"], errors["why"]) == (0.0, "not enough data", "all units are equal")
    assert found["warnings"] == []


def test_too_few_units_are_not_enough_data_and_more_are_asked_for(store: Store) -> None:
    world(store, {"control": (20, 10), "new": (20, 18)})
    assert asked(store)["differences"][0] | {"difference": None} == {
        "arm": "new", "control": "control", "measure": "score", "difference": None, "ci_low": None, "ci_high": None,
        "verdict": "not enough data", "why": "an arm has 20 units of at least 50", "more_units": None,
    }  # fmt: skip


def test_what_is_not_yet_clear_says_how_many_more_units_would_tell(store: Store) -> None:
    world(store, {"control": (100, 60), "new": (100, 66)})
    score = asked(store)["differences"][0]
    assert (score["verdict"], score["why"]) == ("not enough data", "the interval holds both")
    assert 500 < score["more_units"] < 20_000
    assert asked(store, margin=0.4)["differences"][0]["verdict"] == "no worse"


def test_worse_is_worse_and_the_control_can_be_named(store: Store) -> None:
    world(store)
    assert asked(store, control="new")["differences"][0]["verdict"] == "worse"
    with pytest.raises(BadRequest, match="no arm 'nwe'; the arms are 'control', 'new'"):
        asked(store, control="nwe")


def test_a_split_that_is_not_what_was_asked_is_told(store: Store) -> None:
    world(store, {"control": (150, 60), "new": (75, 60)})
    assert asked(store)["sample_ratio"] == {"asked": None, "p_value": None, "mismatch": None}
    even = asked(store, split=parse_split("control:1,new:1"))
    assert even["sample_ratio"]["mismatch"] is True
    assert 1e-6 < even["sample_ratio"]["p_value"] < 1e-4  # read daily; for one look it would be 5.7e-7
    assert "not split as asked" in even["warnings"][0]
    assert asked(store, split={"control": 2, "new": 1})["sample_ratio"]["p_value"] == 1.0
    with pytest.raises(BadRequest, match="split names control; the arms are control, new"):
        asked(store, split={"control": 1})
    with pytest.raises(BadRequest, match="cannot be read"):
        parse_split("control")
    with pytest.raises(BadRequest, match="the arm 'a' twice"):
        parse_split("a:0.9,a:0.1")
    with pytest.raises(BadRequest, match="every weight must be above 0"):
        asked(store, split={"control": 5e-324, "new": 1e300})


def test_the_split_asked_for_is_known_from_the_calls(store: Store) -> None:
    world(store, {"control": (100, 60)}, arm_propensity=0.9)
    world(store, {"new": (100, 60)}, arm_propensity=0.1)
    found = asked(store)
    assert found["sample_ratio"]["asked"] == {"control": 0.9, "new": 0.1}
    assert "not split as asked" in found["warnings"][0]
    assert asked(store, split={"control": 1, "new": 1})["warnings"] == []
    world(store, {"new": (1, 1)}, arm_propensity=0.5)  # it was changed on the way: what was asked is not one split
    assert asked(store)["sample_ratio"]["asked"] is None


def test_calls_without_an_arm_or_a_unit_are_left_out_and_counted(store: Store) -> None:
    world(store)
    put(store, call(MINUTE, "1", experiment="prompt", user="u"), call(MINUTE, "1", experiment="prompt", arm="new"))
    found = asked(store)
    assert {arm["arm"]: arm["units"] for arm in found["arms"]} == {"control": 100, "new": 100}
    assert found["warnings"] == [
        "1 calls say no arm and are left out",
        "1 calls say no user; units and differences leave them out",
    ]


def test_a_label_that_says_success_is_compared(store: Store) -> None:
    rows = [call(n * MINUTE, "1", experiment="e", arm="ab"[n % 2], user=f"u{n}") for n in range(200)]
    put(store, *rows)
    writer = store.writer()
    about = [{"project": "default", "trace_id": row["trace_id"], "span_id": row["span_id"]} for row in rows]
    said = ["pass" if n % 2 or n % 4 else "fail" for n in range(200)]
    given = [{**one, "name": "judge", "value": None, "label": label} for one, label in zip(about, said, strict=True)]
    writer.insert("scores", [{**one, "at": DAY + timedelta(days=9)} for one in given])
    writer.close()
    assert asked(store, "e", success="pass")["differences"][0]["verdict"] == "better"


def test_arms_used_for_different_things_are_told(store: Store) -> None:
    world(store, {"control": (60, 30)}, feature="chat")
    world(store, {"new": (60, 30)}, feature="search")
    assert "different features" in asked(store)["warnings"][0]


def test_users_in_two_arms_are_told(store: Store) -> None:
    about = {"experiment": "prompt"}
    rows = [call(n * MINUTE, "1", arm=arm, user=f"u{n}", **about) for n in range(10) for arm in ("control", "new")]
    put(store, *rows)
    assert asked(store)["warnings"] == [
        "10 units were seen in more than one arm: the assignment does not stick to them"
    ]


def test_without_users_sessions_or_traces_are_the_units(store: Store) -> None:
    put(store, *(call(n * MINUTE, "1", experiment="e", arm="a", session=f"s{n % 3}") for n in range(9)))
    put(store, *(call(n * MINUTE, "1", experiment="f", arm="a") for n in range(9)))
    assert (asked(store, "e")["unit"], asked(store, "e")["arms"][0]["units"]) == ("session", 3)
    assert (asked(store, "f")["unit"], asked(store, "f")["arms"][0]["units"]) == ("trace", 9)
    assert asked(store, "e", unit="trace")["arms"][0]["units"] == 9
    with pytest.raises(BadRequest, match="unit must be one of item, user, session, trace, not 'team'"):
        asked(store, "e", unit="team")


def test_experiments_are_listed_and_an_unknown_one_is_none(store: Store) -> None:
    world(store)
    [one] = list_experiments(store, WEEK)["experiments"]
    assert (one["name"], sorted(one["arms"]), one["calls"]) == ("prompt", ["control", "new"], 400)
    assert one["cost_usd"] == Decimal("6.00")
    assert experiment(store, WEEK, "other") is None
    assert experiment(store, WEEK, "") is None


def test_a_look_takes_in_the_whole_experiment_however_short_the_window(store: Store) -> None:
    world(store)
    whole = asked(store)
    late = Scope(Window(DAY + timedelta(minutes=95), DAY + timedelta(days=7)))
    found = experiment(store, late, "prompt")
    assert found is not None
    assert found["window"] == {"start": DAY, "end": WEEK.window.end}
    assert (found["arms"], found["differences"]) == (whole["arms"], whole["differences"])
    early = experiment(store, Scope(Window(DAY, DAY + timedelta(minutes=10))), "prompt")
    assert early is not None
    assert [arm["units"] for arm in early["arms"]] == [10, 10]
    assert experiment(store, Scope(Window(DAY + timedelta(days=3), DAY + timedelta(days=7))), "prompt") is None


def test_an_evaluation_is_compared_item_by_item(store: Store) -> None:
    # Items differ a lot, the arms hardly: paired it shows after 40 of them. The second arm costs a cent more for each.
    rows, scores = [], []
    for arm, gain, cost in (("large", 0.0, "0.02"), ("small", 0.1, "0.03")):
        for n in range(40):
            for _ in range(2 if n == 0 else 1):  # one was asked twice: it counts once
                tags = {"evaluation_item": f"item-{n}", "evaluation_run": "r1"}
                price = cost if n % 2 else str(Decimal(cost) * 3)
                rows.append(call(n * MINUTE, price, experiment="exam", arm=arm, user="ann", tags=tags))
                about = {"trace_id": rows[-1]["trace_id"], "span_id": rows[-1]["span_id"], "project": "default"}
                value = n / 50 + gain * (0.5 if n % 2 else 1.5)
                scores.append({**about, "name": "good", "label": "", "value": value, "at": DAY})
    rows.append(call(MINUTE, "0.02", experiment="exam", arm="small", tags={"evaluation_item": "item-40"}))
    put(store, *rows)
    writer = store.writer()
    writer.insert("scores", scores)
    writer.close()
    found = asked(store, "exam", control="large")
    assert (found["unit"], found["method"].split(":")[0], found["warnings"]) == ("item", "paired by item", [])
    score, cost, errors = found["differences"]
    assert score["difference"] == pytest.approx(0.1)
    # Student's t of 40 differences of 0.05 and 0.15: 0.1 ± 2.0227 · 0.05 · √(40/39) ÷ √40.
    half = 2.0227 * 0.05 * (40 / 39) ** 0.5 / 40**0.5
    assert (score["ci_low"], score["ci_high"]) == (
        pytest.approx(0.1 - half, abs=1e-5),
        pytest.approx(0.1 + half, abs=1e-5),
    )
    assert (score["verdict"], cost["verdict"], errors["why"]) == ("better", "worse", "all items differ by the same")
    assert cost["difference"] == Decimal("0.02")  # half of the items cost one cent more, half three
    by_trace = asked(store, "exam", control="large", unit="trace")["differences"][0]
    assert by_trace["verdict"] == "not enough data"
    whole = Scope(WEEK.window, {"experiment": ("exam",)})
    aside = decide(store, whole, "arm", "large", "small")
    assert (aside["unit"], aside["verdict"]) == ("item", "trade-off")
    assert aside["differences"][0]["ci_low"] == score["ci_low"]


def test_of_experiments_in_each_other_each_is_compared_whole(store: Store) -> None:
    """The innermost is the call's own, those around it are its tags; so it is sent."""
    rows = [
        call(n * MINUTE, "0.01" if inner == "a" else "0.02", experiment="inner", arm=inner, user=f"u{n}")
        | {"tags": {"experiment.outer": ("old", "new")[n // 100]}}
        for n in range(200)
        for inner in ("ab"[n % 2],)
    ]
    alone = [call(n * MINUTE, "0.04", experiment="outer", arm="new", user=f"v{n}") for n in range(100)]
    put(store, *rows, *alone)
    listed = {one["name"]: (sorted(one["arms"]), one["calls"]) for one in list_experiments(store, WEEK)["experiments"]}
    assert listed == {"inner": (["a", "b"], 200), "outer": (["new", "old"], 300)}
    inner, outer = (asked(store, name, control=control) for name, control in (("inner", "a"), ("outer", "old")))
    assert {arm["arm"]: (arm["calls"], arm["units"]) for arm in inner["arms"]} == {"a": (100, 100), "b": (100, 100)}
    assert {arm["arm"]: (arm["calls"], arm["units"]) for arm in outer["arms"]} == {"old": (100, 100), "new": (200, 200)}
    costs = [one["difference"] for one in outer["differences"] if one["measure"] == "cost_per_call_usd"]
    assert costs == [Decimal("0.0125")]  # (100 × 0.015 + 100 × 0.04) ÷ 200 − 0.015
    told = decide(store, Scope(WEEK.window, {"experiment": ("outer",)}), "arm", "old", "new")
    assert [side["calls"] for side in told["sides"]] == [100, 200]
