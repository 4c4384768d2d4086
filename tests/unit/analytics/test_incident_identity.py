"""Which found incidents are one, and which stored one each is: nothing is lost, counted twice or given another's id."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from outlay_analytics.anomalies.telling import TOGETHER_H, together
from outlay_analytics.anomalies.watching import Incident
from outlay_analytics.incidents.incident import Event
from outlay_analytics.incidents.record import merged

NOW = datetime(2026, 3, 20, tzinfo=UTC)
SCOPES = st.sampled_from([(), (("feature", "a"),), (("feature", "b"),), (("feature", "a"), ("model", "m"))])


@st.composite
def signs(draw: st.DrawFn) -> Incident:
    first, hours = draw(st.integers(0, 60)), draw(st.integers(0, 40))
    channel, usd = draw(st.sampled_from(["spend", "usd_per_token"])), draw(st.floats(1, 100))
    return Incident(draw(SCOPES), channel, first, first + hours, 0.7, 100 + usd, 100.0)


@settings(deadline=None)
@given(st.lists(signs(), max_size=12))
def test_every_sign_is_in_one_incident_with_those_that_began_with_it(found: list[Incident]) -> None:
    groups = together(found)
    assert sorted(map(id, found)) == sorted(id(one) for group in groups for one in group)
    for group in groups:
        assert {one.channel for one in group} == {group[0].channel}
        assert all(abs(one.first - group[0].first) <= TOGETHER_H for one in group)
        assert group[0].impact == max(one.impact for one in group)


def shown(number: int, sign: Incident, prefix: str) -> dict[str, Any]:
    """A sign as the detector's answer has it."""
    began, ended = (NOW + timedelta(hours=hour) for hour in (sign.first, sign.last + 1))
    actual, expected = Decimal(round(sign.actual)), Decimal(round(sign.expected))
    money = {"actual_usd": actual, "expected_usd": expected, "impact_usd": actual - expected}
    about = {"id": f"{prefix}{number}", "scope": dict(sign.scope), "channel": sign.channel, "ongoing": False}
    bounds = {"impact_lo_usd": Decimal(0), "impact_hi_usd": actual}
    why = {"score": 0.7, "cause": "more", "explain": {"drivers": [], "sentences": []}, "parts": []}
    return {**about, **money, **bounds, **why, "started_at": began, "ended_at": ended}


@settings(deadline=None)
@given(st.lists(signs(), max_size=6), st.lists(signs(), max_size=6))
def test_what_is_found_again_keeps_its_id_and_no_id_is_given_twice(before: list[Incident], now: list[Incident]) -> None:
    stored = [one for one, _ in merged("p", [shown(k, sign, "old") for k, sign in enumerate(before)], [])]
    found = [shown(k, sign, "new") for k, sign in enumerate(now)]
    pairs = merged("p", found, stored)
    assert sorted(under for _, under in pairs) == sorted(one["id"] for one in found)
    ids = [one.incident_id for one, _ in pairs]
    assert len(ids) == len(set(ids))
    for one, under in pairs:
        if one.incident_id != under:
            (same,) = (other for other in stored if other.incident_id == one.incident_id)
            assert same.related(one.window, one.filters)
            assert one.fingerprint == same.fingerprint


@settings(deadline=None)
@given(st.lists(signs(), max_size=6), st.integers(0, 6))
def test_what_is_found_beside_what_was_known_keeps_every_id_its_own(before: list[Incident], many: int) -> None:
    found = [shown(k, sign, "old") for k, sign in enumerate(before)]
    stored = [one for one, _ in merged("p", found[:many], [])]
    pairs = merged("p", found, stored)
    assert len({one.incident_id for one, _ in pairs}) == len(found)
    known = {one.incident_id for one in stored}
    assert all(one.incident_id == under for one, under in pairs if under in known)


def test_parts_that_moved_together_are_not_another_feature() -> None:
    whole = shown(1, Incident((), "spend", 5, 15, 0.7, 300, 100.0), "new")
    whole["parts"] = [{"scope": {"feature": "a"}}, {"scope": {"feature": "b"}}]
    for feature, same in (("a", True), ("c", False)):
        one = shown(2, Incident((("feature", feature),), "spend", 0, 20, 0.7, 110, 100.0), "old")
        stored = [known for known, _ in merged("p", [one], [])]
        [(found, _)] = merged("p", [whole], stored)
        assert (found.incident_id == "old2") is same


def test_what_is_found_under_a_known_id_is_that_incident_wherever_it_has_moved() -> None:
    before = shown(1, Incident((("feature", "a"),), "spend", 0, 5, 0.7, 300, 100.0), "one")
    seen = [replace(known, seen_at=NOW, history=(Event(NOW, "opened"),)) for known, _ in merged("p", [before], [])]
    for scope, first in (((("feature", "b"),), 0), ((("feature", "a"),), 40)):
        [(found, _)] = merged("p", [shown(1, Incident(scope, "spend", first, 50, 0.7, 400, 100.0), "one")], seen)
        assert (found.incident_id, found.seen_at, len(found.history)) == ("one1", NOW, 1)
