"""aiohttp: google-genai's async client, litellm's async providers, aiobotocore.

`ClientSession._request` is what every verb calls. The response's `content` is replaced by a reader that shows the
meter what the application reads.
"""

from __future__ import annotations

import functools
import json as json_module
from collections.abc import Awaitable, Mapping
from types import ModuleType
from typing import Any

from outlay import _safely
from outlay.tracing.propagation import inject
from outlay.wire.begin import begin, wanted
from outlay.wire.decode import make_decoder
from outlay.wire.meter import Meter
from outlay.wire.urllib3 import _header

_MARK = "__outlay__"
_SET = ("content-type", "content-length")


def hook(module: ModuleType) -> None:
    """Patch `ClientSession` and `ClientResponse`."""
    session, response = module.ClientSession, module.ClientResponse
    if not hasattr(session._request, _MARK):
        session._request = _request(session._request, module)
        for name in ("close", "release"):
            setattr(response, name, _closing(getattr(response, name)))


def _request(original: Any, module: ModuleType) -> Any:
    @functools.wraps(original)
    async def request(self: Any, method: str, str_or_url: Any, **kwargs: Any) -> Any:
        meter = _begin(self, method, str_or_url, kwargs)
        if meter is None:
            carried = inject()
            if carried:
                own = _pairs(kwargs.get("headers"))
                for name, _ in own:
                    carried.pop(name.lower(), None)
                kwargs["headers"] = [*carried.items(), *own]
            return await original(self, method, str_or_url, **kwargs)
        if meter.new_body is not None:
            headers = _pairs(kwargs.get("headers"), without=_SET)
            kwargs["headers"] = [*headers, ("Content-Type", "application/json")]
            kwargs.pop("json", None)
            kwargs["data"] = meter.new_body
        with meter:
            response = await original(self, method, str_or_url, **kwargs)
        _answered(meter, response, module, self, kwargs)
        return response

    setattr(request, _MARK, True)
    return request


def _pairs(headers: Any, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Names and values; a name may come twice."""
    pairs = headers.items() if hasattr(headers, "items") else headers or ()
    return [(name, value) for name, value in pairs if name.lower() not in without]


def _begin(session: Any, method: str, str_or_url: Any, kwargs: Mapping[str, Any]) -> Meter | None:
    try:
        if not wanted(method.upper(), str(str_or_url).partition("?")[0]):
            return None
        url = session._build_url(str_or_url)
        body, form = _body(kwargs)
        headers = {**dict(session.headers or {}), **dict(kwargs.get("headers") or {})}
        return begin(method.upper(), url.host or "", url.port, url.path, _header(headers), body, form)
    except Exception:
        _safely.swallow("aiohttp hook")
        return None


def _body(kwargs: Mapping[str, Any]) -> tuple[bytes | str | None, dict[str, Any] | None]:
    if kwargs.get("json") is not None:
        return json_module.dumps(kwargs["json"], default=str), None
    data = kwargs.get("data")
    value = getattr(data, "_value", data)  # a Payload holds its bytes
    if isinstance(value, (bytes, str)):
        return value, None
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value), None
    fields = getattr(data, "_fields", None)  # FormData
    if isinstance(fields, list):
        found = {}
        for entry in fields:
            name = entry[0].get("name") if len(entry) == 3 else None
            if name and isinstance(entry[2], str):
                found[str(name)] = True if entry[2] == "true" else entry[2]
        return None, found or None
    return None, None


@_safely.safely()
def _answered(meter: Meter, response: Any, module: ModuleType, session: Any, kwargs: Mapping[str, Any]) -> None:
    meter.answered(response.status, response.headers.get)
    body = getattr(response, "_body", None)
    if body is not None:
        meter.feed(body)
        meter.finish()
        return
    inflated = kwargs.get("auto_decompress")
    if inflated is None:
        inflated = session.auto_decompress
    decode = make_decoder(None if inflated else response.headers.get("content-encoding"))
    response.content = TappedReader(response.content, meter, decode, module)


def _closing(original: Any) -> Any:
    @functools.wraps(original)
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            content = getattr(self, "content", None)
            if type(content) is TappedReader:
                content.meter.close()

    return close


class TappedReader:
    """Reads from the real reader and shows what was read."""

    def __init__(self, inner: Any, meter: Meter, decode: Any, module: ModuleType) -> None:
        self._inner = inner
        self.meter = meter
        self._decode = decode
        self._streams = module.streams

    def _show(self, data: bytes) -> bytes:
        self.meter.feed(self._decode(data))
        if self._inner.at_eof():
            self.meter.finish()
        return data

    async def _read(self, reading: Awaitable[bytes]) -> bytes:
        try:
            data = await reading
        except BaseException as error:
            self.meter.fail(error)
            raise
        return self._show(data)

    async def read(self, n: int = -1) -> bytes:
        """As the real reader's."""
        return await self._read(self._inner.read(n))

    async def readany(self) -> bytes:
        """As the real reader's."""
        return await self._read(self._inner.readany())

    async def readline(self, **kwargs: Any) -> bytes:
        """As the real reader's."""
        return await self._read(self._inner.readline(**kwargs))

    async def readuntil(self, *args: Any, **kwargs: Any) -> bytes:
        """As the real reader's."""
        return await self._read(self._inner.readuntil(*args, **kwargs))

    async def readexactly(self, n: int) -> bytes:
        """As the real reader's."""
        return await self._read(self._inner.readexactly(n))

    async def readchunk(self) -> tuple[bytes, bool]:
        """As the real reader's."""
        try:
            data, end = await self._inner.readchunk()
        except BaseException as error:
            self.meter.fail(error)
            raise
        return self._show(data), end

    def read_nowait(self, n: int = -1) -> bytes:
        """As the real reader's."""
        return self._show(self._inner.read_nowait(n))

    def __aiter__(self) -> Any:
        return self._streams.AsyncStreamIterator(self.readline)

    def iter_any(self) -> Any:
        """As the real reader's."""
        return self._streams.AsyncStreamIterator(self.readany)

    def iter_chunked(self, n: int) -> Any:
        """As the real reader's."""
        return self._streams.AsyncStreamIterator(lambda: self.read(n))

    def iter_chunks(self) -> Any:
        """As the real reader's."""
        return self._streams.ChunkTupleAsyncStreamIterator(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
