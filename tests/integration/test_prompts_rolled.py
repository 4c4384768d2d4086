"""Prompts from the rollup are those from calls, digit for digit, and so are the breaks of their caches."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from tests.hand_calls import DAY, call, put
from tests.integration.test_cascades_rolled import roll, settle

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.cache_breaks import cache_breaks
from outlay_analytics.questions.prompt_source import prompt_source
from outlay_analytics.questions.prompts import prompts
from outlay_collector.store import Store

WHOLE = Window(DAY, DAY + timedelta(days=2))
SCOPES = (
    Scope(WHOLE),
    Scope(Window(DAY + timedelta(minutes=70), DAY + timedelta(hours=30, minutes=20)), {"feature": ("f0",)}),
    Scope(WHOLE, {"user": ("u1",), "prompt": ("a", "b")}),
)


def world(rng: random.Random) -> list[dict[str, Any]]:
    rows = []
    for n in range(600):
        tokens = rng.choice([None, *[1000, 2000] * 3])
        read = None if tokens is None else rng.choice([None, 0, *[tokens // 2] * 4]) if n < 300 else 0
        cost = None if tokens is None else rng.choice([None, "0", *["0.003000000001"] * 6])
        lines = {"input": "0.001", "cache_read": "0.0001" if read else "0"} if cost and cost != "0" else {}
        rows.append(
            call(
                timedelta(minutes=4 * n),
                cost,
                cost_lines=lines,
                prompt=rng.choice(["a", "a", "b", ""]),
                prompt_version=rng.choice(["1", "2"]),
                feature=f"f{n % 2}",
                user=f"u{n % 3}",
                model=rng.choice(["gpt-5", "gpt-5", "gpt-5", "gpt-4o"]),
                operation=rng.choice(["chat", "chat", "embeddings"]),
                input_tokens=tokens,
                cache_read_tokens=read,
                cache_write_tokens=rng.choice([None, 10]),
                output_tokens=rng.choice([None, 7]),
                prompt_parts=rng.choice([{}, {"system": 100}, {"system": 100, "history": 900}]),
            )
        )
    rows[3] |= {"cost_state": "cached", "cost_usd": 0, "cost_lines": {}}
    return rows


def answers(store: Store) -> list[Any]:
    return [(prompts(store, scope), cache_breaks(store, scope)) for scope in SCOPES]


def test_prompts_from_the_rollup_are_those_from_calls_whatever_changes(store: Store) -> None:
    rows = world(random.Random(3))
    put(store, *rows)
    first = answers(store)
    assert [len(found["rows"]) for found, _ in first] == [4, 4, 4]
    assert first[0][1], "a cache that breaks"
    roll(store)
    assert answers(store) == first
    assert "prompt_hourly" in prompt_source(store, SCOPES[0], {})
    assert "prompt_hourly" not in prompt_source(store, SCOPES[2], {}), "the rollup knows no users"
    named = [row for row in rows if row["prompt"] and row["operation"] == "chat"]
    settle(store, {**named[0], "prompt": "c", "version": 2}, {**named[1], "is_deleted": 1, "version": 2})
    changed = answers(store)
    assert changed != first
    roll(store)
    assert answers(store) == changed
