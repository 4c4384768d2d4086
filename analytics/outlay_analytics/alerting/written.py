"""What is written of budgets and of rules alike: names, scopes, where to tell, tables of outlay.toml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, TypeVar

from outlay.errors import ConfigError
from outlay_analytics.notify.channels import Channel, parse_channel, refuse_address, stored_form
from outlay_analytics.notify.guarded_http import RefusedAddress
from outlay_analytics.notify.masks import unmasked
from outlay_analytics.query.errors import BadRequest
from outlay_collector.prices.tables import Slips, list_of_tables, read_table

NAME = re.compile(r"[^\x00-\x1f\x7f/]{1,100}")
WINDOW = re.compile(r"(\d{1,3})(h|d)")
LONGEST_H = 30 * 24
Guard = Callable[[str], None]
"""Raises RefusedAddress for a URL that messages may not go to."""


class Written(Protocol):
    """What is kept under a name in a project, in outlay.toml or in the store."""

    @property
    def name(self) -> str: ...
    @property
    def project(self) -> str: ...


class Told(Protocol):
    """The fields of what tells somebody."""

    @property
    def notify(self) -> list[Any]: ...


T = TypeVar("T", bound=Written)
Table = TypeVar("Table", bound=Told)


def anywhere(url: str) -> None:
    """No guard."""


def check_name(what: str, name: str) -> None:
    """Raise BadRequest for a name that cannot be one; `what` is a budget or a rule."""
    if not NAME.fullmatch(name) or name != name.strip():
        raise BadRequest(f"{what} name {name[:80]!r} must be 1 to 100 characters without a slash or control characters")


def positive(value: object, below: Decimal) -> Decimal:
    """A number above 0, at most 12 decimals.

    Raises:
        InvalidOperation: If it is not one.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise InvalidOperation
    amount = Decimal(str(value))
    if not amount.is_finite() or not 0 < amount < below or amount != round(amount, 12):
        raise InvalidOperation
    return amount


def scope_of(value: object) -> dict[str, tuple[str, ...]]:
    """A scope as it is written: dimension → a text or a list of them."""
    if not isinstance(value or {}, Mapping):
        raise ValueError("must map dimensions to values")
    out = {}
    for name, values in (value or {}).items():  # type: ignore[attr-defined]
        listed = [values] if isinstance(values, str) else values
        if not isinstance(listed, Sequence) or not listed or not all(isinstance(one, str) for one in listed):
            raise ValueError(f"must have a text or a list of texts for {name}")
        out[str(name)] = tuple(listed)
    return out


def notify_of(value: object) -> list[object]:
    """Where to tell, as it is written: one or a list."""
    return [value] if isinstance(value, str | Mapping) else list(value or [])  # type: ignore[call-overload]


def stored_notify(
    entries: Sequence[Any], kept: Sequence[str], channels: Mapping[str, Channel] | None, guard: Guard
) -> tuple[str, ...]:
    """Where to tell in stored form; `kept` are the channels so far, for masked credentials.

    Raises:
        ConfigError: For what is no channel.
        RefusedAddress: If `guard` refuses the address of a channel of its own.
    """
    given = unmasked(list(entries), kept)
    for channel in [parse_channel(entry, channels) for entry in given]:
        if channel.url and channel not in (channels or {}).values():
            refuse_address(channel.url, guard)
    return tuple(stored_form(entry) for entry in given)


def read_written(
    what: str,
    table: type[Table],
    name: str,
    body: Mapping[str, Any],
    kept: Sequence[str],
    channels: Mapping[str, Channel] | None,
    guard: Guard,
) -> tuple[Table, tuple[str, ...]]:
    """What is written under a name, checked field by field, and where to tell in stored form.

    Args:
        what: A budget or a rule.
        table: Its fields.
        kept: Its channels so far, for masked credentials.
        guard: Raises RefusedAddress for a URL that messages may not go to.

    Raises:
        BadRequest: Naming what is wrong, its value and what is allowed.
        RefusedAddress: If `guard` refuses the address of a channel of its own.
    """
    check_name(what, name)
    try:
        written = read_table(table, body, f"{what} {name!r}")
        return written, stored_notify(written.notify, kept, channels, guard)
    except ConfigError as exc:
        raise BadRequest(str(exc)) from exc


def read_tables(tables: object, section: str, read: Callable[[str, Mapping[str, Any], str], T]) -> tuple[T, ...]:
    """The tables of a section of outlay.toml; `read` takes the name, what else is written, and the project.

    Raises:
        ConfigError: Naming each one that is wrong, and what is wrong with it.
    """
    slips = Slips()
    out: dict[tuple[str, str], T] = {}
    for table in list_of_tables(tables, section):
        body = dict(table)
        name, project = str(body.pop("name", "")), str(body.pop("project", "default"))
        with slips.gathered():
            try:
                made = read(name, body, project)
            except (BadRequest, RefusedAddress) as exc:
                raise ConfigError(f"[[{section}]] {name!r}: {exc}") from exc
            if (project, name) in out:
                raise ConfigError(f"[[{section}]] {name!r} is given twice")
            out[project, name] = made
    slips.raise_all()
    return tuple(out.values())


def all_written(stored: Iterable[T], configured: Iterable[T], project: str, name: str) -> list[T]:
    """By project and name; one of outlay.toml hides one of the same name in the store. Empty names stand for any."""
    out = {(one.project, one.name): one for one in stored}
    for one in configured:
        if project in ("", one.project) and name in ("", one.name):
            out[one.project, one.name] = one
    return [out[key] for key in sorted(out)]


def not_configured(what: str, project: str, name: str, configured: Iterable[Written]) -> None:
    """Raise BadRequest for what outlay.toml says; `what` is a budget or a rule."""
    if any((one.project, one.name) == (project, name) for one in configured):
        raise BadRequest(f"{what} {name!r} is written in outlay.toml; change it there")


def window_hours(value: object) -> int:
    """The hours of a rolling window such as `6h` or `7d`.

    Raises:
        ValueError: If it is none, or longer than `LONGEST_H`.
    """
    found = WINDOW.fullmatch(value) if isinstance(value, str) else None
    hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
    if not 1 <= hours <= LONGEST_H:
        raise ValueError("must be 1h to 30d, such as 6h or 7d")
    return hours
