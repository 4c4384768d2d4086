"""/healthz (alive), /readyz (can answer) and /metrics (Prometheus text format 0.0.4)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from outlay_web.api.wire import answer
from outlay_web.http.context import Context
from outlay_web.services.status import spend_by_model, status

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
READY_S = 0.8
Sample = tuple[Mapping[str, str], Any]
SPENT: tuple[tuple[str, str, Callable[[Mapping[str, Any]], Any]], ...] = (
    ("outlay_cost_usd", "Cost of the priced calls that are stored.", lambda row: row["cost_usd"]),
    ("outlay_calls", "Calls that are stored.", lambda row: row["calls"]),
    ("outlay_unpriced_calls", "Those without a known cost.", lambda row: row["calls"] - row["priced_calls"]),
)


def add_routes(routes: APIRouter, ctx: Context) -> None:
    """Register the three."""

    @routes.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return answer({"status": "ok"})

    @routes.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """Waits for no thread and no connection that requests use, and for the store less than a second."""
        if not ctx.ready:
            return answer({"status": "starting or stopping"}, 503)
        asked = asyncio.wrap_future(ctx.store.heartbeat.ask())
        done, _ = await asyncio.wait((asked,), timeout=READY_S)
        if not done or asked.exception() is not None:
            return answer({"status": "the store does not answer"}, 503)
        return answer({"status": "ready"})

    @routes.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response("".join(_lines(ctx)), media_type=METRICS_TYPE)


def _lines(ctx: Context) -> Iterable[str]:
    now = status(ctx)
    spans = [({"state": name}, now[name]) for name in ("received", "stored", "duplicate")]
    yield from metric("outlay_ingest_spans_total", "counter", "Spans by what became of them.", spans)
    dropped = [({"reason": name}, now[name]) for name in ("rejected", "quarantined")]
    yield from metric("outlay_ingest_dropped_total", "counter", "Spans that were not stored, by reason.", dropped)
    for name, kind, text, value in (
        ("outlay_ingest_pending_spans", "gauge", "Accepted spans that wait to be stored.", now["pending"]),
        ("outlay_ingest_lag_seconds", "gauge", "Age of the oldest accepted data not yet stored.", now["lag_seconds"]),
        ("outlay_unsettled_traces", "gauge", "Traces whose calls are not settled yet.", now["unsettled_traces"]),
        ("outlay_spool_bytes", "gauge", "Accepted data on disk.", now["spool_bytes"]),
        ("outlay_broken_parts", "gauge", "Parts of tables that ClickHouse set aside as broken.", now["broken_parts"]),
        ("outlay_ready", "gauge", "1 when requests are answered.", int(ctx.ready)),
    ):
        yield from metric(name, kind, text, [({}, value)])
    jobs = now["jobs"]
    yield from metric(
        "outlay_job_runs_total", "counter", "Runs of background jobs.", [({"job": j["name"]}, j["runs"]) for j in jobs]
    )
    yield from metric(
        "outlay_job_failures_total",
        "counter",
        "Failed runs of background jobs.",
        [({"job": j["name"]}, j["failures"]) for j in jobs],
    )
    yield from metric(
        "outlay_job_busy_seconds_total",
        "counter",
        "Time that background jobs have worked.",
        [({"job": j["name"]}, j["busy_seconds"]) for j in jobs],
    )
    spent = list(spend_by_model(ctx))
    # Gauges: a reprice, an erasure, a retention or a late span can make each of these fall; a counter may not.
    for name, text, value_of in SPENT:
        yield from metric(name, "gauge", text, [(labels, value_of(row)) for labels, row in spent])
    tokens = [
        ({**labels, "kind": kind}, row[f"{kind}_tokens"])
        for labels, row in spent
        for kind in ("input", "cache_read", "cache_write", "output", "reasoning")
    ]
    yield from metric("outlay_tokens", "gauge", "Tokens; input includes cached ones, output reasoning.", tokens)


def metric(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterable[str]:
    """One metric; a sample whose value is unknown is left out."""
    yield f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
    for labels, value in samples:
        if value is not None:
            shown = ",".join(f'{key}="{_escaped(part)}"' for key, part in labels.items())
            yield f"{name}{'{' + shown + '}' if shown else ''} {value}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
