"""Tables that people write, in outlay.toml or as the body of a request: read by pydantic models, refused in words.

A model is a pydantic dataclass beside what its table is for. What cannot be right is refused with the place, the key,
its value and what is allowed, everything that is wrong at once, so that a file is mended in one go. The value of a
field with `repr=False` is not repeated, as it may be a secret. This stands here because every package that reads
tables may import this room.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from outlay.errors import ConfigError

T = TypeVar("T")
STRICT = ConfigDict(extra="forbid")
MOST_TOLD = 20
LONGEST_SHOWN = 200
WORDS = {
    "bool_type": "must be true or false",
    "string_type": "is not a text",
    "tuple_type": "must be a list",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
}


class Slips:
    """Gathers what is wrong in several places, to say it at once."""

    def __init__(self) -> None:
        self._messages: list[str] = []

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """A block that reads one place: what it refuses is kept for later."""
        try:
            yield
        except ConfigError as exc:
            self._messages.append(str(exc))

    def raise_all(self) -> None:
        """Say what was gathered.

        Raises:
            ConfigError: If there was anything.
        """
        if self._messages:
            raise _all_of(self._messages)


def read_table(model: type[T], table: object, where: str) -> T:
    """One table.

    Args:
        model: A pydantic dataclass.
        where: The table's place, as the reader of a message finds it: `[alerts]`, `[[prices]] #2`.

    Raises:
        ConfigError: Names all that is wrong with it.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(f"{where} must be a table, not {_shown(table)}")
    try:
        found: T = _adapter(cast(Hashable, model)).validate_python(dict(table))
        return found
    except ValidationError as exc:
        wrong = [f"{where}: {_told(model, error)}" for error in exc.errors(include_url=False)]
    raise _all_of(wrong)  # not from the library's error, which repeats secrets


def read_tables(model: type[T], tables: object, name: str) -> list[T]:
    """The rows of `[[name]]`.

    Raises:
        ConfigError: Names all that is wrong with them.
    """
    rows: list[T] = []
    slips = Slips()
    for number, table in enumerate(list_of_tables(tables, name), 1):
        with slips.gathered():
            rows.append(read_table(model, table, f"[[{name}]] #{number}"))
    slips.raise_all()
    return rows


def list_of_tables(tables: object, name: str) -> list[Mapping[str, Any]]:
    """The tables of `[[name]]`, unread.

    Raises:
        ConfigError: If it is something else.
    """
    if not isinstance(tables, list) or not all(isinstance(table, Mapping) for table in tables):
        raise ConfigError(f"{name} must be a list of tables: write [[{name}]]")
    return tables


def keys_of(model: type) -> tuple[str, ...]:
    """The keys that a table of this model may have."""
    return tuple(field.name for field in dataclasses.fields(model))


def _all_of(wrong: list[str]) -> ConfigError:
    more = [f"and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
    return ConfigError("; ".join(wrong[:MOST_TOLD] + more))


@cache
def _adapter(model: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, model))


def _told(model: type, error: ErrorDetails) -> str:
    """One thing that is wrong: which key, which value, and what to do."""
    kind, path = error["type"], error["loc"]
    key = ".".join(str(part) for part in path)
    if kind in ("unexpected_keyword_argument", "extra_forbidden"):
        near = difflib.get_close_matches(key, keys_of(model), 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"unknown key {key!r}; {hint}allowed are {', '.join(sorted(keys_of(model)))}"
    if kind == "missing":
        return f"{key!r} is missing"
    if kind == "value_error":
        words = str(error["ctx"]["error"])
    elif kind == "literal_error":
        words = f"cannot be used; allowed: {error['ctx']['expected']}"
    else:
        words = WORDS.get(kind, error["msg"])
    if not path:
        return words
    hidden = any(field.name == path[0] and not field.repr for field in dataclasses.fields(model))
    return f"{key} = {'(hidden)' if hidden else _shown(error['input'])} {words}"


def _shown(value: object) -> str:
    """A value in a message: numbers and lists as they are written, everything else in quotes."""
    plain = isinstance(value, int | float | Mapping | list | tuple) and not isinstance(value, bool)
    text = repr(value if plain else str(value))
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
