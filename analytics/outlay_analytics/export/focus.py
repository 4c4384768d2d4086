"""What was charged, as FOCUS: one row per charge period, who it was for, model, service tier and meter.

BilledCost, EffectiveCost and ContractedCost are the cost that Outlay computes at contracted prices, ListCost the same
at the provider's list; each adds up to `/spend` to the last digit. ContractedUnitPrice × PricingQuantity is
ContractedCost but for the rounding of each call's line to 12 decimals. Calls without a known cost have no row, as a
cost may not be null here: how many there are is said beside the file.

Read stretch by stretch, so that a month of any size needs the memory of some thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.export.focus_columns import VERSIONS, focus_columns
from outlay_analytics.export.meters import PER, Meter, meter
from outlay_analytics.export.rows import Export
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.model_facts import model_facts, seller
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Row, Store, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_analytics.export.sql"
PERIODS = {
    "hour": ("toStartOfHour(c.started_at, 'UTC')", timedelta(hours=1)),
    "day": ("toDateTime(toStartOfDay(c.started_at, 'UTC'), 'UTC')", timedelta(days=1)),
}
GROUPS_AT_ONCE = 10_000  # of some lines each
MAX_TAGS = 50
COMMITTED_TIERS = frozenset({"provisioned", "provisioned_throughput", "reserved", "ptu"})


@dataclass(frozen=True)
class Stretch:
    """Charge periods of one price list that are read together, in `parts` parts."""

    price_version: str
    start: datetime
    end: datetime
    parts: int


def focus(
    store: Store,
    book: PriceBook,
    writer: Writer,
    scope: Scope,
    *,
    period: str = "day",
    version: str = "1.2",
    tags: Sequence[str] = (),
) -> Export:
    """The charges of a scope.

    Args:
        store: Where the calls are.
        book: The prices they were priced with.
        writer: Looks up names of models before the rows are read; not used afterwards.
        scope: Window and filters.
        period: Length of a charge period, `hour` or `day`, in UTC.
        version: Of FOCUS: `1.2` or `1.4`.
        tags: Keys of the calls' tags that become tags of the rows: each combination of values has rows of its own.

    Raises:
        BadRequest: For a period, version or number of tags that there is none of.
    """
    if period not in PERIODS:
        raise BadRequest(f"interval must be one of {', '.join(PERIODS)}, not {period[:SHOWN]!r}")
    if version not in VERSIONS:
        raise BadRequest(f"focus must be one of {', '.join(VERSIONS)}, not {version[:SHOWN]!r}")
    if len(tags) > MAX_TAGS:
        raise BadRequest(f"at most {MAX_TAGS} tags at once, not {len(tags)}")
    begin, length = PERIODS[period]
    params: dict[str, Any] = {"project": scope.project, "tag_keys": list(tags)}
    filters = filter_sql(scope, "calls", params) or "1"
    window = {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    found = store.query(load_sql(SQL, "focus_periods", period=begin, filters=filters), {**params, **window})
    late = load_sql(SQL, "focus_late") if _has_closed(store, scope) else "0"
    source = load_sql(SQL, "focus_source", period=begin, filters=filters, late=late)
    stretches = list(_stretches(found, length))
    for listed in dict.fromkeys(one.price_version for one in stretches):
        every = {**params, **window, "price_version": listed, "part": 0, "parts": 1}
        book.prepare(writer, source, every, version=_listed(listed))

    def rows() -> Iterator[dict[str, Any]]:
        corrections = store.query(load_sql(SQL, "focus_corrections"), {"project": scope.project})
        dynamic = {version: _dynamic(store, version) for version in {one.price_version for one in stretches}}
        for stretch in stretches:
            sql = load_sql(
                SQL,
                "focus",
                priced=book.price_select(source, version=_listed(stretch.price_version), workings=True),
            )
            values = {
                **params,
                "price_version": stretch.price_version,
                "start": sql_instant(max(stretch.start, scope.window.start)),
                "end": sql_instant(min(stretch.end, scope.window.end)),
                "parts": stretch.parts,
            }
            at_times = dynamic[stretch.price_version]
            for part in range(stretch.parts):
                for row in store.query(sql, {**values, "part": part}):
                    charge = _charge(row, scope.project, stretch.price_version, length, tags, at_times)
                    is_late = "Correction" if row["late"] else None
                    yield charge | {"ChargeClass": is_late or _class(charge, stretch.price_version, corrections)}

    return Export(
        "focus",
        focus_columns(version),
        rows(),
        sum(row["calls"] for row in found),
        sum(row["priced_calls"] for row in found),
    )


def _stretches(periods: Sequence[Row], length: timedelta) -> Iterator[Stretch]:
    """Neighboring periods of one list together as long as they are small, a large one in parts."""
    held: list[Row] = []

    def together() -> Stretch:
        groups = sum(row["groups"] for row in held)
        first, last = held[0]["period"], held[-1]["period"]
        return Stretch(held[0]["price_version"], first, last + length, max(1, -(-groups // GROUPS_AT_ONCE)))

    for row in periods:
        if not row["charged"]:
            continue
        full = sum(one["groups"] for one in held) + row["groups"] > GROUPS_AT_ONCE
        if held and (full or held[0]["price_version"] != row["price_version"]):
            yield together()
            held = []
        held.append(row)
    if held:
        yield together()


def _listed(version: str) -> str:
    """A version that the price book takes; what was stored with another has no prices there."""
    return version if version.isalnum() and version.isascii() else "none"


def _has_closed(store: Store, scope: Scope) -> bool:
    """Whether the books of a month of the window were closed."""
    sql = "SELECT month FROM closed_months FINAL WHERE project = {project:String}"
    months = [row["month"] for row in store.query(sql, {"project": scope.project})]
    first, last = scope.window.start.date().replace(day=1), scope.window.end.date()
    return any(first <= month <= last for month in months)


def _dynamic(store: Store, version: str) -> set[int]:
    """The price rows of a list that hold at some hours of the week only."""
    sql = "SELECT row FROM prices WHERE price_version = {version:String} AND hours != ''"
    return {row["row"] for row in store.query(sql, {"version": version})}


def _class(charge: Row, version: str, corrections: Sequence[Row]) -> str | None:
    """`Correction` where the books of the period were closed, and a repricing since then set what it costs."""
    return next(
        (
            "Correction"
            for one in corrections
            if one["price_version"] == version
            and one["starts_at"] < charge["ChargePeriodEnd"]
            and charge["ChargePeriodStart"] < one["ends_at"]
        ),
        None,
    )


def _category(row: Row, dynamic: set[int]) -> str:
    """Of the price: by the hour of the week, for capacity that was committed to, or as anybody's."""
    if row["price_row"] in dynamic:
        return "Dynamic"
    return "Committed" if row["service_tier"] in COMMITTED_TIERS else "Standard"


