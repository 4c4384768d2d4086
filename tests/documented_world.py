"""A small world in which every answer of the API has rows: history with a spike, cascades, caches, errors, a score."""

from __future__ import annotations

from typing import Any

from tests.web_server import Running, llm_span

HOUR_S = 3600.0
DAYS = 19  # more than the fifteen that anomalies learn from
SPIKE_H = 6
BUDGET = {
    "amount_usd": "0.01",
    "period": "month",
    "scope": {"feature": "search"},
    "notify": ["https://hooks.example/x"],
}


def fill(server: Running) -> int:
    """Send the world and wait until it can be seen; returns how many calls it has."""
    spans = [*_history(), *_spike(), *_cascades(), *_caches(), *_odd_ones()]
    assert server.send_spans(spans).status == 200
    calls = len(spans) - 1  # the agent's span is none
    server.wait_for_calls(calls)
    score = {"trace_id": f"{0xCA0:032x}", "span_id": f"{1:016x}", "name": "correct", "value": 0.9, "label": "good"}
    assert server.post("/api/v1/scores", score).status == 201
    server.wait(lambda: bool(server.api("/calls", ("cascade", "triage")).json["calls"][-1]["scores"]), "scored")
    return calls


def _history() -> list[dict[str, Any]]:
    hours = range(SPIKE_H + 2, DAYS * 24)
    return [llm_span(0x1000 + hour, 1, ago_s=hour * HOUR_S, outlay__feature="search") for hour in hours]


def _spike() -> list[dict[str, Any]]:
    more: dict[str, Any] = {"gen_ai__usage__input_tokens": 40_000_000, "outlay__feature": "search"}
    return [llm_span(0x2000 + hour, 1, ago_s=hour * HOUR_S, **more) for hour in range(1, SPIKE_H + 2)]


def _cascades() -> list[dict[str, Any]]:
    spans = []
    for run in range(4):
        attempts = ((0, "gpt-4o-mini", "escalated", 0.2 + run / 10), (1, "gpt-4o", "accepted", 0.9))
        for tier, model, outcome, confidence in attempts if run % 2 else attempts[:1]:
            spans.append(
                llm_span(
                    0xCA0 + run,
                    tier + 1,
                    ago_s=7200 - 10 * tier,
                    gen_ai__request__model=model,
                    gen_ai__response__model=model,
                    outlay__cascade__name="triage",
                    outlay__cascade__run_id=f"r{run}",
                    outlay__cascade__tier=tier,
                    outlay__cascade__outcome=outcome if run % 2 else "accepted",
                    outlay__cascade__confidence=confidence,
                    outlay__cascade__threshold=0.4,
                    outlay__feature="triage",
                )
            )
    return spans


def _caches() -> list[dict[str, Any]]:
    prompt: dict[str, Any] = {
        "gen_ai__input__messages": '[{"role":"user","parts":[{"type":"text","content":"the same again"}]}]'
    }
    asked: dict[str, Any] = {"outlay__feature": "faq", "outlay__cache__kind": "exact"}
    hit: dict[str, Any] = {**asked, "outlay__cache__hit": True, "outlay__cache__avoided__input_tokens": 500}
    return [
        llm_span(0xCAC0, 1, outlay__cache__hit=False, **asked, **prompt),
        llm_span(0xCAC1, 1, **hit, outlay__cache__avoided__output_tokens=50),
        llm_span(0xCAC2, 1, outlay__feature="faq", gen_ai__usage__cache_read__input_tokens=400, **prompt),
    ]


def _odd_ones() -> list[dict[str, Any]]:
    failed = llm_span(0xBAD0, 1, error__type="timeout", outlay__attempt=2, outlay__request_id="q1")
    failed["status"] = {"code": 2, "message": "gave up"}
    failed["events"] = [{"timeUnixNano": failed["startTimeUnixNano"], "name": "retry", "attributes": []}]
    names: dict[str, Any] = {"gen_ai__request__model": "house-model-9", "gen_ai__response__model": "house-model-9"}
    said: dict[str, Any] = {"user__id": "u1", "session__id": "s1", "outlay__team": "growth", "outlay__tag__plan": "pro"}
    trial: dict[str, Any] = {
        "outlay__experiment__name": "tone",
        "outlay__experiment__arm": "b",
        "outlay__route__tier": "cheap",
    }
    return [
        failed,
        llm_span(0xBAD1, 1, gen_ai__provider__name="vllm", **names),
        llm_span(0xBAD2, 1, gen_ai__operation__name="invoke_agent"),
        llm_span(0xBAD2, 2, parent=1, **said, **trial),
    ]
