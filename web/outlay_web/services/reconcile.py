"""Bills for the API and the page: read with the price list at hand, kept, and compared with the calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from outlay.errors import DecodeError
from outlay_analytics.reconcile.archives import SIGNATURE, unzipped
from outlay_analytics.reconcile.bill import BadBill, Charge
from outlay_analytics.reconcile.bills import find_bill, keep_bill
from outlay_analytics.reconcile.files import MAX_BYTES, MAX_UNPACKED_BYTES
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.reconcile import Beside, reconcile
from outlay_collector.otlp.decompress import unpack
from outlay_collector.prices.tiers import costs_in_tier
from outlay_web.http.context import Context

GZIP = b"\x1f\x8b"


def take_bill(ctx: Context, project: str, name: str, body: bytes) -> str:
    """Read a bill's file, plain, gzipped or zipped, and keep it; returns its identifier.

    Raises:
        BadBill: If it cannot be read.
    """
    plain = unpacked(body)
    with ctx.writing() as writer:
        ctx.prices.ensure(writer)
        bill = read_bill(plain, ModelNames(ctx.prices.catalog))
        return keep_bill(writer, project, name, plain, bill, ctx.now())


def unpacked(body: bytes) -> bytes:
    """A bill's file without its gzip or its archive, if it has one.

    Raises:
        BadBill: If that is damaged, or more than is read comes out.
    """
    if body.startswith(SIGNATURE):
        return unzipped(body, min(MAX_BYTES, MAX_UNPACKED_BYTES))
    if not body.startswith(GZIP):
        return body
    try:
        return unpack(body, "gzip", min(MAX_BYTES, MAX_UNPACKED_BYTES))
    except DecodeError as exc:
        raise BadBill(f"the bill cannot be unpacked: {exc}") from exc


def compare_bill(ctx: Context, project: str, identity: str) -> dict[str, Any]:
    """A bill beside the calls as they are priced today, as `outlay_analytics.reconcile.reconcile.reconcile` returns it.

    Raises:
        NoSuchBill: If there is none with this identifier.
    """
    bill, charges = find_bill(ctx.store, project, identity)
    return compare(ctx, project, bill, charges)


def compare(
    ctx: Context, project: str, bill: Mapping[str, Any], charges: Sequence[Charge], beside: Beside | None = None
) -> dict[str, Any]:
    """Charges beside the calls as they are priced today, as `outlay_analytics.reconcile.reconcile.reconcile` does."""
    with ctx.pricing() as writer:
        ctx.prices.ensure(writer)
        catalog = ctx.prices.catalog

        def name(provider: str, model: str) -> str | None:
            match = catalog.find(provider, model)
            return match.model.key if match else None

        def at_tier(first: date, last: date, models: Sequence[str], tier: str) -> Sequence[Mapping[str, Any]]:
            return costs_in_tier(ctx.prices, writer, project, first, last, models, tier)

        return reconcile(ctx.store, project, bill, charges, name, at_tier, beside)
