"""Values of filters: which one no call ever had, and what was probably meant."""

from __future__ import annotations

import difflib
import sys

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_web.cli.ask import Ask, Refused

EVER = "-400d"  # as far back as spans are taken
MAX_NAMES = 1000
NEAR = 0.55


def unknown_filter(ask: Ask) -> str:
    """A sentence about the first filter whose value no recorded call has, empty if all are known.

    `no calls match --feature serach; did you mean doc-search?`
    """
    project = [(name, value) for name, value in ask.common if name == "project"]
    for name, value in ask.common:
        tag = name.startswith("tag.")
        if name not in DIMENSIONS and not tag:
            continue
        try:
            seen = ask.apart([*project, (name, value)]).get("/spend", start=EVER)
            if seen["total"]["calls"]:
                continue
            rows = ask.apart(project).get("/spend", start=EVER, group_by=name, limit=MAX_NAMES)["rows"]
        except Refused:
            return ""
        names = sorted({str(row[name]) for row in rows if row.get(name) and not row.get("remainder")})
        near = difflib.get_close_matches(value, names, n=3, cutoff=NEAR)
        given = f"--tag {name[4:]}={value}" if tag else f"--{name.replace('_', '-')} {value}"
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        return f"no calls match {given}{hint}"
    return ""


def warn_unknown_filter(ask: Ask) -> None:
    """Say on stderr that an empty answer is empty because no call has such a value."""
    said = unknown_filter(ask)
    if said:
        print(f"outlay: {said}", file=sys.stderr)
