"""A month of a small company's calls, from a fixed seed: what the browser tests look at."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.hand_calls import call, lookup
from tests.hand_incidents import put_incident

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.bills import keep_bill
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames
from outlay_collector.store import Store

DAYS = 31
HOSTILE = (
    '"><img src=x onerror=boom()>',
    "<script>boom()</script>",
    "'-boom()-'",
    "javascript:boom()",
    "{{7*191}}",
    "</script><svg/onload=boom()>",
    "`${boom()}`",
    "=1+2|'cmd'!A1",
    "@SUM(1)",
    "\t=1",
    "\u202eevil",
)
NAMES = (
    "feature",
    "team",
    "customer",
    "user",
    "session",
    "service",
    "environment",
    "provider",
    "model",
    "request_model",
    "response_model",
    "prompt",
    "cascade_name",
    "error_type",
    "dialect",
)
# feature: (calls a day, team, model, input tokens, output tokens, cached share)
FEATURES = {
    "support-triage": (46, "support", "gpt-5-mini", 2600, 320, 0.45),
    "search-answers": (38, "search", "gpt-5", 3400, 420, 0.3),
    "doc-summaries": (16, "docs", "claude-sonnet-4-5", 9200, 900, 0.1),
    "code-review": (11, "platform", "claude-sonnet-4-5", 14000, 1500, 0.62),
    "onboarding-bot": (20, "growth", "gemini-2.5-flash", 1500, 260, 0.0),
    "sales-mail": (9, "growth", "gpt-5", 1900, 700, 0.0),
    "tagging": (30, "platform", "gpt-5-nano", 700, 20, 0.0),
    "voice-notes": (5, "mobile", "whisper-large", 0, 0, 0.0),
    "report-writer": (4, "docs", "claude-opus-4-5", 7000, 2800, 0.2),
    "embeddings": (24, "search", "text-embedding-3-small", 900, 0, 0.0),
}
PRICES = {  # USD per million tokens: input, cached, output
    "gpt-5": ("1.25", "0.125", "10"),
    "gpt-5-mini": ("0.25", "0.025", "2"),
    "gpt-5-nano": ("0.05", "0.005", "0.4"),
    "claude-sonnet-4-5": ("3", "0.3", "15"),
    "claude-opus-4-5": ("5", "0.5", "25"),
    "gemini-2.5-flash": ("0.3", "0.075", "2.5"),
    "text-embedding-3-small": ("0.02", "0.02", "0"),
}
PROVIDERS = {"claude": "anthropic", "gemini": "gcp.gemini", "whisper": "groq"}
CUSTOMERS = ("acme", "globex", "initech", "umbrella", "hooli")
MILLION = Decimal(1_000_000)


def fill(store: Store, now: datetime, *, scale: float = 1.0, seed: int = 7) -> int:
    """Put the month before `now` into `calls` and `lookups`; returns the number of calls."""
    rng = random.Random(seed)
    calls: list[dict[str, Any]] = []
    lookups: list[dict[str, Any]] = []
    for day in range(DAYS):
        midnight = (now - timedelta(days=DAYS - 1 - day)).replace(hour=0, minute=0, second=0, microsecond=0)
        weekend = midnight.weekday() >= 5
        for feature, plan in FEATURES.items():
            number = plan[0] * scale * (0.35 if weekend else 1.0) * (1 + 0.006 * day) * rng.uniform(0.85, 1.15)
            for _ in range(round(number)):
                at = midnight + timedelta(hours=_hour(rng), minutes=rng.uniform(0, 60))
                if at < now:
                    _request(rng, calls, lookups, feature, at, (now - at).days)
    for number, row in enumerate(calls):
        if row["feature"] == "sales-mail":
            row |= {"experiment": "tone", "arm": ("control", "warm")[number % 2]}
        if row["input_tokens"]:
            row["prompt_parts"] = {"system": row["input_tokens"] // 2, "history": row["input_tokens"] // 3}
    with_writer(store, calls, lookups)
    writer = store.writer()
    writer.insert("scores", [_score(number, row) for number, row in enumerate(calls) if number % 3 == 0])
    writer.close()
    return len(calls)


def _score(number: int, row: dict[str, Any]) -> dict[str, Any]:
    about = {"project": row["project"], "trace_id": row["trace_id"], "span_id": row["span_id"], "label": ""}
    return {**about, "name": "helpful", "value": float(number % 7 != 0), "at": row["started_at"]}


def _hour(rng: random.Random) -> int:
    return min(23, max(0, round(rng.gauss(13.5, 4.2))))


def _request(
    rng: random.Random, calls: list[dict[str, Any]], lookups: list[dict[str, Any]], feature: str, at: datetime, ago: int
) -> None:
    _, team, model, given, made, cached = FEATURES[feature]
    tokens = max(1, round(given * rng.lognormvariate(0, 0.4)))
    answer = max(0, round(made * rng.lognormvariate(0, 0.5)))
    if feature == "search-answers" and 5 <= ago <= 6:
        cached = 0.0  # the provider's cache was lost for two days
    if feature == "doc-summaries" and ago < 9:
        tokens = round(tokens * 1.7)  # a prompt that grew
    common = {
        "feature": feature,
        "team": team,
        "customer": rng.choice(CUSTOMERS),
        "user": f"user-{rng.randrange(60)}",
        "service": "assistant" if team in ("support", "search") else "backoffice",
        "dialect": "openinference" if team == "docs" else "otel_genai",
        "prompt": feature,
        "prompt_version": "15" if ago < 9 else "14",
    }
    if feature == "search-answers":
        hit = rng.random() < 0.28
        lookups.append(lookup(at, hit=hit, avoided_usd="0.0062" if hit else None, **_known(common)))
        if hit:
            calls.append(
                _row(rng, model, at, tokens, answer, 0.0, {**common, "cache_kind": "exact", "cache_hit": True})
            )
            return
    if feature == "support-triage":
        _cascade(rng, calls, at, tokens, answer, cached, common)
        return
    row = _row(rng, model, at, tokens, answer, cached, common)
    calls.append(row)
    if row["status"] == "error" and rng.random() < 0.7:
        calls.append(_row(rng, model, at + timedelta(seconds=3), tokens, answer, cached, {**common, "attempt": 2}))


def _known(common: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in common.items() if name != "dialect"}


def _cascade(
    rng: random.Random,
    calls: list[dict[str, Any]],
    at: datetime,
    tokens: int,
    answer: int,
    cached: float,
    common: dict[str, Any],
) -> None:
    run = f"run-{rng.getrandbits(48):012x}"
    sure = rng.betavariate(6, 2)
    escalated = sure < 0.62
    about = {**common, "cascade_name": "triage", "cascade_run_id": run, "cascade_threshold": 0.62}
    first = {
        **about,
        "cascade_tier": 0,
        "cascade_confidence": sure,
        "cascade_outcome": "escalated" if escalated else "accepted",
    }
    calls.append(_row(rng, "gpt-5-mini", at, tokens, answer, cached, first))
    if escalated:
        second = {**about, "cascade_tier": 1, "cascade_confidence": 0.9, "cascade_outcome": "accepted"}
        calls.append(_row(rng, "gpt-5", at + timedelta(seconds=2), tokens, round(answer * 1.4), cached, second))


def _row(
    rng: random.Random, model: str, at: datetime, tokens: int, answer: int, cached: float, fields: dict[str, Any]
) -> dict[str, Any]:
    provider = PROVIDERS.get(model.split("-")[0], "openai")
    read = round(tokens * min(1.0, cached * rng.uniform(0.6, 1.3)))
    failed = rng.random() < 0.015
    seconds = (0.3 + answer / 90) * rng.lognormvariate(0, 0.3)
    about: dict[str, Any] = {
        "provider": provider,
        "request_model": model,
        "response_model": model,
        "model": model,
        "matched_model": f"{provider}:{model}",
        "duration_ns": round(seconds * 1e9),
        "time_to_first_token_ms": round(rng.uniform(180, 700), 1),
        "status": "error" if failed else "ok",
        "error_type": "timeout" if failed else "",
        "name": f"chat {model}",
        "operation": "embeddings" if "embedding" in model else "chat",
    }
    if fields.get("cache_hit"):
        avoided = {
            "cache_avoided_input_tokens": tokens,
            "cache_avoided_output_tokens": answer,
            "cache_avoided_usd": "0.0062",
        }
        return call(
            at, "0", **{**about, **fields, **avoided, "cost_state": "cached", "duration_ns": 4_000_000, "status": "ok"}
        )
    if failed:
        return call(at, "0", **{**about, **fields, "cost_state": "not_billed"})
    usage = {"input_tokens": tokens, "cache_read_tokens": read, "cache_write_tokens": 0, "output_tokens": answer}
    if model not in PRICES:
        return call(at, None, **{**about, **fields, "cost_state": "unpriced", "matched_model": ""})
    each, kept, out = map(Decimal, PRICES[model])
    lines = {
        "input": (tokens - read) * each / MILLION,
        "cache_read": read * kept / MILLION,
        "output": answer * out / MILLION,
    }
    row = call(at, None, **{**about, **fields, **usage, "cost_state": "computed"})
    row["cost_lines"] = lines
    row["cost_usd"] = row["list_cost_usd"] = sum(lines.values(), Decimal(0))
    row["uncached_cost_usd"] = row["cost_usd"] + read * (each - kept) / MILLION
    return row


def fill_hostile(store: Store, now: datetime) -> None:
    """Calls and a span whose every name is an attack on whoever shows it."""
    rows, spans = [], []
    for i, text in enumerate(HOSTILE):
        at = now - timedelta(hours=2 + 5 * i)
        about: dict[str, Any] = dict.fromkeys(NAMES, text)
        usage = {"input_tokens": 100, "output_tokens": 10, "cascade_tier": i % 2, "cascade_run_id": f"r{i}"}
        row = call(at, "0.01", **about, **usage, tags={text: text}, cascade_outcome="accepted")
        rows.append(row)
        spans.append(span(row, at, name=text, attributes={text: text}, texts={"gen_ai.input.messages": text}))
    with_writer(store, rows, [], spans)
    put_incident(store, 1, HOSTILE[0], now - timedelta(hours=4))


def fill_bill(store: Store) -> None:
    """OpenAI's bill for the calls in the store: a tenth off for one model, a little more than computed for another."""
    rows = store.query(
        "SELECT toUnixTimestamp(toStartOfDay(started_at)) AS day, model, sum(c.cost_usd) AS usd FROM calls AS c FINAL "
        "WHERE provider = 'openai' AND cost_usd IS NOT NULL GROUP BY day, model ORDER BY day, model"
    )
    lines = ["start_time,amount_value,amount_currency,line_item"]
    factors = {"gpt-5-mini": Decimal("0.9"), "gpt-5": Decimal("1.01")}
    for row in rows:
        usd = row["usd"] * factors.get(row["model"], Decimal(1))
        lines.append(f'{row["day"]},{usd:f},usd,"{row["model"]}, input"')
    body = "\n".join(lines).encode()
    writer = store.writer()
    keep_bill(writer, "default", "november.csv", body, read_bill(body, ModelNames(shipped())))
    writer.close()


