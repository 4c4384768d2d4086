"""Lists in the order of a measure: which measures, and places in such a list.

A place is the key of the last row shown, not a count of rows: its value, then what tells rows of equal values apart. So
rows that arrive meanwhile neither repeat nor hide others. Rows without a value come last in either direction.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest

SORTS = ("started_at", "cost_usd", "duration_ms", "input_tokens", "output_tokens")
ORDERS = ("asc", "desc")
AMOUNT = re.compile(r"-?\d{1,20}(\.\d{1,12})?")
COUNT = re.compile(r"-?\d{1,19}")
Place = tuple[Decimal | int | None, tuple[Any, ...]]


@dataclass(frozen=True)
class Sort:
    """By which measure, and from its smallest or its largest value."""

    name: str = "started_at"
    ascending: bool = False

    @property
    def newest_first(self) -> bool:
        return self.name == "started_at" and not self.ascending

    @property
    def direction(self) -> str:
        return "ASC" if self.ascending else "DESC"

    @property
    def beyond(self) -> str:
        """The comparison that is true of what comes later in the list."""
        return ">" if self.ascending else "<"

    def after(self, place: Place | None, names: Sequence[str], kinds: Sequence[str], params: dict[str, Any]) -> str:
        """The condition on `sort_value` and the columns `names` that a row comes after a place.

        Args:
            kinds: ClickHouse's types of the columns.
        """
        if place is None:
            return "1"
        value, key = place
        params |= {f"after_{name}": part for name, part in zip(names, key, strict=True)}
        given = ", ".join(f"{{after_{name}:{kind}}}" for name, kind in zip(names, kinds, strict=True))
        later = f"({', '.join(names)}) {self.beyond} ({given})"
        if value is None:
            return f"(isNull(sort_value) AND {later})"
        params["after_value"] = f"{value:f}" if isinstance(value, Decimal) else value
        held = "toDecimal128({after_value:String}, 12)" if self.name == "cost_usd" else "{after_value:Int64}"
        return f"(isNull(sort_value) OR sort_value {self.beyond} {held} OR (sort_value = {held} AND {later}))"

    def cursor(self, value: Decimal | int | None, key: Sequence[int | str]) -> str:
        """A place in the list as a short opaque text."""
        held = None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)
        text = json.dumps([self.name, self.direction, held, *key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def place(self, cursor: str, kinds: Sequence[type]) -> Place:
        """The place that a cursor stands for.

        Raises:
            BadRequest: If it is no cursor of a list in this order.
        """
        wrong = BadRequest(f"cursor {cursor[:SHOWN]!r} is not one that this list gave")
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
            name, direction, held, *key = json.loads(raw)
        except (ValueError, TypeError, RecursionError) as exc:
            raise wrong from exc
        if (name, direction) != (self.name, self.direction) or [type(part) for part in key] != list(kinds):
            raise wrong
        if any(isinstance(part, int) and not -(2**62) < part < 2**62 for part in key):
            raise wrong
        if held is None:
            return None, tuple(key)
        form = AMOUNT if self.name == "cost_usd" else COUNT
        if not isinstance(held, str) or not form.fullmatch(held):
            raise wrong
        value = Decimal(held) if self.name == "cost_usd" else int(held)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise wrong
        return value, tuple(key)


def check_sort(name: str, order: str) -> Sort:
    """An order by its names.

    Raises:
        BadRequest: If there is no such measure or direction.
    """
    if name not in SORTS:
        raise BadRequest(f"sort must be one of {', '.join(SORTS)}, not {name[:SHOWN]!r}")
    if order not in ORDERS:
        raise BadRequest(f"order must be asc or desc, not {order[:SHOWN]!r}")
    return Sort(name, order == "asc")
