"""A bill's file as records: CSV, JSON or Parquet, recognized by what is in it, each record with its place.

Nothing of a file is trusted: sizes are bounded before anything is unpacked, and every value is text until its column's
own reader has taken it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from outlay_analytics.reconcile.bill import BadBill

MAX_BYTES = 64 << 20
MAX_LINES = 1_000_000
MAX_UNPACKED_BYTES = 512 << 20
MAX_COLUMNS = 10_000
MAX_CELL = 100_000
# The first line that Excel writes before a table.
_SEPARATOR_HINT = re.compile(r'\ufeff?"?sep=.?"?\s*\n', re.IGNORECASE)
# Cells with a decimal comma, and with a decimal point: a table that has the one and not the other means commas.
_COMMA_NUMBER = re.compile(r"-?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+")
_COMMA = re.compile(r'(?:^|[;\t|])"?-?(?:\d{1,3}(?:\.\d{3})+|\d+),\d+"?(?=[;\t|\r\n]|$)', re.MULTILINE)
_POINT = re.compile(r'(?:^|[;\t|])"?-?\d+\.\d+"?(?=[;\t|\r\n]|$)', re.MULTILINE)
Record = tuple[str, Mapping[str, Any]]  # where it stands, its values by column
KNOWN = (
    "FOCUS (CSV, Parquet or JSON lines: BilledCost, ChargePeriodStart …), OpenAI costs (CSV: start_time, amount_value "
    "…; JSON of /v1/organization/costs), Anthropic costs (CSV: usage_date_utc, cost_usd …; JSON of "
    "/v1/organizations/cost_report), OpenRouter activity (date, model, usage …), AWS CUR "
    "(line_item_usage_start_date, line_item_unblended_cost …), Google Cloud's billing export (usage_start_time, cost, "
    "sku.description …), Azure's cost details (Date, MeterName, CostInBillingCurrency …) and any table with a day, a "
    "model and an amount (date, model, cost_usd)"
)


@dataclass(frozen=True)
class Records:
    """Records under their columns; for JSON `columns` is empty and the records are buckets of time."""

    columns: Sequence[str]
    rows: Iterator[Record]


def open_file(body: bytes) -> Records:
    """The records of a file.

    Raises:
        BadBill: If it is no file of these kinds, is damaged, or is larger than is read.
    """
    if len(body) > MAX_BYTES:
        raise BadBill(f"the bill is larger than {MAX_BYTES >> 20} MiB; split it by month")
    if body[:4] == b"PAR1":
        return _parquet(body)
    try:
        text = body.decode("utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadBill(f"the bill is not text in UTF-8: byte {exc.start + 1} cannot be read") from None
    if not text.strip():
        raise BadBill("the bill is empty")
    if text.lstrip()[0] not in "[{":
        return _table(text)
    lines = _objects(text)
    return _buckets(text) if lines is None else lines


def _table(text: str) -> Records:
    text = _SEPARATOR_HINT.sub("", text.lstrip(), count=1)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t|", key=first.count)
    decimal_comma = delimiter != "," and bool(_COMMA.search(text)) and not _POINT.search(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=delimiter)
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error) as exc:
        raise BadBill(f"line 1: the header cannot be read; known are {KNOWN}") from exc
    if len(header) > MAX_COLUMNS:
        raise BadBill(f"line 1: {len(header)} columns; a bill has at most {MAX_COLUMNS}")
    twice = sorted(name for name, count in Counter(header).items() if name and count > 1)
    if twice:
        raise BadBill(f"line 1: the column {twice[0][:60]!r} occurs twice")

    def rows() -> Iterator[Record]:
        count = 0
        try:
            for cells in reader:
                if not any(cells):
                    continue
                count += 1
                where = f"line {reader.line_num}"
                if len(cells) != len(header):
                    raise BadBill(f"{where}: {len(cells)} cells where the header has {len(header)}")
                if count > MAX_LINES or any(len(cell) > MAX_CELL for cell in cells):
                    raise BadBill(f"{where}: a bill has at most {MAX_LINES} lines and {MAX_CELL} characters in a cell")
                if decimal_comma:
                    cells = [_pointed(cell) for cell in cells]
                yield where, dict(zip(header, cells, strict=True))
        except csv.Error as exc:
            raise BadBill(f"line {reader.line_num}: {exc}") from exc

    return Records(header, rows())


def _pointed(cell: str) -> str:
    """`1.234,56` as `1234.56`: what programs write that put a comma where others have a point."""
    return cell.replace(".", "").replace(",", ".") if _COMMA_NUMBER.fullmatch(cell.strip()) else cell


def _objects(text: str) -> Records | None:
    """JSON lines, or one list, of rows as a warehouse exports them; None for the pages of a costs API."""
    try:
        first = json.loads(text.lstrip().split("\n", 1)[0], parse_float=Decimal, parse_constant=_no_constant)
        listed = isinstance(first, list)
    except (ValueError, RecursionError):
        listed = text.lstrip().startswith("[")
        if not listed:
            return None  # one object over several lines
    if not listed:
        if not isinstance(first, Mapping) or "data" in first or "rows" in first:
            return None
        found: list[tuple[str, Any]] = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip():
                found.append((f"line {number}", _parsed(line, f"line {number}: ")))
    else:
        whole = _parsed(text, "")
        if not whole or not all(isinstance(one, Mapping) for one in whole) or any("data" in one for one in whole):
            return None
        found = [(f"[{place}]", one) for place, one in enumerate(whole)]
    return _listed(found)


def _listed(found: Sequence[tuple[str, Any]]) -> Records:
    """Objects with their places as records."""
    if len(found) > MAX_LINES:
        raise BadBill(f"a bill has at most {MAX_LINES} lines, this one has {len(found)}; split it by month")
    rows: list[Record] = []
    names: dict[str, None] = {}
    for where, one in found:
        if not isinstance(one, Mapping):
            raise BadBill(f"{where}: {str(one)[:60]!r} where an object is expected; known are {KNOWN}")
        flat = dict(_flat(one))
        names.update(dict.fromkeys(flat))
        if len(names) > MAX_COLUMNS:
            raise BadBill(f"{where}: more than {MAX_COLUMNS} columns; a bill has at most {MAX_COLUMNS}")
        rows.append((where, flat))
    return Records(tuple(names), iter(rows))


def _flat(row: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """`{"sku": {"description": …}}` as `sku.description`; a map of details stays whole as well."""
    for name, value in row.items():
        yield before + name, value
        if isinstance(value, Mapping) and not before:
            yield from _flat(value, f"{name}.")


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as exc:
        raise BadBill(f"{where}the bill is not valid JSON: {str(exc)[:200]}") from None


def _buckets(text: str) -> Records:
    """The pages of a costs API, one or several in a list, as their buckets of time."""
    found = _parsed(text, "")
    pages = found if isinstance(found, list) else [found]
    if rows_of := _rows_of(pages):
        return _listed(rows_of)
    if not all(isinstance(page, Mapping) and isinstance(page.get("data"), list) for page in pages) or not pages:
        raise BadBill(f"the JSON has no list `data`; known are {KNOWN}")
    if pages[-1].get("has_more"):
        raise BadBill("the export goes on (has_more is true): put all of its pages into one JSON list")

    return Records((), bucket_rows(pages))


def _rows_of(pages: Sequence[Any]) -> list[tuple[str, Any]]:
    """The rows of pages whose `data` is no buckets of time but days by model, as OpenRouter's activity has them."""
    data = [page["data"] for page in pages if isinstance(page, Mapping) and isinstance(page.get("data"), list)]
    rows = [(f"data[{place}]", row) for listed in data for place, row in enumerate(listed)]
    plain = len(data) == len(pages) and all(isinstance(row, Mapping) and "results" not in row for _, row in rows)
    return rows if plain and any("model" in row for _, row in rows) else []


