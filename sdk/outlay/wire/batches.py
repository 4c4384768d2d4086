"""Batch results: every line of a results file is one billed request, read as the application reads the file.

The same results may be fetched many times, by many processes. So a line's span is the same each time: its ids are a
hash of the batch and the line, and it starts when the provider says that the answer, or else the batch, was created.
That is why such a span cannot be a child of the fetch: it is a root, carries the fetch's feature and tags, and links
to the span around the fetch.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.context import Context

from outlay import _safely
from outlay._time import to_ns
from outlay.parsing import batch_items
from outlay.parsing.batch_items import Item, Source
from outlay.parsing.formats import provider_of
from outlay.tracing.call import Call
from outlay.tracing.context import SCOPE_KEY, Scope, innermost_span
from outlay.wire.meter import Header, Meter

if TYPE_CHECKING:
    from outlay.tracing.client import Client

Json = Mapping[str, Any]

_MAX_LINE = 16 << 20
_MAX_ANSWER = 32 << 20
_CREATED_KEPT = 4096


class Fetch(NamedTuple):
    """What a path says about a GET."""

    identity: str  # of the batch or file; "" for a list of batches
    provider: str
    read: Callable[[Source, Json, int], Iterator[Item]] | None  # reads a line; None where the answer is about a batch


_PATHS: tuple[tuple[re.Pattern[str], str, Callable[[Source, Json, int], Iterator[Item]] | None], ...] = (
    (re.compile(r"/files/([^/]+)/content$"), "openai", batch_items.openai),
    (re.compile(r"/messages/batches/([^/]+)/results$"), "anthropic", batch_items.anthropic),
    (re.compile(r"/(files/[^/:]+):download$"), "gcp.gemini", batch_items.gemini),
    (re.compile(r"/messages/batches(?:/([^/]+))?$"), "anthropic", None),
    (re.compile(r"/batch/jobs(?:/([^/]+))?$"), "mistral_ai", None),
    (re.compile(r"/batches(?:/([^/]+))?$"), "openai", None),
)
_LIKELY = re.compile(r"/(?:files/[^/]+(?:/content|:download)|batches(?:/[^/]+(?:/results)?)?|batch/jobs(?:/[^/]+)?)$")

# Batch or file → when the batch was created, as far as an answer that passed by has said so.
# Without a lock, which a fork could find closed: each operation is atomic by itself.
_created: OrderedDict[str, int] = OrderedDict()


def forget() -> None:
    """No batch was seen so far."""
    _created.clear()


def recognize(path: str) -> Fetch | None:
    """What the path of a GET says; None for anything that has nothing to do with batches."""
    path = path.partition("?")[0]
    if _LIKELY.search(path) is None:
        return None
    for pattern, provider, read in _PATHS:
        match = pattern.search(path)
        if match is not None:
            return Fetch(match[1] or "", provider, read)
    return None


def begin(
    client: Client, host: str, port: int | None, path: str, header: Header, context: Context, scope: Scope
) -> BatchMeter | None:
    """Start watching the fetch."""
    fetch = recognize(path)
    if fetch is None:
        return None
    span = innermost_span(context)
    link = span.get_span_context() if span is not None else None
    provider = provider_of(host, fetch.provider, user_agent=header("user-agent") or "")
    source = Source(fetch.identity, provider, host, port, scope.attributes, link, client.resource)
    return BatchMeter(client, fetch, source, context, scope)


class BatchMeter(Meter):
    """Watches the fetch of results, or of what says when a batch was created."""

    __slots__ = ("_client", "_fetch", "_frame", "_number", "_pieces", "_size", "_source", "_spent")

    def __init__(self, client: Client, fetch: Fetch, source: Source, context: Context, scope: Scope) -> None:
        super().__init__(Context({**context, SCOPE_KEY: Scope(scope.attributes, scope.frame, True)}))
        self._client = client
        self._fetch = fetch
        self._source = source
        self._frame = scope.frame
        self._pieces: list[bytes] = []  # of the line that is not complete yet
        self._size = 0
        self._number = 0
        self._spent = False

    @_safely.safely()
    def answered(self, status: int, header: Header) -> None:
        """The response's head is here."""
        self._spent = not 200 <= status < 300

    @_safely.safely()
    def feed(self, chunk: bytes) -> None:
        """The application read this much of the body."""
        if self._spent or not chunk:
            return
        if self._fetch.read is None:
            self._keep(chunk, _MAX_ANSWER)
            return
        if not self._number and not self._pieces and chunk.lstrip()[:1] not in (b"{", b""):
            self._spent = True  # a file, but not of results
            return
        *complete, rest = chunk.split(b"\n")
        for end in complete:
            self._keep(end, _MAX_LINE)
            self._line()
        self._keep(rest, _MAX_LINE)

    def _keep(self, piece: bytes, limit: int) -> None:
        self._size += len(piece)
        if self._size <= limit:
            self._pieces.append(piece)
        elif self._pieces:
            self._pieces.clear()
            _safely.warn("batch", "a line of batch %s is too long to be read", self._source.batch)

    def _line(self) -> None:
        """One line is complete."""
        line = b"".join(self._pieces).strip()
        self._pieces.clear()
        self._size = 0
        if not line or self._spent or self._fetch.read is None:
            return
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict):
            self._put(self._fetch.read(self._source, entry, self._number))
        self._number += 1
        self._spent = self._source.lines_read == 0 and self._number >= 3

    def _put(self, items: Iterator[Item]) -> None:
        pipeline = self._client.pipeline
        for item in items:
            if not item.start_ns:
                item = item._replace(start_ns=_created.get(self._source.batch) or self._client.now_ns())
            if pipeline is not None:
                pipeline.put_item(item)
            if self._frame is not None:
                self._frame.count(Call(*item.identity))

    @_safely.safely()
    def finish(self) -> None:
        """The body was read to its end."""
        if self._spent:
            return
        if self._fetch.read is not None:
            self._line()
        elif self._pieces:
            body = json.loads(b"".join(self._pieces))
            for about in _batches_of(body):
                _learn(about)
                self._put(batch_items.inline(self._source, about))
        self._spent = True
        self._pieces.clear()

    @_safely.safely()
    def fail(self, error: BaseException) -> None:
        """Reading stopped: what was complete has been counted."""
        self._spent = True
        self._pieces.clear()

    @_safely.safely()
    def close(self) -> None:
        """The application is done with the answer."""
        self._spent = True
        self._pieces.clear()


