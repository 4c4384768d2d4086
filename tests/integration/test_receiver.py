"""OTLP over HTTP: content types, encodings, limits and error bodies as the specification says."""

from __future__ import annotations

import gzip
import json
import random
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from tests.landing import QUOTA_BYTES, Collector, Http, authenticate, collector, http_collector, listening
from tests.otlp_bodies import body, json_body, logs_body, span

from outlay_collector.receive.http import Receiver
from outlay_collector.receive.intake import Intake
from outlay_collector.spool.spool import Spool, SpoolFull
from outlay_collector.store import Store

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture
def served(store: Store, tmp_path: Path) -> Iterator[tuple[Http, Collector]]:
    with http_collector(store, tmp_path / "spool") as both:
        yield both


@pytest.fixture
def http(tmp_path: Path) -> Iterator[Http]:
    """The intake alone: what it answers does not need a store."""
    spool = Spool(tmp_path / "spool", quota_bytes=QUOTA_BYTES)
    with listening(Receiver(spool, authenticate)) as client:
        yield client
    spool.close()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(3)


def test_every_way_of_sending_the_same_spans_is_taken(served: tuple[Http, Collector], rng: random.Random) -> None:
    http, made = served
    spans = [span(rng) for _ in range(5)]
    plain, text = body(spans), json_body(spans)
    raw_deflate = zlib.compressobj(wbits=-15)
    ways = [
        http.post(plain),
        http.post(plain, "application/x-protobuf; charset=utf-8"),
        http.post(plain, "Application/X-Protobuf"),
        http.post(gzip.compress(plain), content_encoding="gzip"),
        http.post(gzip.compress(plain[:40]) + gzip.compress(plain[40:]), content_encoding="gzip"),
        http.post(zlib.compress(plain), content_encoding="deflate"),
        http.post(raw_deflate.compress(plain) + raw_deflate.flush(), content_encoding="deflate"),
        http.post(plain, content_encoding="identity"),
        http.post(plain, path="/api/public/otel/v1/traces"),
        http.post(text, "application/json; charset=utf-8"),
        http.post(gzip.compress(text), JSON, content_encoding="gzip"),
    ]
    assert [(way.status, way.body) for way in ways[:9]] == [(200, b"")] * 9
    assert [(way.status, way.body) for way in ways[9:]] == [(200, b"{}")] * 2
    assert {way.headers["content-type"] for way in ways[:9]} == {PROTOBUF}
    assert {way.headers["content-type"] for way in ways[9:]} == {JSON}
    made.load()
    assert len(made.spans()) == 5
    assert made.ledger()["duplicate"] == 50


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_an_empty_request_is_a_success(http: Http, content_type: str) -> None:
    for nothing in (b"",) if content_type == PROTOBUF else (b"{}", b'{"resourceSpans":[]}'):
        assert http.post(nothing, content_type).status == 200


def test_bad_spans_are_told_and_their_good_neighbours_kept(served: tuple[Http, Collector], rng: random.Random) -> None:
    http, made = served
    old = time.time_ns() - 401 * 86_400 * 10**9
    mixed = [span(rng), span(rng, trace_id=bytes(16)), span(rng), span(rng, start_time_unix_nano=old)]
    answer = http.post(body(mixed))
    partial = ExportTraceServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, partial.rejected_spans) == (200, 2)
    assert "trace_id" in partial.error_message
    assert "start time" in partial.error_message
    told = json.loads(http.post(json_body(mixed), JSON).body)["partialSuccess"]
    assert told["rejectedSpans"] == "2"
    made.load()
    assert len(made.spans()) == 2
    assert made.ledger()["rejected"] == 4


