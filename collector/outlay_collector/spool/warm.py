"""Bodies that are still in memory, unpacked, when the loader comes: as far as there is room it need not unpack them."""

from __future__ import annotations

import threading

from outlay_collector.spool.segments import Record

WARM_BYTES = 64 << 20


class WarmBodies:
    """Unpacked bodies by id, at most `WARM_BYTES` of them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: dict[str, bytes] = {}
        self._bytes = 0

    def keep(self, record: Record, raw: bytes | None) -> None:
        """Keep a body, unless there is none or no room."""
        with self._lock:
            if raw is None or self._bytes + len(raw) > WARM_BYTES:
                return
            self._bodies[record.body_id] = raw
            self._bytes += len(raw)

    def take(self, body_id: str) -> bytes | None:
        """Give a body away, once; None if it is not here."""
        with self._lock:
            raw = self._bodies.pop(body_id, None)
            self._bytes -= len(raw or b"")
            return raw
