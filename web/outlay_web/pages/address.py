"""Addresses of pages: parameters changed in their place, and what a form's raw query means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request

from outlay_analytics.query.scope import is_filter
from outlay_analytics.query.text import rfc3339

Change = str | Sequence[str] | None

SPAN = ("start", "end")
BASE = ("base_start", "base_end")
HELPERS = ("dim", "value")


def canonical(request: Request) -> str | None:
    """The URL that a form's raw query means: empty fields dropped, helper fields made filters; None if it is fine."""
    raw = request.query_params.multi_items()
    given = dict(raw)
    pairs: list[tuple[str, str]] = []
    groups: list[str] = []
    for name, value in raw:
        if name in HELPERS:
            continue
        if name == "group_by":
            groups += [part for part in value.split(",") if part]
            continue
        if not value and not is_filter(name):
            continue
        if name in (*SPAN, *BASE) and "T" in value:
            value = _from_local(value, given.get("timezone", "UTC"))
        pairs.append((name, value))
    if groups:
        pairs.append(("group_by", ",".join(dict.fromkeys(groups))))
    if given.get("dim") and "value" in given:
        name = given["dim"]
        if name in ("tag", "score"):
            key, _, value = given["value"].partition("=")
            pairs.append((f"{name}.{key.strip()}", value.strip()))
        else:
            pairs.append((name, given["value"].strip()))
    in_order = [pair for pair in raw if pair[0] != "group_by"] + [p for p in raw if p[0] == "group_by"]
    return None if pairs == in_order else url(request.url.path, pairs)


def url(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    text = urlencode(list(pairs))
    return f"{path}?{text}" if text else path


def changed(pairs: Iterable[tuple[str, str]], changes: Mapping[str, Change]) -> list[tuple[str, str]]:
    """The pairs with some names replaced, in their place where they had one; another window drops its base."""
    out: list[tuple[str, str]] = []
    stale: dict[str, Change] = dict.fromkeys(BASE) if set(SPAN) & set(changes) else {}
    left = stale | dict(changes)
    replaced = set(left)
    for name, value in pairs:
        if name not in replaced:
            out.append((name, value))
        elif name in left:
            out += _values(name, left.pop(name))
    for name, change in left.items():
        out += _values(name, change)
    return out


def _values(name: str, change: Change) -> list[tuple[str, str]]:
    if change is None:
        return []
    return [(name, change)] if isinstance(change, str) else [(name, value) for value in change]


def _from_local(text: str, timezone: str) -> str:
    """A form's local time as an instant; what names its own offset, or cannot be read, stays as it is."""
    try:
        at = datetime.fromisoformat(text)
        return text if at.tzinfo else rfc3339(at.replace(tzinfo=ZoneInfo(timezone)))
    except (ValueError, KeyError, OSError):
        return text
