"""What many calls cost at once: those that are priced alike are reckoned once, and the rest is multiplication.

Calls are alike that have the same names, fall on the same prices, leave the same counts unsaid and use the same parts
of a price: they have the same state, list and model, and differ only in how much they use. This is for calls that count
nothing but text tokens, at prices of whole picodollars (10⁻¹² USD) a token, where nothing is rounded. All others are
left to who prices them one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from outlay.pricing.cost import rates_of
from outlay.pricing.units import TEXT_PARTS
from outlay_collector.prices.reckon import COUNTING_STATES, COUNTS, FREE_STATES, Asked, Priced, Reckoner
from outlay_collector.settle.columns import maps_of
from outlay_collector.settle.facts import UNKNOWN, Bools, Count, Ints, counts_of, flat
from outlay_collector.settle.values import text

NAMES = ("project", "provider", "request_model", "response_model", "service_tier", "region")
PARTS = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
INPUTS, OUTPUT, REASONING = slice(0, 4), PARTS.index("output"), PARTS.index("reasoning")
MOST_GROUPS = 1_000
"""To reckon more takes longer than to plan a statement."""
MOST_TOKENS = 10**12
MOST_PICODOLLARS = 2.0**62
PICO = 12
USD = pa.decimal128(38, PICO)
_BITS = 1 << np.arange(len(PARTS))  # of as many counts, too
_SETS = 1 << len(PARTS)
_NO_RATES = (0,) * len(PARTS)


@dataclass(frozen=True)
class Alike:
    """Requests that were priced so."""

    rows: Ints
    columns: dict[str, Any]
    """What they cost, by the columns of `pricing.PRICES`."""


@dataclass(frozen=True)
class _Group:
    """Calls that are priced alike: what the first of them costs, and picodollars by part."""

    priced: Priced
    rates: Sequence[int]
    list_rates: Sequence[int]
    adds_reasoning: bool
    """Whether reasoning has no price but that of output."""


def price_alike(reckoner: Reckoner, requests: pa.Table) -> Alike:
    """What requests cost, of those that can be priced so."""
    plain = np.flatnonzero(_is_plain(requests))
    calls = _Calls(requests if len(plain) == len(requests) else requests.take(pa.array(plain)))
    number, first = _numbered(reckoner, calls)
    found = [_group(reckoner, calls.asked(row)) for row in first.tolist()] if len(first) <= MOST_GROUPS else []
    groups = [group for group in found if group is not None]
    if not groups:
        return Alike(plain[:0], {})
    is_group = np.array([group is not None for group in found])
    rows = np.flatnonzero((number != UNKNOWN) & is_group[number])
    number = (np.cumsum(is_group) - 1)[number[rows]]
    amounts = _Amounts(groups, calls.quantities[rows], number)
    # The first of each group was priced by itself, too: a group where that comes out otherwise is left.
    at = np.searchsorted(rows, first[is_group]).tolist()
    same = [group.priced == amounts.priced(row, group.priced) for group, row in zip(groups, at, strict=True)]
    kept = np.flatnonzero(amounts.fit & np.array(same)[number])
    return Alike(plain[rows[kept]], amounts.columns(kept))


class _Calls:
    """Requests as arrays."""

    def __init__(self, requests: pa.Table) -> None:
        self._requests = requests
        self.started_us: Ints = requests["started_at"].cast(pa.int64()).to_numpy() // 1000
        self.counts: Ints = np.stack([counts_of(requests[name]) for name in COUNTS], axis=1)
        self.quantities = _quantities(self.counts)
        """Shape (calls, parts)."""

    def __len__(self) -> int:
        return len(self._requests)

    def codes(self, *names: str) -> Ints:
        """A number per call, the same where all these columns are."""
        code = np.zeros(len(self), np.int64)
        for name in names:
            words = flat(self._requests[name]).cast(pa.binary()).fill_null(b"").dictionary_encode()
            code = code * len(words.dictionary) + words.indices.to_numpy()
            code = np.unique(code, return_inverse=True)[1]
        return code

    def asked(self, row: int) -> Asked:
        """One of them, to be priced by itself."""
        said = {name: text(self._requests[name][row].as_py() or b"") for name in NAMES}
        return Asked(
            **said,
            started_at=datetime.fromtimestamp(int(self.started_us[row]) / 1e6, UTC),
            counts={name: self._requests[name][row].as_py() for name in COUNTS},
            other_usage={},
            state_hint=self._requests["state_hint"][row].as_py() or "",
        )


def _is_plain(requests: pa.Table) -> Bools:
    """Which requests count nothing but text tokens, and no more of them than can be multiplied."""
    plain: Bools = np.diff(flat(requests["other_usage"]).offsets.to_numpy()) == 0
    for name in COUNTS:
        plain &= flat(requests[name]).fill_null(0).to_numpy(zero_copy_only=False) <= MOST_TOKENS
    return plain


def _quantities(counts: Ints) -> Ints:
    """Overlapping counts as disjoint quantities of PARTS, as `outlay.pricing.cost.split` has them."""
    known = np.maximum(counts, 0)
    read, write = known[:, Count.CACHE_READ], np.maximum(known[:, Count.CACHE_WRITE], known[:, Count.CACHE_WRITE_1H])
    given = np.where(counts[:, Count.INPUT] == UNKNOWN, read + write, known[:, Count.INPUT])
    read = np.minimum(read, given)
    write = np.minimum(write, given - read)
    write_1h = np.minimum(known[:, Count.CACHE_WRITE_1H], write)
    output = known[:, Count.OUTPUT]
    reasoning = np.minimum(known[:, Count.REASONING], output)
    return np.stack([given - read - write, read, write - write_1h, write_1h, output - reasoning, reasoning], axis=1)


def _numbered(reckoner: Reckoner, calls: _Calls) -> tuple[Ints, Ints]:
    """The group of each call, UNKNOWN where its price changes with the hour, and the first call of each group."""
    named = calls.codes(*NAMES)
    step = np.full(len(calls), UNKNOWN)
    order = np.argsort(named, kind="stable")
    ends = np.flatnonzero(np.diff(named[order], append=-1))
    for rows in np.split(order, ends[:-1] + 1) if len(order) else []:
        steps = reckoner.steps(calls.asked(int(rows[0])))
        if steps is not None:
            moments_us = np.array([round(each.timestamp() * 1e6) for each in steps.moments], np.int64)
            moment = np.searchsorted(moments_us, calls.started_us[rows], "right")
            size = np.searchsorted(steps.input_tokens, calls.counts[rows, Count.INPUT])
            step[rows] = moment * (len(steps.input_tokens) + 1) + size
    said = (calls.counts != UNKNOWN) @ _BITS
    used = (calls.quantities > 0) @ _BITS
    key = ((named * (step.max(initial=0) + 1) + step) * _SETS + said) * _SETS + used
    key = np.unique(key, return_inverse=True)[1] * len(calls) + calls.codes("state_hint")
    known = np.flatnonzero(step != UNKNOWN)
    _, first, number = np.unique(key[known], return_index=True, return_inverse=True)
    found = np.full(len(calls), UNKNOWN)
    found[known] = number
    return found, known[first]


def _group(reckoner: Reckoner, call: Asked) -> _Group | None:
    """What calls like this one cost; None where that is not only a matter of multiplication."""
    priced, row = reckoner.price(call), reckoner.row(call)
    if priced is None:
        return None
    if row is None:
        return _Group(priced, _NO_RATES, _NO_RATES, adds_reasoning=False)
    if "requests" in row.rates or not any(part in row.rates for part in TEXT_PARTS):
        return None
    rates, list_rates = (rates_of(each) for each in (row.rates, row.list_rates or row.rates))
    own, listed = ([_pico(each.get(part)) for part in PARTS] for each in (rates, list_rates))
    whole = [rate for rate in (*own, *listed) if rate is not None]
    if len(whole) < len(own) + len(listed):
        return None
    adds_reasoning = "reasoning" not in row.rates
    return _Group(priced, whole[: len(PARTS)], whole[len(PARTS) :], adds_reasoning)


def _pico(usd_per_million: Decimal | None) -> int | None:
    """Picodollars a token, 0 without a price; None where that is no whole number."""
    picodollars = (usd_per_million or Decimal(0)).scaleb(PICO - 6)
    return int(picodollars) if picodollars == int(picodollars) else None


class _Amounts:
    """What calls cost, in picodollars."""

    def __init__(self, groups: Sequence[_Group], quantities: Ints, number: Ints) -> None:
        """Multiply.

        Args:
            groups: Of the calls.
            quantities: Shape (calls, parts).
            number: Of each call its group's.
        """
        self._groups, self._number = groups, number
        adds = np.array([group.adds_reasoning for group in groups])[number]
        used = quantities.copy()
        used[:, OUTPUT] += np.where(adds, used[:, REASONING], 0)
        used[adds, REASONING] = 0
        rates = np.array([group.rates for group in groups], np.int64)[number]
        listed = np.array([group.list_rates for group in groups], np.int64)[number]
        dearest = np.maximum(np.maximum(rates, listed), rates[:, :1]).astype(float)
        self.fit: Bools = (used * dearest).sum(axis=1) < MOST_PICODOLLARS
        used[~self.fit] = 0
        self._lines = used * rates
        self._usd = self._lines.sum(axis=1)
        self._list_usd = (used * listed).sum(axis=1)
        plain = used[:, INPUTS].sum(axis=1) * rates[:, 0]
        self._uncached_usd = self._usd - self._lines[:, INPUTS].sum(axis=1) + plain

    def priced(self, row: int, like: Priced) -> Priced:
        """One call, where its group's first is `like` that."""
        counts = like.cost_state in COUNTING_STATES
        lines = {part: _usd(line) for part, line in zip(PARTS, self._lines[row], strict=True) if counts and line}

        def usd(of_first: Decimal | None, own: Ints) -> Decimal | None:
            return None if of_first is None else _usd(own[row] if counts else 0)

        return Priced(
            cost_state=like.cost_state,
            cost_usd=usd(like.cost_usd, self._usd),
            list_cost_usd=usd(like.list_cost_usd, self._list_usd),
            uncached_cost_usd=usd(like.uncached_cost_usd, self._uncached_usd),
            cost_lines=lines,
            price_version=like.price_version,
            matched_model=like.matched_model,
            match_kind=like.match_kind,
            avoided_usd=None if like.avoided_usd is None else _usd(self._usd[row]),
        )

    def columns(self, rows: Ints) -> dict[str, Any]:
        """Some of the calls, by the columns of `pricing.PRICES`."""
        number = self._number[rows]
        priced = [group.priced for group in self._groups]
        free, counts = (
            np.array([each.cost_state in states and each.cost_usd is not None for each in priced])[number]
            for states in (FREE_STATES, COUNTING_STATES)
        )
        avoided = np.array([each.avoided_usd is not None for each in priced])[number]
        row, part = np.nonzero(np.where(counts[:, None], self._lines[rows], 0))
        lines = _decimals(self._lines[rows][row, part], np.ones(len(row), bool))
        parts = pa.array([name.encode() for name in PARTS], pa.binary()).take(pa.array(part))

        def words(name: str) -> Any:
            each = pa.array([getattr(one, name).encode() for one in priced], pa.binary())
            return each.take(pa.array(number))

        return {
            "cost_usd": _decimals(np.where(counts, self._usd[rows], 0), counts | free),
            "list_cost_usd": _decimals(np.where(counts, self._list_usd[rows], 0), counts | free),
            "uncached_cost_usd": _decimals(np.where(counts, self._uncached_usd[rows], 0), counts | free),
            "cost_lines": maps_of(len(rows), row, parts, lines),
            "cost_state": words("cost_state"),
            "price_version": words("price_version"),
            "matched_model": words("matched_model"),
            "match_kind": words("match_kind"),
            "avoided_usd": _decimals(self._usd[rows], avoided),
        }


def _usd(picodollars: int | np.int64) -> Decimal:
    return Decimal(int(picodollars)).scaleb(-PICO)


def _decimals(picodollars: Ints, known: Bools) -> Any:
    """Amounts in USD, null where they are not known."""
    words: npt.NDArray[np.int64] = np.stack([picodollars, picodollars >> 63], axis=1)  # low, high
    valid = pa.array(known).buffers()[1]
    return pa.Array.from_buffers(USD, len(words), [valid, pa.py_buffer(np.ascontiguousarray(words))])
