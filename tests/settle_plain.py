"""`outlay_collector.settle.resolve` once more, span by span over small objects: the oracle for random worlds.

    resolve(spans_of(facts)) -> (requests, repeats)

The same rules, written the slow way that is easy to check. None is "unknown" or "nothing"; a span points at its parent.
One file, so that it can be read beside the rules in one go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from outlay_collector.settle.facts import UNKNOWN, Facts
from outlay_collector.settle.table import COMPLETED

MAX_DEPTH = 64
CALL, AGGREGATE, RAW, TAIL = 1, 2, 3, 4
OWN_SPAN = 10
SECOND = 1_000_000_000
INPUT, READ, WRITE, WRITE_1H, OUTPUT, REASONING = range(6)
Counts = list[int | None]


@dataclass(slots=True, eq=False)
class Span:
    row: int
    id: int
    pid: int
    trace: int
    trace_no: tuple[int, int]
    span_no: int
    rooted: bool
    at: int
    began: int
    ended: int
    role: int
    rank: int
    accumulates: bool
    failed: bool
    cached: bool
    has_usage: bool
    estimated: bool
    billed_failure: bool
    is_lookup: bool
    attempt: int
    response_key: int
    request_key: int
    fingerprint: int
    stream: int
    project: int
    scope: int
    models: tuple[bytes, bytes]
    provider: int
    says: frozenset[str]
    counts: Counts
    # Its place, filled in by `place`.
    parent: Span | None = None
    above: Span | None = None
    usage_depth: int = 0
    lookup: Span | None = None
    context: Span | None = None
    # Its request, filled in by `link` and `join`.
    up: Span | None = None
    down: Span | None = None
    reason: str = ""
    is_aggregate: bool = False
    request: Request | None = None


@dataclass(slots=True, eq=False)
class Request:
    members: list[Span]
    rows: dict[str, int]
    counts: Counts
    has_usage: bool
    estimated: bool
    billed_failure: bool
    attempt: int
    lookup: Span | None
    conflict: bool
    contexts: list[Span | None]
    unattributed: bool = False
    filled: Counts | None = None
    model_of: Span | None = None

    @property
    def winner(self) -> Span:
        return self.members[0]


@dataclass(slots=True, eq=False)
class Repeat:
    span: Span
    reason: str
    of: Span | None = None


def resolve(spans: list[Span]) -> tuple[list[Request], list[Repeat]]:
    adopt(spans)
    place(spans)
    speakers = [s for s in spans if s.role]
    pairs = [(s, s.above) for s in speakers if s.above]
    scores = {c: score(c, p) for c, p in pairs}
    link(pairs, scores)
    stream_tails(speakers)
    find_aggregates(pairs, scores)
    chains: dict[Span, list[Span]] = defaultdict(list)
    for span in speakers:
        if not span.is_aggregate:
            chains[head_of(span)].append(span)
    requests = [merge(members, conflict) for members, conflict in join(chains)]
    rests, repeats = add_up(speakers, requests)
    return requests + rests, [r for request in requests for r in repeats_of(request)] + repeats


# --- the tree


def adopt(spans: list[Span]) -> None:
    """A client's span within the one framework's beside it, of the same request, is taken for its child."""
    beside: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        if span.pid and span.role == CALL and not span.cached:
            beside[span.pid].append(span)
    for group in beside.values():
        hosts = [s for s in group if s.rank > OWN_SPAN and not s.response_key]
        for guest in (s for s in group if s.rank <= OWN_SPAN):
            around = [s for s in hosts if s.at <= guest.at and s.ended >= guest.ended]
            if len(around) == 1 and is_sibling_s(guest, around[0]):
                guest.pid = around[0].id


def is_sibling_s(guest: Span, host: Span) -> bool:
    one, other = guest.models[0], host.models[0]
    same_model = bool(one and other) and (one.startswith(other) or other.startswith(one))
    same_counts = all(guest.counts[n] == host.counts[n] for n in (INPUT, OUTPUT))
    return guest.scope != host.scope and same_model and (same_counts or not host.has_usage)


def place(spans: list[Span]) -> None:
    """Parents, and what spans inherit. Rings, and what is nested too deep, stand for themselves."""
    by_id = {s.id: s for s in spans}
    children: dict[int, list[Span]] = defaultdict(list)
    level = []
    for span in spans:
        span.context = span if "context" in span.says else None
        span.is_aggregate = span.role == AGGREGATE
        if span.pid and span.pid in by_id:
            children[span.pid].append(span)
        else:
            level.append(span)
    for _ in range(MAX_DEPTH):
        below = []
        for p in level:
            for c in children.get(p.id, ()):
                c.parent = p
                c.above = p if p.role else p.above
                c.usage_depth = p.usage_depth + (p.role > 0)
                c.lookup = p if p.is_lookup else p.lookup
                c.context = c if "context" in c.says else p.context
                below.append(c)
        if not below:
            return
        level = below


# --- which spans of one trace speak of one request


def agree(a: Iterable[bytes], b: Iterable[bytes]) -> bool:
    """Whether one of the names of `a` may be one of the names of `b`: unknown, or the beginning of the other."""
    return any(x.startswith(y) or y.startswith(x) for x in a for y in b)


def differ(c: Span, p: Span) -> bool:
    return bool(c.role != RAW and c.response_key and p.response_key and c.response_key != p.response_key)


def score(c: Span, p: Span) -> int:
    """How surely a span and the one above it are one request.

    9 raw restatement · 8 same response id · 6 same input · 5 same output · 4 only the child has counts ·
    3 only the parent has · 2 neither has, both ended alike · 0 different requests.
    """
    if p.role != CALL or c.role not in (CALL, RAW) or p.cached or c.cached:
        return 0
    if c.role == RAW:
        return 9
    if c.response_key and c.response_key == p.response_key:
        return 8
    if differ(c, p) or not agree(p.models, c.models):
        return 0
    if c.has_usage and p.has_usage:
        if c.counts[INPUT] is not None and c.counts[INPUT] == p.counts[INPUT]:
            return 6
        return 5 if c.counts[OUTPUT] and c.counts[OUTPUT] == p.counts[OUTPUT] else 0
    if c.has_usage:
        return 4
    if p.has_usage:
        return 0 if c.failed else 3
    return 2 if p.failed or not c.failed else 0


def link(pairs: list[tuple[Span, Span]], scores: dict[Span, int]) -> None:
    """Each parent is one request with at most one of its children: the surest, of equals the last."""
    best: dict[Span, Span] = {}
    for c, p in pairs:
        if scores[c]:
            old = best.get(p)
            if old is None or (scores[c], c.at, c.id) > (scores[old], old.at, old.id):
                best[p] = c
    for p, c in best.items():
        c.up, p.down = p, c
        c.reason = {9: "raw_child", 8: "same_response"}.get(scores[c], "same_request")


def stream_tails(speakers: list[Span]) -> None:
    """Usage in a span of its own at a stream's end, joined to the span that opened it: in order, burst by burst."""
    if not any(s.role == TAIL for s in speakers):
        return
    events: dict[tuple[int, int, int], list[tuple[int, int, Span]]] = defaultdict(list)
    for s in speakers:
        if s.stream:
            at = s.began if s.role == TAIL else s.ended
            events[s.project, 0 if s.rooted else s.trace, s.stream].append((at, s.id, s))
    for found in events.values():
        for burst in bursts(sorted(found, key=lambda e: e[:2])):
            heads, tails = [s for s in burst if s.role != TAIL], [s for s in burst if s.role == TAIL]
            for tail, head in zip(tails, heads, strict=False):
                tail.up, head.down, tail.reason = head, head.down or tail, "stream_usage"


