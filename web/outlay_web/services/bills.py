"""Bills that are pulled, for the job, the API and the page: what is due, how each account stands."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.bills.accounts import Account, shown
from outlay_analytics.bills.keep import states
from outlay_analytics.bills.pull import Tools, due, pull
from outlay_analytics.reconcile.models import ModelNames
from outlay_collector.store.client import Writer
from outlay_web.http.context import Context
from outlay_web.services.reconcile import unpacked

PULLING = threading.Lock()  # one at a time: who asks twice waits for the first
NEVER: Mapping[str, Any] = {
    "state": "never",
    **dict.fromkeys(("error", "tried_at", "done_at", "retry_at", "first_day", "last_day", "billed_usd")),
    **dict.fromkeys(("failures", "days", "lines"), 0),
    "left_out": {},
    "left_out_lines": {},
    "notes": [],
}


def accounts(ctx: Context, project: str) -> list[Account]:
    """The accounts of outlay.toml that are compared with a project's calls."""
    return [account for account in ctx.config.get("bills", ()) if account.project == project]


def list_accounts(ctx: Context, project: str) -> list[dict[str, Any]]:
    """How each account stands: as outlay.toml names it, its `state` (`done`, `failed`, or `never` pulled) and what is
    in force."""
    known = states(ctx.store, project)
    found = []
    for account in accounts(ctx, project):
        state = known.get(account.name, {})
        stands = {name: state.get(name, nothing) for name, nothing in NEVER.items()}
        if stands["state"] != "failed":
            stands |= {"error": None, "retry_at": None}
        found.append({**shown(account), **stands})
    return found


def every_account(ctx: Context) -> list[dict[str, Any]]:
    """As `list_accounts`, of all projects."""
    return [one for project in _projects(ctx) for one in list_accounts(ctx, project)]


def _projects(ctx: Context) -> list[str]:
    return sorted({account.project for account in ctx.config.get("bills", ())})


def pull_due(ctx: Context, writer: Writer, pause: Callable[[float], bool]) -> dict[str, str]:
    """Pull the accounts that are due; returns which failed and why."""
    failed: dict[str, str] = {}
    for project in _projects(ctx):
        known = states(ctx.store, project)
        wanted = [
            (account, what)
            for account in accounts(ctx, project)
            if (what := due(known.get(account.name), account, ctx.now()))
        ]
        failed |= _pull(ctx, writer, wanted, pause)
    return failed


def pull_now(ctx: Context, project: str, name: str = "") -> dict[str, str]:
    """Pull a project's accounts, or one of them, whatever is due; returns which failed and why.

    Raises:
        ConfigError: If outlay.toml has none.
    """
    known = accounts(ctx, project)
    wanted = [account for account in known if not name or account.name == name]
    if not wanted:
        names = ", ".join(repr(account.name) for account in known) or "none"
        said = f"no account {name[:100]!r}" if name else "no accounts"
        raise ConfigError(f"[[bills]] of outlay.toml has {said} for project {project!r}; it has {names}")
    with ctx.own_writer() as writer:
        return _pull(ctx, writer, [(account, "whole") for account in wanted], _sleep)


def _pull(
    ctx: Context, writer: Writer, wanted: Iterable[tuple[Account, str]], pause: Callable[[float], bool]
) -> dict[str, str]:
    failed: dict[str, str] = {}
    for account, what in wanted:
        with PULLING:
            ctx.prices.ensure(writer)
            tools = Tools(writer, ModelNames(ctx.prices.catalog), os.environ, pause, unpacked, ctx.clock)
            before = states(ctx.store, account.project).get(account.name, {})
            why = pull(account, tools, whole=what == "whole", failures=before.get("failures", 0))
        if why:
            failed[account.name] = why
    return failed


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
