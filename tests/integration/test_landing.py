"""OTLP bodies become rows of `spans`: every value kept, whatever its type; nothing dropped silently."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from tests.landing import Collector, collector
from tests.otlp_bodies import DAY_NS, any_value, body, json_body, logs_body, request, span

from outlay_collector.otlp.schema import text_field
from outlay_collector.store import Store

VALUES = {
    "text": "hello \u202e\U0001f600",
    "nul": "a\x00b",
    "empty": "",
    "int": -(2**63),
    "true": True,
    "false": False,
    "zero": 0,
    "double": 0.25,
    "whole": 3.0,
    "bytes": b"\x00\xff",
    "list": ["a", 1, True, 0.5, None, 'quote " and \\ and \n'],
    "object": {"a": 1, "b": "x/y"},
    "mixed": [{"role": "user", "n": 1}, ["x", "y"]],
    "object of lists": {"l": [1, 2], "o": {"p": False}},
    "nothing": None,
    "deep": [{"parts": [{"content": {"text": "deep"}}]}],
}
STORED = {
    "text": "hello \u202e\U0001f600",
    "nul": "a\x00b",
    "empty": "",
    "int": "-9223372036854775808",
    "true": "true",
    "false": "false",
    "zero": "0",
    "double": "0.25",
    "whole": "3",
    "bytes": "AP8=",
    "nothing": "",
}


@pytest.fixture
def landing(store: Store, tmp_path: Path) -> Iterator[Collector]:
    with collector(store, tmp_path / "spool") as made:
        yield made


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


@pytest.mark.parametrize("encoding", ["protobuf", "json"])
def test_every_kind_of_value_is_kept_as_text(landing: Collector, rng: random.Random, encoding: str) -> None:
    shallow = {key: value for key, value in VALUES.items() if key != "deep"}
    for attributes in (shallow, VALUES):
        one = span(rng, attributes)
        sent = body([one]) if encoding == "protobuf" else json_body([one])
        landing.send(sent, encoding=encoding)
        landing.load()
        stored = landing.store.query(
            "SELECT attributes FROM spans WHERE span_id = {id:String}", {"id": one.span_id.hex()}
        )[0]["attributes"]
        assert set(stored) == set(attributes)
        for key, value in attributes.items():
            if key in STORED:
                assert stored[key] == STORED[key], key
            else:
                assert json.loads(stored[key]) == value, key


def test_the_span_keeps_its_place_times_and_names(landing: Collector, rng: random.Random) -> None:
    parent = span(rng)
    child = span(rng, trace_id=parent.trace_id, parent_span_id=parent.span_id, kind=1)
    child.status.code = Status.STATUS_CODE_ERROR
    child.status.message = "boom"
    child.links.add(trace_id=b"\x01" * 16, span_id=b"\x02" * 8)
    child.events.add(time_unix_nano=child.start_time_unix_nano + 5, name="exception").attributes.add(
        key="exception.type", value=any_value("ValueError")
    )
    sent = request([parent, child])
    sent.resource_spans[0].resource.attributes.add(key="service.version", value=any_value("1.2"))
    sent.resource_spans[0].resource.attributes.add(key="deployment.environment", value=any_value("prod"))
    landing.send(sent.SerializeToString())
    landing.load()
    row = landing.store.query(
        "SELECT *, toUnixTimestamp64Nano(started_at) AS start_ns, toUnixTimestamp64Nano(events.at[1]) AS event_ns "
        "FROM spans WHERE span_id = {id:String}",
        {"id": child.span_id.hex()},
    )[0]
    assert row["trace_id"] == parent.trace_id.hex()
    assert row["parent_span_id"] == parent.span_id.hex()
    assert row["start_ns"] == child.start_time_unix_nano
    assert row["duration_ns"] == child.end_time_unix_nano - child.start_time_unix_nano
    assert (row["name"], row["kind"], row["status"], row["status_message"]) == (
        "chat gpt-4o-mini",
        "internal",
        "error",
        "boom",
    )
    assert (row["service"], row["service_version"], row["environment"]) == ("shop", "1.2", "prod")
    assert row["resource_attributes"]["service.name"] == "shop"
    assert row["scope_name"] == "test"
    assert row["links"] == [{"trace_id": "01" * 16, "span_id": "02" * 8}]
    assert row["events"][0]["name"] == "exception"
    assert row["events"][0]["attributes"] == {"exception.type": "ValueError"}
    assert row["event_ns"] == child.start_time_unix_nano + 5
    assert row["flags"] == []


def test_prompts_and_answers_go_to_texts_and_counts_do_not(landing: Collector, rng: random.Random) -> None:
    content = {
        "gen_ai.input.messages": '[{"role":"user"}]',
        "gen_ai.prompt.0.content": "hi",
        "llm.input_messages.0.message.content": "hi",
        "output.value": "answer",
        "traceloop.entity.input": "{}",
        "anything.long": "x" * 5000,
        "gen_ai.output.messages": [{"role": "assistant", "parts": [{"content": "yes"}]}],
    }
    kept = {
        "gen_ai.prompt.name": "triage",
        "gen_ai.usage.raw": '{"a":"' + "y" * 5000 + '"}',
        "gen_ai.usage.input_tokens": 5,
        "metadata": "z" * 5000,
    }
    landing.send(body([span(rng, {**content, **kept})]))
    landing.load()
    row = landing.spans()[0]
    assert set(row["texts"]) == set(content)
    assert set(row["attributes"]) == set(kept)
    assert row["texts"]["anything.long"] == "x" * 5000


def test_what_was_made_safe_is_flagged(landing: Collector, rng: random.Random) -> None:
    start = time.time_ns()
    landing.send(
        body(
            [
                span(rng, name="backwards", start_time_unix_nano=start, end_time_unix_nano=start - 5),
                span(rng, name="no end", end_time_unix_nano=0),
                span(rng, name="forever", start_time_unix_nano=start, end_time_unix_nano=start + 500 * DAY_NS),
                span(rng, name="far", start_time_unix_nano=start, end_time_unix_nano=2**64 - 1),
                span(rng, name="dropped", dropped_attributes_count=3, dropped_events_count=1, dropped_links_count=2),
                span(rng, name="zero parent", parent_span_id=bytes(8)),
            ]
        )
    )
    landing.load()
    rows = {row["name"]: row for row in landing.spans()}
    assert (rows["backwards"]["duration_ns"], rows["backwards"]["flags"]) == (0, ["end_before_start"])
    assert (rows["no end"]["duration_ns"], rows["no end"]["flags"]) == (0, ["no_end"])
    assert (rows["forever"]["duration_ns"], rows["forever"]["flags"]) == (400 * DAY_NS, ["duration_capped"])
    assert rows["far"]["flags"] == ["duration_capped"]
    assert rows["dropped"]["flags"] == [
        "sender_dropped_attributes",
        "sender_dropped_events",
        "sender_dropped_links",
    ]
    assert rows["zero parent"]["parent_span_id"] == ""


def test_bytes_that_are_not_utf8_are_replaced_and_flagged_and_neighbours_stay_clean(
    landing: Collector, rng: random.Random
) -> None:
    bad, good = span(rng, {"k": "MARK"}, name="bad"), span(rng, {"k": "fine"}, name="good")
    sent = body([bad, good]).replace(b"MARK", b"a\xff\xfeb")
    accepted = landing.send(sent)
    assert accepted.rewritten == "not_utf8"
    landing.load()
    rows = {row["name"]: row for row in landing.spans()}
    assert rows["bad"]["attributes"] == {"k": "a\ufffd\ufffdb"}
    assert rows["bad"]["flags"] == ["invalid_utf8"]
    assert (rows["good"]["attributes"], rows["good"]["flags"]) == ({"k": "fine"}, [])


def test_a_body_cannot_bring_its_own_envelope(landing: Collector, rng: random.Random) -> None:
    forged = body([span(rng)]) + text_field(15008, "other-project") + text_field(15009, "forged")
    accepted = landing.send(forged, project="mine")
    assert accepted.rewritten == "own_fields"
    landing.load()
    row = landing.spans()[0]
    assert row["project"] == "mine"
    assert row["body_id"] != "forged"


def test_a_body_cannot_bring_its_own_flags(landing: Collector, rng: random.Random) -> None:
    one = span(rng)
    forged = Span.FromString(one.SerializeToString() + text_field(15016, "trusted"))
    landing.send(body([forged]))
    landing.load()
    assert landing.spans()[0]["flags"] == []


def test_two_projects_in_one_batch_stay_apart(landing: Collector, rng: random.Random) -> None:
    same = span(rng)
    for project in ("a", "b", "a"):
        landing.send(body([same, span(rng)]), project=project)
    landing.load()
    projects = [row["project"] for row in landing.spans()]
    assert sorted(projects) == ["a", "a", "a", "b", "b"]
    ledger = landing.ledger()
    assert (ledger["received"], ledger["stored"], ledger["duplicate"]) == (6, 5, 1)


def test_the_fuller_copy_of_a_span_wins_in_any_order_of_arrival(landing: Collector, rng: random.Random) -> None:
    early = span(rng, {"a": 1}, end_time_unix_nano=0)
    late = span(rng, {"a": 1, "b": 2}, trace_id=early.trace_id, span_id=early.span_id)
    late.start_time_unix_nano = early.start_time_unix_nano
    late.end_time_unix_nano = early.start_time_unix_nano + 9
    for project, order in (("one", [early, late]), ("two", [late, early])):
        for one in order:
            landing.send(body([one]), project=project)
            landing.load()
    rows = {row["project"]: row for row in landing.spans()}
    assert len(rows) == 2
    for row in rows.values():
        assert (row["attributes"], row["duration_ns"]) == ({"a": "1", "b": "2"}, 9)
    assert rows["one"]["version"] == rows["two"]["version"]


def test_resent_and_rebatched_spans_are_counted_once(landing: Collector, rng: random.Random) -> None:
    spans = [span(rng) for _ in range(60)]
    landing.send(body(spans))
    landing.load()
    landing.send(body(spans))
    for start in range(0, 60, 7):
        landing.send(body(spans[start : start + 20]))
    landing.send(body([*spans[:10], *spans[:10]]))
    landing.load()
    assert len(landing.spans()) == 60
    ledger = landing.ledger()
    assert ledger["stored"] == 60
    assert ledger["duplicate"] == ledger["received"] - 60


def test_the_trace_is_marked_dirty_and_its_hours_known(landing: Collector, rng: random.Random) -> None:
    first = span(rng)
    second = span(rng, trace_id=first.trace_id, start_time_unix_nano=first.start_time_unix_nano - 3 * 3600 * 10**9)
    landing.send(body([first]))
    landing.load()
    landing.send(body([second]))
    landing.load()
    dirty = landing.store.query("SELECT * FROM dirty_traces ORDER BY seq")
    assert [(row["trace_id"], row["spans"]) for row in dirty] == [(first.trace_id.hex(), 1)] * 2
    assert dirty[0]["seq"] < dirty[1]["seq"]
    assert {row["loader"] for row in dirty} == {landing.spool.name}
    hours = landing.store.query(
        "SELECT dateDiff('hour', min(first_hour), max(last_hour)) AS apart FROM trace_hours GROUP BY trace_id"
    )
    assert hours == [{"apart": 3}]


def test_a_span_event_that_is_an_evaluation_is_a_score(landing: Collector, rng: random.Random) -> None:
    one = span(rng)
    event = one.events.add(time_unix_nano=one.end_time_unix_nano, name="gen_ai.evaluation.result")
    for key, value in (("name", "correct"), ("score.value", 0.9), ("score.label", "good")):
        event.attributes.add(key=f"gen_ai.evaluation.{key}", value=any_value(value))
    landing.send(body([one]))
    landing.load()
    scores = landing.store.query("SELECT trace_id, span_id, name, value, label FROM scores FINAL")
    assert scores == [
        {
            "trace_id": one.trace_id.hex(),
            "span_id": one.span_id.hex(),
            "name": "correct",
            "value": 0.9,
            "label": "good",
        }
    ]


def test_logs_become_events_and_scores_and_dirty_their_trace(landing: Collector, rng: random.Random) -> None:
    one = span(rng)
    at = time.time_ns()
    landing.send(body([one]))
    landing.load()
    ids = {"trace_id": one.trace_id, "span_id": one.span_id, "time_unix_nano": at}
    evaluation = {"gen_ai.evaluation.name": "correct", "gen_ai.evaluation.score.value": 1}
    accepted = landing.send(
        logs_body(
            [
                {**ids, "event_name": "gen_ai.evaluation.result", "attributes": evaluation},
                {**ids, "event_name": "gen_ai.user.message", "body": {"content": [{"text": "hi"}], "role": "user"}},
                {**ids, "event_name": "gen_ai.user.message", "body": {"content": "second"}},
                {**ids, "attributes": {"event.name": "gen_ai.choice"}, "body": "plain"},
                {**ids, "event_name": "app.started"},
            ]
        ),
        kind="logs",
    )
    assert (accepted.spans, accepted.rejected) == (4, 1)
    landing.load()
    events = landing.store.query(
        "SELECT name, attributes, toUnixTimestamp64Nano(at) AS ns FROM events FINAL ORDER BY name, toString(attributes)"
    )
    assert [event["name"] for event in events] == [
        "gen_ai.choice",
        "gen_ai.evaluation.result",
        "gen_ai.user.message",
        "gen_ai.user.message",
    ]
    assert {event["ns"] for event in events} == {at}
    messages = sorted(event["attributes"]["content"] for event in events if event["name"] == "gen_ai.user.message")
    assert messages == ['[{"text": "hi"}]', "second"]
    assert landing.store.query("SELECT name, value FROM scores FINAL") == [{"name": "correct", "value": 1.0}]
    assert landing.store.query("SELECT count() AS n FROM dirty_traces") == [{"n": 2}]
    ledger = landing.ledger()
    assert (ledger["logs_received"], ledger["logs_stored"], ledger["logs_rejected"]) == (5, 4, 1)
    assert ledger["received"] == 1


def test_more_months_than_partitions_in_one_body_all_land_when_age_does_not_matter(
    landing: Collector, rng: random.Random
) -> None:
    now = time.time_ns()
    spans = [span(rng, {"n": i}, start_time_unix_nano=now - i * 31 * DAY_NS) for i in range(200)]
    assert landing.send(body(spans)).rejected == 200 - 13
    accepted = landing.send(body(spans), max_age_days=None)
    assert (accepted.spans, accepted.rejected) == (200, 0)
    landing.load()
    assert len(landing.spans()) == 200
    ledger = landing.ledger()
    assert (ledger["stored"], ledger["rejected"], ledger["duplicate"]) == (200, 187, 13)


def test_twenty_thousand_attributes_on_one_span_are_kept(landing: Collector, rng: random.Random) -> None:
    landing.send(body([span(rng, {f"k{i}": "v" for i in range(20_000)})]))
    landing.load()
    assert len(landing.spans()[0]["attributes"]) == 20_000
