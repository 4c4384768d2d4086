"""/openapi.json cannot drift: every route is described, and what the server really answers fits the description."""

from __future__ import annotations

import copy
import inspect
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute
from jsonschema import Draft202012Validator
from tests.billed_world import BILLS
from tests.documented_api import QUESTIONS, Documented, Pairs
from tests.documented_world import BUDGET, fill
from tests.web_server import Running, own_store, running

from outlay_web import api
from outlay_web.api.schema.document import ANSWERS, operations
from outlay_web.api.schema.shapes import TEXT
from outlay_web.config import Settings


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1, bootstrap_key="r" * 32)) as found:
        yield found


@pytest.fixture(scope="module")
def world(shared: Running) -> Documented:
    """A project with every kind of call, a budget that is spent, and its alert."""
    server = shared.project("world")
    fill(server)
    document = server.get("/openapi.json").json
    found = Documented(server, document)
    found.ask("put", "/budgets/{name}", body=BUDGET, name="search")
    server.wait(lambda: bool(server.api("/alerts", ("state", "firing")).json["alerts"]), "firing")
    server.wait(lambda: server.api("/anomalies").status == 200, "looked through")
    return found


@pytest.fixture
def empty(shared: Running, world: Documented) -> Documented:
    """A project without a call."""
    return Documented(shared.project(f"p{uuid.uuid4().hex[:8]}"), world.document)


def routes(server: Running) -> list[tuple[str, APIRoute]]:
    """Every route with its method."""
    found = [route for route in api.router(server.assembly.context).routes if isinstance(route, APIRoute)]
    return [(method, route) for route in found for method in route.methods or ()]


def path_of(route: APIRoute) -> str:
    """As the document has it."""
    return route.path.replace(":path}", "}")


def test_every_route_is_described_and_nothing_else(world: Documented) -> None:
    there = {f"{method} {path_of(route).removeprefix('/api/v1')}" for method, route in routes(world.server)}
    assert len(there) > 30
    assert set(ANSWERS) == there
    described = {f"{method.upper()} {path.removeprefix('/api/v1')}" for method, path, _ in operations(world.document)}
    assert described == there


def test_every_answer_has_a_schema_and_every_route_its_errors(world: Documented) -> None:
    for method, path, operation in operations(world.document):
        responses = operation["responses"]
        good = next(responses[code] for code in responses if code.startswith("2"))
        files = path.startswith("/api/v1/export/")  # answered as a file in either of its formats
        if "204" not in responses:
            kinds = {"text/csv", "application/vnd.apache.parquet"} if files else {"application/json"}
            assert kinds <= set(good["content"]), path
            assert ("application/json" in good["content"]) != files, path
        csv = any(parameter["name"] == "format" for parameter in operation["parameters"])
        assert csv == ("text/csv" in good.get("content", {})), path
        assert {"400", "401", "403", "500", "503"} <= set(responses), path
        assert ("422" in responses) == ("application/json" in operation.get("requestBody", {}).get("content", {})) or (
            path == "/api/v1/admin/ingest"
        ), (method, path)
        for code in responses:
            if not code.startswith("2"):
                assert responses[code]["content"]["application/json"]["schema"] == {
                    "$ref": "#/components/schemas/Error"
                }


def test_every_status_that_a_route_raises_itself_is_described(world: Documented) -> None:
    for method, route in routes(world.server):
        path = path_of(route)
        source = inspect.getsource(route.endpoint)
        raised = {*re.findall(r"Problem\((\d{3})", source), *(["404"] if "_found(" in source else [])}
        assert raised <= set(world.document["paths"][path][method.lower()]["responses"]), path


def test_the_document_is_whole_and_its_schemas_are_schemas(world: Documented) -> None:
    document = world.document
    assert document["openapi"].startswith("3.1")
    known = document["components"]["schemas"]
    assert not {"HTTPValidationError", "ValidationError"} & set(known)
    names = re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document))
    assert set(names) <= set(known)
    for schema in known.values():
        Draft202012Validator.check_schema(schema)
    for _, _, operation in operations(document):
        for parameter in operation["parameters"]:
            Draft202012Validator.check_schema(parameter["schema"])
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                Draft202012Validator.check_schema(content["schema"])


def test_every_object_of_an_answer_lists_its_fields(world: Documented) -> None:
    free = []

    def walk(where: str, schema: Any) -> None:
        if isinstance(schema, list):
            for part in schema:
                walk(where, part)
        if isinstance(schema, dict):
            kind = schema.get("type")
            if "object" in (kind if isinstance(kind, list) else [kind]) and "additionalProperties" not in schema:
                free.append(where)
            for name, part in schema.items():
                walk(f"{where}.{name}", part)

    for answer in ANSWERS:
        walk(answer, ANSWERS[answer].schema)
    assert free == ["PUT /prices.properties.prices.items"]


