"""What each lever adds to a call, for benchmarks/sdk.py: a hit of each cache, a run of a cascade, a choice, an arm.

Beside them what GPTCache and LiteLLM do for a hit of their caches and a choice of LiteLLM's router, where installed.
The model's answer is ready at once, so that what is left is the lever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]
PEERS = {"gptcache": "gptcache", "litellm": "litellm"}
VARIANTS = {
    "lever cached": "a hit of the exact cache",
    "lever semantic": "a hit of the semantic cache, 1,000 vectors of 256 numbers",
    "lever cascade": "a run accepted at the first tier",
    "lever router": "a choice and its block",
    "lever assign": "an arm and its block",
    "lever gptcache": "GPTCache: a hit by the exact text",
    "lever litellm cache": "LiteLLM: a hit of its local cache",
    "lever litellm router": "LiteLLM: a deployment chosen",
}


def python_of(variant: str) -> str:
    """The peer whose environment the variant runs in; empty for ours."""
    return next((peer for peer in PEERS if peer in variant), "")


def lever(variant: str, chat: Function) -> Function:
    """A function of (messages, model, temperature) with the lever around it."""
    if variant == "lever gptcache":
        return _gptcache()
    if variant.startswith("lever litellm"):
        return _litellm(variant)
    import outlay

    if variant == "lever cached":
        return outlay.cached(lambda messages, model, temperature: messages[-1]["content"])
    if variant == "lever semantic":
        return _semantic(outlay)
    if variant == "lever cascade":
        return outlay.Cascade("bench", [chat, chat], accept=lambda answer: 0.9, threshold=0.8)
    if variant == "lever router":
        router = outlay.Router(
            {"cheap": "a", "frontier": "b"}, [outlay.Rule("frontier", min_complexity=0.8)], default="cheap"
        )

        def routed(messages: Any, model: str, temperature: float) -> Any:
            with router.choose("classification", 0.2) as route:
                return chat(messages, route.target, temperature)

        return routed

    def arm(messages: Any, model: str, temperature: float) -> Any:
        with outlay.assign("bench", "user-1", {"control": 0.9, "new": 0.1}) as arm:
            return chat(messages, arm, temperature)

    return arm


def _semantic(outlay: Any) -> Function:
    import random

    draws = random.Random(0)
    vectors = {str(number): [draws.gauss(0, 1) for _ in range(256)] for number in range(1000)}
    cache = outlay.SemanticCache(lambda text: vectors[text], threshold=0.99)

    @cache
    def answer(text: str) -> str:
        return text

    for text in vectors:
        answer(text)
    return lambda messages, model, temperature: answer("7")


def _gptcache() -> Function:
    from gptcache import cache  # type: ignore[import-not-found]
    from gptcache.adapter.api import get, put  # type: ignore[import-not-found]
    from gptcache.processor.pre import get_prompt  # type: ignore[import-not-found]

    cache.init(pre_embedding_func=get_prompt)
    put("7", "seven")
    assert get("7") == "seven"
    return lambda messages, model, temperature: get("7")


def _litellm(variant: str) -> Function:
    import litellm  # type: ignore[import-not-found]

    if variant.endswith("router"):
        models = [
            {"model_name": "chat", "litellm_params": {"model": f"openai/{name}", "api_key": "none"}}
            for name in ("a", "b")
        ]
        router = litellm.Router(model_list=models)
        return lambda messages, model, temperature: router.get_available_deployment("chat", messages=messages)
    from litellm.caching.caching import Cache  # type: ignore[import-not-found]

    cache = Cache(type="local")
    asked = {"model": "gpt-4o", "temperature": 0.2}

    def hit(messages: Any, model: str, temperature: float) -> Any:
        found = cache.get_cache(messages=messages, **asked)
        if found is None:
            cache.add_cache({"said": "x"}, messages=messages, **asked)
        return found

    return hit
