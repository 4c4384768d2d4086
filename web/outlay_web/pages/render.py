"""From a page's data to its HTML, with what every page shows: navigation, window, filters, or how to begin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from outlay_web import format as fmt
from outlay_web.charts import sparkline, swatch
from outlay_web.pages.assets import asset_url
from outlay_web.pages.parts import Page
from outlay_web.pages.view import GROUPS, View
from outlay_web.services.status import gaps


@dataclass(frozen=True)
class Item:
    """An entry of the navigation."""

    label: str
    path: str
    icon: str
    badge: str = ""
    badge_hint: str = ""


NAVIGATION = (
    (Item("Overview", "/", "overview"),),
    (
        Item("Spend", "/spend", "spend"),
        Item("Explain", "/explain", "explain"),
        Item("Unit costs", "/unit-costs", "unit-costs"),
        Item("Forecast", "/forecast", "forecast"),
    ),
    (
        Item("Quality", "/quality", "quality"),
        Item("Trade-off", "/tradeoff", "tradeoff"),
        Item("Routing", "/routing", "routing"),
        Item("Decide", "/decide", "decide"),
        Item("Experiments", "/experiments", "experiments"),
        Item("Prompts", "/prompts", "prompts"),
        Item("Caching", "/caching", "caching"),
        Item("Cascades", "/cascades", "cascades"),
        Item("What if", "/simulate", "simulate"),
    ),
    (
        Item("Incidents", "/incidents", "incidents"),
        Item("Alerts", "/alerts", "alerts"),
        Item("Budgets", "/budgets", "budgets"),
        Item("Rules", "/rules", "rules"),
    ),
    (
        Item("Calls", "/calls", "calls"),
        Item("Prices", "/prices", "prices"),
        Item("Reconcile", "/reconcile", "reconcile"),
        Item("Settings", "/settings", "settings"),
    ),
)

SECTIONS = {"traces": "calls"}  # where a page stands that is no entry itself


@cache
def environment() -> Environment:
    """The templates: everything escaped, a name that is not there is an error."""
    env = Environment(
        loader=PackageLoader("outlay_web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    env.filters.update(fmt.FILTERS)
    env.globals.update(asset=asset_url, swatch=swatch, sparkline=sparkline, navigation=NAVIGATION)
    return env


def page_response(view: View, page: Page) -> Response:
    """The page as HTML, or one of its tables as CSV where the URL asks for it."""
    wanted = view.get("csv")
    if wanted:
        return csv_response(page, wanted)
    context: dict[str, Any] = {
        "view": view,
        "page": page,
        "section": "/" + SECTIONS.get(view.path.split("/")[1], view.path.split("/")[1]),
        "dimensions": GROUPS,
        "endpoint": view.base_url,
        "has_data": page.empty and view.first_call is not None,
        "figures_lack": gaps(view.ctx, view.scope.project),
        "version": view.ctx.version,
        "signed_in": view.ctx.authenticator.login_on,
        **page.data,
    }
    return HTMLResponse(environment().get_template(page.template).render(context), page.status)


def csv_response(page: Page, name: str) -> Response:
    """A table of the page as a file to download."""
    table = page.tables().get(name)
    if table is None:
        return Response(f"this page has no table {name[:80]!r}\n", 404, media_type="text/plain")
    headers = {
        "content-disposition": f'attachment; filename="outlay-{table.name}.csv"',
        "x-content-type-options": "nosniff",
    }
    return Response(table.csv(), headers=headers, media_type="text/csv")
