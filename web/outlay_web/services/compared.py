"""Comparisons of bills for the page, from the one cache: each takes seconds, and holds while its calls do.

What is asked of it is part of the key: a bill that is pulled anew, or another price list, is another comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import date, timedelta
from typing import Any

from outlay.errors import StoreError
from outlay_analytics.bills.keep import states
from outlay_analytics.bills.pulled import midnight
from outlay_analytics.query.freshness import hours_changed
from outlay_analytics.reconcile.bills import find_bill
from outlay_web.http.context import Context
from outlay_web.services.bills import accounts, compare_pulled
from outlay_web.services.reconcile import compare_bill

KIND = "compared bill"
WAIT_S = 300.0  # as long as the comparison itself may take; who uploads a bill wants to see it
Compared = dict[str, Any]


def compared_bill(ctx: Context, project: str, identity: str) -> Compared | None:
    """`compare_bill`, None while it is being found.

    Raises:
        NoSuchBill: If there is none with this identifier.
        StoreError: If it could not be found.
    """
    bill, _ = find_bill(ctx.store, project, identity)
    days = bill["first_day"], bill["last_day"]
    return _kept(ctx, project, (identity, bill["imported_at"]), *days, lambda: compare_bill(ctx, project, identity))


def compared_pulled(ctx: Context, project: str, first: date, last: date) -> Compared | None:
    """`compare_pulled`, None while it is being found.

    Raises:
        StoreError: If it could not be found.
    """
    names = [account.name for account in accounts(ctx, project)]
    stands = states(ctx.store, project, ctx.now().date())
    pulled = tuple((name, stands[name]["done_at"]) for name in names if name in stands)
    return _kept(ctx, project, pulled, first, last, lambda: compare_pulled(ctx, project, first, last))


def _kept(
    ctx: Context, project: str, about: Hashable, first: date, last: date, find: Callable[[], Compared]
) -> Compared | None:
    key = (KIND, project, about, first, last, ctx.prices.version)
    version = hours_changed(ctx.store, project, midnight(first), midnight(last) + timedelta(days=1))
    found: Compared | None = ctx.cache.get(key, version, find, WAIT_S)
    failure = ctx.cache.failure(key) if found is None else None
    if failure is not None:
        raise StoreError(f"the bill could not be compared ({failure.kind}); the server's log says more", retryable=True)
    return found
