"""Budgets and the alerts they raise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from outlay_analytics.alerting import budgets, listing, preview
from outlay_analytics.alerting import rules as alert_rules
from outlay_analytics.alerting.budget import Budget
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.trial import try_channels
from outlay_analytics.query.window import parse_instant
from outlay_web.api.paging import read_page, tie
from outlay_web.api.schema.parameters import DEFAULT_LIMIT, documented
from outlay_web.api.wire import answer, table
from outlay_web.http.context import Context
from outlay_web.http.encoding import columns
from outlay_web.http.errors import Problem
from outlay_web.http.parameters import Query, read_query
from outlay_web.http.schemas import AckBody, BudgetBody, PreviewBody, RuleBody, SilenceBody, TestBody

BUDGET_COLUMNS = columns(
    "name amount_usd period per rolling_window scope timezone notify configured spent_usd remaining_usd used_ratio "
    "elapsed_ratio projected_usd probability_over note"
)
ALERT_COLUMNS = columns(
    "id state severity rule title reason budget actual_usd expected_usd started_at fired_at resolved_at "
    "acknowledged_at silenced_until"
)
PLAIN = documented(window=False, filters=False)
LISTED = ("limit", "cursor", "format")
TAGS: list[str | Enum] = ["budgets and alerts"]


def add_routes(routes: APIRouter, ctx: Context) -> None:
    _add_budgets(routes, ctx)
    _add_rules(routes, ctx)
    _add_alerts(routes, ctx)


def _add_rules(routes: APIRouter, ctx: Context) -> None:
    configured: Sequence[alert_rules.AlertRule] = ctx.config.get("rules", ())
    settings: AlertSettings = ctx.config["alerts"]

    @routes.get("/rules", openapi_extra=PLAIN, tags=TAGS)
    def get_rules(request: Request) -> Response:
        """Every rule that watches something else than a budget."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        found = alert_rules.all_rules(ctx.store, configured, project)
        failing = listing.failing_rules(ctx.store, project)
        return answer({"rules": [alert_rules.describe(rule, failing.get(rule.name)) for rule in found]})

    @routes.put("/rules/{name}", openapi_extra=PLAIN, tags=TAGS)
    def put_rule(request: Request, name: str, body: RuleBody) -> Response:
        """Create or replace a rule."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        given = body.model_dump(exclude_unset=True)
        with ctx.writing() as writer:
            made = alert_rules.put_rule(
                ctx.store, writer, project, name, given, ctx.now(), configured, settings.channels, settings.guard
            )
        ctx.workers.wake("alerts")
        return answer(alert_rules.describe(made))

    @routes.delete("/rules/{name}", status_code=204, openapi_extra=PLAIN, tags=TAGS)
    def delete_rule(request: Request, name: str) -> Response:
        """Delete a rule."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            if not alert_rules.delete_rule(ctx.store, writer, project, name, ctx.now(), configured):
                raise Problem(404, f"no rule {name[:80]!r}")
        return Response(status_code=204)

    @routes.post("/alerts/preview", openapi_extra=PLAIN, tags=TAGS)
    def preview_rule(request: Request, body: PreviewBody) -> Response:
        """What a rule would have fired in the last 60 days; nothing is kept and nobody is told."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        given = body.model_dump(exclude_unset=True)
        name = given.pop("name", "preview")
        known = alert_rules.all_rules(ctx.store, configured, project, name)
        kept = known[0].notify if known else ()
        rule = alert_rules.read_rule(name, given, project=project, channels=settings.channels, kept=kept)
        return answer(preview.preview(ctx.store, rule, ctx.now(), ctx.config.get("budgets", ()), settings))


def _add_budgets(routes: APIRouter, ctx: Context) -> None:
    configured: Sequence[Budget] = ctx.config.get("budgets", ())

    @routes.get("/budgets", openapi_extra=documented(*LISTED, window=False, filters=False), tags=TAGS)
    def get_budgets(request: Request) -> Response:
        """Every budget and how it stands, the most used first."""
        query = read_query(ctx, request, LISTED, filters=False, window=False)
        page = read_page(query, "budgets", "nt", (ctx.now(),))
        listed = budgets.list_budgets(ctx.store, query.scope.project, page.held[0], configured, ctx.holidays)
        found = page.cut({"budgets": listed}, "budgets", lambda one: (-one["used_ratio"], tie(one["name"])))
        return table(query, found, "budgets", BUDGET_COLUMNS)

    @routes.get("/budgets/{name}", openapi_extra=PLAIN, tags=TAGS)
    def get_budget(request: Request, name: str) -> Response:
        """One budget and how it stands."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        found = budgets.get_budget(ctx.store, project, name, ctx.now(), configured, ctx.holidays)
        return answer(_found(found, f"no budget {name[:80]!r}"))

    @routes.put("/budgets/{name}", openapi_extra=PLAIN, tags=TAGS)
    def put_budget(request: Request, name: str, body: BudgetBody) -> Response:
        """Create or replace a budget."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        given = body.model_dump(exclude_unset=True)
        rules: AlertSettings = ctx.config["alerts"]
        with ctx.writing() as writer:
            made = budgets.put_budget(
                ctx.store,
                writer,
                project,
                name,
                given,
                ctx.now(),
                configured,
                rules.channels,
                rules.guard,
                ctx.holidays,
            )
        ctx.workers.wake("alerts")
        return answer(made)

    @routes.delete("/budgets/{name}", status_code=204, openapi_extra=PLAIN, tags=TAGS)
    def delete_budget(request: Request, name: str) -> Response:
        """Delete a budget."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        with ctx.writing() as writer:
            if not budgets.delete_budget(ctx.store, writer, project, name, configured, ctx.now()):
                raise Problem(404, f"no budget {name[:80]!r}")
        return Response(status_code=204)


