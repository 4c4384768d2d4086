"""A server held against its own document, and the questions to ask it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator

from outlay_analytics.questions.unit_costs import PER
from tests.web_server import Answer, Running

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Documented:
    """A server, and what it says about itself."""

    server: Running
    document: dict[str, Any]

    def ask(self, method: str, path: str, *pairs: tuple[str, str], body: Any = None, **names: str) -> Answer:
        """Ask a route of the document by its path there, and hold the answer against what is said of it."""
        address = path.format(**{name: quote(value, safe="") for name, value in names.items()})
        query = "?" + "&".join(f"{quote(name)}={quote(value, safe='')}" for name, value in pairs) if pairs else ""
        given = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {} if given is None else {"content-type": "application/json"}
        answer = self.server.request(method.upper(), f"/api/v1{address}{query}", given, headers)
        wrong = self.wrong(method, path, answer)
        assert not wrong, f"{method} {address}{query}: {answer.status}: {wrong}"
        return answer

    def wrong(self, method: str, path: str, answer: Answer) -> list[str]:
        """In what the answer is not as it is said to be."""
        responses = self.document["paths"][f"/api/v1{path}"][method]["responses"]
        if str(answer.status) not in responses:
            return [f"status {answer.status} is not one of {', '.join(responses)}: {answer.text[:300]}"]
        content = responses[str(answer.status)].get("content", {})
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if not content and not answer.body:
            return []
        if kind not in content:
            return [f"{kind} is not one of {', '.join(content)}"]
        return self.misfits(content[kind]["schema"], answer.json) if kind == "application/json" else []

    def misfits(self, schema: dict[str, Any], value: Any) -> list[str]:
        whole = {**schema, "components": self.document["components"]}
        found = Draft202012Validator(whole).iter_errors(value)
        return [f"{error.json_path}: {error.message[:300]}" for error in found][:5]


# A route, its parameters, and the list that must have rows for the check to mean something.
QUESTIONS: list[tuple[str, Pairs, str]] = [
    ("/calls", (("limit", "1000"),), "calls"),
    ("/calls", (("sort", "cost_usd"), ("order", "asc"), ("limit", "2")), "calls"),
    ("/traces", (("limit", "1000"),), "traces"),
    ("/spend", (), "rows"),
    ("/spend", (("group_by", "feature,cascade_tier,tag.plan"), ("interval", "day"), ("compare", "previous")), "rows"),
    ("/spend", (("group_by", "session"), ("limit", "1")), "rows"),
    ("/spend", (("group_by", "cost_state,status,model"), ("interval", "hour"), ("start", "-2d")), "rows"),
    ("/explain", (("start", "-2d"),), "cells"),
    ("/explain", (("start", "-2d"), ("by", "cascade_tier")), "cells"),
    ("/explain", (("start", "-2d"), ("by", "tag.plan")), "cells"),
    *(("/unit-costs", (("per", per), ("interval", "day")), "rows") for per in PER),
    ("/unit-costs", (("per", "user"), ("limit", "1")), "rows"),
    ("/showback", (), "rows"),
    ("/showback", (("by", "cascade_tier"), ("split", "even")), "rows"),
    ("/showback", (("by", "tag.plan"), ("split", "cost")), "rows"),
    ("/caching", (), "rows"),
    ("/caching", (("group_by", "provider,model"), ("interval", "day")), "rows"),
    ("/caching", (("group_by", "cost_state"),), "rows"),
    ("/caching", (("limit", "1"),), "rows"),
    ("/caching/thresholds", (), ""),
    ("/quality", (), "rows"),
    (
        "/quality",
        (("group_by", "feature,tag.plan"), ("interval", "day"), ("score", "correct"), ("success", "0.8")),
        "rows",
    ),
    ("/experiments", (), "experiments"),
    ("/prompts", (), ""),
    ("/tradeoff", (), "rows"),
    ("/tradeoff", (("score", "correct"), ("margin", "0.1")), "rows"),
    ("/routing", (("margin", "0.1"),), ""),
    ("/unit-costs", (("per", "success"), ("score", "correct")), "rows"),
    ("/revenue", (), ""),
    ("/cascades", (), "cascades"),
    ("/cascades", (("interval", "day"), ("limit", "1")), "cascades"),
    ("/forecast", (("budget_usd", "10"),), "forecast"),
    ("/forecast", (("interval", "hour"), ("horizon", "2d")), "forecast"),
    ("/forecast", (("overlay", "2090-01-01:+25%:launch,2090-01-01..2090-02-01:-4usd"),), "scenario"),
    ("/anomalies", (), "anomalies"),
    ("/anomalies", (("limit", "1"),), "anomalies"),
    ("/incidents", (), "incidents"),
    ("/incidents", (("limit", "1"), ("state", "open")), "incidents"),
    ("/markers", (), ""),
    ("/explain", (("base", "week_earlier"),), ""),
    ("/report", (), "budgets"),
    ("/budgets", (), "budgets"),
    ("/budgets", (("limit", "1"),), "budgets"),
    ("/alerts", (), "alerts"),
    ("/prices", (("limit", "1000"),), "prices"),
    ("/prices", (("missing", "true"),), "prices"),
    ("/status", (), "jobs"),
    ("/admin/keys", (), "keys"),
    ("/admin/close", (), ""),
    ("/reprice", (), ""),
    ("/reconcile", (), ""),
]
