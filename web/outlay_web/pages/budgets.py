"""/budgets: how much of each budget is gone, where it is heading, and the form to set one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request

from outlay_analytics.alerting import budgets
from outlay_analytics.alerting.budget import Budget
from outlay_analytics.notify.masks import channel_text
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.text import exact, rfc3339
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table, budget_bar
from outlay_web.http.context import Context
from outlay_web.pages import clauses, parts
from outlay_web.pages.address import url
from outlay_web.pages.forecast import amount
from outlay_web.pages.parts import Page, Row
from outlay_web.pages.view import View

ALLOWED = ("edit",)
PERIODS = ("month", "week", "day")
PER = ("user", "customer", "session", "team", "feature")


@dataclass(frozen=True)
class Card:
    """A budget as the page shows it."""

    name: str
    amount: Decimal
    spent: Decimal | None
    ratio: float | None
    bar: Markup
    period: str
    where: str
    projection: str | Markup
    href: str
    edit_href: str
    fixed: bool


def page(view: View) -> Page:
    found = read(view)
    editing = view.get("edit")
    chosen = next((one for one in found if str(one["name"]) == editing), None)
    data = {
        "cards": cards(view, found),
        "table": table(view, found) if found else None,
        "form": form_values(chosen) | (typed_values(view.typed) if view.problem else {}),
        "editing": chosen is not None or any(one["name"] == view.typed.get("name") for one in found),
        "periods": PERIODS,
        "per": PER,
        "project": view.scope.project,
    }
    return Page("budgets.html", "Budgets", "Will the money last?", data)


def read(view: View) -> list[dict[str, Any]]:
    """The project's budgets, those of outlay.toml included."""
    return budgets.list_budgets(view.ctx.store, view.scope.project, view.now, configured(view.ctx), view.ctx.holidays)


def configured(ctx: Context) -> Sequence[Budget]:
    """Budgets of outlay.toml."""
    found: Sequence[Budget] = ctx.config.get("budgets", ())
    return found


def cards(view: View, found: Sequence[Row]) -> list[Card]:
    return [card(view, one) for one in found]


def card(view: View, one: Row) -> Card:
    name, whole = str(one["name"]), one["amount_usd"]
    filters = {str(dimension): tuple(map(str, values)) for dimension, values in one["scope"].items()}
    base = [("project", view.scope.project)] if view.scope.project != "default" else []
    span = [("start", rfc3339(one["window"]["start"]))]
    pairs = [*base, *span, *((dimension, value) for dimension, values in filters.items() for value in values)]
    projected = one["projected_usd"]
    return Card(
        name,
        whole,
        one["spent_usd"],
        one["used_ratio"],
        budget_bar(one["used_ratio"], None if projected is None else float(projected / whole)),
        counts_text(one),
        where_text(filters),
        projection(one),
        url("/spend", pairs),
        url("/budgets", [*base, ("edit", name)]),
        bool(one["configured"]),
    )


def counts_text(one: Row) -> str:
    """What counts: how much of the period is gone, or the last hours; by any one of something."""
    text = f"{fmt.ratio_text(one['elapsed_ratio'])} of the {one['period']} gone"
    if one["rolling_window"]:
        text = f"the last {one['rolling_window']}"
    return f"any one {one['per']} · {text}" if one["per"] else text


def where_text(filters: Mapping[str, Sequence[str]]) -> str:
    return " · ".join(f"{name} {', '.join(map(fmt.name_text, values))}" for name, values in filters.items())


def projection(one: Row) -> str | Markup:
    """Where a budget is heading, in a few words."""
    projected, odds = one["projected_usd"], one["probability_over"]
    if projected is None:
        return str(one.get("note") or "too little history for a projection")
    text = f"heading for {fmt.usd_text(projected)}"
    if one["remaining_usd"] < 0:
        text = f"over by {fmt.usd_text(-one['remaining_usd'])}, {text}"
    elif odds is not None:
        text += f", {fmt.ratio_text(odds)} odds of passing it"
    return Markup('<span class="warn-text">{}</span>').format(text) if projected > one["amount_usd"] else text


