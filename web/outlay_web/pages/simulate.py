"""/simulate: what the calls would have cost if something had been otherwise; every change is in the address."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_analytics.forecast.overlays import overlay_text
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.window import parse_timezone
from outlay_analytics.questions import spend
from outlay_analytics.questions.changes import parse_changes
from outlay_analytics.questions.simulate import simulate
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages import parts
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import View

FIELDS = (
    "from",
    "to",
    "cheap",
    "expensive",
    "escalation",
    "shorter",
    "part",
    "max_output",
    "cache",
    "batch",
    "discount",
)
ALLOWED = FIELDS
MODELS = 200
QUESTION = "What would these calls have cost if something had been otherwise?"


def page(view: View) -> Page:
    ctx = view.ctx
    given = {name: view.get(name) for name in FIELDS}
    found, problem = None, ""
    try:
        changes = parse_changes(changes_of(given))
        with ctx.own_writer() if changes else nullcontext() as writer:  # who only looks writes nothing
            limit = parts.table_groups(view)
            found = simulate(ctx.store, ctx.prices, writer, view.scope, changes, now=view.now, limit=limit)
    except BadRequest as exc:
        problem = str(exc)
    if found is not None and not found["coverage"]["calls"]:
        return Page("simulate.html", "What if", QUESTION, empty=True)
    models = spend.spend(ctx.store, view.scope, ("model",), limit=MODELS, percentiles=False)["rows"]
    data = {
        "found": found,
        "tiles": tiles(view, found) if found else [],
        "table": scenario_table(view, found) if found else None,
        "quality": quality_table(view, found) if found and found["quality"] else None,
        "given": given,
        "models": [row["model"] for row in parts.shown_rows(models) if row["model"]],
        "problem": problem,
        "changed": any(given.values()),
        "clear": view.here(**dict.fromkeys(FIELDS)),
        "forecast": forecast_link(view, found) if found else None,
    }
    return Page("simulate.html", "What if", QUESTION, data, status=400 if problem else 200)


def changes_of(given: dict[str, str]) -> list[dict[str, Any]]:
    """The fields of the form as changes, in the order in which the page makes them.

    Raises:
        BadRequest: If a field is no number, or stands without those that belong to it.
    """
    changes: list[dict[str, Any]] = []
    if _together(given, "from", "to"):
        changes.append({"replace_model": {"from": given["from"], "to": given["to"]}})
    if _together(given, "cheap", "expensive", "escalation"):
        rate = _percent("escalation", given["escalation"])
        changes.append({"cascade": {"cheap": given["cheap"], "expensive": given["expensive"], "escalation_rate": rate}})
    if given["shorter"] or given["part"]:
        _together(given, "shorter")
        named = {"part": given["part"]} if given["part"] else {}
        changes.append({"shorter_prompt": {"share": _percent("shorter", given["shorter"]), **named}})
    if given["max_output"]:
        text = given["max_output"]
        changes.append(
            {"max_output_tokens": int(text) if text.isascii() and text.isdigit() and len(text) < 13 else text}
        )
    readers: dict[str, tuple[str, Callable[[str, str], str]]] = {
        "cache": ("cache_hit_ratio", _percent),
        "batch": ("batch_share", _percent),
        "discount": ("price_discount", _percent),
    }
    for name, (change, read) in readers.items():
        if given[name]:
            changes.append({change: read(name, given[name])})
    return changes


def _together(given: dict[str, str], *names: str) -> bool:
    """Whether fields that only mean something together are given."""
    there = [name for name in names if given[name]]
    if (there and len(there) < len(names)) or (len(names) == 1 and not there):
        missing = ", ".join(name for name in names if not given[name])
        raise BadRequest(f"{', '.join(names)} belong together; {missing} is missing")
    return bool(there)


def _percent(name: str, text: str) -> str:
    """Per cent as a share."""
    try:
        share = Decimal(text.strip().removesuffix("%")) / 100
    except InvalidOperation:
        share = Decimal("NaN")
    if not share.is_finite() or not 0 <= share <= 1:
        raise BadRequest(f"{name} must be 0 to 100 per cent, not {text[:SHOWN]!r}")
    return str(share)


def forecast_link(view: View, found: Row) -> str | None:
    """The forecast of the same calls with what was found laid over it, from tomorrow on."""
    if not found["actual_usd"] or not found["change_usd"]:
        return None
    tomorrow = view.now.astimezone(parse_timezone(view.scope.timezone)).date() + timedelta(days=1)
    overlay = overlay_text(tomorrow, found["change_usd"] / found["actual_usd"], "what if")
    return view.to("/forecast", overlay=overlay) if overlay else None


def tiles(view: View, found: Row) -> list[Tile]:
    change = found["change_usd"]
    coverage = found["coverage"]
    return [
        Tile("It cost", fmt.usd(found["actual_usd"]), view.to("/spend"), parts.coverage_note(view, coverage)),
        Tile(
            "It would have cost",
            fmt.usd(found["scenario_usd"]),
            "#features",
            f"{fmt.count_text(found['touched_calls'])} of {fmt.plural(coverage['calls'], 'call')} concerned",
        ),
        Tile(
            "Difference",
            fmt.usd(change, signed=True),
            "#features",
            f"{fmt.ratio_text(found['change_ratio'], signed=True)} of what it cost",
            tone="warn" if change is not None and change > 0 else "",
        ),
        Tile(
            "A month",
            fmt.usd(found["scenario_per_month_usd"]),
            forecast_link(view, found) or "#features",
            f"in place of {fmt.usd_text(found['actual_per_month_usd'])}; a month of 30.4 days like these",
        ),
    ]


def scenario_table(view: View, found: Row) -> Table:
    columns = [
        Column("Feature", "name", "feature"),
        Column("Actual", "usd", "actual_usd"),
        Column("Scenario", "usd", "scenario_usd"),
        Column("Difference", "delta_usd", "change_usd"),
        Column("Change", "delta", "change_ratio"),
        Column("Actual a month", "usd", "actual_per_month_usd", wide_only=True),
        Column("Scenario a month", "usd", "scenario_per_month_usd", wide_only=True),
        Column("Calls", "count", "calls"),
        Column("Concerned", "count", "touched_calls", "Calls that a change concerns"),
    ]
    lines, others = [], None
    for row in found["rows"]:
        cells = [Cell(row[column.key]) for column in columns[1:]]
        if row.get("remainder"):
            others = [Cell(None, label="all others"), *cells]
        else:
            key = parts.key_of(row, "feature")
            lines.append([Cell(key, view.narrowed("feature", key)), *cells])
    return Table("features", "Actual and scenario by feature", columns, lines, others)


def quality_table(view: View, found: Row) -> Table:
    """How the answers of other models are scored in the same features."""
    columns = [
        Column("Feature", "name", "feature"),
        Column("In place of", "name", "from_model"),
        Column("Model", "name", "to_model"),
        Column("Score", "text", "score"),
        Column("Mean", "number", "from_mean", "Mean score of the calls that would go elsewhere"),
        Column("Scores", "count", "from_n"),
        Column("Mean there", "number", "to_mean", "Mean score of the other model"),
        Column("Scores", "count", "to_n"),
        Column("Difference", "text", "difference"),
        Column("95 %", "interval", "interval"),
        Column("Verdict", "text", "verdict", "No worse: within 0.02"),
    ]
    lines = []
    for row in found["quality"]:
        known = row["ci_low"] is not None
        lines.append(
            [
                Cell(row["feature"], view.narrowed("feature", row["feature"], "/quality", group_by="model")),
                Cell(row["from_model"], label=row["from_model"] or "all others"),
                Cell(row["to_model"]),
                Cell(row["score"]),
                Cell(row["from_mean"]),
                Cell(row["from_n"]),
                Cell(row["to_mean"]),
                Cell(row["to_n"]),
                Cell(fmt.difference_text(row["difference"], "number") if row["difference"] is not None else "unknown"),
                Cell(
                    f"{fmt.difference_text(row['ci_low'], 'number')} to {fmt.difference_text(row['ci_high'], 'number')}"
                    if known
                    else ""
                ),
                Cell(row["verdict"]),
            ]
        )
    return Table("quality", "Measured quality", columns, lines)
