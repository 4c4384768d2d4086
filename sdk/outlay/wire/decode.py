"""Content-Encoding, undone beside the application's own decoding, which stays as it is."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

Decode = Callable[[bytes], bytes]


def _plain(chunk: bytes) -> bytes:
    return chunk


def _unknown(chunk: bytes) -> bytes:
    return b""


def make_decoder(encoding: str | None) -> Decode:
    """A function from encoded to decoded pieces; yields nothing for encodings that cannot be undone here."""
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        return _plain
    inflate: Any
    try:
        if name in ("gzip", "x-gzip"):
            inflate = zlib.decompressobj(31).decompress
        elif name == "deflate":
            inflate = _deflate()
        elif name == "br":
            try:
                import brotli  # type: ignore[import-not-found, unused-ignore]
            except ImportError:
                import brotlicffi as brotli  # type: ignore[import-not-found, unused-ignore]
            inflate = brotli.Decompressor().process
        elif name == "zstd":
            inflate = _zstd()
        else:
            return _unknown
    except ImportError:
        return _unknown

    def decode(chunk: bytes) -> bytes:
        try:
            return inflate(chunk)  # type: ignore[no-any-return]
        except Exception:
            return b""

    return decode


def _zstd() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        try:
            from backports import zstd  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except ImportError:
            import zstandard  # type: ignore[import-not-found, unused-ignore]

            return zstandard.ZstdDecompressor().decompressobj().decompress
    return zstd.ZstdDecompressor().decompress


def _deflate() -> Decode:
    state: list[Any] = []

    def inflate(chunk: bytes) -> bytes:
        if not state:
            for bits in (zlib.MAX_WBITS, -zlib.MAX_WBITS):
                attempt = zlib.decompressobj(bits)
                try:
                    first: bytes = attempt.decompress(chunk)
                except zlib.error:
                    continue
                state.append(attempt)
                return first
        decoded: bytes = state[0].decompress(chunk)
        return decoded

    return inflate
