"""Which address shows which page, and the forms that change something.

Requests that change something are POST and pass the check of origin in `outlay_web.http.security` before they get here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from outlay.errors import ConfigError
from outlay_analytics.notify.guarded_http import RefusedAddress
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.reconcile.bill import BadBill
from outlay_web.http.context import Context
from outlay_web.http.errors import describe
from outlay_web.http.forms import Form, Upload, read_form, read_upload
from outlay_web.pages import (
    alerts,
    budgets,
    caching,
    calls,
    cascades,
    channels,
    decide,
    experiments,
    explain,
    forecast,
    incident_list,
    incidents,
    overview,
    prices,
    prompts,
    quality,
    reconcile,
    reconcile_bills,
    routing,
    rules,
    settings,
    simulate,
    spend,
    traces,
    tradeoff,
    unit_costs,
)
from outlay_web.pages.address import canonical
from outlay_web.pages.assets import serve
from outlay_web.pages.colors import Colors
from outlay_web.pages.parts import Page
from outlay_web.pages.render import page_response
from outlay_web.pages.view import View, read_view


@dataclass(frozen=True)
class Route:
    """A page: its address, what makes it, the parameters it knows beside window and filters."""

    path: str
    make: Callable[[View], Page]
    allowed: Collection[str] = ()
    default_days: int = 30


PAGES = (
    Route("/", overview.page, overview.ALLOWED),
    Route("/spend", spend.page, spend.ALLOWED),
    Route("/explain", explain.page, explain.ALLOWED, 7),
    Route("/unit-costs", unit_costs.page, unit_costs.ALLOWED),
    Route("/quality", quality.page, quality.ALLOWED),
    Route("/tradeoff", tradeoff.page, tradeoff.ALLOWED),
    Route("/routing", routing.page, routing.ALLOWED),
    Route("/decide", decide.page, decide.ALLOWED),
    Route("/experiments", experiments.page, experiments.ALLOWED),
    Route("/prompts", prompts.page, prompts.ALLOWED),
    Route("/caching", caching.page, caching.ALLOWED),
    Route("/cascades", cascades.page, cascades.ALLOWED),
    Route("/simulate", simulate.page, simulate.ALLOWED),
    Route("/forecast", forecast.page, forecast.ALLOWED),
    Route("/budgets", budgets.page, budgets.ALLOWED),
    Route("/budgets/delete", budgets.confirm, ("name",)),
    Route("/rules", rules.page, rules.ALLOWED),
    Route("/alerts", alerts.page, alerts.ALLOWED),
    Route("/incidents", incident_list.page, incident_list.ALLOWED),
    Route("/incidents/{incident_id}", incidents.page),
    Route("/calls", calls.page, calls.ALLOWED),
    Route("/traces/{trace_id}", traces.page, traces.ALLOWED),
    Route("/prices", prices.page, prices.ALLOWED),
    Route("/reconcile", reconcile.page, reconcile.ALLOWED),
    Route("/settings", settings.page, settings.ALLOWED),
)


Reader = Callable[..., View]
REFUSALS = (BadRequest, ConfigError, RefusedAddress)


def router(ctx: Context) -> APIRouter:
    """All pages of one program."""
    made = APIRouter(include_in_schema=False)
    read = _reader(ctx)
    for route in PAGES:
        made.add_api_route(route.path, _show(read, route), methods=["GET", "HEAD"])

    def static(request: Request, name: str) -> Response:
        found = serve(request, name)
        if found is None:
            raise HTTPException(404)
        return found

    def favicon(request: Request) -> Response:
        return static(request, "icon.svg")

    made.add_api_route("/static/{name}", static, methods=["GET", "HEAD"])
    made.add_api_route("/favicon.ico", favicon, methods=["GET", "HEAD"])
    for path, change in (*budgets.FORMS, *alerts.FORMS, *incidents.FORMS, *rules.FORMS, *reconcile_bills.FORMS):
        made.add_api_route(path, _change(ctx, read, path, change), methods=["POST"])
    for path, act in (*channels.SHOWN, *rules.SHOWN):
        made.add_api_route(path, _answer(ctx, read, path, act), methods=["POST"])
    made.add_api_route("/reconcile", _upload(ctx, read), methods=["POST"])
    return made


def _reader(ctx: Context) -> Reader:
    """`read_view` for one program, whose pages agree on which color a name has."""
    colors = Colors()

    def read(request: Request, allowed: Collection[str], default_days: int = 30) -> View:
        return replace(read_view(ctx, request, allowed, default_days), colors=colors)

    return read


def _show(read: Reader, route: Route) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        better = canonical(request)
        if better is not None:
            return RedirectResponse(better, 303)
        view = read(request, route.allowed, route.default_days)
        with one_look():
            return page_response(view, route.make(view))

    return show


def _change(
    ctx: Context, read: Reader, path: str, change: Callable[[Context, Request, Form], str]
) -> Callable[..., Response]:
    """A form: done and on to the next page, or refused on the page that it came from, with what was typed."""

    def post(request: Request, form: Form = Depends(read_form)) -> Response:  # noqa: B008
        try:
            return RedirectResponse(change(ctx, request, form), 303)
        except REFUSALS as exc:
            return _again(read, request, path, form, exc)

    return post


def _answer(
    ctx: Context, read: Reader, path: str, act: Callable[[Context, Request, Form], str]
) -> Callable[..., Response]:
    """A form whose answer stands on the page that it came from: what came of it, and what was typed."""

    def post(request: Request, form: Form = Depends(read_form)) -> Response:  # noqa: B008
        try:
            said = act(ctx, request, form)
        except REFUSALS as exc:
            return _again(read, request, path, form, exc)
        return _again(read, request, path, form, said=said)

    return post


def _again(
    read: Reader, request: Request, path: str, form: Form, refused: Exception | None = None, said: str = ""
) -> Response:
    """The page that a form came from, with what was typed; refused where there is a reason."""
    route = max((route for route in PAGES if path.startswith(route.path)), key=lambda route: len(route.path))
    view = read(request, route.allowed, route.default_days)
    shown = route.path.format(**request.path_params)
    view = replace(view, path=shown, typed=form, problem="" if refused is None else str(refused), said=said)
    with one_look():
        page = route.make(view)
    return page_response(view, page if refused is None else replace(page, status=describe(refused).status))


def _upload(ctx: Context, read: Reader) -> Callable[..., Response]:
    """A bill: shown at once, or refused on the page that it came from."""

    def post(request: Request, sent: Upload = Depends(read_upload)) -> Response:  # noqa: B008
        try:
            return RedirectResponse(reconcile_bills.upload(ctx, request, sent), 303)
        except BadBill as exc:
            view = read(request, reconcile.ALLOWED)
            return page_response(view, reconcile.page(view, str(exc)))

    return post