def bursts(events: list[tuple[int, int, Span]]) -> list[list[Span]]:
    """Events in order of time, parted by gaps of two seconds."""
    out: list[list[Span]] = []
    last = 0
    for at, _, span in events:
        if not out or at > last + 2 * SECOND:
            out.append([])
        out[-1].append(span)
        last = max(last, at)
    return out


def find_aggregates(pairs: list[tuple[Span, Span]], scores: dict[Span, int]) -> None:
    """Spans whose usage stands for what is below: agents (by role), and calls with calls of other counts below them."""
    for c, p in pairs:
        other = p.role == CALL and p.has_usage and c.has_usage and c.role in (CALL, RAW) and not scores[c]
        if other and not differ(c, p) and not p.cached and not c.cached and not p.down and not p.up:
            p.is_aggregate = True


def head_of(span: Span) -> Span:
    while span.up is not None:
        span = span.up
    return span


# --- and of several traces


@dataclass(slots=True, eq=False)
class Chain:
    spans: list[Span]
    keys: dict[str, int]  # by the name of what its spans say: request_key, response_key, fingerprint
    with_id: bool
    scope: int
    counts: tuple[int | None, int | None]
    models: tuple[bytes, bytes]
    precedence: tuple[int, tuple[int, int], int]
    winner: Chain | None = None
    conflict: bool = False

    def time(self, by: str) -> tuple[int, int]:
        """From the first to the last of its spans that have the key by which it is looked at."""
        has = [s for s in self.spans if not s.cached and getattr(s, by) == self.keys[by]]
        return min(s.began for s in has), max(s.ended for s in has)


