"""The contract with each version of the conventions: whatever it calls who answered and what was used, it is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.reading_world import Sent, read, read_one

from outlay_collector.dialects.model import AGGREGATE, CALL, PLAIN
from outlay_collector.dialects.operations import OPERATIONS
from outlay_collector.settle.facts import Role

DATA = json.loads((Path(__file__).parents[2] / "data" / "conventions.json").read_text(encoding="utf-8"))
VERSIONS: dict[str, dict[str, list[str]]] = DATA["versions"]
SAID: dict[str, tuple[str, str, Any]] = {
    "gen_ai.system": ("openai", "provider", "openai"),
    "gen_ai.provider.name": ("openai", "provider", "openai"),
    "gen_ai.request.model": ("gpt-4o", "request_model", "gpt-4o"),
    "gen_ai.response.model": ("gpt-4o-2024-08-06", "response_model", "gpt-4o-2024-08-06"),
    "gen_ai.response.id": ("resp_1", "response_id", "resp_1"),
    "gen_ai.operation.name": ("chat", "operation", "chat"),
    "gen_ai.openai.request.service_tier": ("flex", "service_tier", "flex"),
    "gen_ai.openai.response.service_tier": ("flex", "service_tier", "flex"),
    "openai.request.service_tier": ("flex", "service_tier", "flex"),
    "openai.response.service_tier": ("flex", "service_tier", "flex"),
    "gen_ai.request.stream": ("true", "streamed", True),
    "gen_ai.response.time_to_first_chunk": ("0.5", "time_to_first_token_ms", 500.0),
    "gen_ai.usage.prompt_tokens": ("1000", "input_tokens", 1000),
    "gen_ai.usage.input_tokens": ("1000", "input_tokens", 1000),
    "gen_ai.usage.completion_tokens": ("100", "output_tokens", 100),
    "gen_ai.usage.output_tokens": ("100", "output_tokens", 100),
    "gen_ai.usage.cache_read.input_tokens": ("600", "cache_read_tokens", 600),
    "gen_ai.usage.cache_creation.input_tokens": ("200", "cache_write_tokens", 200),
    "gen_ai.usage.cache_write.input_tokens": ("200", "cache_write_tokens", 200),
    "gen_ai.usage.reasoning.output_tokens": ("40", "reasoning_tokens", 40),
}
"""By attribute what a span says, the column it is read into, and what stands there."""
SIDES = {"input": "input_tokens", "output": "output_tokens", "cache_read": "cache_read.input_tokens"}
UNITS = {
    f"gen_ai.usage.{kind}.{name}": f"{side}_{kind}_tokens"
    for kind in ("audio", "image", "video")
    for side, name in SIDES.items()
}
"""Parts by kind: the count in `other_usage`."""
TEXT = {f"gen_ai.usage.text.{name}" for name in SIDES.values()}
COUNTED = {"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "100", "gen_ai.request.model": "gpt-4o"}
ROLES = {
    **dict.fromkeys(("chat", "text_completion", "embeddings", "generate_content"), CALL),
    **dict.fromkeys(("create_agent", "invoke_agent", "invoke_workflow", "execute_tool"), AGGREGATE),
    **dict.fromkeys(("retrieval", "plan", "search_memory", "update_memory"), AGGREGATE),
    "fetch_response": PLAIN,
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_span_in_the_words_of_a_version_is_read_whole(version: str) -> None:
    names = VERSIONS[version]["names"]
    assert set(names) <= SAID.keys() | UNITS.keys() | TEXT, "what a new version says has to be read"
    row = read_one({name: SAID[name][0] for name in names if name in SAID}, scope="any.library")
    assert row["role"] == Role.CALL
    wrong = {name: row[SAID[name][1]] for name in names if name in SAID and row[SAID[name][1]] != SAID[name][2]}
    assert not wrong


@pytest.mark.parametrize("version", VERSIONS)
def test_each_word_of_a_version_is_read_alone(version: str) -> None:
    """A library says some of it: no word leans on another that is usually beside it."""
    names = [name for name in VERSIONS[version]["names"] if name not in TEXT and name != "gen_ai.request.model"]
    other = {column: name for name, (_, column, _) in SAID.items() if name in COUNTED}
    spans = []
    for name in names:
        column = SAID[name][1] if name in SAID else ""
        beside = {key: value for key, value in COUNTED.items() if key != other.get(column)}
        spans.append(Sent(beside | {name: SAID[name][0] if name in SAID else "50"}, scope="any.library"))
    for name, row in zip(names, read(*spans), strict=True):
        if name in UNITS:
            assert dict(row["other_usage"]) == {UNITS[name]: 50}, name
        else:
            assert row[SAID[name][1]] == SAID[name][2], name


@pytest.mark.parametrize("version", VERSIONS)
def test_every_operation_of_a_version_has_its_role(version: str) -> None:
    for operation in VERSIONS[version]["operations"]:
        assert OPERATIONS[operation][0] == ROLES[operation]
