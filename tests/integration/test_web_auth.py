"""Who may send and look: keys, projects, hosts, origins and the login of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.web_server import Answer, Running, llm_span, own_store, running

from outlay.errors import OutlayError, StoreError
from outlay_web.config import Settings
from outlay_web.http.auth import Throttle
from outlay_web.http.security import local_path
from outlay_web.services import status

ROOT = {"authorization": "Bearer " + "r" * 32}
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    settings = Settings(data=data, store_dsn=own_store(), grpc_port=-1)
    with running(replace(settings, bootstrap_key="r" * 32, password="open sesame")) as found:
        yield found


@pytest.fixture(autouse=True)
def _forgotten_failures(keyed: Running) -> None:
    keyed.assembly.context.authenticator.throttle.passed("127.0.0.1")


def new_key(server: Running, project: str, role: str = "project") -> dict[str, str]:
    made = server.post("/api/v1/admin/keys", {"project": project, "role": role}, ROOT)
    assert made.status == 201, made.text
    return {"authorization": f"Bearer {made.json['key']}"}


def log_in(server: Running, password: str, target: str = "/") -> Answer:
    body = urlencode({"password": password, "next": target}).encode()
    return server.request("POST", "/login", body, FORM)


def test_without_a_key_nothing_is_taken_or_told(keyed: Running) -> None:
    assert keyed.send_spans([llm_span(1, 1)]).status == 401
    assert keyed.api("/calls").error[:2] == (401, "unauthorized")
    assert keyed.get("/metrics").status == 401
    assert keyed.get("/openapi.json").status == 401
    assert keyed.get("/healthz").status == 200
    assert keyed.api("/calls", headers={"authorization": "Bearer wrong"}).error[0] == 401


def test_a_project_s_key_is_told_nothing_of_others_troubles(keyed: Running) -> None:
    own, ctx = new_key(keyed, "mine"), keyed.assembly.context
    rows = [
        {"project": project, "trace_id": f"{n:032x}", "reason": "E: why", "at": ctx.now(), "is_deleted": 0}
        for n, project in enumerate(("mine", "other", "other"), 1)
    ]
    with ctx.writing() as writer:
        writer.insert("unsettled_traces", rows)

    def fails() -> None:
        raise OutlayError("the account of other cannot be read")

    ctx.cache.get(("troubles",), 0, fails, 300)

    def told(headers: dict[str, str]) -> tuple[int, set[str], str]:
        found = keyed.api("/status", headers=headers).json
        (error,) = (job["last_error"] for job in found["jobs"] if job["name"] == "find troubles")
        return found["set_aside_traces"], {one["project"] for one in found["set_aside"]}, error

    assert keyed.send_spans([llm_span(9, 1)], new_key(keyed, "other")).status == 200
    keyed.wait_for_calls(1, ("project", "other"), headers=ROOT)
    assert keyed.api("/status", headers=own).json["calls"] == 0
    assert keyed.api("/status", headers=ROOT).json["calls"] > 0
    assert told(own) == (1, {"mine"}, "OutlayError")
    assert told(ROOT) == (3, {"mine", "other"}, "OutlayError: the account of other cannot be read")
    session = {"cookie": log_in(keyed, "open sesame").headers["set-cookie"].split(";")[0]}
    page = keyed.get("/settings", ("project", "mine"), headers=session).text
    assert f'href="/traces/{1:032x}?project=mine' in page


def test_a_page_is_shown_where_what_its_figures_lack_cannot_be_found(
    keyed: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise StoreError("gone")

    session = {"cookie": log_in(keyed, "open sesame").headers["set-cookie"].split(";")[0]}
    with monkeypatch.context() as patched:
        patched.setattr(status, "broken_parts", fails)
        assert keyed.get("/settings", ("project", "unlucky"), headers=session).status == 200
    assert any(job["name"] == f"find {status.GAPS}" and job["failures"] for job in status.jobs(keyed.assembly.context))


def test_a_key_decides_the_project_and_sees_no_other(keyed: Running) -> None:
    first, second = new_key(keyed, "alpha"), new_key(keyed, "beta")
    assert keyed.send_spans([llm_span(1, n) for n in (1, 2)], first).status == 200
    assert keyed.send_spans([llm_span(2, 1)], second).status == 200
    keyed.wait_for_calls(2, headers=first)
    keyed.wait_for_calls(1, headers=second)
    trace = f"/traces/{1:032x}"
    assert keyed.api(trace, headers=first).status == 200
    assert keyed.api(trace, headers=second).error[:2] == (404, "not_found")
    assert keyed.api("/calls", ("project", "alpha"), headers=second).error[:2] == (403, "forbidden")
    assert keyed.api("/calls", ("trace_id", f"{1:032x}"), headers=second).json["calls"] == []
    assert len(keyed.api("/calls", ("project", "alpha"), headers=ROOT).json["calls"]) == 2
    assert keyed.api("/calls", headers=ROOT).json["calls"] == []


def test_the_same_ids_in_two_projects_stay_two_calls(keyed: Running) -> None:
    first, second = new_key(keyed, "gamma"), new_key(keyed, "delta")
    span = llm_span(5, 1)
    for key in (first, second):
        assert keyed.send_spans([span], key).status == 200
    keyed.wait_for_calls(1, headers=first)
    keyed.wait_for_calls(1, headers=second)


def test_basic_credentials_carry_the_key_as_password(keyed: Running) -> None:
    import base64

    basic = base64.b64encode(b"anybody:" + b"r" * 32).decode()
    assert keyed.api("/status", headers={"authorization": f"Basic {basic}"}).status == 200


def test_an_ingest_key_may_send_and_not_read(keyed: Running) -> None:
    key = new_key(keyed, "shop", "ingest")
    assert keyed.send_spans([llm_span(1, 1)], key).status == 200
    assert keyed.api("/calls", headers=key).error[:2] == (403, "forbidden")
    score = {"trace_id": f"{1:032x}", "name": "x", "value": 1}
    assert keyed.post("/api/v1/scores", score, key).status == 201


def test_a_project_key_may_not_administer(keyed: Running) -> None:
    key = new_key(keyed, "shop")
    assert keyed.api("/admin/keys", headers=key).error[:2] == (403, "forbidden")
    assert keyed.post("/api/v1/reprice", {"start": "-1d", "end": "now"}, key).error[:2] == (403, "forbidden")
    assert keyed.get("/metrics", headers=key).status == 403


def test_a_revoked_key_stops_working_at_once_and_lists_show_no_secret(keyed: Running) -> None:
    key = new_key(keyed, "epsilon")
    listed = keyed.api("/admin/keys", headers=ROOT)
    (row,) = [one for one in listed.json["keys"] if one["project"] == "epsilon"]
    secret = key["authorization"].removeprefix("Bearer ")
    assert secret.startswith(row["prefix"])
    assert secret not in listed.text
    assert "sha256" not in row
    assert keyed.post("/api/v1/admin/keys/revoke", {"prefix": row["prefix"]}, ROOT).status == 200
    assert keyed.api("/calls", headers=key).error[0] == 401
    assert keyed.send_spans([llm_span(1, 1)], key).status == 401
    assert keyed.post("/api/v1/admin/keys/revoke", {"prefix": "olk_none"}, ROOT).error[0] == 404


@pytest.mark.parametrize(("field", "value"), [("project", "a b"), ("project", "../x"), ("role", "king")])
def test_a_key_for_nonsense_is_refused(keyed: Running, field: str, value: str) -> None:
    assert keyed.post("/api/v1/admin/keys", {field: value}, ROOT).error[:2] == (400, "bad_request")


def test_the_pages_need_a_login_that_a_key_does_not_replace(keyed: Running) -> None:
    asked = keyed.get("/spend?interval=day")
    assert asked.status == 303
    assert asked.headers["location"] == "/login?next=%2Fspend%3Finterval%3Dday"
    assert keyed.get("/", headers=new_key(keyed, "shop", "ingest")).status == 303
    assert keyed.get("/login").status == 200


def test_the_right_password_opens_the_pages_and_logging_out_closes_them(keyed: Running) -> None:
    assert log_in(keyed, "wrong").status == 403
    answer = log_in(keyed, "open sesame", "/spend")
    assert (answer.status, answer.headers["location"]) == (303, "/spend")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    session = {"cookie": cookie.partition(";")[0]}
    assert keyed.get("/", headers=session).status == 200
    assert keyed.api("/status", headers=session).status == 200
    assert keyed.request("POST", "/logout", b"", {**session, **FORM}).status == 303
    assert keyed.get("/", headers=session).status == 303
    assert keyed.api("/status", headers=session).status == 401


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:x", "\\\\e"]
)
def test_a_login_leads_to_this_server_only(keyed: Running, target: str) -> None:
    assert local_path(target) == "/"
    assert log_in(keyed, "open sesame", target).headers["location"] == "/"


def test_guessing_is_slowed_down() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    for _ in range(5):
        assert throttle.wait_s("a") == 0
        throttle.failed("a")
    assert throttle.wait_s("a") > 0
    assert throttle.wait_s("b") == 0
    now[0] = 3.0
    assert throttle.wait_s("a") == 0
    throttle.failed("a")
    assert throttle.wait_s("a") > 3
    throttle.passed("a")
    assert throttle.wait_s("a") == 0


def test_guessing_over_http_ends_in_429_with_retry_after(keyed: Running) -> None:
    answers = [log_in(keyed, "wrong") for _ in range(7)]
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_foreign_hosts_and_origins_are_refused_where_no_login_protects(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1, allowed_hosts=("outlay.internal",))
    score: dict[str, Any] = {"trace_id": "0" * 31 + "1", "name": "x", "value": 1}
    foreign = {"origin": "http://evil.example"}
    with running(settings) as server:
        assert server.get("/", headers={"host": "evil.example"}).status == 403
        assert server.api("/status", headers={"host": "evil.example"}).error[:2] == (403, "forbidden")
        assert server.api("/status", headers={"host": "outlay.internal:4318"}).status == 200
        assert server.api("/status", headers={"host": f"localhost:{server.port}"}).status == 200
        assert server.post("/api/v1/scores", score, foreign).error[:2] == (403, "forbidden")
        assert server.send_spans([llm_span(1, 1)], foreign).status == 403
        assert server.post("/api/v1/scores", score, {"sec-fetch-site": "cross-site"}).error[0] == 403
        assert server.request("POST", "/logout", b"", {**FORM, **foreign}).status == 403
        assert server.post("/api/v1/scores", score, {"origin": server.url}).status == 201
        assert server.get("/nothing-here").status == 404
        assert "text/html" in server.get("/nothing-here").headers["content-type"]


def test_a_missing_and_a_wrong_key_say_different_things_and_where_it_belongs(keyed: Running) -> None:
    wrong = {"authorization": "Bearer olk_nobody_has_this"}
    said = [keyed.api("/spend", headers=headers).json["error"]["message"] for headers in ({}, wrong)]
    assert said[0].startswith("a key is needed")
    assert said[1].startswith("this key is not known here")
    assert all("OUTLAY_API_KEY" in text for text in said)
    json = {"content-type": "application/json"}
    sent = [keyed.request("POST", "/v1/traces", b"", {**json, **headers}) for headers in ({}, wrong)]
    assert [answer.status for answer in sent] == [401, 401]
    assert sent[0].body != sent[1].body
    assert all(b"OUTLAY_API_KEY" in answer.body for answer in sent)
