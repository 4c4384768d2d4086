"""`outlay export`: whole files, on standard output or under a name, with and without a server."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tests.outlay_process import Server, outlay
from tests.web_server import llm_span


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two calls, one of them of a model that has no price."""
    path = tmp_path_factory.mktemp("home")
    house: dict[str, Any] = {"gen_ai__request__model": "house-model-9", "gen_ai__response__model": "house-model-9"}
    spans = [llm_span(1, 1, outlay__feature="chat"), llm_span(2, 1, gen_ai__provider__name="vllm", **house)]
    file = path / "spans.json"
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    assert outlay(path, "ingest", str(file)).returncode == 0
    return path


def test_an_export_is_whole_alone_and_from_a_server(home: Path) -> None:
    alone = outlay(home, "export", "focus", "--since", "7d")
    assert alone.returncode == 0, alone.stderr
    rows = list(csv.DictReader(io.StringIO(alone.stdout)))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal("0.00021")
    assert "1 of 2 calls have no known cost" in alone.stderr
    target = home / "calls.parquet"
    server = Server(home)
    try:
        served = outlay(home, "export", "focus", "--since", "7d")
        written = outlay(home, "export", "calls", "--format", "parquet", "--output", str(target))
    finally:
        server.stop()
    assert (served.returncode, served.stdout) == (0, alone.stdout)
    assert written.returncode == 0, written.stderr
    assert sorted(pq.read_table(target)["feature"].to_pylist(), key=str) == [None, "chat"]


def test_a_file_that_cannot_be_made_leaves_none_behind(home: Path) -> None:
    target = home / "charges.csv"
    refused = outlay(home, "export", "focus", "--start", "yesterday", "--output", str(target))
    assert (refused.returncode, "is not an instant" in refused.stderr) == (2, True), refused.stderr
    nowhere = outlay(home, "export", "focus", "--output", str(home / "absent" / "charges.csv"))
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (2, True), nowhere.stderr
    assert not list(home.glob("*charges*"))
    assert outlay(home, "export", "focus", "--format", "xml").returncode == 2