def chain_of(head: Span, spans: list[Span]) -> Chain:
    live = [s for s in spans if not s.cached]
    by_rank = sorted(live, key=lambda s: (s.rank, s.trace_no, s.span_no))
    counted = [s for s in by_rank if not s.estimated]
    with_id = any(s.response_key for s in live)
    own = any((s.above is None or s.rank <= OWN_SPAN) and s.fingerprint for s in live)
    said = [next((s.counts[n] for s in counted if s.counts[n] is not None), None) for n in (INPUT, OUTPUT)]
    models = [next((s.models[n] for s in by_rank if s.models[n]), b"") for n in (0, 1)]
    return Chain(
        spans=spans,
        keys={
            "request_key": next((s.request_key for s in by_rank if s.request_key), 0),
            "response_key": next((s.response_key for s in by_rank if s.response_key), 0),
            "fingerprint": 0 if with_id and not own else next((s.fingerprint for s in by_rank if s.fingerprint), 0),
        },
        with_id=with_id,
        scope=(by_rank[0] if head.cached else head).scope,
        counts=(said[0], said[1]),
        models=(models[0], models[1]),
        precedence=min((s.rank, s.trace_no, s.span_no) for s in live),
    )


def join(chains: dict[Span, list[Span]]) -> list[tuple[list[Span], bool]]:
    """Chains that share the id of a request or a response, or failing that their counts, are one request."""
    by_key: dict[int, set[Span]] = defaultdict(set)
    for head, spans in chains.items():
        for s in spans:
            for key in (s.request_key, s.response_key, s.fingerprint):
                if key:
                    by_key[key].add(head)
    shared = {head for heads in by_key.values() if len(heads) > 1 for head in heads}
    found = {h: chain_of(h, chains[h]) for h in shared if any(not s.cached for s in chains[h])}
    for by, slack in (("request_key", 5 * SECOND), ("response_key", 5 * SECOND), ("fingerprint", SECOND)):
        groups: dict[int, list[Chain]] = defaultdict(list)
        for chain in found.values():
            if chain.keys[by] and chain.winner is None:
                groups[chain.keys[by]].append(chain)
        for group in groups.values():
            if len(group) > 1:
                join_group(group, slack, by)
    together: dict[Span | Chain, list[Span]] = defaultdict(list)
    conflicts: set[Chain] = set()
    for head, spans in chains.items():
        one = found.get(head)
        whose = head if one is None else last(one)
        together[whose] += spans
        if one is not None and one.conflict:
            conflicts.add(whose)  # type: ignore[arg-type]
    return [(spans, whose in conflicts) for whose, spans in together.items()]


def last(chain: Chain) -> Chain:
    """The winner; of one that lost to another by another key, that one's."""
    while chain.winner is not None and chain.winner is not chain:
        chain = chain.winner
    return chain


