"""Does the bill say what the calls cost? Per day and model: billed against computed, and why they differ.

A bill names models in its own way and so do calls, so both are looked up in the price list first. A provider is
compared only if the bill has it, and only on the days that the bill covers. Where a bill does not name models, its days
are compared as a whole; where it names them as nobody else does and comes to the same sum as the calls that it seems to
lack, these are compared together. Tools that it bills apart (searches) are compared with the tool fees of the calls.

`coverage` is the share of the billed USD that recorded calls and reasons explain: 1 − Σ|unknown and never recorded| ÷
Σ|billed|, over the cells (day, model), so that a surplus here cannot hide a deficit there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile import causes, quantities, reasons, witnesses
from outlay_analytics.reconcile.bill import Charge, Usage
from outlay_analytics.reconcile.breakdown import by_account, by_meter
from outlay_analytics.reconcile.causes import AtTier
from outlay_analytics.reconcile.cells import Cell, Cells, Covered, Key, Name
from outlay_analytics.reconcile.reasons import REASONS, UNEXPLAINED, ZERO, Open
from outlay_collector.store import Store, load_sql

SQL = "outlay_analytics.reconcile.sql"
SHARE = Decimal("0.0001")
# Anthropic: "Priority Tier costs use a different billing model and are not included in the cost endpoint."
NOT_IN_REPORT = ("priority",)
LINES_TO_JUDGE = 5  # before what a bill rounds to can be told from its amounts
MEASURES = ("billed_usd", "computed_usd", "residual_usd", *(f"{reason}_usd" for reason in REASONS))
REASON_CALLS = {
    "unpriced": "unpriced_calls",
    "no_usage": "no_usage_calls",
    "estimated": "estimated_calls",
    "failed_but_billed": "failed_calls",
}
Row = dict[str, Any]


@dataclass(frozen=True)
class Beside:
    """What is known beside a bill's charges, where it was pulled.

    Attributes:
        usage: What the provider counted.
        covered: By provider the days that are in force; calls of other days are not compared.
        open_days: By provider the days whose bill may still change.
        formats: As of the bills that it is made of.
    """

    usage: Sequence[Usage] = ()
    covered: Covered | None = None
    open_days: Covered = field(default_factory=dict)
    formats: Collection[str] = ()


def reconcile(
    store: Store,
    project: str,
    bill: Mapping[str, Any],
    charges: Sequence[Charge],
    name: Name,
    at_tier: AtTier,
    beside: Beside | None = None,
) -> Row:
    """Compare a bill with the calls of its days.

    Args:
        bill: As `bills.list_bills` has it.
        charges: Its charges.
        name: Looks a model up in the price list.
        at_tier: Prices calls in another service tier; only asked where a difference is left.

    Returns:
        `bill`, `currency`, `billed_usd`, `computed_usd`, `residual_usd`, `coverage` (None when nothing was billed),
        `residual` (`reason`, `usd`, `calls`, the largest first), `days` and `rows` with `billed_usd`, `computed_usd`,
        `residual_usd`, `<reason>_usd` for each reason, and for rows `day`, `provider`, `model`, `models` (as the calls
        name them), `calls` and the calls that leave the cost open; `left_out` of bill and calls by reason (None for
        lines that are not in USD) and `left_out_lines` of the bill; `proposals`, the discounts that were found as
        rows of `[[discounts]]`; `missing`, the keys and projects of the bill that are not recorded; `meters` and
        `accounts`, the same by what was counted and by whom it was billed to; and what `witnesses.witnesses` tells.
    """
    params = {"project": project, "first_day": bill["first_day"], "last_day": bill["last_day"]}
    calls = store.query(load_sql(SQL, "reconcile_calls"), params)
    beside = beside or Beside(formats=[str(bill["format"])], open_days=_open_days(bill, charges))
    not_billed = {"anthropic": NOT_IN_REPORT} if "anthropic_report" in beside.formats else {}
    table = Cells(charges, calls, name, not_billed, beside.covered)
    for charge in charges:
        table.add_charge(charge)
    for row in calls:
        table.add_calls(row)
    for usage in beside.usage:
        table.add_usage(usage)
    cells = table.by_key
    for key, cell in cells.items():
        cell.not_final = key[0] in beside.open_days.get(key[1], ())
    causes.join_strangers(cells)
    causes.fees(cells)
    causes.stated_discounts(cells.values())
    quantities.not_recorded(cells)
    quantities.missing(cells.values())
    causes.tiers(table, at_tier)
    rates, judged = quantities.prices(cells)
    rates = causes.constant_rates({key: cell for key, cell in cells.items() if key not in judged}) | rates
    missing = quantities.unrecorded_keys(cells)
    means, finest = _means(cells), _finest(charges)
    rows = [_row(key, cell, means.get(key[1:], (None, ZERO)), finest) for key, cell in cells.items()]
    rows.sort(key=lambda row: (row["day"], -abs(row["residual_usd"]), row["provider"], row["model"]))
    left_out = dict.fromkeys(bill["left_out_lines"]) | dict(bill["left_out"])
    left_out |= {f"calls: {reason}": usd for reason, usd in table.left_out.items()}
    return {"bill": dict(bill), "currency": "USD", **_total(rows), "days": _days(rows), "rows": rows,
            "left_out": left_out, "left_out_lines": dict(bill["left_out_lines"]),
            "proposals": _proposals(rates, cells, bill["first_day"]), "missing": missing,
            "meters": by_meter(cells), "accounts": by_account(cells, missing),
            **witnesses.witnesses(store, params, rows, table)}  # fmt: skip


def _open_days(bill: Mapping[str, Any], charges: Sequence[Charge]) -> Covered:
    """Days of an imported bill that were hardly over when it was read."""
    first_open = bill["imported_at"].date() - timedelta(days=1)
    found: dict[str, set[date]] = defaultdict(set)
    for charge in charges:
        if charge.day >= first_open:
            found[charge.provider].add(charge.day)
    return found


def _finest(charges: Sequence[Charge]) -> Decimal | None:
    """Half a unit of the last decimal that the bill writes: what each line may be rounded by; None of a short bill."""
    exponents = [int(str(charge.usd.normalize().as_tuple().exponent)) for charge in charges if charge.usd]
    if len(exponents) < LINES_TO_JUDGE:
        return None
    return Decimal(5).scaleb(min(-2, *exponents) - 1)


def _proposals(rates: Mapping[tuple[str, str], Decimal], cells: Mapping[Key, Cell], first: date) -> list[Row]:
    """The discounts that were found, as rows of `[[discounts]]`: with what own prices take off the list already.

    `paid_ratio` is what was billed of what was computed.
    """
    computed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    listed: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for key, cell in cells.items():
        computed[key[1:]] += cell.computed
        listed[key[1:]] += cell.list_cost
    found = []
    for (provider, model), paid in sorted(rates.items()):
        if reasons.reason_of(paid) == "discount":
            own = computed[provider, model] / listed[provider, model] if listed[provider, model] else Decimal(1)
            off, ratio = (share.quantize(SHARE).normalize() for share in (1 - paid * own, paid))
            found.append(
                {"provider": provider, "model": model, "discount": off, "paid_ratio": ratio, "valid_from": first}
            )
    return found


def _means(cells: Mapping[Key, Cell]) -> dict[tuple[str, str], tuple[Decimal | None, Decimal]]:
    """By provider and model: the average cost of a call whose cost is known, and of its input."""
    sums: dict[tuple[str, str], list[Decimal]] = defaultdict(lambda: [ZERO, ZERO, ZERO])
    for (_, provider, model), cell in cells.items():
        one = sums[provider, model]
        sums[provider, model] = [one[0] + cell.counts["priced"], one[1] + cell.priced, one[2] + cell.input]
    return {key: (priced / calls, given / calls) if calls else (None, ZERO)
            for key, (calls, priced, given) in sums.items()}  # fmt: skip


def _row(key: Key, cell: Cell, mean: tuple[Decimal | None, Decimal], finest: Decimal | None) -> Row:
    call_usd, input_usd = mean
    counts = cell.counts
    left_open = Open(
        unpriced=None if counts["unpriced"] else ZERO,
        no_usage=(None if call_usd is None else (counts["no_usage"] * call_usd).quantize(PICO))
        if counts["no_usage"]
        else ZERO,
        estimated=cell.estimated,
        failed_but_billed=(counts["failed"] * input_usd).quantize(PICO),
    )
    sorted_out = reasons.sort_residual(cell.residual, cell.known, left_open)
    _name_unknown(sorted_out, cell, finest)
    return {
        "day": key[0],
        "provider": key[1],
        "model": key[2],
        "billed_usd": cell.billed,
        "computed_usd": cell.computed,
        "residual_usd": cell.residual,
        **{f"{reason}_usd": sorted_out[reason] for reason in REASONS},
        "calls": counts["calls"],
        **{f"{name}_calls": counts[name] for name in ("unpriced", "no_usage", "estimated", "failed")},
        "providers": sorted(cell.providers),
        "models": sorted(cell.models),
    }


def _name_unknown(found: dict[str, Decimal], cell: Cell, finest: Decimal | None) -> None:
    """What is left has a name where the bill is not final, rounds, or has more tokens than the calls say."""
    unknown = found["unknown"]
    if unknown < 0 and cell.not_final:
        reason, usd = "late", unknown
    elif finest is not None and 0 < abs(unknown) <= finest * cell.charges:
        reason, usd = "rounding", unknown
    else:
        paid = quantities.paid(cell) if unknown > 0 and not cell.clean else None
        reason, usd = "missing_calls", min(unknown, max(ZERO, paid.missing)) if paid else ZERO
    found[reason] += usd
    found["unknown"] -= usd


def _total(rows: Sequence[Row]) -> Row:
    sums = {name: sum((row[name] for row in rows), ZERO) for name in MEASURES}
    gross = sum((abs(row["billed_usd"]) for row in rows), ZERO)
    unknown = sum((abs(row[f"{reason}_usd"]) for row in rows for reason in UNEXPLAINED), ZERO)
    residual: list[Row] = [
        {
            "reason": reason,
            "usd": sums[f"{reason}_usd"],
            "calls": sum(row[REASON_CALLS[reason]] for row in rows) if reason in REASON_CALLS else None,
        }
        for reason in REASONS
    ]
    residual.sort(key=lambda one: -abs(one["usd"]))
    return {
        "billed_usd": sums["billed_usd"],
        "computed_usd": sums["computed_usd"],
        "residual_usd": sums["residual_usd"],
        "coverage": float(max(ZERO, 1 - unknown / gross)) if gross else None,
        "residual": residual,
    }


def _days(rows: Sequence[Row]) -> list[Row]:
    days: dict[date, Row] = {}
    for row in rows:
        day = days.setdefault(row["day"], {"day": row["day"], **dict.fromkeys(MEASURES, ZERO)})
        for name in MEASURES:
            day[name] += row[name]
    return [days[day] for day in sorted(days)]
