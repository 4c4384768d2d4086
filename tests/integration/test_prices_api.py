"""Prices, repricing, closing and bills through the API and the pages, with real calls that settle priced."""

from __future__ import annotations

import csv
import gzip
import io
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.billed_world import BILLED, BILLS, PLANTED, fill
from tests.web_server import Running, llm_span, own_store, running

from outlay_web.config import Settings


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1)) as found:
        yield found


@pytest.fixture
def model() -> str:
    return f"house-{uuid.uuid4().hex[:8]}"


def price(model: str, **more: Any) -> dict[str, Any]:
    row = {"provider": "vllm", "model": model, "valid_from": "2020-01-01", "source": "our machines"}
    return {**row, "input_usd_per_mtok": "1", "output_usd_per_mtok": "1", **more}


def spans(model: str, trace: int, count: int, **more: Any) -> list[dict[str, Any]]:
    names: dict[str, Any] = {
        "gen_ai__provider__name": "vllm",
        "gen_ai__request__model": model,
        "gen_ai__response__model": model,
    }
    return [llm_span(trace, n, **names, **more) for n in range(1, count + 1)]


def states(server: Running, model: str) -> list[str]:
    calls = server.api("/calls", ("model", model)).json["calls"]
    return sorted(call["cost_state"] for call in calls)


def test_putting_a_price_says_what_it_heals_and_reprice_heals_and_undoes_it(shared: Running, model: str) -> None:
    shared.send_spans(spans(model, uuid.uuid4().int >> 64, 3, outlay__feature="chat"))
    shared.wait_for_calls(3, ("model", model))
    shared.wait(lambda: shared.api("/status").json["unsettled_traces"] == 0, "settled")  # not again after the price
    missing = shared.api("/prices", ("missing", "true")).json
    mine = next(row for row in missing["prices"] if row["request_model"] == model)
    assert (mine["reason"], mine["calls"], mine["input_tokens"]) == ("unknown_model", 3, 3000)

    put = shared.post("/api/v1/prices", {"prices": [price(model)]}, method="PUT").json
    heals = put["heals"]
    assert (heals["calls"], Decimal(heals["usd"]), heals["models"]) == (3, Decimal("0.0033"), [model])
    assert heals["command"] == f"outlay reprice --start {heals['first_day']} --end {_after(heals['last_day'])}"
    assert states(shared, model) == ["unpriced"] * 3  # history keeps what it had until somebody says so
    page = shared.get("/prices").text
    assert heals["command"] in page

    # Started before the price was put, arrives late. Its counts are its own: else it might be a second view of another.
    shared.send_spans(spans(model, uuid.uuid4().int >> 64, 1, gen_ai__usage__input_tokens=1500))
    shared.wait_for_calls(4, ("model", model))
    assert states(shared, model) == ["computed", *["unpriced"] * 3]

    window = {"start": heals["first_day"], "end": "now"}
    shown = shared.post("/api/v1/reprice", {**window, "dry_run": True}).json
    assert (shown["calls"], shown["newly_priced"], Decimal(shown["change_usd"])) == (3, 3, Decimal("0.0033"))
    assert [(row["feature"], row["model"]) for row in shown["rows"]] == [("chat", model)]
    done = shared.post("/api/v1/reprice", window).json
    assert states(shared, model) == ["computed"] * 4
    history = shared.api("/reprice").json["repricings"]
    assert (history[0]["id"], Decimal(history[0]["after_usd"])) == (done["id"], Decimal("0.0033"))
    assert f"--undo {done['id']}" in shared.get("/prices").text

    assert shared.post("/api/v1/reprice/undo", {"id": done["id"]}).status == 200
    assert states(shared, model) == ["computed", *["unpriced"] * 3]


def _after(day: str) -> str:
    from datetime import date, timedelta

    return str(date.fromisoformat(day) + timedelta(days=1))


