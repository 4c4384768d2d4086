"""/prompts: what each prompt uses and costs, which part of it, and what a new version changed."""

from __future__ import annotations

from collections.abc import Sequence

from outlay_analytics.questions import prompts
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.view import View

ALLOWED = ()
QUESTION = "What do prompts use, which part of them costs most, and what did a new version change?"


def page(view: View) -> Page:
    found = prompts.prompts(view.ctx.store, view.scope)
    rows = found["rows"]
    if not rows:
        return Page("prompts.html", "Prompts", QUESTION, empty=True)
    parted = part_table(view, rows)
    data = {
        "table": prompt_table(view, rows),
        "changes": change_table(view, rows),
        "breaks": break_table(view, found["cache_breaks"]),
        "savings": saving_table(view, found["savings"]),
        "parted": parted,
        "left_out": found["rows_left_out"],
    }
    return Page("prompts.html", "Prompts", QUESTION, data)


def prompt_table(view: View, rows: Sequence[Row]) -> Table:
    """Every prompt and version, the most expensive first."""
    columns = [
        Column("Prompt", "name", "prompt"),
        Column("Version", "name", "prompt_version"),
        Column("Calls", "count", "calls"),
        Column("Cost", "usd", "cost_usd"),
        Column("Per call", "each", "cost_per_call_usd", "Of calls whose cost is known"),
        Column("Input", "tokens", "input_tokens_per_call", "Tokens of a call on average, cached ones included"),
        Column("Output", "tokens", "output_tokens_per_call", "Tokens of an answer on average"),
        Column("Cached", "ratio", "cache_read_ratio", "Input read from the provider's cache"),
        Column("Priced", "priced", "priced_ratio", "Calls whose cost is known", wide_only=True),
        Column("Last call", "time", "last_at", wide_only=True),
    ]
    lines = []
    for row in rows:
        filters = {"prompt": row["prompt"], "prompt_version": row["prompt_version"] or ""}
        lines.append(
            [
                Cell(row["prompt"], view.here(**filters)),
                Cell(row["prompt_version"]),
                Cell(row["calls"], view.to("/calls", **filters)),
                Cell(row["cost_usd"], view.to("/spend", **filters)),
                Cell(row["cost_per_call_usd"]),
                Cell(row["input_tokens_per_call"]),
                Cell(row["output_tokens_per_call"]),
                Cell(row["cache_read_ratio"]),
                Cell(row["priced_ratio"]),
                Cell(row["last_at"]),
            ]
        )
    return Table("prompts", "Prompts by version", columns, lines, timezone=view.timezone)


def change_table(view: View, rows: Sequence[Row]) -> Table | None:
    """What each version changed against the one before, the dearest change first."""
    changed = [row for row in rows if row["change"]]
    if not changed:
        return None
    changed.sort(key=lambda row: -abs(row["change"]["monthly_usd"] or 0))
    columns = [
        Column("Prompt", "name", "prompt"),
        Column("From", "name", "from_version"),
        Column("To", "name", "prompt_version"),
        Column("A month", "delta_usd", "monthly_usd", "Difference per call times the calls of a month"),
        Column("Input", "text", "input_tokens_per_call", "Tokens per call"),
        Column("Output", "text", "output_tokens_per_call", "Tokens per call"),
        Column("Mostly", "text", "parts", "The parts that changed most"),
    ]
    lines = []
    for row in changed:
        change = row["change"]
        moved = [one for one in change["parts"] if abs(one["tokens_per_call"]) >= 0.5][:2]
        lines.append(
            [
                Cell(row["prompt"]),
                Cell(change["from_version"]),
                Cell(row["prompt_version"], _decide(view, row)),
                Cell(change["monthly_usd"]),
                Cell(_tokens(change["input_tokens_per_call"])),
                Cell(_tokens(change["output_tokens_per_call"])),
                Cell(", ".join(f"{fmt.name_text(one['part'])} {_tokens(one['tokens_per_call'])}" for one in moved)),
            ]
        )
    return Table("changes", "What new versions changed", columns, lines)


