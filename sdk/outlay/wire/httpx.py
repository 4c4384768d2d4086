"""httpx and httpx2, which is the same API in a package of its own.

`httpx2.alias_httpx()` puts one package under both names: the mark on the patched method keeps it from being hooked
twice. A client that wraps another one (google-genai) calls `send` twice for one request: the inner one sees that the
outer is metering and keeps quiet.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from types import ModuleType
from typing import Any

from outlay import _safely
from outlay.tracing.propagation import inject
from outlay.wire.begin import begin, wanted
from outlay.wire.decode import make_decoder
from outlay.wire.meter import Meter

_MARK = "__outlay__"


def hook(module: ModuleType) -> None:
    """Patch `Client.send` and `AsyncClient.send` of httpx or httpx2."""
    tap = _make_tap(module)
    if not hasattr(module.Client.send, _MARK):
        module.Client.send = _sync(module.Client.send, tap)
    if not hasattr(module.AsyncClient.send, _MARK):
        module.AsyncClient.send = _async(module.AsyncClient.send, tap)


def _sync(original: Any, tap: Any) -> Any:
    @functools.wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        meter, request = _begin(request)
        if meter is None:
            return original(self, request, *args, **kwargs)
        with meter:
            response = original(self, request, *args, **kwargs)
        _answered(meter, response, tap)
        return response

    setattr(send, _MARK, True)
    return send


def _async(original: Any, tap: Any) -> Any:
    @functools.wraps(original)
    async def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        meter, request = _begin(request)
        if meter is None:
            return await original(self, request, *args, **kwargs)
        with meter:
            response = await original(self, request, *args, **kwargs)
        _answered(meter, response, tap)
        return response

    setattr(send, _MARK, True)
    return send


def _begin(request: Any) -> tuple[Meter | None, Any]:
    try:
        url = request.url
        if not wanted(request.method, url.path):
            for name, value in inject().items():
                request.headers.setdefault(name, value)
            return None, request
        body, form = getattr(request, "_content", None), None
        if body is None:
            form = _form(request)
        meter = begin(request.method, url.host, url.port, url.path, request.headers.get, body, form)
        if meter is not None and meter.new_body is not None:
            headers = [(k, v) for k, v in request.headers.multi_items() if k.lower() != "content-length"]
            request = type(request)(
                request.method, url, headers=headers, content=meter.new_body, extensions=request.extensions
            )
        return meter, request
    except Exception:
        _safely.swallow("httpx hook")
        return None, request


def _form(request: Any) -> dict[str, Any] | None:
    """Text fields of a multipart upload."""
    found = {}
    for field in getattr(request.stream, "fields", None) or ():
        name, value = getattr(field, "name", None), getattr(field, "value", None)
        if isinstance(name, (str, bytes)) and isinstance(value, (str, bytes)):
            key = name.decode() if isinstance(name, bytes) else name
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            found[key] = True if text == "true" else text
    return found or None


@_safely.safely()
def _answered(meter: Meter, response: Any, tap: Any) -> None:
    meter.answered(response.status_code, response.headers.get)
    if response.is_stream_consumed or getattr(response, "_content", None) is not None:
        meter.feed(response.content)
        meter.finish()
    else:
        response.stream = tap(response.stream, meter, make_decoder(response.headers.get("content-encoding")))


def _make_tap(module: ModuleType) -> Any:
    """A stream that shows the meter what passes through it."""

    class Tap(module.SyncByteStream, module.AsyncByteStream):  # type: ignore[name-defined, misc]
        def __init__(self, inner: Any, meter: Meter, decode: Any) -> None:
            self._inner = inner
            self._meter = meter
            self._decode = decode

        def __iter__(self) -> Iterator[bytes]:
            feed, decode = self._meter.feed, self._decode
            with self._meter.watch():
                for chunk in self._inner:
                    feed(decode(chunk))
                    yield chunk

        async def __aiter__(self) -> AsyncIterator[bytes]:
            feed, decode = self._meter.feed, self._decode
            with self._meter.watch():
                async for chunk in self._inner:
                    feed(decode(chunk))
                    yield chunk

        def close(self) -> None:
            try:
                self._inner.close()
            finally:
                self._meter.close()

        async def aclose(self) -> None:
            try:
                await self._inner.aclose()
            finally:
                self._meter.close()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    return Tap
