"""Price lists for people: what is in them, what was believed on a day, what is missing, and how old they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.catalogue import source
from outlay_collector.prices.fees import with_fees
from outlay_collector.prices.source import calls_with
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import utc_now

SQL = "outlay_collector.prices.sql"
OLD_DAYS = 30
MAX_MISSING = 10_000
NOTHING_TO_HEAL = {"calls": 0} | dict.fromkeys(("usd", "models", "first_day", "last_day", "command"))


def list_prices(
    store: Store,
    *,
    provider: str = "",
    model: str = "",
    origin: str = "",
    at: datetime | None = None,
    as_of: datetime | None = None,
    version: str = "",
    limit: int = 100,
    offset: int = 0,
    now: datetime | None = None,
) -> dict[str, Any]:
    """The rows of a price list.

    Args:
        provider: Only this provider, by the price list's name.
        model: Only models whose name contains this.
        origin: Only rows from `catalogue`, `correction`, `overlay` or `discount`.
        at: Only the prices in force at this moment.
        as_of: The list as it was known at this moment instead of the newest: what did we believe on that day?
        version: This list instead of the newest.
        limit: Rows at most.
        offset: Rows to skip.
        now: The moment that the age of the catalogue is told at; the clock by default.

    Returns:
        `prices`, `price_version`, `known_since`, `catalogue`, `catalogue_checked`, `catalogue_age_days`,
        `next_offset` (None at the end). Without any list, or before the first was known, `prices` is empty and the rest
        None.
    """
    known = version_known(store, as_of, version)
    if known is None:
        keys = ("price_version", "known_since", "catalogue", "catalogue_checked", "catalogue_age_days", "next_offset")
        return {"prices": [], **dict.fromkeys(keys)}
    only = ["1"]
    params: dict[str, Any] = {
        "price_version": known["price_version"],
        "limit": limit + 1,
        "offset": offset,
        "model": model,
    }
    if provider:
        only.append("provider = {provider:String}")
        params["provider"] = provider
    if model:
        only.append("positionCaseInsensitive(model, {model:String}) > 0")
    if origin:
        only.append("origin = {origin:String}")
        params["origin"] = origin
    if at is not None:
        only.append("p.valid_from <= {at:DateTime64(6)} AND until > {at:DateTime64(6)}")
        params["at"] = at
    rows = store.query(load_sql(SQL, "prices_list", only=" AND ".join(only)), params)
    checked = known["catalogue_checked"]
    return {
        "prices": rows[:limit],
        **known,
        "catalogue_age_days": ((now or utc_now()).date() - checked).days,
        "next_offset": offset + limit if len(rows) > limit else None,
    }


def version_known(store: Store, as_of: datetime | None = None, version: str = "") -> dict[str, Any] | None:
    """The newest price list, or the newest that was known at `as_of`; with `version` that one."""
    rows = store.query(
        "SELECT price_version, min(v.known_since) AS known_since, any(v.catalogue) AS catalogue, "
        "any(v.catalogue_checked) AS catalogue_checked FROM price_versions AS v "
        "WHERE {version:String} IN ('', price_version) GROUP BY price_version "
        "HAVING known_since <= {as_of:DateTime64(3)} ORDER BY known_since DESC LIMIT 1",
        {"as_of": as_of or datetime(2299, 1, 1, tzinfo=UTC), "version": version},
    )
    return rows[0] if rows else None


def own_prices(store: Store, version: str) -> int:
    """How many models of a list have a price of the user's own."""
    own = "price_version = {version:String} AND origin = 'overlay'"
    rows = store.query(f"SELECT uniqExact(provider, model) AS n FROM prices WHERE {own}", {"version": version})
    return int(rows[0]["n"])


def missing_prices(
    store: Store, start: datetime, end: datetime, *, project: str = "default", limit: int = 100
) -> list[dict[str, Any]]:
    """Models of calls that have no price, with `reason` (`unknown_model`, `no_price_yet`, `part_without_price`), their
    calls and tokens, the weightiest first."""
    return store.query(
        load_sql(SQL, "prices_missing"), {"project": project, "start": start, "end": end, "limit": limit}
    )


def healable(book: PriceBook, writer: Writer, project: str = "default") -> dict[str, Any]:
    """The calls without a price that the newest list has a price for.

    Returns:
        `calls`, `usd` (what they would cost), `models` (up to 20), `first_day`, `last_day` and `command`, which prices
        them; None for the last five where there are none.
    """
    start, end = datetime(1970, 1, 2, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    version = book.ensure(writer)
    unpriced = writer.query(
        load_sql(SQL, "prices_missing"), {"project": project, "start": start, "end": end, "limit": MAX_MISSING}
    )
    names = [(row["provider"], row["request_model"], row["response_model"]) for row in unpriced]
    known = {name[1] for name in names if book.catalog.resolve(*name)}
    if not known:
        return dict(NOTHING_TO_HEAL)
    params = {"project": project, "start": start, "end": end, "known": sorted(known)}
    source_sql = (
        f"SELECT * FROM ({calls_with('model', 'reported_cost_usd')}) "
        "WHERE old_cost_state = 'unpriced' AND request_model IN {known:Array(String)}"
    )
    book.prepare(writer, source_sql, params, version=version)
    priced = with_fees(book.price_select(source_sql, version=version))
    row = writer.query(load_sql(SQL, "price_heal", priced=priced), params)[0]
    if not row["calls"]:
        return dict(NOTHING_TO_HEAL)
    apart = "" if project == "default" else f" --project {project}"
    after = row["last_day"] + timedelta(days=1)
    return {**row, "command": f"outlay reprice --start {row['first_day']} --end {after}{apart}"}


def catalogue_warning(store: Store, now: datetime | None = None) -> str | None:
    """A sentence when the price list is older than 30 days, None while it is fresh."""
    version = version_known(store)
    if version is None:
        return None
    days = ((now or utc_now()).date() - version["catalogue_checked"]).days
    if days <= OLD_DAYS:
        return None
    return f"the price list ({source()}) was last checked {days} days ago; update Outlay or genai-prices"
