"""What looks at the store from time to time: keys that others made, budgets by the minute, anomalies by the quarter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from outlay_analytics.alerting import evaluate
from outlay_analytics.alerting.outbox import deliver
from outlay_analytics.alerting.rounds import Rounds
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.digest import send_digests
from outlay_collector.jobs import WorkerThread
from outlay_collector.store import Store
from outlay_collector.store.lease import Fence
from outlay_web.http.context import Context
from outlay_web.services import bills, status
from outlay_web.services.anomalies import finder

KEYS_S = 5.0
LAST_USED_S = 60.0
BUDGETS_S = 60.0
ANOMALIES_S = 900.0
DIGESTS_S = 300.0
BILLS_S = 300.0
PATIENCE_S = 300.0


def watch_keys(thread: WorkerThread, ctx: Context) -> None:
    """Know the keys that other processes made, and write down when ours were used last."""
    keys = ctx.authenticator.keys

    def write_last_used() -> None:
        with ctx.writing() as writer:
            keys.write_last_used(writer)

    if not ctx.store.embedded:  # an embedded store has no other writer
        thread.add("keys", KEYS_S, keys.refresh)
    thread.add("keys used", LAST_USED_S, write_last_used)


class Alerts:
    """Judges budgets and anomalies while this process holds the lease, on a connection of its own.

    Args:
        store: Writes only while `lease` is held.
        catch_up: Has what was received by now settled first.
        url: Where the pages are reached, for links, if no setting says so.
    """

    def __init__(
        self, ctx: Context, store: Store, lease: Fence, catch_up: Callable[[], None], url: Callable[[], str]
    ) -> None:
        self._ctx = ctx
        self._lease = lease
        self._catch_up = catch_up
        self._url = url
        self._writer = store.writer()
        self._rounds = Rounds()
        self._configured: AlertSettings = ctx.config["alerts"]

    def watch(self, thread: WorkerThread) -> None:
        """Judge on `thread` from now on."""
        thread.add("alerts", BUDGETS_S, self.judge_budgets)
        thread.add("anomalies", ANOMALIES_S, self.judge_anomalies)
        if self._configured.daily or self._configured.weekly:
            thread.add("digests", DIGESTS_S, self.send_digests)
        if self._ctx.config.get("bills"):
            thread.add("explained bills", BILLS_S, self.judge_bills)

    def judge_budgets(self) -> None:
        """Every budget, or only what waits to be sent where the round is not due yet."""
        if not self._lease.held():
            return
        self._catch_up()
        store, now = self._ctx.store, self._ctx.now()
        if self._rounds.due(store, now):
            config = self._ctx.config
            try:
                evaluate.evaluate(store, self._writer, now, self._settings(), config["budgets"], config["rules"])
            except Exception:
                self._rounds.forget()
                raise
        else:
            deliver(store, self._writer, now, self._configured.channels, self._configured.outbound)

    def judge_anomalies(self) -> None:
        """What is unusual in any project."""
        if not self._lease.held():
            return
        self._catch_up()
        ctx = self._ctx
        find = finder(ctx, PATIENCE_S)
        projects = status.projects(ctx)
        evaluate.evaluate_anomalies(ctx.store, self._writer, ctx.now(), self._settings(), projects, find)

    def send_digests(self) -> None:
        """Yesterday's report, or last week's, to those who want it and have not had it."""
        if not self._lease.held():
            return
        self._catch_up()
        ctx, now = self._ctx, self._ctx.now()
        find = finder(ctx, PATIENCE_S)
        send_digests(ctx.store, self._writer, now, self._settings(), status.projects(ctx), ctx.config["budgets"], find)

    def judge_bills(self) -> None:
        """How much of each project's bills is explained."""
        if self._lease.held():
            found = bills.explained(self._ctx)
            evaluate.evaluate_bills(self._ctx.store, self._writer, self._ctx.now(), self._settings(), found)

    def _settings(self) -> AlertSettings:
        url = self._ctx.settings.public_url or self._url() or self._configured.public_url
        return dataclasses.replace(self._configured, public_url=url)
