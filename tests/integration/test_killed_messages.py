"""`kill -9` while messages go out; `benchmarks/killed_messages.py` does it many times."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from tests.outlay_process import ROOT


def test_every_receiver_gets_one_message_or_two_when_the_server_is_killed_while_it_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the third of five has read its message: it gets it again, and nobody gets none."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    killed = importlib.import_module("killed_messages")
    got = killed.one_round(killed.prepared(tmp_path / "made"), tmp_path, "pagerduty")
    assert set(got) == set(killed.KINDS)
    assert got["pagerduty"] == 2
    assert set(got.values()) <= {1, 2}
