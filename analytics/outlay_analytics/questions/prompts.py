"""What prompts use and cost, by version and part, and what changed from one version to the next.

Works from counts alone: `outlay.prompt.part.<name>.tokens` says how many tokens of a prompt are system, context,
history, tools, user …; texts are never needed. A part's money is its share of the input's cost::

    usd(part) = Σ cost of the input of the calls that say their parts · tokens(part) ÷ Σ their input tokens

What the parts leave of the input stands as the part `other`, so that parts add up to it; where they claim more than the
input, shares are of what they claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS, PICO, days_of, per
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.cache_breaks import cache_breaks
from outlay_analytics.questions.prompt_savings import savings
from outlay_analytics.questions.prompt_source import prompt_source
from outlay_analytics.questions.scores import SQL
from outlay_collector.store import Store, load_sql

MAX_ROWS = 1000
OTHER = "other"
Row = dict[str, Any]


@one_look()
def prompts(store: Store, scope: Scope) -> Row:
    """Prompts of a scope by version, the most expensive first.

    Returns:
        `window`, `currency`, and `rows` with `prompt`, `prompt_version`, `calls`, `cost_usd`, `cost_per_call_usd`,
        `input_tokens_per_call`, `output_tokens_per_call`, `cache_read_ratio`, `first_at`, `last_at`, `parts` (each
        `part`, `tokens_per_call`, `share`, `usd`; empty where no call says any), and `change` against the version that
        began before it (ever, not in the window): `from_version`, the differences per call, of each part, and
        `monthly_usd` at this version's calls; None for the first. At most 1,000 rows; `rows_left_out` says
        whether there are more. `savings`: see `prompt_savings.py`; `cache_breaks`: see `cache_breaks.py`.
    """
    params: dict[str, Any] = {"max_rows": MAX_ROWS + 1}
    source = prompt_source(store, scope, params)
    found = store.query(load_sql(SQL, "prompts", source=source, not_answers=NOT_ANSWERS), params)
    rows = [_row(raw) for raw in found[:MAX_ROWS]]
    versions: dict[str, list[Row]] = {}
    began = _firsts(store, scope, rows)
    for row in sorted(rows, key=lambda one: (began[one["prompt"], one["prompt_version"]], one["prompt_version"] or "")):
        before = versions.setdefault(row["prompt"], [])
        row["change"] = _change(before[-1], row) if before else None
        before.append(row)
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        "rows": rows,
        "rows_left_out": len(found) > MAX_ROWS,
        "savings": savings(
            store, scope, [row["prompt"] for row in rows], [part["part"] for row in rows for part in row["parts"]]
        ),
        "cache_breaks": cache_breaks(store, scope),
    }


def _firsts(store: Store, scope: Scope, rows: Sequence[Row]) -> dict[tuple[str, str | None], datetime]:
    """When each prompt and version first appeared."""
    if not rows:
        return {}
    params = {"project": scope.project, "prompts": sorted({row["prompt"] for row in rows})}
    found = store.query(load_sql(SQL, "prompt_firsts"), params)
    return {(row["prompt"], row["version"] or None): row["first_at"] for row in found}


def _row(raw: Mapping[str, Any]) -> Row:
    return {
        "prompt": raw["prompt"],
        "prompt_version": raw["version"] or None,
        "calls": raw["calls"],
        "cost_usd": raw["usd"] if raw["priced_calls"] else None,
        "priced_ratio": raw["priced_calls"] / raw["calls"],
        "cost_per_call_usd": per(raw["usd"], raw["priced_calls"]),
        "input_tokens_per_call": _mean(raw["input"], raw["used_calls"]),
        "output_tokens_per_call": _mean(raw["output"], raw["answered_calls"]),
        "cache_read_ratio": _mean(raw["cached"], raw["input"]),
        "first_at": raw["first_at"],
        "last_at": raw["last_at"],
        "parts": _parts(raw),
        "change": None,
    }


def _parts(raw: Mapping[str, Any]) -> list[Row]:
    """Each part's tokens, share and money, the largest first, what they leave last."""
    counts = {str(name): int(tokens) for name, tokens in dict(raw["parts"]).items() if tokens}
    if not counts or not raw["parted_calls"]:
        return []
    rest = int(raw["parted_input"]) - sum(counts.values())
    found = sorted(counts.items(), key=lambda one: (-one[1], one[0])) + ([(OTHER, rest)] if rest > 0 else [])
    whole = sum(tokens for _, tokens in found)
    usd = Decimal(raw["parted_input_usd"])
    return [
        {
            "part": name,
            "tokens_per_call": tokens / raw["parted_calls"],
            "share": tokens / whole,
            "usd": (usd * tokens / whole).quantize(PICO, ROUND_HALF_UP) if raw["parted_priced_calls"] else None,
        }
        for name, tokens in found
    ]


def _change(before: Row, row: Row) -> Row:
    """What a version uses more or less than the one that began before it, per call and at its own calls of a month."""
    days = days_of(row["first_at"], row["last_at"])
    was, now = ({part["part"]: part["tokens_per_call"] for part in one["parts"]} for one in (before, row))
    per_call = _less(row["cost_per_call_usd"], before["cost_per_call_usd"])
    monthly = None if per_call is None else per(per_call * row["calls"] * MONTH_DAYS, days)
    parts = [
        {"part": name, "tokens_per_call": now.get(name, 0.0) - was.get(name, 0.0)}
        for name in dict.fromkeys((*now, *was))
        if was and now
    ]
    parts.sort(key=lambda one: (-abs(one["tokens_per_call"]), one["part"]))
    return {
        "from_version": before["prompt_version"],
        "input_tokens_per_call": _less(row["input_tokens_per_call"], before["input_tokens_per_call"]),
        "output_tokens_per_call": _less(row["output_tokens_per_call"], before["output_tokens_per_call"]),
        "cost_per_call_usd": per_call,
        "monthly_usd": monthly,
        "parts": parts,
    }


def _less(one: Any, other: Any) -> Any:
    return None if one is None or other is None else one - other


def _mean(total: float, count: int) -> float | None:
    return float(total) / count if count else None