def test_a_call_before_the_first_price_says_so_everywhere(shared: Running, model: str) -> None:
    shared.post("/api/v1/prices", {"prices": [price(model, valid_from="2199-01-01")]}, method="PUT")
    trace = uuid.uuid4().int >> 64
    shared.send_spans(spans(model, trace, 1))
    shared.wait_for_calls(1, ("model", model))
    [call] = shared.api("/calls", ("model", model)).json["calls"]
    assert (call["cost_usd"], call["cost_state"]) == (None, "unpriced")
    assert call["match_kind"].endswith("+no_price_yet")
    assert "older than its model&#39;s first known price" in shared.get("/calls", ("model", model)).text
    missing = shared.api("/prices", ("missing", "true")).json["prices"]
    assert next(row["reason"] for row in missing if row["request_model"] == model) == "no_price_yet"
    assert "no_price_yet" in shared.get(f"/traces/{trace:032x}").text
    assert "older than its first known price" in shared.get("/prices").text


def test_the_page_shows_a_models_history_and_what_was_believed(shared: Running, model: str) -> None:
    steps = [price(model, valid_from="2026-01-01"), price(model, valid_from="2026-06-01", input_usd_per_mtok="3")]
    shared.post("/api/v1/prices", {"prices": steps}, method="PUT")
    rows = shared.api("/prices", ("model", model)).json["prices"]
    spans_of = [(row["valid_from"][:10], (row["valid_until"] or "")[:10], row["input_usd_per_mtok"]) for row in rows]
    assert spans_of == [("2026-01-01", "2026-06-01", "1"), ("2026-06-01", "", "3")]
    page = shared.get("/prices", ("model", model)).text
    assert page.count(">2026-06-01</time>") == 2  # the end of one, the start of the other
    assert "$3.00" in page
    assert model not in shared.get("/prices", ("as_of", "2026-01-01"), ("dates", "ever")).text
    own = csv.DictReader(io.StringIO(shared.get("/prices", ("origin", "overlay"), ("csv", "prices")).text))
    assert model in {row["model"] for row in own}
    assert shared.get("/prices", ("origin", "nowhere")).status == 400


def test_the_page_rounds_no_price(shared: Running, model: str) -> None:
    row = price(model, cache_write_usd_per_mtok="3.125", cache_write_1h_usd_per_mtok="5.0625")
    shared.post("/api/v1/prices", {"prices": [row]}, method="PUT")
    page = shared.get("/prices", ("model", model)).text
    assert "$3.125 <" in page
    assert "1 h $5.0625<" in page


def test_a_fresh_catalogue_does_not_warn_and_an_old_one_does_everywhere(shared: Running) -> None:
    assert shared.api("/status").json["catalogue_warning"] is None
    assert shared.api("/prices").json["catalogue_warning"] is None
    context = shared.assembly.context
    clock, context.clock = context.clock, lambda: clock().replace(year=clock().year + 1)
    try:
        for answer in (shared.api("/status"), shared.api("/prices")):
            assert "days ago" in answer.json["catalogue_warning"]
        assert "days ago" in shared.get("/prices").text
    finally:
        context.clock = clock


def test_a_bill_is_compared_through_the_api(shared: Running) -> None:
    fill(shared.assembly.store)
    body = (BILLS / "openai.csv").read_bytes()
    found = shared.request("POST", "/api/v1/reconcile?name=november.csv", body).json
    assert {one["reason"]: Decimal(one["usd"]) for one in found["residual"] if Decimal(one["usd"])} == PLANTED
    assert Decimal(found["billed_usd"]) == BILLED
    bill = found["bill"]["bill"]
    assert [one["name"] for one in shared.api("/reconcile").json["bills"]] == ["november.csv"]
    assert shared.api("/reconcile", ("bill", bill)).json == found
    rows = list(csv.DictReader(io.StringIO(shared.api("/reconcile", ("bill", bill), ("format", "csv")).text)))
    assert sum(Decimal(row["residual_usd"]) for row in rows) == sum(PLANTED.values())
    assert shared.request("POST", "/api/v1/reconcile", gzip.compress(body)).json["bill"]["bill"] == bill
    assert shared.request("DELETE", f"/api/v1/reconcile/{bill}").status == 200
    assert shared.api("/reconcile").json["bills"] == []
    assert shared.api("/reconcile", ("bill", bill)).status == 404


