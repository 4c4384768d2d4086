"""Today's live calls: a real HTTP client against a fake provider, metered at the wire by the SDK.

The fake provider meters what it answers, so the bill knows each call's usage without asking Outlay.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction

import requests

import outlay
from outlay_web.demo.bill import cost
from outlay_web.demo.fake_provider import Answer, FakeProvider, Request
from outlay_web.demo.interactions import Call
from outlay_web.demo.month import SEED
from outlay_web.demo.shapes import CUSTOMERS

MODEL = "gpt-5-mini-2025-08-07"


def run(count: int, bill: Callable[[Fraction | None], None], progress: Callable[[int], None]) -> None:
    """Make `count` chat calls, every fifth one streamed, and bill each by what the provider metered."""
    rng = random.Random(SEED)

    def answer(request: Request) -> Answer:
        tokens_in, tokens_out = rng.randint(200, 2400), rng.randint(20, 400)
        read = 1024 if tokens_in > 1200 and rng.random() < 0.7 else 0
        bill(cost(Call("openai", MODEL, datetime.now(UTC), 0, tokens_in, tokens_out, read)))
        return Answer("Sure.", input_tokens=tokens_in, cache_read_tokens=read, output_tokens=tokens_out, model=MODEL)

    with FakeProvider(answer) as provider, requests.Session() as session:
        for number in range(count):
            with outlay.track("onboarding", feature="onboarding", team="growth", customer=rng.choice(CUSTOMERS)):
                _ask(session, provider.url, streamed=number % 5 == 0)
            if number % 100 == 99:
                outlay.flush()
                progress(number + 1)


def _ask(session: requests.Session, url: str, streamed: bool) -> None:
    body = {"model": "gpt-5-mini", "messages": [{"role": "user", "content": "How do I start?"}], "stream": streamed}
    if streamed:
        body["stream_options"] = {"include_usage": True}
    with session.post(f"{url}/v1/chat/completions", json=body, stream=streamed, timeout=10) as answer:
        answer.raise_for_status()
        for _ in answer.iter_lines():
            pass