@pytest.mark.parametrize(
    ("sent", "content_type", "encoding", "status"),
    [
        (b"\xff\xff\xff\xff", PROTOBUF, "", 400),
        (b"{", JSON, "", 400),
        (b"[]", JSON, "", 400),
        (b'{"resourceSpans":{}}', JSON, "", 400),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":5}]}]}]}', JSON, "", 400),
        (b"\xff\xfe{}", JSON, "", 400),
        (b"[" * 100_000, JSON, "", 400),
        (b"{}", "text/plain", "", 415),
        (b"{}", "", "", 415),
        (b"x", PROTOBUF, "br9", 415),
        (b"not gzip", PROTOBUF, "gzip", 400),
        (gzip.compress(b"\x0a\x00" * 50)[:-9], PROTOBUF, "gzip", 400),
        (zlib.compress(b"\x0a\x00" * 50) + b"more", PROTOBUF, "deflate", 400),
        (gzip.compress(b"\0" * (64 << 20)), PROTOBUF, "gzip", 413),
        (gzip.compress(b'{"resourceSpans":[' + b" " * (21 << 20)), JSON, "gzip", 413),
        (bytes(25 << 20), PROTOBUF, "", 413),
    ],
    ids=lambda value: str(value)[:24] if not isinstance(value, bytes) else f"{len(value)} bytes",
)
def test_bad_bodies_are_refused_with_a_status_in_the_requests_type(
    http: Http, sent: bytes, content_type: str, encoding: str, status: int
) -> None:
    answer = http.post(sent, content_type, **({"content_encoding": encoding} if encoding else {}))
    assert answer.status == status
    if content_type == PROTOBUF:
        assert answer.headers["content-type"] == PROTOBUF
        assert Status.FromString(answer.body).message
    else:
        assert answer.headers["content-type"] == JSON
        assert json.loads(answer.body)["message"]
    assert http.post(b"").status == 200


def test_other_methods_and_paths(http: Http) -> None:
    assert (http.post(b"", method="GET").status, http.post(b"", method="GET").headers["allow"]) == (405, "POST")
    assert http.post(b"", method="PUT").status == 405
    assert http.post(b"", path="/v1/profiles").status == 404


def test_a_length_that_lies_is_refused_before_the_body(http: Http) -> None:
    with http.socket() as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n")
        raw.sendall(b"Content-Length: 1099511627776\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_comes_is_given_up(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", quota_bytes=QUOTA_BYTES)
    with listening(Receiver(spool, authenticate, body_timeout_s=0.2)) as http, http.socket() as raw:
        raw.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        raw.sendall(b"Content-Length: 9\r\n\r\n{")
        assert raw.recv(100).startswith(b"HTTP/1.1 408")
        assert spool.size_bytes == 0
    spool.close()


def test_the_key_decides_the_project(served: tuple[Http, Collector], rng: random.Random) -> None:
    http, made = served
    for key, project in (("Bearer a-key", "a"), ("Bearer b-key", "b")):
        assert http.post(body([span(rng, name=project)]), authorization=key).status == 200
    refused = http.post(body([span(rng)]), authorization="Bearer wrong")
    assert refused.status == 401
    assert "www-authenticate" in refused.headers
    assert Status.FromString(refused.body).code == 16
    made.load()
    assert {(row["project"], row["name"]) for row in made.spans()} == {("a", "a"), ("b", "b")}


def test_logs_say_which_records_are_not_kept_and_metrics_that_none_are(http: Http) -> None:
    logs = logs_body([{"event_name": "gen_ai.choice"}, {"event_name": "other"}])
    partial = ExportLogsServiceResponse.FromString(http.post(logs, path="/v1/logs").body).partial_success
    assert partial.rejected_log_records == 1
    answer = http.post(b"", path="/v1/metrics")
    said = ExportMetricsServiceResponse.FromString(answer.body).partial_success
    assert (answer.status, said.rejected_data_points) == (200, 0)
    assert "not kept" in said.error_message
    assert "not kept" in http.post(b"{}", JSON, path="/v1/metrics").body.decode()


