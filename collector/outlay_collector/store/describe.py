"""The data model as Markdown, read from the migrations: `python -m outlay_collector.store.describe`.

Tables and columns are explained where they are made, in comments of the SQL; this only lays them out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files

HEAD = """# Data model

Printed from the migrations by `make docs`; a test compares the two. Every table survives a power cut (fsync on
insert and merge); times are UTC; unknown counts and costs are NULL, unknown names are empty. Tables with `version` keep
the newest row of a key and are read with FINAL; `is_deleted` = 1 marks a key that is gone.
"""
TABLE = re.compile(
    r"(?P<comment>(?:^--[^\n]*\n)*)^CREATE TABLE IF NOT EXISTS (?P<name>\w+)\n\((?P<body>.*?)^\)\n"
    r"ENGINE = (?P<engine>[^\n]+)\n(?:PARTITION BY (?P<partition>[^\n]+)\n)?ORDER BY (?P<key>[^\n]+)",
    re.DOTALL | re.MULTILINE,
)
SAME_COLUMNS = re.compile(
    r"^CREATE TABLE IF NOT EXISTS (?P<name>\w+) AS (?P<model>\w+)\n"
    r"ENGINE = (?P<engine>[^\n]+)\n(?:PARTITION BY (?P<partition>[^\n]+)\n)?ORDER BY (?P<key>[^\n]+)",
    re.MULTILINE,
)
COLUMN = re.compile(
    r"^    (?P<name>\w+) (?P<type>.+?)(?: (?:DEFAULT|ALIAS|MATERIALIZED) [\s\S]+?)? "
    r"COMMENT '(?P<comment>(?:[^']|'')*)'",
    re.MULTILINE,
)

ALTER = re.compile(r"^ALTER TABLE (?P<name>\w+)\n(?P<body>[\s\S]*?);", re.MULTILINE)
ADDED = re.compile(
    r"^    ADD COLUMN IF NOT EXISTS (?P<name>\w+) (?P<type>.+?)(?:\s+DEFAULT [\s\S]+?)?\s+"
    r"COMMENT '(?P<comment>(?:[^']|'')*)'",
    re.MULTILINE,
)


def markdown() -> str:
    """The page docs/data-model.md holds."""
    folder = files("outlay_collector.store").joinpath("migrations")
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda file: file.name)
    texts = [entry.read_text(encoding="utf-8") for entry in entries]
    added: dict[str, list[re.Match[str]]] = {}
    for change in ALTER.finditer("\n".join(texts)):
        added.setdefault(change["name"], []).extend(ADDED.finditer(change["body"]))
    parts = [HEAD]
    for text in texts:
        found = [(table.start(), _table(table, added.get(table["name"], []))) for table in TABLE.finditer(text)]
        found += [(table.start(), _same_columns(table)) for table in SAME_COLUMNS.finditer(text)]
        parts += [page for _, page in sorted(found)]
    return "\n".join(parts)


def _table(table: re.Match[str], added: Sequence[re.Match[str]]) -> str:
    lines = [line.removeprefix("--").strip() for line in table["comment"].splitlines()]
    about = " ".join(line for line in lines if line and not line.startswith("shard:"))
    rows = [
        f"| `{column['name']}` | {column['type'].replace('|', '&#124;')} | {_cell(column['comment'])} |"
        for column in [*COLUMN.finditer(table["body"]), *added]
    ]
    return "\n".join(
        [
            f"## {table['name']}",
            "",
            *([about, ""] if about else []),
            _place(table),
            "",
            "| column | type | meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _same_columns(table: re.Match[str]) -> str:
    return f"## {table['name']}\n\nThe columns of `{table['model']}`.\n\n{_place(table)}\n"


def _place(table: re.Match[str]) -> str:
    partition = f", partitioned by `{table['partition']}`" if table["partition"] else ""
    return f"{table['engine']}, ordered by `{table['key']}`{partition}"


def _cell(text: str) -> str:
    return text.replace("''", "'").replace("|", "&#124;")


if __name__ == "__main__":
    print(markdown(), end="")