def _charge(
    row: Row, project: str, version: str, length: timedelta, tags: Sequence[str], dynamic: set[int]
) -> dict[str, Any]:
    line = meter(row["line_name"])
    start: datetime = row["period"].astimezone(UTC)
    month = start.replace(day=1, hour=0)
    quantity = row["quantity"]
    cost, listed = row["cost_usd"], row["list_cost_usd"]
    seller_name, service = seller(row["provider"])
    facts = model_facts(row["model"])
    team, feature = row["team"] or None, row["feature"] or None
    unit = line.unit if quantity is not None else None
    return {
        **BLANK,
        "BilledCost": cost,
        "BillingAccountId": project,
        "BillingAccountName": project,
        "BillingAccountType": "Project",
        "BillingCurrency": "USD",
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=32)).replace(day=1),
        "ChargeCategory": "Usage",
        "ChargeDescription": _description(row, line),
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": start,
        "ChargePeriodEnd": start + length,
        "ConsumedQuantity": None if unit is None else Decimal(quantity),
        "ConsumedUnit": unit,
        "ContractedCost": cost,
        "ContractedUnitPrice": row["rate"],
        "EffectiveCost": cost,
        "HostProviderName": seller_name,
        "InvoiceIssuerName": seller_name,
        "ListCost": listed,
        "ListUnitPrice": row["list_rate"],
        "PricingCategory": _category(row, dynamic),
        "PricingCurrency": "USD",
        "PricingCurrencyContractedUnitPrice": row["rate"],
        "PricingCurrencyEffectiveCost": cost,
        "PricingCurrencyListUnitPrice": row["list_rate"],
        "PricingQuantity": None if unit is None else Decimal(quantity) / PER,
        "PricingUnit": line.pricing_unit if unit else None,
        "ProviderName": seller_name,
        "PublisherName": facts.developer or seller_name,
        "RegionId": row["region"] or None,
        "ResourceId": feature,
        "ResourceName": feature,
        "ResourceType": "LLM feature" if feature else None,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": service,
        "ServiceProviderName": seller_name,
        "ServiceSubcategory": "Generative AI",
        "SkuId": row["matched_model"] or row["model"] or None,
        "SkuMeter": line.name,
        "SkuPriceDetails": {
            "x_Model": row["model"],
            "x_ServiceTier": row["service_tier"] or "standard",
            "x_PriceVersion": version,
        },
        "SkuPriceId": price_id(version, row["price_row"], row["line_name"]) if row["price_row"] else None,
        "SubAccountId": team,
        "SubAccountName": team,
        "SubAccountType": "Team" if team else None,
        "Tags": _tags(row, tags),
        "x_Environment": row["environment"] or None,
        "x_Service": row["service"] or None,
        "x_Feature": feature,
        "x_Customer": row["customer"] or None,
        "x_ServiceTier": row["service_tier"] or None,
        "x_ModelDeveloper": facts.developer,
        "x_ModelFamily": facts.family,
        "x_ModelId": row["model"] or None,
        "x_ModelVersion": facts.version,
        "x_TokenDirection": line.direction,
        "x_CacheAction": line.cache_action,
        "x_InputTokens": quantity if line.direction == "Input" else 0,
        "x_OutputTokens": quantity if line.direction == "Output" else 0,
        "x_CacheReadTokens": quantity if line.cache_action == "Read" else 0,
        "x_CacheWriteTokens": quantity if line.cache_action == "Write" else 0,
        "x_Requests": row["requests"],
        "x_PriceVersion": version or None,
    }


BLANK = dict.fromkeys(name for version in VERSIONS for name in focus_columns(version))


def price_id(version: str, row: int, line: str) -> str:
    """What one price of a list is known by, in the charges and in the price sheet."""
    return f"{version}:{row:016x}:{line}"


def _description(row: Row, line: Meter) -> str:
    unit = "" if line.unit in (None, "Searches", "Requests") else f" {str(line.unit).lower()}"
    return f"{row['model'] or 'unknown model'} {line.name}{unit}, {row['service_tier'] or 'standard'} tier"


def _tags(row: Row, names: Sequence[str]) -> dict[str, str]:
    own = {f"outlay.{name}": row[name] for name in ("feature", "team", "customer")}
    own |= {"service.name": row["service"], "deployment.environment.name": row["environment"]}
    own |= dict(zip(names, row["tag_values"], strict=True))
    return {name: value for name, value in own.items() if value}