def break_table(view: View, found: Sequence[Row]) -> Table | None:
    """Prompts whose beginning is no longer read from the provider's cache, the dearest first."""
    if not found:
        return None
    columns = [
        Column("Prompt", "name", "prompt"),
        Column("Model", "name", "model"),
        Column("Since", "time", "began_at", "The hour from which on the provider's cache was not read"),
        Column("Until", "time", "ended_at"),
        Column("Read before", "ratio", "hit_ratio_before", "Of the input's tokens"),
        Column("After", "ratio", "hit_ratio_after"),
        Column("A day", "usd", "usd_per_day", "What it costs more a day"),
        Column("In all", "usd", "lost_usd"),
    ]
    lines = [
        [
            Cell(one["prompt"], view.narrowed("prompt", one["prompt"], "/caching", interval="hour")),
            Cell(one["model"]),
            Cell(one["began_at"]),
            Cell(one["ended_at"], label=None if one["ended_at"] else "goes on"),
            *(Cell(one[name]) for name in ("hit_ratio_before", "hit_ratio_after", "usd_per_day", "lost_usd")),
        ]
        for one in found
    ]
    return Table("breaks", "Beginnings that left the cache", columns, lines, timezone=view.timezone)


def _decide(view: View, row: Row) -> str | None:
    """Both versions side by side; one without a name cannot be."""
    before = row["change"]["from_version"]
    if not before or not row["prompt_version"]:
        return None
    return view.to("/decide", prompt=row["prompt"], by="prompt_version", first=before, second=row["prompt_version"])


def part_table(view: View, rows: Sequence[Row]) -> Table | None:
    """The parts of every prompt that says them."""
    columns = [
        Column("Prompt", "name", "prompt"),
        Column("Version", "name", "prompt_version"),
        Column("Part", "name", "part"),
        Column("Tokens", "tokens", "tokens_per_call", "Of a call on average"),
        Column("Share", "share", "share", "Of the input"),
        Column("Cost", "usd", "usd", "Its share of what the input cost"),
    ]
    lines = [
        [
            Cell(row["prompt"], view.here(prompt=row["prompt"])),
            Cell(row["prompt_version"]),
            Cell(part["part"]),
            Cell(part["tokens_per_call"]),
            Cell(part["share"]),
            Cell(part["usd"]),
        ]
        for row in rows
        for part in row["parts"]
    ]
    return Table("parts", "Parts of prompts", columns, lines) if lines else None


def _tokens(value: float | None) -> str:
    return "–" if value is None else f"{value:+,.0f}".replace("-", "\u2212")


def saving_table(view: View, savings: Sequence[Row]) -> Table | None:
    """What prompts could do without, the most first."""
    if not savings:
        return None
    columns = [
        Column("Prompt", "name", "prompt"),
        Column("Part", "name", "part"),
        Column("Tokens", "tokens", "tokens_per_call", "Of a call on average"),
        Column("Of the input", "ratio", "share"),
        Column("Costs a month", "usd", "monthly_usd"),
        Column("Could save", "usd", "saving_monthly_usd", "A month"),
        Column("Documents", "number", "per_call", "That a call asks for: tag top_k", wide_only=True),
        Column("Each a month", "usd", "each_monthly_usd", "What one document more or less in every call costs"),
        Column("How", "text", "reason"),
    ]
    lines = [
        [
            Cell(one["prompt"], view.here(prompt=one["prompt"])),
            Cell(one["part"]),
            Cell(one["tokens_per_call"]),
            Cell(one["share"]),
            Cell(one["monthly_usd"]),
            Cell(one["saving_monthly_usd"]),
            Cell(one["per_call"]),
            Cell(one["each_monthly_usd"]),
            Cell(one["reason"]),
        ]
        for one in savings
    ]
    return Table("savings", "What prompts could do without", columns, lines)
