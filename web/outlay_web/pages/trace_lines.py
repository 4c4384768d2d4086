"""The lines of a trace's waterfall: where a span lies in time and in the tree, whether it was counted and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from outlay_analytics.query.text import exact
from outlay_web import format as fmt
from outlay_web.charts import span_bar
from outlay_web.charts.svg import el, join
from outlay_web.pages import calls as calls_page
from outlay_web.pages import parts
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

INDENT = 14
MAX_DEPTH = 24
NOT_BILLED = {
    "not_billed": "a call that was not billed: it failed, and the provider does not charge for that",
    "cached": "answered by the application's cache: nothing was billed",
}
REASONS = {
    "plain": "carries no usage",
    "pending": "has arrived, not read yet; reload in a moment",
    "repeats_descendants": "repeats what the spans below it used",
    "same_response": "describes the same response as another span",
    "same_request": "describes the same request as another span",
    "raw_child": "the raw request of a span that is counted",
}
BADGES = {
    "counted": ("counted", "fine"),
    "failed": ("counted", "bad"),
    "free": ("not billed", "quiet"),
    "repeat": ("repeat", "warn"),
    "plain": ("plain", "quiet"),
}


@dataclass(frozen=True)
class Line:
    """A span as the waterfall shows it."""

    span: Row
    tree: Markup
    bar: Markup
    kind: str
    badge: Markup
    note: str
    of_href: str | None
    model: str
    tokens: str
    cost: Decimal | None
    below: Decimal | None
    calls_href: str
    facts: list[tuple[str, Any]]
    attributes: list[tuple[str, str]]
    texts: list[tuple[str, str]]


def calls_href(view: View, found: Row) -> str:
    alone: dict[str, None] = dict.fromkeys((*view.scope.filters, "start", "end"))
    return view.to("/calls", **{**alone, "trace_id": str(found["trace_id"])})


def kind_of(span: Row) -> str:
    """How a span is drawn: counted, repeat, plain (also while it waits); of counted ones free where none of its calls
    was billed, failed where one failed and was.
    """
    if span["counted"]:
        billed = [call for call in span["calls"] if is_billed(call)]
        if span["calls"] and not billed:
            return "free"
        return "failed" if any(call.get("status") == "error" for call in billed) else "counted"
    return "plain" if span["reason"] in ("plain", "pending") else "repeat"


def is_billed(call: Row) -> bool:
    """Whether the provider charges for a call, as far as is known."""
    return call.get("cost_state") not in NOT_BILLED


def line(view: View, found: Row, span: Row) -> Line:
    length = max(float(found["duration_ms"]), 1e-6)
    offset = (span["started_at"] - found["started_at"]).total_seconds() * 1000
    kind = kind_of(span)
    label, tone = BADGES[kind]
    calls = span.get("calls") or []
    below = span.get("subtree_cost_usd")
    return Line(
        span=span,
        tree=tree(span["depth"]),
        bar=span_bar(offset / length, float(span["duration_ms"]) / length, kind),
        kind=kind,
        badge=calls_page.badge("pending" if span["reason"] == "pending" else label, tone),
        note=why(span),
        of_href=of_href(view, found, span),
        model=", ".join(dict.fromkeys(calls_page.model(call) for call in calls)),
        tokens=token_text(calls),
        cost=span["cost_usd"],
        below=below if below and not span["counted"] else None,
        calls_href=calls_href(view, found),
        facts=facts(span),
        attributes=sorted((str(k), str(v)) for k, v in (span.get("attributes") or {}).items()),
        texts=sorted((str(k), str(v)) for k, v in (span.get("texts") or {}).items()),
    )


def why(span: Row) -> str:
    """Why a span was counted, or was not, in words."""
    counted = call_text(span.get("calls") or []) if span["counted"] else ""
    if span.get("lookup"):
        lookup = span["lookup"]
        said = f"{lookup['kind']} cache {'hit' if lookup['hit'] else 'miss'}"
        return f"{said}; {counted}" if counted else said
    if counted:
        return counted
    reason = str(span["reason"])
    return REASONS.get(reason, fmt.name_text(reason.replace("_", " ")))


def call_text(calls: Sequence[Row]) -> str:
    """What a counted span's calls are: billed or not, and which attempt of a request."""
    states = {str(call.get("cost_state")) for call in calls}
    said = NOT_BILLED[states.pop()] if len(states) == 1 and states <= set(NOT_BILLED) else "a billable call"
    if len(calls) > 1:
        free = sum(not is_billed(call) for call in calls)
        said = f"{len(calls) - free} billable calls" + (f", {free} not billed" if free else "")
    attempts = sorted({call["attempt"] for call in calls if (call.get("attempt") or 1) > 1})
    return said + (f"; attempt {', '.join(map(str, attempts))} of its request" if attempts else "")


