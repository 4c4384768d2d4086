"""What spans say of how long they took, which attempt they were and what they cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from outlay_collector.dialects.common import AMOUNT_WITH_CURRENCY, COST_PARTS
from outlay_collector.dialects.names import KEYS
from outlay_collector.dialects.numbers import instant_of, money_of
from outlay_collector.settle.facts import Bools, Ints, Role
from outlay_collector.settle.reading.said import Said
from outlay_collector.settle.reading.texts import Floats

LONGEST_TAIL_S = LONGEST_WAIT_S = 86_400
MOST_ATTEMPTS = 2**16
_US = 1_000


def first_token_ms_of(spans: pa.Table, said: Said) -> Floats:
    """How long the first token took, in milliseconds: said so, in seconds, or by the instant it came; NaN where none of
    them says so, or what no request waits."""
    longest_ms = LONGEST_WAIT_S * 1000
    found = _between(said.number(said.field("ttft_ms")), longest_ms)
    in_s = _between(said.number(said.field("ttft_s")), LONGEST_WAIT_S)
    found = np.where(np.isnan(found), in_s * 1000, found)
    at = said.field("ttft_at")
    for row in np.flatnonzero(np.isnan(found) & said.pool.said(at)).tolist():
        came = instant_of(said.pool.texts[int(at[row])].as_py())
        if came is not None:
            began_us = spans["started_at"][row].value // _US
            found[row] = (round(came.timestamp() * 1e6) - began_us) / 1000
    return _between(found, longest_ms)


def _between(values: Floats, most: float) -> Floats:
    """Values from 0 to this one, NaN for others."""
    return np.where((values >= 0) & (values <= most), values, np.nan)


def tail_ns(said: Said, role: Ints) -> Ints:
    """How long the stream took, said by the span at its end; elsewhere the name may mean anything."""
    took_s = said.number(said.field("tail_s"))
    holds = (role == Role.TAIL) & (took_s >= 0) & (took_s <= LONGEST_TAIL_S)
    return (np.where(holds, took_s, 0) * 1e6).astype(np.int64) * _US


def attempts(said: Said) -> npt.NDArray[np.uint16]:
    number = said.number(said.own("attempt"))
    holds = (number >= 1) & (number < MOST_ATTEMPTS) & (number == np.floor(number))
    return np.where(holds, number, 1).astype(np.uint16)


def reported_cost(said: Said, zero_usage: Bools) -> Any:
    """What the span says it cost, in USD; nothing beside usage of zero is no price, but a figure that got lost."""
    codes, words = said.pool.words(said.field("cost_usd"))
    amounts = [money_of(word) for word in words]
    for name, parts in COST_PARTS.items():
        rows = np.flatnonzero(said.key_of("cost_usd") == KEYS[name])
        for code in np.unique(codes[rows]).tolist():
            amount = amounts[code]
            codes[rows[codes[rows] == code]] = len(amounts)
            amounts.append(None if amount is None else money_of(f"{amount / parts:f}".encode()))
    is_zero = np.array([amount == 0 for amount in amounts])
    column = pa.array(amounts, pa.decimal128(38, 12))
    foreign = said.pool.judged(said.own("cost_currency"), lambda word: word.upper() not in (b"", b"USD"), bool)
    foreign &= said.key_of("cost_usd") == KEYS[AMOUNT_WITH_CURRENCY]
    lost = (zero_usage & is_zero[codes]) | foreign
    return column.take(pa.array(codes, mask=lost) if lost.any() else pa.array(codes))
