"""Prompts, computed by hand from a small world: parts that add up, versions compared, unknown left unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import call, put
from tests.integration.test_quality import WEEK

from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.prompts import prompts
from outlay_collector.store import Store

HOUR = timedelta(hours=1)
D = Decimal


def said(
    hours: int, version: str, parts: dict[str, int], given: int, output: int = 100, **fields: Any
) -> dict[str, Any]:
    """A call of prompt `triage`: a dollar per thousand input tokens, two per thousand output tokens."""
    lines = {"input": str(D(given) / 1000), "output": str(D(output) / 500)}
    cost = str(sum(map(D, lines.values())))
    about = {"prompt": "triage", "prompt_version": version, "input_tokens": given, "output_tokens": output}
    return call(hours * HOUR, cost, **{**about, "prompt_parts": parts, "cost_lines": lines, **fields})


def test_parts_add_up_to_the_input_and_its_cost(store: Store) -> None:
    put(
        store,
        said(1, "1", {"system": 400, "history": 100}, 600, cache_read_tokens=150),
        said(2, "1", {"system": 400, "history": 300}, 900),
    )
    [row] = prompts(store, WEEK)["rows"]
    assert (row["prompt"], row["prompt_version"], row["calls"]) == ("triage", "1", 2)
    assert (row["cost_usd"], row["cost_per_call_usd"]) == (D("1.9"), D("0.95"))
    assert (row["input_tokens_per_call"], row["output_tokens_per_call"]) == (750.0, 100.0)
    assert row["cache_read_ratio"] == 0.1
    assert row["parts"] == [
        {"part": "system", "tokens_per_call": 400.0, "share": 800 / 1500, "usd": D("0.8")},
        {"part": "history", "tokens_per_call": 200.0, "share": 400 / 1500, "usd": D("0.4")},
        {"part": "other", "tokens_per_call": 150.0, "share": 300 / 1500, "usd": D("0.3")},
    ]
    assert row["change"] is None


def test_a_version_is_compared_with_the_one_that_began_before_it(store: Store) -> None:
    put(store, said(1, "9", {"system": 400}, 500), said(5, "10", {"system": 400, "tools": 300}, 800, output=50))
    put(store, said(6, "10", {"system": 400, "tools": 300}, 800, output=50), said(7, "9", {"system": 400}, 500))
    rows = {row["prompt_version"]: row for row in prompts(store, WEEK)["rows"]}
    change = rows["10"]["change"]
    assert (change["from_version"], change["input_tokens_per_call"], change["output_tokens_per_call"]) == (
        "9",
        300.0,
        -50.0,
    )
    assert change["cost_per_call_usd"] == D("0.2")
    assert float(change["monthly_usd"]) == pytest.approx(0.4 * 365.25 / 12)  # an hour counts as a day
    assert change["parts"][0] == {"part": "tools", "tokens_per_call": 300.0}
    assert rows["9"]["change"] is None


def test_parts_that_claim_more_than_the_input_share_what_they_claim(store: Store) -> None:
    put(store, said(1, "1", {"system": 600, "user": 600}, 600))
    [row] = prompts(store, WEEK)["rows"]
    assert [(part["part"], part["share"], part["usd"]) for part in row["parts"]] == [
        ("system", 0.5, D("0.3")),
        ("user", 0.5, D("0.3")),
    ]


def test_what_only_embeds_makes_no_prompt_look_shorter(store: Store) -> None:
    put(store, said(1, "1", {"context": 400}, 500), said(1, "1", {}, 20, operation="embeddings"))
    [row] = prompts(store, WEEK)["rows"]
    assert (row["calls"], row["input_tokens_per_call"]) == (1, 500.0)


def test_unknown_stays_unknown_and_calls_without_a_prompt_are_none(store: Store) -> None:
    put(store, call(HOUR, None, prompt="plain"), call(HOUR, "1"))
    [row] = prompts(store, WEEK)["rows"]
    assert (row["prompt"], row["prompt_version"], row["cost_usd"], row["cost_per_call_usd"]) == (
        "plain",
        None,
        None,
        None,
    )
    assert (row["input_tokens_per_call"], row["cache_read_ratio"], row["parts"]) == (None, None, [])
    assert prompts(store, Scope(WEEK.window, {"prompt": ("other",)}))["rows"] == []


def test_versions_are_in_order_of_their_first_appearance_in_every_window(store: Store) -> None:
    put(store, said(1, "9", {}, 500), said(30, "10", {}, 800), said(31, "9", {}, 500))
    day = timedelta(days=1)
    late = Scope(replace(WEEK.window, start=WEEK.window.start + day))  # here 10 comes before 9
    rows = {row["prompt_version"]: row["change"] for row in prompts(store, late)["rows"]}
    assert rows["9"] is None
    assert rows["10"]["from_version"] == "9"


def test_what_could_be_sent_less_of_is_told_from_counts(store: Store) -> None:
    parts = {"system": 100, "tools": 100, "tools.search": 50, "tools.mail": 50, "context": 400, "history": 200}
    used = said(1, "1", parts, 1000, tags={"top_k": "8"}, cache_read_tokens=400)  # 100 of it is history
    idle = said(2, "1", parts, 1000, tags={"top_k": "8"})
    put(store, used, idle)
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    span = {"project": "default", "trace_id": used["trace_id"], "span_id": "f" * 16, "started_at": used["started_at"]}
    writer = store.writer()
    writer.insert("spans", [{**span, "name": "execute_tool search", "attributes": tool, "version": 1}])
    writer.close()
    found = {row["part"]: row for row in prompts(store, WEEK)["savings"]}
    month = D("365.25") / 12  # two hours count as a day
    assert {part: row["saving_monthly_usd"] / month for part, row in found.items()} == {
        "context": D("0.4"),  # half of 0.8
        "history": D("0.3"),  # 100 of one call, 200 of the other
        "tools": D("0.1"),  # the call whose trace called none
        "tools.mail": D("0.1"),
        "tools.search": D(0),
    }
    assert found["context"]["each_monthly_usd"] / month == D("0.1")  # eight documents for 0.8
    assert (found["context"]["per_call"], found["context"]["share"]) == (8, 0.4)
    assert found["history"]["tokens_per_call"] == 200
    assert found["history"]["reason"] == "75% of what was sent again came from no cache"
    assert found["tools.mail"]["reason"] == "no trace called mail"
    put(store, said(3, "1", {"tools": 10}, 100, prompt="other"))
    [unknown] = [row for row in prompts(store, WEEK)["savings"] if row["prompt"] == "other"]
    assert unknown["saving_monthly_usd"] is None
    assert "none is traced" in unknown["reason"]
    put(store, said(3, "1", {"user": 10}, 100, prompt="plain"))
    assert prompts(store, Scope(WEEK.window, {"prompt": ("plain",)}))["savings"] == []
