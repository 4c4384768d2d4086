"""The bills of /reconcile: those that are pulled, those that were imported, and the forms that take and drop them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup
from starlette.requests import Request

from outlay_analytics.reconcile.bill import BadBill
from outlay_analytics.reconcile.bills import drop_bill
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.http.context import Context
from outlay_web.http.forms import Upload
from outlay_web.pages.address import url
from outlay_web.pages.parts import Row
from outlay_web.pages.view import View
from outlay_web.services.bills import pull_now
from outlay_web.services.reconcile import take_bill

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
ACCOUNTS = {
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "openrouter": "OpenRouter",
    "aws": "AWS exports",
    "azure": "Azure exports",
    "google": "Google Cloud exports",
    "files": "Exports",
}


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
    action = url("/reconcile/delete", view.project_pairs)
    lines = [
        [
            Cell(one["name"] or one["bill"], url("/reconcile", [*view.project_pairs, ("bill", str(one["bill"]))])),
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
    return [f"not compared: {left_out_text(what, left_out.get(what), lines[what])}" for what in lines] + (
        one["notes"] or []
    )


def left_out_text(what: str, usd: Decimal | None, lines: int | None) -> str:
    said = what if usd is None else f"{fmt.usd_text(usd)} {what}"
    return said if lines is None else f"{said} ({lines} {'line' if lines == 1 else 'lines'})"


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
