"""What a call is for, of spans that others wrote: by the documented order, by own attributes, again for history."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.settle_world import NOON, Shared, World, shared_settler, usage

from outlay_collector.dialects.inherited import FEATURE
from outlay_collector.settle import NO_MAPPING, Settler
from outlay_collector.settle.mapping import parse_attributes

OUTLAY = "outlay"


@pytest.fixture(scope="module")
def shared() -> Iterator[Shared]:
    with shared_settler() as made:
        yield made


def features(world: World) -> dict[str, Any]:
    return {row["name"]: row["feature"] for row in world.calls()}


def written(said: dict[str, str]) -> dict[str, str]:
    """Attributes that say this; values inside of texts as LiteLLM's proxy writes them, a Python repr."""
    plain = {key: value for key, value in said.items() if "#" not in key}
    inside: dict[str, dict[str, str]] = {}
    for key in said.keys() - plain.keys():
        text, _, path = key.partition("#")
        inside.setdefault(text, {})[path] = said[key]
    return plain | {text: repr(values) for text, values in inside.items()}


def test_the_first_of_the_documented_order_counts_wherever_it_stands(world: World) -> None:
    keys = [source.key for source in FEATURE if source.key]
    for n, key in enumerate(keys):
        # The preferred one far above the call, everything after it on the call itself.
        weaker = written({other: f"less {other}" for other in keys[n + 1 :]})
        world.span(f"root {n}", written({key: f"said by {key}"}), trace=f"t{n}", kind="server", scope="app")
        world.span(f"call {n}", usage(10, 1) | weaker, parent=f"root {n}", trace=f"t{n}", at_ms=n)
    assert features(world) == {f"call {n}": f"said by {key}" for n, key in enumerate(keys)}


def test_a_root_span_s_name_is_a_feature_where_its_library_s_users_name_it(world: World) -> None:
    langchain = ("openinference.instrumentation.langchain", "@arizeai/openinference-instrumentation-langchain")
    for scope in ("langfuse-sdk", "langsmith", "logfire", "mlflow.tracing", *langchain):
        world.span(f"answer {scope}", {}, trace=scope, scope=scope)
        world.span(f"step {scope}", {}, parent=f"answer {scope}", trace=scope, scope=scope)
        world.span(f"call {scope}", usage(10, 1), parent=f"step {scope}", trace=scope, scope=scope)
        world.span(f"alone {scope}", usage(20, 1), trace=f"alone {scope}", scope=scope)
    world.span("RunnableSequence", {}, trace="nameless", scope=langchain[0])  # as LangChain names it
    world.span("call nameless", usage(10, 1), parent="RunnableSequence", trace="nameless", scope=langchain[0])
    world.span("job", {}, trace="other", scope="my.app")
    world.span("call other", usage(10, 1), parent="job", trace="other")
    found = features(world)
    for scope in ("langfuse-sdk", "langsmith", "logfire", "mlflow.tracing", *langchain):
        assert (found[f"call {scope}"], found[f"alone {scope}"]) == (f"answer {scope}", "shop")
    assert (found["call other"], found["call nameless"]) == ("shop", "shop")


def test_a_route_counts_where_a_server_says_it_and_a_service_where_somebody_named_it(world: World) -> None:
    world.span("GET", {"http.route": "/chat/{id}"}, trace="a", kind="server", scope="asgi")
    world.span("served", usage(10, 1), parent="GET", trace="a")
    world.span("asked", usage(10, 1, http__route="/v1/messages"), trace="b")
    world.span("unnamed", usage(10, 1), trace="c", service="unknown_service:python")
    world.span("own", usage(10, 1), trace="d", scope=OUTLAY)
    world.span("POST", {"http.route": "/own"}, trace="e", kind="server", scope="asgi")
    world.span("own served", usage(10, 1), parent="POST", trace="e", scope=OUTLAY)
    assert features(world) == {
        "served": "/chat/{id}",
        "asked": "shop",
        "unnamed": "",
        "own": "",
        "own served": "/own",
    }


def test_lists_and_json_texts_count_as_what_they_say_and_defaults_as_nothing(world: World) -> None:
    world.span("tags", usage(1, 1, langfuse__trace__tags='["", "prod", "eu"]'), trace="a")
    world.span("json", usage(1, 1, langfuse__trace__metadata__feature='"search"'), trace="b")
    world.span("default", usage(1, 1, langsmith__trace__session_name="default"), trace="c")
    world.span("odd", usage(1, 1, langfuse__trace__tags="[1"), trace="d")
    assert features(world) == {"tags": "prod", "json": "search", "default": "shop", "odd": "[1"}


