"""One pull: asked, read, kept, put in force; or failed, and when it is tried again.

Days D−1 to D−35 are pulled anew once a day, as providers correct them; the present day every hour, for the pace. What
is due follows from what the store says, so a restart neither forgets nor hurries.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

from outlay.errors import OutlayError
from outlay_analytics.bills import anthropic, folder, openai, openrouter
from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.fetch import Fetch, Pause, PullFailed
from outlay_analytics.bills.folder import Unpack
from outlay_analytics.bills.keep import Attempt, keep_pages, put_in_force, write_attempt
from outlay_analytics.bills.pulled import Days, Pulled
from outlay_analytics.reconcile.models import ModelNames
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import Clock

PROVIDERS: Mapping[str, ModuleType] = {"openai": openai, "anthropic": anthropic, "openrouter": openrouter}
DAYS_BACK = 35
WHOLE = timedelta(days=1)
TODAY = timedelta(hours=1)
RETRY = (60.0, 300.0, 900.0, 3600.0)


@dataclass(frozen=True)
class Tools:
    """What a pull needs beside the account.

    Attributes:
        environ: Where keys may be.
        pause: Waits between tries.
        unpack: Takes the gzip off a file.
    """

    writer: Writer
    models: ModelNames
    environ: Mapping[str, str]
    pause: Pause
    unpack: Unpack
    clock: Clock


def due(state: Mapping[str, Any] | None, account: Account, now: datetime) -> str:
    """What an account needs now: `whole`, `today` or nothing.

    Args:
        state: As `keep.states` has it, None before the first pull.
    """
    if state is None:
        return "whole"
    if state["state"] == "failed" and now < state["retry_at"]:
        return ""
    if state["whole_at"] is None or state["whole_at"].date() < now.date() or now - state["whole_at"] >= WHOLE:
        return "whole"
    if account.provider in ("openai", "anthropic") and now - state["done_at"] >= TODAY:
        return "today"
    return ""


def pull(account: Account, tools: Tools, *, whole: bool, failures: int = 0) -> str:
    """Pull an account's bill; returns why it failed, empty if it did not. Either is written down.

    Args:
        whole: All days, otherwise only the present one.
        failures: How often it failed before, in a row: for how long it then waits.
    """
    started, name = tools.clock(), uuid.uuid4().hex[:16]
    today = started.date()
    days = Days(today - timedelta(days=DAYS_BACK) if whole else today, today)
    try:
        found = _fetched(account, tools, days, whole)
        keep_pages(tools.writer, account, found, started)
        put_in_force(tools.writer, account, found, name, started)
    except OutlayError as exc:
        ended = tools.clock()
        wait_s = exc.retry_s if isinstance(exc, PullFailed) else None
        wait_s = RETRY[min(failures, len(RETRY) - 1)] if wait_s is None else max(wait_s, RETRY[0])
        error = str(exc)[:2000]
        attempt = Attempt(name, whole, days.first, days.last, started, ended, error, ended + timedelta(seconds=wait_s))
        write_attempt(tools.writer, account, attempt, None)
        return error
    attempt = Attempt(name, whole, days.first, days.last, started, tools.clock())
    write_attempt(tools.writer, account, attempt, found)
    return ""


def _fetched(account: Account, tools: Tools, days: Days, whole: bool) -> Pulled:
    if not account.asks_api:
        return folder.pull(account, tools.models, tools.unpack)
    provider = PROVIDERS[account.provider]
    key = account.read_key(tools.environ)
    fetch = Fetch(account.base, provider.headers(key), key, tools.pause)
    try:
        found: Pulled = provider.pull(fetch, account, days, tools.models, whole_window=whole)
    finally:
        fetch.close()
    found.pages = fetch.pages
    return found
