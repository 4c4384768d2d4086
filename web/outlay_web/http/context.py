"""What a request needs: built once by the start-up, passed to the API and the pages, never a global."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_collector.handover import Handover
from outlay_collector.jobs import Workers
from outlay_collector.store import Store
from outlay_collector.store.clock import Clock, utc_now
from outlay_collector.store.locks import holding
from outlay_web.cache import Cache

if TYPE_CHECKING:
    from outlay_collector.cells import CellTasks
    from outlay_collector.prices.book import PriceBook
    from outlay_collector.receive.intake import Intake
    from outlay_collector.settle import Settler
    from outlay_collector.spool.spool import Spool
    from outlay_collector.store.client import Writer
    from outlay_web.config import Settings
    from outlay_web.http.auth import Authenticator


WRITE_S = 30.0
LONG_WRITE_S = 3600.0


def no_ask() -> None:
    """Where nothing is loaded in this process, nobody has to know that somebody looks."""


@dataclass
class Context:
    """One program's parts, as the request handlers see them.

    Attributes:
        store: The store; thread-safe reads.
        settings: Server settings, read once.
        version: Outlay's version.
        prices: The price book.
        spool: The receiver's spool, None where this process does not receive.
        intake: The one way into the spool, shared by HTTP, gRPC and recorded files.
        authenticator: Keys, password and sessions.
        config: Sections of outlay.toml as their owners parsed them: `budgets`, `alerts`, `projects`, `model_tiers` …
        clock: Returns the present instant; tests set it.
        ready: Whether start-up is finished.
        ask: Says that somebody looks, so that what waits is worked off; waits for nothing.
        handover: What the loader of this process has told its settler; empty where others load or settle.
        cell_tasks: Has every cell do what a request wants, where there are several; None where there is one.
        run_task: Has the settler do something and returns what comes of it; None where nothing settles.
        workers: The background work of this process.
        cache: Answers that take long, between requests.
        stopping: Set when the program ends, for what waits for others.
    """

    store: Store
    settings: Settings
    version: str
    authenticator: Authenticator
    prices: PriceBook
    spool: Spool | None = None
    intake: Intake | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    clock: Clock = utc_now
    ready: bool = False
    ask: Callable[[], None] = no_ask
    handover: Handover = field(default_factory=Handover)
    cell_tasks: CellTasks | None = None
    run_task: Callable[[Callable[[Settler], Any]], Any] | None = None
    workers: Workers = field(default_factory=Workers)
    cache: Cache = field(default_factory=Cache)
    stopping: threading.Event = field(default_factory=threading.Event)
    _write_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _price_lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _writer: Writer = field(init=False, repr=False)
    _pricer: Writer = field(init=False, repr=False)

    def now(self) -> datetime:
        return self.clock()

    @property
    def holidays(self) -> Holidays:
        """Days on which less is expected."""
        found: Holidays = self.config.get("holidays", NO_HOLIDAYS)
        return found

    def __post_init__(self) -> None:
        self._writer = self.store.writer(WRITE_S)
        self._pricer = self.store.writer(LONG_WRITE_S)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """The request handlers' one writing connection; one handler at a time holds it.

        Raises:
            StoreError: If others hold it for too long.
        """
        with holding(self._write_lock):
            yield self._writer

    @contextmanager
    def pricing(self) -> Iterator[Writer]:
        """The one connection for questions that price calls anew, which takes temporary tables; as `writing`."""
        with holding(self._price_lock):
            yield self._pricer

    @contextmanager
    def own_writer(self) -> Iterator[Writer]:
        """A connection for one long request, so that short ones need not wait for it."""
        writer = self.store.writer(LONG_WRITE_S)
        try:
            yield writer
        finally:
            writer.close()

    def ledger(self) -> dict[str, int]:
        """Spans received, stored, rejected, quarantined, duplicate and pending: one consistent snapshot."""
        from outlay_collector.load.ledger import ledger

        return dict(ledger(self.store, self.spool))
