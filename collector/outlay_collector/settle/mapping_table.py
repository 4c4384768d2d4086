"""`[attributes]` of outlay.toml as it is written: what its tables may hold, each by dimension."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, make_dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, StrictStr
from pydantic.dataclasses import dataclass as table

from outlay_collector.dialects.inherited import MAPPED
from outlay_collector.prices.tables import STRICT


def _said(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


Word = Annotated[StrictStr, AfterValidator(_said)]
Words = tuple[Word, ...]


def _by_dimension(name: str, kind: Any, empty: Callable[[], Any], **more: Any) -> type[Any]:
    """A table with a key of this kind for each dimension, and `more` keys that may be left out."""
    keys = [(dimension, kind, field(default_factory=empty)) for dimension in MAPPED]
    others = [(key, its | None, field(default=None)) for key, its in more.items()]
    return table(config=STRICT, frozen=True)(make_dataclass(name, [*keys, *others], frozen=True))


# `[attributes]`: the attributes that hold a dimension, the first that says something counts.
AttributesTable = _by_dimension(
    "AttributesTable", Words, tuple, rename=Mapping[str, Any], group=Mapping[str, Any], drop=Mapping[str, Any]
)
# `[attributes.rename.feature]`: a value and what it is to be called.
RenameTable = _by_dimension("RenameTable", Mapping[str, Word], dict)
# `[attributes.group.feature]`: a value and the patterns of those that it stands for.
GroupTable = _by_dimension("GroupTable", Mapping[str, Words], dict)
# `[attributes.drop]`: the patterns of values that count as not said.
DropTable = _by_dimension("DropTable", Words, tuple)
