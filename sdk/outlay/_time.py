"""Instants → nanoseconds since 1970, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Instant = datetime | int | float


def to_ns(instant: Instant) -> int:
    """Nanoseconds of a datetime (naive means UTC), of whole nanoseconds (int), or of seconds (float).

    Raises:
        ValueError: If that is before 1970 or too late for 64 bits.
    """
    if isinstance(instant, datetime):
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        found = (instant - _EPOCH) // _MICROSECOND * 1000
    elif isinstance(instant, int):
        found = instant
    else:
        found = round(instant * 1e6) * 1000
    if not 0 <= found < 2**63:
        raise ValueError(f"{instant!r} is no instant between 1970 and 2262")
    return found
