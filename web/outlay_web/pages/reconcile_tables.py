"""The tables of /reconcile: the difference by reason, model, day and meter, each with the way to what it speaks of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from outlay_analytics.bills.pulled import midnight
from outlay_analytics.query.text import rfc3339
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import parts
from outlay_web.pages.address import url
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

SHOWN_ROWS = 40
# What a reason means, and what to do about it.
REASONS: Mapping[str, tuple[str, str]] = {
    "unpriced": ("Unpriced", "calls whose model has no price: add it, then reprice"),
    "no_usage": ("No usage", "calls whose tokens nobody reported, at the average of their model"),
    "estimated": ("Estimated", "calls whose tokens were estimated"),
    "failed_but_billed": ("Failed but billed", "failed calls, at the average input of their model"),
    "tier_mismatch": ("Tier mismatch", "the bill has another service tier than the calls say"),
    "discount": ("Discount", "credits, and prices below list that outlay.toml does not know"),
    "region": ("Region", "the tenth that a region or a geography costs beside the global price, on every day"),
    "premium": ("Premium", "the same share above the price list on every day: a price that outlay.toml does not know"),
    "fee": ("Fee", "tools that are billed apart, such as searches, and that no call reports"),
    "meter_mismatch": ("Other meter", "tokens that the bill counts under another meter: another cache lifetime"),
    "missing_calls": ("Missing calls", "more was used than the calls say: a key, a project or a part of the traffic"),
    "not_recorded": ("Not recorded", "models that are billed and that no call names"),
    "late": ("Late", "days whose bill is not final: it still has less than the calls"),
    "rounding": ("Rounding", "at most half of the last decimal that the bill writes, a line"),
    "unknown": ("Unknown", "what nothing here explains"),
}
STATES = {
    "unpriced": "unpriced",
    "no_usage": "no_usage",
    "estimated": "estimated",
    "failed_but_billed": "not_billed",
}
WITNESSES = {"client": "the client's span", "provider": "the provider's span", "bill": "the bill"}


def gap_table(view: View, found: Row) -> Table:
    """What only one witness knows, the largest first."""
    columns = [
        Column("Only", "text", "witness"),
        Column("Provider", "name", "provider"),
        Column("Model", "name", "model"),
        Column("Cost", "usd", "usd"),
        Column("Calls", "count", "calls"),
    ]
    window = (found["bill"]["first_day"], found["bill"]["last_day"])
    lines = []
    for one in found["gaps"]:
        of_calls = {"models": [one["model"]], "providers": [one["provider"]]}
        href = None if one["witness"] == "bill" else explained(view, "unknown", window, of_calls)
        lines.append(
            [
                Cell(one["witness"], label=WITNESSES[one["witness"]]),
                Cell(one["provider"]),
                Cell(one["model"], href),
                Cell(one["usd"]),
                Cell(one["calls"], href),
            ]
        )
    return Table("gaps", "What only one witness knows", columns, lines)


def meter_table(found: Row) -> Table:
    """What was counted of each model, by the bill and by the calls."""
    columns = [
        Column("Model", "name", "model"),
        Column("Meter", "text", "meter"),
        Column("Billed", "usd", "billed_usd"),
        Column("Computed", "usd", "computed_usd"),
        Column("Billed tokens", "count", "billed_tokens"),
        Column("Tokens", "count", "tokens"),
    ]
    names = ("model", "meter", "billed_usd", "computed_usd", "billed_tokens", "tokens")
    return Table("meters", "By meter", columns, [[Cell(one[name]) for name in names] for one in found["meters"]])


def missing_table(found: Row) -> Table:
    """Keys and projects of the bill whose calls are not recorded."""
    columns = [
        Column("Provider", "name", "provider"),
        Column("Project or workspace", "name", "account"),
        Column("Key", "name", "key"),
        Column("Billed", "usd", "usd"),
    ]
    lines = [
        [Cell(one["provider"]), Cell(one["account"]), Cell(one["key"]), Cell(one["usd"])] for one in found["missing"]
    ]
    return Table("missing", "Keys and projects that are not recorded", columns, lines)


def residual_table(view: View, found: Row) -> Table:
    """The difference by reason, the largest first."""
    columns = [
        Column("Reason", "words", "reason"),
        Column("Difference", "delta_usd", "usd"),
        Column("Of the bill", "ratio", "ratio"),
        Column("Calls", "count", "calls"),
        Column("What it means", "text", "meaning"),
    ]
    lines = []
    window = (found["bill"]["first_day"], found["bill"]["last_day"])
    for one in found["residual"]:
        title, meaning = REASONS[one["reason"]]
        href = explained(view, one["reason"], window, {})
        lines.append(
            [
                Cell(one["reason"], href, label=title),
                Cell(one["usd"], href),
                Cell(parts.quotient(one["usd"], found["billed_usd"])),
                Cell(one["calls"], href if one["calls"] else None),
                Cell(meaning),
            ]
        )
    foot = [
        Cell("residual", label="Billed minus computed"),
        Cell(found["residual_usd"]),
        Cell(parts.quotient(found["residual_usd"], found["billed_usd"])),
        Cell(None, label=""),
        Cell(None, label=""),
    ]
    return Table("residual", "The difference by reason", columns, lines, foot=foot)


def model_table(view: View, rows: Sequence[Row]) -> Table:
    """Per model over the days shown, what was billed the most first."""
    sums: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        one = sums.setdefault((row["provider"], row["model"]), {"calls": 0, "models": set(), "providers": set()})
        one["calls"] += row["calls"]
        one["models"] |= set(row["models"])
        one["providers"] |= set(row["providers"])
        for name in ("billed_usd", "computed_usd", "residual_usd", *(f"{reason}_usd" for reason in REASONS)):
            one[name] = one.get(name, Decimal(0)) + row[name]
    window = (min((row["day"] for row in rows), default=None), max((row["day"] for row in rows), default=None))
    ranked = sorted(sums.items(), key=lambda item: (-abs(item[1]["billed_usd"]), item[0]))
    lines = [_line(view, [Cell(key[0]), _model_cell(view, key, one)], window, one) for key, one in ranked]
    return Table("models", "Billed and computed by model", _columns(["Provider", "Model"]), lines)


def row_table(view: View, rows: Sequence[Row]) -> Table:
    """The days and models that differ the most."""
    ranked = sorted(rows, key=lambda row: (-abs(row["residual_usd"]), row["day"], row["model"]))[:SHOWN_ROWS]
    lines = []
    for row in ranked:
        day = row["day"]
        first = Cell(day.isoformat(), view.here(day=day.isoformat()))
        named = _model_cell(view, (row["provider"], row["model"]), row, (day, day))
        lines.append(_line(view, [first, named], (day, day), row))
    return Table("rows", "The largest differences by day and model", _columns(["Day", "Model"]), lines)


def _columns(names: Sequence[str]) -> list[Column]:
    return [
        *(Column(name, "name", name.lower()) for name in names),
        Column("Billed", "usd", "billed_usd"),
        Column("Computed", "usd", "computed_usd"),
        Column("Difference", "delta_usd", "residual_usd"),
        *(Column(REASONS[name][0], "delta_usd", f"{name}_usd", REASONS[name][1], csv_only=True) for name in REASONS),
        Column("Why", "html", "why"),
        Column("Unknown", "delta_usd", "unknown", "The part that nothing explains", wide_only=True),
        Column("Calls", "count", "calls"),
    ]


def _model_cell(view: View, key: tuple[str, str], row: Row, window: Any = None) -> Cell:
    return Cell(key[1], explained(view, "unknown", window, row) if window and row["models"] else None)


def _line(view: View, first: list[Cell], window: Any, row: Row) -> list[Cell]:
    calls = explained(view, "unknown", window, row) if row["calls"] else None
    return [
        *first,
        Cell(row["billed_usd"]),
        Cell(row["computed_usd"], calls),
        Cell(row["residual_usd"]),
        *(Cell(row[f"{name}_usd"]) for name in REASONS),
        Cell(_why(view, window, row)),
        Cell(row["unknown_usd"], calls),
        Cell(row["calls"], calls),
    ]


def _why(view: View, window: Any, row: Row) -> Markup:
    """The reasons of a row, the largest first, each a link to what it speaks of."""
    found = sorted((name for name in REASONS if row[f"{name}_usd"]), key=lambda name: -abs(row[f"{name}_usd"]))
    if not found:
        return Markup('<span class="muted">the same</span>')
    return Markup(" ").join(
        Markup('<a class="badge {}" href="{}" title="{}">{} {}</a>').format(
            "warn" if name == "unknown" else "info",
            explained(view, name, window, row),
            REASONS[name][1],
            REASONS[name][0].lower(),
            fmt.usd_text(row[f"{name}_usd"], signed=True),
        )
        for name in found
    )


def explained(view: View, reason: str, window: Any, row: Row) -> str:
    """Where a reason's amount is explained: the calls it speaks of, their tiers, or the prices."""
    pairs = list(view.project_pairs)
    if window and window[0]:
        pairs += [
            ("start", rfc3339(midnight(window[0]))),
            ("end", rfc3339(midnight(window[1]) + timedelta(days=1))),
        ]
    models = sorted(row.get("models", ()))
    if reason in ("discount", "premium", "region"):
        return url("/prices", [*view.project_pairs, *([("model", models[0])] if models else [])])
    pairs += [("provider", one) for one in sorted(row.get("providers", ()))] + [("model", one) for one in models]
    if reason == "tier_mismatch":
        return url("/spend", [*pairs, ("group_by", "service_tier")])
    if reason in STATES:
        pairs.append(("cost_state", STATES[reason]))
    return url("/calls", pairs)