def test_json_logs_are_taken(served: tuple[Http, Collector]) -> None:
    http, made = served
    record = {
        "timeUnixNano": str(time.time_ns()),
        "traceId": "0A" * 16,
        "spanId": "0b" * 8,
        "eventName": "gen_ai.evaluation.result",
        "attributes": [
            {"key": "gen_ai.evaluation.name", "value": {"stringValue": "ok"}},
            {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.5}},
        ],
    }
    sent = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert http.post(json.dumps(sent).encode(), JSON, path="/v1/logs").status == 200
    made.load()
    assert made.store.query("SELECT trace_id, value FROM scores FINAL") == [{"trace_id": "0a" * 16, "value": 0.5}]


def test_json_ids_that_are_base64_are_rejected_span_by_span(served: tuple[Http, Collector], rng: random.Random) -> None:
    http, made = served
    good = json.loads(json_body([span(rng), span(rng), span(rng)]))
    spans = good["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[0]["traceId"] = "LZ8bSguVa7OeX6FJ90FKWg=="
    spans[1]["startTimeUnixNano"] = "yesterday"
    told = json.loads(http.post(json.dumps(good).encode(), JSON).body)["partialSuccess"]
    assert told["rejectedSpans"] == "2"
    made.load()
    assert [row["span_id"] for row in made.spans()] == [spans[2]["spanId"]]


def test_json_as_sloppy_senders_write_it(served: tuple[Http, Collector]) -> None:
    http, made = served
    start = time.time_ns()
    one = {
        "trace_id": "AB" * 16,
        "span_id": "CD" * 8,
        "parent_span_id": None,
        "name": "half \ud800 surrogate",
        "kind": "SPAN_KIND_CLIENT",
        "start_time_unix_nano": start,
        "end_time_unix_nano": float(start + 10**9) // 1024 * 1024,
        "status": {"code": "STATUS_CODE_ERROR"},
        "unknown": {"deep": [[[1]]]},
        "attributes": [
            {"key": "i", "value": {"intValue": 7}},
            {"key": "s", "value": {"intValue": "8"}},
            {"key": "big", "value": {"intValue": "99999999999999999999"}},
            {"key": "nan", "value": {"doubleValue": "NaN"}},
            {"key": "d", "value": {"double_value": 2}},
            {"key": "none", "value": None},
            {"key": "empty", "value": {}},
            {"key": "nul", "value": {"stringValue": "a\x00b"}},
        ],
    }
    sent = json.dumps({"resource_spans": [{"scope_spans": [{"spans": [one]}]}]}).encode()
    assert http.post(sent, JSON).body == b"{}"
    made.load()
    row = made.spans()[0]
    assert (row["trace_id"], row["span_id"]) == ("ab" * 16, "cd" * 8)
    assert row["name"] == "half \ufffd surrogate"
    assert (row["kind"], row["status"]) == ("client", "error")
    assert row["attributes"] == {
        "i": "7",
        "s": "8",
        "big": "99999999999999999999",
        "nan": "nan",
        "d": "2",
        "none": "",
        "empty": "",
        "nul": "a\x00b",
    }


def test_a_full_spool_answers_503_with_retry_after_and_keeps_nothing(store: Store, tmp_path: Path) -> None:
    rng = random.Random(1)
    with collector(store, tmp_path / "spool", quota_bytes=20_000) as made:
        with listening(Receiver(made.spool, authenticate)) as http:
            answers = [http.post(body([span(rng, {"k": "v" * 3000})])) for _ in range(10)]
            codes = [answer.status for answer in answers]
            taken = codes.count(200)
            assert codes == [200] * taken + [503] * (10 - taken)
            assert 3 < taken < 10
            assert int(answers[-1].headers["retry-after"]) > 0
            assert Status.FromString(answers[-1].body).code == 14
            made.load()
            assert http.post(body([span(rng)])).status == 200
            made.load()
        assert made.ledger()["received"] == made.ledger()["stored"] == taken + 1


def test_too_many_bytes_at_once_are_refused_not_held(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", quota_bytes=QUOTA_BYTES)
    intake = Intake(spool)
    intake.hold(100 << 20)
    with pytest.raises(SpoolFull, match="too many"):
        intake.hold(50 << 20)
    intake.release(100 << 20)
    intake.hold(50 << 20)
    spool.close()
