"""Say in words why spend changed, each sentence with the figures behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from outlay_analytics.explain.bases import against
from outlay_analytics.explain.drivers import happened, title
from outlay_analytics.explain.expected import Expected
from outlay_analytics.explain.segments import OTHER_MODELS, Segments
from outlay_analytics.explain.shapley import ESCALATION, PRIMARY, RETRY
from outlay_analytics.query.dimensions import dimension_value
from outlay_analytics.query.text import MINUS, signed_percent, usd
from outlay_analytics.query.window import Window
from outlay_collector.store import Row

ZERO = Decimal(0)
MOST_DRIVERS = 3
OTHERS = "all others"


class Sums:
    """Counts and money of some segments in one window."""

    def __init__(self, rows: Sequence[Row | None]) -> None:
        present = [row for row in rows if row is not None]

        def total(name: str, kinds: tuple[int, ...] = (PRIMARY, ESCALATION, RETRY)) -> int:
            return round(sum(float(row[name]) for row in present if row["kind"] in kinds))

        self.cost = sum((row["usd"] for row in present), ZERO)
        self.requests = total("calls", (PRIMARY,)) - total("unknown", (PRIMARY,))
        self.escalations = total("billed", (ESCALATION,))
        self.retries = total("billed", (RETRY,))
        self.billed = total("billed")
        self.cached = total("cached")
        self.input = total("input")
        self.cache_read = total("cache_read")
        self.output = total("output")
        self.models: dict[str, int] = {}
        for row in present:
            name = OTHERS if row.get("rest", 0) & OTHER_MODELS else row["model"]
            self.models[name] = self.models.get(name, 0) + round(row["billed"])
        self.unpriced = total("unpriced") + total("unknown")
        self.calls = total("calls")

    @property
    def known(self) -> bool:
        """Whether some of the calls have a known cost, or there are none."""
        return not self.calls or self.unpriced < self.calls


class Pair(NamedTuple):
    """Both sides of a comparison, and what the first one is called: what was before, or what usually is."""

    base: Sums
    now: Sums
    then: str = "before"

    @property
    def sides(self) -> tuple[Sums, Sums]:
        return self.base, self.now


def sentences(
    segments: Segments,
    cells: Sequence[dict[str, Any]],
    drivers: Sequence[dict[str, Any]],
    slices: Sequence[dict[str, Any]],
    by: str,
    window: Window,
    base: Window | Expected,
) -> list[str]:
    """The change in total, its largest drivers with their evidence, what offset them, where, and what is not known."""
    then = "usually" if isinstance(base, Expected) else "before"
    every = _pair(segments.rows, then)
    change = every[1].cost - every[0].cost
    out = [_headline(every, change, window, base)]
    known = every[0].known and every[1].known
    if known and change:
        moved = [cell for cell in cells if (cell["usd"] > 0) == (change > 0)]
        for cell in moved[:MOST_DRIVERS]:
            if abs(cell["usd"]) >= abs(change) / 20:
                out.append(_cell_sentence(segments, cell, by, change, then))
        out += _offsets(drivers, change)
        out += [_slice_sentence(found) for found in slices[:1] if len(found["where"]) > 1]
    elif known and cells:
        out.append("Changes cancelled each other out: " + _listed(drivers[:4]) + ".")
    for side, which in ((every.now, ""), (every.base, "earlier ")):
        if side.unpriced:
            share = _percent(side.unpriced, side.calls)
            have, are = ("has", "is") if side.unpriced == 1 else ("have", "are")
            out.append(
                f"{side.unpriced:,} of {_counted(side.calls, which + 'call')} ({share}) {have} no known cost and {are} "
                "not in these figures."
            )
    return out


def _headline(every: Pair, change: Decimal, window: Window, base: Window | Expected) -> str:
    before, after = every[0].cost, every[1].cost
    if isinstance(base, Expected):
        return _against_expected(every, change)
    then = against(window, base)
    if not every[0].known or not every[1].known:
        now = usd(after if every[1].known else None)
        return f"Spend was {usd(before if every[0].known else None)} in {then} and is {now}; the change is not known."
    if not change:
        return f"Spend stayed at {usd(after)}, as in {then}."
    verb = "rose" if change > 0 else "fell"
    relative = f" ({'+' if change > 0 else ''}{_ratio(change, before)})" if before else ""
    return f"Spend {verb} by {usd(abs(change))}{relative}, from {usd(before)} in {then} to {usd(after)}."


def _against_expected(every: Pair, change: Decimal) -> str:
    before, after = every[0].cost, every[1].cost
    if not every[0].known or not every[1].known:
        return "How much more was spent than expected is not known."
    if not change:
        return f"Spend was {usd(after)}, as expected."
    more = "more" if change > 0 else "less"
    relative = f" ({'+' if change > 0 else ''}{_ratio(change, before)})" if before else ""
    return f"{usd(abs(change))}{relative} {more} than expected was spent: {usd(after)} instead of {usd(before)}."


def _pair(rows: Sequence[tuple[Row | None, Row | None]], then: str) -> Pair:
    return Pair(Sums([pair[0] for pair in rows]), Sums([pair[1] for pair in rows]), then)


def _cell_sentence(segments: Segments, cell: dict[str, Any], by: str, change: Decimal, then: str) -> str:
    others = bool(cell.get("remainder"))
    picked = [
        pair
        for pair, part in zip(segments.rows, segments.part, strict=True)
        if (part is None if others else part is not None and dimension_value(by, part) == cell[by])
    ]
    sums = _pair(picked, then)
    name = OTHERS if others else f"calls without a {by}" if cell[by] is None else str(cell[by])
    # Where parts cancel, one of them can be many times the change: its share of it would say nothing.
    share = f", {_ratio(cell['usd'], change)} of the change" if 0 < cell["usd"] / change < 1 else ""
    what, evidence = happened(cell["driver"], rose=cell["usd"] > 0), _EVIDENCE[cell["driver"]](sums)
    return f"{name}: {what} ({_added(cell['usd'])}{share}); {evidence}."


def _requests(sums: Pair) -> str:
    before, after = sums.base.requests, sums.now.requests
    than = "after" if sums.then == "before" else "instead of"
    if not before:
        return f"{_counted(after, 'request')} where there {'were' if sums.then == 'before' else 'usually are'} none"
    if not after:
        return f"no requests {than} {before:,}"
    return f"{_counted(after, 'request')} {than} {before:,} ({signed_percent((after - before) / before)})"


def _per_request(name: str, words: str) -> Callable[[Pair], str]:
    def evidence(sums: Pair) -> str:
        rates = [_percent(getattr(side, name), side.requests) for side in sums.sides]
        return f"{rates[1]} of requests {words}, {rates[0]} {sums.then}"

    return evidence


def _retries(sums: Pair) -> str:
    if all(side.retries <= side.requests for side in sums.sides):
        return _per_request("retries", "were billed again")(sums)
    before, after = (side.retries / side.requests if side.requests else 0 for side in sums.sides)
    often = "once" if f"{after:.2g}" == "1" else f"{after:.2g} times"
    return f"a request was billed {often} more, {before:.2g} {sums.then}"


def _per_call(name: str, words: str) -> Callable[[Pair], str]:
    def evidence(sums: Pair) -> str:
        means = [getattr(side, name) / side.billed if side.billed else 0 for side in sums.sides]
        return f"{means[1]:,.0f} {words} per call, {means[0]:,.0f} {sums.then}"

    return evidence


def _models(sums: Pair) -> str:
    names = sorted(
        set(sums.base.models) | set(sums.now.models),
        key=lambda name: -abs(_share(sums.now, name) - _share(sums.base, name)),
    )
    parts = [
        f"{_share(sums.now, name):.0%} of calls went to {name or 'an unknown model'}, "
        f"{_share(sums.base, name):.0%} {sums.then}"
        for name in names[:2]
    ]
    return "; ".join(parts)


def _share(side: Sums, name: str) -> float:
    return side.models.get(name, 0) / side.billed if side.billed else 0.0


def _cache(sums: Pair) -> str:
    reads = [_percent(side.cache_read, side.input) for side in sums.sides]
    parts = [f"{reads[1]} of input tokens read from the provider's cache, {reads[0]} {sums.then}"]
    if sums.base.cached or sums.now.cached:
        hits = [_percent(side.cached, side.requests) for side in sums.sides]
        parts.append(f"{hits[1]} of requests answered by the application's cache, {hits[0]} {sums.then}")
    return "; ".join(parts)


def _price(sums: Pair) -> str:
    def per_million(side: Sums) -> str:
        tokens = side.input + side.output
        return usd(side.cost * 1_000_000 / tokens) if tokens else "nothing"

    return f"{per_million(sums.now)} per million tokens, {per_million(sums.base)} {sums.then}"


def _nothing(sums: Pair) -> str:
    return "no token counts came with it"


_EVIDENCE: dict[str, Callable[[Pair], str]] = {
    "requests": _requests,
    "escalation": _per_request("escalations", "escalated"),
    "retries": _retries,
    "model_mix": _models,
    "input_tokens": _per_call("input", "input tokens"),
    "output_tokens": _per_call("output", "output tokens"),
    "cache_share": _cache,
    "unit_price": _price,
    "unexplained": _nothing,
}


def _offsets(drivers: Sequence[dict[str, Any]], change: Decimal) -> list[str]:
    against = [d for d in drivers if d["usd"] and (d["usd"] > 0) != (change > 0) and abs(d["usd"]) >= abs(change) / 20]
    if not against:
        return []
    said = " and ".join(f"{title(one['driver'])} ({_added(one['usd'])})" for one in against[:2])
    return [f"{said[0].upper()}{said[1:]} went the other way."]


def _listed(drivers: Sequence[dict[str, Any]]) -> str:
    return ", ".join(f"{title(one['driver'])} {_added(one['usd'])}" for one in drivers if one["usd"])


def _added(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{usd(amount)}"


def _slice_sentence(found: dict[str, Any]) -> str:
    where = ", ".join(f"{name} {'(none)' if value is None else value}" for name, value in found["where"].items())
    share = f", {found['share']:.0%} of the change" if 0 < found["share"] <= 1 else ""
    return f"It happened in {where}: {_added(found['change_usd'])}{share}."


def _counted(number: int, one: str) -> str:
    return f"{number:,} {one}{'s' * (number != 1)}"


def _ratio(part: Decimal, whole: Decimal) -> str:
    share = part / whole if whole else None
    shown = "all" if share is None else f"{share:.1%}" if 0 < abs(share) < Decimal("0.1") else f"{share:.0%}"
    return shown.replace("-", MINUS)


def _percent(part: float, whole: float) -> str:
    if not whole:
        return "none"
    share = part / whole
    return f"{share:.1%}" if 0 < share < 0.1 else f"{share:.0%}"
