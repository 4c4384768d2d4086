"""Instants → nanoseconds since 1970, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

Instant = datetime | int | float


def to_ns(instant: Instant) -> int:
    """Nanoseconds of a datetime (naive means UTC), of whole nanoseconds (int), or of seconds (float)."""
    if isinstance(instant, datetime):
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=UTC)
        return (instant - _EPOCH) // _MICROSECOND * 1000
    if isinstance(instant, int):
        return instant
    return round(instant * 1e6) * 1000
