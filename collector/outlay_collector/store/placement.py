"""How the rows of each table lie on a cluster of several shards; migrations say it, word by word.

A comment `-- shard: WORD` stands above the table that a migration makes; of a table that was made without one, a later
migration says `-- shard of TABLE: WORD`. What the words mean:

    EXPRESSION   spread by it over the shards, all rows of a key on one: `cityHash64(trace_id)`, `key`
    everywhere   every node holds every row
    cell         a row is where it was written, by the `jobs` of that shard
    entry        holds nothing: a view passes on what is inserted

A table that nobody placed is refused, and so is chance: a row that replaces another, or takes it back, has to find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

MADE = re.compile(r"(?P<comment>(?:^--[^\n]*\n)*)^CREATE TABLE IF NOT EXISTS (?P<table>\w+)", re.MULTILINE)
WORD = re.compile(r"^-- shard: (?P<word>.+)$", re.MULTILINE)
WORD_OF = re.compile(r"^-- shard of (?P<table>\w+): (?P<word>.+)$", re.MULTILINE)
VIEW = re.compile(r"^CREATE MATERIALIZED VIEW IF NOT EXISTS (?P<view>\w+) TO (?P<to>\w+) AS\b", re.MULTILINE)
BY_CHANCE = re.compile(r"\b(rand\w*|generate\w+|now\w*)\s*\(", re.IGNORECASE)
Kind = Literal["spread", "everywhere", "cell", "entry"]


@dataclass(frozen=True)
class Placement:
    """Where the rows of a table are."""

    kind: Kind
    by: str = ""
    """Of a spread table, the expression over its columns that says on which shard a row is."""


def placements(migrations: Iterable[str]) -> dict[str, Placement]:
    """The placement of every table that these migrations make.

    Raises:
        ValueError: Names a table without one, or one that is placed by chance.
    """
    text = "\n".join(migrations)
    said = {found["table"]: found["word"].strip() for found in WORD_OF.finditer(text)}
    found: dict[str, Placement] = {}
    for made in MADE.finditer(text):
        table, own = made["table"], WORD.search(made["comment"])
        word = own["word"].strip() if own else said.get(table, "")
        if not word:
            raise ValueError(
                f"the migration of table {table} does not say how its rows lie on a cluster; write -- shard: with "
                "everywhere, cell, entry or an expression above CREATE TABLE"
            )
        if BY_CHANCE.search(word):
            raise ValueError(f"table {table} is placed by {word}: rows of one key would lie on several shards")
        found[table] = _placement(word)
    return found


def _placement(word: str) -> Placement:
    if word == "everywhere":
        return Placement("everywhere")
    if word == "cell":
        return Placement("cell")
    if word == "entry":
        return Placement("entry")
    return Placement("spread", word)
