"""`outlay mcp`, asked by the protocol's own client over stdio and HTTP: its answers are the API's, it only reads."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent
from tests import warm_python
from tests.outlay_process import PATIENCE_S, Server, environment, outlay
from tests.waiting import until
from tests.web_server import llm_span

from outlay_web.cli.mcp import _answerer
from outlay_web.cli.mcp_tools import serve_tools

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

    def body(self, path: str) -> bytes:
        asked = urllib.request.Request(f"{self.url}/api/v1{path}", headers={"authorization": f"Bearer {self.key}"})
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
            return bytes(answer.read())

    def api(self, path: str) -> Any:
        return json.loads(self.body(path))

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
    said, says = os.pipe()
    program = warm_python.start(["outlay_web", "mcp", "--http", "--port", "0", *words], environ, says, says)
    os.close(says)
    with open(said) as stderr:
        try:
            yield stderr.readline().split("mcp: ")[1].strip().replace("0.0.0.0", "127.0.0.1")
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(PATIENCE_S)


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


# Tool, what it is given, and what the refusal says.
WRONG: list[tuple[str, dict[str, Any], list[str]]] = [
    ("spend", {"group_by": "featur"}, ["featur", "feature"]),
    ("spend", {"start": "yesterday"}, ["start", "yesterday"]),
    ("spend", {"start": "now", "end": "-7d"}, ["start", "end"]),
    ("spend", {"interval": "fortnight"}, ["interval", "fortnight"]),
    ("spend", {"filters": {"featur": ["chat"]}}, ["featur"]),
    ("spend", {"filters": {"feature": "chat"}}, ["filters", "list"]),
    ("spend", {"project": "empty"}, ["another project"]),
    ("spend", {"group": "feature"}, ["group", "group_by"]),
    ("top_spenders", {"limit": 0}, ["limit", "greater than or equal to 1"]),
    ("top_spenders", {"limit": "many"}, ["limit", "integer"]),
    ("explain", {"by": "color"}, ["color"]),
    ("explain", {"base_start": "-7d"}, ["base_end"]),
    ("what_changed", {"since": "now"}, ["empty"]),
    ("forecast", {"horizon": "-3d"}, ["horizon", "-3d"]),
    ("forecast", {"budget_usd": "much"}, ["budget_usd", "much"]),
    ("trace", {}, ["trace_id", "required"]),
    ("trace", {"trace_id": "../status"}, ["trace_id", "pattern"]),
    ("trace", {"trace_id": f"{8:032x}"}, ["no trace"]),
    ("spends", {}, ["spends"]),
]


async def every_question(client: Client) -> list[CallToolResult]:
    return [await client.call_tool(name, given) for name, given, _ in QUESTIONS]


async def every_wrong_one(client: Client) -> list[tuple[bool, str]]:
    results = [await client.call_tool(name, given) for name, given, _ in WRONG]
    return [(result.is_error, told(result)) for result in results]


async def both(client: Client) -> tuple[list[CallToolResult], list[tuple[bool, str]]]:
    return await every_question(client), await every_wrong_one(client)


def to_the_digit(body: str | bytes) -> Any:
    """An answer with its numbers as they are written, and without the moment it was given."""
    found = json.loads(body, parse_float=str, parse_int=str)
    found.pop("as_of", None)
    return found


def are_the_api_s(world: World, ask: Callable[[], list[CallToolResult]]) -> list[CallToolResult]:
    """Every tool's answer is the API's, as it was just before or is just after: some windows end now."""
    before = [to_the_digit(world.body(path)) for _, _, path in QUESTIONS]
    results = ask()
    after = [to_the_digit(world.body(path)) for _, _, path in QUESTIONS]
    for (name, _, _), result, *around in zip(QUESTIONS, results, before, after, strict=True):
        assert not result.is_error, (name, result.content)
        text = told(result)
        assert to_the_digit(text) in around, name
        assert json.loads(text) == result.structured_content
    return results


def told(result: CallToolResult) -> str:
    content = result.content[0]
    assert isinstance(content, TextContent)
    return content.text


def are_told(wrong: list[tuple[bool, str]]) -> None:
    unclear = [
        (name, given, said)
        for (name, given, why), (is_error, said) in zip(WRONG, wrong, strict=True)
        if not is_error or any(word.lower() not in said.lower() for word in why) or "http" in said or "\n" in said
    ]
    assert not unclear


def test_answers_by_stdio_are_the_api_s_and_wrong_questions_are_told(world: World) -> None:
    wrong: list[tuple[bool, str]] = []

    def ask() -> list[CallToolResult]:
        results, refused = by_stdio(world, both, OUTLAY_API_KEY=world.key)
        wrong.extend(refused)
        return results  # type: ignore[no-any-return]

    results = are_the_api_s(world, ask)
    assert results[0].structured_content["total"]["calls"] == 6
    assert [row.get("remainder") for row in results[2].structured_content["rows"]] == [None, True]
    are_told(wrong)


def test_answers_over_http_are_the_api_s_for_the_caller_s_project_alone(world: World, over_http: str) -> None:
    are_the_api_s(world, lambda: by_http(over_http, world.key, every_question))
    are_told(by_http(over_http, world.key, every_wrong_one))
    for (name, _, _), empty in zip(QUESTIONS, by_http(over_http, world.other_key, every_question), strict=True):
        said = told(empty)
        assert TRACE[-8:] not in said or empty.is_error, name
        assert "gpt" not in said, (name, said)
        if name == "trace":
            assert (empty.is_error, "no trace" in said.lower()) == (True, True)
        elif name in ("spend", "top_spenders"):
            assert empty.structured_content["total"]["calls"] == 0


def test_without_a_key_nobody_is_answered(over_http: str) -> None:
    for (name, _, _), result in zip(QUESTIONS, by_http(over_http, "", every_question), strict=True):
        assert (result.is_error, "key" in told(result)) == (True, True), name


async def budgets(client: Client) -> CallToolResult:
    return await client.call_tool("budgets", {})


def test_a_wrong_key_or_another_scheme_is_refused(world: World, over_http: str) -> None:
    for key, scheme, why in (("wrong", "Bearer", "not known"), (world.key, "Basic", "Bearer KEY"), (".", "Bearer", "")):
        refused = by_http(over_http, key, budgets, scheme)
        assert (refused.is_error, why in told(refused)) == (True, True), (key, scheme, refused.content)


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
                assert (refused.is_error, "no server" in told(refused)) == (True, True), refused.content
    finally:
        server.close()


def test_every_tool_says_that_it_only_reads_and_asks_with_get_alone() -> None:
    asked: list[tuple[str, str]] = []

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.command, self.path.partition("?")[0]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Api) as api:
        threading.Thread(target=api.serve_forever).start()
        flags = {"url": f"http://127.0.0.1:{api.server_port}"}
        server = serve_tools(_answerer(flags, None, http=False, needs_key=False), "1")

        async def all_of_it() -> Any:
            async with Client(server) as client:
                await every_question(client)
                return (await client.list_tools()).tools

        tools = asyncio.run(all_of_it())
        api.shutdown()
    assert {tool.name for tool in tools} == {name for name, _, _ in QUESTIONS}
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    assert asked == [("GET", f"/api/v1{path.partition('?')[0]}") for _, _, path in QUESTIONS]


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

    with serving_http(environment(tmp_path)) as url:
        results: list[CallToolResult] = by_http(url, "", twice)
    assert [json.loads(told(result))["total"]["calls"] for result in results] == [1, 1]