def _batches_of(body: object) -> Iterator[Json]:
    """The batches that an answer is about: itself, or the entries of a list."""
    if isinstance(body, dict):
        for key in ("data", "operations"):
            if isinstance(body.get(key), list):
                yield from (entry for entry in body[key] if isinstance(entry, dict))
        yield body


def _learn(about: Json) -> None:
    """Remember when a batch was created, under its own name and its files'."""
    metadata = about.get("metadata")
    gemini = metadata if isinstance(metadata, dict) and "createTime" in metadata else None
    created = gemini["createTime"] if gemini is not None else about.get("created_at")
    if isinstance(created, int) and not isinstance(created, bool):
        created_ns = created * 1_000_000_000
    elif isinstance(created, str):
        created_ns = to_ns(datetime.fromisoformat(created))
    else:
        return
    names = [about.get(key) for key in ("id", "name", "output_file_id", "error_file_id", "output_file", "error_file")]
    if gemini is not None:
        output = gemini.get("output")
        names.append(output.get("responsesFile") if isinstance(output, dict) else None)
        response = about.get("response")
        names.append(response.get("responsesFile") if isinstance(response, dict) else None)
    for name in names:
        if isinstance(name, str):
            _created.pop(name, None)
            _created[name] = created_ns
            if len(_created) > _CREATED_KEPT:
                _created.popitem(last=False)
