"""The command where only the SDK is installed: it says what to install."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.outlay_process import environment

HIDE = """
import sys
from importlib.metadata import EntryPoint
import tomllib

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
sys.argv = ["outlay", *{words!r}]
scripts = tomllib.load(open({project!r}, "rb"))["project"]["scripts"]
EntryPoint("outlay", scripts["outlay"], "console_scripts").load()()
"""
SERVER = [
    "click",
    "fastapi",
    "uvicorn",
    "jinja2",
    "pandas",
    "chdb",
    "clickhouse_connect",
    "rich",
    "grpc",
    "numpy",
    "isal",
]


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        (SERVER, []),
        (SERVER, ["--help"]),
        (SERVER, ["spend", "--group-by", "feature"]),
        (["fastapi", "uvicorn"], ["serve", "--port", "0", "--grpc-port", "0"]),  # click came with something else
        (["clickhouse_connect", "chdb"], ["serve", "--port", "0", "--grpc-port", "0"]),
    ],
)
def test_the_command_says_what_to_install(tmp_path: Path, hidden: list[str], words: list[str]) -> None:
    project = str(Path(__file__).parents[2] / "pyproject.toml")
    code = HIDE.format(hidden=hidden, words=words, project=project)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment(tmp_path)
    )
    assert done.returncode == 1
    assert "pip install 'outlay[server]'" in done.stderr
    assert "Without them:  outlay run -- COMMAND, outlay doctor --sdk" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 3


def test_what_is_the_sdks_needs_none_of_the_servers_packages(tmp_path: Path) -> None:
    project = str(Path(__file__).parents[2] / "pyproject.toml")
    for words, said in ((["ci", "--help"], "outlay ci --base REF"), (["doctor", "--sdk"], "spans go to")):
        code = HIDE.format(hidden=SERVER, words=words, project=project)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment(tmp_path)
        )
        assert said in done.stdout, done
        assert "pip install" not in done.stderr
