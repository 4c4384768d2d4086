"""What prompts could do without: documents beyond those needed, what was said before and is sent again, idle tools.

From token counts of parts alone. A part's money is its share of each call's input, at what that input cost::

    usd(part) = Σ cost of a call's input · tokens(part) ÷ max(its input tokens, Σ tokens of its parts)

- *documents* (`context`, `documents`, `retrieval`): half as many cost half; with the tag `top_k` on the calls also what
  one document costs, so that `top_k` = k saves (K − k) of them.
- *history*: all of it was sent before. What the provider's cache gave beyond the parts that stand before it (system,
  tools) was cheap; the rest was paid for again, and is what a cached prefix or a summary could save at most.
- *tools*: definitions in calls whose trace has no span of an executed tool; parts `tools.<name>` one by one, those that
  no trace of the prompt called. Where no trace called any, tools may not be traced, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS, days_of, per
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.scores import SQL
from outlay_collector.store import Store, load_sql

DOCUMENTS = ("context", "documents", "retrieval")
HISTORY = ("history",)
TOOLS = "tools"
STABLE = ("system",)  # parts that stand before the history, as tools do
KINDS = ("documents", "history", "tools")
UNTRACED = "no trace has a span of an executed tool: none is called, or none is traced"
MAX_ROWS = 1000
Row = dict[str, Any]


def savings(store: Store, scope: Scope, prompts: Sequence[str], parts: Sequence[str]) -> list[Row]:
    """What prompts could save, the most first.

    Args:
        prompts: Their names.
        parts: Names of the parts that their calls say; without any of those above nothing is asked.

    Returns:
        Rows with `prompt`, `kind` (`documents`, `history`, `tools`), `part`, `tokens_per_call`, `share` of the input,
        `monthly_usd` (what the part costs), `saving_monthly_usd` (half the documents, history that was paid for
        again, tools that nobody called), and of documents `per_call` and `each_monthly_usd`, None where no `top_k`
        is known; `reason` says what was counted.
    """
    has_tools = any(_is_tool(part) for part in parts)
    if not prompts or not (has_tools or {*parts} & {*DOCUMENTS, *HISTORY}):
        return []
    params: dict[str, Any] = {
        "project": scope.project,
        "start": sql_instant(scope.window.start),
        "end": sql_instant(scope.window.end),
        "prompts": list(dict.fromkeys(prompts)),
        "max_rows": MAX_ROWS,
    }
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    called: dict[str, set[str]] = {}
    if has_tools:
        for row in store.query(load_sql(SQL, "prompt_tools", filters=filters), params):
            called.setdefault(row["prompt"], set()).add(row["tool"])
    sql = load_sql(
        SQL,
        "prompt_savings",
        filters=filters,
        not_answers=NOT_ANSWERS,
        called=load_sql(SQL, "prompt_tool_traces") if called else "0",
    )
    own = {"documents": list(DOCUMENTS), "history": list(HISTORY), "stable": list(STABLE)}
    found: list[Row] = []
    for raw in store.query(sql, params | own):
        found += _rows(raw, called.get(raw["prompt"], set()))
    return sorted(found, key=lambda row: (-(row["saving_monthly_usd"] or Decimal(0)), row["prompt"], row["part"]))


def _rows(raw: Mapping[str, Any], called: set[str]) -> list[Row]:
    names, counts, amounts = raw["parts"]
    tokens, usd = dict(zip(names, counts, strict=True)), dict(zip(names, amounts, strict=True))
    idle = dict(zip(raw["idle"][0], raw["idle"][2], strict=True))
    months = days_of(raw["first_at"], raw["last_at"]) / MONTH_DAYS

    def row(kind: str, part: str, saving: float | None, reason: str) -> Row:
        return {
            "prompt": raw["prompt"],
            "kind": kind,
            "part": part,
            "tokens_per_call": tokens[part] / raw["parted_calls"],
            "share": min(1.0, tokens[part] / raw["input_tokens"]),
            "monthly_usd": _monthly(usd[part], months),
            "saving_monthly_usd": None if saving is None else _monthly(saving, months),
            "per_call": None,
            "each_monthly_usd": None,
            "reason": reason,
        }

    found = []
    for part in (name for name in DOCUMENTS if tokens.get(name)):
        one = row("documents", part, usd[part] / 2, "half as many documents; whether answers stay as good is not known")
        if raw["documents_per_call"] and raw["documents_per_call"] > 0:
            one["per_call"] = raw["documents_per_call"]
            one["each_monthly_usd"] = _monthly(usd[part] / raw["documents_per_call"], months)
        found.append(one)
    for part in (name for name in HISTORY if tokens.get(name)):
        again = raw["unread_tokens"] / tokens[part]
        found.append(row("history", part, raw["unread_usd"], f"{again:.0%} of what was sent again came from no cache"))
    for part in (name for name in tokens if _is_tool(name) and tokens[name]):
        name = part.removeprefix(TOOLS).removeprefix(".")
        if not called:
            found.append(row("tools", part, None, UNTRACED))
        elif name:
            used = name in called
            reason = "called" if used else f"no trace called {name}"
            found.append(row("tools", part, 0.0 if used else usd[part], reason))
        else:
            calls = raw["parted_calls"] - raw["calling_calls"]
            reason = f"{calls} of {raw['parted_calls']} calls are in traces that called no tool"
            found.append(row("tools", part, idle.get(part, 0.0), reason))
    return found


def _is_tool(part: str) -> bool:
    return part == TOOLS or part.startswith(f"{TOOLS}.")


def _monthly(usd: float, months: Decimal) -> Decimal | None:
    return per(Decimal(f"{usd:.12f}"), months)
