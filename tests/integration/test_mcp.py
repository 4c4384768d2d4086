"""`outlay mcp`, asked by the protocol's own client over stdio and HTTP: its answers are the API's, it only reads."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from tests.outlay_process import PATIENCE_S, Server, environment, outlay
from tests.waiting import until
from tests.web_server import llm_span

TRACE = f"{7:032x}"
ADMIN = "an-administrators-key"
START, END = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}" for days in (-6, 1))
FIXED = {"start": START, "end": END}
WINDOW = f"start={START}&end={END}"
# Tool, what it is given, and the question of the API that it is.
QUESTIONS: list[tuple[str, dict[str, Any], str]] = [
    ("spend", {**FIXED, "group_by": "feature"}, f"/spend?{WINDOW}&group_by=feature&interval=total"),
    (
        "spend",
        {**FIXED, "compare": True, "filters": {"feature": ["chat", "search"]}},
        f"/spend?{WINDOW}&interval=total&compare=previous&feature=chat&feature=search",
    ),
    ("top_spenders", {**FIXED, "by": "feature", "limit": 1}, f"/spend?{WINDOW}&group_by=feature&limit=1"),
    ("explain", {**FIXED, "by": "model"}, f"/explain?{WINDOW}&by=model"),
    ("what_changed", {"since": START}, f"/explain?start={START}&end=now"),
    ("budgets", {}, "/budgets"),
    ("forecast", {"horizon": "7d", "budget_usd": "5"}, "/forecast?horizon=7d&budget_usd=5"),
    ("trace", {"trace_id": TRACE}, f"/traces/{TRACE}"),
]


@dataclass
class World:
    home: Path
    url: str
    key: str
    other_key: str

    def api(self, path: str) -> Any:
        asked = urllib.request.Request(f"{self.url}/api/v1{path}", headers={"authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def environment(self, **more: str) -> dict[str, str]:
        return environment(self.home, OUTLAY_URL=self.url, **more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server that asks for keys, with two days of calls in the project `shop`."""
    home = tmp_path_factory.mktemp("home")
    server = Server(home, OUTLAY_KEYS="on", OUTLAY_BOOTSTRAP_KEY=ADMIN)
    made = [
        outlay(home, "keys", "create", "--project", name, OUTLAY_API_KEY=ADMIN, OUTLAY_URL=server.url).stdout.strip()
        for name in ("shop", "empty")
    ]
    spans = [
        llm_span(7, n, ago_s=86_400 * (n % 2) + 4000, outlay__feature=("chat", "search")[n > 3]) for n in range(1, 7)
    ]
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    headers = {"authorization": f"Bearer {made[0]}", "content-type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(server.url + "/v1/traces", body, headers), timeout=PATIENCE_S).close()
    found = World(home, server.url, *made)
    until(lambda: found.api("/spend?start=-30d")["total"]["calls"] == 6, "6 calls")
    yield found
    server.close()


@pytest.fixture(scope="module")
def over_http(world: World) -> Iterator[str]:
    """`outlay mcp --http`, with no key of its own, where the administrator's is known."""
    with serving_http(world.environment(OUTLAY_BOOTSTRAP_KEY=ADMIN)) as url:
        yield url


@contextmanager
def serving_http(environ: dict[str, str], *words: str) -> Iterator[str]:
    """`outlay mcp --http`, and where it answers."""
    command = [sys.executable, "-m", "outlay_web", "mcp", "--http", "--port", "0", *words]
    process = subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        yield process.stderr.readline().split("mcp: ")[1].strip().replace("0.0.0.0", "127.0.0.1")
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        process.stderr.close()


def by_stdio(world: World, ask: Callable[[Client], Awaitable[Any]], **more: str) -> Any:
    async def run() -> Any:
        where = world.environment(**more)
        server = StdioServerParameters(command=sys.executable, args=["-m", "outlay_web", "mcp"], env=where)
        async with Client(server) as client:
            return await ask(client)

    return asyncio.run(run())


def by_http(url: str, key: str, ask: Callable[[Client], Awaitable[Any]], scheme: str = "Bearer") -> Any:
    async def run() -> Any:
        headers = {"authorization": f"{scheme} {key}"} if key else {}
        http = httpx2.AsyncClient(headers=headers, timeout=PATIENCE_S)
        async with http, Client(streamable_http_client(url, http_client=http)) as client:
            return await ask(client)

    return asyncio.run(run())


async def every_question(client: Client) -> list[CallToolResult]:
    return [await client.call_tool(name, given) for name, given, _ in QUESTIONS]


def timeless(name: str, answer: Any) -> Any:
    """An answer; of a question up to now only what does not follow the clock."""
    return (
        [answer["change_usd"], answer["cells"]]
        if name == "what_changed"
        else (answer["backtest"] if name == "forecast" else answer)
    )


def test_answers_by_stdio_are_the_api_s(world: World) -> None:
    results = by_stdio(world, every_question, OUTLAY_API_KEY=world.key)
    for (name, _, path), result in zip(QUESTIONS, results, strict=True):
        assert not result.is_error, (name, result.content)
        assert timeless(name, result.structured_content) == timeless(name, world.api(path)), name
        assert json.loads(result.content[0].text) == result.structured_content
    assert results[0].structured_content["total"]["calls"] == 6
    assert [row.get("remainder") for row in results[2].structured_content["rows"]] == [None, True]


def test_answers_over_http_are_those_of_the_caller_s_project(world: World, over_http: str) -> None:
    async def two(client: Client) -> list[CallToolResult]:
        return [await client.call_tool(name, given) for name, given, _ in (QUESTIONS[0], QUESTIONS[-1])]

    own, empty = (by_http(over_http, key, two) for key in (world.key, world.other_key))
    assert [one.structured_content for one in own] == [world.api(QUESTIONS[n][2]) for n in (0, -1)]
    assert empty[0].structured_content["total"]["calls"] == 0
    assert empty[1].is_error
    assert "no trace" in empty[1].content[0].text.lower()


def test_without_a_key_or_with_a_wrong_question_the_caller_is_told(world: World, over_http: str) -> None:
    async def wrong(client: Client) -> list[CallToolResult]:
        return [
            await client.call_tool("spend", {"group_by": "featur"}),
            await client.call_tool("spend", {"start": "yesterday"}),
            await client.call_tool("trace", {"trace_id": "../status"}),
            await client.call_tool("budgets", {}),
        ]

    with_key, without = by_http(over_http, world.key, wrong), by_http(over_http, "", wrong)
    assert [result.is_error for result in with_key] == [True, True, True, False]
    assert ["featur" in with_key[0].content[0].text, "yesterday" in with_key[1].content[0].text] == [True, True]
    assert all(result.is_error for result in without)
    assert "key" in without[-1].content[0].text


async def budgets(client: Client) -> CallToolResult:
    return await client.call_tool("budgets", {})


def test_a_wrong_key_or_another_scheme_is_refused(world: World, over_http: str) -> None:
    for key, scheme, why in (("wrong", "Bearer", "not known"), (world.key, "Basic", "Bearer KEY"), (".", "Bearer", "")):
        refused = by_http(over_http, key, budgets, scheme)
        assert (refused.is_error, why in refused.content[0].text) == (True, True), (key, scheme, refused.content)


def test_beyond_loopback_nobody_is_answered_once_the_server_behind_it_has_stopped(tmp_path: Path) -> None:
    server = Server(tmp_path, OUTLAY_KEYS="on", OUTLAY_BOOTSTRAP_KEY=ADMIN)
    try:
        made = outlay(tmp_path, "keys", "create", "--project", "shop", OUTLAY_API_KEY=ADMIN, OUTLAY_URL=server.url)
        key = made.stdout.strip()
        with serving_http(environment(tmp_path), "--host", "0.0.0.0") as url:
            assert not by_http(url, key, budgets).is_error
            server.stop()
            for one in (key, "wrong"):
                refused = by_http(url, one, budgets)
                assert (refused.is_error, "no server" in refused.content[0].text) == (True, True), refused.content
    finally:
        server.close()


def test_every_tool_says_that_it_only_reads(world: World, over_http: str) -> None:
    async def tools(client: Client) -> Any:
        return (await client.list_tools()).tools

    found = by_http(over_http, world.key, tools)
    assert {tool.name for tool in found} == {name for name, _, _ in QUESTIONS}
    assert all(tool.annotations.read_only_hint and tool.description for tool in found)


def test_an_address_that_others_reach_needs_a_server_that_asks_for_keys(world: World, tmp_path: Path) -> None:
    open_to_all = outlay(tmp_path, "mcp", "--http", "--port", "0", "--host", "0.0.0.0")
    assert (open_to_all.returncode, "asks for keys" in open_to_all.stderr) == (2, True), open_to_all.stderr


def test_where_no_server_runs_the_store_is_opened_for_each_question(world: World, tmp_path: Path) -> None:
    recording = tmp_path / "a.json"
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [llm_span(7, 1, outlay__feature="chat")]}]}]}
    recording.write_text(json.dumps(body))
    assert outlay(tmp_path, "ingest", str(recording)).returncode == 0

    async def twice(client: Client) -> list[CallToolResult]:
        return [await client.call_tool("spend", {}) for _ in range(2)]

    alone = World(tmp_path, "", "", "")
    results = by_stdio(alone, twice)
    assert [result.structured_content["total"]["calls"] for result in results] == [1, 1]
