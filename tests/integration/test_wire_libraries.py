"""The HTTP libraries below the clients: what is packed, what is no model call, and libraries that are imported late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import pytest
from tests.fake_provider import FakeProvider

from outlay import semconv
from outlay.testing import Capture


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_compressed_answers_reach_the_application_and_the_span(sent: Capture, library: Any, encoding: str) -> None:
    import gzip
    import zlib

    body = json.dumps({"model": "m", "usage": {"prompt_tokens": 5, "completion_tokens": 6}}).encode()
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "identity": body}[encoding]
    headers = {"content-type": "application/json", "content-encoding": encoding}
    transport = library.MockTransport(lambda request: library.Response(200, headers=headers, stream=Pieces(packed)))

    class Pieces(library.SyncByteStream):  # type: ignore[misc]
        def __init__(self, data: bytes) -> None:
            self.data = data

        def __iter__(self) -> Iterator[bytes]:
            yield from (self.data[at : at + 5] for at in range(0, len(self.data), 5))

    with (
        library.Client(transport=transport) as client,
        client.stream("POST", "http://x/v1/chat/completions", json={"model": "m"}) as response,
    ):
        assert json.loads(response.read())["model"] == "m"
    (span,) = sent.calls
    assert (span.attributes[semconv.INPUT_TOKENS], span.attributes[semconv.OUTPUT_TOKENS]) == (5, 6)


def test_other_requests_pass_untouched(sent: Capture) -> None:
    seen = []

    def answer(request: Any) -> Any:
        seen.append(request.url.path)
        return httpx.Response(200, json={"usage": {"prompt_tokens": 1}})

    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        client.get("http://x/v1/chat/completions")
        client.post("http://x/api/orders", json={"model": "m"})
        client.post("http://x/threads/1/messages", json={"role": "user", "content": "hi"})
        client.post("http://x/api/chat", json={"text": "a chat of my own"})
        client.post("http://x/v1/messages/count_tokens", json={"model": "m", "messages": []})
    assert len(seen) == 5
    assert sent.calls == []


def test_aliased_packages_count_once(provider: FakeProvider) -> None:
    import subprocess
    import sys

    code = f"""
import httpx2
httpx2.alias_httpx()
import httpx, openai, outlay
from outlay.testing import capture
assert httpx.Client is httpx2.Client
with capture() as sent:
    openai.OpenAI(base_url="{provider.url}/v1", api_key="k").chat.completions.create(model="m", messages=[])
    httpx.post("{provider.url}/v1/chat/completions", json={{"model": "m"}})
    assert len(sent.calls) == 2, sent.calls
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=_env())
    assert done.returncode == 0, done.stderr


def test_libraries_imported_after_init_are_hooked(provider: FakeProvider) -> None:
    import subprocess
    import sys

    code = f"""
import outlay
from outlay.testing import capture
import sys
with capture() as sent:
    assert "httpx" not in sys.modules and "aiohttp" not in sys.modules
    import httpx, requests, aiohttp, asyncio, urllib3
    url = "{provider.url}/v1/chat/completions"
    httpx.post(url, json={{"model": "m"}})
    requests.post(url, json={{"model": "m"}})
    urllib3.PoolManager().request("POST", url, json={{"model": "m"}})
    async def main():
        async with aiohttp.ClientSession() as session:
            async with session.post(url, json={{"model": "m"}}) as response:
                await response.json()
    asyncio.run(main())
    assert [c.attributes["gen_ai.usage.output_tokens"] for c in sent.calls] == [10] * 4, sent.calls
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=_env())
    assert done.returncode == 0, done.stderr


def _env() -> dict[str, str]:
    import os
    import sys

    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
