"""The command line as a process: against a running server, and alone on the same data, with the same answers."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.outlay_process import Server, environment, outlay
from tests.waiting import until
from tests.web_server import llm_span


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Server]]:
    """A home and a server in it that nobody fills or stops."""
    home = tmp_path_factory.mktemp("home")
    found = Server(home)
    yield home, found
    found.close()


def recording(path: Path, *spans: dict[str, Any]) -> Path:
    body = {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}
    path.write_bytes(json.dumps(body).encode())
    return path


def test_commands_answer_the_same_from_a_server_and_alone(tmp_path: Path, server: Server) -> None:
    first = recording(tmp_path / "a.json", llm_span(1, 1, ago_s=500 * 86400), llm_span(1, 2, outlay__feature="chat"))
    second = tmp_path / "b.json.gz"
    second.write_bytes(gzip.compress(recording(tmp_path / "b.json", llm_span(2, 1)).read_bytes()))
    loaded = outlay(tmp_path, "ingest", str(first), str(second))
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout.startswith("3 spans")
    window = ("--start", "2025-01-01T00:00:00Z", "--end", "2027-01-01T00:00:00Z")

    def calls() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(outlay(tmp_path, "calls", *window, "--json").stdout)["calls"]
        return found

    until(lambda: len(calls()) == 3, "3 calls")
    questions = [
        ("spend", "--by", "feature", "--json", *window),
        ("spend", "--by", "feature", "--csv", *window),
        ("explain", "--json", *window),
        ("calls", "--json", "--feature", "chat", *window),
        ("trace", f"{1:032x}", "--json"),
        ("caching", "--json", *window),
        ("resettle", *window),
    ]
    served = [outlay(tmp_path, *words) for words in questions]
    assert server.stop() == 0
    alone = [outlay(tmp_path, *words) for words in questions]
    for words, one, other in zip(questions, served, alone, strict=True):
        assert (one.returncode, other.returncode) == (0, 0), (words, one.stderr, other.stderr)
        assert one.stdout == other.stdout, words
    assert Decimal(json.loads(served[0].stdout)["total"]["cost_usd"]) == 3 * Decimal("0.00021")
    assert json.loads(served[-1].stdout)["traces"] == 2


def test_the_tables_are_made_by_hand_once_and_not_while_a_server_holds_them(
    shared: tuple[Path, Server], tmp_path: Path
) -> None:
    home, server = shared
    held = outlay(home, "migrate")
    assert (held.returncode, f"pid {server.process.pid}" in held.stderr) == (2, True)
    first, again = (outlay(home, "migrate", "--data", str(tmp_path / "elsewhere")) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert "0001_spans" in first.stdout
    assert "0001_spans" not in again.stdout


def test_recordings_go_in_without_a_server_and_an_unknown_trace_exits_1(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.json", llm_span(1, 1))
    assert outlay(tmp_path, "ingest", str(path)).returncode == 0
    found = outlay(tmp_path, "spend", "--json")
    assert json.loads(found.stdout)["total"]["calls"] == 1
    status = json.loads(outlay(tmp_path, "status", "--json").stdout)
    assert (status["received"], status["stored"], status["pending"], status["calls"]) == (1, 1, 0, 1)
    unknown = outlay(tmp_path, "trace", "f" * 32)
    assert unknown.returncode == 1
    assert "no trace" in unknown.stderr
    assert "Traceback" not in unknown.stderr


def test_a_bad_recording_is_named_and_the_good_ones_go_in(tmp_path: Path) -> None:
    good, bad = recording(tmp_path / "good.json", llm_span(1, 1)), tmp_path / "bad.json"
    bad.write_text("{")
    text = tmp_path / "notes.txt"
    text.write_text("no")
    empty = tmp_path / "empty.json"
    empty.write_text('{"spans": []}')
    done = outlay(tmp_path, "ingest", str(bad), str(good), str(text), str(empty), str(tmp_path / "absent.pb"))
    assert done.returncode == 1
    assert "bad.json" in done.stderr
    assert "notes.txt" in done.stderr
    assert "absent.pb" in done.stderr
    assert "empty.json: no spans or log records in it" in done.stderr
    assert "1 spans" in done.stdout


def test_a_day_is_told_and_calls_are_priced_that_were_never_made(tmp_path: Path, server: Server) -> None:
    assert outlay(tmp_path, "ingest", str(recording(tmp_path / "a.json", llm_span(1, 1)))).returncode == 0
    until(lambda: bool(json.loads(outlay(tmp_path, "spend", "--json").stdout)["total"]["calls"]), "a call")
    day = json.loads(outlay(tmp_path, "calls", "--json").stdout)["calls"][0]["started_at"][:10]
    told = outlay(tmp_path, "report", "--day", day)
    assert told.returncode == 0, told.stderr
    assert "in 1 calls, 0 of them failed" in told.stdout
    assert outlay(tmp_path, "report", "--day", day, "--fail-over", "0.0001").returncode == 3
    assert json.loads(outlay(tmp_path, "report", "--day", day, "--json").stdout)["total"]["calls"] == 1
    usage = ("--provider", "openai", "--model", "gpt-4o-mini", "--input-tokens", "1000000")
    guess = outlay(tmp_path, "estimate", *usage, "--at", "2026-06-01T00:00:00Z", "--requests-per-month", "10", "--json")
    found = json.loads(guess.stdout)
    assert (found["calls"][0]["cost_usd"], found["cost_per_month_usd"]) == ("0.15", "1.5")
    assert outlay(tmp_path, "estimate", *usage, "--fail-over", "0.1").returncode == 3
    half = outlay(tmp_path, "estimate", *usage, "--cheap", "gpt-4o-mini")
    assert (half.returncode, "--expensive" in half.stderr) == (2, True)
    well = outlay(tmp_path, "doctor")
    assert well.returncode == 0, well.stdout
    assert "1 spans received = 1 stored" in well.stdout
    ill = outlay(tmp_path, "doctor", "--url", "http://127.0.0.1:9")
    assert (ill.returncode, "FAIL" in ill.stdout) == (1, True)


def test_a_second_server_on_the_same_data_names_the_holder(shared: tuple[Path, Server]) -> None:
    home, server = shared
    second = outlay(home, "serve", "--port", "0", "--grpc-port", "off")
    assert second.returncode == 2
    assert f"pid {server.process.pid}" in second.stderr
    assert f"--url {server.url}" in second.stderr
    assert "Traceback" not in second.stderr
    assert outlay(home, "spend").returncode == 0


def test_an_option_that_the_server_does_not_understand_is_wrong_usage(shared: tuple[Path, Server]) -> None:
    home, _ = shared
    for words, said in ((("spend", "--by", "colour"), "colour"), (("spend", "--since", "soon"), "soon")):
        done = outlay(home, *words)
        assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_fail_over_exits_3_and_keys_are_made_listed_and_revoked(tmp_path: Path, server: Server) -> None:
    assert outlay(tmp_path, "ingest", str(recording(tmp_path / "a.json", llm_span(1, 1)))).returncode == 0
    until(lambda: bool(json.loads(outlay(tmp_path, "spend", "--json").stdout)["total"]["calls"]), "a call")
    assert outlay(tmp_path, "spend", "--fail-over", "1").returncode == 0
    over = outlay(tmp_path, "spend", "--fail-over", "0.0002", "--json")
    assert over.returncode == 3
    assert "0.0002 USD" in over.stderr
    key = outlay(tmp_path, "keys", "create", "--project", "shop").stdout.strip()
    listed = outlay(tmp_path, "keys", "list").stdout
    assert key.rpartition("_")[0].startswith("olk_")
    assert key not in listed
    prefix = "_".join(key.split("_")[:2])
    assert prefix in listed
    assert outlay(tmp_path, "keys", "revoke", prefix).returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("spend", "--no-such"), 2, "no-such"),
        (("nonsense",), 2, "nonsense"),
        (("spend", "--since", "1d", "--start", "-2d"), 2, "--since and --start"),
        (("spend", "--json", "--csv"), 2, "exclude"),
        (("spend", "--fail-over", "lots"), 2, "lots"),
        (("spend", "--url", "nowhere"), 2, "nowhere"),
        (("spend", "--url", "http://127.0.0.1:9"), 1, "no answer"),
        (("spend",), 2, "no data"),
        (("serve", "--port", "99999"), 2, "99999"),
        (("serve", "--roles", "cook"), 2, "cook"),
        (("serve", "--host", "0.0.0.0", "--port", "0"), 2, "without authentication"),
        (("serve", "--store", "mysql://x"), 2, "mysql"),
        (("serve", "--config", "/nonexistent.toml"), 2, "nonexistent"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(tmp_path: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = outlay(tmp_path, *words)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_section_of_the_config_file_stops_the_start(tmp_path: Path) -> None:
    file = tmp_path / "outlay.toml"
    for text, said in (
        ('[model_tiers]\nhuge = ["x"]', "huge"),
        ('[[prices]]\nprovider = "openai"\nmodel = "x"\nprice = "1"', "price"),
        ("[retention]\ndays = 1", "retention"),
    ):
        file.write_text(text)
        done = outlay(tmp_path, "serve", "--port", "0", "--grpc-port", "off", "--config", str(file))
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_clearly(shared: tuple[Path, Server], tmp_path: Path) -> None:
    port = shared[1].url.rpartition(":")[2]
    done = outlay(tmp_path, "serve", "--data", str(tmp_path / "other"), "--port", port, "--grpc-port", "off")
    assert done.returncode == 2
    assert port in done.stderr
    assert "another program has it" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_server_leaves_with_0_and_its_data_to_the_next(tmp_path: Path, number: int) -> None:
    server = Server(tmp_path, cold=True)
    assert server.stop(number) == 0
    assert outlay(tmp_path, "spend", "--json", cold=True).returncode == 0


def test_help_imports_nothing_heavy() -> None:
    """What takes the seconds: data frames, the engine, the web framework and the servers."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "outlay_web", "--help"],
        env=environment(Path("/")),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "serve" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    heavy = {"numpy", "pandas", "pyarrow", "chdb", "clickhouse_connect", "fastapi", "starlette", "uvicorn", "grpc"}
    assert not heavy & imported
