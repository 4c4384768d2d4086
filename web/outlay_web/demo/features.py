"""Seven features of a company: what one user action of each calls."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta

from outlay_web.demo.interactions import Call, Interaction
from outlay_web.demo.month import Month
from outlay_web.demo.shapes import CHAT, CODE, LONG, SHORT, latency, tokens, who

FITTING = 0.95  # similarity from which on the semantic cache answers the question that was asked
PREFIX = 6144  # tokens of instructions and tools that every support chat begins with


def support_chat(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """Streamed chat behind an exact and a semantic cache; a long stable prefix that the provider caches."""
    tokens_in, tokens_out = tokens(rng, CHAT)
    prefix = PREFIX
    tokens_in += prefix
    duration, first = latency(rng, tokens_out, 9, 420)
    call = Call("openai", "gpt-5-2025-08-07", moment + timedelta(milliseconds=8), duration, tokens_in, tokens_out)
    draw = rng.random()
    if draw < 0.09:
        call = replace(call, cache_kind="exact", cache_hit=True, duration_ms=6)
    elif draw < 0.21:
        similarity = round(rng.uniform(0.92, 0.995), 4)
        call = replace(call, cache_kind="semantic", cache_hit=True, duration_ms=24, cache_similarity=similarity)
    else:
        warm = rng.random() < 0.86 and not month.hit("cache outage", moment)
        missed = rng.choice(("exact", "semantic"))
        reasoning = int(tokens_out * rng.uniform(0.1, 0.4))
        call = replace(
            call,
            cache_kind=missed,
            cache_similarity=round(rng.uniform(0.3, 0.9), 4) if missed == "semantic" else 0.0,
            cache_read_tokens=prefix if warm else 0,
            streamed=True,
            time_to_first_token_ms=first,
            reasoning_tokens=reasoning,
            prompt_parts=(("system", prefix), ("user", tokens_in - prefix)),
        )
        if rng.random() < 0.012:
            call = replace(call, error="timeout", input_tokens=0, output_tokens=0, cache_read_tokens=0)
            call = replace(call, reasoning_tokens=0, streamed=False, time_to_first_token_ms=0, prompt_parts=())
    version = "12" if moment < month.today - timedelta(days=19) else "13"
    scores = (("helpful", float(rng.random() < 0.83)),) if rng.random() < 0.08 else ()
    aside = month.aside(moment)
    if call.cache_kind == "semantic" and call.cache_hit and aside.random() < 0.4:
        fits = 0.997 if call.cache_similarity >= FITTING else 0.8
        scores = (*scores, ("same question", float(aside.random() < fits)))
    return Interaction(
        "support-chat",
        "support",
        who(rng),
        prompt="support-reply",
        prompt_version=version,
        started_at=moment,
        calls=(call,),
        scores=scores,
        tags=(("channel", rng.choice(("web", "app", "mail"))),),
    )


def ticket_triage(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """A cascade: a small model first, a large one when it is not sure."""
    tokens_in, tokens_out = tokens(rng, SHORT)
    confidence = round(rng.betavariate(7, 2), 4)
    escalated = confidence < 0.62
    duration, _ = latency(rng, tokens_out, 4, 240)
    first = Call(
        "openai",
        "gpt-5-mini-2025-08-07",
        moment + timedelta(milliseconds=5),
        duration,
        tokens_in,
        tokens_out,
        cascade_tier=0,
        cascade_outcome="escalated" if escalated else "accepted",
        cascade_confidence=confidence,
    )
    calls = [first]
    if escalated:
        start = first.started_at + timedelta(milliseconds=duration + 5)
        _, long_out = tokens(rng, CHAT)
        duration, _ = latency(rng, long_out, 14, 700)
        calls.append(
            Call(
                "anthropic",
                "claude-sonnet-4-5-20250929",
                start,
                duration,
                tokens_in + 180,
                long_out,
                cascade_tier=1,
                cascade_outcome="accepted",
                cascade_confidence=round(rng.uniform(0.8, 0.99), 4),
            )
        )
    right = rng.random() < (0.97 if escalated else 0.72 + 0.25 * confidence)
    return Interaction(
        "ticket-triage",
        "support",
        who(rng),
        prompt="triage",
        prompt_version="4",
        started_at=moment,
        calls=tuple(calls),
        cascade="triage",
        scores=(("correct", float(right)),) if rng.random() < 0.15 else (),
    )


def _retried(rng: random.Random, call: Call) -> list[Call]:
    """The client's timeout was shorter than the answer took: it asked again, and the provider billed every time."""
    request = f"r-{rng.getrandbits(48):012x}"
    copies = []
    start = call.started_at
    for attempt in range(1, rng.choice((3, 4, 5, 6)) + 1):
        copies.append(replace(call, started_at=start, attempt=attempt, request_id=request))
        start += timedelta(milliseconds=call.duration_ms + 400)
    return copies


