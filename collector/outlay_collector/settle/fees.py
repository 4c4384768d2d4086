"""What providers charge beyond the tokens, of calls that settle prices; `prices/sql/reprice_fees.sql` does the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.prices.fees import CHARGE_FEES
from outlay_collector.prices.witness import LEAST_SHARE, LEAST_USD
from outlay_collector.settle.columns import entries_of, maps_of, rows_in
from outlay_collector.settle.facts import Bools, Ints, flat

CHARGING = [name.encode() for name in CHARGE_FEES]
FEE, NANO = b"provider_fee", 1_000_000_000
_WIDE = pa.decimal256(50, 12)


def fees_of(requests: pa.Table, priced: pa.Table) -> tuple[Ints, Ints]:
    """Of which requests providers charge more than the computed cost, and how much, in billionths of a dollar."""
    if flat(requests["reported_cost_usd"]).null_count == len(requests):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    reported, computed = (flat(column).cast(_WIDE) for column in (requests["reported_cost_usd"], priced["cost_usd"]))
    beyond = pc.subtract(reported, computed)
    charged = pc.and_(pc.greater(beyond, LEAST_USD), pc.greater(beyond, pc.multiply(computed, LEAST_SHARE)))
    which = pc.fill_null(charged, False).to_numpy(zero_copy_only=False) & is_set(requests["cost_is_charged"])
    rows = np.flatnonzero(which & is_in(requests["provider"], CHARGING) & is_in(priced["cost_state"], [b"computed"]))
    billionths = pc.round(beyond.take(pa.array(rows)), 9, "half_towards_infinity").to_pylist()
    return rows, np.array([int(usd * NANO) for usd in billionths], np.int64)


def with_fees(requests: pa.Table, charged: Ints, nanos: Ints) -> pa.Table:
    """Requests with what these rows were charged beyond the tokens among their usage."""
    own = flat(requests["other_usage"])
    names, values = own.keys[entries_of(own)], own.items[entries_of(own)]
    kept = np.flatnonzero(pc.not_equal(names.cast(pa.binary()), FEE).to_numpy(zero_copy_only=False))
    row = np.append(rows_in(own)[kept], charged)
    order = pa.array(np.argsort(row, kind="stable"))
    fee = pa.array([FEE] * len(charged), pa.binary()).cast(names.type)
    names = pa.concat_arrays([names.take(pa.array(kept)), fee]).take(order)
    values = pa.concat_arrays([values.take(pa.array(kept)), pa.array(nanos).cast(values.type)]).take(order)
    column = maps_of(len(own), np.sort(row), names, values).cast(own.type)
    return requests.set_column(requests.schema.get_field_index("other_usage"), "other_usage", column)


def is_set(column: Any) -> Bools:
    """Where a flag is set; a request that is no more has none."""
    found: Bools = pc.fill_null(flat(column), 0).to_numpy(zero_copy_only=False) > 0
    return found


def is_in(column: Any, words: Sequence[bytes]) -> Bools:
    """Where a column holds one of these words."""
    found: Bools = pc.is_in(flat(column).cast(pa.binary()), value_set=pa.array(words, pa.binary())).to_numpy(
        zero_copy_only=False
    )
    return found
