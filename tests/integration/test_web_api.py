"""The API over real HTTP: what is sent comes back counted, and every error has one shape."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from tests.receiver import receiver
from tests.scrape import metrics, samples, value
from tests.web_server import Running, llm_span, own_store, running

from outlay_web.cache import Cache
from outlay_web.config import Settings

COST = Decimal("0.00021")  # 1,000 × 0.15 + 100 × 0.60 USD per million tokens


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1, bootstrap_key="r" * 32)) as found:
        yield found


@pytest.fixture
def server(shared: Running) -> Running:
    """The module's server, in a project of the test's own."""
    return shared.project(f"p{uuid.uuid4().hex[:8]}")


def test_what_is_sent_is_counted_priced_and_reconciled(server: Running) -> None:
    assert server.send_spans([llm_span(1, n, outlay__feature="search") for n in range(1, 4)]).status == 200
    server.wait_for_calls(3)
    call = server.api("/calls").json["calls"][0]
    assert (call["feature"], call["provider"], call["cost_state"]) == ("search", "openai", "computed")
    assert Decimal(call["cost_usd"]) == COST
    spend = server.api("/spend", ("group_by", "feature")).json
    assert Decimal(spend["total"]["cost_usd"]) == 3 * COST
    assert [(row["feature"], row["calls"]) for row in spend["rows"]] == [("search", 3)]
    status = server.api("/status").json
    parts = ("stored", "rejected", "quarantined", "duplicate", "pending")
    assert status["received"] == sum(status[part] for part in parts) >= 3
    assert status["calls"] >= 3
    assert status["ready"]


def test_a_part_that_clickhouse_set_aside_as_broken_is_told(server: Running) -> None:
    tables = "SELECT data_paths[1] AS path FROM system.tables WHERE database = currentDatabase() AND name = 'calls'"
    folder = Path(server.assembly.context.store.query(tables)[0]["path"]) / "detached" / "broken-on-start_202601_1_1_0"
    folder.mkdir()
    try:
        assert server.api("/status").json["broken_parts"] == 1
    finally:
        folder.rmdir()
    assert server.api("/status").json["broken_parts"] == 0


def test_sending_twice_counts_once_and_the_ledger_says_so(server: Running) -> None:
    before = server.api("/status").json
    spans = [llm_span(2, n) for n in range(1, 6)]
    for _ in range(3):
        assert server.send_spans(spans).status == 200
    server.wait(lambda: server.api("/status").json["pending"] == 0, "loaded")
    server.wait_for_calls(5)
    status = server.api("/status").json
    more = [status[name] - before[name] for name in ("received", "stored", "duplicate", "calls")]
    assert more == [15, 5, 10, 5]


def test_a_trace_shows_what_was_counted_and_why(server: Running) -> None:
    agent = llm_span(3, 1, gen_ai__operation__name="invoke_agent")
    server.send_spans([agent, llm_span(3, 2, parent=1)])
    server.wait_for_calls(1)
    spans = server.api(f"/traces/{3:032x}").json["spans"]
    assert sorted((span["span_id"][-1], span["counted"]) for span in spans) == [("1", False), ("2", True)]
    assert all(span["reason"] for span in spans)


def test_ids_filter_in_either_case(server: Running) -> None:
    server.send_spans([llm_span(0xABCDEF, 1), llm_span(0xABCDE0, 1)])
    server.wait_for_calls(2)
    call = server.api("/calls", ("trace_id", f"{0xABCDEF:032X}")).json["calls"][0]
    assert call["trace_id"] == f"{0xABCDEF:032x}"
    for name in ("trace_id", "call_id"):
        assert server.api("/spend", (name, call[name].upper())).json["total"]["calls"] == 1


def test_a_score_reaches_its_call(server: Running) -> None:
    server.send_spans([llm_span(4, 1)])
    server.wait_for_calls(1)
    score = {"trace_id": f"{4:032x}", "span_id": f"{1:016x}", "name": "correct", "value": 0.9}
    assert server.post("/api/v1/scores", score).status == 201
    found = {"name": "correct", "value": 0.9}

    def scored() -> bool:
        scores = server.api("/calls").json["calls"][0]["scores"]
        return any(found.items() <= one.items() for one in scores)

    server.wait(scored, "scored")


@pytest.mark.parametrize("path", ["/calls", "/spend", "/caching", "/cascades", "/anomalies", "/traces", "/prices"])
def test_tables_come_as_csv_with_the_names_of_the_interface(server: Running, path: str) -> None:
    server.send_spans([llm_span(5, 1, outlay__feature="=cmd()")])
    server.wait_for_calls(1)
    answer = server.api(path, ("format", "csv"))
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    lines = list(csv.reader(io.StringIO(answer.text, newline="")))
    assert lines[0]
    assert not [cell for line in lines for cell in line if cell.startswith("=")]


QUESTIONS = ("/calls", "/spend", "/explain", "/caching", "/cascades", "/forecast", "/anomalies", "/traces")


@pytest.mark.parametrize("path", QUESTIONS)
def test_every_question_has_an_answer_where_there_is_no_data(server: Running, path: str) -> None:
    answer = server.api(path)
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", [*QUESTIONS, "/status", "/prices", "/budgets", "/alerts"])
def test_an_unknown_parameter_is_an_error_everywhere(server: Running, path: str) -> None:
    status, code, message = server.api(path, ("featur", "x")).error
    assert (status, code) == (400, "bad_request")
    assert "featur" in message


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([("start", "yesterday")], "start"),
        ([("start", "now"), ("end", "-1d")], "start"),
        ([("start", "-1d"), ("start", "-2d")], "start"),
        ([("group_by", "nothing")], "nothing"),
        ([("interval", "minute")], "interval"),
        ([("timezone", "Mars/Olympus")], "timezone"),
        ([("format", "xml")], "format"),
        ([("project", "../x")], "project"),
        ([("compare", "later")], "compare"),
        ([("group_by", "feature); DROP TABLE spans")], "group_by"),
    ],
)
def test_a_bad_value_is_named_in_a_400(server: Running, pairs: list[tuple[str, str]], said: str) -> None:
    status, code, message = server.api("/spend", *pairs).error
    assert (status, code) == (400, "bad_request")
    assert said in message


def test_spend_with_a_limit_puts_small_rows_into_the_remainder(server: Running) -> None:
    tokens = {f"limit {n}": 1000 * n for n in range(1, 4)}
    for feature, count in tokens.items():
        attributes: dict[str, Any] = {"outlay__feature": feature, "gen_ai__usage__input_tokens": count}
        server.send_spans([llm_span(uuid.uuid4().int >> 64, 1, **attributes)])
        server.wait_for_calls(1, ("feature", feature))
    only = [("feature", feature) for feature in tokens]
    some = server.api("/spend", ("group_by", "feature"), ("limit", "2"), *only).json
    assert [row["feature"] for row in some["rows"]] == ["limit 3", "limit 2", None]
    assert [row.get("remainder") for row in some["rows"]] == [None, None, True]
    assert sum(Decimal(row["cost_usd"]) for row in some["rows"]) == Decimal(some["total"]["cost_usd"])
    assert (some["rows_left_out"], some["total"]["calls"]) == (True, 3)
    assert server.api("/spend", ("limit", "0")).status == 400


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1e3"])
def test_a_bad_limit_is_a_400(server: Running, limit: str) -> None:
    assert server.api("/calls", ("limit", limit)).error[:2] == (400, "bad_request")


def test_a_bad_cursor_is_a_400(server: Running) -> None:
    assert server.api("/calls", ("cursor", "not a cursor")).error[:2] == (400, "bad_request")


def test_what_is_not_there_is_a_404_and_what_is_not_done_a_405(server: Running) -> None:
    assert server.api("/nothing").error[:2] == (404, "not_found")
    assert server.api(f"/traces/{9:032x}").error[:2] == (404, "not_found")
    assert server.api("/budgets/none").error[:2] == (404, "not_found")
    assert server.api("/cascades/none/thresholds").error[:2] == (404, "not_found")
    assert server.post("/api/v1/spend", {}).error[:2] == (405, "method_not_allowed")
    assert "GET" in server.post("/api/v1/spend", {}).headers["allow"]
    assert server.get("/nothing-here").status == 303  # to the login


@pytest.mark.parametrize("path", ["/api/v1/spend", "/api/v1/status", "/api/v1/budgets", "/openapi.json", "/healthz"])
def test_head_is_answered_like_get_without_a_body(server: Running, path: str) -> None:
    got, head = server.get(path), server.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    assert server.request("HEAD", "/api/v1/nothing").status == 404


def test_a_body_that_does_not_fit_says_which_field_and_not_its_value(server: Running) -> None:
    status, code, message = server.post("/api/v1/scores", {"trace_id": "sesame", "name": "x"}).error
    assert (status, code) == (422, "unprocessable")
    assert "trace_id" in message
    assert "sesame" not in message
    assert server.post("/api/v1/scores", {"trace_id": "0" * 32, "name": "x", "colour": 1}).error[0] == 422


def test_a_score_says_a_number_or_a_label_about_a_trace_in_either_case(server: Running) -> None:
    assert server.send_spans([llm_span(0xABCDEF, 1)]).status == 200
    server.wait_for_calls(1)
    trace = server.api("/calls").json["calls"][0]["trace_id"]
    said = server.post("/api/v1/scores", {"trace_id": trace.upper(), "name": "tone", "label": "kind"})
    assert (said.status, said.json) == (
        201,
        {"trace_id": trace, "span_id": None, "name": "tone", "value": None, "label": "kind"},
    )
    expected = [{"name": "tone", "value": None, "label": "kind"}]
    server.wait(lambda: server.api("/calls").json["calls"][0]["scores"] == expected, "scored")
    status, code, message = server.post("/api/v1/scores", {"trace_id": trace, "name": "tone"}).error
    assert (status, code) == (422, "unprocessable")
    assert "value" in message


def test_a_body_that_is_not_json_is_a_400_and_one_too_large_a_413(server: Running) -> None:
    headers = {"content-type": "application/json"}
    assert server.request("POST", "/api/v1/scores", b"{", headers).error[:2] == (400, "bad_request")
    assert server.request("POST", "/api/v1/scores", b" " * (2 << 20), headers).error[:2] == (413, "too_large")


def test_health_and_metrics_are_answered(server: Running) -> None:
    server.send_spans([llm_span(6, 1)])
    server.wait_for_calls(1)
    assert server.get("/healthz").status == 200
    assert server.get("/readyz").status == 200
    scraped = server.get("/metrics")
    assert scraped.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert value(server, "outlay_ingest_spans_total", state="stored") >= 1
    assert "outlay_cost_usd{" in scraped.text


def test_every_metric_is_documented_with_its_kind(server: Running) -> None:
    exported = set(re.findall(r"^# TYPE (\S+) (\S+)$", server.get("/metrics").text, re.MULTILINE))
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \| (\w+) \|", page, re.MULTILINE)) == exported


def test_whatever_a_model_is_called_its_series_is_read_back(server: Running) -> None:
    name = 'a "quoted"\\ näme\nin two lines {model="b"} 1'
    assert server.send_spans([llm_span(1, 1, gen_ai__response__model=name)]).status == 200
    server.wait_for_calls(1)
    server.assembly.context.cache = Cache()
    assert name in {sample.labels["model"] for sample in samples(server, "outlay_unpriced_calls")}


def by_series(found: list[Metric], kind: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], Decimal]:
    """Value by name and labels of the metrics of one kind."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): Decimal(str(sample.value))
        for metric in found
        if metric.type == kind
        for sample in metric.samples
    }


