"""`outlay simulate`: what a window's calls would have cost with some changes."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

import click

from outlay_analytics.questions.changes import NAMES
from outlay_web.cli.ask import Ask
from outlay_web.cli.options import Usd, command
from outlay_web.cli.show import cell, print_table
from outlay_web.cli.threshold import check
from outlay_web.cli.values import warn_unknown_filter
from outlay_web.csv_text import csv_parts
from outlay_web.http.encoding import columns

ROWS = columns(
    "feature actual_usd scenario_usd change_usd change_ratio actual_per_month_usd scenario_per_month_usd calls "
    "touched_calls"
)
OUTSIDE = ("project", "timezone")
HELP = (
    "replace_model=FROM,TO · price_discount=0.1 · batch_share=0.5 · cache_hit_ratio=0.6 · "
    "cascade=CHEAP,EXPENSIVE,RATE · shorter_prompt=0.2 or PART,0.2 · max_output_tokens=500. May repeat: in this order."
)


def add_commands(app: click.Group) -> None:
    """Register the command."""

    @command(app, "simulate")
    @click.option("--change", "given", metavar="NAME=VALUE", multiple=True, help=HELP)
    @click.option("--fail-over", type=Usd(), help="Exit 3 when the scenario costs more than this in the window.")
    def simulate(ask: Ask, given: tuple[str, ...], fail_over: Decimal | None) -> None:
        """What the calls would have cost if something had been otherwise; without a change, what they did cost."""
        found = ask.post("/simulate", body_of(ask, [read_change(one) for one in given]))
        if ask.form == "json":
            ask.print_json(found)
        elif ask.form == "csv":
            rows = [[row.get(name) for name in ROWS] for row in found["rows"]]
            sys.stdout.write(b"".join(csv_parts(ROWS, rows)).decode())
        else:
            print_table([_named(row) for row in found["rows"]], ROWS)
            actual, scenario, change = (cell(found[f"{name}_usd"], "_usd") for name in ("actual", "scenario", "change"))
            month = cell(found["scenario_per_month_usd"], "_usd")
            print(f"actual {actual} USD, scenario {scenario} USD ({change}), {month} USD a month")
            for caveat in found["caveats"]:
                print(f"- {caveat}")
            if not found["coverage"]["calls"]:
                warn_unknown_filter(ask)
        check(found["scenario_usd"], fail_over, "the scenario", unknown="no call has a known cost")


def read_change(text: str) -> dict[str, Any]:
    """`replace_model=gpt-4o,gpt-4o-mini` as the API takes it; what values are allowed is said there.

    Raises:
        click.UsageError: If it is none.
    """
    name, equals, value = text.partition("=")
    parts = [part.strip() for part in value.split(",")]
    wrong = click.UsageError(f"--change {text!r} is not understood: {HELP}")
    if not equals or name not in NAMES:
        raise wrong
    if name == "replace_model":
        if len(parts) != 2:
            raise wrong
        return {name: {"from": parts[0], "to": parts[1]}}
    if name == "cascade":
        if len(parts) != 3:
            raise wrong
        return {name: {"cheap": parts[0], "expensive": parts[1], "escalation_rate": parts[2]}}
    if name == "shorter_prompt":
        if len(parts) > 2:
            raise wrong
        return {name: {"share": parts[-1], **({"part": parts[0]} if len(parts) == 2 else {})}}
    if name == "max_output_tokens":
        if not value.isdecimal():
            raise wrong
        return {name: int(value)}
    return {name: value}


def body_of(ask: Ask, changes: list[dict[str, Any]]) -> dict[str, Any]:
    """Window and filters of the command as a body's fields; the project stays in the query string."""
    body: dict[str, Any] = {"changes": changes, "filters": {}}
    for name, value in ask.common:
        if name in ("start", "end"):
            body[name] = value
        elif name not in OUTSIDE:
            body["filters"].setdefault(name, []).append(value)
    outside = [pair for pair in ask.common if pair[0] in OUTSIDE]
    ask.common = outside
    return body


def _named(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "feature": "(all others)" if row.get("remainder") else row["feature"]}
