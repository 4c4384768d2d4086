"""/prices: what calls are priced with, where each price is from, and what has none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import parse_instant
from outlay_collector.prices import lists, months, reprice, witness
from outlay_web import format as fmt
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.prices_tables import missing_table, month_table, price_table, reported_table, repricing_table
from outlay_web.pages.view import View

ALLOWED = ("provider", "model", "origin", "dates", "at", "as_of", "cursor")
QUESTION = "What does a token cost, since when, and who says so?"
SHOWN = 60
DATES = (("now", "in force now"), ("ever", "of all dates"))
ORIGINS = (
    ("overlay", "your own prices"),
    ("discount", "your discounts"),
    ("correction", "corrections"),
    ("catalogue", "the catalogue"),
)


def page(view: View) -> Page:
    store, project = view.ctx.store, view.scope.project
    moments = {name: parse_instant(name, view.get(name), view.now) for name in ("at", "as_of") if view.get(name)}
    dates = view.choice("dates", dict(DATES), "ever" if view.get("model") else "now")
    at = moments.get("at") or (view.now if dates == "now" else None)
    origin = view.get("origin")
    if origin and origin not in dict(ORIGINS):
        raise BadRequest(f"origin must be one of {', '.join(dict(ORIGINS))}, not {origin[:80]!r}")
    offset = view.query.integer("cursor", 0, 0, 10_000_000)
    listed = lists.list_prices(
        store,
        provider=view.get("provider"),
        model=view.get("model"),
        origin=origin,
        at=at,
        as_of=moments.get("as_of"),
        limit=SHOWN,
        offset=offset,
    )
    window = view.scope.window
    missing = lists.missing_prices(store, window.start, window.end, project=project)
    reported = witness.disagreements(store, window.start, window.end, project=project)
    with view.ctx.pricing() as writer:
        heals = lists.healable(view.ctx.prices, writer, project)
    repricings = reprice.repricings(store, project)
    closed = months.closed_months(store, project)
    after = listed["next_offset"]
    data = {
        "warning": lists.catalogue_warning(store, view.now),
        "tiles": tiles(view, listed, missing),
        "heals": heals if heals["calls"] else None,
        "table": price_table(view, listed["prices"], at),
        "has_rows": bool(listed["prices"]),
        "missing": missing_table(view, missing) if missing else None,
        "reported": reported_table(view, reported) if reported else None,
        "repricings": repricing_table(view, repricings) if repricings else None,
        "months": month_table(view, closed) if closed else None,
        "next_href": view.here(cursor=str(after)) if after is not None else None,
        "first_href": view.here(cursor=None) if offset else None,
        "dates": dates,
        "date_options": DATES,
        "origin": origin,
        "origin_options": ORIGINS,
        "providers": providers(store, listed),
    }
    return Page("prices.html", "Prices", QUESTION, data)


def providers(store: Any, listed: Row) -> list[str]:
    if not listed["price_version"]:
        return []
    sql = "SELECT DISTINCT provider FROM prices WHERE price_version = {version:String} ORDER BY provider"
    return [str(row["provider"]) for row in store.query(sql, {"version": listed["price_version"]})]


def tiles(view: View, listed: Row, missing: Sequence[Row]) -> list[Tile]:
    age = listed["catalogue_age_days"]
    old = age is not None and age > lists.OLD_DAYS
    own = lists.own_prices(view.ctx.store, listed["price_version"] or "")
    unpriced = sum(row["calls"] for row in missing)
    known = listed["known_since"]
    return [
        Tile(
            "Catalogue",
            "unknown" if age is None else "today" if age == 0 else f"{fmt.plural(age, 'day')} old",
            None,
            f"{listed['catalogue'] or 'no list'}, with corrections",
            tone="warn" if old else "",
        ),
        Tile(
            "Price list",
            str(listed["price_version"] or "none"),
            None,
            f"known here since {fmt.instant_text(known, view.timezone)}" if known else "",
        ),
        Tile(
            "Your own prices",
            fmt.count(own),
            view.here(origin="overlay" if own else None),
            "contracts and self-hosted models; from outlay.toml or PUT /api/v1/prices",
        ),
        Tile(
            "Calls without a price",
            fmt.count(unpriced),
            "#missing" if missing else None,
            "in the last 30 days",
            tone="warn" if unpriced else "",
        ),
    ]
