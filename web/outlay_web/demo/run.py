"""`outlay demo`: a server on a directory of its own, a month of calls sent to it, and the address to open.

The server is a process of its own and so is the sender, as they would be for real. The data goes with the demo unless a
directory was named.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

READY = re.compile(r"ready at (http://\S+?)[,\s]")
CONFIG = """
[[budgets]]
name = "everything"
amount_usd = "450"
period = "month"

[[budgets]]
name = "code review"
amount_usd = "150"
period = "month"
scope = { feature = ["code-review"] }
""" + "".join(
    f'\n[[revenue]]\ncustomer = "{customer}"\nusd_per_month = "{usd}"\n'
    for customer, usd in (
        ("acme", 400),
        ("globex", 260),
        ("initech", 190),
        ("umbrella", 140),
        ("hooli", 20),  # less than it costs
        ("stark", 70),
    )
)


def run(*, data: Path | None, host: str, port: int | None, grpc_port: str | None, scale: float) -> int:
    """Run the demo until Ctrl-C; return the exit code: 0 when the bill added up."""
    kept = data is not None
    with contextlib.ExitStack() as stack:
        if data is None:
            data = Path(stack.enter_context(_temporary_directory()))
        config = data / "outlay.toml"
        if not config.exists():
            data.mkdir(parents=True, exist_ok=True)
            config.write_text(CONFIG)
        http = str(port) if port is not None else str(_free(4318))
        rpc = grpc_port if grpc_port is not None else str(_free(4317))
        command = [sys.executable, "-m", "outlay_web", "serve", "--data", str(data), "--config", str(config)]
        command += ["--host", host, "--port", http, "--grpc-port", rpc]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
        stack.callback(_stop, server)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        # What a shell starts in the background inherits an ignored SIGINT; stopping the demo should work there too.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        url = _wait_ready(server)
        if url is None:
            return server.wait() or 1
        return _send_and_stay(server, url, scale, f"keeps its data in {data}" if kept else "removes its data")


def _send_and_stay(server: subprocess.Popen[str], url: str, scale: float, end: str) -> int:
    print(f"Outlay is at {url} and fills while you look", flush=True)
    sender = subprocess.Popen([sys.executable, "-m", "outlay_web.demo.send", url, "--scale", str(scale)])
    try:
        code = sender.wait()
        print(f"Open {url}  (Ctrl-C stops the demo and {end})", flush=True)
        server.wait()
    except (KeyboardInterrupt, SystemExit):
        if sender.poll() is None:
            sender.terminate()
        return 0
    return code or server.returncode


def _wait_ready(server: subprocess.Popen[str]) -> str | None:
    """Pass on what the server says until it is ready; its address, or None when it ended instead."""
    assert server.stdout is not None
    for line in server.stdout:
        found = READY.search(line)
        if found:
            threading.Thread(target=_pass_on, args=(server,), daemon=True).start()
            return found[1]
        print(line, end="", flush=True)
    return None


def _pass_on(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    for line in server.stdout:
        print(line, end="", flush=True)


def _stop(server: subprocess.Popen[str]) -> None:
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(12)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


@contextlib.contextmanager
def _temporary_directory() -> Iterator[str]:
    path = tempfile.mkdtemp(prefix="outlay-demo-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _free(port: int) -> int:
    """The port if nobody has it, else 0: the server picks one."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
    return port
