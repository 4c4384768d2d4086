"""Reading raises for nothing that a sender may write: numbers beyond every range, deep JSON, long digits, any bytes."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.reading_world import OTEL, Sent, read, read_one

from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.names import FREE, KEYS
from outlay_collector.dialects.numbers import instant_of, money_of, number_of
from outlay_collector.dialects.recognize import MOST_SCOPES, dialect_of_scope
from outlay_collector.settle.reading.documents import NAMES

DIGITS = "9" * 400
LONG = "9" * 5_000
HUGE = ("1e400", "-1e400", "1e999999999999", "1e1000000", "1e-1000000", "1e308", "-1e308", DIGITS, LONG, f"0.{LONG}")
INSTANTS = (
    "1234567890.1e20",
    "1234567890.1e400",
    "1234567890e9999999",
    "9999999999",
    "1234567890123456789.5",
    "1234567890.",
)
WORDS = (
    "NaN",
    "inf",
    "-Infinity",
    "null",
    "true",
    "",
    "-",
    '"',
    "٣",
    "\udcff",
    "9999-12-31T23:59:59-23:59",
    "0001-01-01",
)
PLAIN = (*HUGE, *INSTANTS, *WORDS)
USED = {"gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": "20"}


def usage_text(number: str) -> str:
    names = ("input_tokens", "output_tokens", "prompt_tokens", "completion_tokens", "total_tokens", "reasoning_tokens")
    counts = ", ".join(f'"{name}": {number}' for name in names)
    return (
        f'{{{counts}, "model": {number}, "usage": {{{counts}}}, "input_tokens_details": {{"cached_tokens": {number}}}}}'
    )


NESTED = ("[" * 300 + "]" * 300, '{"usage":' * 300 + "1" + "}" * 300, '{"usage": {"input_tokens": "\\ud800"}}')
JSON = (
    *(usage_text(number) for number in (*HUGE[:-2], "NaN", "-Infinity", "true", '"1e400"', "[1]")),
    f'{{"input_tokens": {LONG}, "model": 0.{LONG}}}',
    *NESTED,
)
SCOPES = sorted({dialect.scopes[0].split("@<")[0].rstrip("$") for dialect in DIALECTS if dialect.scopes} | {"mine"})
values = st.one_of(st.sampled_from((*PLAIN, *JSON)), st.text(max_size=8), st.floats().map(str), st.integers().map(str))
names = st.sampled_from((*KEYS, *(f"{beginning}x" for beginning in FREE), "outlay.prompt.part.x.tokens"))
spans = st.builds(
    Sent,
    st.dictionaries(names, values.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=12),
    scope=st.sampled_from(SCOPES),
    version=st.sampled_from((LONG, "1." * 5_000, "0.1.14", "", "٣.1")),
    texts=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(JSON), max_size=3),
)


@pytest.mark.parametrize("value", [*PLAIN, *JSON], ids=lambda text: text[:24].encode("ascii", "replace").decode())
def test_every_attribute_may_hold_anything(value: str) -> None:
    chosen = {f"{beginning}x": value for beginning in FREE} | {"outlay.prompt.part.x.tokens": value}
    text = "" if "\udcff" in value else value
    names = [*KEYS, *chosen]
    for some in (names[at : at + 50] for at in range(0, len(names), 50)):
        scopes = itertools.cycle(SCOPES)
        assert len(read(*(Sent({**OTEL, name: value}, scope=next(scopes)) for name in some))) == len(some)
    for some in (SCOPES[at : at + 5] for at in range(0, len(SCOPES), 5)):
        together = [Sent(dict.fromkeys(KEYS, value) | chosen, scope=scope, version=LONG) for scope in some]
        inside = [Sent({}, scope=scope, texts=dict.fromkeys(NAMES, text)) for scope in some]
        assert len(read(*together, *inside)) == 2 * len(some)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])  # of a busy machine
@given(st.lists(spans, max_size=3))
def test_any_mixture_of_values_is_read(sent: list[Sent]) -> None:
    assert len(read(*sent)) == len(sent)


@pytest.mark.parametrize("text", ["1e400", "-1e400", DIGITS, LONG, "nan", "inf"])
def test_what_is_not_finite_is_no_number(text: str) -> None:
    assert number_of(text.encode()) is None


def test_an_amount_of_any_exponent_is_one_or_none() -> None:
    assert [money_of(text) for text in (b"1e1000000", b"-1e1000000", b"1e99999999999999999999")] == [None] * 3
    assert money_of(b"1e-1000000") == 0
    assert money_of(b"12.5e1") == Decimal(125)


@pytest.mark.parametrize("text", ["1234567890.1e20", "1234567890.1e400", "1234567890.1e9999999", "1234567890e5"])
def test_a_time_since_1970_is_a_plain_decimal(text: str) -> None:
    assert instant_of(text.encode()) is None
    assert instant_of(b"1234567890.5") == datetime(2009, 2, 13, 23, 31, 30, 500_000, UTC)


@pytest.mark.parametrize("number", [DIGITS, "1e400", '"1e400"', f'"{LONG}"'])
def test_a_count_beyond_every_number_is_unknown_and_leaves_the_others(number: str) -> None:
    text = f'{{"input_tokens": {number}, "output_tokens": 4}}'
    row = read_one({**OTEL, "gen_ai.usage.raw": text}, scope="pydantic-ai", version="1.0.0")
    assert (row["input_tokens"], row["output_tokens"]) == (None, 4)


def test_a_version_of_any_length_is_compared_and_few_scopes_are_remembered() -> None:
    anthropic = "openinference.instrumentation.anthropic"
    assert read_one({}, scope=anthropic, version=LONG)["dialect"] == "openinference"
    assert read_one({}, scope=anthropic, version=f"0.1.{'0' * 50}9")["dialect"] == "openinference_anthropic_old"
    for n in range(MOST_SCOPES + 10):
        dialect_of_scope("sent", str(n))
    assert dialect_of_scope.cache_info().currsize == MOST_SCOPES


@pytest.mark.parametrize("text", ["1e400", "-5", "1e300", "NaN"])
def test_a_first_token_that_no_request_waits_for_is_unknown(text: str) -> None:
    assert read_one({**OTEL, **USED, "gen_ai.server.time_to_first_token": text})["time_to_first_token_ms"] is None
    assert read_one({**OTEL, **USED, "gen_ai.server.time_to_first_token": "0.25"})["time_to_first_token_ms"] == 250


@pytest.mark.parametrize("text", ["1e400", "-1e400", LONG])
def test_a_similarity_that_is_not_finite_is_unknown(text: str) -> None:
    row = read_one({**OTEL, "outlay.cache.kind": "semantic", "outlay.cache.similarity": text})
    assert row["cache_similarity"] is None


def test_a_part_of_a_prompt_has_a_count_that_a_request_can_hold_or_is_left_out() -> None:
    written = {"a": "18446744073709549568", "b": "4294967296", "c": "many", "d": "-1", "e": "1e400", "f": "0", "g": "7"}
    row = read_one({**OTEL, **USED, **{f"outlay.prompt.part.{name}.tokens": text for name, text in written.items()}})
    assert row["prompt_parts"] == {"f": 0, "g": 7}
