"""What if, as an answer, a command and a page whose address holds every change."""

from __future__ import annotations

import html
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import click
import pytest
from tests.hand_calls import call, put
from tests.priced_calls import put_priced
from tests.web_server import Running, own_store, running

from outlay_analytics.forecast.overlays import parse_overlays
from outlay_web.cli.simulate import read_change
from outlay_web.config import Settings
from outlay_web.pages.simulate import FIELDS, changes_of

D = Decimal
HOUR = timedelta(hours=1)
MARCH = (("start", "2026-03-01T00:00:00Z"), ("end", "2026-04-01T00:00:00Z"))
ACTUAL = D("0.0035")  # a thousand tokens in at 2.50 and a hundred out at 10


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)) as found:
        context = found.assembly.context
        model: dict[str, Any] = dict.fromkeys(("model", "request_model", "response_model"), "gpt-4o")
        put_priced(
            context.store, context.prices, call(HOUR, feature="<chat>", input_tokens=1000, output_tokens=100, **model)
        )
        put(context.store, call(HOUR, None, feature="dark", model="unheard-of"))
        yield found


def test_an_answer_has_both_figures_and_what_they_do_not_say(server: Running) -> None:
    body = {"start": MARCH[0][1], "end": MARCH[1][1], "changes": [{"price_discount": 0.1}], "filters": {}}
    found = server.post("/api/v1/simulate", body).json
    assert (D(found["actual_usd"]), D(found["scenario_usd"])) == (ACTUAL, ACTUAL * D("0.9"))
    assert found["caveats"] == ["1 of 2 calls have no known cost and are in neither figure."]
    only = server.post("/api/v1/simulate", {**body, "filters": {"feature": ["dark"]}}).json
    assert (only["actual_usd"], only["scenario_usd"]) == (None, None)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"changes": [{"price_discount": 2}]}, 400, "price_discount must lie between 0 and 1"),
        ({"changes": [{"teleport": 1}]}, 400, "there are: replace_model"),
        ({"filters": {"galaxy": ["x"]}}, 400, "'galaxy' is not a dimension"),
        ({"start": "soon"}, 400, "is not an instant"),
        ({"changes": {}}, 422, "changes"),
        ({"flavor": 1}, 422, "flavor"),
    ],
)
def test_what_cannot_be_is_said(server: Running, body: dict[str, Any], status: int, said: str) -> None:
    found, _, message = server.post("/api/v1/simulate", body).error
    assert (found, said in message) == (status, True), message


def test_the_page_makes_the_changes_of_its_address(server: Running) -> None:
    page = server.get("/simulate", *MARCH, ("discount", "10"), ("from", "gpt-4o"), ("to", "gpt-4o-mini")).text
    assert "It would have cost" in page
    assert "answers as well is not known here" in page
    assert 'value="gpt-4o-mini"' in page
    assert "&lt;chat&gt;" in page
    assert "<chat>" not in page
    table = server.get("/simulate", *MARCH, ("discount", "10"), ("csv", "features")).text
    assert "<chat>,0.0035,0.00315,-0.00035" in table


def test_a_what_if_leads_to_its_forecast(server: Running) -> None:
    page = server.get("/simulate", *MARCH, ("discount", "12.5")).text
    link = html.unescape(next(part for part in page.split('"') if part.startswith("/forecast") and "overlay=" in part))
    path, _, query = link.partition("?")
    overlay = dict(parse_qsl(query))["overlay"]
    assert overlay.endswith(":-12.5%:what if")
    assert server.get(path, *parse_qsl(query)).status == 200
    [read] = parse_overlays([overlay], server.assembly.context.now(), "UTC")
    assert read.share == D("-0.125")
    assert "overlay=" not in server.get("/simulate", *MARCH, ("discount", "0")).text


def test_a_wrong_change_is_said_on_the_page_beside_what_was_typed(server: Running) -> None:
    for pairs, said in (
        ((("discount", "110"),), "0 to 100 per cent"),
        ((("from", "gpt-4o"),), "to is missing"),
        ((("part", "context"),), "shorter is missing"),
        ((("from", "gpt-4"), ("to", "gpt-4o-mini")), "no billed call is to"),
        ((("max_output", "many"),), "whole number"),
    ):
        page = server.get("/simulate", *MARCH, *pairs)
        assert page.status == 400
        assert said in page.text
        assert f'value="{pairs[0][1]}"' in page.text


def test_fields_become_changes_in_the_order_of_the_page() -> None:
    given = dict.fromkeys(FIELDS, "") | {"discount": "5", "max_output": "500", "shorter": "20%", "part": "context"}
    assert changes_of(given) == [
        {"shorter_prompt": {"share": "0.2", "part": "context"}},
        {"max_output_tokens": 500},
        {"price_discount": "0.05"},
    ]


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("replace_model=a,b", {"replace_model": {"from": "a", "to": "b"}}),
        ("cascade=a,b,0.2", {"cascade": {"cheap": "a", "expensive": "b", "escalation_rate": "0.2"}}),
        ("shorter_prompt=0.2", {"shorter_prompt": {"share": "0.2"}}),
        ("shorter_prompt=context,0.2", {"shorter_prompt": {"share": "0.2", "part": "context"}}),
        ("max_output_tokens=500", {"max_output_tokens": 500}),
        ("batch_share=0.5", {"batch_share": "0.5"}),
    ],
)
def test_a_change_of_the_command_is_that_of_the_answer(text: str, change: dict[str, Any]) -> None:
    assert read_change(text) == change


@pytest.mark.parametrize("text", ["replace_model=a", "cascade=a,b", "teleport=1", "batch_share", "max_output_tokens=x"])
def test_a_change_that_is_none_is_refused_by_the_command(text: str) -> None:
    with pytest.raises(click.UsageError, match="is not understood"):
        read_change(text)
