"""/rules: what else is watched than budgets, a form to set it, and what it would have fired in the last 60 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from outlay_analytics.alerting import rules as alert_rules
from outlay_analytics.alerting.kinds import KINDS
from outlay_analytics.alerting.listing import failing_rules
from outlay_analytics.alerting.preview import preview
from outlay_analytics.alerting.rules import AlertRule
from outlay_analytics.notify.guarded_http import RefusedAddress
from outlay_analytics.notify.masks import channel_text
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.text import exact
from outlay_web.charts import Cell, Column, Table
from outlay_web.http.context import Context
from outlay_web.pages import clauses
from outlay_web.pages.budgets import PER, back, channel_lines, where_text
from outlay_web.pages.parts import Page
from outlay_web.pages.view import View

ALLOWED = ("edit",)
FIELDS = ("name", "kind", "threshold", "window", "per", "budget", "severity", "notify")
WINDOWS = ("1h", "6h", "24h", "7d", "30d")


def page(view: View) -> Page:
    found = alert_rules.all_rules(view.ctx.store, configured(view.ctx), view.scope.project)
    chosen = next((rule for rule in found if rule.name == view.get("edit") and not rule.configured), None)
    looked, wrong = tried(view)
    form = typed_values(view.typed) if view.typed else form_values(chosen)
    data: dict[str, Any] = {
        "table": rules_table(view, found) if found else None,
        "rules": [rule.name for rule in found if not rule.configured],
        "form": form,
        "editing": any(rule.name == form["name"] and not rule.configured for rule in found),
        "kinds": [(kind, f"{words} ({unit})") for kind, (words, unit) in KINDS.items()],
        "windows": WINDOWS,
        "per": [*PER, *({form["per"]} - {"", *PER})],
        "looked": looked,
        "failing": failing_rules(view.ctx.store, view.scope.project),
        "wrong": wrong,
        "fired": fired_table(view, looked["fired"]) if looked and looked["fired"] else None,
        "project": view.scope.project,
        "back": back_to(view),
    }
    return Page("rules.html", "Rules", "What else should somebody hear of?", data, status=400 if wrong else 200)


def tried(view: View) -> tuple[dict[str, Any] | None, str]:
    """What the rule that was typed would have fired, or why it is none."""
    if view.problem or not view.typed.get("kind"):
        return None, ""
    ctx, project, name = view.ctx, view.scope.project, view.typed.get("name", "").strip() or "preview"
    try:
        rule = alert_rules.read_rule(
            name,
            body_of(view.typed),
            project=project,
            channels=ctx.config["alerts"].channels,
            kept=next((one.notify for one in alert_rules.all_rules(ctx.store, (), project, name)), ()),
            guard=ctx.config["alerts"].guard,
        )
        found = preview(ctx.store, rule, view.now, ctx.config.get("budgets", ()), ctx.config["alerts"])
        told = [one["channel"] for one in found["channels"] if one["takes"]]
        passed = [one["channel"] for one in found["channels"] if not one["takes"]]
        return found | {"told": told, "passed": passed}, ""
    except (BadRequest, RefusedAddress) as exc:
        return None, str(exc)


def back_to(view: View) -> str:
    return view.to("/rules", start=None, end=None)


def form_values(rule: AlertRule | None) -> dict[str, Any]:
    """The form's fields, filled in from a rule that is being edited."""
    if rule is None:
        return typed_values({})
    shown = alert_rules.describe(rule)
    texts = {name: shown[name] or "" for name in FIELDS if name not in ("threshold", "notify")}
    scope = clauses.clauses(rule.scope)
    return texts | {
        "threshold": exact(rule.threshold),
        "notify": "\n".join(channel_text(channel) for channel in shown["notify"]),
        "scope": scope,
        "dimensions": clauses.dimensions(scope),
    }


def typed_values(form: Mapping[str, str]) -> dict[str, Any]:
    """The form's fields as they were typed."""
    scope = clauses.typed_clauses(form)
    texts = {name: form.get(name, "") for name in FIELDS} | {"window": form.get("window") or "24h"}
    return texts | {"scope": scope, "dimensions": clauses.dimensions(scope)}


def configured(ctx: Context) -> Sequence[AlertRule]:
    """Rules of outlay.toml."""
    found: Sequence[AlertRule] = ctx.config.get("rules", ())
    return found


def body_of(form: Mapping[str, str]) -> dict[str, Any]:
    """A rule's fields as the form has them."""
    body: dict[str, Any] = {
        "kind": form.get("kind", ""),
        "threshold": form.get("threshold", "").strip(),
        "severity": form.get("severity") or "warning",
        "scope": clauses.scope_of(form),
        "notify": channel_lines(form.get("notify", "")),
    }
    if body["kind"] != "budget_share":  # a budget has its own period
        body["window"] = form.get("window") or "24h"
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
        about = KINDS[rule.kind][0] + (f": {rule.per or rule.budget}" if rule.per or rule.budget else "")
        rows.append(
            [
                Cell(rule.name, None if rule.configured else view.here(edit=rule.name) + "#form"),
                Cell(about),
                Cell(f"{exact(rule.threshold)} {rule.unit}"),
                Cell("its period" if rule.budget else f"{rule.window_hours} h"),
                Cell(where_text(rule.scope) or "everything"),
                Cell(rule.severity),
            ]
        )
    return Table("rules", "Rules", columns, rows)


def fired_table(view: View, fired: Sequence[Mapping[str, Any]]) -> Table:
    columns = [
        Column("From", "time", "started_at"),
        Column("To", "time", "ended_at", desk_only=True),
        Column("Why", "words", "reason"),
    ]
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


def look(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Show what the rule that was typed would have fired: nothing is kept, and its channels stay out of addresses."""
    return ""


FORMS = (("/rules", save), ("/rules/delete", delete))
SHOWN = (("/rules/preview", look),)
