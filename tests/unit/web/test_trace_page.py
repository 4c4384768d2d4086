"""What the trace page says about calls that were billed and calls that were not."""

from __future__ import annotations

from typing import Any

from outlay_web.pages.trace_lines import call_text, kind_of, why


def span(*calls: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"counted": bool(calls), "reason": "call" if calls else "plain", "calls": list(calls), **fields}


def attempt(number: int, state: str = "computed", status: str = "ok") -> dict[str, Any]:
    return {"attempt": number, "cost_state": state, "status": status}


def test_of_four_attempts_only_the_billed_one_is_a_billable_call() -> None:
    spans = [span(attempt(n, "not_billed", "error")) for n in (1, 2, 3)] + [span(attempt(4))]
    assert [kind_of(one) for one in spans] == ["free", "free", "free", "counted"]
    said = [why(one) for one in spans]
    assert ["billable" in text for text in said] == [False, False, False, True]
    assert said[0] == "a call that was not billed: it failed, and the provider does not charge for that"
    assert said[1].endswith("; attempt 2 of its request")
    assert said[3] == "a billable call; attempt 4 of its request"


def test_a_failure_that_is_billed_and_one_of_unknown_cost_are_billable() -> None:
    for state in ("computed", "estimated", "unpriced", "no_usage"):
        failed = span(attempt(1, state, "error"))
        assert (kind_of(failed), why(failed)) == ("failed", "a billable call")


def test_an_answer_of_the_cache_was_not_billed() -> None:
    hit = span(attempt(1, "cached"), lookup={"kind": "exact", "hit": True})
    assert kind_of(hit) == "free"
    assert why(hit) == "exact cache hit; answered by the application's cache: nothing was billed"


def test_a_span_of_several_calls_counts_those_that_were_billed() -> None:
    assert call_text([attempt(1), attempt(1), attempt(1, "not_billed", "error")]) == "2 billable calls, 1 not billed"


def test_spans_without_calls_are_what_they_were() -> None:
    assert kind_of(span()) == "plain"
    assert why(span()) == "carries no usage"
    assert kind_of(span(reason="same_response")) == "repeat"