def test_no_counter_falls_when_calls_get_cheaper_or_vanish(server: Running) -> None:
    """As after a reprice, a correction of a trace and an erasure; money is a gauge, which may fall."""
    server.send_spans([llm_span(7, 1), llm_span(8, 1)])
    server.wait_for_calls(2)
    calls = server.api("/calls").json["calls"]
    context = server.assembly.context
    context.cache = Cache()
    before = metrics(server)
    with context.writing() as writer:
        for change in ("cost_usd = 0", "is_deleted = 1"):
            name, _, value = change.partition(" = ")
            writer.run(
                f"INSERT INTO calls SELECT * REPLACE ({value} AS {name}, version + 1 AS version) FROM calls FINAL "
                "WHERE trace_id = {trace:String}",
                {"trace": calls[name == "cost_usd"]["trace_id"]},
            )
    context.cache = Cache()
    after = metrics(server)
    fell = [
        sum(usd for (name, _), usd in by_series(found, "gauge").items() if name == "outlay_cost_usd")
        for found in (before, after)
    ]
    assert fell[0] - fell[1] == 2 * COST
    counted, still = by_series(before, "counter"), by_series(after, "counter")
    assert counted
    assert all(still[one] >= least for one, least in counted.items())


def test_the_document_describes_every_route_and_its_parameters(server: Running) -> None:
    document = server.get("/openapi.json").json
    assert {"/api/v1/calls", "/api/v1/spend", "/api/v1/status", "/api/v1/explain"} <= set(document["paths"])
    names = {parameter["name"] for parameter in document["paths"]["/api/v1/spend"]["get"]["parameters"]}
    assert {"start", "end", "group_by", "feature", "trace_id", "project"} <= names
    assert not [path for path in document["paths"] if not path.startswith("/api/v1/")]


