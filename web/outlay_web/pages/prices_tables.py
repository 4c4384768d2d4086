"""Tables of /prices: the list, calls without a price or that report another cost, repricings, closed months."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from markupsafe import Markup

from outlay.pricing.regions import ANY_REGION
from outlay_analytics.query.text import rfc3339
from outlay_collector.prices import witness
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View

TONES = {"overlay": "fine", "discount": "fine", "correction": "info", "catalogue": "quiet"}
WHY = {
    "unknown_model": "no list has this model",
    "no_price_yet": "older than its first known price",
    "part_without_price": "a part of it has no price",
}


def price_table(view: View, rows: Sequence[Row], at: datetime | None) -> Table:
    """The rows of the list; contracted prices with the list price behind them."""
    columns = [
        Column("Model", "name", "model"),
        Column("Provider", "name", "provider", csv_only=True),
        Column("When", "text", "applies", "Service tier, size of the input, hours in UTC"),
        Column("Since", "html", "valid_from", "Empty: as far back as is known"),
        *([] if at is not None else [Column("Until", "html", "valid_until")]),
        Column("Input", "price", "input_usd_per_mtok", "USD per million tokens"),
        Column("Cache read", "price", "cache_read_usd_per_mtok", "USD per million tokens"),
        Column("Cache write", "price", "cache_write_usd_per_mtok", "USD per million tokens, kept 5 minutes"),
        Column("1 h write", "price", "cache_write_1h_usd_per_mtok", csv_only=True),
        Column("Output", "price", "output_usd_per_mtok", "USD per million tokens"),
        Column("From", "html", "origin"),
        Column("Other", "html", "other", "USD per million: audio, images, searches …", True),
        Column("Source", "text", "source", csv_only=True),
    ]
    lines = []
    for row in rows:
        until = [] if at is not None else [Cell(row["valid_until"], label=_day(row["valid_until"]))]
        lines.append(
            [
                Cell(row["model"], view.here(model=row["model"], provider=row["provider"]), note=row["provider"]),
                Cell(row["provider"], view.here(provider=row["provider"])),
                Cell(applies(row), note=_borrowed(row)),
                Cell(row["valid_from"], label=_day(row["valid_from"])),
                *until,
                Cell(row["input_usd_per_mtok"], note=_listed(row, "input")),
                Cell(row["cache_read_usd_per_mtok"]),
                Cell(row["cache_write_usd_per_mtok"], note=_hour(row)),
                Cell(row["cache_write_1h_usd_per_mtok"]),
                Cell(row["output_usd_per_mtok"], note=_listed(row, "output")),
                Cell(_from(row)),
                _other(row),
                Cell(row["source"]),
            ]
        )
    return Table("prices", "Prices, in USD per million tokens", columns, lines, timezone=view.timezone)


def applies(row: Row) -> str:
    """For which calls a row holds."""
    said = [] if row["service_tier"] == "standard" else [str(row["service_tier"])]
    if row["region"]:
        said.append("any region" if row["region"] == ANY_REGION else f"in {row['region']}")
    if row["min_input_tokens"]:
        said.append(f"input over {fmt.tokens_text(row['min_input_tokens'])}")
    if row["hours"]:
        said.append(f"{row['hours']} UTC")
    return ", ".join(said) or "standard"


def missing_table(view: View, rows: Sequence[Row]) -> Table:
    columns = [
        Column("Model", "name", "request_model"),
        Column("Answered by", "name", "response_model", wide_only=True),
        Column("Provider", "name", "provider"),
        Column("Why", "words", "reason"),
        Column("Calls", "count", "calls"),
        Column("Input", "tokens", "input_tokens"),
        Column("Output", "tokens", "output_tokens"),
        Column("Last", "time", "last_at"),
    ]
    lines = []
    for row in rows:
        model = row["response_model"] or row["request_model"]
        href = view.to("/calls", model=model, provider=row["provider"], cost_state="unpriced")
        lines.append(
            [
                Cell(row["request_model"], href),
                Cell(row["response_model"]),
                Cell(row["provider"]),
                Cell(row["reason"], label=WHY[row["reason"]]),
                Cell(row["calls"], href),
                Cell(row["input_tokens"]),
                Cell(row["output_tokens"]),
                Cell(row["last_at"]),
            ]
        )
    return Table("missing", "Models of calls without a price", columns, lines, timezone=view.timezone)


def reported_table(view: View, rows: Sequence[Row]) -> Table:
    """Calls that report another cost than the computed one, by model and reason."""
    columns = [
        Column("Model", "name", "model"),
        Column("Provider", "name", "provider"),
        Column("Why", "words", "reason"),
        Column("Calls", "count", "calls"),
        Column("Reported", "usd", "reported_usd"),
        Column("Computed", "usd", "computed_usd"),
        Column("Difference", "delta_usd", "difference_usd"),
    ]
    lines = [
        [
            Cell(row["model"], view.to("/calls", model=row["model"], provider=row["provider"])),
            Cell(row["provider"]),
            Cell(row["reason"], label=witness.REASONS[row["reason"]]),
            *(Cell(row[name]) for name in ("calls", "reported_usd", "computed_usd", "difference_usd")),
        ]
        for row in rows
    ]
    return Table("reported", "Calls that report another cost", columns, lines, timezone=view.timezone)


def repricing_table(view: View, rows: Sequence[Row]) -> Table:
    """Both figures of every repricing."""
    columns = [
        Column("Asked for", "time", "created_at"),
        Column("Calls from", "time", "start"),
        Column("Until", "time", "end"),
        Column("State", "text", "state"),
        Column("Changed", "count", "calls"),
        Column("Had none", "count", "newly_priced", "Calls that had no price before"),
        Column("Before", "usd", "before_usd"),
        Column("After", "usd", "after_usd"),
        Column("Difference", "delta_usd", "change_usd"),
        Column("Adjustment", "delta_usd", "adjustment_usd", "The part that lies in closed months"),
        Column("Undo with", "text", "id"),
    ]
    names = ("created_at", "start", "end", "state", "calls", "newly_priced", "before_usd", "after_usd", "change_usd")
    lines = [
        [
            *(Cell(row[name]) for name in names),
            Cell(row["adjustment_usd"]),
            Cell(row["id"], label=f"--undo {row['id']}" if row["state"] == "applied" else "–"),
        ]
        for row in rows
    ]
    return Table("repricings", "Repricings", columns, lines, timezone=view.timezone)


def month_table(view: View, rows: Sequence[Row]) -> Table:
    """Closed months, and what has changed since: the adjustment, apart from the books."""
    columns = [
        Column("Month", "text", "month"),
        Column("Closed", "time", "closed_at"),
        Column("Calls", "count", "calls"),
        Column("Cost", "usd", "cost_usd"),
        Column("Calls now", "count", "calls_now"),
        Column("Cost now", "usd", "cost_now_usd"),
        Column("Adjustment", "delta_usd", "adjustment_usd"),
    ]
    lines = [
        [
            Cell(f"{row['month']:%Y-%m}"),
            Cell(row["closed_at"]),
            Cell(row["calls"]),
            Cell(row["cost_usd"]),
            Cell(row["calls_now"]),
            Cell(row["cost_now_usd"]),
            Cell(row["adjustment_usd"]),
        ]
        for row in rows
    ]
    return Table("months", "Closed months", columns, lines, timezone=view.timezone)


def _day(at: datetime | None) -> Markup:
    if at is None:
        return Markup('<span class="muted">–</span>')
    text = f"{at:%Y-%m-%d}" if at.time() == datetime.min.time() else f"{at:%Y-%m-%d %H:%M}"
    return Markup('<time datetime="{}" class="num">{}</time>').format(rfc3339(at), text)


def _listed(row: Row, part: str) -> str:
    """The list price where the contracted one differs."""
    listed: Decimal | None = row[f"list_{part}_usd_per_mtok"]
    return "" if row["is_list"] or listed == row[f"{part}_usd_per_mtok"] else f"list {fmt.price_text(listed)}"


def _hour(row: Row) -> str:
    price = row["cache_write_1h_usd_per_mtok"]
    return "" if price is None else f"1 h {fmt.price_text(price)}"


def _other(row: Row) -> Cell:
    found = dict(row["other_usd_per_million"])
    if row["reasoning_usd_per_mtok"] is not None:
        found["reasoning"] = row["reasoning_usd_per_mtok"]
    said = ", ".join(f"{name.replace('_', ' ')} {fmt.price_text(usd)}" for name, usd in sorted(found.items()))
    shown = Markup('<span class="num" title="{}">{}</span>').format(said, f"{len(found)} more") if found else Markup("")
    return Cell(said, label=shown)


def _borrowed(row: Row) -> str:
    """Whether a tier has no prices of its own yet, or only for some parts."""
    if not row["borrowed"]:
        return ""
    parts = ", ".join(name.replace("_", " ") for name in row["borrowed"])
    return "as standard" if "*" in row["borrowed"] else f"{parts} as standard"


def _from(row: Row) -> Markup:
    """Catalogue, correction or the user's own, with the source where it is known."""
    source = str(row["source"])
    hint = ", checked ".join(part for part in (source, str(row["checked"])) if part)
    badge = Markup('<span class="badge {}" title="{}">{}</span>').format(TONES[row["origin"]], hint, row["origin"])
    if source.startswith("https://") and " " not in source:
        badge = Markup('<a href="{}" rel="noreferrer">{}</a>').format(source, badge)
    return badge
