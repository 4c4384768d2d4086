"""Whether anybody may speak of the same responses, without asking the store: a filter of the keys in `response_ids`.

Nearly every response is spoken of in one trace alone. Of few spans that are all new it is said here, for the price of
looking up a few bits, that there are no others to be read. Only where this process is the one that notes keys; when
another settler of it does, as one that works off what waits does, all is read anew.
"""

from __future__ import annotations

from collections import Counter, OrderedDict

import numpy as np
import pyarrow as pa

from outlay_collector.bloom import Filter
from outlay_collector.settle.facts import Ids, Ints
from outlay_collector.settle.values import among
from outlay_collector.store.client import Writer

FEW_KEYS = 1_000
"""Of more keys some are always found."""
MOST_KEYS = 1_000_000
"""Of an hour with more the store is asked: 3 MB for each."""
MOST_HOURS = 96
_times_noted: Counter[tuple[str, str]] = Counter()
"""By store, how often settlers of this process noted keys."""


class Noted:
    """The keys of the hours that were asked about, as the store has them; for one settler, with its connection."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._filters: OrderedDict[int, Filter | None] = OrderedDict()
        """By hour, in seconds; None where there are too many."""
        self._counts: dict[int, int] = {}
        self._place = (writer.store.dsn.path, writer.database)
        self._times = _times_noted[self._place]

    def may_have(self, hours: Ints, keys: Ids) -> bool:
        """Whether one of these keys may be noted in one of these hours.

        Raises:
            StoreError: If the store cannot be read.
        """
        if len(keys) > FEW_KEYS or len(hours) > MOST_HOURS:
            return True
        if self._times != _times_noted[self._place]:
            self._filters.clear()
            self._counts.clear()
            self._times = _times_noted[self._place]
        wanted = hours.tolist()
        new = [hour for hour in wanted if hour not in self._filters]
        if new:
            self._read(new)
        found = False
        for hour in wanted:
            self._filters.move_to_end(hour)
            held = self._filters[hour]
            found = found or held is None or bool(held.may_have(keys).any())
        while len(self._filters) > MOST_HOURS:
            self._counts.pop(self._filters.popitem(last=False)[0])
        return found

    def add(self, hours: Ints, keys: Ids) -> None:
        """These keys are noted next, each in the hour beside it."""
        self._times += 1
        _times_noted[self._place] += 1
        for hour in np.unique(hours).tolist():
            held = self._filters.get(hour)
            if held is None:
                continue
            own = keys[hours == hour]
            self._counts[hour] += len(own)
            if self._counts[hour] > MOST_KEYS:
                self._filters[hour] = None
            else:
                held.add(own)

    def _read(self, hours: list[int]) -> None:
        for hour in hours:
            which, params = among(self._writer, pa.table({"hour": pa.array([hour], pa.uint32())}), "hour")
            sql = f"SELECT key FROM response_ids WHERE {which} LIMIT {MOST_KEYS + 1}"
            keys = self._writer.arrow(sql, params)["key"].to_numpy()
            held = Filter(2 * len(keys))
            held.add(keys)
            self._filters[hour] = held if len(keys) <= MOST_KEYS else None
            self._counts[hour] = len(keys)