def test_old_recordings_go_in_through_the_admin_route_and_not_through_the_door(server: Running) -> None:
    old = llm_span(7, 1, ago_s=500 * 86400)
    refused = server.send_spans([old]).json
    assert int(refused["partialSuccess"]["rejectedSpans"]) == 1
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [old]}]}]}
    taken = server.post("/api/v1/admin/ingest", body)
    assert taken.json["accepted"] == 1
    server.wait_for_calls(1, ("start", "-600d"))


def test_an_estimate_is_priced_as_of_its_day(server: Running) -> None:
    usage = {"input_tokens": 1_000_000}
    call = {"provider": "openai", "model": "gpt-4o-mini", "at": "2026-06-01T00:00:00Z", "usage": usage}
    found = server.post("/api/v1/estimate", {"calls": [call, {**call, "model": "no-such-model-x"}]}).json["calls"]
    assert Decimal(found[0]["cost_usd"]) == Decimal("0.15")
    assert (found[1]["cost_usd"], found[1]["cost_state"]) == (None, "unpriced")


@pytest.mark.parametrize(
    ("usage", "said"),
    [
        ({"input_tokens": 100, "cache_read_tokens": 60, "cache_write_tokens": 50}, "cannot exceed input_tokens (100)"),
        ({"cache_read_tokens": 60}, "cache_read_tokens (60) cannot exceed input_tokens (0)"),
        ({"output_tokens": 5, "reasoning_tokens": 6}, "reasoning_tokens (6) cannot exceed output_tokens (5)"),
    ],
)
def test_an_estimate_of_parts_larger_than_their_whole_is_refused(
    server: Running, usage: dict[str, int], said: str
) -> None:
    call = {"provider": "openai", "model": "gpt-4o-mini", "usage": usage}
    status, code, message = server.post("/api/v1/estimate", {"calls": [call]}).error
    assert (status, code) == (422, "unprocessable")
    assert said in message