def fill_trace(store: Store, now: datetime) -> str:
    """One trace of an agent: a request, an agent that repeats what its calls say, two calls, a tool; returns its id."""
    trace = "c0ffee" + "0" * 26
    at = now - timedelta(minutes=12)
    plan = [  # id, parent, name, offset ms, duration ms, model
        ("1" * 16, "", "POST /ask", 0, 4200, ""),
        ("2" * 16, "1" * 16, "invoke_agent helper", 120, 3900, ""),
        ("3" * 16, "2" * 16, "chat gpt-5-mini", 200, 900, "gpt-5-mini"),
        ("4" * 16, "2" * 16, "execute_tool search", 1150, 640, ""),
        ("5" * 16, "2" * 16, "chat gpt-5", 1820, 2100, "gpt-5"),
    ]
    calls, spans = [], []
    for span_id, parent, name, offset, took, model in plan:
        began = at + timedelta(milliseconds=offset)
        about = {"trace_id": trace, "span_id": span_id, "parent_span_id": parent, "duration_ns": took * 1_000_000}
        if model:
            row = _row(random.Random(1), model, began, 2400, 380, 0.5, {"feature": "support-triage", "team": "support"})
            calls.append({**row, **about, "name": name, "response_id": f"resp-{span_id[:4]}"})
        filled = {**call(began), **about}
        spans.append(span(filled, began, name=name, attributes={"gen_ai.operation.name": name.split(" ")[0]}))
    repeat = {
        "project": "default", "trace_id": trace, "span_id": "2" * 16, "started_at": at + timedelta(milliseconds=120),
        "reason": "repeats_descendants", "of_trace_id": trace, "of_span_id": "", "dialect": "otel_genai",
        "version": 1, "is_deleted": 0,
    }  # fmt: skip
    with_writer(store, calls, [], spans, [repeat])
    return trace


