"""What a span says in one of its events: conventions may put there what it counts, and who answered."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle.columns import entries_of, maps_of, rows_in
from outlay_collector.settle.facts import flat

_TAKEN = "^gen_ai[.](usage|request|response|provider|operation)[.]"


def with_events(spans: pa.Table) -> pa.Table:
    """Spans whose attributes are followed by those of the event that counts (`counting`); what they say goes before."""
    counting = flat(spans["counting"])
    names, row = counting.keys[entries_of(counting)].cast(pa.binary()), rows_in(counting)
    if not len(row):
        return spans
    kept = np.flatnonzero(pc.match_substring_regex(names, _TAKEN).to_numpy(zero_copy_only=False))
    own = flat(spans["attributes"])
    row = np.append(rows_in(own), row[kept])
    order = pa.array(np.argsort(row, kind="stable"))
    more = counting.items[entries_of(counting)].cast(pa.binary()).take(pa.array(kept))
    column = maps_of(
        len(own),
        np.sort(row),
        pa.concat_arrays([own.keys[entries_of(own)].cast(pa.binary()), names.take(pa.array(kept))]).take(order),
        pa.concat_arrays([own.items[entries_of(own)].cast(pa.binary()), more]).take(order),
    )
    return spans.set_column(spans.schema.get_field_index("attributes"), "attributes", column)
