"""Forms are read as browsers send them, and refused when they cannot be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from outlay_web.http.forms import Upload, read_form, read_upload

MULTIPART = "multipart/form-data; boundary=----X"


def read(how: Callable[[Request], Awaitable[Any]], kind: str, body: bytes) -> Any:
    """What `how` makes of a body that arrives in pieces of seven bytes."""
    pieces = [body[k : k + 7] for k in range(0, len(body), 7)] or [b""]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    scope = {"type": "http", "headers": [(b"content-type", kind.encode())], "app": None}
    return anyio.run(how, Request(scope, receive))


def part(disposition: str, content: bytes) -> bytes:
    return b"------X\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"


def test_a_file_is_taken_byte_by_byte_with_the_fields_around_it() -> None:
    content = b"a,b\r\n\r\n------Y\r\n\x00\xff--X--\r\n"
    file = part('name="file"; filename="Rechnung \u2116 1; \\"neu\\".csv"', content)
    body = part('name="bill"', b"1") + file + part('name="note"', b"x") + b"------X--\r\n"
    assert read(read_upload, MULTIPART, body) == Upload('Rechnung \u2116 1; "neu".csv', content)


def test_a_field_that_only_holds_a_file_inside_is_none() -> None:
    inside = b'Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nx'
    with pytest.raises(HTTPException, match="no file in its field 'file'"):
        read(read_upload, MULTIPART, part('name="other"', inside) + b"------X--\r\n")


def test_nothing_chosen_is_an_empty_file() -> None:
    body = part('name="file"; filename=""', b"") + b"------X--\r\n"
    assert read(read_upload, MULTIPART, body) == Upload("", b"")


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/csv", b"x", 415),
        ("application/x-www-form-urlencoded", b"file=x", 415),
        ("multipart/form-data", b"x", 400),
        (MULTIPART, b"garbage", 400),
        (MULTIPART, b"------X\r\nno header\r\n\r\nx\r\n------X--\r\n", 400),
        (MULTIPART, part('name="file"; filename="a"', b"1,2")[:-2], 400),
        (MULTIPART, b"", 400),
    ],
)
def test_what_is_no_whole_upload_is_refused(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(HTTPException) as refused:
        read(read_upload, kind, body)
    assert refused.value.status_code == status


def test_the_last_of_several_fields_counts_and_umlauts_need_no_escape() -> None:
    body = "a=1&a=2&b=&pass=p%C3%A4ss+wörd".encode()
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    assert read(read_form, kind, body) == {"a": "2", "b": "", "pass": "päss wörd"}


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (MULTIPART, b"", 415),
        ("application/x-www-form-urlencoded", b"a=\xff", 400),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 101), 400),
    ],
)
def test_what_are_no_fields_is_refused(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(HTTPException) as refused:
        read(read_form, kind, body)
    assert refused.value.status_code == status
