"""Prices, repricing, closed months and bills through the real command line against a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.billed_world import BILLS
from tests.integration.test_cli import recording
from tests.outlay_process import Server, outlay
from tests.waiting import until
from tests.web_server import llm_span

LAST_MONTH = (datetime.now(UTC).replace(day=1) - timedelta(days=3)).replace(hour=5)
MONTH = f"{LAST_MONTH:%Y-%m}"
PRICE = """
[[prices]]
provider = "openai"
model = "gpt-4o-mini"
valid_from = 2020-01-01
source = "contract 17"
input_usd_per_mtok = "0.10"
output_usd_per_mtok = "0.40"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two calls of last month are in, at list price."""
    ago = (datetime.now(UTC) - LAST_MONTH).total_seconds()
    spans = [llm_span(7, n, ago_s=ago, outlay__feature=f"f{n}") for n in (1, 2)]
    assert outlay(tmp_path, "ingest", str(recording(tmp_path / "a.json", *spans))).returncode == 0
    return tmp_path


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """A server on the same data, with a contract that came later."""
    (home / "outlay.toml").write_text(PRICE)
    found = Server(home, "--config", str(home / "outlay.toml"))
    yield found
    found.close()


def said(home: Path, *words: str) -> str:
    done = outlay(home, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def asked(home: Path, *words: str) -> Any:
    return json.loads(said(home, *words, "--json"))


def test_history_is_repriced_closed_reopened_and_undone(home: Path, server: Server) -> None:
    window = ("--start", f"{MONTH}-01", "--end", "now")
    shown = said(home, "reprice", "--dry-run", *window)
    assert "2 calls would change, 0 had no price: 0.00042 USD before, 0.00028 USD after, -0.00014 USD" in shown
    assert "f1" in shown
    assert "f2" in shown

    assert said(home, "close", MONTH) == f"{MONTH} is closed with 2 calls and 0.00042 USD\n"
    refused = outlay(home, "reprice", *window)
    assert refused.returncode == 1
    assert "the books are closed" in refused.stderr
    done = asked(home, "reprice", "--reopen", *window)
    assert (done["calls"], done["change_usd"]) == (2, "-0.00014")

    [month] = asked(home, "close")["months"]
    assert (month["month"], month["cost_usd"], month["cost_now_usd"], month["adjustment_usd"]) == (
        f"{MONTH}-01",
        "0.00042",
        "0.00028",
        "-0.00014",
    )
    [kept] = asked(home, "reprice", "--history")["repricings"]
    assert (kept["before_usd"], kept["after_usd"], kept["adjustment_usd"]) == ("0.00042", "0.00028", "-0.00014")
    assert "-0.00014" in said(home, "close")

    assert outlay(home, "reprice", "--undo", done["id"]).returncode == 1
    assert said(home, "close", MONTH, "--reopen") == f"{MONTH} is open again\n"
    assert outlay(home, "close", MONTH, "--reopen").returncode == 1
    wrong = outlay(home, "close", "2026-13")
    assert (wrong.returncode, "'2026-13' is not a month" in wrong.stderr) == (2, True)
    assert said(home, "reprice", "--undo", done["id"]) == f"undone {done['id']}\n"
    calls = asked(home, "calls", *window)["calls"]
    assert {Decimal(call["cost_usd"]) for call in calls} == {Decimal("0.00021")}


def test_prices_are_listed_filtered_and_missing_ones_named(home: Path, server: Server) -> None:
    [contract] = asked(home, "prices", "--origin", "overlay", "--model", "gpt-4o-mini", "--at", "now")["prices"][:1]
    assert (contract["input_usd_per_mtok"], contract["source"]) == ("0.1", "contract 17")
    assert "contract 17" in said(home, "prices", "--model", "gpt-4o-mini", "--csv")
    assert said(home, "prices", "--as-of", "2020-01-01").strip() == "nothing found"
    odd = {"gen_ai__request__model": "nobody-1", "gen_ai__response__model": "nobody-1"}
    path = recording(home / "b.json", llm_span(8, 1, **odd))  # type: ignore[arg-type]
    assert outlay(home, "ingest", str(path)).returncode == 0
    until(lambda: "nobody-1" in said(home, "prices", "missing"), "missing")
    assert "unknown_model" in said(home, "prices", "missing")


def test_a_bill_is_reconciled_with_and_without_a_server(home: Path, server: Server) -> None:
    bill = str(BILLS / "openai.json")
    text = said(home, "reconcile", bill)
    assert "billed 0.035 USD, computed 0 USD, difference 0.035 USD; 0.00% of it explained" in text
    served = asked(home, "reconcile", bill)
    assert server.stop() == 0
    alone = asked(home, "reconcile", bill)
    for answer in (served, alone):
        answer["bill"].pop("imported_at")
    assert alone == served
    assert said(home, "reconcile", bill, "--csv").startswith("day,provider,model,billed_usd,computed_usd,residual_usd")
    wrong = home / "bad.csv"
    wrong.write_text("usage_date_utc,cost_usd\n2026-11-01,ten\n")
    refused = outlay(home, "reconcile", str(wrong))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "line 2, cost_usd: 'ten' where a decimal amount" in refused.stderr
    absent = outlay(home, "reconcile", str(home / "absent.csv"))
    assert absent.returncode == 1
    assert "absent.csv: No such file" in absent.stderr
    assert "Traceback" not in absent.stderr