def test_a_bad_bill_is_refused_and_nothing_is_kept(shared: Running) -> None:
    wrong = shared.request("POST", "/api/v1/reconcile", b"usage_date_utc,cost_usd\n2026-11-01,ten\n")
    assert wrong.status == 400
    assert "line 2, cost_usd: 'ten'" in wrong.json["error"]["message"]
    bomb = gzip.compress(b"0" * (65 << 20))
    assert shared.request("POST", "/api/v1/reconcile", bomb).status == 400
    assert shared.api("/reconcile").json["bills"] == []
    declared = shared.request("POST", "/api/v1/reconcile", b"", {"content-length": str(65 << 20)})
    assert declared.status == 413


def test_formulas_of_a_bill_are_disarmed_in_csv(shared: Running) -> None:
    body = b"usage_date_utc,cost_usd,model\n2026-11-03,1,\"=cmd|'/c calc'!A1\"\n"
    found = shared.request("POST", "/api/v1/reconcile?name=%3Dx.csv&format=csv", body).text
    assert "\n'=cmd" in found.replace("anthropic,", "\n") or ",'=cmd" in found
    bill = shared.api("/reconcile").json["bills"][0]["bill"]
    page = shared.get("/reconcile", ("bill", bill), ("csv", "models")).text
    assert '"=cmd' not in page
    shared.request("DELETE", f"/api/v1/reconcile/{bill}")


def form(body: bytes, name: str = "bill.csv") -> tuple[bytes, dict[str, str]]:
    head = f'--X\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\nContent-Type: text/csv\r\n\r\n'
    return head.encode() + body + b"\r\n--X--\r\n", {"content-type": "multipart/form-data; boundary=X"}


def test_a_bill_is_uploaded_shown_and_deleted_on_the_page(shared: Running) -> None:
    sent = shared.request("POST", "/reconcile", *form((BILLS / "anthropic.csv").read_bytes(), "<i>.csv"))
    assert sent.status == 303
    page = shared.get(sent.headers["location"]).text
    assert "&lt;i&gt;.csv" in page
    assert "claude-haiku-4-5" in page
    assert "cost_state=no_usage" in page
    bill = sent.headers["location"].partition("bill=")[2]
    asked = {"content-type": "application/x-www-form-urlencoded"}
    assert shared.request("POST", "/reconcile/delete", f"bill={bill}".encode(), asked).status == 303
    assert bill not in shared.get("/reconcile").text


def test_a_bad_upload_is_refused_on_the_page_it_came_from(shared: Running) -> None:
    wrong = shared.request("POST", "/reconcile", *form(b"usage_date_utc,cost_usd\n2026-11-01,<b>\n"))
    assert wrong.status == 400
    assert "line 2, cost_usd: &#39;&lt;b&gt;&#39;" in wrong.text
    assert "Compare a bill" in wrong.text
    assert shared.request("POST", "/reconcile", *form(b"")).status == 400
    assert shared.request("POST", "/reconcile", b"x", {"content-type": "text/csv"}).status == 415
    assert (
        shared.request("POST", "/reconcile", b"--X--", {"content-type": "multipart/form-data; boundary=X"}).status
        == 400
    )
    other = {"origin": "http://evil.example"}
    body, headers = form(b"a")
    assert shared.request("POST", "/reconcile", body, headers | other).status == 403


def test_calls_that_report_another_cost_are_listed_and_counted(shared: Running, model: str) -> None:
    shared.send_spans(spans(model, uuid.uuid4().int >> 64, 2, outlay__cost__usd="0.25"))
    shared.wait_for_calls(2, ("model", model))
    found = shared.api("/prices", ("reported", "true")).json["prices"]
    mine = next(row for row in found if row["model"] == model)
    assert (mine["reason"], mine["calls"], mine["computed_usd"]) == ("only_reported", 2, None)
    assert Decimal(mine["reported_usd"]) == Decimal("0.5")
    page = shared.get("/prices").text
    assert "Another cost is reported" in page
    assert model in page
    assert 'href="/prices#reported"' in shared.get("/").text
    assert shared.api("/prices", ("reported", "yes")).status == 400
