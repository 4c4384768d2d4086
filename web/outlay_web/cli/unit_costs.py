"""`outlay unit-costs` and `outlay showback`: what one of something costs, and whom the money was spent for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import click

from outlay_web.cli.answers import fail_over_option, interval_option, limit_option
from outlay_web.cli.ask import Ask
from outlay_web.cli.levers import score_option, success_option
from outlay_web.cli.options import command
from outlay_web.cli.show import cell, print_table
from outlay_web.cli.threshold import check
from outlay_web.cli.values import unknown_filter, warn_unknown_filter
from outlay_web.http.encoding import columns

UNITS = columns("unit cost_usd share calls errors priced_ratio trace_id")
REVENUE = columns("customer usd_per_month valid_from source")
MARGINS = columns("customer margin_usd margin_ratio revenue_usd cost_usd priced_ratio")
SHOWBACK = columns("direct_usd shared_usd total_usd share calls priced_ratio")
WHAT = ("customer", "user", "session", "request", "success")


def add_commands(app: click.Group) -> None:
    """Register both commands."""

    @command(app, "unit-costs")
    @click.option("--per", type=click.Choice(WHAT), default="customer", help="Default customer.")
    @limit_option
    @interval_option
    @score_option
    @success_option
    @fail_over_option
    def unit_costs(ask: Ask, per: str, fail_over: Decimal | None, **own: Any) -> None:
        """Cost per customer, user, session, request or success (with --score NAME: an answer that it says is one)."""
        own["per"] = per
        found = None
        if ask.form == "text":
            found = ask.get("/unit-costs", **own)
            print_table([_named(row) for row in found["rows"]], UNITS)
            if found["margins"]:
                print()
                print_table(found["margins"], MARGINS)
            total, spread = found["total"], found["distribution"]
            half, most = (cell(spread[name], "_usd") for name in ("p50_usd", "p99_usd"))
            print(f"{cell(total['unit_cost_usd'], '_usd')} USD per {per} ({total['units']}); p50 {half}, p99 {most}")
            if total["unallocated_calls"]:
                print(f"unallocated {cell(total['unallocated_usd'], '_usd')} USD")
            if not total["calls"]:
                warn_unknown_filter(ask)
        else:
            found = ask.show("/unit-costs", "rows", UNITS, **own)
        if fail_over is not None:
            found = found or ask.get("/unit-costs", **own)
            why = unknown_filter(ask) or f"no {per} has a known cost"
            check(found["total"]["unit_cost_usd"], fail_over, f"the cost per {per}", unknown=why)

    @command(app, "revenue")
    @click.option("--set", "given", metavar="CUSTOMER=USD", multiple=True, help="What a customer pays a month.")
    @click.option("--valid-from", metavar="DATE", help="From which day on --set holds; default: always.")
    @click.option("--forget", metavar="CUSTOMER", multiple=True, help="Take back what was set.")
    def revenue(ask: Ask, given: tuple[str, ...], valid_from: str | None, forget: tuple[str, ...]) -> None:
        """What customers pay a month, for their margin; from outlay.toml, or as it is set here."""
        if given:
            since = {"valid_from": valid_from} if valid_from else {}
            pairs = [one.rpartition("=") for one in given]
            if not all(customer and equals for customer, equals, _ in pairs):
                raise click.UsageError(f"--set {given[0]!r} is not understood: write it as acme=1200")
            rows = [{"customer": customer, "usd_per_month": usd, **since} for customer, _, usd in pairs]
            ask.send("PUT", "/revenue", {"revenue": rows})
        for customer in forget:
            ask.send("DELETE", f"/revenue/{quote(customer, safe='')}")
        ask.show("/revenue", "revenue", REVENUE)

    @command(app, "showback", by="by")
    @click.option("--split", type=click.Choice(("even", "calls", "cost")), help="How shared cost is split.")
    @click.option("--shared", metavar="NAMES", help="Whose cost is shared by all others, with commas: platform.")
    @click.option("--month", metavar="YYYY-MM", help="A month in place of a window.")
    def showback(ask: Ask, split: str | None, shared: str | None, month: str | None) -> None:
        """Whom the money was spent for, by team unless --by says another."""
        own: dict[str, Any] = {"split": split, "shared": shared, "month": month}
        if ask.form != "text":
            ask.show("/showback", "rows", SHOWBACK, **own)
            return
        found = ask.get("/showback", **own)
        by = found["by"]
        rows = [{**row, by: _who(row, by)} for row in found["rows"]]
        print_table(rows, [by, *SHOWBACK])
        coverage = found["coverage"]
        print(f"total {cell(found['total_usd'], '_usd')} USD, {coverage['priced_calls']} of {coverage['calls']} priced")
        if not coverage["calls"]:
            warn_unknown_filter(ask)


def _named(row: dict[str, Any]) -> dict[str, Any]:
    """A row as the table prints it: what has no name of its own says so in its place."""
    name = "(all others)" if row.get("remainder") else "(unallocated)" if row.get("unallocated") else row["unit"]
    return {**row, "unit": name}


def _who(row: dict[str, Any], by: str) -> Any:
    return "(unallocated)" if row.get("unallocated") else f"{row[by]} (shared)" if row.get("shared") else row[by]