def doc_search(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """Retrieval: an embedding, then an answer over documents. One release put far more context into the prompt."""
    grown = month.hit("longer prompt", moment)
    query = rng.randint(8, 60)
    embed = Call(
        "openai",
        "text-embedding-3-small",
        moment + timedelta(milliseconds=4),
        rng.randint(40, 160),
        query,
        0,
        operation="embeddings",
    )
    tokens_in, tokens_out = tokens(rng, LONG, 1.75 if grown else 1.0)
    duration, first = latency(rng, tokens_out, 5, 520)
    answer = Call(
        "anthropic",
        "claude-haiku-4-5-20251001",
        embed.started_at + timedelta(milliseconds=embed.duration_ms + 30),
        duration,
        tokens_in,
        tokens_out,
        cache_read_tokens=int(tokens_in * 0.35) if rng.random() < 0.4 else 0,
        streamed=True,
        time_to_first_token_ms=first,
        prompt_parts=(("system", 600), ("context", max(0, tokens_in - 600 - query)), ("user", query)),
    )
    return Interaction(
        "doc-search",
        "search",
        who(rng),
        prompt="answer",
        prompt_version="8" if grown else "7",
        started_at=moment,
        calls=(embed, answer),
        scores=(("grounded", round(rng.betavariate(9, 2), 3)),) if rng.random() < 0.06 else (),
    )


def code_review(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """Long inputs with cache writes and reads; for an afternoon the client gave up sooner than a review takes."""
    tokens_in, tokens_out = tokens(rng, CODE, 3.2)
    tokens_out = tokens_out * 14 + 60
    stable = 4096
    warm = rng.random() < 0.6
    duration, first = latency(rng, tokens_out, 13, 900)
    call = Call(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        moment + timedelta(milliseconds=12),
        duration,
        tokens_in + stable,
        tokens_out,
        cache_read_tokens=stable if warm else 0,
        cache_write_tokens=0 if warm else stable,
        streamed=True,
        time_to_first_token_ms=first,
    )
    return Interaction(
        "code-review",
        "platform",
        who(rng),
        prompt="review",
        prompt_version="21",
        started_at=moment,
        calls=tuple(_retried(rng, call)) if month.hit("retry storm", moment) else (call,),
        tags=(("repository", rng.choice(("web", "api", "mobile", "infra"))),),
    )


def summarize(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """An experiment: which of two models writes the summaries; for two days somebody had set the largest of all.

    Its result is known: the small one is accepted less often, and a quarter cheaper.
    """
    asking = who(rng)
    arm = "small" if sum(map(ord, asking.user)) % 2 else "large"
    provider, model = {"small": ("gcp.gemini", "gemini-2.5-flash"), "large": ("mistral_ai", "mistral-large-2512")}[arm]
    if month.hit("model swap", moment):
        arm, provider, model = "", "anthropic", "claude-opus-4-5-20251101"
    tokens_in, tokens_out = tokens(rng, LONG)
    duration, _ = latency(rng, tokens_out, 6, 480)
    call = Call(provider, model, moment + timedelta(milliseconds=6), duration, tokens_in, tokens_out)
    good = {"small": 0.70, "large": 0.84}.get(arm, 0.86)
    return Interaction(
        "summarize",
        "growth",
        asking,
        prompt="summary",
        prompt_version="3",
        started_at=moment,
        calls=(call,),
        experiment="summary-model" if arm else "",
        arm=arm,
        scores=(("accepted", float(rng.random() < good)),) if rng.random() < 0.5 else (),
    )


def translate(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """Cheap and steady; a router tries two models, and the dearer is no better, which trade-off and routing tell."""
    tokens_in, _ = tokens(rng, CHAT, 0.6)
    duration, _ = latency(rng, tokens_in, 3, 260)
    out = max(1, int(tokens_in * rng.uniform(0.8, 1.1)))
    aside = month.aside(moment)
    tier, model = aside.choice((("cheap", "gemini-2.5-flash-lite"), ("mid", "gemini-2.5-flash")))
    call = Call("gcp.gemini", model, moment + timedelta(milliseconds=5), duration, tokens_in, out)
    return Interaction(
        "translate",
        "growth",
        who(rng),
        prompt="translate",
        prompt_version="2",
        started_at=moment,
        calls=(call,),
        route_tier=tier,
        route_propensity=0.5,
        scores=(("faithful", float(aside.random() < 0.99)),) if aside.random() < 0.7 else (),
    )


def lab(month: Month, rng: random.Random, moment: datetime) -> Interaction:
    """A model of the company's own that no price list knows: shown as unpriced, never as free."""
    tokens_in, tokens_out = tokens(rng, CHAT)
    duration, _ = latency(rng, tokens_out, 20, 150)
    call = Call("vllm", "acme-research-7b", moment + timedelta(milliseconds=3), duration, tokens_in, tokens_out)
    return Interaction(
        "lab",
        "platform",
        who(rng),
        prompt="probe",
        prompt_version="1",
        started_at=moment,
        calls=(call,),
    )


FEATURES = (
    (support_chat, 900),
    (ticket_triage, 520),
    (doc_search, 270),
    (code_review, 190),
    (summarize, 240),
    (translate, 120),
    (lab, 12),
)