def join_group(group: list[Chain], slack: int, by: str) -> None:
    """Clusters in time; the n-th of each instrumentation there belong together, if nothing contradicts.

    The same instrumentation twice is two requests: gateways repeat ids.
    """
    numbered: dict[tuple[int, int], list[Chain]] = defaultdict(list)
    seen: dict[tuple[int, int], int] = defaultdict(int)
    cluster, last = 0, None
    for chain in sorted(group, key=lambda c: (c.time(by)[0], c.precedence)):
        began, ended = chain.time(by)
        if last is not None and began > last + slack:
            cluster += 1
        last = ended if last is None else max(last, ended)
        seen[cluster, chain.scope] += 1
        numbered[cluster, seen[cluster, chain.scope]].append(chain)
    for chains in numbered.values():
        if len(chains) < 2:
            continue
        winner = min(chains, key=lambda c: c.precedence)
        fit = [fits(chain, winner, slack, by) for chain in chains]
        for chain, ok in zip(chains, fit, strict=True):
            if by == "request_key":  # together they may meet others
                chain.winner = winner if ok and chain is not winner else None
                continue
            chain.winner = winner if ok else chain
            chain.conflict = by == "response_key" and not all(fit)


def fits(a: Chain, w: Chain, slack: int, by: str) -> bool:
    """Whether a chain may be the winner's request. Of equal counts without ids one lies within the other."""
    (a_began, a_ended), (w_began, w_ended) = a.time(by), w.time(by)
    if a_began > w_ended + slack or w_began > a_ended + slack or not agree(a.models, w.models):
        return False
    if all(x is not None and y is not None and x != y for x, y in zip(a.counts, w.counts, strict=True)):
        return False
    if by != "fingerprint" or a is w or a.with_id != w.with_id:
        return True
    within = (a_began < w_began and a_ended >= w_ended) or (w_began < a_began and w_ended >= a_ended)
    return within and not a.with_id


# --- requests


def merge(spans: list[Span], conflict: bool) -> Request:
    """A request from its spans in order: identity is the first's, each field the first word on it."""
    spans.sort(key=lambda s: (s.rank, s.trace_no, -s.usage_depth, s.span_no, s.id))
    sure, guess = [s for s in spans if not s.estimated], [s for s in spans if s.estimated]
    cut = len(spans) > 1 and any(unread(s) for s in spans)
    counts: Counts = []
    estimated = bool(guess) and not any(s.has_usage for s in sure)
    for n in range(6):
        counted = None if n == OUTPUT and cut else first_word(s.counts[n] for s in sure)
        guessed = first_word(s.counts[n] for s in guess)
        counts.append(guessed if counted is None else counted)
        estimated = estimated or (n in (INPUT, OUTPUT) and counted is None and guessed is not None)
    rows = {name: next((s.row for s in spans if name in s.says), spans[-1].row) for name in COMPLETED}
    others = [s for s in (*sure, *guess) if "other_usage" in s.says]
    request = Request(
        members=spans,
        rows={**rows, "other_usage": others[0].row if others else spans[-1].row},
        counts=counts,
        has_usage=any(s.has_usage for s in spans),
        estimated=estimated,
        billed_failure=any(s.billed_failure for s in spans),
        attempt=max(s.attempt for s in spans),
        lookup=next((s.lookup for s in spans if s.lookup), None),
        conflict=conflict,
        contexts=context_chain(spans),
    )
    for s in spans:
        s.request = request
    return request


def first_word(said: Iterable[int | None]) -> int | None:
    """The first that is said."""
    return next((each for each in said if each is not None), None)


def unread(s: Span) -> bool:
    """The client's own span counts what came in: with input and no output the stream was not read to its end."""
    return s.rank <= OWN_SPAN and s.counts[INPUT] is not None and s.counts[OUTPUT] is None


def context_chain(spans: list[Span]) -> list[Span | None]:
    """Spans whose contexts a request has, the strongest first; None between what its spans say."""
    out: list[Span | None] = []
    for at in dict.fromkeys(s.context for s in spans):
        if at and out:
            out.append(None)
        while at:
            out.append(at)
            at = at.parent.context if at.parent else None
    return out


