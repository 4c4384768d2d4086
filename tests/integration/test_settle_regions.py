"""Where a call was answered, of its host, its model's name or its answer, and what that costs."""

from __future__ import annotations

from decimal import Decimal

from tests.settle_world import World

VERTEX = {"gen_ai.provider.name": "gcp.vertex_ai", "gen_ai.request.model": "claude-opus-4-8"}
OPENAI = {"gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5.5"}
SONNET = {"gen_ai.provider.name": "anthropic", "gen_ai.request.model": "claude-sonnet-4-6"}
COUNTED = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": "10000",
    "gen_ai.usage.output_tokens": "1000",
}
RESOURCE = "projects/p/locations/europe-west1/publishers/anthropic/models/claude-opus-4-8"
CASES: dict[str, tuple[dict[str, str], str, str]] = {
    "vertex, global": (VERTEX | {"server.address": "aiplatform.googleapis.com"}, "", "0.075"),
    "vertex, a region": (VERTEX | {"server.address": "us-east5-aiplatform.googleapis.com"}, "us-east5", "0.0825"),
    "vertex, a geography": (VERTEX | {"server.address": "aiplatform.eu.rep.googleapis.com"}, "eu", "0.0825"),
    "vertex, by url": (
        VERTEX | {"url.full": "https://europe-west1-aiplatform.googleapis.com/v1/x:rawPredict"},
        "europe-west1",
        "0.0825",
    ),
    "vertex, by resource": (VERTEX | {"gen_ai.request.model": RESOURCE}, "europe-west1", "0.0825"),
    "vertex, before regions cost more": (
        VERTEX | {"gen_ai.request.model": "claude-3-5-sonnet", "server.address": "us-east5-aiplatform.googleapis.com"},
        "us-east5",
        "0.045",
    ),
    "bedrock, a geography": (
        {"gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "eu.anthropic.claude-opus-4-8-v1:0"},
        "eu",
        "0.0825",
    ),
    "openai, no region": (OPENAI | {"server.address": "api.openai.com"}, "", "0.08"),
    "openai, a region": (OPENAI | {"server.address": "eu.api.openai.com"}, "eu", "0.088"),
    "by url, openai": (OPENAI | {"url.full": "https://me@eu.api.openai.com:443/v1?x=1"}, "eu", "0.088"),
    "host in a query": (OPENAI | {"url.full": "https://llm.corp/?to=https://eu.api.openai.com"}, "", "0.08"),
    "openai, an older model": (
        OPENAI | {"gen_ai.request.model": "gpt-4o", "server.address": "eu.api.openai.com"},
        "eu",
        "0.035",
    ),
    "anthropic, said by the answer": (SONNET | {"anthropic.response.inference_geo": "us"}, "us", "0.0495"),
    "anthropic, global": (SONNET | {"anthropic.response.inference_geo": "global"}, "", "0.045"),
    "anthropic, in its usage": (
        SONNET | {"gen_ai.usage": '{"input_tokens": 10000, "output_tokens": 1000, "inference_geo": "us"}'},
        "us",
        "0.0495",
    ),
}


def test_a_region_is_read_wherever_it_stands_and_costs_what_it_costs(world: World) -> None:
    for n, (name, (attributes, _, _)) in enumerate(CASES.items()):
        world.span(name, COUNTED | attributes, trace=name, at_ms=n)
    rows = {row["name"]: (row["region"], row["cost_usd"]) for row in world.calls()}
    assert rows == {name: (region, Decimal(usd)) for name, (_, region, usd) in CASES.items()}
