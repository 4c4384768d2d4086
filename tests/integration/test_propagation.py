"""Features over HTTP: off unless asked for, never to a model's provider, and taken up by the service behind."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from tests.fake_provider import FakeProvider

import outlay
from outlay.testing import capture

TAGS: Any = {"feature": "search", "user": "u 1", "plan": "pro,max"}


def post(library: str, url: str) -> None:
    if library == "httpx":
        httpx.post(url, json={})
    elif library == "requests":
        requests.post(url, json={}, timeout=60)
    else:

        async def main() -> None:
            async with aiohttp.ClientSession() as session, session.post(url, json={}) as response:
                await response.read()

        asyncio.run(main())


@pytest.mark.parametrize("library", ["httpx", "requests", "aiohttp"])
def test_the_service_behind_continues_the_trace_with_its_tags(library: str) -> None:
    with FakeProvider() as provider, capture(propagate=True) as sent:
        with outlay.track(**TAGS) as frame:
            post(library, provider.url + "/my/own/service")
        headers = provider.requests[0].headers
        with outlay.extract(headers):
            outlay.record(model="m", provider="p")
        (call,) = sent.calls
    assert call.trace_id == frame.call.trace_id
    assert call.parent_span_id == frame.call.span_id
    assert call.attributes["outlay.feature"] == "search"
    assert call.attributes["user.id"] == "u 1"
    assert call.attributes["outlay.tag.plan"] == "pro,max"


def test_headers_of_the_applications_own_stay_as_they_are() -> None:
    async def main() -> None:
        own = [("X-Id", "1"), ("X-Id", "2"), ("Traceparent", "mine")]
        async with aiohttp.ClientSession() as session, session.post(provider.url, headers=own, json={}) as response:
            seen.extend(response.request_info.headers.getall("X-Id"))
            seen.extend(response.request_info.headers.getall("traceparent"))
            assert "baggage" in response.request_info.headers

    seen: list[str] = []
    with FakeProvider() as provider, capture(propagate=True), outlay.track(**TAGS):
        asyncio.run(main())
    assert seen == ["1", "2", "mine"]


@pytest.mark.parametrize("library", ["httpx", "requests", "aiohttp"])
def test_nothing_is_sent_unless_asked_for(library: str) -> None:
    with FakeProvider() as provider, capture(), outlay.track(**TAGS):
        post(library, provider.url + "/my/own/service")
        assert not {"traceparent", "baggage"} & set(provider.requests[0].headers)


def test_providers_do_not_learn_the_tags() -> None:
    with FakeProvider() as provider, capture(propagate=True), outlay.track(**TAGS):
        httpx.post(provider.url + "/v1/chat/completions", json={"model": "m"})
        assert not {"traceparent", "baggage"} & set(provider.requests[0].headers)


@pytest.mark.parametrize(
    "headers", [{}, {"traceparent": "junk", "baggage": "=,;;=%%%"}, {"baggage": "other=1,user.password=x"}]
)
def test_strange_headers_change_nothing(headers: dict[str, str]) -> None:
    with capture() as sent, outlay.extract(headers):
        outlay.record(model="m", provider="p")
        assert sent.calls[0].parent_span_id == ""
        assert not any("password" in key for key in sent.calls[0].attributes)
