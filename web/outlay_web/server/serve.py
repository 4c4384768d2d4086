"""`outlay serve`: start everything in order, say so in one line, and stop within ten seconds without losing anything.

Signals arrive through the event loop, the engine is only called from threads. Whatever was answered 200 is on disk, so
that a shutdown that takes too long may simply end the process (after saying so).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from outlay.errors import ConfigError
from outlay_collector.receive.grpc import GrpcServer, start_grpc
from outlay_web.config import OFF, Config, refuse_unknown_variables
from outlay_web.http.auth import refuse_open_binding
from outlay_web.http.protocol import BoundedProtocol
from outlay_web.server.application import Application

logger = logging.getLogger(__name__)

STOP_S = 8.5
REQUESTS_S = 3
KEEP_ALIVE_S = 65
BACKLOG = 2048


def run(config: Config) -> None:
    """Serve until SIGTERM or SIGINT; ends the process with 0.

    Raises:
        ConfigError: If settings, port or data directory cannot be used.
        StoreError: If the store cannot be opened.
    """
    settings = config.settings
    start_logging(settings.log_level)
    refuse_unknown_variables(os.environ, _sdk_variables())
    refuse_open_binding(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop_early)
    began = time.monotonic()
    application = Application(config, command="serve")
    try:
        listener = listen(settings.host, settings.port)
        application.start()
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve(application, listener, began))
    finally:
        with deadline(STOP_S):
            application.close()
    logger.info("stopped")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the engine's own exit handlers may take arbitrarily long


async def _serve(application: Application, listener: socket.socket, began: float) -> None:
    settings = application.config.settings
    server = Server(
        uvicorn.Config(
            application.asgi(),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the application has its own setting
            limit_concurrency=settings.max_connections,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=REQUESTS_S,
            backlog=BACKLOG,
        )
    )

    def stop() -> None:
        application.context.stopping.set()
        server.stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    rpc = await _start_grpc(application)
    url = f"http://{_shown_host(settings.host)}:{listener.getsockname()[1]}"
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.005)
    application.announce(url)
    also = f", OTLP/gRPC on port {rpc.port}" if rpc is not None else ""
    print(f"Outlay is ready at {url}{also}, data in {settings.data} ({time.monotonic() - began:.1f} s)", flush=True)
    try:
        await serving
    finally:
        application.context.ready = False
        if rpc is not None:
            await rpc.stop()


async def _start_grpc(application: Application) -> GrpcServer | None:
    settings = application.config.settings
    if settings.grpc_port == OFF or application.spool is None:
        return None
    authenticate = application.context.authenticator.project_for_ingest
    try:
        return await start_grpc(
            application.spool, authenticate, settings.host, settings.grpc_port, intake=application.intake
        )
    except OSError as exc:
        hint = "another program has it? choose another with --grpc-port, 0 for a free one, or off"
        raise ConfigError(f"grpc_port = {settings.grpc_port} cannot be used; {hint}") from exc


class Server(uvicorn.Server):
    """uvicorn's server, which leaves signals to us: it would end the process with the signal instead of 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """uvicorn's loop ticks ten times a second; once is enough for the date it keeps, and a stop need not wait."""
        self._stopping = asyncio.Event()
        second = 0
        while not await self.on_tick(second * 10):
            second += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 1.0)

    _stopping: asyncio.Event | None = None

    def stop(self) -> None:
        """Stop soon; called on the event loop."""
        if not self.should_exit:
            logger.info("stopping")
            threading.Thread(target=_end_at_deadline, args=(STOP_S,), daemon=True).start()
        self.should_exit = True
        if self._stopping is not None:
            self._stopping.set()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, not yet accepting.

    Raises:
        ConfigError: If the address cannot be used; says why and what to do.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        hint = "; another program has it: choose another with --port, or 0 for a free one" if exc.errno == 98 else ""
        raise ConfigError(f"port = {port} on host = {host!r} cannot be used: {exc.strerror}{hint}") from exc
    listener.set_inheritable(False)
    return listener


def start_logging(level: str) -> None:
    """One line per event on stderr; libraries only from warnings up."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True)
    for name in ("outlay", "outlay_collector", "outlay_analytics", "outlay_web"):
        logging.getLogger(name).setLevel(level.upper())


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """End the process if the block takes longer: everything acknowledged is on disk already."""
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _end_at_deadline(seconds: float) -> None:
    time.sleep(seconds)
    _end(seconds)


def _end(seconds: float) -> None:
    logger.warning("stopping took longer than %.0f s; ending now, nothing acknowledged is lost", seconds)
    sys.stderr.flush()
    os._exit(0)


def _stop_early(number: int, frame: FrameType | None) -> None:
    """A signal before the loop runs."""
    raise SystemExit(0)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return None
    return uvloop.new_event_loop


def _shown_host(host: str) -> str:
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"[{shown}]" if ":" in shown and not shown.startswith("[") else shown


def _sdk_variables() -> frozenset[str]:
    from outlay.settings import SETTINGS

    return frozenset(setting.variable for setting in SETTINGS)
