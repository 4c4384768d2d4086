"""The SELECT that prices calls: `sql/price.sql` with what it is about filled in."""

from __future__ import annotations

from outlay.pricing.cost import CHARGED, USD_PER_MILLION_CHARGED
from outlay.pricing.tiers import STANDARD_TIERS, TIER_NAMES
from outlay.pricing.units import REQUIRED_UNITS
from outlay_collector.store import load_sql

SQL = "outlay_collector.prices.sql"
TIER_SQL = (
    "concat(transform(lower(service_tier), {names}, {tiers}, lower(service_tier)), "
    "if(region = '', '', concat('@', region)))"
).format(
    names=[*sorted(STANDARD_TIERS), *sorted(TIER_NAMES)],
    tiers=["standard"] * len(STANDARD_TIERS) + [TIER_NAMES[name] for name in sorted(TIER_NAMES)],
)
# Columns that price.sql works with and does not hand out.
HELPERS = (
    "p_epoch, p_list, p_second, p_names, p_match, p_kind, p_no_tier, p_slot_key, p_row, p_found, p_other_row, "
    "p_unknown, p_stands_in, p_borrowed, p_rates, l_rates, o_charged, o_rates, o_list_rates, o_borrowed, q_parts, "
    "q_lines, q_used, q_stands_in, q_assumed, c_lines, c_parts, c_sum, c_state, c_counts, c_free, c_lacks_usage"
)
# Those that say how a cost came about: quantities and rates of the seven lines, and of the parts beside them.
WORKINGS = ("p_row", "p_rates", "l_rates", "o_rates", "o_list_rates", "q_parts", "q_lines", "c_lines", "c_parts")
LIST_RATES = ", arrayResize(p.list_rates, 7) AS l_rates"
LATER = "+"
REQUIRED = ", ".join(f"'{unit}'" for unit in (*REQUIRED_UNITS, CHARGED))
FEE_RATE = f"map('{CHARGED}', toDecimal128('{USD_PER_MILLION_CHARGED}', 12))"


def select_sql(
    source_sql: str, version: str | None, *, later: bool, workings: bool, grouped: bool, has_contracts: bool
) -> str:
    """As `PriceBook.price_select`; `has_contracts` says whether any price differs from its list price."""
    kept = set(WORKINGS if workings else ())
    versions = "SELECT price_version FROM price_epochs FINAL"
    in_force = f"SELECT project, starts_at, {key_sql(later)} AS price_version FROM price_epochs FINAL"
    if version is not None:
        if not version.isalnum():
            raise ValueError(f"not a price version: {version!r}")
        versions = f"'{version}'"
        in_force = (
            "SELECT DISTINCT project, toDateTime64(0, 9, 'UTC') AS starts_at, "
            f"'{version}' AS price_version FROM price_epochs FINAL"
        )
    matched = (
        "SELECT matched_provider, matched_name FROM model_matches "
        f"WHERE price_version IN (SELECT price_version FROM ({in_force}))"
    )
    return load_sql(
        SQL,
        "price",
        source=source_sql,
        periods=in_force,
        tier=TIER_SQL,
        required=REQUIRED,
        fee_rate=FEE_RATE,
        matched=matched,
        versions=versions,
        prices=load_sql(SQL, "price_rows", matched=matched, versions=versions),
        list_cost=load_sql(SQL, "price_list_cost") if has_contracts else "c_sum",
        list_rates=LIST_RATES if has_contracts or workings else "",
        size="largest_input_tokens" if grouped else "input_tokens",
        requests="requests" if grouped else "1",
        helpers=", ".join(name for name in HELPERS.split(", ") if name not in kept),
    )


def key_sql(later: bool) -> str:
    """How `model_matches` names the list of a stretch."""
    return f"if(closed, price_version, concat(price_version, '{LATER}'))" if later else "price_version"
