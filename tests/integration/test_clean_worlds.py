"""Worlds of several features and models: nothing goes on in clean ones, and a cause in one place is found there.

The volume is inserted as rolled-up hours; a small world goes through OTLP, settle and the API.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hand_calls import mark
from tests.web_server import Running, llm_span, own_store, running

from outlay_analytics.anomalies.incidents import find
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_collector.store import Store
from outlay_web.config import Settings

NOW = datetime(2026, 3, 20, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAYS = 50
SERIES = {  # calls an hour and dollars per million tokens of input, by feature and model
    ("search", "small"): (90.0, 2.0),
    ("search", "large"): (8.0, 30.0),
    ("triage", "small"): (25.0, 2.0),
    ("triage", "large"): (2.0, 30.0),
    ("digest", "small"): (140.0, 1.0),
}
WRONG = ("search", "small")
BEGAN, ENDED = NOW - 80 * HOUR, NOW - 30 * HOUR


def world(cause: str = "none", ended: datetime = NOW, seed: int = 0) -> list[dict[str, Any]]:
    """Hours with days, nights and weekends; from BEGAN to `ended` something is wrong with `WRONG`."""
    noise = np.random.default_rng(seed)
    rows = []
    for (feature, model), (per_hour, price) in SERIES.items():
        for k in range(DAYS * 24):
            at = NOW - (DAYS * 24 - k) * HOUR
            wrong = (feature, model) == WRONG and BEGAN <= at < ended
            usual = per_hour * (1 + 0.5 * math.sin(at.hour / 24 * 2 * math.pi)) * (0.5 if at.weekday() >= 5 else 1.0)
            calls = int(noise.poisson(usual * (2.0 if wrong and cause == "requests" else 1.0)))
            if not calls:
                continue
            read = calls * 1000 * float(noise.normal(1, 0.3 / math.sqrt(calls)))
            read *= 1.75 if wrong and cause == "input_tokens" else 1.0
            cached = read * (0.0 if wrong and cause == "cache_share" else float(np.clip(noise.normal(0.5, 0.02), 0, 1)))
            written = calls * 100 * max(float(noise.normal(1, 0.6 / math.sqrt(calls))), 0.1)
            unit = price * 1e-6 * (1.4 if wrong and cause == "unit_price" else 1.0)
            lines = {"input": (read - cached) * unit, "cache_read": cached * unit / 10, "output": written * unit * 4}
            usd = {name: Decimal(f"{amount:.9f}") for name, amount in lines.items()}
            rows.append(
                {
                    "project": "default",
                    "hour": at,
                    "feature": feature,
                    "model": model,
                    "cascade_tier": -1,
                    "calls": calls,
                    "priced_calls": calls,
                    "input_tokens": round(read),
                    "cache_read_tokens": round(cached),
                    "output_tokens": round(written),
                    "cost_usd": sum(usd.values()),
                    **{f"line_{name}_usd": amount for name, amount in usd.items()},
                    "version": 1,
                    "is_deleted": 0,
                }
            )
    return rows


def put_hours(store: Store, rows: list[dict[str, Any]]) -> None:
    """Insert rolled-up hours and mark them clean."""
    writer = store.writer()
    hours = {("default", row["hour"]) for row in rows}
    mark(writer, "dirty_hours", "changed_at", hours)
    writer.insert("spend_hourly", rows)
    mark(writer, "rolled_hours", "rolled_at", hours)
    writer.close()


def found(store: Store, now: datetime = NOW) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = find(store, Scope(Window(now - timedelta(days=30), now)), now=now)["anomalies"]
    return listed


@pytest.mark.parametrize("seed", range(2))
def test_a_clean_world_of_several_features_and_models_has_nothing_that_goes_on(store: Store, seed: int) -> None:
    put_hours(store, world(seed=seed))
    for now in (NOW, NOW - 5 * 24 * HOUR - 14 * HOUR):  # by day, and at night on a weekend
        listed = found(store, now)
        assert [one for one in listed if one["ongoing"]] == []
        assert len(listed) <= 1  # a false alarm a month is the detector's own measure, and it is over


@pytest.mark.parametrize(
    ("cause", "ended"), [("unit_price", NOW), ("cache_share", ENDED), ("input_tokens", ENDED), ("requests", NOW)]
)
def test_one_cause_in_one_model_of_a_feature_is_found_there_and_dated(
    store: Store, cause: str, ended: datetime
) -> None:
    put_hours(store, world(cause, ended))
    told = [one for one in found(store) if one["started_at"] > BEGAN - 24 * HOUR]
    (one,) = told
    assert one["scope"]["feature"] == "search"
    assert abs(one["started_at"] - BEGAN) <= 2 * HOUR
    assert abs(one["ended_at"] - ended) <= 2 * HOUR
    assert one["ongoing"] is (ended == NOW)
    assert one["explain"]["drivers"][0]["driver"] == cause


def send_world(server: Running, wrong_for: int) -> datetime:
    """16 days of two features with two models; in the last `wrong_for` closed hours search's large model reads thrice.

    Returns when that began.
    """
    noise, ids = np.random.default_rng(1), count(1)
    closed = server.assembly.context.now().replace(minute=0, second=0, microsecond=0)
    spans = []
    for ago in range(16 * 24, 0, -1):
        at = closed - ago * HOUR
        for feature in ("search", "triage"):
            for model in ("gpt-4o-mini", "gpt-4o"):
                for k in range(1 + ago % 2):
                    thrice = 3 if ago <= wrong_for and (feature, model) == ("search", "gpt-4o") else 1
                    ago_s = (server.assembly.context.now() - at).total_seconds() - 60 - k * 5
                    tokens: dict[str, Any] = {
                        "gen_ai__usage__input_tokens": round(1e5 * thrice * float(noise.normal(1, 0.05))),
                        "gen_ai__request__model": model,
                        "gen_ai__response__model": model,
                    }
                    n = next(ids)
                    spans.append(llm_span(n, n, ago_s=ago_s, outlay__feature=feature, **tokens))
    for first in range(0, len(spans), 1000):
        assert server.send_spans(spans[first : first + 1000]).status == 200
    total = ("interval", "total"), ("start", "-20d")
    server.wait(lambda: server.api("/spend", *total).json["total"]["calls"] == len(spans), "settled")
    return closed - wrong_for * HOUR


def test_a_small_world_through_otlp_has_nothing_where_it_is_clean_and_its_cause_where_it_is_not(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1, bootstrap_key="r" * 32)
    with running(settings) as server:
        clean, wrong = server.project("clean"), server.project("wrong")
        send_world(clean, wrong_for=0)
        began = send_world(wrong, wrong_for=8)

        def anomalies(asked: Running) -> list[dict[str, Any]]:
            asked.wait(lambda: asked.api("/anomalies").status == 200, "looked through")
            listed: list[dict[str, Any]] = asked.api("/anomalies").json["anomalies"]
            return listed

        assert anomalies(clean) == []
        (one,) = anomalies(wrong)
        assert one["scope"] == {"feature": "search", "model": "gpt-4o"}
        assert abs(datetime.fromisoformat(one["started_at"]) - began) <= 2 * HOUR
        assert one["ongoing"] is True
        assert one["summary"].startswith("each call read more tokens")
