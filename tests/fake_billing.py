"""A fake of the cost APIs of OpenAI, Anthropic and OpenRouter: real HTTP on loopback, the documented shapes.

    with FakeBilling() as fake:
        fake.cost(date(2026, 11, 3), "gpt-4o-2024-08-06", "input", "0.0025", tokens=1000)

Amounts are written into the JSON digit by digit as they are given. Whatever is in `scripted` is answered first.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from outlay_analytics.bills.accounts import Account, parse_bills

OPENAI_KEY = "sk-admin-0123456789abcdef"
ANTHROPIC_KEY = "sk-ant-admin01-0123456789abcdef"
OPENROUTER_KEY = "sk-or-v1-0123456789abcdef"


@dataclass(frozen=True)
class Cost:
    """A line of a bill. `amount` is the text of a number in USD."""

    day: date
    model: str
    meter: str
    amount: str
    tokens: int | None = None
    unit: str = "tokens"
    project: str = "proj_shop"
    key: str = "key_shop"
    currency: str = "usd"


@dataclass(frozen=True)
class Used:
    """What the provider counted of a day."""

    day: date
    model: str
    counts: dict[str, Any]
    project: str = "proj_shop"
    key: str = "key_shop"


@dataclass(frozen=True)
class Asked:
    """A request that arrived."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


def account(**row: Any) -> Account:
    """The account of a row of `[[bills]]`."""
    return parse_bills([{"name": "bill", **row}])[0]


class FakeBilling:
    """The server, in a thread for the time of the block.

    Attributes:
        costs, used: What it bills and counted.
        scripted: Answers (status, headers, body) for the next requests, in order.
        per_page: Buckets, or rows of Analytics, on a page.
        analytics_top: How many groups Analytics tells; the others are in the total alone.
        stall_after: From which request on answers wait for `release`.
        asked: The requests that arrived.
    """

    def __init__(self) -> None:
        self.costs: list[Cost] = []
        self.used: list[Used] = []
        self.scripted: deque[tuple[int, dict[str, str], str]] = deque()
        self.per_page = 1000
        self.analytics_top = 1000
        self.stall_after = 1 << 30
        self.release = threading.Event()
        self.stalled = threading.Event()
        self.asked: list[Asked] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                asked = Asked(parts.path, parse_qs(parts.query), {k.lower(): v for k, v in self.headers.items()})
                fake.asked.append(asked)
                if len(fake.asked) > fake.stall_after:
                    fake.stalled.set()
                    fake.release.wait(300)
                status, headers, body = fake.answer(asked)
                sent = body.encode()
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeBilling:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(60)

    def cost(self, day: date, model: str, meter: str, amount: str, **more: Any) -> None:
        self.costs.append(Cost(day, model, meter, amount, **more))

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], str]:
        if self.scripted:
            return self.scripted.popleft()
        keys = (asked.headers.get("authorization", "").removeprefix("Bearer "), asked.headers.get("x-api-key", ""))
        path = asked.path
        if path.startswith("/v1/organization/"):
            if OPENAI_KEY not in keys:
                return _error(401, f"Incorrect API key provided: {keys[0]}.")
            return self._openai(asked)
        if path.startswith("/v1/organizations/"):
            if ANTHROPIC_KEY not in keys or "anthropic-version" not in asked.headers:
                return _error(401, "invalid x-api-key")
            return self._anthropic(asked)
        if path == "/api/v1/activity":
            if OPENROUTER_KEY not in keys:
                return _error(403, "Only management keys can fetch activity")
            return self._openrouter()
        return _error(404, f"no route {path}")

    def _openai(self, asked: Asked) -> tuple[int, dict[str, str], str]:
        kind = asked.path.removeprefix("/v1/organization/")
        start, end = (int(asked.query[name][0]) for name in ("start_time", "end_time"))
        most = 180 if kind == "costs" else 31
        if asked.query["bucket_width"] != ["1d"] or not 1 <= int(asked.query.get("limit", ["7"])[0]) <= most:
            return _error(400, "limit is out of range")
        if kind not in ("costs", "usage/completions", "usage/embeddings"):
            return _error(404, "unknown endpoint")
        buckets = []
        for day in _days(datetime.fromtimestamp(start, UTC).date(), datetime.fromtimestamp(end, UTC).date()):
            rows: Iterable[dict[str, Any]]
            if kind == "costs":
                rows = [_openai_cost(one) for one in self.costs if one.day == day]
            elif kind == "usage/completions":
                rows = [_openai_usage(one) for one in self.used if one.day == day]
            else:
                rows = []
            at = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
            buckets.append({"object": "bucket", "start_time": at, "end_time": at + 86400, "results": list(rows)})
        return self._page(asked, buckets)

    def _anthropic(self, asked: Asked) -> tuple[int, dict[str, str], str]:
        start, end = (date.fromisoformat(asked.query[name][0][:10]) for name in ("starting_at", "ending_at"))
        if (end - start).days > 31:
            return _error(400, "at most 31 days")
        if asked.path.endswith("/analytics/cost"):
            return self._analytics(asked, start, end)
        buckets = []
        for day in _days(start, end):
            if asked.path.endswith("/cost_report"):
                rows = [_anthropic_cost(one) for one in self.costs if one.day == day]
            elif asked.path.endswith("/usage_report/messages"):
                rows = [_anthropic_usage(one) for one in self.used if one.day == day]
            else:
                return _error(404, "not found")
            ends = day + timedelta(days=1)
            buckets.append(
                {"starting_at": f"{day}T00:00:00Z", "ending_at": f"{ends}T00:00:00Z", "results": rows},
            )
        return self._page(asked, buckets)

    def _analytics(self, asked: Asked, start: date, end: date) -> tuple[int, dict[str, str], str]:
        rows = []
        for day in _days(start, end):
            costs = sorted((one for one in self.costs if one.day == day), key=lambda one: -Decimal(one.amount))
            if "group_by[]" in asked.query:
                rows += [_analytics_row(day, [one], one) for one in costs[: self.analytics_top]]
            elif costs:
                rows.append(_analytics_row(day, costs, None))
        return self._page(asked, rows)

    def _openrouter(self) -> tuple[int, dict[str, str], str]:
        rows = [
            {
                "date": f"{one.day}",
                "model": one.model,
                "model_permaslug": one.model,
                "endpoint_id": "e1",
                "provider_name": "OpenAI",
                "usage": _number(one.amount),
                "byok_usage_inference": 0.012,
                "requests": 5,
                "prompt_tokens": 50,
                "completion_tokens": 125,
                "reasoning_tokens": 25,
                "cached_tokens": 60,
                "workspace_id": one.project,
                "a_new_field": {"deep": [1]},
            }
            for one in self.costs
        ]
        return 200, {}, _json({"data": rows})

    def _page(self, asked: Asked, items: Sequence[dict[str, Any]]) -> tuple[int, dict[str, str], str]:
        first = int(asked.query.get("page", ["page_0"])[0].removeprefix("page_"))
        after = first + self.per_page
        more = after < len(items)
        page = {
            "object": "page",
            "data": list(items[first:after]),
            "has_more": more,
            "next_page": f"page_{after}" if more else None,
            "a_new_field": "which nobody knows yet",
        }
        return 200, {}, _json(page)


