"""One trace in full: every span in the order of the tree, what was counted, why the others were not, and the costs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.questions.call_rows import HOUR, find_calls, words
from outlay_analytics.questions.calls import MAX_LIMIT
from outlay_collector.store import Row, Store, load_sql

MAX_SPANS = 20_000
DETAILED_SPANS = 2_000
LONG_VALUE = 65_536
SHORT_VALUE = 2_048
FEW_SPANS = 200
LIGHT = words(
    "call_id provider request_model response_model model input_tokens output_tokens cost_usd cost_state status"
)
Call = tuple[Row, dict[str, Any]]  # as stored, and as the interface shows it


def get_trace(
    store: Store, project: str, trace_id: str, unsettled: Collection[tuple[str, str]] = ()
) -> dict[str, Any] | None:
    """One trace, None when the project has none of this id.

    Args:
        unsettled: Traces, (project, trace id), that wait to be settled although no mark in the store says so.

    Returns:
        `trace_id started_at duration_ms calls errors cost_usd priced_ratio spans span_count truncated scores`
        (`span_id`, None for one of the whole trace, `name value label`). A span has
        `span_id parent_span_id depth name kind service environment scope_name started_at duration_ms status
        status_message flags counted reason cost_usd subtree_cost_usd`; a counted one its `calls` as in `/calls`; a
        repeat `of` (trace and span of the call counted instead); a look-up in the application's cache `lookup`. Up to
        2,000 spans also carry `attributes resource_attributes texts events`. `reason` is `call` for what was counted,
        settle's word for a repeat, `plain` for the rest, and `pending` instead while the trace waits to be settled. A
        span whose parent is missing stands at the top with `orphan`. At most 20,000 spans are returned, the earliest;
        `truncated` says that there are more.
    """
    hours, params, size = _hours(store, project, trace_id)
    spans = _spans(store, hours, params, size)
    calls = _calls(store, hours, params)
    if not spans and not calls:
        return None
    total = spans[0]["total"] if spans else 0
    by_id = {row["span_id"]: _span(row) for row in spans}
    for row, _ in calls:  # spans may have been dropped by retention, and those beyond the limit were not read
        if row["span_id"] not in by_id and len(by_id) < MAX_SPANS:
            by_id[row["span_id"]] = _span({**row, "kind": "", "status_message": "", "scope_name": "", "flags": []})
            total = max(total, len(by_id))
    _mark(by_id, calls, _read(store, "trace_others", hours, params), trace_id)
    handed = (project, trace_id) in unsettled
    if any(span["reason"] == "plain" for span in by_id.values()) and (handed or _is_pending(store, params)):
        for span in by_id.values():
            if span["reason"] == "plain":
                span["reason"] = "pending"
    ordered = in_tree_order(list(by_id.values()))
    _sum_subtrees(ordered)
    costs = [row["cost_usd"] for row, _ in calls]
    priced = sum(cost is not None for cost in costs)
    start = min(span["started_ns"] for span in ordered)
    end = max(span["started_ns"] + span["duration_ns"] for span in ordered)
    answer = {
        "trace_id": trace_id,
        "started_at": min(span["started_at"] for span in ordered),
        "duration_ms": (end - start) / 1e6,
        "calls": len(calls),
        "errors": sum(row["status"] == "error" for row, _ in calls),
        "cost_usd": _sum(costs),
        "priced_ratio": priced / len(calls) if calls else None,
        "span_count": total,
        "truncated": total > len(ordered),
        "scores": _scores(store, params),
        "spans": ordered,
    }
    for span in ordered:
        del span["started_ns"], span["duration_ns"]
    return answer


def _scores(store: Store, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was scored about the trace and any of its spans."""
    asked = {"project": params["project"], "traces": [params["trace_id"]]}
    return [
        {"span_id": row["span_id"] or None, "name": row["name"], "value": row["value"], "label": row["label"] or None}
        for row in store.query(load_sql("outlay_analytics.questions.sql", "calls_scores"), asked)
    ]


