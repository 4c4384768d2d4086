"""Exports of clouds in a folder or a bucket: every file that counts, read as a bill.

Clouds write exports in three ways: over the same files, a folder for each run beside a manifest (Azure, and AWS that
keeps versions), or in numbered parts. So of the runs of one period the newest counts, all files of it add up, and the
same file twice counts once. Two files that charge the same lines are refused: which of them holds, nobody can tell.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.fetch import Page, PullFailed
from outlay_analytics.bills.pulled import Pulled, refuse_foreign
from outlay_analytics.reconcile.bill import BadBill, Charge, LeftOut
from outlay_analytics.reconcile.files import MAX_BYTES
from outlay_analytics.reconcile.formats import read_lines
from outlay_analytics.reconcile.models import ModelNames

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz",
            ".zip")  # fmt: skip
BESIDE = re.compile(r"manifest|metadata|(^|/)[._]", re.IGNORECASE)
PERIOD = re.compile(r"^(?:.*=)?20\d\d-?\d\d(?:-?\d\d)?(?:-20\d\d-?\d\d-?\d\d)?$")
MAX_FILES = 2000
SAME_LINES = 3  # that two files share, or half of the shorter one: they are taken for the same bill
Unpack = Callable[[bytes], bytes]
"""A file without its gzip or archive, if it has one. Raises: BadBill."""


@dataclass(frozen=True)
class File:
    """A file of the folder."""

    path: str
    size_bytes: int
    written_ns: int


def pull(account: Account, models: ModelNames, unpack: Unpack) -> Pulled:
    """Read every file that counts; days that they speak of are replaced, and days that none speaks of any more go.

    Raises:
        PullFailed: If the folder cannot be read, or two of its files are the same bill.
        BadBill: Naming the file and what is wrong with it.
    """
    filesystem, root = _open(account.path)
    files = _counting(list(_files(filesystem, root)), root)
    if not files:
        raise PullFailed(f"{account.path} has no exports: files that end in {', '.join(SUFFIXES)}")
    left_out, converted = LeftOut(), defaultdict[str, int](int)
    charges: list[Charge] = []
    days: set[date] = set()
    formats, pages, seen = set(), [], dict[str, str]()
    said: dict[tuple[Any, ...], str] = {}
    for file in files:
        name = file.path[len(root) :].lstrip("/") or file.path
        body = _read(filesystem, file, name)
        digest = hashlib.sha256(body).hexdigest()
        if digest in seen:
            continue
        seen[digest] = name
        try:
            found = read_lines(unpack(body), models, account.usd_per)
        except BadBill as exc:
            raise BadBill(f"{name}: {exc}") from exc
        _refuse_same(name, found.charges, said)
        charges += found.charges
        days |= found.days | {charge.day for charge in found.charges}
        formats.add(found.format)
        for currency, count in found.converted.items():
            converted[currency] += count
        left_out.take(found.left_out)
        pages.append(Page(name, "", digest))
    refuse_foreign(left_out, bool(charges))
    stated = f" at the rates of {account.usd_per_day}" if account.usd_per else " at the rates that it states"
    notes = [f"{count} lines in {currency} converted{stated}" for currency, count in converted.items()]
    format = formats.pop() if len(formats) == 1 else "files"
    return Pulled(format, frozenset(days), charges, (), pages, left_out.usd, left_out.lines, notes, True)


def _open(path: str) -> tuple[Any, str]:
    """The file system and the folder's path in it: a bucket's where the path is a URI, this machine's otherwise."""
    import pyarrow
    from pyarrow import fs

    try:
        if "://" in path:
            filesystem, root = fs.FileSystem.from_uri(path)
            return filesystem, str(root)
        return fs.LocalFileSystem(), path
    except (pyarrow.ArrowException, OSError, ValueError) as exc:
        raise PullFailed(f"{_plain(path)} cannot be opened: {str(exc)[:200]}") from None


def _files(filesystem: Any, root: str) -> Iterator[File]:
    from pyarrow import fs

    try:
        found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    except (OSError, ValueError) as exc:
        raise PullFailed(f"the folder {_plain(root)} cannot be listed: {str(exc)[:200]}") from None
    count = 0
    for info in found:
        below = info.path[len(root) :]
        if info.is_file and info.size and info.path.lower().endswith(SUFFIXES) and not BESIDE.search(below):
            count += 1
            if count > MAX_FILES:
                raise PullFailed(f"{_plain(root)} has more than {MAX_FILES} exports; name the folder of one export")
            yield File(info.path, info.size, info.mtime_ns or 0)


def _counting(files: list[File], root: str) -> list[File]:
    """Of a period's folder with a folder for each run only the newest; everything else as it is."""
    runs: dict[str, dict[str, list[File]]] = defaultdict(lambda: defaultdict(list))
    counting = []
    for file in files:
        parts = file.path[len(root) :].strip("/").split("/")
        place = next((n for n, part in enumerate(parts[:-1]) if PERIOD.match(part)), None)
        if place is None or place >= len(parts) - 2:
            counting.append(file)
        else:
            runs["/".join(parts[: place + 1])][parts[place + 1]].append(file)
    for by_run in runs.values():
        counting += by_run[max(by_run, key=lambda run: (max(one.written_ns for one in by_run[run]), run))]
    return sorted(counting, key=lambda one: one.path)


def _read(filesystem: Any, file: File, name: str) -> bytes:
    if file.size_bytes > MAX_BYTES:
        raise PullFailed(f"{name} is larger than {MAX_BYTES >> 20} MiB; have the export split into files")
    try:
        with filesystem.open_input_file(file.path) as stream:
            return bytes(stream.read())
    except OSError as exc:
        raise PullFailed(f"{name} cannot be read: {str(exc)[:200]}") from None


def _refuse_same(name: str, charges: Sequence[Charge], said: dict[tuple[Any, ...], str]) -> None:
    same: dict[str, int] = defaultdict(int)
    mine = set()
    for one in charges:
        if abs(one.usd) < Decimal("0.000001"):
            continue
        line = (one.day, one.provider, one.model, one.meter, one.account, one.region, one.service_tier, one.usd)
        mine.add(line)
        if line in said and said[line] != name:
            same[said[line]] += 1
    for other, lines in same.items():
        if lines >= SAME_LINES or 2 * lines >= min(len(mine), sum(file == other for file in said.values())):
            raise PullFailed(f"{name} and {other} charge the same {lines} lines; leave one of them in the folder")
    said.update(dict.fromkeys(mine, name))


def _plain(path: str) -> str:
    """A path without the keys that a URI may hold."""
    return re.sub(r"//[^/@]*@", "//", path).partition("?")[0]
