"""`--fail-over` judges only what is known; lists say when there is more; names that nobody has are pointed out."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.test_cli import recording
from tests.outlay_process import Server, environment, outlay
from tests.waiting import until
from tests.web_server import llm_span


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A server with 150 priced calls of one feature, and one call of a model without a price."""
    home = tmp_path_factory.mktemp("home")
    server = Server(home)
    priced = [llm_span(1 + n, 1, ago_s=60 + n, outlay__feature="doc-search") for n in range(150)]
    unknown = llm_span(900, 1, outlay__feature="odd")
    for attribute in unknown["attributes"]:
        if attribute["key"].endswith(".model"):
            attribute["value"] = {"stringValue": "nobody-knows"}
    assert outlay(home, "ingest", str(recording(home / "a.json", *priced, unknown))).returncode == 0
    until(lambda: bool(json.loads(outlay(home, "spend", "--json").stdout)["total"]["calls"] == 151), "151 calls")
    yield home
    server.close()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("spend", "--feature", "doc-search", "--fail-over", "1000"), 0, ""),
        (("spend", "--feature", "doc-search", "--fail-over", "0.001"), 3, "is over"),
        (
            ("spend", "--feature", "odd", "--fail-over", "1000"),
            1,
            "1 of 1 calls have no known cost: outlay prices missing",
        ),
        (("spend", "--fail-over", "1000"), 1, "1 of 151 calls have no known cost"),
        (("spend", "--fail-over", "0.001"), 3, "is over"),
        (
            ("spend", "--feature", "serach", "--fail-over", "1000"),
            1,
            "no calls match --feature serach; did you mean doc-search?",
        ),
        (("spend", "--tag", "a=b", "--fail-over", "1000"), 1, "no calls match --tag a=b"),
        (
            ("spend", "--feature", "doc-search", "--start", "2026-01-01", "--end", "2026-01-02", "--fail-over", "1"),
            0,
            "",
        ),
        (("explain", "--feature", "serach", "--fail-over", "1000"), 1, "no calls match --feature serach"),
        (("forecast", "--feature", "serach", "--fail-over", "1000"), 1, "serach"),
        (
            ("estimate", "--provider", "openai", "--model", "nobody-knows", "--input-tokens", "5", "--fail-over", "9"),
            1,
            "no price is known for openai nobody-knows",
        ),
    ],
)
def test_what_cannot_be_judged_does_not_pass(home: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = outlay(home, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert said in done.stderr


def test_a_name_that_no_call_has_is_pointed_out(home: Path) -> None:
    for words in (("spend",), ("calls",), ("forecast",)):
        done = outlay(home, *words, "--feature", "serach")
        assert "did you mean doc-search?" in done.stderr, words


def test_a_list_says_that_there_is_more_and_all_gives_all_of_it(home: Path) -> None:
    part = outlay(home, "calls", "--csv")
    assert len(part.stdout.splitlines()) == 101
    assert "only the first 100 rows; --all" in part.stderr
    whole = outlay(home, "calls", "--csv", "--all")
    rows = list(csv.DictReader(io.StringIO(whole.stdout)))
    assert (len({row["call_id"] for row in rows}), len(rows), whole.stderr) == (151, 151, "")
    found = json.loads(outlay(home, "calls", "--json", "--all").stdout)
    assert (len(found["calls"]), found["next_cursor"]) == (151, None)
    prices = outlay(home, "prices", "--csv", "--limit", "1000")
    assert "only the first 1000 rows" in prices.stderr


def test_what_does_not_apply_is_refused(home: Path) -> None:
    for words in (
        ("budgets", "--feature", "x"),
        ("alerts", "--since", "1d"),
        ("resettle", "--start", "-1d", "--feature", "x"),
        ("reprice", "--history", "--dry-run"),
        ("cascades", "--thresholds", "x", "--interval", "day"),
        ("prices", "--since", "1d"),
        ("prices", "missing", "--origin", "catalogue"),
    ):
        assert outlay(home, *words).returncode == 2, words


def test_a_date_is_midnight_in_the_zone_given(home: Path) -> None:
    found = outlay(
        home, "spend", "--since", "2026-11-01", "--end", "2026-11-02", "--timezone", "Europe/Berlin", "--json"
    )
    window = json.loads(found.stdout)["window"]
    assert (window["start"], window["end"]) == ("2026-10-31T23:00:00Z", "2026-11-01T23:00:00Z")


def test_a_terminal_of_ascii_shows_what_it_can(home: Path) -> None:
    done = outlay(home, "spend", "--by", "team", cold=True, PYTHONIOENCODING="ascii", COLUMNS="250")
    assert (done.returncode, done.stderr) == (0, "")


def test_two_commands_without_a_server_wait_for_each_other(tmp_path: Path) -> None:
    assert outlay(tmp_path, "ingest", str(recording(tmp_path / "a.json", llm_span(1, 1)))).returncode == 0
    done: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: done.append(outlay(tmp_path, "spend", "--json"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.returncode for one in done] == [0, 0, 0], [one.stderr for one in done]
    assert {json.loads(one.stdout)["total"]["calls"] for one in done} == {1}


def test_an_early_interrupt_ends_in_a_line(tmp_path: Path) -> None:
    """While the packages are imported, which takes longest of all that a command does."""
    code = (
        "import sys\nclass Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'click':\n            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\nfrom outlay_web.__main__ import main\nmain()\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (130, "outlay: interrupted\n")
