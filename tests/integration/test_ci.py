"""`outlay ci`: one command at two revisions of a real repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from outlay.ci.command import main
from outlay.ci.measure import Measure, Totals
from outlay.ci.report import MARK, Comparison, markdown_text

ROOT = Path(__file__).parents[2]
EVALS = """
import outlay, prompt, sys
from outlay import evaluate

def answer(question):
    with outlay.track(feature="answers"):
        outlay.record(usage={"input_tokens": prompt.TOKENS, "output_tokens": 10}, model=prompt.MODEL, provider="openai")
    return "yes" if int(question) % 10 < prompt.RIGHT else "no"

evaluate([str(n) for n in range(40)], {"app": answer}, {"right": lambda said, _: said == "yes"}, results="run.jsonl")
with outlay.track(feature="digest"):
    outlay.record(usage={"input_tokens": 100, "output_tokens": 10}, model="gpt-4o", provider="openai")
print("evaluated")
"""


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def prompt(tokens: int, model: str = "gpt-4o", right: int = 10) -> str:
    return f"TOKENS, MODEL, RIGHT = {tokens}, {model!r}, {right}\n"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose evaluation in `evals` imports a prompt from `src`."""
    folder = tmp_path_factory.mktemp("ci")
    for name in ("src", "evals"):
        (folder / name).mkdir()
    (folder / "evals" / "run.py").write_text(EVALS)
    (folder / "src" / "prompt.py").write_text(prompt(1000))
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "first")
    return folder


def ci(repository: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(ROOT / name) for name in ("sdk", "collector", "analytics", "web"))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    return subprocess.run(
        [sys.executable, "-m", "outlay_web", "ci", *words],
        cwd=repository / "evals",
        env={**kept, "PYTHONPATH": path, **more},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_program_that_no_revision_holds_runs_at_both(repository: Path) -> None:
    folder = repository / "evals" / "env"
    folder.mkdir()
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    code = "import outlay; outlay.record(usage={'input_tokens': 1}, model='gpt-4o', provider='openai')"
    done = ci(repository, "--base", "main", "--json", "--", "env/python", "-W", "ignore", "-c", code)
    assert done.returncode == 0, done.stderr
    assert [json.loads(done.stdout)[side]["calls"] for side in ("base", "head")] == [1, 1]


def test_a_change_that_costs_more_and_is_worse_exits_with_3_and_a_table_says_why(repository: Path) -> None:
    (repository / "src" / "prompt.py").write_text(prompt(1500, right=5))
    saved = repository / "head.json"
    done = ci(repository, "--base", "main", "--results", "run.jsonl", "--save", str(saved), "--", "run.py")
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("evaluated") == 2
    lines = done.stdout.splitlines()
    assert lines[0] == MARK
    assert re.fullmatch(r"\*\*Model calls: main \((\w{7})\) → working tree \(\1, with changes\)\*\*", lines[1])
    rows = [line for line in lines if line.startswith("| ")]
    assert rows[1:] == [
        "| answers | 40 | 40,000 → 60,000 (+50.0%) | 400 | 0.104000 → 0.154000 (+48.1%) |",
        "| digest | 1 | 100 | 10 | 0.000350 |",
        "| **all** | 41 | 40,100 → 60,100 (+49.9%) | 410 | 0.104350 → 0.154350 (+47.9%) |",
    ]
    assert "**The cost rises by 47.9%, over the limit of 10 %.**" in done.stdout
    assert any(line.startswith("- app, right: worse (-0.500, 95 % [") for line in lines), done.stdout
    # The working tree is as it was, and no tree of git's is left.
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1
    # What was kept is the base of a later run, which then runs once.
    (repository / "src" / "prompt.py").write_text(prompt(1500, "house-model"))
    done = ci(
        repository,
        "--base",
        str(saved),
        "--results",
        "run.jsonl",
        "--by",
        "model",
        "--json",
        "--",
        sys.executable,
        "run.py",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("evaluated") == 1
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["increase_of"], found["increase_ratio"], found["over"]) == ("tokens", 0.0, False)
    assert (found["base"]["cost_usd"], found["head"]["cost_usd"], found["head"]["unpriced"]) == (
        "0.15435",
        "0.00035",
        40,
    )
    assert "40 of 41 calls at the head have no price" in found["notes"][0]


def test_a_command_that_fails_is_compared_with_nothing(repository: Path) -> None:
    (repository / "src" / "prompt.py").write_text(prompt(1000))
    (repository / "evals" / "new.py").write_text("import outlay\noutlay.record(usage={'input_tokens': 9}, model='m')\n")
    done = ci(repository, "--base", "main", "--", "new.py")
    (repository / "evals" / "new.py").unlink()
    assert done.returncode == 0, done.stderr
    assert "The command failed at the base (exit code 2): nothing is compared." in done.stdout
    done = ci(repository, "--base", "main", "--", sys.executable, "-c", "import sys; sys.exit(7)")
    assert done.returncode == 1
    assert "the command failed with exit code 7" in done.stderr


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["--base", "nowhere", "--", "true"], "nowhere", 1),
        (["--base", __file__, "--", "true"], "was not written by outlay ci --save", 1),
        (["--", "true"], "--base", 2),
        (["--base", "main"], "there is no command", 2),
        (["--base", "main", "--max-increase", "-3", "--", "true"], "expected a percentage", 2),
    ],
)
def test_what_cannot_be_compared_is_refused(
    repository: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
    code: int,
) -> None:
    monkeypatch.chdir(repository)
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == code
    assert said in capsys.readouterr().err


