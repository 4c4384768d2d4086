"""What a cascade is given as limits, read and checked where it is written."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

from outlay.optimizations.cascade_run import limit_of
from outlay.optimizations.cascade_state import TOP, Fallback, Threshold


class CascadeOptions(TypedDict, total=False):
    """What `Cascade` takes by keyword, as described there."""

    threshold: Threshold | Mapping[str, Threshold]
    timeout_s: float | Sequence[float | None] | None
    max_latency_s: float | None
    max_cost_usd: Decimal | float | None
    fallback: Fallback
    rest_s: float


def thresholds_of(name: str, given: Any) -> dict[str, Threshold]:
    """By task; `"*"` for any other.

    Raises:
        TypeError, ValueError: If one is no number of 0–1.
    """
    found: dict[str, Threshold] = {}
    for task, number in given.items() if isinstance(given, Mapping) else [("*", given)]:
        if number != TOP:
            if not isinstance(number, (int, float)) or isinstance(number, bool):
                raise TypeError(f"cascade {name!r}: a threshold is a number of 0–1 or outlay.TOP, not {number!r}")
            if not 0 <= number <= 1:
                raise ValueError(f"cascade {name!r}: a threshold is a number of 0–1, not {number!r}")
        found["*" if task == "default" else task] = number
    return found


def timeouts_of(name: str, given: Any, tiers: int) -> list[float | None]:
    """By tier.

    Raises:
        ValueError: If one is no number above 0, or their number is another than that of the tiers.
    """
    by_tier = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else [given] * tiers
    if len(by_tier) != tiers:
        raise ValueError(f"cascade {name!r}: timeout_s is one number, or one for each of {tiers} tiers, not {given!r}")
    limits = [limit_of(f"cascade {name!r}: timeout_s", one) for one in by_tier]
    if any(limit is not None and not limit > 0 for limit in limits):
        raise ValueError(f"cascade {name!r}: timeout_s must be above 0, not {given!r}")
    # longer than anything can wait is no limit
    return [None if limit is None or limit >= threading.TIMEOUT_MAX else float(limit) for limit in limits]