def bucket_rows(pages: Sequence[Mapping[str, Any]]) -> Iterator[Record]:
    """The buckets of time of a costs API's pages, each with its place.

    Raises:
        BadBill: If one is no bucket.
    """
    for number, page in enumerate(pages):
        for place, bucket in enumerate(page["data"]):
            where = f"data[{place}]" if len(pages) == 1 else f"[{number}].data[{place}]"
            if not isinstance(bucket, Mapping) or not isinstance(bucket.get("results"), list):
                raise BadBill(f"{where}: no list `results`; known are {KNOWN}")
            yield where, bucket


def _parquet(body: bytes) -> Records:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:  # pragma: no cover - the embedded store brings it
        raise BadBill("Parquet needs pyarrow: pip install pyarrow, or export the bill as CSV") from None
    try:
        file = parquet.ParquetFile(io.BytesIO(body))
        about = file.metadata
        unpacked = sum(about.row_group(n).total_byte_size for n in range(about.num_row_groups))
        if about.num_rows > MAX_LINES or unpacked > MAX_UNPACKED_BYTES:
            raise BadBill(
                f"the bill has {about.num_rows} rows and {unpacked >> 20} MiB unpacked; read are at most {MAX_LINES} "
                f"and {MAX_UNPACKED_BYTES >> 20}: split it by month"
            )
        if about.num_columns > MAX_COLUMNS:
            raise BadBill(f"the bill has {about.num_columns} columns; read are at most {MAX_COLUMNS}")
        names = [str(name) for name in file.schema_arrow.names]
    except pyarrow.ArrowException as exc:
        raise BadBill(f"the Parquet file cannot be read: {str(exc)[:200]}") from None

    def rows() -> Iterator[Record]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=10_000):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as exc:
            raise BadBill(f"row {number + 1}: the Parquet file cannot be read: {str(exc)[:200]}") from None

    return Records(names, rows())


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number")
