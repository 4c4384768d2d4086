"""Undo a body's compression with a cap on what comes out, so that a small body cannot become a big one."""

from __future__ import annotations

from isal import isal_zlib
from isal.igzip_lib import IsalError

from outlay.errors import DecodeError

MAX_BODY_BYTES = 20 << 20
ENCODINGS = {"gzip": 31, "deflate": 15}


class TooLarge(DecodeError):
    """The body is over the limit, as sent or after inflating."""


def unpack(body: bytes, encoding: str, limit: int = MAX_BODY_BYTES) -> bytes:
    """The body without its `Content-Encoding` (`identity`, `gzip` or `deflate`).

    Raises:
        TooLarge: If more than `limit` bytes would come out; at most that many are made.
        DecodeError: If it is damaged or cut short.
    """
    if encoding == "identity":
        return body
    out: list[bytes] = []
    size, rest = 0, body
    while rest or not out:
        decoder = isal_zlib.decompressobj(wbits=_window(rest, encoding))
        try:
            while True:
                piece = decoder.decompress(rest, limit + 1 - size)
                out.append(piece)
                size += len(piece)
                if size > limit:
                    raise TooLarge(f"the body is over {limit >> 20} MiB after inflating")
                rest = decoder.unconsumed_tail
                if decoder.eof or not rest:
                    break
        except IsalError as exc:  # type: ignore[misc]  # the stub calls it a value
            raise DecodeError(f"the body is not valid {encoding}: {exc}") from exc
        if not decoder.eof:
            raise DecodeError(f"the {encoding} body is cut short")
        rest = decoder.unused_data
        if encoding == "deflate" and rest:
            raise DecodeError("bytes follow the end of the deflate body")
    return b"".join(out) if len(out) != 1 else out[0]


def _window(body: bytes, encoding: str) -> int:
    """zlib's window bits; `deflate` is zlib's format by the standard, raw deflate from some senders."""
    if encoding == "deflate" and (len(body) < 2 or body[0] & 15 != 8 or int.from_bytes(body[:2], "big") % 31):
        return -15
    return ENCODINGS[encoding]
