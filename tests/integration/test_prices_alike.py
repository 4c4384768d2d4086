"""Many calls priced together cost what they cost one by one, whatever their rates depend on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.pricing_world import TABLE, call

from outlay_collector.prices.alike import EXACT, NAMES, price_alike
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.store import Store

# By the input's size, by the hour, from a day on, with cache writes of two kinds, finer than a millionth, unknown.
MODELS = (
    ("gemini-2.5-pro", "google"),
    ("deepseek-chat", "deepseek"),
    ("claude-haiku-4-5", "anthropic"),
    ("gpt-4o-audio-preview", "openai"),
    ("gpt-5", "openai"),
    ("never-heard-of", "nobody"),
)
FIRST = datetime(2026, 9, 28, 22, tzinfo=UTC)
TERMS = {
    "discounts": [{"provider": "anthropic", "discount": "0.0733333", "valid_from": "2026-10-01"}],
    "prices": [
        {
            "provider": "openai",
            "model": "gpt-5",
            "valid_from": "2026-10-02T11:11:11Z",
            "source": "contract",
            "input_usd_per_mtok": "1",
            "output_usd_per_mtok": "7",
        }
    ],
}


def calls(random: Random, count: int) -> list[dict[str, Any]]:
    """Calls of any kind: counts that contradict each other, that are missing, with sound beside text."""
    found = []
    for _ in range(count):
        model, provider = random.choice(MODELS)
        tokens = {
            name: random.choice([None, 0, random.randrange(3000), random.randrange(3000), random.randrange(400_000)])
            for name in (
                "input_tokens",
                "cache_read_tokens",
                "cache_write_tokens",
                "cache_write_1h_tokens",
                "output_tokens",
                "reasoning_tokens",
            )
        }
        other = random.choice([{}, {}, {}, {"web_searches": 2}, {"input_audio_tokens": random.randrange(3) * 100}])
        found.append(
            call(
                model,
                provider,
                FIRST + timedelta(seconds=random.randrange(5 * 86400)),
                service_tier=random.choice(["", "", "batch", "no-such-tier"]),
                state_hint=random.choice(["", "", "estimated"]),
                other_usage=other,
                **tokens,
            )
        )
    return found


def test_calls_that_the_same_rates_hold_for_cost_together_what_they_cost_one_by_one(store: Store) -> None:
    writer = store.writer()
    book = PriceBook(store, parse_overrides(TERMS))
    book.ensure(writer, datetime(2026, 9, 1, tzinfo=UTC))
    writer.run(f"CREATE TEMPORARY TABLE to_price (nth UInt32, {TABLE}) ENGINE = Memory")
    body = "\n".join(json.dumps({"nth": nth, **one}) for nth, one in enumerate(calls(Random(7), 3000)))
    writer.load("to_price", body.encode(), fmt="JSONEachRow")
    book.prepare(writer, "SELECT * FROM to_price")
    params = {"from": f"{FIRST:%F %T}", "until": f"{FIRST + timedelta(days=5):%F %T}"}
    names = ", ".join(NAMES)

    def sums(priced: str, *, calls: str = "1", times: str = "1", exact: str = "1") -> dict[Any, dict[str, Any]]:
        rows = writer.query(
            f"SELECT {names}, cost_state, sum({calls}) AS n, sum(cost_usd * {times}) AS usd, count() AS groups, "
            f"sum(list_cost_usd * {times}) AS listed, min({exact}) AS is_exact FROM ({priced}) "
            f"GROUP BY {names}, cost_state",
            None if calls == "1" else params,
        )
        return {tuple(row[name] for name in (*NAMES, "cost_state")): row for row in rows}

    source = "SELECT * EXCEPT (nth, id) FROM to_price"
    of_groups = {"calls": "calls", "times": "times", "exact": EXACT}
    one_by_one = sums(book.price_select(source))
    together = sums(price_alike(book, source, ()), **of_groups)
    alone = sums(price_alike(book, source, (), alone="1"), **of_groups)
    assert one_by_one.keys() == together.keys() == alone.keys()
    told = ("n", "usd", "listed")
    differ = set()
    for name, row in one_by_one.items():
        assert [alone[name][one] for one in told] == [row[one] for one in told], name
        assert alone[name]["is_exact"]
        assert together[name]["n"] == row["n"]
        if together[name]["is_exact"]:
            assert [together[name][one] for one in told] == [row[one] for one in told], name
        elif together[name]["usd"] != row["usd"]:
            differ.add(name[0])
    assert differ == {"anthropic"}  # whose lines are rounded, call by call
    assert {name[0] for name, row in together.items() if not row["is_exact"]} == differ
    assert sum(row["groups"] for row in together.values()) < sum(row["groups"] for row in one_by_one.values())
    writer.close()
