"""Tables fit the terminal, and no figure is cut."""

from __future__ import annotations

from decimal import Decimal

import pytest

from outlay_web.cli.show import cell, money, print_table

Patch = pytest.MonkeyPatch
Printed = pytest.CaptureFixture[str]
ROWS = [
    {
        "feature": f"feature {number} with a name that goes on for quite a while",
        "response_model": "gpt-4o-mini-2024-07-18",
        "cost_usd": "0.18488223120134029",
        "calls": 1234567,
        "hit_ratio": Decimal("0.18488223120134029"),
        "status": "ok",
        "trace_id": "0123456789abcdef" * 2,
    }
    for number in range(3)
]
COLUMNS = ["feature", "response_model", "cost_usd", "calls", "hit_ratio", "status", "trace_id"]


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_a_table_fits_the_terminal(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    print_table(ROWS, COLUMNS)
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 4
    assert max(map(len, lines)) <= width
    for name in COLUMNS:  # shown, or said to be missing
        assert name in lines[0] or name in said.err
    if "calls" in lines[0]:
        assert all("1234567" in line for line in lines[1:])


def test_texts_give_way_before_figures_and_ids(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    print_table(ROWS, COLUMNS)
    first = capsys.readouterr().out.splitlines()[1]
    assert "0123456789abcdef" * 2 in first
    assert "0.1849" in first
    assert "…" in first


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "0"),
        ("0.18488223120134029", "0.1849"),
        ("12.346", "12.35"),
        ("1234567.891", "1,234,567.89"),
        ("0.000000123456", "0.0000001235"),
        ("0.000000000001", "0.000000000001"),
        ("-0.5", "-0.5"),
        ("-3.999", "-4.00"),
    ],
)
def test_money_is_rounded_for_the_eye_and_never_to_nothing(amount: str, said: str) -> None:
    assert money(Decimal(amount)) == said
    assert cell(amount, "cost_usd") == said


def test_nothing_in_a_cell_steers_the_terminal() -> None:
    assert "\x1b" not in cell("a\x1b[31mb\nc")
    assert "\n" not in cell("a\nb")


def test_an_instant_gives_way_to_its_day_and_a_drivers_dollars_are_rounded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    row = {"driver": "requests, and many more of them", "usd": "401.39932608", "at": "2026-11-27T12:00:00Z"}
    print_table([row], list(row))
    out = capsys.readouterr().out
    assert "2026-11-27 " in f"{out.splitlines()[1]} "
    assert ("401.40" in out, "401.399" in out) == (True, False)
