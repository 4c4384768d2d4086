"""Sentences about the parts of an incident: each says which of them it speaks of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from outlay_analytics.anomalies.showing import _told_apart

AT = datetime(2026, 10, 2, 12, tzinfo=UTC)


def part(sentence: str, hours: tuple[int, int] = (0, 6), **scope: str) -> dict[str, Any]:
    start, end = (AT + timedelta(hours=one) for one in hours)
    return {"scope": scope, "started_at": start, "ended_at": end, "sentences": ["more was spent.", sentence]}


def test_parts_of_other_names_need_no_more_than_these() -> None:
    both = [part("chat: retries +$2.", feature="chat"), part("search: retries +$1.", feature="search")]
    assert _told_apart(both) == ["chat: retries +$2.", "search: retries +$1."]


def test_parts_that_begin_alike_say_their_own_values() -> None:
    both = [
        part("chat: retries +$2: many.", feature="chat", model="gpt-4o"),
        part("chat: retries +$1.", feature="chat", model="gpt-5"),
    ]
    assert _told_apart(both) == ["chat (gpt-4o): retries +$2: many.", "chat (gpt-5): retries +$1."]


def test_parts_of_the_same_calls_say_their_hours() -> None:
    both = [part("chat: retries +$2.", feature="chat"), part("chat: retries +$1.", (20, 23), feature="chat")]
    assert _told_apart(both) == [
        "chat (2 Oct 12:00 to 18:00 UTC): retries +$2.",
        "chat (3 Oct 08:00 to 11:00 UTC): retries +$1.",
    ]
    over_night = [part("chat: retries +$2.", (6, 14), feature="chat"), part("chat: retries +$1.", feature="chat")]
    assert _told_apart(over_night)[0] == "chat (2 Oct 18:00 to 3 Oct 02:00 UTC): retries +$2."


def test_a_part_without_a_driver_is_left_out() -> None:
    assert _told_apart([{**part(""), "sentences": ["more was spent."]}]) == []
