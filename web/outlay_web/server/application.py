"""Puts Outlay's parts together for one data directory: the server does it, and a command that finds no server running.

Order matters: the lock before the store (its own refusal names nobody), TMPDIR before anything that writes temporary
files, tables before whoever reads them.
"""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from starlette.types import ASGIApp

from outlay.errors import ConfigError
from outlay_analytics.questions.call_rows import keep_written
from outlay_collector.cadence import Cadence
from outlay_collector.cells import CellTasks
from outlay_collector.handover import Handover
from outlay_collector.jobs import Workers
from outlay_collector.load.loader import Loader
from outlay_collector.prices.book import PriceBook
from outlay_collector.receive.http import Receiver
from outlay_collector.receive.intake import Intake
from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.clock import utc_now
from outlay_collector.store.lease import LEASE_S, lease_on
from outlay_web.config import ROLES, Config
from outlay_web.http.auth import Authenticator
from outlay_web.http.context import Context
from outlay_web.server.app import create_app
from outlay_web.server.bills import Bills
from outlay_web.server.footprint import Footprint
from outlay_web.server.lock import DataLock
from outlay_web.server.pipeline import FIRST_CELL, Pipeline
from outlay_web.server.sections import read_sections
from outlay_web.server.watch import Alerts, watch_keys

logger = logging.getLogger(__name__)

MEMORY_S = 10.0
CATCH_UP_S = 5.0
STOP_S = 6.0
WATCH_S = 2.0
COMMAND_S = LEASE_S + 10.0  # a command waits as long as a dead process may still hold the lease
OPEN_S = 30.0


