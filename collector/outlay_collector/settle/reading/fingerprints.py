"""By what spans of one request find each other: hashes of the response's id, of counts, of a stream's opening."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay_collector.settle.facts import Bools, Ids, Ints, flat
from outlay_collector.settle.hashes import sip_hash_texts

_SEPARATOR = pa.scalar(b"\0", pa.binary())
_NOTHING = pa.scalar(b"", pa.binary())


def response_keys(spans: pa.Table, response_id: Any, speaks: Bools) -> Ids:
    """Of each span that speaks of a response, its key; 0 elsewhere."""
    return _hashed(speaks, lambda rows: [_plain(spans["project"], rows), response_id.take(rows)])


def request_keys(spans: pa.Table, request_id: Any, speaks: Bools) -> Ids:
    """The same of the provider's id of the request."""
    return _hashed(speaks, lambda rows: [_prefixed(b"request", _plain(spans["project"], rows)), request_id.take(rows)])


def fingerprints(spans: pa.Table, counted_in: Ints, counted_out: Ints, which: Bools) -> Ids:
    """What stands in for a response's id: equal counts of one service; 0 where it does not."""
    return _hashed(
        which,
        lambda rows: [
            _prefixed(b"usage", _plain(spans["project"], rows)),
            _plain(spans["service"], rows),
            _digits(counted_in, rows),
            _digits(counted_out, rows),
        ],
    )


def streams(spans: pa.Table, request_model: Any, which: Bools) -> Ids:
    """What ties a stream's tail to the span that opened the stream; 0 where nothing does."""
    return _hashed(
        which,
        lambda rows: [
            _prefixed(b"stream", _plain(spans["project"], rows)),
            _plain(spans["service"], rows),
            _plain(spans["scope_name"], rows),
            request_model.take(rows),
        ],
    )


def _hashed(which: Bools, parts: Any) -> Ids:
    """Hashes of some texts, joined by a zero, where a flag is set; 0 elsewhere."""
    found = np.zeros(len(which), np.uint64)
    rows = np.flatnonzero(which)
    if len(rows):
        found[rows] = sip_hash_texts(pc.binary_join_element_wise(*parts(pa.array(rows)), _SEPARATOR))
    return found


def _prefixed(word: bytes, texts: Any) -> Any:
    return pc.binary_join_element_wise(pa.scalar(word, pa.binary()), texts, _NOTHING)


def _digits(counts: Ints, rows: Any) -> Any:
    return pc.cast(pc.cast(pa.array(counts).take(rows), pa.string()), pa.binary())


def _plain(column: Any, rows: Any) -> Any:
    return pc.cast(flat(column).take(rows), pa.binary())
