"""What another model of a scenario is worth: how its answers are scored in the same feature and window, where they are.

The difference of both mean scores with its 95 % interval (Newcombe's for shares, Welch's for means), from
`LEAST_SCORED` scored answers of each on; below that the quality is unknown, and said to be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay_analytics.query.scope import Scope
from outlay_analytics.questions.experiments import MARGIN, judge
from outlay_analytics.questions.scored_models import answers_by_model, sums_by_model
from outlay_analytics.questions.tradeoff import LEAST_SCORED
from outlay_analytics.statistics.intervals import difference, interval
from outlay_analytics.statistics.moments import Moments
from outlay_collector.store import Store

MAX_FEATURES = 100
NAMED = 5  # features that a caveat names
UNKNOWN = "not enough data"
BOTH_NAMES = "concat(c.model, '\\n', c.request_model)"  # that answered, and that was asked for: either may be meant
Models = list[tuple[list[str], Moments]]


@dataclass(frozen=True)
class Swap:
    """A model in place of another; None: of every one."""

    source: str | None
    target: str


def measured_quality(store: Store, scope: Scope, swaps: Sequence[Swap]) -> tuple[list[dict[str, Any]], list[str]]:
    """How the models of a scenario are scored against those that they take the place of, and what has to be said of it.

    Returns:
        Rows per swap and feature in which the other model is scored: `feature`, `from_model` (None: all others),
        `to_model`, `score`, `from_n`, `from_mean`, `to_n`, `to_mean`, `difference`, `ci_low`, `ci_high`, `verdict`
        (no worse: within 0.02); and the sentences.
    """
    if not swaps:
        return [], []
    sums, told = sums_by_model(answers_by_model(store, scope, "c.feature", BOTH_NAMES))
    by_feature: dict[str, Models] = {}
    for (feature, names), one in sums.items():
        if one.score.units:
            by_feature.setdefault(feature, []).append((names.split("\n"), one.score))
    rows: list[dict[str, Any]] = []
    for swap in dict.fromkeys(swaps):
        rows += [
            _row(feature, swap, told[feature], models)
            for feature, models in sorted(by_feature.items())[:MAX_FEATURES]
            if swap.source != swap.target and any({swap.source, swap.target} & {*names} for names, _ in models)
        ]
    return rows, [_sentence(swap, [row for row in rows if _is_of(row, swap)]) for swap in dict.fromkeys(swaps)]


def _is_of(row: Mapping[str, Any], swap: Swap) -> bool:
    return (row["from_model"], row["to_model"]) == (swap.source, swap.target)


def _row(feature: str, swap: Swap, score: str, models: Models) -> dict[str, Any]:
    mine = [one for names, one in models if swap.target in names]
    others = [one for names, one in models if swap.target not in names and (swap.source or names[0]) in names]
    before, after = sum(others, Moments()), sum(mine, Moments())
    enough = min(before.units, after.units) >= LEAST_SCORED
    found = difference(before, after)
    return {
        "feature": feature or None,
        "from_model": swap.source,
        "to_model": swap.target,
        "score": score,
        "from_n": before.units,
        "from_mean": interval(before).value,
        "to_n": after.units,
        "to_mean": interval(after).value,
        "difference": found.value if enough else None,
        "ci_low": found.low if enough else None,
        "ci_high": found.high if enough else None,
        "verdict": judge(found, MARGIN) if enough else UNKNOWN,
    }


def _sentence(swap: Swap, rows: Sequence[Mapping[str, Any]]) -> str:
    """What is known of a model's answers, in words."""
    known = [row for row in rows if row["difference"] is not None]
    if not known:
        most = max((row["to_n"] for row in rows), default=0)
        return (
            f"Quality unknown: whether {swap.target} answers as well is not known here; at most {most} of its answers "
            f"in a feature are scored, and it takes {LEAST_SCORED} of each model."
        )
    told = "; ".join(
        f"{row['feature'] or '(no feature)'} {row['to_mean']:.3g} in place of {row['from_mean']:.3g} ({row['score']}, "
        + (row["verdict"] if row["verdict"] != UNKNOWN else "the interval holds both")
        + ")"
        for row in known[:NAMED]
    )
    more = f"; {len(known) - NAMED} more features below" if len(known) > NAMED else ""
    rest = " Elsewhere its quality is unknown." if len(known) < len(rows) else ""
    return (
        f"Measured quality of {swap.target}: {told}{more}. That its answers to the other calls would be like these is "
        f"assumed.{rest}"
    )