def repeats_of(request: Request) -> list[Repeat]:
    out = []
    for s in request.members[1:]:
        reason = s.reason if s.up else s.down.reason if s.down else "same_response"
        out.append(Repeat(s, "same_request" if reason == "raw_child" and not s.up else reason, request.winner))
    return out


# --- sums


@dataclass(slots=True)
class Below:
    """What is below a span, added up."""

    counts: list[int] = field(default_factory=lambda: [0] * 6)
    covers: int = 0
    blanks: int = 0
    blank: Request | None = None
    models: list[tuple[str, Span | None]] = field(default_factory=list)
    """Of the calls below: what they are named, and who says it."""
    providers: list[tuple[str, Span | None]] = field(default_factory=list)


def holds(own: str, s: Span, below: list[tuple[str, Span | None]]) -> Span | None:
    """Whose name holds for what an aggregate adds."""
    names = {name for name, _ in below}
    if own:
        return None if len(names - {""}) > 1 else s
    if len(names) != 1 or "" in names:
        return None
    return min((by for _, by in below if by), key=lambda by: (by.at, by.id))


def edition(s: Span) -> str:
    """The model that a span names, whatever its edition."""
    return (s.models[1] or s.models[0]).decode().removesuffix("-2024-08-06")


def named(s: Span, by_row: dict[int, Span]) -> tuple[str, Span | None]:
    """What the request of a span is named, and who says it."""
    assert s.request is not None
    response = by_row[s.request.rows["response_model"]]
    by = response if response.models[1] else by_row[s.request.rows["request_model"]]
    return (edition(by), by) if edition(by) else ("", None)


def sold(s: Span, by_row: dict[int, Span]) -> tuple[str, Span | None]:
    """The same of its provider."""
    assert s.request is not None
    by = by_row[s.request.rows["provider"]]
    return (str(by.provider), by) if by.provider else ("", None)


def add_up(speakers: list[Span], requests: list[Request]) -> tuple[list[Request], list[Repeat]]:
    """What aggregates say beyond what is below, from the leaves up; a request counts once in a trace, at its top."""
    traces = {s.trace for s in speakers if s.is_aggregate}
    counted: dict[tuple[int, int], Span] = {}
    for request in requests:
        for s in request.members:
            if s.trace in traces and not s.cached:
                key = (id(request), s.trace)
                old = counted.get(key)
                if old is None or (s.usage_depth, s.at, s.id) < (old.usage_depth, old.at, old.id):
                    counted[key] = s
    top, by_row = set(counted.values()), {s.row: s for s in speakers}
    sums: dict[Span, Below] = defaultdict(Below)
    rests, repeats = [], []
    for s in sorted((s for s in speakers if s.trace in traces), key=lambda s: -s.usage_depth):
        up = sums[s.above] if s.above else Below()
        below = sums[s]
        if not s.is_aggregate and not s.cached and s.request:
            below.models.append(named(s, by_row))
            below.providers.append(sold(s, by_row))
        model = holds(edition(s), s, below.models)
        provider = holds(str(s.provider or ""), s, below.providers)
        if s.is_aggregate:
            rest, added, blanks, blank = aggregate_rest(s, below, model, provider)
            if rest:
                rests.append(rest)
                below.models.append((edition(model) if model else "", model))
                below.providers.append((str(provider.provider) if provider else "", provider))
            else:
                repeats.append(Repeat(s, "repeats_descendants"))
        else:
            added, blanks, blank = call_sum(s, below, s in top)
        up.counts = [a + b for a, b in zip(up.counts, added, strict=True)]
        up.covers += below.covers
        up.blanks += blanks
        up.blank = blank or up.blank
        up.models += below.models
        up.providers += below.providers
    return rests, repeats


def call_sum(s: Span, below: Below, counted: bool) -> tuple[list[int], int, Request | None]:
    """What a call adds to what is above it: its request's counts, where it is the request's topmost span."""
    if not counted:
        return below.counts, below.blanks, below.blank
    request = s.request
    assert request is not None
    below.covers += 1
    blank = not request.has_usage and not request.winner.failed
    sums = [(a or 0) + b for a, b in zip(request.counts, below.counts, strict=True)]
    return sums, below.blanks + blank, request if blank else below.blank


