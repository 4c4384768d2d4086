"""The detector's statistics as they were found before: of a series that went on only the new hours are looked at.

A statistic depends on nothing later than its own hour. So where the hours of a series are those that were seen before,
what was found of them stands; a server that looks every hour, and finds three weeks of incidents each time, would
otherwise find all of it anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

import numpy as np

from outlay_analytics.anomalies.detector import statistic
from outlay_analytics.query.arrays import Floats

MOST = 512  # statistics that are remembered, each of at most some hundred kilobytes
MEASURES = ("usd", "calls", "in_tok", "cached_tok", "out_tok", "retries")

_known: OrderedDict[Hashable, tuple[Floats, Floats]] = OrderedDict()
_lock = Lock()


def statistic_of(series: Hashable, channel: str, data: Floats) -> Floats:
    """The statistic of a channel per hour, as `detector.statistic`; not to be written to.

    Args:
        series: What is likely to be the same series at another time; whether it is, its hours tell.
        channel: One of `detector.NEEDS`.
        data: Hours × `MEASURES`; not to be written to from now on.
    """
    with _lock:
        before, found = _known.get((series, channel), (data[:0], np.zeros(0)))
    alike = min(len(before), len(data))
    differs = np.flatnonzero((before[:alike] != data[:alike]).any(axis=1))
    since = int(differs[0]) if len(differs) else alike
    if since < len(data):
        fresh = statistic(channel, {name: data[:, k] for k, name in enumerate(MEASURES)}, since)
        found = np.concatenate([found[:since], fresh[since:]])
        before = data
    with _lock:
        _known[series, channel] = (before, found)
        _known.move_to_end((series, channel))
        while len(_known) > MOST:
            _known.popitem(last=False)
    return found[: len(data)]
