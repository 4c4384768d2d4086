"""Every recorded library, through OTLP and settle, against what the provider knows."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.conftest import ENGINE_PATH
from tests.corpus import UNREADABLE, captures, compare
from tests.landing import collector

from outlay_analytics.questions.written_rows import rows_of
from outlay_collector import settle
from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Row, Store, load_sql, migrate, open_store

# What may differ between two ways of sending the same spans: only when it happened.
NOT_COMPARED = "version, is_deleted"


def send_all(
    store: Store,
    path: Path,
    bodies: list[tuple[str, str, str, bytes]],
    settle_every: int,
    on_calls: Callable[[pa.Table], None] | None = None,
) -> None:
    """Send (project, kind, encoding, body) and settle in between."""
    with collector(store, path) as made:
        settler = Settler(store, PriceBook(store), on_calls=on_calls)
        for at in range(0, len(bodies), settle_every):
            for project, kind, encoding, body in bodies[at : at + settle_every]:
                made.send(body, project, encoding, kind=kind, max_age_days=None)
            made.load()
            while settler.run_once():
                pass
        settler.close()


def all_calls(store: Store) -> list[dict[str, Any]]:
    return store.query(
        f"SELECT * EXCEPT ({NOT_COMPARED}) FROM calls FINAL ORDER BY project, started_at, trace_id, span_id, n"
    )


@pytest.fixture(scope="module")
def written() -> list[pa.Table]:
    """What the settler of `world` said that it wrote."""
    return []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, written: list[pa.Table]) -> Iterator[Store]:
    """All captures, each in a project of its own, sent as they were recorded."""
    store = open_store(f"chdb://{ENGINE_PATH}?database=corpus_{uuid.uuid4().hex[:8]}")
    migrate(store)
    bodies = [(c.name, *body) for c in captures().values() for body in c.bodies]
    send_all(store, tmp_path_factory.mktemp("spool"), bodies, settle_every=len(bodies), on_calls=written.append)
    yield store
    store.close()


@pytest.fixture(scope="module")
def calls(world: Store) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in captures()}
    for row in all_calls(world):
        found[row["project"]].append(row)
    return found


@pytest.mark.parametrize("name", sorted(set(captures()) - set(UNREADABLE)))
def test_every_number_of_a_capture_is_right_or_unknown(name: str, calls: dict[str, list[dict[str, Any]]]) -> None:
    assert compare(captures()[name], calls[name]) == []


@pytest.mark.parametrize("name", sorted(UNREADABLE))
def test_a_capture_listed_as_unreadable_is_unreadable(name: str, calls: dict[str, list[dict[str, Any]]]) -> None:
    assert compare(captures()[name], calls[name]) != [], "it can be read now: take it off the list"


def test_at_most_one_in_a_hundred_captures_is_unreadable() -> None:
    assert len(UNREADABLE) <= len(captures()) / 100


@pytest.mark.parametrize("name", ["litellm-proxy__keys", "litellm-proxy-v2__keys"])
def test_what_a_proxys_callers_say_of_a_request_is_read_before_whose_key_it_was(
    name: str, calls: dict[str, list[dict[str, Any]]]
) -> None:
    truth = {each["tokens"]["input_total"]: each["said"] for each in captures()[name].expected["calls"]}
    found = {call["input_tokens"]: {key: call[key] for key in truth[15]} for call in calls[name]}
    assert found == truth


def test_rows_that_are_kept_as_they_were_written_are_what_the_store_answers(
    world: Store, written: list[pa.Table]
) -> None:
    def shown(row: Row) -> str:
        return repr(sorted(row.items()))

    kept = {shown({name: row[name] for name in row if name != "project"}) for each in written for row in rows_of(each)}
    rows = load_sql("outlay_analytics.questions.sql", "calls_rows", which="1")
    of_all = rows.replace("{project:String}", "c.project")
    stored = world.query(of_all, {"limit": 100_000})
    assert len(stored) > 400
    assert [shown(row) for row in stored if shown(row) not in kept] == []


def test_failed_calls_are_not_billed(calls: dict[str, list[dict[str, Any]]]) -> None:
    wrong = []
    for name, capture in captures().items():
        failed = [call for call in calls[name] if call["cost_state"] == "not_billed"]
        if any(call["cost_usd"] != 0 or call["status"] != "error" for call in failed):
            wrong.append(name)
        if capture.expected["failed_requests"] == 0 and failed:
            wrong.append(f"{name} has failed calls, the provider failed none")
    assert wrong == []


def test_unknown_usage_is_unknown_and_never_zero(calls: dict[str, list[dict[str, Any]]]) -> None:
    rows = [call for found in calls.values() for call in found if call["cost_state"] == "no_usage"]
    assert rows
    assert {(row["input_tokens"], row["output_tokens"], row["cost_usd"]) for row in rows} == {(None, None, None)}
    assert all(call["input_tokens"] != 0 for found in calls.values() for call in found)


def test_a_librarys_own_estimate_is_marked(calls: dict[str, list[dict[str, Any]]]) -> None:
    assert [call["cost_state"] for call in calls["openlit__openai_stream_nousage"]] == ["estimated"]


def test_every_span_is_in_a_call_known_as_a_repeat_or_plain(world: Store) -> None:
    lost = world.query(
        "SELECT project, name FROM spans FINAL WHERE attributes['gen_ai.usage.input_tokens'] NOT IN ('', '0') "
        "AND (project, trace_id, span_id) NOT IN (SELECT project, trace_id, span_id FROM calls FINAL) "
        "AND (project, trace_id, span_id) NOT IN (SELECT project, trace_id, span_id FROM repeats FINAL)"
    )
    assert lost == []


def test_lines_add_up_to_the_cost_and_parts_fit_into_their_whole(world: Store) -> None:
    wrong = world.query(
        "SELECT call_id FROM calls FINAL WHERE arraySum(mapValues(cost_lines)) != ifNull(cost_usd, 0) "
        "OR ifNull(cache_read_tokens, 0) + ifNull(cache_write_tokens, 0) > ifNull(input_tokens, 0) "
        "OR ifNull(cache_write_1h_tokens, 0) > ifNull(cache_write_tokens, 0) "
        "OR ifNull(reasoning_tokens, 0) > ifNull(output_tokens, 0)"
    )
    assert wrong == []


@pytest.mark.parametrize("giant_spans", [settle.GIANT_SPANS, 0], ids=["whole traces", "only what a change touches"])
def test_order_batches_and_resends_do_not_change_a_call(
    world: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, giant_spans: int
) -> None:
    monkeypatch.setattr(settle, "GIANT_SPANS", giant_spans)
    spans: list[tuple[str, str, str, bytes]] = []
    for capture in captures().values():
        for kind, encoding, body in capture.bodies:
            if encoding == "json" or kind == "logs":
                spans.append((capture.name, kind, encoding, body))
            else:
                spans += [(capture.name, kind, encoding, one) for one in span_by_span(body)]
    random.Random(7).shuffle(spans)
    store = open_store(f"chdb://{ENGINE_PATH}?database=shuffled_{uuid.uuid4().hex[:8]}")
    migrate(store)
    send_all(store, tmp_path / "spool", spans + spans[: len(spans) // 3], settle_every=len(spans) // 5 + 1)
    assert all_calls(store) == all_calls(world)
    store.close()


def test_settling_all_of_it_again_changes_nothing(world: Store) -> None:
    before = all_calls(world)
    settler = Settler(world, PriceBook(world))
    traces = world.query("SELECT DISTINCT project, trace_id FROM spans")
    settler.settle([(row["project"], row["trace_id"]) for row in traces])
    settler.close()
    assert all_calls(world) == before


def span_by_span(body: bytes) -> Iterator[bytes]:
    """The spans of a request, each as a request of its own."""
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                one = ExportTraceServiceRequest()
                into = one.resource_spans.add()
                into.resource.CopyFrom(resource.resource)
                inner = into.scope_spans.add()
                inner.scope.CopyFrom(scope.scope)
                inner.spans.add().CopyFrom(span)
                yield one.SerializeToString()


# Captures whose calls have no feature, and why.
FEATURELESS = {
    "langfuse": "Langfuse alone names no service; these calls are neither in a trace with a name nor tagged",
}


def test_every_recorded_library_s_calls_have_a_feature_or_it_is_known_why_not(
    calls: dict[str, list[dict[str, Any]]],
) -> None:
    without = {name for name, found in calls.items() if any(not call["feature"] for call in found)}
    assert {name.split("__")[0] for name in without} == set(FEATURELESS)
    assert {name for name in without if name.startswith("langfuse")} < {n for n in calls if n.startswith("langfuse")}


def test_features_of_recorded_libraries_come_from_what_their_users_named(
    calls: dict[str, list[dict[str, Any]]],
) -> None:
    named = {
        "langfuse__lf_observe_nested": {"search"},
        "vercel-ai-sdk": {"gen", "emb", "par"},
        "traceloop-sdk": {"answer_question", "agent_flow", "assoc_flow"},
        "pydantic-ai__": {"geo_agent"},
        "langsmith-otel__langgraph_agent": {"LangGraph"},
        "otel-genai-langchain__": {"RunnableSequence", "LangGraph"},
        "hand-semconv__semconv_session_user": {"/chat"},
    }
    for beginning, features in named.items():
        found = {call["feature"] for name, rows in calls.items() if name.startswith(beginning) for call in rows}
        assert features <= found, (beginning, found)
    # A client's route is what it asks for, not what for.
    assert not [call for rows in calls.values() for call in rows if call["feature"] == "/v1/messages"]
