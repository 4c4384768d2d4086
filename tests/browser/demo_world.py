"""The demo's month as rows of the store, without sending it: what its pages should find is in it."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.hand_calls import call, put

from outlay_collector.store import Store
from outlay_web.demo.bill import PRICES, cost, exact
from outlay_web.demo.company import Company
from outlay_web.demo.interactions import Call, Interaction
from outlay_web.demo.run import CONFIG

ALL = ("summarize", "translate")
LATER = timedelta(minutes=5)


def config() -> dict[str, Any]:
    """What the demo's outlay.toml says of revenue."""
    return {"revenue": tomllib.loads(CONFIG)["revenue"]}


def fill(store: Store, now: datetime) -> None:
    """What the pages that are clicked through are about, and all of the customer who loses money; with the scores."""
    rows: list[dict[str, Any]] = []
    scores: list[dict[str, Any]] = []
    for number, one in enumerate(Company(now).interactions()):
        if one.feature not in ALL and one.who.customer != "hooli" and (one.feature != "doc-search" or number % 4):
            continue
        for made in one.calls:
            rows.append(_row(one, made))
        about = {"project": "default", "trace_id": rows[-1]["trace_id"], "span_id": rows[-1]["span_id"], "label": ""}
        scores += [{**about, "name": name, "value": value, "at": one.ended_at + LATER} for name, value in one.scores]
    put(store, *rows)
    writer = store.writer()
    writer.insert("scores", scores)
    writer.close()


def _row(one: Interaction, made: Call) -> dict[str, Any]:
    usd = cost(made)
    row = call(
        made.started_at,
        None if usd is None else str(exact(usd)),
        duration_ns=made.duration_ms * 1_000_000,
        feature=one.feature,
        team=one.team,
        customer=one.who.customer,
        user=one.who.user,
        session=one.who.session,
        prompt=one.prompt,
        prompt_version=one.prompt_version,
        experiment=one.experiment,
        arm=one.arm,
        route_tier=one.route_tier,
        route_propensity=one.route_propensity,
        provider=made.provider,
        request_model=made.model,
        response_model=made.model,
        model=made.model,
        operation=made.operation,
        input_tokens=made.input_tokens,
        output_tokens=made.output_tokens,
        cache_read_tokens=made.cache_read_tokens,
        cache_write_tokens=made.cache_write_tokens,
        prompt_parts=dict(made.prompt_parts),
        status="error" if made.error else "ok",
    )
    if made.model in PRICES and usd is not None:
        output = Decimal(PRICES[made.model][3]) * made.output_tokens / 1_000_000 if usd else Decimal(0)
        row["cost_lines"] = {"input": exact(usd) - output, "output": output}
    return row