def table(view: View, found: Sequence[Row]) -> Table:
    columns = [
        Column("Budget", "name", "name"),
        Column("Period", "text", "period", desk_only=True),
        Column("Of", "text", "per", desk_only=True),
        Column("For", "text", "scope", desk_only=True),
        Column("Amount", "usd", "amount_usd"),
        Column("Spent", "usd", "spent_usd"),
        Column("Used", "ratio", "used_ratio"),
        Column("Projected", "usd", "projected_usd"),
        Column("Odds of passing", "ratio", "probability_over"),
    ]
    lines = []
    for one, shown in zip(found, cards(view, found), strict=True):
        lines.append(
            [
                Cell(shown.name, shown.edit_href),
                Cell(one["rolling_window"] or one["period"]),
                Cell(one["per"] or "all together"),
                Cell(shown.where or "everything"),
                Cell(shown.amount),
                Cell(shown.spent, shown.href),
                Cell(shown.ratio),
                Cell(one["projected_usd"]),
                Cell(one["probability_over"]),
            ]
        )
    return Table("budgets", "Budgets", columns, lines)


def form_values(one: Row | None) -> dict[str, Any]:
    """The form's fields, filled in from a budget that is being edited."""
    scope = clauses.clauses((one or {}).get("scope") or {})
    notify = (one or {}).get("notify") or []
    return {
        "name": (one or {}).get("name", ""),
        "amount_usd": exact(parts.money(one["amount_usd"])) if one else "",
        "period": (one or {}).get("period", "month"),
        "timezone": (one or {}).get("timezone", "UTC"),
        "per": (one or {}).get("per") or "",
        "window": (one or {}).get("rolling_window") or "",
        "notify": "\n".join(channel_text(channel) for channel in notify),
        "scope": scope,
        "dimensions": clauses.dimensions(scope),
    }


def typed_values(form: Mapping[str, str]) -> dict[str, Any]:
    """The form's fields as they were typed."""
    scope = clauses.typed_clauses(form)
    names = ("name", "amount_usd", "period", "timezone", "per", "window", "notify")
    return {"scope": scope, "dimensions": clauses.dimensions(scope)} | {
        name: form[name] for name in names if name in form
    }


def confirm(view: View) -> Page:
    """Ask before a budget is deleted."""
    name = view.get("name") or view.typed.get("name", "")
    if not any(one.name == name for one in budgets.all_budgets(view.ctx.store, (), view.scope.project)):
        raise HTTPException(404)
    base = [("project", view.scope.project)] if view.scope.project != "default" else []
    data = {
        "question": f"Delete the budget {fmt.name_text(name)}?",
        "consequence": "Its alerts end, and nobody is told any more when its spend is heading over. Calls stay.",
        "action": url("/budgets/delete", base),
        "fields": [("name", name)],
        "verb": "Delete",
        "back": url("/budgets", base),
    }
    return Page("confirm.html", "Delete a budget", "Is it no longer needed?", data)


def channel_lines(text: str) -> list[str]:
    """The channels that a form names, one in a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def save(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Create or change a budget from the form; answers with where to go next."""
    name = form.get("name", "").strip()
    whole = amount(form.get("amount_usd", ""))
    if not name or whole is None:
        raise BadRequest("a budget needs a name and an amount in USD")
    spec = {
        "amount_usd": whole,
        "scope": clauses.scope_of(form),
        "per": form.get("per", "").strip(),
        "timezone": form.get("timezone") or "UTC",
        "notify": channel_lines(form.get("notify", "")),
    }
    window = form.get("window", "").strip()
    spec |= {"window": window} if window else {"period": form.get("period") or "month"}
    with ctx.writing() as writer:
        budgets.put_budget(
            ctx.store,
            writer,
            request.state.project,
            name,
            spec,
            ctx.now(),
            configured(ctx),
            ctx.config["alerts"].channels,
            ctx.config["alerts"].guard,
        )
    ctx.workers.wake("alerts")
    return back(request)


def delete(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    with ctx.writing() as writer:
        budgets.delete_budget(
            ctx.store, writer, request.state.project, form.get("name", ""), configured(ctx), ctx.now()
        )
    return back(request)


def back(request: Request, path: str = "/budgets") -> str:
    project = request.state.project
    return path if project == "default" else f"{path}?project={quote(project)}"


FORMS = (("/budgets", save), ("/budgets/delete", delete))
