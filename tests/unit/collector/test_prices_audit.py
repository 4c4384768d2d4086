"""The audit of prices: three shapes of other lists, what agrees, what does not, and what it exits with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outlay_collector.prices import audit
from outlay_collector.prices.audit import EXIT_DISAGREE

# Typed by hand: gpt-4o costs 2.5 and 10, gpt-4.1 has its output wrong, and nobody knows the third.
API = {
    "openai": {
        "models": {
            "gpt-4o": {"cost": {"input": 2.5, "output": 10}},
            "gpt-4.1": {"cost": {"input": 2, "output": 16}},
            "gpt-nobody": {"cost": {"input": 1}},
            "gpt-free": {},
        }
    }
}
COST_MAP = {
    "sample_spec": {"input_cost_per_token": 0},
    "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "input_cost_per_token_batches": 1.25e-06},
    "gemini/gemini-2.5-flash": {"litellm_provider": "gemini", "output_cost_per_token": 5e-06},
}
HISTORY = {
    "models_dev": {},
    "prices": {
        "openai": {
            "gpt-4o": {
                "standard": [
                    {"start": None, "rates": {"input": 5}},
                    {"start": "2026-01-01T00:00:00Z", "rates": {"input": 2.5, "source": "here"}},
                    {"start": "2099-01-01T00:00:00Z", "rates": {"input": 99}},
                ],
                "batch": [{"start": None, "rates": None}],
            }
        }
    },
}


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Any, *more: str) -> tuple[int, dict[str, Any]]:
    path = tmp_path / "list.json"
    path.write_text(json.dumps(document))
    code = audit.main(["--file", str(path), "--json", "--at", "2026-11-01", *more])
    said = capsys.readouterr().out
    return code, json.loads(said) if said else {}


def test_a_list_in_the_shape_of_models_dev_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(tmp_path, capsys, API)
    assert (code, found["compared"], found["unknown_models"]) == (EXIT_DISAGREE, 4, 1)
    assert found["disagreements"] == [
        {
            "provider": "openai",
            "model": "gpt-4.1",
            "service_tier": "standard",
            "unit": "output",
            "ours": "8",
            "theirs": "16",
            "ratio": "0.5000",
        }
    ]


def test_a_cost_map_counts_per_token_and_has_tiers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = run(tmp_path, capsys, COST_MAP)
    assert (code, found["compared"]) == (EXIT_DISAGREE, 3)
    assert [(one["model"], one["ratio"]) for one in found["disagreements"]] == [("gemini-2.5-flash", "0.5000")]


def test_a_dated_history_is_asked_for_the_moment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, capsys, HISTORY) == (0, {"compared": 1, "unknown_models": 0, "disagreements": []})
    assert run(tmp_path, capsys, HISTORY, "--at", "2025-06-01")[0] == EXIT_DISAGREE
    assert datetime.now(UTC).year < 2099


def test_what_is_no_price_list_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    documents: list[Any] = [{"a": 1}, [], {"a": {"models": []}}]
    for document in documents:
        assert run(tmp_path, capsys, document)[0] == 1
    assert audit.main(["--file", str(tmp_path / "absent.json")]) == 1