@pytest.mark.parametrize("path", QUESTIONS)
def test_every_question_can_be_filtered_by_what_is_one_calls_own(server: Running, path: str) -> None:
    """By every dimension: `test_dimensions`."""
    for name in ("trace_id", "response_id"):
        answer = server.api(path, (name, "x"))
        assert answer.status == 200, (name, answer.text)


def test_a_month_outside_of_what_can_be_stored_cannot_be_closed(server: Running) -> None:
    for month in ("0764-05", "1969-12", "2026-13"):
        assert server.post("/api/v1/admin/close", {"month": month}).error[:2] == (422, "unprocessable")
    assert server.post("/api/v1/admin/resettle", {"start": ""}).error[:2] == (422, "unprocessable")


def test_what_was_never_closed_cannot_be_opened_again(server: Running) -> None:
    refused = server.post("/api/v1/admin/close", {"month": "2026-01", "reopen": True})
    assert refused.status == 400, refused.text
    assert "the books of 2026-01 are not closed" in refused.error[2]


def test_repricing_a_project_without_calls_changes_nothing(server: Running) -> None:
    found = server.post("/api/v1/reprice", {"start": "-1d", "end": "now", "dry_run": True})
    assert found.status == 200, found.text
    assert (found.json["calls"], found.json["change_usd"]) == (0, "0")


