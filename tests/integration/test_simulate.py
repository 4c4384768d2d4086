"""What if, computed by hand at the prices of the list: the identity is exact, and changes compose in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put, roll_up
from tests.priced_calls import put_priced

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.changes import parse_changes
from outlay_analytics.questions.simulate import simulate
from outlay_analytics.questions.spend import spend
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Store

D = Decimal
HOUR = timedelta(hours=1)
NOW = datetime(2026, 3, 20, tzinfo=UTC)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
M = D(1_000_000)
# USD per million tokens: gpt-4o 2.50 in, 1.25 cached, 10 out; gpt-4o-mini 0.15, 0.075, 0.60; by batch half of that, but
# for cached input.
FOUR, MINI = (D("2.5"), D("1.25"), D("10")), (D("0.15"), D("0.075"), D("0.6"))
FOUR_BATCH, MINI_BATCH = (D("1.25"), D("1.25"), D("5")), (D("0.075"), D("0.075"), D("0.3"))


def cost(rates: tuple[Decimal, ...], plain: int, cached: int, out: int) -> Decimal:
    return (rates[0] * plain + rates[1] * cached + rates[2] * out) / M


class World:
    """Two calls to gpt-4o (search: 10,000 in, 4,000 of it cached, 2,000 out; chat: 1,000 in, 100 out), one to mini."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.book = PriceBook(store)
        self.rows = put_priced(
            store,
            self.book,
            call(HOUR, feature="search", input_tokens=10_000, cache_read_tokens=4000, output_tokens=2000,
                 prompt_parts={"context": 6000, "system": 1000}, **self.named("gpt-4o")),
            call(HOUR, feature="chat", input_tokens=1000, output_tokens=100, **self.named("gpt-4o")),
            call(HOUR, feature="chat", input_tokens=1000, output_tokens=100, **self.named("gpt-4o-mini")),
        )  # fmt: skip

    @staticmethod
    def named(model: str) -> dict[str, Any]:
        return dict.fromkeys(("model", "request_model", "response_model"), model)

    def ask(self, *changes: dict[str, Any], scope: Scope = WEEK, **more: Any) -> dict[str, Any]:
        writer = self.store.writer()
        try:
            return simulate(self.store, self.book, writer, scope, parse_changes(changes), now=NOW, **more)
        finally:
            writer.close()

    def usd(self, *changes: dict[str, Any]) -> Decimal:
        found: Decimal = self.ask(*changes)["scenario_usd"]
        return found


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


SEARCH_BATCH = cost(FOUR_BATCH, 6000, 4000, 2000)
SEARCH, CHAT, SMALL = cost(FOUR, 6000, 4000, 2000), cost(FOUR, 1000, 0, 100), cost(MINI, 1000, 0, 100)


def test_no_change_is_the_actual_cost_to_the_last_digit(world: World) -> None:
    put(
        world.store,
        call(HOUR, "0.123456789012", feature="old", price_version="gone"),
        call(HOUR, "0", cost_state="not_billed", status="error"),
        call(HOUR, "0", cost_state="cached", feature="chat"),
        call(HOUR, None, feature="dark", model="unheard-of"),
    )
    for _ in range(2):
        found = world.ask()
        assert found["actual_usd"] == found["scenario_usd"] == spend(world.store, WEEK)["total"]["cost_usd"]
        assert found["change_usd"] == 0
        assert {row["change_usd"] for row in found["rows"]} == {D(0), None}
        assert sum(row["actual_usd"] or 0 for row in found["rows"]) == found["actual_usd"]
        assert "1 of 7 calls have no known cost" in found["caveats"][-1]
        roll_up(world.store)
    zero = world.ask({"price_discount": 0}, {"batch_share": 0}, {"max_output_tokens": 10**6})
    assert zero["scenario_usd"] == zero["actual_usd"]