def aggregate_rest(
    s: Span, below: Below, model: Span | None, provider: Span | None
) -> tuple[Request | None, list[int], int, Request | None]:
    """What an aggregate says beyond what is below: a request of its own, or the usage of the one call without any."""
    decides = INPUT if s.counts[INPUT] is not None else OUTPUT
    more = (s.counts[decides] or 0) > below.counts[decides] and not s.accumulates
    if not (s.has_usage and (below.covers == 0 or more)):
        return None, below.counts, below.blanks, below.blank
    sums = [max(a or 0, b) for a, b in zip(s.counts, below.counts, strict=True)]
    left = [a - b for a, b in zip(sums, below.counts, strict=True)]
    if below.blanks == 1:
        if below.blank and not below.blank.has_usage:
            below.blank.filled = [None if said is None else part for said, part in zip(s.counts, left, strict=True)]
        return None, sums, 0, None
    below.covers += 1
    return rest_request(s, left, below.covers == 1, model, provider), sums, below.blanks, below.blank


def rest_request(s: Span, left: list[int], whole: bool, model: Span | None, provider: Span | None) -> Request:
    # What is unknown bounds none of its parts.
    room = [2**62 if said is None else part for said, part in zip(s.counts, left, strict=True)]
    read = min(left[READ], room[INPUT])
    write = min(left[WRITE], room[INPUT] - read)
    parts = [left[INPUT], read, write, min(left[WRITE_1H], write), left[OUTPUT], min(left[REASONING], room[OUTPUT])]
    counts = [None if said is None else part for said, part in zip(s.counts, parts, strict=True)]
    return Request(
        members=[s],
        rows=dict.fromkeys((*COMPLETED, "other_usage"), s.row)
        | ({} if whole else {"reported_cost_usd": -1, "other_usage": -1})
        | ({} if whole or model or not edition(s) else {"request_model": -1, "response_model": -1})
        | ({"provider": provider.row} if provider else {}),
        counts=s.counts if whole else counts,
        has_usage=s.has_usage,
        estimated=s.estimated,
        billed_failure=s.billed_failure,
        attempt=s.attempt,
        lookup=s.lookup,
        conflict=False,
        contexts=context_chain([s]),
        unattributed=not whole,
        model_of=None if model is s else model,
    )


def spans_of(f: Facts) -> list[Span]:
    """Facts as objects."""
    return [
        Span(
            row=row,
            id=int(f.id[row]),
            pid=int(f.parent_id[row]),
            trace=int(f.trace[row]),
            trace_no=(int(f.trace_high[row]), int(f.trace_low[row])),
            span_no=int(f.span_low[row]),
            rooted=bool(f.rooted[row]),
            at=int(f.started_ns[row]),
            began=int(f.began_ns[row]),
            ended=int(f.ended_ns[row]),
            role=int(f.role[row]),
            rank=int(f.rank[row]),
            accumulates=bool(f.accumulates[row]),
            failed=bool(f.failed[row]),
            cached=bool(f.cached[row]),
            has_usage=bool(f.has_usage[row]),
            estimated=bool(f.estimated[row]),
            billed_failure=bool(f.billed_failure[row]),
            is_lookup=bool(f.is_lookup[row]),
            attempt=int(f.attempt[row]),
            response_key=int(f.response_key[row]),
            request_key=int(f.request_key[row]),
            fingerprint=int(f.fingerprint[row]),
            stream=int(f.stream[row]),
            project=int(f.project[row]),
            scope=int(f.scope[row]),
            models=(f.models[f.request_model[row]], f.models[f.response_model[row]]),
            provider=int(f.provider[row]),
            says=frozenset(name for name, said in f.says.items() if said[row]),
            counts=[None if count == UNKNOWN else count for count in f.counts[row].tolist()],
        )
        for row in range(len(f))
    ]
