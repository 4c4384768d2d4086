"""The same comparison along other lines: by what was counted, and by whom it was billed to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.reconcile.cells import Cell, Key
from outlay_analytics.reconcile.reasons import ZERO
from outlay_analytics.reconcile.units import METERS

Row = dict[str, Any]


def by_meter(cells: Mapping[Key, Cell]) -> list[Row]:
    """`provider`, `model`, `meter` (a cost line), `billed_usd`, `computed_usd`, `billed_tokens` (None where neither
    bill nor provider says how many) and `tokens` of the calls; of models whose bill names meters, the largest first."""
    sums: dict[tuple[str, str, str], list[Any]] = defaultdict(lambda: [ZERO, ZERO, None, 0])
    for (_, provider, model), cell in cells.items():
        if not any(cell.billed_lines.get(meter) for meter in METERS):
            continue
        counts: Mapping[str, Decimal | int] = cell.billed_tokens or cell.counted
        for meter in METERS:
            billed, cost, tokens = cell.billed_lines.get(meter), cell.lines.get(meter), cell.tokens.get(meter, 0)
            if not billed and not cost and not tokens and not counts.get(meter):
                continue
            one = sums[provider, model, meter]
            one[0] += billed or ZERO
            one[1] += cost or ZERO
            if meter in counts:
                one[2] = (one[2] or 0) + int(counts[meter])
            one[3] += max(0, tokens)
    names = ("billed_usd", "computed_usd", "billed_tokens", "tokens")
    rows = [
        {"provider": provider, "model": model, "meter": meter, **dict(zip(names, one, strict=True))}
        for (provider, model, meter), one in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row["billed_usd"], row["provider"], row["model"], row["meter"]))


def by_account(cells: Mapping[Key, Cell], missing: Sequence[Mapping[str, Any]]) -> list[Row]:
    """`provider`, `account`, `key`, `billed_usd`, and whether it is `missing` among the calls, the largest first."""
    lacking = {(one["provider"], one["account"], one["key"]) for one in missing}
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(lambda: ZERO)
    for (_, provider, _), cell in cells.items():
        for (account, key), usd in cell.by_key.items():
            if account or key:
                sums[provider, account, key] += usd
    rows = [
        {
            "provider": provider,
            "account": account,
            "key": key,
            "billed_usd": usd,
            "missing": bool({(provider, account, key), (provider, account, "")} & lacking),
        }
        for (provider, account, key), usd in sums.items()
    ]
    return sorted(rows, key=lambda row: (-row["billed_usd"], row["provider"], row["account"], row["key"]))
