"""Scores as a filter: `score.correct=0`, `score.correct=<0.5`, `score.judge=pass`, for whatever can be filtered.

A call matches that is scored so: itself, in the span right above it, or as part of a trace that is scored as a whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_collector.store import load_sql

PREFIX = "score."
ANY = "*"
COMPARED = re.compile(r"(<=|>=|<|>)(.*)", re.DOTALL)


def score_name(name: str) -> str | None:
    """`correct` of `score.correct`, None for another filter."""
    return name[len(PREFIX) :] if name.startswith(PREFIX) and len(name) > len(PREFIX) else None


def check_values(name: str, values: Sequence[str]) -> None:
    """Refuse a comparison with something that is no number.

    Raises:
        BadRequest: Naming it and what can be asked.
    """
    for value in values:
        compared = COMPARED.fullmatch(value)
        if compared and _number(compared[2]) is None:
            raise BadRequest(
                f"{name}: {value[:SHOWN]!r} compares with no number; use a value (0, pass), a comparison (<0.5, >=4), "
                "* for any, or nothing for not scored"
            )


def condition_sql(
    key: str, project: str, score: str, values: Sequence[str], parents: bool, params: dict[str, Any]
) -> str:
    """The condition on `c` that any of the values holds; its parameters are named after `key`.

    Args:
        parents: Whether `c` knows the span above it.
        values: A number or label; `<0.5` and the like; `*`, any score of that name; the empty text, none.
    """
    params |= {f"{key}_project": project, f"{key}_score": score}
    said = [_said(f"{key}_{number}", value, params) for number, value in enumerate(values) if value]
    found = [_scored(key, " OR ".join(said), parents)] if said else []
    if "" in values:
        found.append(f"NOT {_scored(key, '1', parents)}")
    return f"({' OR '.join(found)})"


def _scored(key: str, said: str, parents: bool) -> str:
    spans = ["c.span_id", "''", *(["c.parent_span_id"] if parents else [])]
    rows = load_sql("outlay_analytics.query.sql", "scored_spans", key=key, said=said)
    return f"({' OR '.join(f'(c.trace_id, {span}) IN ({rows})' for span in spans)})"


def _said(key: str, value: str, params: dict[str, Any]) -> str:
    if value == ANY:
        return "1"
    compared = COMPARED.fullmatch(value)
    number = _number(compared[2] if compared else value)
    if compared:
        params[f"{key}_value"] = number
        return f"ifNull(s.value {compared[1]} {{{key}_value:Float64}}, false)"
    params[f"{key}_label"] = value
    label = f"s.label = {{{key}_label:String}}"
    if number is None:
        return label
    params[f"{key}_value"] = number
    return f"ifNull(s.value = {{{key}_value:Float64}}, false) OR {label}"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