def _openai_cost(one: Cost) -> dict[str, Any]:
    return {
        "object": "organization.costs.result",
        "amount": {"value": _number(one.amount), "currency": one.currency},
        "line_item": f"{one.model}, {one.meter}" if one.model else one.meter,
        "quantity": one.tokens,
        "quantity_unit": one.unit if one.tokens is not None else None,
        "project_id": one.project,
        "api_key_id": one.key,
        "organization_id": "org-1",
        "a_new_field": None,
    }


def _openai_usage(one: Used) -> dict[str, Any]:
    return {
        "object": "organization.usage.completions.result",
        **one.counts,
        "model": one.model,
        "project_id": one.project,
        "api_key_id": one.key,
        "batch": False,
        "service_tier": "default",
        "a_new_field": 1,
    }


def _anthropic_cost(one: Cost) -> dict[str, Any]:
    tokens = bool(one.model)
    return {
        "currency": one.currency.upper(),
        "amount": f"{Decimal(one.amount) * 100:f}",
        "workspace_id": one.project or None,
        "description": f"{one.model} Usage - {one.meter}",
        "cost_type": "tokens" if tokens else "web_search",
        "context_window": "0-200k" if tokens else None,
        "model": one.model or None,
        "service_tier": "standard" if tokens else None,
        "token_type": one.meter if tokens else None,
        "inference_geo": "global",
        "a_new_field": True,
    }


def _anthropic_usage(one: Used) -> dict[str, Any]:
    return {
        **one.counts,
        "model": one.model,
        "workspace_id": one.project,
        "api_key_id": one.key,
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 0},
    }


def _analytics_row(day: date, costs: Sequence[Cost], group: Cost | None) -> dict[str, Any]:
    usd = sum((Decimal(one.amount) for one in costs), Decimal(0))
    named: dict[str, Any] = {}
    if group is not None:
        named = {"model": group.model, "cost_type": "tokens", "token_type": group.meter, "workspace_id": group.project}
    return {
        "starting_at": f"{day}T00:00:00Z",
        "ending_at": f"{day + timedelta(days=1)}T00:00:00Z",
        "group": named,
        "cost": {"amount": f"{usd * 90:f}", "list_amount": f"{usd * 100:f}", "currency": "USD", "requests": None},
    }


def _error(status: int, message: str) -> tuple[int, dict[str, str], str]:
    return status, {}, json.dumps({"error": {"message": message, "type": "invalid_request_error", "code": None}})


def _days(first: date, after: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((after - first).days)]


def _number(digits: str) -> str:
    """A number that `_json` writes with exactly these digits."""
    return f"@@{digits}@@"


def _json(value: Any) -> str:
    return re.sub(r'"@@([^@"]*)@@"', r"\1", json.dumps(value))
