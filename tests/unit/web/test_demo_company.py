"""The demo's company: the same for the same seed, shaped as published. What is found in it: `test_demo_incidents`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from statistics import median

import pytest

from outlay_web.demo.bill import PRICES, cost, exact
from outlay_web.demo.company import Company
from outlay_web.demo.features import FITTING, PREFIX
from outlay_web.demo.interactions import Call, Interaction

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def company() -> Company:
    return Company(NOW)


@pytest.fixture(scope="module")
def month(company: Company) -> list[Interaction]:
    return list(company.interactions())


def test_the_same_seed_gives_the_same_month(month: list[Interaction]) -> None:
    again = Company(NOW).interactions()
    assert [next(again) for _ in range(500)] == month[:500]
    other = Company(NOW, seed=1).interactions()
    assert [next(other) for _ in range(20)] != month[:20]


def test_it_is_about_sixty_thousand_calls_of_four_providers_all_in_the_past(month: list[Interaction]) -> None:
    calls = [call for one in month for call in one.calls]
    assert 50_000 < len(calls) < 70_000
    assert {"openai", "anthropic", "gcp.gemini", "mistral_ai"} < {call.provider for call in calls}
    assert all(one.ended_at < NOW for one in month)
    assert all(a.started_at <= b.started_at for a, b in pairwise(month) if a.feature == b.feature)


def test_chat_has_the_published_median_lengths(month: list[Interaction]) -> None:
    chats = [call for one in month if one.feature == "support-chat" for call in one.calls if call.input_tokens]
    assert median(call.input_tokens - PREFIX for call in chats) == pytest.approx(1035, rel=0.05)
    assert median(call.output_tokens for call in chats) == pytest.approx(141, rel=0.05)


def test_weekends_and_nights_are_quiet(month: list[Interaction]) -> None:
    days: dict[bool, list[int]] = {True: [], False: []}
    for ago in range(1, 29):
        day = (NOW - timedelta(days=ago)).date()
        days[day.weekday() >= 5].append(sum(one.started_at.date() == day for one in month))
    assert median(days[True]) < 0.5 * median(days[False])


def test_each_incident_shows_in_what_it_is_about(company: Company, month: list[Interaction]) -> None:
    def during(name: str) -> list[Call]:
        it = company.incidents[name]
        return [
            c for one in month if one.feature == it.feature and company.hit(name, one.started_at) for c in one.calls
        ]

    assert all(call.cache_read_tokens == 0 for call in during("cache outage"))
    assert max(call.attempt for call in during("retry storm")) >= 3
    assert {call.model for call in during("model swap")} == {"claude-opus-4-5-20251101"}
    grown = [call.input_tokens for call in during("longer prompt") if call.operation == "chat"]
    assert median(grown) == pytest.approx(1.75 * 7590, rel=0.05)


def test_the_bill_is_exact_and_unknown_models_have_none() -> None:
    call = Call("openai", "gpt-5-mini-2025-08-07", NOW, 100, 3000, 200, cache_read_tokens=1536)
    assert cost(call) == Fraction((3000 - 1536) * 25, 10**8) + Fraction(1536 * 25, 10**9) + Fraction(200 * 2, 10**6)
    assert exact(Fraction(1, 1000)).as_tuple().exponent == -12
    with pytest.raises(ValueError, match="twelve"):
        exact(Fraction(1, 3))
    assert cost(Call("vllm", "acme-research-7b", NOW, 100, 10, 10)) is None
    assert cost(Call("openai", "gpt-5-mini", NOW, 100, 10, 10, cache_hit=True)) == 0


def test_every_priced_model_of_the_month_has_a_typed_price(month: list[Interaction]) -> None:
    models = {call.model for one in month for call in one.calls}
    assert models - set(PRICES) == {"acme-research-7b"}


def test_what_its_pages_should_find_is_in_it(month: list[Interaction]) -> None:
    scored: dict[tuple[str, str], list[float]] = {}
    for one in month:
        first = one.calls[0]
        for name, value in one.scores:
            about = {
                "accepted": one.arm,
                "faithful": first.model,
                "same question": str(first.cache_similarity >= FITTING),
            }
            scored.setdefault((name, about.get(name, "")), []).append(value)
    known = {key: sum(values) / len(values) for key, values in scored.items() if len(values) > 400}
    assert known["accepted", "large"] - known["accepted", "small"] > 0.1
    cheap, dear = (known["faithful", f"gemini-2.5-flash{kind}"] for kind in ("-lite", ""))
    assert abs(cheap - dear) < 0.015
    assert known["same question", "True"] > 0.98 > 0.9 > known["same question", "False"]
