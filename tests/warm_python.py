"""Programs that start at once: a process that has imported what they import forks when one is asked for.

What `python -m outlay_web` imports takes nine tenths of most commands, and what `import outlay` and its first span do
most of a short program, and the suite runs hundreds. Each is a process of its own as ever, with its own descriptors,
environment and signals; only the imports were made before. Run as a program, this file is the process that forks;
imported, it is the way to ask for one.

The embedded engine is not imported ahead: it starts threads, and threads do not outlive a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import types
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, NoReturn

COMMAND = (
    *("pandas", "pyarrow", "clickhouse_connect", "outlay_web.cli", "outlay_web.cli.inprocess"),
    *("outlay_web.server.serve", "outlay_web.server.application", "outlay_collector.load.ledger"),
    *("anyio._backends._asyncio", "pydantic.v1", "xml.etree.ElementTree", "encodings.idna"),
)
SDK = (
    *("outlay", "outlay.tracing.own_spans", "outlay.export.queue", "outlay.export.encode", "outlay._cost"),
    *("opentelemetry.exporter.otlp.proto.common.trace_encoder", "urllib3.contrib", "ssl", "outlay.pricing"),
    *("outlay.wire.urllib3", "outlay.wire.threads", "outlay.wire.begin", "outlay.export.greeting", "gzip"),
)
HEAD = struct.Struct("!I")


class Program:
    """A running `python -m module words`; ended by itself, by a signal, or by `close`."""

    def __init__(self, pid: int, status: IO[bytes]) -> None:
        self.pid = pid
        self._status = status
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, as `subprocess` has it, once there is one."""
        return self._look(0)

    def wait(self, timeout_s: float) -> int:
        code = self._look(timeout_s)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout_s)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, timeout_s: float) -> int | None:
        if self.returncode is None and _ready([self._status.fileno()], timeout_s):
            self.returncode = int(self._status.readline() or -signal.SIGKILL)
            self._status.close()
        return self.returncode


def _ready(descriptors: list[int], timeout_s: float | None = None) -> list[int]:
    """Those that can be read; any number of them may be open, where `select` ends at 1,024."""
    with selectors.DefaultSelector() as selector:
        for descriptor in descriptors:
            selector.register(descriptor, selectors.EVENT_READ)
        return [key.fd for key, _ in selector.select(timeout_s)]


class Warm:
    """The process that forks; started with the first program that is asked for.

    Args:
        ahead: Modules that it imports.
    """

    def __init__(self, ahead: tuple[str, ...]) -> None:
        self._door, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno()), *ahead]
            path = os.pathsep.join(entry for entry in sys.path if entry)
            self._process = subprocess.Popen(
                command, env={**os.environ, "PYTHONPATH": path}, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
            )

    def start(self, words: list[str], environ: Mapping[str, str], out: int, err: int) -> Program:
        """Run `python -m words`, `-c code` or `file.py` as `python` would, with these as its stdout and stderr."""
        ours, theirs = os.pipe()
        try:
            asked = json.dumps({"words": words, "environ": dict(environ)}).encode()
            socket.send_fds(self._door, [HEAD.pack(len(asked))], [out, err, theirs])
            self._door.sendall(asked)
        finally:
            os.close(theirs)
        status = open(ours, "rb", buffering=0)  # noqa: SIM115 - open as long as the program
        return Program(int(status.readline()), status)

    def close(self) -> None:
        self._door.close()
        self._process.wait()


_warm: dict[tuple[str, ...], Warm] = {}
_lock = threading.Lock()


def start(
    words: list[str], environ: Mapping[str, str], out: int, err: int, ahead: tuple[str, ...] = COMMAND
) -> Program:
    """Run `python -m words` as a process of its own; for any thread."""
    with _lock:
        if ahead not in _warm:
            _warm[ahead] = Warm(ahead)
            atexit.register(_warm[ahead].close)
        return _warm[ahead].start(words, environ, out, err)


def run(
    code: str | Path, environ: Mapping[str, str], *words: str, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run a program that uses the SDK to its end: `python -W ignore`, that has imported the SDK before.

    Args:
        code: The program, or the file that it is in, which children that are spawned read again.
    """
    if sys.platform == "darwin":  # where what has loaded system libraries may not fork
        return run_cold(code, environ, *words, timeout_s=timeout_s)
    command = [str(code), *words] if isinstance(code, Path) else ["-c", code, *words]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = start(command, environ, out.fileno(), err.fileno(), SDK)
        try:
            ended = program.wait(timeout_s)
        except subprocess.TimeoutExpired:
            program.kill()
            raise
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(command, ended, out.read().decode(), err.read().decode())


def run_cold(
    code: str | Path, environ: Mapping[str, str], *words: str, timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    """The same in a Python that has imported nothing."""
    program = [str(code)] if isinstance(code, Path) else ["-c", code]
    command = [sys.executable, "-W", "ignore", *program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, env=dict(environ))


def _serve(door: socket.socket) -> list[str]:
    """Fork for whoever asks; returns in the child, with the words of its command line."""
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: dict[int, int] = {}
    while True:
        ready = _ready([door.fileno(), woken])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 1024)
            _tell_ends(children)
        if door.fileno() not in ready:
            continue
        head, descriptors, _, _ = socket.recv_fds(door, HEAD.size, 3)
        if not head:
            _leave(children)
        asked = json.loads(_received(door, HEAD.unpack(head)[0]))
        out, err, status = descriptors
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for descriptor in (woken, wakes, status, *children.values(), door.detach()):
                os.close(descriptor)
            _become(asked["environ"], out, err)
            words: list[str] = asked["words"]
            return words
        os.close(out)
        os.close(err)
        os.write(status, b"%d\n" % pid)
        children[pid] = status


def _received(door: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        parts += door.recv(size - len(parts))
    return parts


def _tell_ends(children: dict[int, int]) -> None:
    while children:
        pid, code = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        status = children.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(status, b"%d\n" % os.waitstatus_to_exitcode(code))
        os.close(status)


def _leave(children: dict[int, int]) -> NoReturn:
    """Those who ask are gone; so are their programs."""
    for pid in children:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def _become(environ: Mapping[str, str], out: int, err: int) -> None:
    """What a fresh process would have: signals, environment and streams."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(environ)
    time.tzset()
    for number, descriptor in ((1, out), (2, err)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as long as the process
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def main() -> None:
    door = socket.socket(fileno=int(sys.argv[1]))
    sys.path.remove(str(Path(__file__).parent))
    for name in sys.argv[2:]:
        __import__(name)
    assert "chdb" not in sys.modules, "the engine has threads, which a fork does not take along"
    gc.collect()
    gc.freeze()
    _run(*_serve(door))


def _run(module: str, *words: str) -> NoReturn:
    """Run it and end as Python does, but for taking every module apart."""
    code: int | str | None = 0
    try:
        sys.argv = [module, *words]
        if module == "-c" or module.endswith(".py"):
            warnings.simplefilter("ignore")
            sys.modules["__main__"] = program = types.ModuleType("__main__")
            if module == "-c":
                del sys.argv[1]
                source = words[0]
            else:
                program.__file__, source = module, Path(module).read_text()
            exec(compile(source, module, "exec"), program.__dict__)
        else:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as left:
        code = left.code
    except BaseException:
        traceback.print_exc()
        code = 1
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    main()
