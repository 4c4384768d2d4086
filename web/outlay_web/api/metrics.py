"""What /metrics exports in Prometheus' text format: read when somebody asks, nothing is counted on the side.

Samples are made anew at each scrape from what the server knows by itself, so a registry of our own holds one collector
and none of those that a process has by default. docs/metrics.md lists what is exported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector
from starlette.responses import Response

from outlay_web.http.context import Context
from outlay_web.services.bills import every_account
from outlay_web.services.status import spend_by_model, status

Sample = tuple[Mapping[str, str], Any]
TOKENS = ("input", "cache_read", "cache_write", "output", "reasoning")
SPENT: tuple[tuple[str, str, Callable[[Mapping[str, Any]], Any]], ...] = (
    ("outlay_cost_usd", "Cost of the priced calls that are stored.", lambda row: row["cost_usd"]),
    ("outlay_calls", "Calls that are stored.", lambda row: row["calls"]),
    ("outlay_unpriced_calls", "Those without a known cost.", lambda row: row["calls"] - row["priced_calls"]),
)


class Exported(Collector):
    """All metrics of one program. Spend comes from an answer that is at most half a minute old."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def collect(self) -> Iterable[Metric]:
        now = status(self._ctx)
        yield from _ingested(now)
        yield from _health(now)
        yield from _worked(now["jobs"])
        yield from _pulled(self._ctx)
        yield from _spent(spend_by_model(self._ctx))


class Metrics:
    """The answer to one scrape after the other."""

    def __init__(self, ctx: Context) -> None:
        self._registry = CollectorRegistry(auto_describe=False)  # describing would ask the store before it is warm
        self._registry.register(Exported(ctx))

    def response(self) -> Response:
        return Response(generate_latest(self._registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})


def _ingested(now: Mapping[str, Any]) -> Iterable[Metric]:
    spans = [({"state": name}, now[name]) for name in ("received", "stored", "duplicate")]
    yield _counter("outlay_ingest_spans_total", "Spans by what became of them.", spans)
    dropped = [({"reason": name}, now[name]) for name in ("rejected", "quarantined")]
    yield _counter("outlay_ingest_dropped_total", "Spans that were not stored, by reason.", dropped)


def _health(now: Mapping[str, Any]) -> Iterable[Metric]:
    for name, text, value in (
        ("outlay_ingest_pending_spans", "Accepted spans that wait to be stored.", now["pending"]),
        ("outlay_ingest_lag_seconds", "Age of the oldest accepted data not yet stored.", now["lag_seconds"]),
        ("outlay_unsettled_traces", "Traces whose calls are not settled yet.", now["unsettled_traces"]),
        (
            "outlay_set_aside_traces",
            "Traces that cannot be settled: their calls may be missing.",
            now["set_aside_traces"],
        ),
        ("outlay_spool_bytes", "Accepted data on disk.", now["spool_bytes"]),
        ("outlay_broken_parts", "Parts of tables that ClickHouse set aside as broken.", now["broken_parts"]),
        ("outlay_ready", "1 when requests are answered.", int(now["ready"])),
    ):
        yield _gauge(name, text, [({}, value)])


def _worked(jobs: Iterable[Mapping[str, Any]]) -> Iterable[Metric]:
    for name, text, key in (
        ("outlay_job_runs_total", "Runs of background jobs.", "runs"),
        ("outlay_job_failures_total", "Failed runs of background jobs.", "failures"),
        ("outlay_job_busy_seconds_total", "Time that background jobs have worked.", "busy_seconds"),
    ):
        yield _counter(name, text, [({"job": job["name"]}, job[key]) for job in jobs])


def _pulled(ctx: Context) -> Iterable[Metric]:
    """How the accounts of `[[bills]]` stand."""
    now, rows = ctx.now(), every_account(ctx)
    labels = [{"project": one["project"], "account": one["name"], "provider": one["provider"]} for one in rows]
    ages = [None if one["done_at"] is None else (now - one["done_at"]).total_seconds() for one in rows]
    failures = [one["failures"] for one in rows]
    text = "Pulls of a bill that failed since the last one that did not."
    yield _gauge("outlay_bill_pull_failures", text, zip(labels, failures, strict=True))
    yield _gauge("outlay_bill_age_seconds", "Time since a bill was pulled.", zip(labels, ages, strict=True))


def _spent(spent: Iterable[tuple[Mapping[str, str], Mapping[str, Any]]]) -> Iterable[Metric]:
    """Gauges: a reprice, an erasure, a retention or a late span can make each of these fall; a counter may not."""
    rows = list(spent)
    for name, text, value_of in SPENT:
        yield _gauge(name, text, [(labels, value_of(row)) for labels, row in rows])
    tokens = [({**labels, "kind": kind}, row[f"{kind}_tokens"]) for labels, row in rows for kind in TOKENS]
    yield _gauge("outlay_tokens", "Tokens; input includes cached ones, output reasoning.", tokens)


def _counter(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    return _filled(CounterMetricFamily(name, text), name, samples)


def _gauge(name: str, text: str, samples: Iterable[Sample]) -> Metric:
    return _filled(GaugeMetricFamily(name, text), name, samples)


def _filled(metric: Metric, name: str, samples: Iterable[Sample]) -> Metric:
    """The metric with its samples; one whose value is unknown is left out. Not all samples have the same labels."""
    for labels, value in samples:
        if value is not None:
            metric.add_sample(name, dict(labels), value)
    return metric