def totals(cost: str | None, tokens: int = 100, unpriced: int = 0) -> Totals:
    return Totals(1, tokens, 0, None if cost is None else Decimal(cost), unpriced)


@pytest.mark.parametrize(
    ("base", "head", "over"),
    [
        (totals("1.00"), totals("1.10"), False),
        (totals("1.00"), totals("1.1001"), True),
        (totals("1.00"), totals("0.5"), False),
        (Totals(), totals("0.01"), True),  # from nothing, anything is too much
        (Totals(), Totals(), False),
        (totals("1.00"), totals(None, 500, unpriced=1), True),  # no price hides no increase
        (totals("1.00"), totals(None, 105, unpriced=1), False),
    ],
)
def test_the_limit_holds_for_money_and_where_there_is_no_price_for_tokens(
    base: Totals, head: Totals, over: bool
) -> None:
    found = Comparison(Measure("a", 0, {"f": base}), Measure("b", 0, {"f": head}), "feature", Decimal(10))
    assert found.is_over is over
    assert ("over the limit of 10 %" in markdown_text(found)) is over


def test_costs_are_shown_to_their_last_digit() -> None:
    rows = {"tiny": totals("0.000000142500"), "round": totals("2"), "long": totals("1.2345678")}
    found = Comparison(Measure("a", 0, rows), Measure("b", 0, rows), "feature")
    shown = [line.split(" | ")[-1] for line in markdown_text(found).splitlines() if line.startswith("| ")]
    assert shown[1:] == ["2.000000 |", "1.2345678 |", "0.0000001425 |", "3.2345679425 |"]


def test_the_templates_for_github_and_gitlab_run_the_command() -> None:
    folder = ROOT / "examples" / "ci"
    workflow = yaml.safe_load((folder / "github.yml").read_text())
    (job,) = workflow["jobs"].values()
    steps = [step.get("run", "") for step in job["steps"]]
    assert any("outlay ci --base" in step for step in steps)
    assert job["steps"][0]["with"]["fetch-depth"] == 0  # the base must be there
    assert set(workflow[True]) == {"pull_request"}
    gitlab = yaml.safe_load((folder / "gitlab.yml").read_text())
    job = gitlab["outlay-ci"]
    assert any("outlay ci --base" in line for line in job["script"])
    assert job["variables"]["GIT_DEPTH"] == "0"