def _add_alerts(routes: APIRouter, ctx: Context) -> None:
    settings: AlertSettings = ctx.config["alerts"]

    @routes.get("/alerts", openapi_extra=documented("state", *LISTED, window=False, filters=False), tags=TAGS)
    def get_alerts(request: Request) -> Response:
        """Alerts: those that are open first, then the newest."""
        query = read_query(ctx, request, ("state", *LISTED), filters=False, window=False)
        state = query.get("state") or None
        page = read_page(query, f"alerts {state or ''}", "nnt", default=DEFAULT_LIMIT)
        listed = listing.list_alerts(ctx.store, query.scope.project, ctx.now(), state)
        found = page.cut({"alerts": listed}, "alerts", lambda one: (*listing.order(one), one["id"]))
        return table(query, found, "alerts", ALERT_COLUMNS)

    @routes.post("/alerts/test", openapi_extra=PLAIN, tags=TAGS)
    def test_alerts(request: Request, body: TestBody | None = None) -> Response:
        """Send a test message to the given channels, or to those of outlay.toml."""
        project = read_query(ctx, request, filters=False, window=False).scope.project
        notify = (body.notify if body is not None else None) or settings.notify
        if not notify:
            raise Problem(400, "no channel to test: give notify, or set it in [alerts] of outlay.toml")
        rules = replace(settings, public_url=ctx.settings.public_url or str(request.base_url).rstrip("/"))
        found = try_channels(project, ctx.now(), rules, notify)
        return answer({"deliveries": found})

    @routes.post("/alerts/{alert_id}/ack", openapi_extra=PLAIN, tags=TAGS)
    def acknowledge(request: Request, alert_id: str, body: AckBody | None = None) -> Response:
        """Somebody is on it: no more repeats of this occurrence."""
        query, by = _asked(ctx, request, body.by if body is not None else "")
        with ctx.writing() as writer:
            found = listing.acknowledge(ctx.store, writer, query.scope.project, alert_id, ctx.now(), by)
        return answer(_found(found, f"no alert {alert_id[:80]!r}"))

    @routes.post("/alerts/{alert_id}/silence", openapi_extra=PLAIN, tags=TAGS)
    def silence(request: Request, alert_id: str, body: SilenceBody | None = None) -> Response:
        """Say nothing about what this alert watches until then, by default for a day."""
        given = body or SilenceBody()
        query, by = _asked(ctx, request, given.by)
        until = parse_instant("until", given.until, ctx.now()) if given.until else None
        project = query.scope.project
        with ctx.writing() as writer:
            found = listing.silence(ctx.store, writer, project, alert_id, ctx.now(), until, by, given.comment)
        return answer(_found(found, f"no alert {alert_id[:80]!r}"))


def _asked(ctx: Context, request: Request, by: str) -> tuple[Query, str]:
    """The query, and who asks: as they say, else by their key."""
    return read_query(ctx, request, filters=False, window=False), by or request.state.principal.prefix


def _found(value: dict[str, Any] | None, message: str) -> dict[str, Any]:
    if value is None:
        raise Problem(404, message)
    return value
