"""The JSON API under /api/v1: each file one group of routes, thin: read the question, ask analytics, encode.

Enters: requests under /api/v1.
Leaves: JSON, CSV.
May import: http, services.
"""

from __future__ import annotations

from fastapi import APIRouter

from outlay_web.api import (
    admin,
    alerts,
    answers,
    bills,
    exports,
    incidents,
    levers,
    prices,
    reconcile,
    records,
    simulate,
    status,
    unit_costs,
)
from outlay_web.http.context import Context

PREFIX = "/api/v1"


def router(ctx: Context) -> APIRouter:
    """Every route of the API."""
    routes = APIRouter(prefix=PREFIX)
    for group in (
        answers,
        unit_costs,
        simulate,
        exports,
        levers,
        records,
        alerts,
        incidents,
        prices,
        reconcile,
        bills,
        status,
        admin,
    ):
        group.add_routes(routes, ctx)
    return routes


__all__ = ["PREFIX", "router"]