def test_what_stands_inside_a_text_counts_where_it_can_be_read_and_own_attributes_may_name_it(world: World) -> None:
    text = "metadata.requester_metadata"
    whole = """{'user_id': 7, 'note': "it's \\"fine\\"", 'tags': ['', 'vip'], 'app': {'step': 'plan'}, 'team': None}"""
    told = {
        "repr": whole,
        "json": '{"feature": "search", "session_id": "s"}',
        "cut": whole[:-9],
        "code": "{'feature': __import__('os')}",
        "deep": "{'feature': " + "(" * 5000 + ")" * 5000 + "}",
        "list": "['feature']",
    }
    for name, value in told.items():
        world.span(name, usage(1, 1) | {text: value}, trace=name)
    found = {row["name"]: (row["feature"], row["user"], row["session"], row["team"]) for row in world.calls()}
    nothing = ("shop", "", "", "")
    assert found == dict.fromkeys(told, nothing) | {
        "repr": ("vip", "7", "", ""),
        "json": ("search", "", "s", ""),
    }
    mapped = Settler(world.store, world.settler.prices, mapping=parse_attributes({"feature": [f"{text}#app.step"]}))
    mapped.resettle(world.project, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert features(world)["repr"] == "plan"
    mapped.close()


def test_who_and_what_is_read_in_every_library_s_spelling(world: World) -> None:
    said = {
        "langfuse.user.id": "ann",
        "ai.telemetry.metadata.sessionId": "s1",
        "traceloop.association.properties.customer_id": "acme",
        "metadata.user_api_key_team_alias": "core",
        "traceloop.prompt.key": "greeting",
        "traceloop.prompt.version": "3",
    }
    world.span("call", usage(1, 1) | said)
    call = world.call()
    names = ("user", "session", "customer", "team", "prompt", "prompt_version")
    assert [call[name] for name in names] == ["ann", "s1", "acme", "core", "greeting", "3"]


def test_own_attributes_go_before_others_but_not_before_the_code_s_own_and_resettle_applies_them(world: World) -> None:
    world.span("mapped", usage(1, 1, app__use_case="chat-v2", gen_ai__agent__name="bot"), trace="a")
    world.span("tracked", usage(1, 1, app__use_case="chat-v2", outlay__feature="search"), trace="b")
    world.span("resource", usage(1, 1), trace="c", resource={"app.use_case": "batch", "app.team": "ops"})
    world.span("root", {"app.team": "core"}, trace="d", scope="app")
    world.span("both", usage(1, 1), parent="root", trace="d", resource={"app.team": "ops"})
    world.span("dropped", usage(1, 1, app__use_case="test-7", gen_ai__agent__name="bot"), trace="e")
    world.span("route", usage(1, 1, http__route="/v1/messages"), trace="f")
    before = {"mapped": "bot", "tracked": "search", "resource": "shop", "both": "shop", "dropped": "bot"}
    assert features(world) == before | {"route": "shop"}
    mapping = parse_attributes(
        {
            "feature": ["app.use_case", "http.route"],
            "team": ["app.team"],
            "rename": {"feature": {"chat-v2": "chat"}},
            "group": {"feature": {"everything else": ["shop"]}, "team": {"platform": ["co*"]}},
            "drop": {"feature": ["test-*"]},
        }
    )
    mapped = Settler(world.store, world.settler.prices, mapping=mapping)
    assert mapped.resettle(world.project, NOON - timedelta(hours=1), NOON + timedelta(hours=1)) == 6
    assert features(world) == {
        "mapped": "chat",
        "tracked": "search",
        "resource": "batch",
        "both": "everything else",
        "dropped": "bot",
        "route": "everything else",
    }
    assert {row["name"]: row["team"] for row in world.calls() if row["team"]} == {"resource": "ops", "both": "platform"}
    mapped.close()
    world.settler.resettle(world.project, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert features(world) == before | {"route": "shop"}
    assert world.settler.mapping is NO_MAPPING


def test_a_cache_s_answer_is_for_what_its_spans_say(world: World) -> None:
    world.span("flow", {"traceloop.workflow.name": "answer"}, scope="traceloop")
    hit = {"outlay.cache.kind": "exact", "outlay.cache.hit": "true", "gen_ai.request.model": "gpt-4o-mini"}
    world.span("hit", hit, parent="flow", scope=OUTLAY)
    assert features(world) == {"hit": "answer"}
    assert [row["feature"] for row in world.lookups()] == ["answer"]
