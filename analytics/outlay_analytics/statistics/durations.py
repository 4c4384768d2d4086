"""Durations as histograms: buckets of floor(16 · log2(microseconds)), 4.4 % wide each, as in `latency_hours`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from outlay_analytics.statistics.intervals import quantile_ranks

P95 = 0.95


def p95_interval_ms(buckets: Sequence[int], counts: Sequence[int]) -> Mapping[str, float | None]:
    """The 95 % interval of the 95th percentile: `p95_ci_low_ms`, `p95_ci_high_ms`, None for too few calls.

    The bounds are the edges of the buckets that the two order statistics lie in, so the interval is never too narrow.

    Args:
        buckets: Ascending.
        counts: Calls in each.
    """
    ranks = quantile_ranks(sum(counts), P95)
    if ranks is None:
        return {"p95_ci_low_ms": None, "p95_ci_high_ms": None}
    low, high = (_bucket_at(buckets, counts, rank) for rank in ranks)
    return {"p95_ci_low_ms": _edge_ms(low), "p95_ci_high_ms": _edge_ms(high + 1)}


def _bucket_at(buckets: Sequence[int], counts: Sequence[int], rank: int) -> int:
    seen = 0
    for bucket, count in zip(buckets, counts, strict=True):
        seen += count
        if seen >= rank:
            return bucket
    return buckets[-1]


def _edge_ms(bucket: int) -> float:
    return round(math.exp2(bucket / 16) / 1000, 3)
