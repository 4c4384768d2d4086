"""`[attributes]` of outlay.toml: own attributes for a call's dimensions, and other words for their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from outlay.errors import ConfigError
from outlay_collector.dialects.inherited import MAPPED, Inherited, inherited
from outlay_collector.dialects.rewrites import Rewrites


@dataclass(frozen=True)
class AttributeMapping:
    """Where calls' dimensions stand, and what becomes of their values."""

    inherited: Inherited = field(default_factory=inherited)
    rewrites: Mapping[str, Rewrites] = field(default_factory=dict)
    """By dimension."""


def parse_attributes(section: Mapping[str, Any]) -> AttributeMapping:
    """Read `[attributes]` of outlay.toml.

    Raises:
        ConfigError: For a dimension that nobody knows, a value that cannot be used, or renames that go in a circle.
    """
    if not section:
        return AttributeMapping()
    # Models only where a file is read: commands that read none wait for nothing.
    from outlay_collector.prices.tables import Slips, read_table
    from outlay_collector.settle.mapping_table import AttributesTable, DropTable, GroupTable, RenameTable

    slips = Slips()
    keys, rename, group, drop = AttributesTable(), RenameTable(), GroupTable(), DropTable()
    with slips.gathered():
        keys = read_table(AttributesTable, section, "[attributes]")
    with slips.gathered():
        rename = read_table(RenameTable, section.get("rename", {}), "[attributes.rename]")
    with slips.gathered():
        group = read_table(GroupTable, section.get("group", {}), "[attributes.group]")
    with slips.gathered():
        drop = read_table(DropTable, section.get("drop", {}), "[attributes.drop]")
    slips.raise_all()
    rewrites = {}
    for dimension in MAPPED:
        made = Rewrites(getattr(rename, dimension), getattr(group, dimension), getattr(drop, dimension))
        for loop in made.loops():
            with slips.gathered():
                raise ConfigError(
                    f"[attributes.rename.{dimension}] goes in a circle: {' → '.join(map(repr, loop))}; take one out"
                )
        if made != Rewrites({}, {}):
            rewrites[dimension] = made
    slips.raise_all()
    own = {each.name: getattr(keys, each.name) for each in fields(keys) if each.name in MAPPED}
    return AttributeMapping(inherited({name: asked for name, asked in own.items() if asked}), rewrites)