class Application:
    """Everything for one data directory: opened by the constructor, running after `start`.

    Args:
        command: What holds the directory, as another process will be told.
        clock: Returns the present instant; tests set it.

    Raises:
        ConfigError: For a section of outlay.toml that cannot be used, or a directory that another process holds.
        StoreError: If the store cannot be opened or is newer than this program.
    """

    def __init__(self, config: Config, *, command: str, clock: Callable[[], datetime] = utc_now) -> None:
        self.config = config
        self.url = ""
        self._until = 0.0
        self._stopping = threading.Event()
        settings = config.settings
        sections = read_sections(config)
        self.lock = DataLock(settings.data, command)
        self._closers: list[Callable[[], object]] = [self.lock.release]
        try:
            use_own_temp_dir(settings.data / "tmp")
            self.store: Store = open_store(settings.dsn)
            self._closers.append(self.store.close)
            migrate(self.store)
            cells = self.store.cells
            if cells.count > 1 and not cells.own and "jobs" in settings.roles:
                raise ConfigError(
                    f"store_dsn = {self.store.dsn.shown!r} is no node of cluster {self.store.dsn.cluster!r}; a process "
                    "with the role jobs settles one shard: connect it to a node of that"
                )
            # Of several processes on one cell, one settles, rolls up and sends alerts; `_fenced` writes only there.
            self.lease = lease_on(self.store, f"jobs of cell {cells.own}" if cells.count > 1 else "jobs")
            self._fenced = self.store.fenced(self.lease.check)
            self._closers.append(self.lease.release)
            self.prices = PriceBook(self.store, sections.pop("overrides"), clock=clock)
            self.cell_tasks = CellTasks(self.store, clock=clock) if cells.count > 1 else None
            # Where not everything is in this process, those who look do so elsewhere.
            self.cadence = Cadence(attended=set(settings.roles) != set(ROLES))
            # Where this process alone loads and settles, small batches need no marks in the store.
            alone = self.store.embedded and {"receive", "jobs"} <= set(settings.roles)
            self.handover = Handover() if alone else None
            self.pipeline = Pipeline(
                self._fenced,
                self.lease,
                self.prices,
                self.cadence,
                self.cell_tasks,
                clock,
                sections.pop("attributes"),
                self.handover,
                partial(keep_written, self.store) if alone and "web" in settings.roles else None,
            )
            self.workers = Workers()
            self.spool: Spool | None = None
            self.intake: Intake | None = None
            self.loader: Loader | None = None
            if "receive" in settings.roles:
                self._open_spool()
            authenticator = Authenticator(self.store, settings, clock, sections.pop("projects"))
            authenticator.keys.refresh()
            self.context = Context(
                store=self.store,
                settings=settings,
                version=outlay_version(),
                authenticator=authenticator,
                prices=self.prices,
                spool=self.spool,
                intake=self.intake,
                config=sections,
                clock=clock,
                cell_tasks=self.cell_tasks,
                ask=self.cadence.ask,
                handover=self.handover or Handover(),
                workers=self.workers,
                stopping=self._stopping,
                run_task=self.pipeline.run if "jobs" in settings.roles else None,
            )
        except BaseException:
            self.close()
            raise

    def open_pipeline(self) -> None:
        """Let requests settle in this thread: for a command that has no server to do it. Of several cells theirs do."""
        if self.cell_tasks is not None:
            return
        self.lease.wait(COMMAND_S)
        self.context.run_task = self.pipeline.run

    def asgi(self) -> ASGIApp:
        """What answers over HTTP, or in this process."""
        receiver = None
        if self.spool is not None:
            receiver = Receiver(self.spool, self.context.authenticator.project_for_ingest, intake=self.intake)
        return create_app(self.context, receiver)

    def start(self) -> None:
        """Warm up what the first request would wait for; then load, settle and roll up in the background."""
        warm_up(self.store)
        if "jobs" in self.config.settings.roles:
            alone = self.loader is not None and self.store.embedded  # elsewhere others load, too
            self.pipeline.start(self.workers.thread("pipeline"), loads_here=alone)
            self._closers.append(lambda: self.pipeline.stop(self._left_s()))
        self._start_watch()
        if self.loader is not None:
            self.loader.start()

    def announce(self, url: str) -> None:
        """It answers at `url` now: for other processes, and for the links in alerts."""
        self.url = url
        self.lock.say(url)
        self.context.ready = True

    def drain(self) -> None:
        """Load, settle and roll up all that waits, in this thread: for a command that has no server to do it."""
        while self.loader is not None and self.loader.run_once():
            pass
        self.lease.wait(COMMAND_S)
        self.pipeline.drain()

    def close(self, stop_s: float = STOP_S) -> None:
        """Stop the background and let go of everything, in the opposite order. Safe to call twice.

        A thread that does not end within the `stop_s` that all have together still uses the store, which then stays
        open until the process ends.
        """
        self._until = time.monotonic() + stop_s
        self._stopping.set()
        in_use = False
        while self._closers:
            closer = self._closers.pop()
            if in_use and closer in (self.store.close, self.lease.release):
                continue
            try:
                in_use = closer() is False or in_use
            except Exception:
                logger.exception("closing failed")

    def _open_spool(self) -> None:
        settings = self.config.settings
        spool = Spool(settings.data / "spool", quota_bytes=settings.spool_quota_bytes)
        self._closers.append(spool.close)
        self.loader = loader = Loader(
            self.store,
            spool,
            on_loaded=lambda: self.workers.wake("settle"),
            cadence=self.cadence,
            handover=self.handover,
        )
        self._closers += [lambda: self.pipeline.settle_rest(self._left_s), lambda: loader.stop(self._left_s())]
        self.spool, self.intake = spool, Intake(spool)

    def _left_s(self) -> float:
        """How long the stop may still take."""
        return max(self._until - time.monotonic(), 0.0)

    def _catch_up(self) -> None:
        if self.spool is not None:
            self.pipeline.catch_up(self.spool.waiting, CATCH_UP_S)

    def _start_watch(self) -> None:
        thread = self.workers.thread("watch")
        watch_keys(thread, self.context)
        if self.store.embedded:
            thread.add("memory", MEMORY_S, Footprint(self.store.writer().run).tidy)
        if "jobs" in self.config.settings.roles and self.store.cells.own in (0, FIRST_CELL):
            Alerts(self.context, self._fenced, self.lease, self._catch_up, lambda: self.url).watch(thread)
            if self.context.config["bills"]:
                bills = Bills(self.context, self._fenced, self.lease)
                bills.watch(self.workers.thread("bills"))
                self._closers.append(lambda: bills.stop(min(WATCH_S, self._left_s())))
        thread.start()
        self._closers.append(lambda: thread.stop(min(WATCH_S, self._left_s())))


def migrate_only(config: Config) -> list[str]:
    """Bring the store's tables up to this version; return the names of the migrations that ran.

    Raises:
        ConfigError: If a server holds the data.
        StoreError: If the store is newer than this program.
    """
    lock = DataLock(config.settings.data, "migrate")
    try:
        store = open_store(config.settings.dsn)
        try:
            return migrate(store)
        finally:
            store.close()
    finally:
        lock.release()


def use_own_temp_dir(path: Path) -> None:
    """Temporary files go beside the data: private, and emptied at each start."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(path)
    tempfile.tempdir = str(path)


def warm_up(store: Store) -> None:
    """Import what the first insert and the first answer need; open a reader and the connection of health checks."""
    importlib.import_module("pandas")
    store.query("SELECT 1 AS one")
    store.heartbeat.wait(store.heartbeat.ask(), OPEN_S)


def outlay_version() -> str:
    try:
        return installed_version("outlay")
    except PackageNotFoundError:
        return "0.0.0"
