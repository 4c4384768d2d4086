"""Outlay as processes of its own: the server, and commands that run to their end.

They start warm, see `warm_python`. `cold=True` starts a Python of its own, as a user's shell does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import warm_python

ROOT = Path(__file__).parents[1]
MODULE = "outlay_web"
PATIENCE_S = 300


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    paths = ":".join(str(ROOT / name) for name in ("sdk", "collector", "analytics", "web"))
    return {**kept, "PYTHONPATH": paths, "HOME": str(home), "XDG_DATA_HOME": str(home), "TERM": "dumb", **more}


def outlay(home: Path, *words: str, cold: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
    """`outlay words`, run to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = _start(words, environment(home, **more), out.fileno(), err.fileno(), cold)
        try:
            code = program.wait(PATIENCE_S)
        finally:
            program.kill()
        printed, said = (os.pread(file.fileno(), 1 << 30, 0).decode() for file in (out, err))
    return subprocess.CompletedProcess(words, code, printed, said)


def _start(
    words: tuple[str, ...], environ: dict[str, str], out: int, err: int, cold: bool
) -> warm_python.Program | subprocess.Popen[bytes]:
    if not cold and sys.platform != "darwin":  # where what has loaded system libraries may not fork
        return warm_python.start([MODULE, *words], environ, out, err)
    return subprocess.Popen([sys.executable, "-m", MODULE, *words], env=environ, stdout=out, stderr=err)


class Server:
    """`outlay serve` as a process of its own."""

    def __init__(self, home: Path, *words: str, cold: bool = False, **more: str) -> None:
        said, out = os.pipe()
        self.log = open(home / "server.log", "ab")  # noqa: SIM115 - open as long as the process
        command = ("serve", "--port", "0", "--grpc-port", "0", *words)
        self.process = _start(command, environment(home, **more), out, self.log.fileno(), cold)
        os.close(out)
        self.stdout = open(said)  # noqa: SIM115 - open as long as the process
        line = self.stdout.readline()
        assert "ready at http://" in line, (home / "server.log").read_text()
        self.url = line.split("ready at ")[1].split(",")[0].split()[0]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to leave, and wait until it has; returns its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE_S)
        self.close()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.stdout.close()
        self.log.close()
