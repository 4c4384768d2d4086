"""Random worlds of spans: the same calls as an oracle that is written span by span, and in any order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests import settle_plain
from tests.settle_facts import random_facts, random_siblings

from outlay_collector.settle.arrays import NO
from outlay_collector.settle.facts import UNKNOWN, Facts
from outlay_collector.settle.requests import Reason
from outlay_collector.settle.resolve import Resolved, resolve
from outlay_collector.settle.siblings import parents_of
from outlay_collector.settle.table import COMPLETED

WORLDS = 160
Calls = dict[int, dict[str, Any]]
Repeats = set[tuple[int, str, int]]


def decided(facts: Facts) -> tuple[Calls, Repeats]:
    """What `resolve` decides, by the ids of spans."""
    found: Resolved = resolve(facts)
    ids = [*facts.id.tolist(), 0]  # the last is that of no span
    requests, calls = found.requests, {}
    for n, row in enumerate(requests.call.tolist()):
        calls[ids[row]] = {
            "counts": [None if count == UNKNOWN else count for count in requests.counts[n].tolist()],
            "rows": {name: ids[rows[n]] for name, rows in requests.rows.items()},
            "lookup": ids[requests.lookup[n]],
            "model_of": ids[requests.model_of[n]],
            "context": [ids[each] for each in chain_of(found, n)],
            "flagged": [ids[each] for each in found.flagged.get(n, ())],
            **{
                name: getattr(requests, name)[n].item()
                for name in (
                    "has_usage",
                    "estimated",
                    "billed_failure",
                    "attempt",
                    "conflict",
                    "unattributed",
                    "filled",
                )
            },
        }
    repeats = zip(found.repeats.span, found.repeats.reason, found.repeats.of, strict=True)
    return calls, {(ids[span], Reason(reason).text, ids[of]) for span, reason, of in repeats}


def chain_of(found: Resolved, request: int) -> list[int]:
    """The spans whose words on what a call was for hold, the strongest first; NO parts those of different spans."""
    chain: list[int] = []
    for row in found.contexts.near[found.contexts.request == request].tolist():
        chain += [NO] if chain else []
        while row != NO:
            chain.append(row)
            row = int(found.tree.context_above[row])
    return chain


def expected(facts: Facts) -> tuple[Calls, Repeats]:
    """The same by the oracle."""
    requests, repeats = settle_plain.resolve(settle_plain.spans_of(facts))
    ids = [*facts.id.tolist(), 0]
    calls = {}
    for request in requests:
        flagged = any("flags" in span.says for span in request.members[1:])
        calls[request.winner.id] = {
            "counts": list(request.filled or request.counts),
            "rows": {name: ids[request.rows[name]] for name in (*COMPLETED, "other_usage")},
            "lookup": request.lookup.id if request.lookup else 0,
            "model_of": request.model_of.id if request.model_of else 0,
            "context": [span.id if span else 0 for span in request.contexts],
            "flagged": [span.id for span in request.members] if flagged else [],
            "has_usage": request.has_usage,
            "estimated": request.estimated,
            "billed_failure": request.billed_failure,
            "attempt": request.attempt,
            "conflict": request.conflict,
            "unattributed": request.unattributed,
            "filled": request.filled is not None,
        }
    return calls, {(each.span.id, each.reason, each.of.id if each.of else 0) for each in repeats}


@pytest.mark.parametrize("first", range(0, WORLDS, 40))
def test_the_arrays_decide_as_the_objects_do(first: int) -> None:
    for seed in range(first, first + 40):
        for facts in (random_facts(seed), random_siblings(seed)):
            assert decided(facts) == expected(facts), seed


@pytest.mark.parametrize("first", range(0, WORLDS, 40))
def test_the_order_of_spans_does_not_matter(first: int) -> None:
    for seed in range(first, first + 40):
        facts = random_facts(seed)
        turned = facts.take(np.random.default_rng(seed).permutation(len(facts)))
        assert decided(turned) == decided(facts), seed


def test_the_worlds_hold_what_they_are_for() -> None:
    """Calls, each kind of repeat, conflicts, rests and fills: or the tests above would say little."""
    reasons, conflicts, rests, fills, adopted = set(), 0, 0, 0, 0
    for seed in range(WORLDS):
        calls, repeats = decided(random_facts(seed))
        reasons |= {reason for _, reason, _ in repeats}
        conflicts += sum(call["conflict"] for call in calls.values())
        rests += sum(call["unattributed"] for call in calls.values())
        fills += sum(call["filled"] for call in calls.values())
        siblings = random_siblings(seed)
        adopted += int(np.sum(parents_of(siblings) != siblings.parent_id))
    assert reasons == {reason.text for reason in Reason if reason}
    assert min(conflicts, rests, fills, adopted) > 1
