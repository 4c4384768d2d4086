"""A file sent by a plain form (multipart/form-data, RFC 7578), without a library for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from starlette.exceptions import HTTPException


@dataclass(frozen=True)
class Upload:
    """A file as a browser sends it."""

    name: str
    body: bytes


def read_upload(content_type: str, body: bytes, field: str) -> Upload:
    """The file in `field` of a posted form; empty when none was chosen.

    Raises:
        HTTPException: 415 for another kind of form, 400 when the form cannot be read or has no such field.
    """
    kind, _, rest = content_type.partition(";")
    boundary = re.search(r'boundary="?([^\s";]{1,70})"?', rest)
    if kind.strip().lower() != "multipart/form-data" or boundary is None:
        raise HTTPException(415, "send the form as multipart/form-data")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary[1].encode("latin-1"))[1:]:
        head, gap, content = part.partition(b"\r\n\r\n")
        said = head.decode("utf-8", "replace")
        if gap and re.search(rf'\bname="{re.escape(field)}"', said):
            name = re.search(r'filename="((?:[^"\\]|\\.)*)"', said)
            return Upload(name[1] if name else "", content)
    raise HTTPException(400, f"the form has no file {field!r}")
