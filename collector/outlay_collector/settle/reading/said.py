"""What spans say: of each value that dialects look up, where it stands. Of several spellings the preferred one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outlay.parsing.kinds import WHOLE
from outlay_collector.dialects.model import COUNT_FIELDS, NUMBER_FIELDS
from outlay_collector.dialects.names import AFTER, ASKED, KEYS, OWN, RANKS, VALUES
from outlay_collector.settle.facts import UNKNOWN, Bools, Ints
from outlay_collector.settle.reading.attributes import Attributes, Entries
from outlay_collector.settle.reading.lines import Lines
from outlay_collector.settle.reading.texts import EMPTY, Floats, Pool, binary, encoded, floats_of

MOST_COUNTED = 2.0**32
"""Below it lies what one request can count."""
_FIRST_COUNT = min(VALUES[field] for field in COUNT_FIELDS)
_COUNTS = len(COUNT_FIELDS)
_NAMES = ("", *VALUES)
"""By number, the name of a value."""
_KINDS = ("audio", "image", "video")
_LENGTHS = ("audio_seconds", "input_audio_seconds")
_NAMES_ASKED = [np.flatnonzero((layer > 0).any(axis=0)) for layer in ASKED]
"""By layer of ASKED, the names that some dialect asks for in it: few in all but the first."""
_NUMERIC = np.zeros(len(VALUES) + 1, bool)
_NUMERIC[[VALUES[name] for name in (*COUNT_FIELDS, *NUMBER_FIELDS)]] = True
_NUMERIC[[VALUES[field + AFTER] for field in NUMBER_FIELDS]] = True
_NUMERIC[[VALUES[OWN + name] for name in ("attempt", "cache_similarity", "avoided_input", "avoided_output")]] = True
_NUMERIC[VALUES[OWN + "http_status"]] = True


class Said:
    """What a batch of spans says.

    Attributes:
        pool: The texts.
        key: By value (`names.VALUES`) and span: the attribute that says it, a number of `names.KEYS`.
        counts: By count field and span; UNKNOWN where no attribute says it.
        implausible: Which spans name a count that no request can hold.
    """

    def __init__(self, attributes: Attributes, dialect: Ints) -> None:
        known = attributes.known
        layers = [_used(known, dialect, n) for n in range(len(ASKED))]
        asked, uses = (np.concatenate([layer[n] for layer in layers]) for n in range(2))
        value, rank = uses // RANKS, uses % RANKS
        row = known.row[asked]
        # One text each, however many values it is looked up for.
        used = layers[0][0]
        place = np.zeros(len(known), np.int64)
        place[used] = np.arange(1, len(used) + 1)
        texts = attributes.values.take(pa.array(known.at[used]))
        self.pool = Pool(pc.ascii_trim(texts.view(pa.string()), '"').view(pa.binary()))
        self.spans = attributes.spans
        at = place[asked]
        # From the least preferred to the most, so that the most preferred stays; of one name the first.
        order = np.argsort((RANKS - 1 - rank[::-1]).astype(np.uint8), kind="stable")
        row, value, at = row[::-1][order], value[::-1][order], at[::-1][order]
        self._at = Lines(self.spans, EMPTY)
        self._at.put_all(_NAMES, value, row, at)
        self._key = np.append(UNKNOWN, known.name[used])
        self._numbers = self._parsed(at[_NUMERIC[value]])
        self.counts = self._counted(row, value, at)
        self.implausible = self._implausible()

    def at(self, name: str) -> Ints:
        """Where the text of a value stands, by span; EMPTY where nothing says it."""
        return self._at.of(name)

    def field(self, name: str) -> Ints:
        """The same of a field: from an attribute or a document, else from the attributes asked after the document."""
        return self.pool.first_of(self.at(name), self.at(name + AFTER))

    def own(self, name: str) -> Ints:
        """The same of an attribute of the application's own."""
        return self.at(OWN + name)

    def key_of(self, name: str) -> Ints:
        """Which attribute says a value, by span; UNKNOWN where none does."""
        found: Ints = self._key[np.where(self.at(name) < len(self._key), self.at(name), 0)]
        return found

    def number(self, at: Ints) -> Floats:
        """Numbers at these places; NaN where there is none."""
        return self._numbers[at]

    def count(self, field: str) -> Ints:
        """A count by span, UNKNOWN where nothing says it."""
        return self.counts.of(field)

    def put(self, fields: Sequence[tuple[str, int, str]]) -> None:
        """Take what documents say: fields, spans and texts. Only such as no attribute says."""
        first = self.pool.add(binary(encoded(text) for _, _, text in fields))
        self._numbers = np.append(self._numbers, floats_of(self.pool.texts.slice(first)))
        for n, (name, row, _) in enumerate(fields):
            self._at.put(name, row, first + n)

    def put_whole(self, operations: Sequence[bytes], operation: Ints, totals: Mapping[str, Ints]) -> None:
        """Take the tokens of operations that answer in one kind (images, speech) for that kind, where no part is told.
        What is billed by its length has tokens of text beside it.

        Args:
            operations: Names of operations.
            operation: By span a place among them.
            totals: By side, `input` or `output`, how many tokens each span has.
        """
        timed = np.logical_or.reduce([self.count(name) > 0 for name in _LENGTHS])
        for place, name in enumerate(operations):
            side, kind = WHOLE.get(name.decode(), ("", ""))
            if side:
                self._put_rest(side, kind, totals[side], (operation == place) & ~timed)

    def put_cached(self, cache_read: Ints) -> None:
        """Of cached tokens those that are not text are of the one kind that the input has beside it."""
        if "cache_read_text_tokens" not in self.counts:
            return
        told = np.stack([self._of("input", kind) > 0 for kind in _KINDS])
        for n, kind in enumerate(_KINDS):
            only = told[n] & (told.sum(axis=0) == 1) & (self._of("cache_read", "text") != UNKNOWN)
            self._put_rest("cache_read", kind, cache_read, only)

    def _put_rest(self, side: str, kind: str, total: Ints, where: Bools) -> None:
        """Take for a kind what a side has beside text, where nothing else is told of it."""
        untold = np.logical_and.reduce([self._of(side, part) == UNKNOWN for part in _KINDS])
        rest = total - np.maximum(self._of(side, "text"), 0)
        rows = np.flatnonzero(where & untold & (rest > 0))
        if len(rows):
            self.counts.put(f"{side}_{kind}_tokens", rows, rest[rows])

    def _of(self, side: str, kind: str) -> Ints:
        return self.count(f"{side}_{kind}_tokens")

    def _parsed(self, at: Ints) -> Floats:
        """Each text of the pool as a number, where it is looked up for one."""
        is_numeric = np.zeros(len(self.pool), bool)
        is_numeric[at] = True
        numeric = np.flatnonzero(is_numeric)
        found = np.full(len(self.pool), np.nan)
        found[numeric] = floats_of(self.pool.column(numeric))
        return found

    def _counted(self, row: Ints, value: Ints, at: Ints) -> Lines:
        """Of several names for a count the first attribute that holds one."""
        counting = np.flatnonzero((value >= _FIRST_COUNT) & (value < _FIRST_COUNT + _COUNTS))
        numbers = np.rint(self._numbers[at[counting]])
        holds = (numbers >= 0) & (numbers < MOST_COUNTED)
        held = counting[holds]
        counts = Lines(self.spans, UNKNOWN)
        counts.put_all(COUNT_FIELDS, value[held] - _FIRST_COUNT, row[held], numbers[holds].astype(np.int64))
        return counts

    def _implausible(self) -> Bools:
        """Which spans name a count that no request can hold."""
        found = np.zeros(self.spans, bool)
        if (self._numbers >= MOST_COUNTED).any():
            for field in COUNT_FIELDS:
                found |= self._numbers[self.at(field)] >= MOST_COUNTED
        return found


def _used(known: Entries, dialect: Ints, layer: int) -> tuple[Ints, Ints]:
    """Of one layer of ASKED the attributes that it has a use for, and which use."""
    may = np.zeros(len(KEYS) + 1, bool)
    may[_NAMES_ASKED[layer]] = True
    entries = np.flatnonzero(may[known.name])
    uses = ASKED[layer][dialect[known.row[entries]], known.name[entries]]
    has = np.flatnonzero(uses)
    return entries[has], uses[has].astype(np.int64)