def test_enums_and_money_are_described(world: Documented) -> None:
    call = world.document["components"]["schemas"]["Call"]["properties"]
    assert set(call["cost_state"]["enum"]) == {
        "computed", "estimated", "unpriced", "no_usage", "not_billed", "cached",
    }  # fmt: skip
    assert call["status"]["enum"] == ["ok", "error"]
    assert call["cost_usd"]["type"] == ["string", "null"]
    parameters = {one["name"]: one["schema"] for one in world.document["paths"]["/api/v1/calls"]["get"]["parameters"]}
    assert parameters["sort"]["enum"] == ["started_at", "cost_usd", "duration_ms", "input_tokens", "output_tokens"]
    assert (parameters["limit"]["minimum"], parameters["limit"]["maximum"]) == (1, 1000)
    forecast = {one["name"]: one["schema"] for one in world.document["paths"]["/api/v1/forecast"]["get"]["parameters"]}
    assert forecast["interval"]["enum"] == ["hour", "day"]


def test_credentials_are_described_and_needed_where_keys_are_on(world: Documented, tmp_path: Any) -> None:
    schemes = world.document["components"]["securitySchemes"]
    assert {(one["type"], one.get("scheme") or one.get("in")) for one in schemes.values()} == {
        ("http", "bearer"),
        ("http", "basic"),
        ("apiKey", "cookie"),
    }
    assert world.document["security"] == [{name: []} for name in schemes]
    stranger = Documented(Running(world.server.assembly, world.server.port), world.document)
    assert stranger.ask("get", "/spend").status == 401
    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1)) as open_to_all:
        assert {} in open_to_all.get("/openapi.json").json["security"]


@pytest.mark.parametrize(("path", "pairs", "rows"), QUESTIONS)
def test_what_is_answered_fits_its_description(world: Documented, path: str, pairs: Pairs, rows: str) -> None:
    answer = world.ask("get", path, *pairs)
    assert not rows or answer.json[rows]
    names = {one["name"] for one in world.document["paths"][f"/api/v1{path}"]["get"]["parameters"]}
    if answer.status == 200 and "format" in names:
        assert world.ask("get", path, *pairs, ("format", "csv")).headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("what", ["focus", "calls", "prices"])
def test_files_are_of_the_kinds_that_are_described(world: Documented, empty: Documented, what: str, form: str) -> None:
    for project in (world, empty):
        answer = project.ask("get", f"/export/{what}", ("format", form))
        assert (answer.status, form in answer.headers["content-type"]) == (200, True)
        assert answer.body


@pytest.mark.parametrize("path", sorted({path for path, _, _ in QUESTIONS}))
def test_where_there_is_nothing_the_answer_fits_too(empty: Documented, path: str) -> None:
    assert empty.ask("get", path).status == 200


def test_answers_about_one_thing_fit(world: Documented) -> None:
    assert world.ask("get", "/traces/{trace_id}", trace_id=f"{0xBAD0:032x}").json["spans"][0]["events"]
    assert len(world.ask("get", "/traces/{trace_id}", trace_id=f"{0xBAD2:032x}").json["spans"]) == 2
    assert "lookup" in world.ask("get", "/traces/{trace_id}", trace_id=f"{0xCAC1:032x}").json["spans"][0]
    assert world.ask("get", "/cascades/{name}/thresholds", name="triage").json["rows"]
    two = (("by", "model"), ("first", "gpt-4o"), ("second", "gpt-4o-mini"))
    assert len(world.ask("get", "/decide", *two).json["sides"]) == 2
    two = (("by", "threshold"), ("first", "0.3"), ("second", "0.5"))
    assert len(world.ask("get", "/decide", ("cascade", "triage"), *two).json["differences"]) == 2
    assert world.ask("get", "/experiments/{name}", ("split", "b:1"), name="tone").json["arms"]
    assert world.ask("get", "/budgets/{name}", name="search").status == 200
    incident = world.ask("get", "/incidents").json["incidents"][0]["id"]
    assert world.ask("get", "/incidents/{incident_id}", incident_id=incident).json["id"] == incident


