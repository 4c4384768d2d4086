"""`[attributes]` of outlay.toml as it is written: what its tables may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any

from pydantic import AfterValidator, StrictStr
from pydantic.dataclasses import dataclass as table

from outlay_collector.prices.tables import STRICT


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


Word = Annotated[StrictStr, AfterValidator(_said)]
Words = tuple[Word, ...]


@table(config=STRICT, frozen=True)
class AttributesTable:
    """`[attributes]`: by dimension the attributes that hold it, the first that says something counts."""

    feature: Words = ()
    team: Words = ()
    customer: Words = ()
    user: Words = ()
    session: Words = ()
    task: Words = ()
    prompt: Words = ()
    prompt_version: Words = ()
    rename: Mapping[str, Any] | None = None
    group: Mapping[str, Any] | None = None
    drop: Mapping[str, Any] | None = None


@table(config=STRICT, frozen=True)
class RenameTable:
    """`[attributes.rename.feature]`: a value and what it is to be called."""

    feature: Mapping[str, Word] = field(default_factory=dict)
    team: Mapping[str, Word] = field(default_factory=dict)
    customer: Mapping[str, Word] = field(default_factory=dict)
    user: Mapping[str, Word] = field(default_factory=dict)
    session: Mapping[str, Word] = field(default_factory=dict)
    task: Mapping[str, Word] = field(default_factory=dict)
    prompt: Mapping[str, Word] = field(default_factory=dict)
    prompt_version: Mapping[str, Word] = field(default_factory=dict)


@table(config=STRICT, frozen=True)
class GroupTable:
    """`[attributes.group.feature]`: a value and the patterns of those that it stands for."""

    feature: Mapping[str, Words] = field(default_factory=dict)
    team: Mapping[str, Words] = field(default_factory=dict)
    customer: Mapping[str, Words] = field(default_factory=dict)
    user: Mapping[str, Words] = field(default_factory=dict)
    session: Mapping[str, Words] = field(default_factory=dict)
    task: Mapping[str, Words] = field(default_factory=dict)
    prompt: Mapping[str, Words] = field(default_factory=dict)
    prompt_version: Mapping[str, Words] = field(default_factory=dict)


@table(config=STRICT, frozen=True)
class DropTable:
    """`[attributes.drop]`: by dimension the patterns of values that count as not said."""

    feature: Words = ()
    team: Words = ()
    customer: Words = ()
    user: Words = ()
    session: Words = ()
    task: Words = ()
    prompt: Words = ()
    prompt_version: Words = ()
