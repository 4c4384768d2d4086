"""/reconcile: a provider's bill beside what was computed, and why they differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup
from starlette.requests import Request

from outlay_analytics.query.text import rfc3339
from outlay_analytics.reconcile.bill import BadBill
from outlay_analytics.reconcile.bills import drop_bill, list_bills
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Series, Table, buckets, paired_bars
from outlay_web.http.context import Context
from outlay_web.http.forms import Upload
from outlay_web.pages import parts
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import View, url
from outlay_web.services.bills import MOST_DAYS, compare_pulled, list_accounts, pull_now
from outlay_web.services.reconcile import compare_bill, take_bill

ALLOWED = ("bill", "day")
QUESTION = "Does the bill say what the calls cost?"
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
FORMATS = {
    "focus": "FOCUS",
    "openai": "OpenAI costs",
    "anthropic": "Anthropic costs",
    "anthropic_report": "Anthropic",
    "aws": "AWS CUR",
    "azure": "Azure costs",
    "google": "Google Cloud billing",
    "openrouter": "OpenRouter activity",
    "dashboard": "Dashboard export",
    "pulled": "pulled every day",
}
WITNESSES = {"client": "the client's span", "provider": "the provider's span", "bill": "the bill"}
ACCOUNTS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "openrouter": "OpenRouter",
    "aws": "AWS exports",
    "azure": "Azure exports",
    "google": "Google Cloud exports",
    "files": "Exports",
}


def page(view: View, problem: str = "") -> Page:
    bills = list_bills(view.ctx.store, view.scope.project)
    accounts = list_accounts(view.ctx, view.scope.project)
    found = None if problem else comparison(view, bills, accounts)
    data: dict[str, Any] = {
        "problem": problem,
        "accounts": account_table(view, accounts) if accounts else None,
        "failed": [one for one in accounts if one["state"] == "failed"],
        "account_notes": [f"{one['name']}: {note}" for one in accounts for note in account_notes(one)],
        "bills": bill_table(view, bills) if bills else None,
        "found": found,
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
            "residual": residual_table(view, found),
            "witnesses": witness_tiles(found),
            "gaps": gap_table(view, found) if found["gaps"] else None,
            "missing": missing_table(found) if found["missing"] else None,
            "proposals": [proposal_text(one) for one in found["proposals"] if 0 < one["discount"] < 1],
            "models": model_table(view, rows),
            "meters": meter_table(found) if found["meters"] else None,
            "rows": row_table(view, apart) if apart else None,
            "more": max(0, len(apart) - SHOWN_ROWS),
            "day": view.get("day"),
            "all_days": view.here(day=None),
            "csv_href": url("/api/v1/reconcile", [*project_of(view), *which, ("format", "csv")]),
        }
    return Page("reconcile.html", "Reconcile", QUESTION, data, status=400 if problem else 200)


def comparison(view: View, bills: Sequence[Row], accounts: Sequence[Row]) -> Row | None:
    """The bill to show: the one that was chosen, else those that are pulled, else the newest that was imported."""
    project, chosen = view.scope.project, view.get("bill")
    if not chosen and any(one["days"] for one in accounts):
        today = view.now.date()
        last = min((view.window.end - timedelta(microseconds=1)).date(), today - timedelta(days=1))
        first = max(min(view.window.start.date(), last), last - timedelta(days=MOST_DAYS - 1))
        return compare_pulled(view.ctx, project, first, last)
    if not chosen and not bills:
        return None
    return compare_bill(view.ctx, project, chosen or str(bills[0]["bill"]))


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


def project_of(view: View) -> list[tuple[str, str]]:
    return [] if view.scope.project == "default" else [("project", view.scope.project)]


def tiles(found: Row) -> list[Tile]:
    residual, billed = found["residual_usd"], found["billed_usd"]
    coverage = found["coverage"]
    apart = parts.quotient(residual, billed)
    first = found["residual"][0]
    why = f"most of it: {REASONS[first['reason']][0].lower()}" if first["usd"] else "to the last digit the same"
    left = ", ".join(_left_out(what, usd, found["left_out_lines"].get(what)) for what, usd in found["left_out"].items())
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


def _left_out(what: str, usd: Decimal | None, lines: int | None) -> str:
    said = what if usd is None else f"{fmt.usd_text(usd)} {what}"
    return said if lines is None else f"{said} ({lines} {'line' if lines == 1 else 'lines'})"


def day_figure(view: View, bill: str, found: Row) -> Figure:
    """Billed and computed of each day, beside each other."""
    first, last = found["bill"]["first_day"], found["bill"]["last_day"]
    steps = buckets(_midnight(first), _midnight(last) + timedelta(days=1), "day")
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


def residual_table(view: View, found: Row) -> Table:
    """The difference by reason, the largest first."""
    columns = [
        Column("Reason", "text", "reason"),
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
    pairs = project_of(view)
    if window and window[0]:
        pairs += [
            ("start", rfc3339(_midnight(window[0]))),
            ("end", rfc3339(_midnight(window[1]) + timedelta(days=1))),
        ]
    models = sorted(row.get("models", ()))
    if reason in ("discount", "premium", "region"):
        return url("/prices", [*project_of(view), *([("model", models[0])] if models else [])])
    pairs += [("provider", one) for one in sorted(row.get("providers", ()))] + [("model", one) for one in models]
    if reason == "tier_mismatch":
        return url("/spend", [*pairs, ("group_by", "service_tier")])
    if reason in STATES:
        pairs.append(("cost_state", STATES[reason]))
    return url("/calls", pairs)


def bill_table(view: View, bills: Sequence[Row]) -> Table:
    """The bills that were imported, the newest first."""
    columns = [
        Column("Bill", "name", "name"),
        Column("Kind", "text", "format"),
        Column("Days", "text", "days"),
        Column("Billed", "usd", "billed_usd"),
        Column("Lines", "count", "lines"),
        Column("Imported", "time", "imported_at"),
        Column("Remove", "html", "remove"),
    ]
    action = url("/reconcile/delete", project_of(view))
    lines = [
        [
            Cell(one["name"] or one["bill"], url("/reconcile", [*project_of(view), ("bill", str(one["bill"]))])),
            Cell(FORMATS.get(one["format"], one["format"])),
            Cell(f"{one['first_day']} – {one['last_day']}"),
            Cell(one["billed_usd"]),
            Cell(one["lines"]),
            Cell(one["imported_at"]),
            Cell(
                Markup(
                    '<form method="post" action="{}"><input type="hidden" name="bill" value="{}">'
                    '<button class="button danger" aria-label="Delete the bill {}">Delete</button></form>'
                ).format(action, one["bill"], fmt.name_text(one["name"] or one["bill"]))
            ),
        ]
        for one in bills
    ]
    return Table("bills", "Imported bills", columns, lines, timezone=view.timezone, sortable=False)


def account_table(view: View, accounts: Sequence[Row]) -> Table:
    """The accounts whose bills are pulled, and how that went."""
    columns = [
        Column("Account", "name", "name"),
        Column("Provider", "text", "provider"),
        Column("Last pull", "text", "state"),
        Column("Done", "time", "done_at"),
        Column("Days", "text", "days"),
        Column("Billed", "usd", "billed_usd"),
        Column("Today so far", "usd", "today_usd"),
        Column("Lines", "count", "lines"),
    ]
    lines = [
        [
            Cell(one["name"]),
            Cell(ACCOUNTS.get(one["provider"], one["provider"])),
            Cell(one["state"]),
            Cell(one["done_at"]),
            Cell(f"{one['first_day']} – {one['last_day']}" if one["days"] else ""),
            Cell(one["billed_usd"]),
            Cell(one["today_usd"]),
            Cell(one["lines"]),
        ]
        for one in accounts
    ]
    return Table("accounts", "Pulled bills", columns, lines, timezone=view.timezone, sortable=False)


def account_notes(one: Row) -> list[str]:
    """What a person should know of an account: what was left out, and what else its pull says."""
    left_out, lines = one["left_out"] or {}, one["left_out_lines"] or {}
    return [f"not compared: {_left_out(what, left_out.get(what), lines[what])}" for what in lines] + (
        one["notes"] or []
    )


def pull_bills(ctx: Context, request: Request, form: dict[str, str]) -> str:
    """Pull now; what fails is told on the page."""
    project = request.state.project
    pull_now(ctx, project, form.get("account", ""))
    return url("/reconcile", [] if project == "default" else [("project", project)])


def upload(ctx: Context, request: Request, sent: Upload) -> str:
    """Take the posted file; returns where its comparison is shown.

    Raises:
        BadBill: If it cannot be read.
    """
    if not sent.body:
        raise BadBill("no file was chosen")
    project = request.state.project
    bill = take_bill(ctx, project, sent.name, sent.body)
    return url("/reconcile", [*([] if project == "default" else [("project", project)]), ("bill", bill)])


def delete(ctx: Context, request: Request, form: dict[str, str]) -> str:
    project = request.state.project
    with ctx.writing() as writer:
        drop_bill(writer, ctx.store, project, form.get("bill", ""), ctx.now())
    return url("/reconcile", [] if project == "default" else [("project", project)])


FORMS = (("/reconcile/delete", delete), ("/reconcile/pull", pull_bills))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
