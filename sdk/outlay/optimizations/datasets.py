"""dataset(): examples for `evaluate`, from a file or from the calls that an Outlay server has logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from outlay import semconv
from outlay.optimizations.server_api import ServerApi

MOST_AT_ONCE = 1000  # calls that the server lists


def dataset(
    source: str | PathLike[str], *, limit: int | None = None, api_key: str = "", **filters: str
) -> list[dict[str, Any]]:
    """Examples, each a mapping with an `input`.

    Args:
        source: A file: `.jsonl` (an object a line), `.json` (a list of objects) or `.csv` (with a header). Or the URL
            of a server whose spans carry content (`capture_content=True`): its latest calls. Those have the text of
            the last user message as `input`, all `messages`, the `output` that was given, `trace_id` and `span_id`.
        limit: At most so many examples; default all of a file, 100 of a server.
        api_key: Of the server, where it wants one that may read.
        **filters: Of the server's calls, as in its API: `feature="faq"`, `start="-7d"`, `model="gpt-4o"`.

    Calls without content, or with one that the server shows cut off, are left out.

    Raises:
        ValueError: If there is nothing to read, naming the file and the line.

    Example:
        outlay.evaluate(outlay.dataset("questions.jsonl"), candidates, scorers)
        outlay.evaluate(outlay.dataset("http://127.0.0.1:4318", feature="faq"), candidates, scorers)
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit!r}")
    if str(source).startswith(("http://", "https://")):
        found = list(_logged(ServerApi(str(source), api_key), 100 if limit is None else limit, filters))
        if not found:
            raise ValueError(f"{source} has no call with content {filters or ''}: is capture_content on?")
        return found
    if filters:
        raise ValueError(f"a file has no filters, unlike {', '.join(filters)}")
    path = Path(source)
    read = {".jsonl": _lines, ".ndjson": _lines, ".json": _list, ".csv": _table}.get(path.suffix.lower())
    if read is None:
        raise ValueError(f"{path} is none of .jsonl, .json, .csv")
    examples = []
    for where, example in read(path):
        if not isinstance(example, dict) or "input" not in example:
            raise ValueError(f"{path}, {where}: an example is an object with an input, not {example!r}")
        examples.append(example)
        if len(examples) == limit:
            break
    if not examples:
        raise ValueError(f"{path} has no example")
    return examples


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except ValueError as error:
                    raise ValueError(f"{path}, line {number} is no JSON: {error}") from error


def _list(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, list):
        raise ValueError(f"{path} holds no list of examples")
    for number, example in enumerate(found, 1):
        yield f"example {number}", example


def _table(path: Path) -> Iterator[tuple[str, Any]]:
    import csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(f"{path}, line {rows.line_num} has another number of fields than the header")
            yield f"line {rows.line_num}", dict(row)


def _logged(server: ServerApi, limit: int, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Examples of a server's calls, the latest first."""
    left, cursor = limit, ""
    while left:
        asked = {**filters, "limit": str(min(MOST_AT_ONCE, max(left, 100)))} | ({"cursor": cursor} if cursor else {})
        page = server.get(f"/calls?{urlencode(asked)}")
        for call in page["calls"]:
            example = _example(server, call)
            if example is not None:
                yield example
                left -= 1
                if not left:
                    return
        cursor = page.get("next_cursor") or ""
        if not cursor:
            return


def _example(server: ServerApi, call: Mapping[str, Any]) -> dict[str, Any] | None:
    trace = server.get(f"/traces/{quote(call['trace_id'])}")
    texts = next((span.get("texts") or {} for span in trace["spans"] if span["span_id"] == call["span_id"]), {})
    try:
        messages = [(one["role"], _text(one)) for one in json.loads(texts[semconv.INPUT_MESSAGES])]
        answers = json.loads(texts.get(semconv.OUTPUT_MESSAGES) or "[]")
    except (KeyError, TypeError, ValueError):  # none, or shown cut off
        return None
    asked = [text for role, text in messages if role == "user"]
    if not asked:
        return None
    return {
        "input": asked[-1],
        "messages": [{"role": role, "content": text} for role, text in messages],
        "output": "\n".join(_text(one) for one in answers) or None,
        "trace_id": call["trace_id"],
        "span_id": call["span_id"],
    }


def _text(message: Mapping[str, Any]) -> str:
    """The text of a message in the shape of the conventions."""
    if isinstance(message.get("content"), str):
        return str(message["content"])
    return "\n".join(str(part["content"]) for part in message.get("parts") or () if "content" in part)
