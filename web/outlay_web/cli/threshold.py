"""`--fail-over`: exit 3 when a figure is above the limit, 0 when it surely is not, 1 when nobody can tell.

A script that guards a budget must not pass because a price is missing or a name is misspelt.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from outlay.errors import OutlayError
from outlay_web.cli.ask import Ask
from outlay_web.cli.values import unknown_filter

EXIT_OVER = 3


class NotJudged(OutlayError):
    """The figure is not known, or not whole: neither over nor under the limit can be said."""


def check(figure: Any, limit: Decimal | None, what: str, *, unknown: str = "") -> None:
    """Hold a figure in USD against the limit.

    Args:
        figure: Text, number or None for unknown.
        limit: None: nothing was asked.
        what: The figure's name, for the message.
        unknown: Why the figure may be None.

    Raises:
        NotJudged: If the figure is not known.
        SystemExit: With 3, if it is above the limit.
    """
    if limit is None:
        return
    if figure is None:
        raise NotJudged(f"{what} is not known{': ' + unknown if unknown else ''}; --fail-over cannot judge it")
    if Decimal(str(figure)) > limit:
        sys.stdout.flush()
        print(f"outlay: {what} {figure} USD is over {limit} USD", file=sys.stderr)
        sys.exit(EXIT_OVER)


def check_saving(found: Mapping[str, Any], limit: Decimal) -> None:
    """Hold what the recommendations of tasks save a month against the limit.

    Raises:
        NotJudged: If nothing can be recommended for any.
    """
    known = [Decimal(task["monthly_saving_usd"]) for task in found["tasks"] if task["monthly_saving_usd"] is not None]
    why = next((task["reason"] for task in found["tasks"]), "no call matches")
    check(sum(known, Decimal(0)) if known else None, limit, "what could be saved a month", unknown=why)


def check_spend(ask: Ask, measures: Mapping[str, Any], limit: Decimal | None, what: str) -> None:
    """Hold a sum of cost against the limit; it is only under it when every call in it has a known cost.

    Args:
        measures: `cost_usd`, `calls` and, where known, `priced_calls` or `priced_ratio`.

    Raises:
        NotJudged: If calls without a known cost are in it, or if no call ever matched a filter.
    """
    if limit is None:
        return
    calls = int(measures["calls"])
    if not calls and (wrong := unknown_filter(ask)):
        raise NotJudged(f"{wrong}; --fail-over cannot judge it")
    if measures["cost_usd"] is not None:
        check(measures["cost_usd"], limit, what)
    missing = calls - priced_calls(measures)
    if missing:
        raise NotJudged(f"{missing} of {calls} calls have no known cost: outlay prices missing")


def priced_calls(measures: Mapping[str, Any]) -> int:
    """How many of the calls have a known cost."""
    if "priced_calls" in measures:
        return int(measures["priced_calls"])
    ratio = measures.get("priced_ratio")
    calls = int(measures["calls"])
    if ratio is None:
        return calls if measures["cost_usd"] is not None else 0
    return round(float(ratio) * calls)
