"""SQL files: read once, identifiers filled in from allow-lists, values left to ClickHouse.

A query file lies in its room (`outlay_analytics/questions/sql/spend.sql`). `$name` marks a place for an identifier or a
clause that the code picks from constants; `{name:Type}` is a value that ClickHouse binds itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Template
from typing import Any

Row = dict[str, Any]
Params = Mapping[str, Any]


@cache
def _template(package: str, name: str) -> Template:
    """A file without the lines that only comment: the client reads a statement letter by letter before it sends it."""
    lines = files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8").splitlines()
    return Template("\n".join(line for line in lines if not line.lstrip().startswith("--")))


def load_sql(package: str, name: str, **fragments: str) -> str:
    """Return the text of `<package>/<name>.sql`, comments left out, with every `$fragment` filled in.

    Args:
        package: Import path of the folder, written out: `"outlay_analytics.questions.sql"`.
        name: File name without `.sql`.
        fragments: SQL for each `$name` of the file. Only constants of our own code, never a user's text.

    Raises:
        KeyError: If the file names a fragment that was not given.
    """
    return _template(package, name).substitute(fragments)