def in_tree_order(spans: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Parents before children, siblings by start; every span once, with its `depth`.

    A span whose parent is not among them is a root and marked `orphan`; where parents go round in a circle, the
    earliest span of the circle is taken as its root and marked so too.
    """
    early = sorted(spans, key=lambda span: (span["started_ns"], span["span_id"]))
    known = {span["span_id"] for span in early}
    children: dict[str, list[dict[str, Any]]] = defaultdict(list)
    roots = []
    for span in early:
        parent = span["parent_span_id"]
        if parent and parent in known:
            children[parent].append(span)
        else:
            span["orphan"] = bool(parent)
            roots.append(span)
    ordered: list[dict[str, Any]] = []
    seen: set[str] = set()
    _walk(roots, children, seen, ordered)
    for span in early:
        if span["span_id"] not in seen:
            span["orphan"] = True
            _walk([span], children, seen, ordered)
    return ordered


def _walk(
    roots: Sequence[dict[str, Any]],
    children: Mapping[str, Sequence[dict[str, Any]]],
    seen: set[str],
    ordered: list[dict[str, Any]],
) -> None:
    stack = [(span, 0) for span in reversed(roots)]
    while stack:
        span, depth = stack.pop()
        if span["span_id"] in seen:
            continue
        seen.add(span["span_id"])
        span["depth"] = depth
        ordered.append(span)
        stack += [(child, depth + 1) for child in reversed(children.get(span["span_id"], ()))]


def _sum_subtrees(ordered: Sequence[dict[str, Any]]) -> None:
    """Set `subtree_cost_usd`: own calls and those below, 0 without calls, None where none of them is priced."""
    parents: list[int | None] = []
    path: list[int] = []
    for number, span in enumerate(ordered):
        del path[span["depth"] :]
        parents.append(path[-1] if path else None)
        path.append(number)
    called = [span["counted"] for span in ordered]
    sums = [span["cost_usd"] for span in ordered]
    for number in reversed(range(len(ordered))):  # children stand after their parents
        parent = parents[number]
        if parent is not None and called[number]:
            sums[parent] = _sum([sums[parent], sums[number]]) if called[parent] else sums[number]
            called[parent] = True
    for span, some, cost in zip(ordered, called, sums, strict=True):
        span["subtree_cost_usd"] = cost if some else Decimal(0)


def _sum(costs: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of the known ones: 0 of nothing, None where there are some and none is known."""
    given = list(costs)
    known = [cost for cost in given if cost is not None]
    return sum(known, Decimal(0)) if known or not given else None


def _hours(store: Store, project: str, trace_id: str) -> tuple[str, dict[str, Any], int]:
    """The condition on `s.started_at` that bounds the look-up, its parameters, and how many spans were loaded."""
    params: dict[str, Any] = {"project": project, "trace_id": trace_id}
    sql = load_sql("outlay_analytics.questions.sql", "calls_trace_hours")
    row = store.query(sql, {"project": project, "traces": [trace_id]})[0]
    if not row["found"]:  # its spans may be known or not
        return "1", params, 0
    params |= {"from": row["first"], "until": row["last"] + HOUR}
    low, high = "toDateTime({from:UInt32}, 'UTC')", "toDateTime({until:UInt32}, 'UTC')"
    return f"s.started_at >= {low} AND s.started_at < {high}", params, row["spans"]


def _is_pending(store: Store, params: Mapping[str, Any]) -> bool:
    """Whether settle has not yet seen the trace as it is now; only the marks that wait are read."""
    progress = store.query(load_sql("outlay_analytics.questions.sql", "settle_progress"))
    own: dict[str, Any] = {"project": params["project"], "trace_id": params["trace_id"]}
    own |= {"cells": [row["cell"] for row in progress], "loaders": [row["loader"] for row in progress]}
    waiting = ["(shardNum(), loader) NOT IN arrayZip({cells:Array(UInt32)}, {loaders:Array(String)})"]
    for number, row in enumerate(progress):
        own |= {f"cell_{number}": row["cell"], f"loader_{number}": row["loader"], f"seq_{number}": row["seq"]}
        waiting.append(
            f"(shardNum() = {{cell_{number}:UInt32}} AND loader = {{loader_{number}:String}} "
            f"AND seq > {{seq_{number}:UInt64}})"
        )
    sql = load_sql("outlay_analytics.questions.sql", "trace_pending", waiting=" OR ".join(waiting))
    return bool(store.query(sql, own)[0]["pending"])


def _read(store: Store, file: str, hours: str, params: Mapping[str, Any]) -> list[Row]:
    return store.query(load_sql("outlay_analytics.questions.sql", file, hours=hours), params)


def _spans(store: Store, hours: str, params: Mapping[str, Any], size: int) -> list[Row]:
    """The rows of trace_spans.sql, with what they carried unless they are too many."""
    details = load_sql("outlay_analytics.questions.sql", "trace_details") if size <= DETAILED_SPANS else ""
    bounds = {"max_spans": MAX_SPANS, "max_chars": LONG_VALUE if size <= FEW_SPANS else SHORT_VALUE}
    sql = load_sql("outlay_analytics.questions.sql", "trace_spans", hours=hours, details=details)
    return store.query(sql, {**params, **bounds})


def _span(row: Row) -> dict[str, Any]:
    texts = "parent_span_id name kind service environment scope_name status status_message"
    return {
        "span_id": row["span_id"],
        **{name: row[name] or None for name in texts.split()},
        "started_at": row["started_at"],
        "duration_ms": row["duration_ns"] / 1e6,
        "flags": row["flags"],
        "depth": 0,
        "orphan": False,
        "counted": False,
        "reason": "plain",
        "cost_usd": None,
        "started_ns": row["started_ns"],
        "duration_ns": row["duration_ns"],
        **(_details(row) if "events" in row else {}),
    }


def _details(row: Row) -> dict[str, Any]:
    return {
        "attributes": row["attributes"],
        "resource_attributes": row["resource_attributes"],
        "texts": row["texts"],
        "events": [{"at": at, "name": name, "attributes": attributes} for at, name, attributes in row["events"]],
    }


def _calls(store: Store, hours: str, params: Mapping[str, Any]) -> list[Call]:
    """In full for an ordinary trace, names and cost only for a giant one."""
    which = f"c.trace_id = {{trace_id:String}} AND {hours.replace('s.', 'c.')}"
    calls = find_calls(store, params["project"], which, params, MAX_LIMIT + 1)
    if len(calls) <= MAX_LIMIT:
        return calls
    rows = _read(store, "trace_calls", hours, {**params, "max_calls": MAX_SPANS})
    return [(row, {name: row[name] for name in LIGHT}) for row in rows]


def _mark(spans: Mapping[str, dict[str, Any]], calls: Sequence[Call], others: Sequence[Row], trace_id: str) -> None:
    """Say which spans were counted, which repeat a call, and which looked into a cache."""
    for row in others:
        span = spans.get(row["span_id"])
        if span is None:
            continue
        if row["kind"]:
            span["lookup"] = {name: row[name] for name in ("kind", "hit", "similarity", "avoided_usd")}
            continue
        span["reason"] = row["reason"] or "repeat"
        if row["of_span_id"]:
            span["of"] = {"trace_id": row["of_trace_id"] or trace_id, "span_id": row["of_span_id"]}
    own: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row, call in calls:
        own[row["span_id"]].append(call)
    for span_id in own.keys() & spans.keys():
        cost = _sum(call["cost_usd"] for call in own[span_id])
        spans[span_id].update(counted=True, reason="call", calls=own[span_id], cost_usd=cost)
