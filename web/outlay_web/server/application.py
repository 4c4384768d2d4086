"""Puts Outlay's parts together for one data directory: the server does it, and a command that finds no server running.

Order matters: the lock before the store (its own refusal names nobody), TMPDIR before anything that writes temporary
files, tables before whoever reads them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp

from outlay.errors import ConfigError, StoreError
from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.budgets import parse_budgets
from outlay_analytics.alerting.outbox import deliver
from outlay_analytics.alerting.rounds import Rounds
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.notify.guarded_http import check_numeric
from outlay_analytics.query.model_tiers import parse_model_tiers
from outlay_collector.cadence import Cadence
from outlay_collector.jobs import Job, Scheduler
from outlay_collector.load.loader import Loader
from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.lists import catalogue_warning
from outlay_collector.prices.overrides import parse_overlay
from outlay_collector.prices.reprice import resume
from outlay_collector.receive.http import Receiver
from outlay_collector.receive.intake import Door
from outlay_collector.rollup.hours import Rollup
from outlay_collector.settle import Settler
from outlay_collector.spool.spool import Spool
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.lease import LEASE_S, lease_on
from outlay_web.config import ROLES, Config
from outlay_web.http.auth import Authenticator
from outlay_web.http.context import Context, utc_now
from outlay_web.http.keys import parse_projects
from outlay_web.server.app import create_app
from outlay_web.server.footprint import Footprint
from outlay_web.server.lock import DataLock
from outlay_web.server.workers import Errands
from outlay_web.services import status
from outlay_web.services.anomalies import finder

logger = logging.getLogger(__name__)

SETTLE_S = 30.0  # a loader in this process wakes it; otherwise it looks every second
SETTLE_POLL_S = 1.0
ROLL_UP_S = 10.0
IDLE_ROLL_UP_S = 60.0
ERRANDS_S = 3600.0
KEYS_S = 5.0
LAST_USED_S = 60.0
MEMORY_S = 10.0
BUDGETS_S = 60.0
ANOMALIES_S = 900.0
CATCH_UP_S = 5.0
PATIENCE_S = 300.0
STOP_S = 6.0
WATCH_S = 2.0
FIRST_LEASE_S = 2.0
COMMAND_S = LEASE_S + 10.0  # a command waits as long as a dead process may still hold the lease
OPEN_S = 30.0
LAST_SETTLE_S = 2.0  # with less than that left, nothing new is begun


class Assembly:
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
        self._settler: Settler | None = None
        self._rollup: Rollup | None = None
        self._term = 0
        settings = config.settings
        sections = parse_sections(config.sections)
        self.lock = DataLock(settings.data, command)
        self._closers: list[Callable[[], object]] = [self.lock.release]
        try:
            use_own_temp_dir(settings.data / "tmp")
            self.store: Store = open_store(settings.dsn)
            self._closers.append(self.store.close)
            migrate(self.store)
            # Of several processes on one store, one settles, rolls up and sends alerts; `_fenced` writes only there.
            self.lease = lease_on(self.store, "jobs")
            self._fenced = self.store.fenced(self.lease.check)
            self._closers.append(self.lease.release)
            self.prices = PriceBook(self.store, sections.pop("overlay"))
            # Where not everything is in this process, those who look do so elsewhere.
            self.cadence = Cadence(attended=set(settings.roles) != set(ROLES))
            self.spool: Spool | None = None
            self.door: Door | None = None
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
                door=self.door,
                config=sections,
                clock=clock,
                ask=self.cadence.ask,
            )
        except BaseException:
            self.close()
            raise

    def open_pipeline(self) -> None:
        """Let requests settle in this thread: for a command that has no server to do it."""
        self.lease.wait(COMMAND_S)
        settler, _ = self._workers()
        self.context.on_pipeline = lambda errand: errand(settler)

    def application(self) -> ASGIApp:
        """What answers over HTTP, or in this process."""
        receiver = None
        if self.spool is not None:
            receiver = Receiver(self.spool, self.context.authenticator.project_for_ingest, door=self.door)
        return create_app(self.context, receiver)

    def start(self) -> None:
        """Warm up what the first request would wait for; then load, settle and roll up in the background."""
        warm_up(self.store)
        if "jobs" in self.config.settings.roles:
            self._start_pipeline()
        self._start_watch()
        if self.loader is not None:
            self.loader.start()

    def announce(self, url: str) -> None:
        """It answers at `url` now: for other processes, and for the links in evaluate."""
        self.url = url
        self.lock.say(url)
        self.context.ready = True

    def drain(self) -> None:
        """Load, settle and roll up all that waits, in this thread: for a command that has no server to do it."""
        while self.loader is not None and self.loader.run_once():
            pass
        self.lease.wait(COMMAND_S)
        settler, rollup = self._workers()
        while settler.run_once():
            pass
        while rollup.run_once():
            pass
        settler.close()
        rollup.close()

    def close(self, stop_s: float = STOP_S) -> None:
        """Stop the background and let go of everything, in the opposite order. Safe to call twice.

        A thread that does not end within the `stop_s` that all have together still uses the store, which then stays
        open until the process ends.
        """
        self._until = time.monotonic() + stop_s
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
            self.store, spool, on_loaded=lambda: self.context.wake("settle"), cadence=self.cadence
        )
        self._closers += [self._settle_rest, lambda: loader.stop(self._left_s())]
        self.spool, self.door = spool, Door(spool)

    def _settle_rest(self) -> None:
        """Settle what was loaded last, as far as time allows: what was sent is in the figures after a stop, too."""
        with contextlib.suppress(StoreError):  # the next start settles it
            while self._settler is not None and self._left_s() > LAST_SETTLE_S and self._settler.run_once():
                pass

    def _left_s(self) -> float:
        """How long the stop may still take."""
        return max(self._until - time.monotonic(), 0.0)

    def _workers(self) -> tuple[Settler, Rollup]:
        with contextlib.closing(self._fenced.writer()) as writer:
            self.prices.ensure(writer)
            warning = catalogue_warning(self.store)
            if warning:
                logger.warning("%s", warning)
            resume(self.prices, writer)
        return Settler(self._fenced, self.prices), Rollup(self._fenced)

    def _begin_term(self) -> bool:
        """Whether this process settles and rolls up; when it begins to, what workers remember is read anew."""
        if not self.lease.held():
            return False
        if self._term != self.lease.term:
            term = self.lease.term
            for worker in (self._settler, self._rollup):
                if worker is not None:
                    worker.close()
            self._settler = self._rollup = None
            self._settler, self._rollup = self._workers()
            self._term = term
        return True

    def _on_duty(self) -> Settler:
        """The settler, for who asks for work on the pipeline.

        Raises:
            StoreError: If another process settles.
        """
        self.lease.check()
        if not self._begin_term() or self._settler is None:
            raise StoreError("another process settles now", retryable=True)
        return self._settler

    def _start_pipeline(self) -> None:
        """Settle and roll up on one thread, one after the other, while this process holds the lease."""
        with contextlib.suppress(StoreError):  # who stands by begins when the other ends
            self.lease.wait(FIRST_LEASE_S)
        self._begin_term()
        pipeline = Scheduler("pipeline")
        pipeline.add("settle", SETTLE_POLL_S if self.loader is None else SETTLE_S, self._settle)
        pipeline.add("rollup", ROLL_UP_S, lambda: self._roll_up(pipeline))
        errands = Errands(self._on_duty, lambda: pipeline.wake("errands"), self.store.heartbeat)
        pipeline.add("errands", ERRANDS_S, errands.run_all)
        self.context.on_pipeline = errands.ask
        self._run(pipeline, self._stop_pipeline)
        self.context.wake = lambda job: pipeline.wake(job) if job in pipeline.jobs else None
        self.lease.keep(lambda: self.context.wake("settle"))

    def _settle(self) -> bool:
        if not self._begin_term() or self._settler is None:
            return False
        with self.cadence.run("settle"):
            return self._settler.run_once()

    def _catch_up(self) -> None:
        """Before something is judged: what was received by now is in the figures, unless that takes long."""
        if self.spool is not None and self._settler is not None:
            self.cadence.catch_up(self.spool.waiting, CATCH_UP_S)

    def _stop_pipeline(self, pipeline: Scheduler) -> bool:
        ended = pipeline.stop(self._left_s())
        if not ended:
            self._settler = None  # still in use
        return ended

    def _roll_up(self, pipeline: Scheduler) -> bool:
        """Look often only while hours wait to grow quiet."""
        if not self._begin_term() or self._rollup is None:
            return False
        again = self._rollup.run_once()
        pipeline.jobs["rollup"].interval_s = ROLL_UP_S if self._rollup.waiting else IDLE_ROLL_UP_S
        return again

    def _start_watch(self) -> None:
        """What looks at the store from time to time, on another thread: keys, budgets, anomalies."""
        watch = Scheduler("watch")
        keys = self.context.authenticator.keys
        if not self.store.embedded:  # an embedded store has no other writer
            watch.add("keys", KEYS_S, keys.refresh)
        watch.add("keys used", LAST_USED_S, self._write_last_used)
        if self.store.embedded:
            watch.add("memory", MEMORY_S, Footprint(self.store.writer().run).tidy)
        if "jobs" in self.config.settings.roles:
            self._add_alerts(watch)
        self._run(watch, lambda scheduler: scheduler.stop(min(WATCH_S, self._left_s())))
        wake = self.context.wake
        self.context.wake = lambda job: watch.wake(job) if job in watch.jobs else wake(job)

    def _add_alerts(self, watch: Scheduler) -> None:
        """Look after budgets every minute and anomalies every quarter of an hour, on a connection of their own."""
        config = self.context.config
        configured: AlertSettings = config["alerts"]
        writer = self._fenced.writer()

        def rules() -> AlertSettings:
            url = self.config.settings.public_url or self.url or configured.public_url
            return dataclasses.replace(configured, public_url=url)

        rounds = Rounds()

        def budgets() -> None:
            if not self.lease.held():
                return
            self._catch_up()
            now = self.context.now()
            if rounds.due(self.store, now):
                evaluate.evaluate(self.store, writer, now, rules(), config["budgets"])
            else:
                deliver(self.store, writer, now, configured.channels, configured.outbound)

        def anomalies() -> None:
            if not self.lease.held():
                return
            self._catch_up()
            projects = status.projects(self.context)
            evaluate.evaluate_anomalies(
                self.store, writer, self.context.now(), rules(), projects, finder(self.context, PATIENCE_S)
            )

        watch.add("alerts", BUDGETS_S, budgets)
        if configured.anomalies:
            watch.add("anomalies", ANOMALIES_S, anomalies)

    def _write_last_used(self) -> None:
        with self.context.writing() as writer:
            self.context.authenticator.keys.write_last_used(writer)

    def _run(self, scheduler: Scheduler, stop: Callable[[Scheduler], bool]) -> None:
        scheduler.start()
        self._closers.append(lambda: stop(scheduler))
        before = self.context.jobs
        self.context.jobs = lambda: [*before(), *(_shown(job) for job in scheduler.jobs.values())]


def parse_sections(written: Mapping[str, Any]) -> dict[str, Any]:
    """The sections of outlay.toml, each by its owner.

    Raises:
        ConfigError: Names the section, the value and what is allowed.
    """
    found: dict[str, Any] = {"overlay": parse_overlay(written), "projects": parse_projects(written)}
    found["alerts"] = parse_alerts(_table(written, "alerts"))
    found["channels"] = found["alerts"].channels
    allowed = found["alerts"].outbound.allowed
    found["budgets"] = parse_budgets(
        written.get("budgets", []), found["channels"], lambda url: check_numeric(url, allowed)
    )
    found["model_tiers"] = parse_model_tiers(_table(written, "model_tiers"))
    return found


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


def _table(written: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = written.get(name, {})
    if not isinstance(table, Mapping):
        raise ConfigError(f"[{name}] must be a table, not {table!r}")
    return table


def _shown(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "runs": job.runs,
        "failures": job.failures,
        "last_error": job.last_error or None,
        "busy_seconds": round(job.busy_s, 3),
    }
