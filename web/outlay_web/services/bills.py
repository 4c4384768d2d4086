"""Bills that are pulled, for the job, the API and the page: what is due, how each account stands."""

from __future__ import annotations

import json
import os
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.alerting.budget_rules import Explained
from outlay_analytics.bills.accounts import Account, shown
from outlay_analytics.bills.fetch import STOPS
from outlay_analytics.bills.keep import last_checks, pulled_charges, states
from outlay_analytics.bills.pull import DAYS_BACK, Tools, due, pull
from outlay_analytics.bills.pulled import midnight
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.text import sql_instant
from outlay_analytics.query.window import Window
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.reasons import UNEXPLAINED
from outlay_analytics.reconcile.reconcile import Beside
from outlay_collector.store.client import Writer
from outlay_web.http.context import Context
from outlay_web.services.reconcile import compare, unpacked

PULLING = threading.Lock()  # one at a time: who asks twice waits for the first
# Who bills, by the format of an API's answers; of exports their lines say it.
FAMILIES = {"openai": "openai", "anthropic": "anthropic", "anthropic_report": "anthropic", "openrouter": "openrouter"}
MOST_DAYS = 400
JUDGED_CHECKS = 15
FINAL_AFTER = timedelta(days=2)  # from the beginning of a day
NEVER: Mapping[str, Any] = {
    "state": "never",
    **dict.fromkeys(("error", "tried_at", "done_at", "retry_at", "first_day", "last_day", "billed_usd", "today_usd")),
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
    known = states(ctx.store, project, ctx.now().date())
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


def pull_due(ctx: Context, writer: Writer) -> dict[str, str]:
    """Pull the accounts that are due; returns which failed and why."""
    failed: dict[str, str] = {}
    for project in _projects(ctx):
        known = states(ctx.store, project, ctx.now().date())
        wanted = [
            (account, what)
            for account in accounts(ctx, project)
            if (what := due(known.get(account.name), account, ctx.now()))
        ]
        failed |= _pull(ctx, writer, wanted)
        if any(what == "whole" and account.name not in failed for account, what in wanted):
            check(ctx, writer, project)
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
        failed = _pull(ctx, writer, [(account, "whole") for account in wanted])
        if len(failed) < len(wanted):
            check(ctx, writer, project)
    return failed


def _pull(ctx: Context, writer: Writer, wanted: Iterable[tuple[Account, str]]) -> dict[str, str]:
    """Pull one after the other until the program ends."""
    failed: dict[str, str] = {}
    for account, what in wanted:
        with PULLING:
            if ctx.stopping.is_set():
                failed[account.name] = STOPS
                continue
            ctx.prices.ensure(writer)
            tools = Tools(writer, ModelNames(ctx.prices.catalog), os.environ, ctx.stopping.wait, unpacked, ctx.clock)
            before = states(ctx.store, account.project, ctx.now().date()).get(account.name, {})
            why = pull(account, tools, whole=what == "whole", failures=before.get("failures", 0))
        if why:
            failed[account.name] = why
    return failed


def compare_pulled(ctx: Context, project: str, first: date, last: date) -> dict[str, Any]:
    """The bills in force of days in UTC, both ends included, beside the calls; the same answer as for a file.

    Only days and providers that a bill speaks of are compared. A day's bill counts as final a day after it ended.
    """
    names = [account.name for account in accounts(ctx, project)]
    charges, usage, days = pulled_charges(ctx.store, project, names, first, last)
    covered: dict[str, set[date]] = defaultdict(set)
    still_open: dict[str, set[date]] = defaultdict(set)
    sellers: dict[str, set[str]] = defaultdict(set)
    for one in days:
        sellers[one["account"]] |= {FAMILIES[one["format"]]} if one["format"] in FAMILIES else set(one["providers"])
    for one in days:
        final_at = midnight(one["day"]) + FINAL_AFTER
        for provider in sellers[one["account"]]:
            covered[provider].add(one["day"])
            if one["pulled_at"] < final_at:
                still_open[provider].add(one["day"])
    stands = states(ctx.store, project, ctx.now().date())
    known = [state for name, state in stands.items() if name in names]
    bill = {
        "bill": "",
        "name": "pulled bills",
        "format": "pulled",
        "first_day": first,
        "last_day": last,
        "billed_usd": sum((charge.usd for charge in charges), Decimal(0)),
        "lines": len(charges),
        "left_out": _summed(state["left_out"] for state in known),
        "left_out_lines": _summed(state["left_out_lines"] for state in known),
        "imported_at": max((one["pulled_at"] for one in days), default=ctx.now()),
    }
    beside = Beside(usage, dict(covered), still_open, {one["format"] for one in days})
    return compare(ctx, project, bill, charges, beside)


def whole_days(window: Window) -> tuple[date, date]:
    """The days in UTC that a window touches, first and last.

    Raises:
        BadRequest: If it is longer than bills are kept apart by day.
    """
    first, last = window.start.date(), (window.end - timedelta(microseconds=1)).date()
    if (last - first).days >= MOST_DAYS:
        raise BadRequest(f"start and end must be within {MOST_DAYS} days of each other, not {(last - first).days + 1}")
    return first, last


def _summed(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    sums: dict[str, Any] = {}
    for part in parts:
        for name, amount in part.items():
            sums[name] = sums.get(name, 0) + amount
    return sums


def check(ctx: Context, writer: Writer, project: str) -> None:
    """Compare the whole days that can be, and write down what share of their bill is explained: what the overview says,
    and alerts compare."""
    today = ctx.now().date()
    first, last = today - timedelta(days=DAYS_BACK), today - timedelta(days=1)
    found = compare_pulled(ctx, project, first, last)
    reasons = {one["reason"]: format(one["usd"], "f") for one in found["residual"] if one["usd"]}
    row = {
        "project": project,
        "checked_at": sql_instant(ctx.now()),
        "first_day": first.isoformat(),
        "last_day": last.isoformat(),
        "billed_usd": format(found["billed_usd"], "f"),
        "computed_usd": format(found["computed_usd"], "f"),
        "explained": found["coverage"],
        "reasons": reasons,
    }
    writer.load("bill_checks", json.dumps(row).encode(), fmt="JSONEachRow")


def explained(ctx: Context) -> dict[str, list[Explained]]:
    """How much of each project's bills was explained at the last comparisons, the newest first."""
    found = {}
    for project in _projects(ctx):
        checks = last_checks(ctx.store, project, JUDGED_CHECKS)
        found[project] = [
            Explained(one["explained"], one["billed_usd"], one["checked_at"], _largest(one["reasons"]))
            for one in checks
            if one["explained"] is not None
        ]
    return found


def _largest(reasons: Mapping[str, Decimal]) -> str:
    """The unexplained reason with the largest amount, in words."""
    open_reasons = {name: usd for name, usd in reasons.items() if name in UNEXPLAINED}
    return max(open_reasons, key=lambda name: abs(open_reasons[name]), default="").replace("_", " ")