def test_what_is_changed_is_answered_as_described(world: Documented) -> None:
    alert = world.ask("get", "/alerts").json["alerts"][0]["id"]
    acknowledged = world.ask("post", "/alerts/{alert_id}/ack", body={"by": "ann"}, alert_id=alert).json
    assert acknowledged["acknowledged_by"] == "ann"
    assert world.ask("post", "/alerts/{alert_id}/silence", alert_id=alert).json["silenced_until"]
    assert not world.ask("post", "/alerts/test", body={"notify": ["nobody"]}).json["deliveries"][0]["sent"]
    incident = world.ask("get", "/incidents").json["incidents"][0]["id"]
    note = {"kind": "note", "text": "seen", "by": "ann"}
    noted = world.ask("post", "/incidents/{incident_id}/events", body=note, incident_id=incident)
    assert noted.json["notes"][-1]["text"] == "seen"
    assert world.ask("post", "/incidents/{incident_id}/silence", incident_id=incident).json["silenced_until"]
    assert world.ask("post", "/markers", body={"name": "deploy 1", "scope": {"feature": "search"}}).status == 201
    pays = {"revenue": [{"customer": "acme", "usd_per_month": "1200", "valid_from": "2026-10-01"}]}
    assert world.ask("put", "/revenue", body=pays).json["revenue"][0]["source"] == "api"
    assert world.ask("delete", "/revenue/{customer}", customer="acme").status == 204
    rule = {"kind": "entity_usd", "threshold": "1", "per": "user"}
    assert world.ask("put", "/rules/{name}", body=rule, name="users").json["watches"]
    assert world.ask("get", "/rules").json["rules"][0]["name"] == "users"
    spent = {"kind": "spend_usd", "threshold": "0.0001"}
    assert world.ask("post", "/alerts/preview", body=spent).json["times"] >= 1
    assert world.ask("post", "/alerts/preview", body={**spent, "kind": "mood"}).status == 400
    assert world.ask("delete", "/rules/{name}", name="users").status == 204
    score = {"trace_id": f"{0xCA1:032x}", "name": "tone", "label": "kind"}
    assert world.ask("post", "/scores", body=score).status == 201
    call = {"provider": "openai", "model": "gpt-4o-mini", "usage": {"input_tokens": 1000, "output_tokens": 10}}
    more = {"cascade": {"cheap": "gpt-4o-mini", "expensive": "gpt-4o", "escalation_rate": "0.2"}}
    less = {"filters": {"feature": ["search"]}, "changes": [{"batch_share": "0.5"}, {"max_output_tokens": 50}]}
    assert world.ask("post", "/simulate", body=less).json["rows"][0]["touched_calls"]
    assert world.ask("post", "/simulate", body={"changes": [{"teleport": 1}]}).status == 400
    unknown = {**call, "model": "no-such-model-x"}
    assert len(world.ask("post", "/estimate", body={"calls": [call, unknown]}).json["calls"]) == 2
    assert world.ask("post", "/estimate", body={"calls": [call], "requests_per_month": 1000, **more}).status == 200
    assert world.ask("put", "/budgets/{name}", body=BUDGET, name="other").status == 200
    assert world.ask("delete", "/budgets/{name}", name="other").status == 204


