"""Take one OTLP body: read it, judge its spans, put it on disk. HTTP, gRPC and `outlay ingest` all come this way."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from outlay_collector.otlp.decompress import MAX_BODY_BYTES, TooLarge, unpack
from outlay_collector.otlp.json import logs_to_protobuf, traces_to_protobuf
from outlay_collector.otlp.split import by_month
from outlay_collector.otlp.validate import MAX_AGE_DAYS, ReadBody, bounds, read_logs, read_traces
from outlay_collector.spool.segments import Record
from outlay_collector.spool.spool import Spool, SpoolFull

# Below this size reading takes about a millisecond and stays on the event loop; above, a thread reads it.
INLINE_BYTES = 64 << 10
AT_ONCE = 4
WAITING_BYTES = 128 << 20


@dataclass(frozen=True)
class Accepted:
    """What became of one body: spans (or log records) taken and rejected, and why."""

    spans: int
    rejected: int
    reasons: Counter[str] = field(default_factory=Counter)
    rewritten: str = ""
    note: str = ""

    @property
    def message(self) -> str:
        """Why some were rejected, most frequent first, for `partial_success.error_message`."""
        return self.note or "; ".join(f"{count} × {reason}" for reason, count in self.reasons.most_common(5))


class Intake:
    """The one way in. Bounds how many bodies are read at once and how many bytes are held meanwhile."""

    def __init__(self, spool: Spool, *, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self.spool = spool
        self.clock_ns = clock_ns
        self.held_bytes = 0
        self.bodies: Counter[str] = Counter()
        self._reading = asyncio.Semaphore(AT_ONCE)

    def hold(self, size: int) -> None:
        """Count `size` bytes of a body that is in memory; `release` them afterwards.

        Raises:
            SpoolFull: If too much is held already.
        """
        if self.held_bytes + size > WAITING_BYTES:
            raise SpoolFull("too many requests at once", 1)
        self.held_bytes += size

    def release(self, size: int) -> None:
        self.held_bytes -= size

    async def accept(
        self,
        body: bytes,
        *,
        encoding: str,
        project: str,
        max_age_days: int | None = MAX_AGE_DAYS,
        kind: str = "traces",
        packing: str = "identity",
    ) -> Accepted:
        """Read one body and make it durable.

        Args:
            encoding: `protobuf` or `json`.
            project: Whose it is; from the key, never from the body.
            max_age_days: Spans older than this are rejected; None takes any age.
            kind: `traces` or `logs`.
            packing: `identity`, `gzip` or `deflate`: how `body` is compressed.

        Raises:
            TooLarge: If it is over 20 MiB, as sent or unpacked.
            DecodeError: If it cannot be read as what it claims to be.
            SpoolFull: If it cannot be stored now; nothing of it was kept.
        """
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over {MAX_BODY_BYTES >> 20} MiB")
        received_ns = self.clock_ns()
        async with self._reading:
            arguments = (body, encoding, packing, kind, received_ns, max_age_days)
            if len(body) <= INLINE_BYTES and packing == "identity":
                read = _read(*arguments)
            else:
                read = await asyncio.to_thread(_read, *arguments)
            self.bodies[read.rewritten or encoding] += 1
            if not read.spans and not read.rejected:
                return Accepted(0, 0)
            limits = bounds(received_ns, max_age_days)
            untouched = not read.rewritten
            whole = Record(
                project=project,
                received_ns=received_ns,
                body_id=secrets.token_hex(8),
                kind=kind,
                encoding=packing if untouched else "identity",
                spans=read.spans,
                rejected=read.rejected,
                oldest_ns=limits.oldest_ns,
                newest_ns=limits.newest_ns,
                raw_bytes=len(read.body),
                keys=read.keys,
                body=(body if untouched else read.body) if read.spans else b"",
            )
            parts = (
                await asyncio.to_thread(by_month, whole, read.body) if max_age_days is None else [(whole, read.body)]
            )
        await asyncio.gather(*(self.spool.append(record, raw) for record, raw in parts))
        return Accepted(read.spans, read.rejected, read.reasons, read.rewritten)


def _read(body: bytes, encoding: str, packing: str, kind: str, received_ns: int, max_age_days: int | None) -> ReadBody:
    raw = unpack(body, packing)
    if encoding == "json":
        raw = traces_to_protobuf(raw) if kind == "traces" else logs_to_protobuf(raw)
    read = read_traces(raw, bounds(received_ns, max_age_days)) if kind == "traces" else read_logs(raw)
    if encoding == "json":
        read.rewritten = read.rewritten or "json"
    return read