def span(row: dict[str, Any], at: datetime, **fields: Any) -> dict[str, Any]:
    """The span below a call."""
    same = ("project", "trace_id", "span_id", "parent_span_id", "service", "environment", "duration_ns")
    return {
        **{name: row[name] for name in same},
        "started_at": at,
        "kind": "client",
        "status": "unset",
        "scope_name": "example",
        "received_at": at,
        "version": 1,
        **fields,
    }


def with_writer(
    store: Store,
    calls: Iterable[dict[str, Any]],
    lookups: Iterable[dict[str, Any]],
    spans: Iterable[dict[str, Any]] = (),
    repeats: Iterable[dict[str, Any]] = (),
) -> None:
    """Insert rows of each table, a few thousand at a time."""
    writer = store.writer()
    for table, rows in (("calls", calls), ("lookups", lookups), ("spans", spans), ("repeats", repeats)):
        kept = list(rows)
        for i in range(0, len(kept), 5000):
            writer.insert(table, kept[i : i + 5000])
        if table == "spans" and kept:
            hours = [
                {
                    "project": row["project"],
                    "trace_id": row["trace_id"],
                    "first_hour": row["started_at"].replace(minute=0, second=0, microsecond=0),
                    "last_hour": row["started_at"].replace(minute=0, second=0, microsecond=0),
                }
                for row in kept
            ]
            writer.insert("trace_hours", hours)
    writer.close()
