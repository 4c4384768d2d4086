"""What a cascade is given, read and checked where it is written."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypedDict

from outlay._kinds import is_generator, title_of
from outlay.optimizations.cascade_run import limit_of
from outlay.optimizations.cascade_state import TOP, Fallback, Threshold
from outlay.optimizations.given import number_of


class CascadeOptions(TypedDict, total=False):
    """What `Cascade` takes by keyword, as described there."""

    threshold: Threshold | Mapping[str, Threshold]
    timeout_s: float | Sequence[float | None] | None
    max_latency_s: float | None
    max_cost_usd: Decimal | float | None
    fallback: Fallback
    rest_s: float


def check_functions(name: Any, tiers: Any, accept: Any, streams: bool) -> None:
    """Refuse tiers and a judge that cannot work.

    Raises:
        TypeError, ValueError: Naming what is wrong.
    """
    if not (isinstance(name, str) and name):
        raise TypeError(f"the name of a cascade is a text, not {name!r}")
    if callable(tiers) or isinstance(tiers, (str, Mapping)):
        raise TypeError(f"cascade {name!r}: tiers are a list of functions, the cheapest first, not {tiers!r}")
    if not tiers:
        raise ValueError(f"cascade {name!r} needs at least one tier")
    for part in (*tiers, accept):
        if not callable(part):
            raise TypeError(f"cascade {name!r}: tiers and accept are functions, unlike {part!r}")
        if is_generator(part) and (part is accept or not streams):
            raise TypeError(f"cascade {name!r}: {title_of(part)} yields; a tier returns one answer")


def thresholds_of(name: str, given: Any) -> dict[str, Threshold]:
    """By task; `"*"` for any other.

    Raises:
        TypeError, ValueError: If one is no number of 0–1.
    """
    found: dict[str, Threshold] = {}
    for task, number in given.items() if isinstance(given, Mapping) else [("*", given)]:
        if not (isinstance(number, str) and number == TOP):
            value = number_of(number)
            if value is None and not isinstance(number, float):
                raise TypeError(f"cascade {name!r}: a threshold is a number of 0–1 or outlay.TOP, not {number!r}")
            if value is None or not 0 <= value <= 1:
                raise ValueError(f"cascade {name!r}: a threshold is a number of 0–1, not {number!r}")
            number = value
        found["*" if task == "default" else task] = number
    if not found:
        raise ValueError(f"cascade {name!r}: threshold names no task; say one for '*', all tasks")
    return found


def timeouts_of(name: str, given: Any, tiers: int) -> list[float | None]:
    """By tier.

    Raises:
        ValueError: If one is no number above 0, or their number is another than that of the tiers.
    """
    is_several = isinstance(given, Iterable) and not isinstance(given, (str, Mapping))
    by_tier = list(given) if is_several else [given] * tiers
    if len(by_tier) != tiers:
        raise ValueError(f"cascade {name!r}: timeout_s is one number, or one for each of {tiers} tiers, not {given!r}")
    limits = [limit_of(f"cascade {name!r}: timeout_s", one) for one in by_tier]
    if any(limit is not None and not limit > 0 for limit in limits):
        raise ValueError(f"cascade {name!r}: timeout_s must be above 0, not {given!r}")
    # longer than anything can wait is no limit
    return [None if limit is None or limit >= threading.TIMEOUT_MAX else float(limit) for limit in limits]
