"""`outlay unit-costs` and `outlay showback` as commands, and what they say when a limit is passed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.outlay_process import outlay
from tests.web_server import llm_span


def test_unit_costs_and_showback_are_printed_judged_and_exported(tmp_path: Path) -> None:
    spans = [llm_span(1, 1, outlay__customer="acme", outlay__team="ads"), llm_span(2, 1)]
    file = tmp_path / "spans.json"
    file.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    assert outlay(tmp_path, "ingest", str(file)).returncode == 0
    shown = outlay(tmp_path, "unit-costs", "--since", "7d")
    assert shown.returncode == 0, shown.stderr
    assert "acme" in shown.stdout
    assert "0.00021 USD per customer (1)" in shown.stdout
    assert "(unallocated)" in shown.stdout
    over = outlay(tmp_path, "unit-costs", "--fail-over", "0.0001", "--json")
    assert (over.returncode, json.loads(over.stdout)["total"]["unit_cost_usd"]) == (3, "0.00021")
    assert outlay(tmp_path, "unit-costs", "--per", "user", "--fail-over", "1").returncode == 1  # nobody can tell
    back = outlay(tmp_path, "showback", "--split", "even", "--since", "7d", "--csv")
    assert back.returncode == 0, back.stderr
    assert back.stdout.splitlines()[1].split(",")[4:8] == ["USD", "direct", "ads", "0.00021"]
    assert "(unallocated)" in outlay(tmp_path, "showback").stdout