def test_contracts_price_calls_from_their_start_and_repricing_shows_the_difference(server: Running) -> None:
    server.send_spans(
        [llm_span(10, 1, ago_s=7200, gen_ai__request__model="house-1", gen_ai__response__model="house-1")]
    )
    server.wait_for_calls(1)
    assert server.api("/calls").json["calls"][0]["cost_state"] == "unpriced"
    window = {"start": "-1d", "end": "now"}
    row = {"provider": "openai", "model": "house-1", "valid_from": "2026-01-01", "source": "contract"}
    rows = [{**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "10"}]
    assert server.post("/api/v1/prices", {"prices": rows}, method="PUT").status == 200
    shown = server.post("/api/v1/reprice", {**window, "dry_run": True}).json
    assert (shown["calls"], Decimal(shown["change_usd"])) == (1, Decimal("0.002"))
    assert server.api("/calls").json["calls"][0]["cost_usd"] is None
    assert server.post("/api/v1/reprice", window).status == 200
    assert Decimal(server.api("/calls").json["calls"][0]["cost_usd"]) == Decimal("0.002")
    wrong = server.post("/api/v1/prices", {"prices": [{**row, "price": "1"}]}, method="PUT")
    assert wrong.error[:2] == (400, "bad_request")


def test_budgets_are_kept_changed_and_deleted(server: Running) -> None:
    body = {"amount_usd": "100.50", "scope": {"feature": ["search"]}, "period": "month"}
    made = server.post("/api/v1/budgets/search", body, method="PUT")
    assert made.status == 200, made.text
    assert server.api("/budgets/search").json["amount_usd"] == "100.5"
    assert [one["name"] for one in server.api("/budgets").json["budgets"]] == ["search"]
    for wrong in ({"amount_usd": "-1"}, {"amount_usd": "1", "period": "eon"}, {"amount_usd": "1", "color": "red"}):
        assert server.post("/api/v1/budgets/search", wrong, method="PUT").status in (400, 422)
    assert server.request("DELETE", "/api/v1/budgets/search").status == 204
    assert server.request("DELETE", "/api/v1/budgets/search").status == 404


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/x", "http://10.0.0.8/x", "http://localhost/x", "https://8.8.8.8:8443/x"]
)
def test_a_budget_whose_message_could_never_be_sent_is_refused(server: Running, url: str) -> None:
    for entry in (url, {"kind": "webhook", "url": url}):
        body = {"amount_usd": "1", "notify": [entry]}
        status, code, message = server.post("/api/v1/budgets/unsafe", body, method="PUT").error
        assert (status, code) == (422, "unprocessable")
        assert url in message
        assert "alerts.allow" in message
    assert server.api("/budgets/unsafe").status == 404


