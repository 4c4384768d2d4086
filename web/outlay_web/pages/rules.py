"""/rules: what else is watched than budgets, a form to set it, and what it would have fired in the last 60 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from outlay_analytics.alerting import rules as alert_rules
from outlay_analytics.alerting.preview import preview
from outlay_analytics.alerting.rules import KINDS, AlertRule
from outlay_analytics.query.text import exact
from outlay_analytics.query.window import BadRequest
from outlay_web.charts import Cell, Column, Table
from outlay_web.http.context import Context
from outlay_web.pages.budgets import back, where_text
from outlay_web.pages.parts import Page
from outlay_web.pages.view import GROUPS, View

FIELDS = ("kind", "threshold", "window", "per", "budget", "severity", "where", "is", "notify")
ALLOWED = ("name", *FIELDS)
WINDOWS = ("1h", "6h", "24h", "7d", "30d")
PER = ("user", "customer", "session", "team", "feature")


def page(view: View) -> Page:
    found = alert_rules.all_rules(view.ctx.store, configured(view.ctx), view.scope.project)
    typed: Mapping[str, str] = view.typed if view.problem else {name: view.get(name) for name in ALLOWED}
    looked, wrong = None, ""
    if typed.get("kind") and not view.problem:
        try:
            rule = alert_rules.read_rule(typed.get("name") or "preview", body_of(typed), project=view.scope.project)
            looked = preview(view.ctx.store, rule, view.now, view.ctx.config.get("budgets", ()))
        except BadRequest as exc:
            wrong = str(exc)
    data: dict[str, Any] = {
        "table": rules_table(view, found) if found else None,
        "rules": [rule.name for rule in found if not rule.configured],
        "form": {name: typed.get(name, "") for name in ALLOWED} | {"window": typed.get("window") or "24h"},
        "kinds": [(kind, f"{kind}: {words} ({unit})") for kind, (words, unit) in KINDS.items()],
        "windows": WINDOWS,
        "per": PER,
        "dimensions": GROUPS,
        "looked": looked,
        "wrong": wrong,
        "fired": fired_table(view, looked["fired"]) if looked and looked["fired"] else None,
        "project": view.scope.project,
    }
    return Page("rules.html", "Rules", "What else should somebody hear of?", data)


def configured(ctx: Context) -> Sequence[AlertRule]:
    """Rules of outlay.toml."""
    found: Sequence[AlertRule] = ctx.config.get("rules", ())
    return found


def body_of(form: Mapping[str, str]) -> dict[str, Any]:
    """A rule's fields as the form has them."""
    where, values = form.get("where", ""), form.get("is", "")
    chosen = [value.strip() for value in values.split(",") if value.strip()]
    body: dict[str, Any] = {
        "kind": form.get("kind", ""),
        "threshold": form.get("threshold", "").strip(),
        "window": form.get("window") or "24h",
        "severity": form.get("severity") or "warning",
        "scope": {where: chosen} if where and chosen else {},
        "notify": [line.strip() for line in form.get("notify", "").splitlines() if line.strip()],
    }
    return body | {name: form[name].strip() for name in ("per", "budget") if form.get(name)}


def rules_table(view: View, found: Sequence[AlertRule]) -> Table:
    columns = [
        Column("Rule", "text", "name"),
        Column("Watches", "text", "kind"),
        Column("From", "text", "threshold"),
        Column("Window", "text", "window"),
        Column("For", "text", "scope"),
        Column("Severity", "text", "severity"),
    ]
    rows = []
    for rule in found:
        where = next(iter(rule.scope), "")
        address = view.here(
            name=rule.name,
            kind=rule.kind,
            threshold=exact(rule.threshold),
            window=f"{rule.window_hours}h",
            per=rule.per or None,
            budget=rule.budget or None,
            severity=rule.severity,
            where=where or None,
            **{"is": ", ".join(rule.scope[where]) if where else None},
        )
        about = KINDS[rule.kind][0] + (f": {rule.per or rule.budget}" if rule.per or rule.budget else "")
        rows.append(
            [
                Cell(rule.name, address),
                Cell(about),
                Cell(f"{exact(rule.threshold)} {rule.unit}"),
                Cell(f"{rule.window_hours} h"),
                Cell(where_text(rule.scope) or "everything"),
                Cell(rule.severity),
            ]
        )
    return Table("rules", "Rules", columns, rows)


def fired_table(view: View, fired: Sequence[Mapping[str, Any]]) -> Table:
    columns = [Column("From", "time", "started_at"), Column("To", "time", "ended_at"), Column("Why", "text", "reason")]
    rows = [[Cell(one["started_at"]), Cell(one["ended_at"]), Cell(one["reason"])] for one in fired]
    return Table("fired", "Would have fired", columns, rows, timezone=view.timezone)


def save(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Keep a rule from the form; answers with where to go next."""
    name = form.get("name", "").strip()
    if not name:
        raise BadRequest("a rule needs a name")
    settings = ctx.config["alerts"]
    with ctx.writing() as writer:
        alert_rules.put_rule(
            ctx.store,
            writer,
            request.state.project,
            name,
            body_of(form),
            ctx.now(),
            configured(ctx),
            settings.channels,
            settings.guard,
        )
    ctx.workers.wake("alerts")
    return back(request, "/rules")


def delete(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    with ctx.writing() as writer:
        alert_rules.delete_rule(
            ctx.store, writer, request.state.project, form.get("name", ""), ctx.now(), configured(ctx)
        )
    return back(request, "/rules")


FORMS = (("/rules", save), ("/rules/delete", delete))