def test_the_calls_of_one_model_go_to_another(world: World) -> None:
    found = world.ask({"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}})
    assert found["actual_usd"] == SEARCH + CHAT + SMALL == D("0.04371")
    assert found["scenario_usd"] == cost(MINI, 6000, 4000, 2000) + 2 * SMALL
    rows = {row["feature"]: row for row in found["rows"]}
    assert (rows["search"]["touched_calls"], rows["chat"]["touched_calls"], rows["chat"]["calls"]) == (1, 1, 2)
    assert rows["chat"]["scenario_usd"] == 2 * SMALL
    assert rows["search"]["change_usd"] == cost(MINI, 6000, 4000, 2000) - SEARCH
    # a week as a month of 30.4375 days
    assert found["actual_per_month_usd"] == (found["actual_usd"] * D("30.4375") / 7).quantize(D("1e-12"))
    assert any(
        "Quality unknown: whether gpt-4o-mini answers as well is not known" in caveat for caveat in found["caveats"]
    )


def test_another_provider_is_found_and_its_tokenizer_named(world: World) -> None:
    found = world.ask({"replace_model": {"from": "gpt-4o", "to": "claude-haiku-4-5"}})
    haiku = (D(1), D("0.1"), D(5))
    assert found["scenario_usd"] == cost(haiku, 6000, 4000, 2000) + cost(haiku, 1000, 0, 100) + SMALL
    assert any("tokenizer" in caveat for caveat in found["caveats"])
    said = {"from": "gpt-4o", "to": {"provider": "anthropic", "model": "claude-haiku-4-5"}}
    assert world.usd({"replace_model": said}) == found["scenario_usd"]


def test_a_discount_a_batch_and_a_cache(world: World) -> None:
    actual = SEARCH + CHAT + SMALL
    assert world.usd({"price_discount": "0.1"}) == actual * D("0.9")
    assert world.usd({"batch_share": "0.5"}) == (actual + SEARCH_BATCH + CHAT / 2 + SMALL / 2) / 2
    cached = cost(FOUR, 2000, 8000, 2000) + cost(FOUR, 200, 800, 100) + cost(MINI, 200, 800, 100)
    assert world.usd({"cache_hit_ratio": "0.8"}) == cached
    assert world.usd({"batch_share": "1"}, {"price_discount": 0.5}) == (SEARCH_BATCH + CHAT / 2 + SMALL / 2) / 2


def test_a_cascade_pays_for_the_cheap_attempt_of_what_escalates_too(world: World) -> None:
    put_priced(
        world.store,
        world.book,
        call(HOUR, feature="index", operation="embeddings", provider="openai", input_tokens=1000, output_tokens=0,
             **world.named("text-embedding-3-small")),
    )  # fmt: skip
    embedded = D("0.02") * 1000 / M
    cheap = cost(MINI, 6000, 4000, 2000) + 2 * SMALL
    dear = SEARCH + 2 * CHAT
    change = {"cascade": {"cheap": "gpt-4o-mini", "expensive": "gpt-4o", "escalation_rate": 0.25}}
    assert world.usd(change) == cheap + dear / 4 + embedded
    none = {"cascade": {"cheap": "gpt-4o-mini", "expensive": "gpt-4o", "escalation_rate": 0}}
    assert world.usd(none) == cheap + embedded


def test_shorter_prompts_and_answers(world: World) -> None:
    # half of 6,000 context tokens: 7,000 of 10,000 stay, of the 4,000 cached 2,800
    shorter = cost(FOUR, 4200, 2800, 2000) + CHAT + SMALL
    assert world.usd({"shorter_prompt": {"part": "context", "share": 0.5}}) == shorter
    whole = cost(FOUR, 4800, 3200, 2000) + cost(FOUR, 800, 0, 100) + cost(MINI, 800, 0, 100)
    assert world.usd({"shorter_prompt": {"share": "0.2"}}) == whole
    assert world.usd({"max_output_tokens": 500}) == cost(FOUR, 6000, 4000, 500) + CHAT + SMALL


def test_changes_compose_in_order(world: World) -> None:
    replace = {"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}}
    back = {"replace_model": {"from": "gpt-4o-mini", "to": "gpt-4o"}}
    assert world.usd(replace, back) == SEARCH + 2 * CHAT  # all three are gpt-4o now
    assert world.usd(back, replace) == cost(MINI, 6000, 4000, 2000) + 2 * SMALL
    shorter = {"shorter_prompt": {"share": "0.5"}}
    together = cost(MINI_BATCH, 3000, 2000, 500) + 2 * cost(MINI_BATCH, 500, 0, 100)
    found = world.usd(replace, shorter, {"max_output_tokens": 500}, {"batch_share": 1}, {"price_discount": 0.2})
    assert found == together * D("0.8")
    # context is half as long after the first change, so that a second takes half of what is left
    half = {"shorter_prompt": {"part": "context", "share": 0.5}}
    assert world.usd(half, half) == cost(FOUR, 3300, 2200, 2000) + CHAT + SMALL


def test_filters_and_the_rest_of_many_features(world: World) -> None:
    only = world.ask({"batch_share": 1}, scope=Scope(WEEK.window, {"feature": ("search",)}))
    assert (only["actual_usd"], only["scenario_usd"], len(only["rows"])) == (SEARCH, SEARCH_BATCH, 1)
    found = world.ask({"price_discount": 0.5}, limit=1)
    assert [row["feature"] for row in found["rows"]] == ["search", None]
    assert found["rows"][1]["remainder"]
    assert sum(row["scenario_usd"] for row in found["rows"]) == found["scenario_usd"]


def test_a_price_that_came_later_is_taken_as_of_now(world: World) -> None:
    writer = world.store.writer()
    row = {"provider": "openai", "model": "gpt-house", "valid_from": "2026-03-18", "source": "ours"}
    world.book.put(writer, [{**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"}], NOW - timedelta(days=1))
    writer.close()
    found = world.ask({"replace_model": {"from": "gpt-4o-mini", "to": "gpt-house"}})
    assert found["scenario_usd"] == SEARCH + CHAT + D("0.0011")


WRONG: list[tuple[list[Any], str]] = [
    ([{"price_discount": 1.5}], "price_discount must lie between 0 and 1, not '1.5'"),
    ([{"price_discount": None}], "price_discount must lie"),
    ([{"batch_share": -0.1}], "batch_share must lie"),
    ([{"cache_hit_ratio": "x"}], "cache_hit_ratio must lie"),
    ([{"teleport": 1}], "there is no change 'teleport'; there are: replace_model"),
    ([{}], "a change is one of"),
    ([{"price_discount": 0.1, "batch_share": 0.1}], "a change is one of"),
    (["x"], "a change is one of"),
    ([{"replace_model": {"from": "gpt-4o"}}], "replace_model takes from, to"),
    ([{"replace_model": {"from": "gpt-4o", "to": "gpt-4o"}}], "from and to are both"),
    ([{"replace_model": {"from": "gpt-4", "to": "gpt-4o"}}], "no billed call is to 'gpt-4' here; there are gpt-4o"),
    ([{"replace_model": {"from": "gpt-4o", "to": "house-model-9"}}], "no price is known for 'house-model-9'"),
    ([{"cascade": {"cheap": "gpt-4o", "expensive": "gpt-4o", "escalation_rate": 0.1}}], "are both 'gpt-4o'"),
    ([{"cascade": {"cheap": "gpt-4o-mini", "expensive": "gpt-4o", "escalation_rate": 2}}], "escalation_rate"),
    ([{"shorter_prompt": {"part": "tools", "share": 0.5}}], "part 'tools' is; known parts: context, system"),
    ([{"max_output_tokens": 0}], "whole number of 1 or more"),
    ([{"max_output_tokens": True}], "whole number of 1 or more"),
    ([{"price_discount": 0.1}] * 11, "at most 10 changes"),
    ([{"batch_share": 0.5}] * 5, "more than 16 parts"),
]


def test_what_cannot_be_is_refused_by_name(world: World) -> None:
    for changes, said in WRONG:
        with pytest.raises(BadRequest) as refused:
            world.ask(*changes)
        assert said in str(refused.value), changes


def test_a_model_that_was_replaced_is_not_there_any_more(world: World) -> None:
    changes: Sequence[dict[str, Any]] = [
        {"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}},
        {"replace_model": {"from": "gpt-4o", "to": "claude-haiku-4-5"}},
    ]
    with pytest.raises(BadRequest, match="no billed call is to 'gpt-4o' here"):
        world.ask(*changes)


def test_measured_quality_is_used_where_there_is_one(world: World) -> None:
    rows = [
        call(
            timedelta(minutes=k),
            feature=feature,
            input_tokens=100,
            output_tokens=10,
            **{**world.named(model), "request_model": asked},
        )
        for feature, model, asked, n in (
            ("faq", "gpt-4o-2024-11-20", "gpt-4o", 40),
            ("faq", "gpt-4o-mini", "gpt-4o-mini", 40),
            ("mail", "gpt-4o", "gpt-4o", 40),
            ("mail", "gpt-4o-mini", "gpt-4o-mini", 29),
        )
        for k in range(n)
    ]
    put_priced(world.store, world.book, *rows)
    told = [
        {"project": "default", "trace_id": row["trace_id"], "span_id": row["span_id"], "name": "good", "label": ""}
        | {"value": float(n % 40 < (38 if row["model"] == "gpt-4o-mini" else 36)), "at": DAY}
        for n, row in enumerate(rows)
    ]
    writer = world.store.writer()
    writer.insert("scores", told)
    writer.close()
    found = world.ask({"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}})
    faq, mail = found["quality"]
    assert (faq["feature"], faq["from_n"], faq["to_n"], faq["from_mean"], faq["to_mean"]) == ("faq", 40, 40, 0.9, 0.95)
    assert faq["difference"] == pytest.approx(0.05)
    assert faq["ci_low"] < 0 < faq["ci_high"]
    assert (mail["to_n"], mail["difference"], mail["verdict"]) == (29, None, "not enough data")
    [said] = [caveat for caveat in found["caveats"] if "quality" in caveat]
    assert said.startswith("Measured quality of gpt-4o-mini: faq 0.95 in place of 0.9 (good, the interval holds both).")
    assert said.endswith("Elsewhere its quality is unknown.")
    cascade = {"cheap": "gpt-4o-mini", "expensive": "gpt-4o", "escalation_rate": "0.2"}
    assert [row["from_model"] for row in world.ask({"cascade": cascade})["quality"]] == [None, None]
    assert world.ask({"price_discount": "0.1"})["quality"] == []


def test_a_call_that_does_not_say_its_tokens_cannot_go_to_another_model(world: World) -> None:
    put(world.store, call(HOUR, "0.01", feature="dark", **world.named("gpt-4o")))
    with pytest.raises(BadRequest, match="send to gpt-4o-mini do not say their tokens"):
        world.ask({"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}})
    lit = Scope(WEEK.window, {"feature": ("search", "chat")})
    assert world.ask({"replace_model": {"from": "gpt-4o", "to": "gpt-4o-mini"}}, scope=lit)["touched_calls"] == 2
