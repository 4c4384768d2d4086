"""urllib3, and with it requests, botocore (Bedrock) and everything else that stands on it.

`_make_request` runs once per attempt, below urllib3's own retries. The response keeps its class's behavior: it becomes
an instance of a subclass that shows the meter what is read.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from outlay import _safely
from outlay.tracing.propagation import inject
from outlay.wire.begin import begin, wanted
from outlay.wire.decode import make_decoder
from outlay.wire.meter import Header, Meter

_MARK = "__outlay__"


def hook(module: ModuleType) -> None:
    """Patch `urllib3.connectionpool.HTTPConnectionPool`."""
    from importlib.metadata import version

    name = "_make_request" if int(version("urllib3").split(".")[0]) >= 2 else "urlopen"
    pool = module.HTTPConnectionPool
    original = getattr(pool, name)
    if not hasattr(original, _MARK):
        setattr(pool, name, _wrap(original, skip=1 if name == "_make_request" else 0))


def _wrap(original: Any, skip: int) -> Any:
    @functools.wraps(original)
    def make_request(self: Any, *args: Any, **kwargs: Any) -> Any:
        meter = _begin(self, args[skip:], kwargs)
        if meter is None:
            carried = inject()
            if carried and "headers" in kwargs:
                kwargs["headers"] = {**carried, **dict(kwargs["headers"] or {})}
            return original(self, *args, **kwargs)
        if meter.new_body is not None and "body" in kwargs:
            headers = {key: value for key, value in kwargs["headers"].items() if key.lower() != "content-length"}
            kwargs["headers"] = {**headers, "Content-Length": str(len(meter.new_body))}
            kwargs["body"] = meter.new_body
        with meter:
            response = original(self, *args, **kwargs)
        _answered(meter, response)
        return response

    setattr(make_request, _MARK, True)
    return make_request


def _begin(pool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Meter | None:
    try:
        method, url, body, headers = (*args, *(None,) * 4)[:4]
        method = str(method or kwargs.get("method") or "")
        url = str(url or kwargs.get("url") or "")
        path = urlsplit(url).path if "://" in url else url.partition("?")[0]
        if not wanted(method, path):
            return None
        body = body if body is not None else kwargs.get("body")
        headers = headers if headers is not None else kwargs.get("headers")
        return begin(
            method, pool.host, pool.port, path, _header(headers), body if isinstance(body, (bytes, str)) else None
        )
    except Exception:
        _safely.swallow("urllib3 hook")
        return None


def _header(headers: Any) -> Header:
    def get(name: str) -> str | None:
        for key, value in (headers or {}).items():
            key = key.decode() if isinstance(key, bytes) else key
            if isinstance(key, str) and key.lower() == name:
                return value.decode() if isinstance(value, bytes) else str(value)
        return None

    return get


@_safely.safely()
def _answered(meter: Meter, response: Any) -> None:
    meter.answered(response.status, response.headers.get)
    if getattr(response, "_body", None):
        meter.feed(response.data)
        meter.finish()
        return
    decode = make_decoder(response.headers.get("content-encoding"))
    response.__class__ = _tapped(type(response))
    response._outlay = (meter, decode)
    response._outlay_reading = False


_subclasses: dict[type, type] = {}


def _tapped(base: type) -> type:
    """A subclass of the response's class that shows what is read."""
    if base not in _subclasses:
        _subclasses[base] = _make_tapped(base)
    return _subclasses[base]


def _make_tapped(base: Any) -> type:
    class Tapped(base):  # type: ignore[misc]
        _outlay: tuple[Meter, Any]
        _outlay_reading: bool

        def read(self, amt: Any = None, decode_content: Any = None, *args: Any, **kwargs: Any) -> Any:
            if self._outlay_reading:
                return super().read(amt, decode_content, *args, **kwargs)
            meter = self._outlay[0]
            self._outlay_reading = True
            try:
                data = super().read(amt, decode_content, *args, **kwargs)
            except BaseException as error:
                meter.fail(error)
                raise
            finally:
                self._outlay_reading = False
            _show(self, data, decode_content)
            if amt is None or (amt != 0 and not data) or _is_spent(self):
                meter.finish()
            return data

        def read1(self, amt: Any = None, decode_content: Any = None) -> Any:
            data = super().read1(amt, decode_content)
            _show(self, data, decode_content)
            if amt != 0 and not data:
                self._outlay[0].finish()
            return data

        def read_chunked(self, amt: Any = None, decode_content: Any = None) -> Iterator[Any]:
            meter = self._outlay[0]
            chunks = super().read_chunked(amt, decode_content)
            while True:
                self._outlay_reading = True
                try:
                    chunk = next(chunks)
                except StopIteration:
                    break
                except BaseException as error:
                    meter.fail(error)
                    raise
                finally:
                    self._outlay_reading = False
                _show(self, chunk, decode_content)
                yield chunk
            meter.finish()

        def close(self) -> None:
            try:
                super().close()
            finally:
                if not self._outlay_reading:
                    self._outlay[0].close()

    Tapped.__name__ = base.__name__
    Tapped.__qualname__ = base.__qualname__
    Tapped.__module__ = base.__module__
    return Tapped


def _show(response: Any, data: bytes, decode_content: bool | None) -> None:
    meter, decode = response._outlay
    decoded = response.decode_content if decode_content is None else decode_content
    meter.feed(data if decoded else decode(data))


def _is_spent(response: Any) -> bool:
    """Whether nothing can follow: urllib3 stops asking once the connection's side is closed."""
    waiting = getattr(response, "_decoded_buffer", None)
    return bool(response.isclosed()) and not (waiting is not None and len(waiting))
