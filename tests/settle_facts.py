"""Facts for tests of `resolve`: a handful of spans in as few words as it takes, or random worlds of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from outlay_collector.settle.arrays import NO
from outlay_collector.settle.facts import UNKNOWN, Count, Facts, Role
from outlay_collector.settle.merge import Counted
from outlay_collector.settle.requests import Reason
from outlay_collector.settle.resolve import Resolved, resolve
from outlay_collector.settle.table import COUNTS, SAID

MS = 1_000_000
S = 1_000 * MS
FRAMEWORK, CLIENT = 20, 10
AGENT = Role.AGGREGATE
DTYPES: dict[str, Any] = {
    **dict.fromkeys(
        (
            *("id", "parent_id", "trace", "trace_high", "trace_low", "span_low"),
            *("response_key", "request_key", "fingerprint", "stream"),
        ),
        np.uint64,
    ),
    **dict.fromkeys(("role", "rank"), np.uint8),
    **dict.fromkeys(("rooted", "failed", "cached", "has_usage", "estimated", "billed_failure", "is_lookup"), np.bool_),
    "accumulates": np.bool_,
    "attempt": np.uint16,
}


@dataclass(frozen=True)
class Given:
    """A span. Its usage is (input, output), or a count by name; times are in milliseconds."""

    name: str
    usage: tuple[int | None, int | None] | None = None
    under: str = ""
    trace: str = "t"
    role: Role = Role.CALL
    rank: int = FRAMEWORK
    response: str = ""
    requested: str = ""
    model: str = "gpt-4o"
    answered_by: str = ""
    provider: str = ""
    scope: str = "lib"
    at: int = 0
    took: int = 100
    began: int | None = None
    failed: bool = False
    accumulates: bool = False
    estimated: bool = False
    cached: bool = False
    is_lookup: bool = False
    same_counts: str = ""
    stream: str = ""
    attempt: int = 1
    parts: Mapping[Count, int] = field(default_factory=dict)
    says: frozenset[str] = frozenset()


def facts_of(*spans: Given) -> Facts:
    """The facts of these spans, a row each."""
    number = {name: n + 1 for n, name in enumerate(dict.fromkeys(x for s in spans for x in (s.name, s.under) if x))}
    words: dict[str, int] = {"": 0}
    models: dict[bytes, int] = {b"": 0}
    counts = np.full((len(spans), len(COUNTS)), UNKNOWN)
    for row, s in enumerate(spans):
        for count, value in {Count.INPUT: (s.usage or (None,))[0], Count.OUTPUT: (s.usage or (None, None))[1]}.items():
            counts[row, count] = UNKNOWN if value is None else value
        for count, value in s.parts.items():
            counts[row, count] = value

    def code(word: str) -> int:
        return words.setdefault(word, len(words))

    def model(name: str) -> int:
        return models.setdefault(name.encode(), len(models))

    columns: dict[str, list[Any]] = {
        "id": [number[s.name] for s in spans],
        "parent_id": [number.get(s.under, 0) for s in spans],
        "trace": [code(s.trace) for s in spans],
        "trace_high": [int.from_bytes(s.trace.encode()[:8].ljust(8, b"\0"), "big") for s in spans],
        "trace_low": [0 for _ in spans],
        "span_low": [number[s.name] for s in spans],
        "rooted": [not s.under for s in spans],
        "started_ns": [s.at * MS for s in spans],
        "began_ns": [(s.at if s.began is None else s.began) * MS for s in spans],
        "ended_ns": [(s.at + s.took) * MS for s in spans],
        "role": [s.role for s in spans],
        "rank": [s.rank for s in spans],
        "accumulates": [s.accumulates for s in spans],
        "failed": [s.failed for s in spans],
        "cached": [s.cached for s in spans],
        "has_usage": [s.usage is not None or bool(s.parts) for s in spans],
        "estimated": [s.estimated for s in spans],
        "billed_failure": [False for _ in spans],
        "is_lookup": [s.is_lookup for s in spans],
        "attempt": [s.attempt for s in spans],
        "response_key": [code(s.response) for s in spans],
        "request_key": [code(s.requested) for s in spans],
        "fingerprint": [code(s.same_counts) for s in spans],
        "stream": [code(s.stream) for s in spans],
        "project": [0 for _ in spans],
        "provider": [code(s.provider) for s in spans],
        "scope": [code(s.scope) for s in spans],
        "request_model": [model(s.model) for s in spans],
        "response_model": [model(s.answered_by) for s in spans],
    }
    said = [
        s.says
        | ({"request_model"} if s.model else set())
        | ({"response_model"} if s.answered_by else set())
        | ({"response_id"} if s.response else set())
        | ({"provider"} if s.provider else set())
        for s in spans
    ]
    arrays = {name: np.array(values, DTYPES.get(name, np.int64)) for name, values in columns.items()}
    says = {name: np.array([name in one for one in said], bool) for name in SAID}
    return Facts(**arrays, counts=counts, says=says, models=list(models))


@dataclass(frozen=True)
class Decided:
    """What became of given spans, by their names."""

    calls: dict[str, tuple[int | None, int | None]]
    """What each call counts: input, output."""
    repeats: dict[str, tuple[str, str]]
    """Why each repeat is no call, and which call is counted instead."""
    resolved: Resolved
    row: dict[str, int]

    def counts(self, name: str) -> dict[str, int]:
        """All that a call counts."""
        at = self.resolved.requests.call.tolist().index(self.row[name])
        return {
            count: int(n)
            for count, n in zip(COUNTS, self.resolved.requests.counts[at], strict=True)
            if int(n) != UNKNOWN
        }

    def of(self, name: str, column: str) -> Any:
        """A column of the requests, for one call."""
        at = self.resolved.requests.call.tolist().index(self.row[name])
        return getattr(self.resolved.requests, column)[at].item()


def decide(*spans: Given) -> Decided:
    """Resolve these spans."""
    found = resolve(facts_of(*spans))
    names = [s.name for s in spans]
    calls = {
        names[row]: tuple(None if counts[n] == UNKNOWN else int(counts[n]) for n in (Count.INPUT, Count.OUTPUT))
        for row, counts in zip(found.requests.call.tolist(), found.requests.counts, strict=True)
    }
    again = zip(found.repeats.span.tolist(), found.repeats.reason.tolist(), found.repeats.of.tolist(), strict=True)
    repeats = {names[row]: (Reason(reason).text, "" if of == NO else names[of]) for row, reason, of in again}
    return Decided(calls, repeats, found, {name: n for n, name in enumerate(names)})  # type: ignore[arg-type]


def reason(decided: Decided, name: str) -> Counted:
    """Why a span was counted."""
    return Counted(decided.of(name, "reason"))


def random_facts(seed: int, most: int = 16) -> Facts:
    """A world of a few spans with few keys, counts and times: rings, late parents, repeated ids, everything at once."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, most))

    def chance(share: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return rng.random(n) < share

    ids = rng.permutation(np.arange(1, n + 1)).astype(np.uint64)
    trace = rng.integers(1, 4, n).astype(np.uint64)
    parent = np.where(chance(0.65), rng.choice(ids, n), 0).astype(np.uint64)
    trace_of = {0: 0} | dict(zip(ids.tolist(), trace.tolist(), strict=True))
    parent[[trace_of[p] != t for p, t in zip(parent.tolist(), trace.tolist(), strict=True)]] = 0
    late = chance(0.05)  # its parent is not there
    parent[late] = 1_000
    role = rng.choice([Role.NONE, *[Role.CALL] * 4, *[Role.AGGREGATE] * 2, Role.RAW, Role.TAIL], n).astype(np.uint8)
    counts = np.full((n, len(COUNTS)), UNKNOWN)
    for count in Count:
        whole = count in (Count.INPUT, Count.OUTPUT)
        known = chance(0.8 if whole else 0.3)
        counts[:, count] = np.where(known, rng.integers(0, 4, n) * (10 if whole else 1), UNKNOWN)
    cached = (role == Role.CALL) & chance(0.05)
    has_usage = (role != Role.NONE) & chance(0.75) & ~cached
    counts[~has_usage] = UNKNOWN
    started = rng.integers(0, 12, n) * S
    ended = started + rng.integers(0, 5, n) * S
    input_, output = counts[:, Count.INPUT], counts[:, Count.OUTPUT]
    countable = (role == Role.CALL) & has_usage & (input_ > 0) & (output > 0)
    provider, says = rng.integers(0, 3, n), {name: chance(0.4) for name in SAID}
    request_model, response_model = rng.integers(0, 4, n), rng.integers(0, 4, n)
    says |= {"provider": provider > 0, "request_model": request_model > 0, "response_model": response_model > 0}
    opens = (role == Role.TAIL) | ((role == Role.CALL) & ~has_usage)
    return Facts(
        id=ids,
        parent_id=parent,
        trace=trace,
        trace_high=trace,
        trace_low=np.zeros(n, np.uint64),
        span_low=ids,
        rooted=parent == 0,
        started_ns=started,
        began_ns=np.where((role == Role.TAIL) & chance(0.5), started - 2 * S, started),
        ended_ns=ended,
        role=role,
        rank=rng.choice([5, CLIENT, FRAMEWORK, 30], n).astype(np.uint8),
        accumulates=chance(0.1),
        failed=chance(0.15),
        cached=cached,
        has_usage=has_usage,
        estimated=has_usage & chance(0.2),
        billed_failure=chance(0.1),
        is_lookup=chance(0.1),
        attempt=rng.integers(1, 3, n).astype(np.uint16),
        response_key=np.where((role != Role.NONE) & chance(0.5), rng.integers(1, 4, n), 0).astype(np.uint64),
        request_key=np.where((role != Role.NONE) & chance(0.2), rng.integers(51, 54, n), 0).astype(np.uint64),
        fingerprint=np.where(countable, 100 + input_ * 7 + output, 0).astype(np.uint64),
        stream=np.where(opens & chance(0.7), rng.integers(1, 3, n), 0).astype(np.uint64),
        project=np.zeros(n, np.int64),
        provider=provider,
        scope=rng.integers(1, 4, n),
        request_model=request_model,
        response_model=response_model,
        counts=counts,
        says=says,
        models=[b"", b"gpt-4o", b"gpt-4o-mini", b"gpt-4o-2024-08-06"],
    )


def random_siblings(seed: int) -> Facts:
    """The same worlds with most spans beside each other, of one model and alike in what they count, clients short."""
    facts = random_facts(seed, 24)
    below_first = (facts.id > 2) & (facts.trace == facts.trace[0])
    return replace(
        facts,
        ended_ns=np.where(facts.rank > CLIENT, facts.ended_ns, facts.started_ns),
        parent_id=np.where(below_first, facts.id[0], facts.parent_id),
        role=np.minimum(facts.role, Role.AGGREGATE).astype(np.uint8),
        counts=np.where(facts.counts == UNKNOWN, UNKNOWN, 5),
        request_model=np.ones(len(facts), np.int64),
        says=facts.says | {"request_model": np.ones(len(facts), bool)},
        response_key=np.where(facts.rank > CLIENT, np.uint64(0), facts.response_key),
        fingerprint=np.zeros(len(facts), np.uint64),
    )
