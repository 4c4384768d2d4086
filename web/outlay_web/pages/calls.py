"""/calls: every billable call, in any order, with what it cost and why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from outlay_analytics.query.sorting import ORDERS, SORTS
from outlay_analytics.questions import calls
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import parts
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.view import View

ALLOWED = ("limit", "cursor", "sort", "order")
SHOWN = 50
ORDER_TEXTS = {
    ("started_at", "desc"): "newest first",
    ("started_at", "asc"): "oldest first",
    ("cost_usd", "desc"): "dearest first",
    ("cost_usd", "asc"): "cheapest first",
    ("duration_ms", "desc"): "slowest first",
    ("duration_ms", "asc"): "fastest first",
    ("input_tokens", "desc"): "most input first",
    ("input_tokens", "asc"): "least input first",
    ("output_tokens", "desc"): "most output first",
    ("output_tokens", "asc"): "least output first",
}

STATES = {
    "computed": "tokens and price are known",
    "estimated": "the token counts are an estimate",
    "unpriced": "no price is known for this model",
    "no_usage": "the provider billed, nobody said how much",
    "not_billed": "failed, and the provider does not charge for it",
    "cached": "answered by the application's cache",
}


def page(view: View) -> Page:
    limit = view.query.integer("limit", SHOWN, 1, 500)
    order = ordered(view)
    found = calls.list_calls(
        view.ctx.store, view.scope, limit, view.get("cursor") or None, sort=order[0], order=order[1]
    )
    rows = found["calls"]
    if not rows and not view.chips and not view.get("cursor"):
        return Page("calls.html", "Calls", "What was asked, and what did it cost?", empty=True)
    more = found.get("next_cursor")
    data = {
        "table": calls_table(view, "calls", rows),
        "rows": rows,
        "next_href": view.here(cursor=str(more)) if more else None,
        "first_href": view.here() if view.get("cursor") else None,
        "order": ORDER_TEXTS[order],
        "newest_first": order == NEWEST,
        "limit": limit,
    }
    return Page("calls.html", "Calls", "What was asked, and what did it cost?", data)


NEWEST = ("started_at", "desc")


def ordered(view: View) -> tuple[str, str]:
    """The measure that the list is sorted by, and its direction."""
    return view.choice("sort", SORTS, NEWEST[0]), view.choice("order", ORDERS, NEWEST[1])


def sorting(view: View, name: str) -> dict[str, Any]:
    """What makes a column's head a link: to its largest values first, and from there to its smallest."""
    by, direction = ordered(view)
    following = "asc" if (by, direction) == (name, "desc") else "desc"
    changes = {"sort": name, "order": following} if (name, following) != NEWEST else {"sort": None, "order": None}
    shown = {"asc": "ascending", "desc": "descending"}[direction] if by == name else ""
    return {"sort_href": view.here(**changes), "sorted": shown}


def calls_table(view: View, name: str, rows: Sequence[Row]) -> Table:
    """Calls as rows; the time leads to the trace, every name filters."""
    columns = [
        Column("Started", "time", "started_at", **sorting(view, "started_at")),
        Column("Feature", "name", "feature", desk_only=True),
        Column("Model", "name", "model"),
        Column("Cost", "each", "cost_usd", **sorting(view, "cost_usd")),
        Column(
            "Input", "tokens", "input_tokens", "Input tokens, cached ones included", **sorting(view, "input_tokens")
        ),
        Column(
            "Cached", "ratio", "cache_read_ratio", "Part of the input read from the provider's cache", wide_only=True
        ),
        Column(
            "Output", "tokens", "output_tokens", "Output tokens, reasoning included", **sorting(view, "output_tokens")
        ),
        Column("Took", "duration", "duration_ms", **sorting(view, "duration_ms")),
        Column("First token", "duration", "time_to_first_token_ms", wide_only=True),
        Column("User", "name", "user", wide_only=True),
        Column("State", "html", "cost_state"),
        Column("Call", "text", "call_id", csv_only=True),
    ]
    lines = [
        [
            Cell(
                row["started_at"],
                parts.trace_href(view, row["trace_id"], row["span_id"]),
                label=fmt.instant(row["started_at"], view.timezone, seconds=True, now=view.now),
            ),
            Cell(row.get("feature"), view.narrowed("feature", row.get("feature"))),
            Cell(model(row), view.narrowed("model", model(row)), note=extras(row)),
            Cell(row.get("cost_usd"), parts.trace_href(view, row["trace_id"], row["span_id"])),
            Cell(row.get("input_tokens")),
            Cell(parts.quotient(row.get("cache_read_tokens"), row.get("input_tokens"))),
            Cell(row.get("output_tokens")),
            Cell(row.get("duration_ms")),
            Cell(row.get("time_to_first_token_ms")),
            Cell(row.get("user"), view.narrowed("user", row["user"]) if row.get("user") else None),
            Cell(state_badges(row)),
            Cell(row["call_id"]),
        ]
        for row in rows
    ]
    caption = f"Calls, {ORDER_TEXTS[ordered(view)]}"
    return Table(name, caption, columns, lines, sortable=False, timezone=view.timezone)


def model(row: Row) -> str:
    return str(row.get("response_model") or row.get("request_model") or "")


def extras(row: Row) -> str:
    """What is special about a call, in a few words."""
    out = []
    cascade, cache = row.get("cascade"), row.get("cache")
    if cascade and cascade.get("name"):
        out.append(
            f"{cascade['name']} tier {cascade['tier']}" if cascade.get("tier") is not None else str(cascade["name"])
        )
    if cache and cache.get("hit"):
        out.append(f"{cache.get('kind') or ''} cache hit".strip())
    if (row.get("attempt") or 1) > 1:
        out.append(f"attempt {row['attempt']}")
    if row.get("service_tier") and row["service_tier"] not in ("default", "standard", "auto"):
        out.append(str(row["service_tier"]))
    if row.get("streamed"):
        out.append("streamed")
    return fmt.name_text(" · ".join(out), "")


def badge(text: Any, kind: str = "", hint: str = "") -> Markup:
    """A word in a box."""
    title = Markup(' title="{}"').format(hint) if hint else ""
    return Markup('<span class="badge {}"{}>{}</span>').format(kind, title, fmt.name_text(text))


def state_badges(row: Row) -> Markup:
    """How far a call's cost is known, and whether it failed."""
    state = str(row.get("cost_state") or "")
    kind = {"computed": "fine", "unpriced": "warn", "no_usage": "warn", "estimated": "info"}.get(state, "quiet")
    early = state == "unpriced" and "+no_price_yet" in str(row.get("match_kind") or "")
    out = badge(state, kind, "older than its model's first known price" if early else STATES.get(state, ""))
    if row.get("status") == "error":
        out += Markup(" ") + badge(row.get("error_type") or "error", "bad", "the call failed")
    return out
