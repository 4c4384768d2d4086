"""The price list as a price sheet: one row per price and meter, known by the SkuPriceId that charges carry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outlay_analytics.export.focus import price_id
from outlay_analytics.export.meters import meter
from outlay_analytics.export.rows import Export, Kind
from outlay_analytics.query.model_facts import model_facts, seller
from outlay_collector.prices.lists import version_known
from outlay_collector.store import Row, Store, load_sql

COLUMNS: dict[str, Kind] = {
    "SkuId": "text",
    "SkuPriceId": "text",
    "SkuMeter": "text",
    "ProviderName": "text",
    "PublisherName": "text",
    "ServiceName": "text",
    "PricingCategory": "text",
    "PricingUnit": "text",
    "PricingCurrency": "text",
    "ListUnitPrice": "decimal",
    "ContractedUnitPrice": "decimal",
    "x_ModelId": "text",
    "x_ServiceTier": "text",
    "x_MinInputTokens": "count",
    "x_Hours": "text",
    "x_ValidFrom": "instant",
    "x_ValidUntil": "instant",
    "x_Origin": "text",
    "x_Source": "text",
    "x_PriceVersion": "text",
}


def price_sheet(store: Store) -> Export:
    """The newest price list; no rows before there is one."""
    found = version_known(store)
    version = str(found["price_version"]) if found else ""

    def rows() -> Iterator[dict[str, Any]]:
        for row in store.query(load_sql("outlay_analytics.export.sql", "price_sheet"), {"price_version": version}):
            yield _price(row, version)

    return Export("prices", COLUMNS, rows())


def _price(row: Row, version: str) -> dict[str, Any]:
    line = meter(row["line_name"])
    seller_name, service = seller(row["provider"])
    return {
        "SkuId": f"{row['provider']}:{row['model']}",
        "SkuPriceId": price_id(version, row["price_row"], row["line_name"]),
        "SkuMeter": line.name,
        "ProviderName": seller_name,
        "PublisherName": model_facts(row["model"]).developer or seller_name,
        "ServiceName": service,
        "PricingCategory": "Dynamic" if row["hours"] else "Standard",
        "PricingUnit": line.pricing_unit,
        "PricingCurrency": "USD",
        "ListUnitPrice": row["list_rate"],
        "ContractedUnitPrice": row["rate"],
        "x_ModelId": row["model"],
        "x_ServiceTier": row["service_tier"],
        "x_MinInputTokens": row["min_input_tokens"],
        "x_Hours": row["hours"] or None,
        "x_ValidFrom": row["since"],
        "x_ValidUntil": row["until"],
        "x_Origin": row["origin"],
        "x_Source": row["source"] or None,
        "x_PriceVersion": version,
    }