def of_href(view: View, found: Row, span: Row) -> str | None:
    """The call that is counted in place of a repeat."""
    of = span.get("of")
    if not of:
        return None
    if of["trace_id"] == found["trace_id"]:
        return f"#span-{quote(str(of['span_id']), safe='')}"
    return parts.trace_href(view, of["trace_id"], of["span_id"])


def token_text(calls: Sequence[Row]) -> str:
    """Input and output of a span's calls: `1,200 → 80`."""
    sums = []
    for name in ("input_tokens", "output_tokens"):
        known = [call[name] for call in calls if call.get(name) is not None]
        sums.append(sum(known) if known else None)
    return "" if sums == [None, None] else " → ".join(fmt.tokens_text(value) for value in sums)


def tree(depth: int) -> Markup:
    """The lines that lead to a span's name."""
    shown = min(depth, MAX_DEPTH)
    if not shown:
        return Markup("")
    lines = [
        el("line", x1=i * INDENT + 5, x2=i * INDENT + 5, y1=-6, y2=22, class_="tree-line") for i in range(shown - 1)
    ]
    x = (shown - 1) * INDENT + 5
    lines.append(el("path", d=f"M{x} -6V8h7", class_="tree-line"))
    return el("svg", join(lines), width=shown * INDENT, height=16, overflow="visible", aria_hidden="true")


FACTS = (
    "cost_usd",
    "list_cost_usd",
    "reported_cost_usd",
    "cost_state",
    "price_version",
    "matched_model",
    "match_kind",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "time_to_first_token_ms",
    "service_tier",
    "operation",
    "response_id",
    "dialect",
    "feature",
    "team",
    "customer",
    "user",
    "session",
    "prompt",
    "prompt_version",
    "attempt",
    "streamed",
    "error_type",
)


def facts(span: Row) -> list[tuple[str, Any]]:
    """What is known of a span and its calls, in words and numbers; what is not known is left out."""
    out: list[tuple[str, Any]] = [("span", span["span_id"])]
    out += [(name, span[name]) for name in ("service", "scope_name", "status_message") if span.get(name)]
    if span.get("orphan"):
        out.append(("parent", f"{span['parent_span_id']}, which has not arrived"))
    if span.get("flags"):
        out.append(("made safe", ", ".join(map(str, span["flags"]))))
    for call in span.get("calls") or []:
        if len(span["calls"]) > 1:
            out.append(("call", call["call_id"]))
        for name in FACTS:
            value = call.get(name)
            if value not in (None, "", {}, []):
                out.append((name, fact(value)))
        out += [(f"cost of {key}", exact(usd) + " USD") for key, usd in (call.get("cost_lines") or {}).items()]
        out += [(f"tag {key}", value) for key, value in (call.get("tags") or {}).items()]
        for score in call.get("scores") or []:
            said = score.get("value") if score.get("value") is not None else score.get("label")
            out.append((f"score {score.get('name')}", said))
    return [(fmt.name_text(name), fmt.name_text(value)) for name, value in out]


def fact(value: Any) -> Any:
    """A value as a person would say it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return exact(value) + " USD" if isinstance(value, Decimal) else value
