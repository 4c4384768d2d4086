"""What was expected of a window: the same hours of earlier weeks together, at the level that was expected of them.

An incident is explained against this rather than against one earlier week, so that its drivers add up to the dollars
above what was expected, and the noise of a single week is no driver. Hours of a known incident are no part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from outlay_analytics.explain.bases import LOOKBACK_WEEKS, WEEK, too_little
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EARLIEST, Window
from outlay_collector.store import Row, Store

MOST_WEEKS = 3
PICO = Decimal("1e-12")
ZERO = Decimal(0)
COUNTS = (
    "calls", "cached", "failed", "unknown", "billed", "unpriced",
    "input", "cache_read", "cache_write", "cache_write_1h", "output",
)  # fmt: skip
LINES = ("usd_input", "usd_read", "usd_write", "usd_write_1h", "usd_output")


@dataclass(frozen=True)
class Expected:
    """Windows of earlier weeks that stand together for what was expected.

    Attributes:
        windows: The same hours of earlier weeks, newest first; at least one.
        usd: What was expected to be spent, to which they are scaled; None for their mean.
    """

    windows: tuple[Window, ...]
    usd: Decimal | None = None


@dataclass(frozen=True)
class Looked:
    """What was expected, None where nothing comparable was recorded; then `reason` says why."""

    expected: Expected | None
    reason: str = ""


def same_hours(window: Window) -> list[Window]:
    """The same hours of the last weeks, newest first: of windows longer than a week every so many weeks."""
    back = WEEK * max(1, -(-window.length // WEEK))
    found = []
    for number in range(1, MOST_WEEKS + 1):
        if window.start - EARLIEST <= back * number or back * number > LOOKBACK_WEEKS:
            break
        found.append(Window(window.start - back * number, window.end - back * number))
    return found


def expected_of(store: Store, scope: Scope, usd: Decimal | None = None, without: Sequence[Window] = ()) -> Looked:
    """What was expected of a scope's window.

    Args:
        usd: The amount, where it is known.
        without: Incidents: hours that are not what is usual. They count where there are no others.
    """
    reason = ""
    kept: list[Window] = []
    spoiled: list[Window] = []
    for window in same_hours(scope.window):
        why_not = too_little(store, scope, window)
        if why_not:
            reason = reason or why_not
        elif any(window.start < other.end and other.start < window.end for other in without):
            spoiled.append(window)
        else:
            kept.append(window)
    windows = tuple(kept or spoiled)
    if not windows:
        return Looked(None, reason or "there is no time before it to compare with")
    return Looked(Expected(windows, usd))


def expected_rows(sides: Sequence[Sequence[Row]], usd: Decimal | None) -> list[Row]:
    """The rows of several windows as one, scaled to `usd` or to their mean; counts become fractions.

    Their costs add up to `usd` to the last digit.
    """
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for rows in sides for row in rows):
        key = tuple(value for name, value in row.items() if name not in (*COUNTS, *LINES, "usd"))
        held = sums.get(key)
        sums[key] = dict(row) if held is None else _added(held, row)
    total = sum((row["usd"] for row in sums.values()), ZERO)
    wanted = usd if usd is not None and total else total / max(len(sides), 1)
    factor = wanted / total if total else Decimal(1) / max(len(sides), 1)
    out = [_scaled(row, factor) for row in sums.values()]
    largest = max(range(len(out)), key=lambda k: out[k]["usd"], default=None)
    if largest is not None:
        out[largest] = _with_rest(out[largest], wanted.quantize(PICO) - sum((row["usd"] for row in out), ZERO))
    return out


def measures_of(totals: Sequence[Mapping[str, Any]], rows: Sequence[Row]) -> dict[str, Any]:
    """Measures of what was expected, as spend has them: counts by its level, latencies of the newest window.

    Its cost is None where no window has a known one.
    """
    cost = sum((row["usd"] for row in rows), ZERO)
    before = sum((total["cost_usd"] or ZERO for total in totals), ZERO)
    factor = cost / before if before else Decimal(1) / len(totals)
    out = dict(totals[0])
    for name, value in totals[0].items():
        held = [total[name] for total in totals if total[name] is not None]
        if name.endswith("_usd") and held:
            out[name] = (sum(held, ZERO) * factor).quantize(PICO)
        elif isinstance(value, int):
            out[name] = round(sum(held) * factor)
    if rows and any(total["cost_usd"] is not None for total in totals):
        out["cost_usd"] = cost
    return out


def scopes_of(scope: Scope, expected: Expected) -> list[Scope]:
    """The question about each of the windows."""
    return [replace(scope, window=window) for window in expected.windows]


def _added(held: Mapping[str, Any], row: Row) -> dict[str, Any]:
    return {name: value + row[name] if name in (*COUNTS, *LINES, "usd") else value for name, value in held.items()}


def _scaled(row: Mapping[str, Any], factor: Decimal) -> dict[str, Any]:
    lines = {name: (row[name] * factor).quantize(PICO) for name in LINES}
    other = ((row["usd"] - sum((row[name] for name in LINES), ZERO)) * factor).quantize(PICO)
    counts = {name: float(row[name]) * float(factor) for name in COUNTS}
    return {**row, **counts, **lines, "usd": sum(lines.values(), ZERO) + other}


def _with_rest(row: dict[str, Any], rest: Decimal) -> dict[str, Any]:
    """The row with what rounding left over, in its largest line."""
    line = max(LINES, key=lambda name: row[name])
    return {**row, "usd": row["usd"] + rest, **({line: row[line] + rest} if row[line] else {})}
