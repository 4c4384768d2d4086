"""Outlay as processes of its own: the server, and commands that run to their end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAY_", "OTEL_"))}
    paths = ":".join(str(ROOT / name) for name in ("sdk", "collector", "analytics", "web"))
    return {**kept, "PYTHONPATH": paths, "HOME": str(home), "XDG_DATA_HOME": str(home), "TERM": "dumb", **more}


def outlay(home: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "outlay_web", *words]
    return subprocess.run(command, env=environment(home, **more), capture_output=True, text=True, timeout=120)


class Server:
    """`outlay serve` as a process of its own."""

    def __init__(self, home: Path, *words: str, **more: str) -> None:
        command = [sys.executable, "-m", "outlay_web", "serve", "--port", "0", "--grpc-port", "0", *words]
        self.log = open(home / "server.log", "ab")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            command, env=environment(home, **more), stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "ready at http://" in line, (home / "server.log").read_text()
        self.url = line.split("ready at ")[1].split(",")[0].split()[0]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.close()
        return code, time.monotonic() - began

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
