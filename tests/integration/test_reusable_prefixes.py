"""Prefixes that were paid for again, of a real hour of traffic, against a count that shares no code with the answer.

Mooncake's conversation trace (Qin et al., FAST 2025; Apache-2.0) names the 512-token blocks of each prompt, so that
equal names are equal beginnings. It is read where it lies beside the repository, and is no part of it.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.hand_calls import DAY, call, put

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.opportunities import SHOWN, opportunities
from outlay_collector.store import Store

TRACE = Path(__file__).parents[3] / "shared" / "llm-traces" / "mooncake_conversation_first_half.jsonl.gz"
CALLS = 3000
BLOCKS = 2  # of 512 tokens: what a provider's cache takes at least
KEPT_S = 300
USD_PER_TOKEN = Decimal("0.000001")


@pytest.mark.skipif(not TRACE.exists(), reason="the trace is not beside the repository")
def test_what_a_cache_could_have_read_is_what_an_independent_count_says(store: Store) -> None:
    with gzip.open(TRACE, "rt") as lines:
        hour = [json.loads(line) for line in lines][:CALLS]
    hour = [one for one in hour if len(one["hash_ids"]) >= BLOCKS]
    put(store, *(_row(one) | {"prompt_hash": number + 1} for number, one in enumerate(hour)))  # no two are the same
    seen: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in hour:
        seen[one["hash_ids"][BLOCKS - 1]].append(one)
    repeats = {}
    for block, calls in seen.items():
        times = sorted(one["timestamp"] // 1000 for one in calls)
        again = sum(later - earlier <= KEPT_S for earlier, later in pairwise(times))
        if again:
            repeats[block] = again
    expected = sorted(repeats.values(), reverse=True)[:SHOWN]
    scope = Scope(Window(DAY, DAY + timedelta(hours=2)))
    found = opportunities(store, scope, len(hour))
    assert {one["kind"] for one in found} == {"prefix"}
    assert sum(expected) > 100
    assert [one["repeats"] for one in found] == expected
    assert [one["saving_usd"] for one in found] == [n * 1024 * USD_PER_TOKEN / 2 for n in expected]


def _row(one: dict[str, Any]) -> dict[str, Any]:
    tokens = max(one["input_length"], BLOCKS * 512)
    usd = str(tokens * USD_PER_TOKEN)
    return call(
        timedelta(milliseconds=one["timestamp"]),
        usd,
        input_tokens=tokens,
        cost_lines={"input": usd},
        prefix_hash=one["hash_ids"][BLOCKS - 1] + 1,
    )
