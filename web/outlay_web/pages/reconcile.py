"""/reconcile: a provider's bill beside what was computed, and why they differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from outlay_analytics.bills.pulled import midnight
from outlay_analytics.reconcile.bills import list_bills
from outlay_web import format as fmt
from outlay_web.charts import Figure, Series, buckets, paired_bars
from outlay_web.pages import parts
from outlay_web.pages import reconcile_tables as tables
from outlay_web.pages.address import url
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.reconcile_bills import FORMATS, account_notes, account_table, bill_table, left_out_text
from outlay_web.pages.view import View
from outlay_web.services.bills import MOST_DAYS, list_accounts
from outlay_web.services.compared import compared_bill, compared_pulled

ALLOWED = ("bill", "day")
QUESTION = "Does the bill say what the calls cost?"


def page(view: View, problem: str = "") -> Page:
    bills = list_bills(view.ctx.store, view.scope.project)
    accounts = list_accounts(view.ctx, view.scope.project)
    wanted = not problem and bool(view.get("bill") or bills or any(one["days"] for one in accounts))
    found = comparison(view, bills, accounts) if wanted else None
    data: dict[str, Any] = {
        "problem": problem,
        "accounts": account_table(view, accounts) if accounts else None,
        "failed": [one for one in accounts if one["state"] == "failed"],
        "account_notes": [f"{one['name']}: {note}" for one in accounts for note in account_notes(one)],
        "bills": bill_table(view, bills) if bills else None,
        "found": found,
        "pending": wanted and found is None,
        "project": view.scope.project,
        "formats": FORMATS,
    }
    if found is not None:
        bill = found["bill"]
        rows = [row for row in found["rows"] if not view.get("day") or row["day"].isoformat() == view.get("day")]
        apart = [row for row in rows if row["residual_usd"]]
        which = [("bill", bill["bill"])] if bill["bill"] else between(bill)
        data |= {
            "chosen": bill,
            "tiles": tiles(found),
            "days": day_figure(view, bill["bill"], found),
            "residual": tables.residual_table(view, found),
            "witnesses": witness_tiles(found),
            "gaps": tables.gap_table(view, found) if found["gaps"] else None,
            "missing": tables.missing_table(found) if found["missing"] else None,
            "proposals": [proposal_text(one) for one in found["proposals"] if 0 < one["discount"] < 1],
            "models": tables.model_table(view, rows),
            "meters": tables.meter_table(found) if found["meters"] else None,
            "rows": tables.row_table(view, apart) if apart else None,
            "more": max(0, len(apart) - tables.SHOWN_ROWS),
            "day": view.get("day"),
            "all_days": view.here(day=None),
            "csv_href": url("/api/v1/reconcile", [*view.project_pairs, *which, ("format", "csv")]),
        }
    return Page("reconcile.html", "Reconcile", QUESTION, data, status=400 if problem else 200)


def comparison(view: View, bills: Sequence[Row], accounts: Sequence[Row]) -> Row | None:
    """The bill to show: the one that was chosen, else those that are pulled, else the newest that was imported; None
    while it is being compared."""
    project, chosen = view.scope.project, view.get("bill")
    if not chosen and any(one["days"] for one in accounts):
        today = view.now.date()
        last = min((view.window.end - timedelta(microseconds=1)).date(), today - timedelta(days=1))
        first = max(min(view.window.start.date(), last), last - timedelta(days=MOST_DAYS - 1))
        return compared_pulled(view.ctx, project, first, last)
    return compared_bill(view.ctx, project, chosen or str(bills[0]["bill"]))


def between(bill: Row) -> list[tuple[str, str]]:
    """The days of pulled bills as parameters."""
    return [("start", bill["first_day"].isoformat()), ("end", (bill["last_day"] + timedelta(days=1)).isoformat())]


def witness_tiles(found: Row) -> list[Tile]:
    """What share of the calls' cost each witness confirms."""
    told = found["witnesses"]
    return [
        Tile("Client spans", fmt.ratio(told["client"]), "#gaps", "of the calls' cost, as the application recorded it"),
        Tile("Provider's spans", fmt.ratio(told["provider"]), "#gaps", "as the provider itself traced it"),
        Tile("Bill lines", fmt.ratio(told["bill"]), "#gaps", "as the provider charges it"),
        Tile("All three", fmt.ratio(told["all"]), "#gaps", "confirmed by every witness"),
    ]


def tiles(found: Row) -> list[Tile]:
    residual, billed = found["residual_usd"], found["billed_usd"]
    coverage = found["coverage"]
    apart = parts.quotient(residual, billed)
    first = found["residual"][0]
    why = f"most of it: {tables.REASONS[first['reason']][0].lower()}" if first["usd"] else "to the last digit the same"
    left = ", ".join(
        left_out_text(what, usd, found["left_out_lines"].get(what)) for what, usd in found["left_out"].items()
    )
    return [
        Tile("Billed", fmt.usd(billed), "#figure-days", f"without {left}" if left else "by the provider"),
        Tile("Computed", fmt.usd(found["computed_usd"]), "#figure-days", "from the calls, as they are priced today"),
        Tile(
            "Difference",
            fmt.usd(residual, True),
            "#residual",
            why if apart is None else f"{fmt.ratio_text(apart, signed=True)} of the bill; {why}",
        ),
        Tile(
            "Explained",
            fmt.ratio(coverage),
            "#residual",
            "share of the billed USD that has an explanation",
            tone="warn" if coverage is not None and coverage < 0.95 else "",
        ),
    ]


def proposal_text(one: Row) -> str:
    """A discount that was found, as it stands in `outlay.toml`."""
    return (
        f"[[discounts]]\nprovider = {json.dumps(one['provider'])}\nmodel = {json.dumps(one['model'])}\n"
        f'discount = "{one["discount"]}"\nvalid_from = {one["valid_from"]}'
    )


def day_figure(view: View, bill: str, found: Row) -> Figure:
    """Billed and computed of each day, beside each other."""
    first, last = found["bill"]["first_day"], found["bill"]["last_day"]
    steps = buckets(midnight(first), midnight(last) + timedelta(days=1), "day")
    by_day = {row["day"]: row for row in found["days"]}
    rows = [by_day.get(step.start.date(), {}) for step in steps]
    series = [
        Series("billed", [row.get("billed_usd") for row in rows], 1),
        Series("computed", [row.get("computed_usd") for row in rows], 2),
    ]
    return paired_bars(
        "days",
        "Billed and computed, per day",
        steps,
        series,
        **happened(view, steps).arguments(),
        step_href=lambda step: view.here(bill=bill or None, day=step.start.date().isoformat()),
    )