def test_prices_and_closed_months_are_answered_as_described(world: Documented) -> None:
    row = {"provider": "vllm", "model": "house-model-9", "valid_from": "2020-01-01", "source": "our machines"}
    price = {**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"}
    assert world.ask("put", "/prices", body={"prices": [price]}).json["heals"]["calls"] == 1
    assert world.ask("post", "/reprice", body={"start": "-30d", "dry_run": True}).json["id"] is None
    done = world.ask("post", "/reprice", body={"start": "-30d"}).json
    assert done["rows"]
    assert world.ask("get", "/reprice").json["repricings"]
    assert world.ask("post", "/reprice/undo", body={"id": done["id"]}).json == {"undone": done["id"]}
    assert world.ask("post", "/admin/resettle", body={"start": "-1d"}).json["traces"]
    assert world.ask("post", "/admin/close", body={"month": "2020-01"}).json["month"] == "2020-01"
    assert world.ask("get", "/admin/close").json["months"]
    closed = {"start": "2020-01-01", "end": "2020-02-01"}
    assert world.ask("post", "/reprice", body=closed).status == 409
    assert world.ask("post", "/admin/close", body={"month": "2020-01", "reopen": True}).json["reopened"]


def test_bills_and_keys_are_answered_as_described(world: Documented) -> None:
    body = (BILLS / "openai.csv").read_bytes()
    bill = world.ask("post", "/reconcile", ("name", "openai.csv"), body=body).json["bill"]["bill"]
    assert world.ask("get", "/reconcile").json["bills"]
    assert world.ask("get", "/reconcile", ("bill", bill)).json["rows"]
    assert world.ask("delete", "/reconcile/{bill}", bill=bill).json == {"deleted": bill}
    made = world.ask("post", "/admin/keys", body={"project": "world"})
    assert made.status == 201
    assert world.ask("post", "/admin/keys/revoke", body={"prefix": made.json["prefix"]}).json["revoked_at"]
    spans: dict[str, Any] = {"resourceSpans": []}
    assert world.ask("post", "/admin/ingest", body=spans).json["kind"] == "traces"


def test_an_answer_that_is_wrong_does_not_fit(world: Documented) -> None:
    def misfits(path: str, change: Any) -> list[str]:
        content = world.document["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]
        value = copy.deepcopy(world.server.api(path).json)
        change(value)
        return world.misfits(content["application/json"]["schema"], value)

    assert not misfits("/calls", lambda value: None)
    assert misfits("/calls", lambda value: value.update(undocumented=1))
    assert misfits("/calls", lambda value: value["calls"][0].update(undocumented=1))
    assert misfits("/calls", lambda value: value["calls"][0].pop("team"))
    assert misfits("/calls", lambda value: value["calls"][0].update(cost_usd=0.00021))
    assert misfits("/calls", lambda value: value["calls"][0].update(cost_usd="2.1e-4"))
    assert misfits("/calls", lambda value: value["calls"][0].update(cost_state="guessed"))
    assert misfits("/calls", lambda value: value["calls"][0].update(started_at="2026-11-30 10:00:00"))
    assert misfits("/calls", lambda value: value["calls"][0]["cost_lines"].update(input=1))
    assert not misfits("/spend", lambda value: value["rows"][0].update(feature="a", remainder=True))
    assert misfits("/spend", lambda value: value["rows"][0].update(flavor="sweet"))
    assert misfits("/spend", lambda value: value["total"].update(calls=None))
    assert misfits("/explain", lambda value: value["drivers"][0].update(driver="weather"))
    assert misfits("/anomalies", lambda value: value["anomalies"][0].update(channel="weather"))


WRONG = ("nonsense", "-1", "9" * 400, "\x00", "🦆", "2026-13-45", "'; DROP")


def _gets(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [(path.removeprefix("/api/v1"), one) for method, path, one in operations(document) if method == "get"]


def test_wrong_parameters_are_answered_with_a_status_that_is_described(empty: Documented) -> None:
    names = {"name": "nobody", "trace_id": "zz", "alert_id": "nobody", "incident_id": "nobody", "bill": "nobody"}
    for path, operation in _gets(empty.document):
        own = [one for one in operation["parameters"] if one["in"] == "query" and one["schema"].get("items") != TEXT]
        for parameter in own:
            for value in WRONG[:: 1 if path == "/calls" else 4]:
                status = empty.ask("get", path, (parameter["name"], value), **names).status
                assert status < 500, (path, parameter["name"], value)
                if "enum" in parameter["schema"] or "minimum" in parameter["schema"]:
                    assert status == 400 or "{" in path, (path, parameter["name"], value)
        assert empty.ask("get", path, ("flavor", "sweet"), **names).status == 400
    for one in empty.document["paths"]["/api/v1/calls"]["get"]["parameters"]:
        if one["schema"].get("items") == TEXT:
            assert empty.ask("get", "/calls", (one["name"], "🦆"), (one["name"], "\x00")).status == 200


def test_every_value_that_is_described_is_taken(empty: Documented) -> None:
    for path, operation in _gets(empty.document):
        if "{" in path or path == "/decide":  # asks for two of what there is
            continue
        for parameter in operation["parameters"]:
            for value in parameter["schema"].get("enum", ()):
                assert empty.ask("get", path, (parameter["name"], value)).status == 200, (path, value)


# What takes a body without fields of its own, or passes over those that it does not know, as OTLP says.
LENIENT = ("/alerts/test", "/estimate", "/admin/ingest")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"flavor": "sweet"}', b"\xff\xfe", b'{"start": 1}'])
def test_wrong_bodies_are_answered_with_a_status_that_is_described(empty: Documented, body: bytes) -> None:
    names = {"name": "nobody", "alert_id": "nobody", "incident_id": "nobody", "bill": "nobody"}
    for method, whole, operation in operations(empty.document):
        path = whole.removeprefix("/api/v1")
        if "requestBody" in operation:
            answer = empty.ask(method, path, body=body, **names)
            assert 400 <= answer.status < 500 or path in LENIENT, (path, answer.text)
            assert empty.ask(method, path, ("flavor", "sweet"), body=body, **names).status >= 400
