"""What plain forms post: fields as application/x-www-form-urlencoded, a file as multipart/form-data (RFC 7578)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from python_multipart import create_form_parser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File
from starlette.exceptions import HTTPException
from starlette.requests import Request

FIELDS = "application/x-www-form-urlencoded"
FILE = "multipart/form-data"
MAX_FIELDS = 100
Form = dict[str, str]


@dataclass(frozen=True)
class Upload:
    """A file as a browser sends it; its name and content are empty when none was chosen."""

    name: str
    body: bytes


async def read_form(request: Request) -> Form:
    """The fields of a posted form; of several with one name the last.

    Raises:
        HTTPException: 415 for another kind of form, 400 when it cannot be read.
    """
    _refuse_unless(FIELDS, request)
    try:
        return dict(parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError as exc:
        raise HTTPException(400, "the form cannot be read") from exc


async def read_upload(request: Request) -> Upload:
    """The file in the field `file` of a posted form.

    Raises:
        HTTPException: 415 for another kind of form, 400 when it cannot be read or has no such file.
    """
    _refuse_unless(FILE, request)
    body = await request.body()
    files: list[File] = []
    try:
        parser = create_form_parser(
            {"Content-Type": request.headers["content-type"].encode("latin-1")},
            on_field=None,
            on_file=files.append,
            config={"MAX_MEMORY_FILE_SIZE": len(body)},  # what is in memory already stays there
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as exc:
        raise HTTPException(400, "the form cannot be read") from exc
    file = next((file for file in files if file.field_name == b"file"), None)
    if file is None:  # or not to its end
        raise HTTPException(400, "the form has no file in its field 'file'")
    file.file_object.seek(0)
    return Upload((file.file_name or b"").decode("utf-8", "replace"), file.file_object.read())


def _refuse_unless(kind: str, request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind:
        raise HTTPException(415, f"send the form as {kind}")
