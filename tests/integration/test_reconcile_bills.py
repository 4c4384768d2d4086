"""The same calls billed in the shapes that providers export, each with one planted difference that has to be named."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from tests.billed_world import BILLS
from tests.web_server import Running, own_store, running

from outlay_web.config import Settings
from outlay_web.http.context import Context
from outlay_web.services import compared as compared_service
from outlay_web.services.reconcile import compare_bill

BILLED = BILLS / "ten_days"
CALLS = 1_200


@dataclass(frozen=True)
class Right:
    """What a bill of the ten days comes to.

    Attributes:
        reasons: USD by reason, of those that are not zero.
        left_out: Lines that are not compared, by reason.
    """

    format: str
    reasons: dict[str, Decimal] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)


# Outlay prices the calls as regional, a tenth above what these bills charge.
REGIONAL = Decimal("-2.20639176")
RIGHT = {
    "oai_exact.json": Right("openai"),
    "oai_dash.csv": Right("openai"),
    "oai_wrongprice.json": Right("openai", {"discount": Decimal("-2.932161375")}),
    "oai_credit.json": Right("openai", {"discount": Decimal("-1.5")}),
    "ant_report.json": Right("anthropic_report", {"fee": Decimal("0.5")}),
    "focus_aws_usagetype.csv": Right("focus", {"region": REGIONAL}),
    "focus_azure.csv": Right("focus"),
    "focus_tax_month.csv": Right("focus", {"region": REGIONAL}, {"tax": 1}),
    "focus_ec2_eur.csv": Right("focus", {"region": REGIONAL}, {"other services": 1}),
    "gcp_export.csv": Right("google"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("data")
    with running(Settings(data=data, store_dsn=own_store(), grpc_port=-1)) as found:
        body = gzip.decompress((BILLED / "calls.json.gz").read_bytes())
        assert found.request("POST", "/v1/traces", body, {"content-type": "application/json"}).status == 200
        window = ("start", "2026-10-01T00:00:00Z"), ("end", "2026-10-11T00:00:00Z")
        found.wait(lambda: found.api("/spend", *window).json["total"]["calls"] == CALLS, "settled")
        yield found


def compared(server: Running, body: bytes) -> dict[str, Any]:
    answer = server.request("POST", "/api/v1/reconcile?name=bill", body)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


def reasons(found: dict[str, Any]) -> dict[str, Decimal]:
    return {one["reason"]: Decimal(one["usd"]) for one in found["residual"] if Decimal(one["usd"])}


@pytest.mark.parametrize("file", RIGHT)
def test_a_bill_of_the_ten_days_is_explained(server: Running, file: str) -> None:
    right = RIGHT[file]
    found = compared(server, (BILLED / file).read_bytes())
    assert found["bill"]["format"] == right.format
    assert reasons(found) == right.reasons
    assert found["coverage"] == 1.0
    assert found["left_out_lines"] == right.left_out


def test_a_zipped_bill_reads_as_its_file(server: Running) -> None:
    file = next(name for name in RIGHT if name.endswith(".csv"))
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(BILLED / file, f"export/{file}")
    found = compared(server, zipped.getvalue())
    assert found["bill"]["format"] == RIGHT[file].format
    assert reasons(found) == RIGHT[file].reasons


def test_a_discount_that_was_found_is_proposed_as_a_price(server: Running) -> None:
    found = compared(server, (BILLED / "oai_wrongprice.json").read_bytes())
    share = {"discount": "0.15", "paid_ratio": "0.85"}
    proposal = {"provider": "openai", "model": "gpt-4o", "valid_from": "2026-10-01", **share}
    assert found["proposals"] == [proposal]
    assert compared(server, (BILLED / "oai_exact.json").read_bytes())["proposals"] == []


def test_the_page_compares_a_bill_once_while_its_calls_stay(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    bill = compared(server, (BILLED / "gcp_export.csv").read_bytes())["bill"]["bill"]
    asked: list[str] = []

    def counted(ctx: Context, project: str, identity: str) -> dict[str, Any]:
        asked.append(identity)
        return compare_bill(ctx, project, identity)

    monkeypatch.setattr(compared_service, "compare_bill", counted)
    pages = [server.get("/reconcile", ("bill", bill), ("start", start)) for start in ("-30d", "-900d")]
    assert [page.status for page in pages] == [200, 200]
    assert "Why they differ" in pages[1].text
    assert asked == [bill]
    assert server.get("/reconcile", ("bill", "none")).status == 404


def test_usage_without_amounts_is_refused_with_the_export_to_take(server: Running) -> None:
    body = (BILLED / "oai_usage_api.json").read_bytes()
    status, _, message = server.request("POST", "/api/v1/reconcile", body).error
    assert status == 400
    assert "OpenAI's usage API" in message
    assert "/v1/organization/costs?group_by=line_item" in message


def test_a_bill_of_input_only_is_read_and_lacks_the_rest(server: Running) -> None:
    found = compared(server, (BILLED / "aws_cur2.csv").read_bytes())
    assert found["bill"]["format"] == "aws"
    assert {(row["provider"], row["model"]) for row in found["rows"]} == {
        ("aws", "anthropic.claude-sonnet-4-5-20250929-v1:0")
    }
    assert Decimal(found["billed_usd"]) == Decimal("17.258667")


def test_the_same_sum_under_names_that_nobody_knows_is_explained(server: Running) -> None:
    known = (BILLED / "focus_azure.csv").read_text()
    strange = known.replace("gpt 4o 0806", "standard")
    whole = compared(server, strange.encode())
    assert (whole["coverage"], reasons(whole)) == (1.0, {})
    lines = known.splitlines(keepends=True)
    # A day of another name among days that are named, and a meter without a name beside others of the same model.
    some = "".join([lines[0], lines[1].replace("gpt 4o 0806", "standard"), *lines[2:]])
    mixed = compared(server, some.encode())
    assert (mixed["coverage"], reasons(mixed)) == (1.0, {})
    assert "(named otherwise)" in {row["model"] for row in mixed["rows"]}


def test_a_region_that_costs_a_tenth_more_than_the_list_is_named(server: Running) -> None:
    header, *lines = (BILLED / "gcp_export.csv").read_text().splitlines()
    place = header.split(",").index("cost")
    dearer = [header]
    for line in lines:
        cells = line.split(",")
        cells[place] = str(Decimal(cells[place]) * Decimal("1.1"))
        dearer.append(",".join(cells))
    found = compared(server, "\n".join(dearer).encode())
    assert found["coverage"] == 1.0
    assert set(reasons(found)) == {"region"}


def test_the_page_names_what_is_left_out_and_the_new_reasons(server: Running) -> None:
    found = compared(server, (BILLED / "focus_ec2_eur.csv").read_bytes())
    page = server.get("/reconcile", ("bill", found["bill"]["bill"])).text
    assert "other services (1 line)" in page
    assert "Region" in page
    found = compared(server, (BILLED / "oai_wrongprice.json").read_bytes())
    page = server.get("/reconcile", ("bill", found["bill"]["bill"])).text
    assert "discount = &#34;0.15&#34;" in page