def test_a_day_is_reported_with_what_was_sent_on_it(server: Running) -> None:
    server.send_spans([llm_span(12, n, outlay__feature="search") for n in (1, 2)])
    server.wait_for_calls(2)
    day = server.api("/calls").json["calls"][0]["started_at"][:10]
    report = server.api("/report", ("day", day)).json
    assert Decimal(report["total"]["cost_usd"]) == 2 * COST
    assert [(row["feature"], row["calls"]) for row in report["groups"]["feature"]] == [("search", 2)]
    assert server.api("/report", ("day", "2999-01-01")).error[0] == 400


def test_a_test_alert_says_where_it_did_not_go_and_why(server: Running) -> None:
    assert "no channel" in server.post("/api/v1/alerts/test", {}).error[2]
    found = server.post("/api/v1/alerts/test", {"notify": ["http://127.0.0.1:9/hook"]}).json["deliveries"]
    assert [(one["channel"], one["sent"]) for one in found] == [("http://127.0.0.1:9/hook", False)]
    assert "port 9 is not allowed" in found[0]["reason"]
    for what in ("ack", "silence"):
        assert server.post(f"/api/v1/alerts/unknown/{what}", {}).error[0] == 404


def test_a_test_alert_links_to_the_server_that_sent_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1)
    sections = {"alerts": {"allow": ["127.0.0.1"]}}
    with receiver() as hook, running(settings, sections) as server:
        assert server.post("/api/v1/alerts/test", {"notify": [hook.url]}).json["deliveries"][0]["sent"]
        assert hook.json[0]["externalURL"] == server.url


def test_a_stretch_of_history_can_be_settled_again_to_the_same_figures(server: Running) -> None:
    server.send_spans([llm_span(11, n) for n in (1, 2)])
    server.wait_for_calls(2)
    found = server.post("/api/v1/admin/resettle", {"start": "-1d", "end": "now"}).json
    assert found["traces"] == 1
    assert found["before"] == found["after"]
    assert found["after"]["calls"] == 2


def test_answers_carry_the_security_headers(server: Running) -> None:
    for path in ("/login", "/api/v1/status", "/api/v1/nothing"):
        headers = server.get(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert "unsafe-inline" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"]
        assert headers["x-frame-options"] == "DENY"


def test_errors_reveal_nothing_of_the_inside(server: Running) -> None:
    for path in ("/api/v1/spend?tag.%00=1", "/api/v1/calls?feature=%ff", "/api/v1/spend?model=" + "a" * 9000):
        answer = server.request("GET", path)
        assert answer.status < 500, path
        assert b"DB::Exception" not in answer.body
        assert b"Traceback" not in answer.body


def test_answers_are_valid_json_with_money_as_text(server: Running) -> None:
    server.send_spans([llm_span(8, 1)])
    server.wait_for_calls(1)
    total = json.loads(server.api("/spend").body)["total"]
    assert isinstance(total["cost_usd"], str)
    assert total["p50_ms"] is not None


@pytest.mark.parametrize("path", ["/budgets", "/budgets/none", "/alerts", "/report", "/status", "/prices", "/reprice"])
@pytest.mark.parametrize("name", ["start", "end"])
def test_a_window_is_refused_where_the_answer_is_about_none(server: Running, path: str, name: str) -> None:
    status, code, message = server.api(path, (name, "-1d")).error
    assert (status, code) == (400, "bad_request")
    assert name in message


def test_a_bill_that_is_not_there_is_not_found(server: Running) -> None:
    for method, path in (("GET", "/reconcile?bill=nosuch"), ("DELETE", "/reconcile/nosuch")):
        status, code, message = server.request(method, f"/api/v1{path}").error
        assert (status, code) == (404, "not_found")
        assert "there is no bill 'nosuch'" in message
