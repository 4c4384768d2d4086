"""Two measures side by side: a table for a pull request, JSON for programs, and whether a limit is exceeded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from outlay.ci.measure import Measure, Totals
from outlay.optimizations.evaluation_results import EvaluationSummary

MARK = "<!-- outlay ci -->"
"""By which a comment of an earlier run is found again."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one revision to another.

    Attributes:
        by: What the rows are: `feature`, `model`.
        limit_percent: Largest increase that is allowed; None allows any.
        scores: Candidate of an evaluation → its summary against the base.
    """

    base: Measure
    head: Measure
    by: str
    limit_percent: Decimal | None = None
    scores: Mapping[str, EvaluationSummary] = field(default_factory=dict)

    @property
    def increase(self) -> Decimal | None:
        """Of the cost, 0.1 for a tenth; of the tokens where a call has no price; None where it has no measure."""
        base, head = self.base.all, self.head.all
        if self.base.exit_code or self.head.exit_code:
            return None
        if self.by_tokens:
            return ratio(Decimal(base.tokens), Decimal(head.tokens))
        return ratio(base.cost_usd or Decimal(0), head.cost_usd or Decimal(0))

    @property
    def by_tokens(self) -> bool:
        """Whether tokens are compared in place of money, which is not wholly known."""
        return bool(self.base.all.unpriced or self.head.all.unpriced)

    @property
    def is_over(self) -> bool:
        """Whether the limit is exceeded, or an evaluation is worse."""
        return self.is_dearer or self.is_worse

    @property
    def is_dearer(self) -> bool:
        """Whether the limit is exceeded. From nothing, anything is too much."""
        if self.limit_percent is None or self.base.exit_code or self.head.exit_code:
            return False
        if self.increase is None:
            return bool(self.head.all.tokens if self.by_tokens else self.head.all.cost_usd)
        return self.increase * 100 > self.limit_percent

    @property
    def is_worse(self) -> bool:
        """Whether any candidate of the evaluation is worse than at the base."""
        return any("worse" in summary.verdict.values() for summary in self.scores.values())

    @property
    def notes(self) -> list[str]:
        """What a reader must know beside the numbers."""
        found = []
        for which, measure in (("base", self.base), ("head", self.head)):
            if measure.exit_code:
                found.append(f"The command failed at the {which} (exit code {measure.exit_code}): nothing is compared.")
            elif measure.all.unpriced:
                found.append(
                    f"{measure.all.unpriced:,} of {measure.all.calls:,} calls at the {which} have no price; "
                    "tokens are compared in place of the money."
                )
        return found


def ratio(base: Decimal, head: Decimal) -> Decimal | None:
    """How much more, as a share of before; None where there was nothing before and is something now."""
    if not base:
        return None if head else Decimal(0)
    return head / base - 1


def json_text(found: Comparison) -> str:
    """Everything, as an object."""
    names = [*dict.fromkeys([*found.base.rows, *found.head.rows])]
    scores = {
        label: {
            "verdict": dict(summary.verdict),
            "difference": {
                scorer: {"mean": one.mean, "low": one.low, "high": one.high, "n": one.n}
                for scorer, one in summary.versus_baseline.items()
            },
        }
        for label, summary in found.scores.items()
    }
    told: dict[str, Any] = {
        "by": found.by,
        "base": {"revision": found.base.revision, **found.base.all.as_json()},
        "head": {"revision": found.head.revision, **found.head.all.as_json()},
        "increase_ratio": None if found.increase is None else float(found.increase),
        "increase_of": "tokens" if found.by_tokens else "cost_usd",
        "limit_percent": None if found.limit_percent is None else float(found.limit_percent),
        "over": found.is_over,
        "rows": [
            {
                "name": name,
                "base": found.base.rows.get(name, Totals()).as_json(),
                "head": found.head.rows.get(name, Totals()).as_json(),
            }
            for name in names
        ],
        "scores": scores,
        "notes": found.notes,
    }
    return json.dumps(told, indent=2, allow_nan=False) + "\n"


def markdown_text(found: Comparison) -> str:
    """A table, dearest rows first."""

    def dearest(name: str) -> tuple[Decimal, int]:
        both = [measure.rows.get(name, Totals()) for measure in (found.head, found.base)]
        return max(one.cost_usd or Decimal(0) for one in both), max(one.tokens for one in both)

    names = sorted({*found.base.rows, *found.head.rows}, key=dearest, reverse=True)
    lines = [MARK, f"**Model calls: {found.base.revision} → {found.head.revision}**", ""]
    lines += [f"| {found.by} | calls | input tokens | output tokens | USD |", "|---|---:|---:|---:|---:|"]
    lines += [_row(name, found.base.rows.get(name, Totals()), found.head.rows.get(name, Totals())) for name in names]
    lines += [_row("**all**", found.base.all, found.head.all), ""]
    lines += [f"- {note}" for note in found.notes]
    if not found.base.exit_code and not found.head.exit_code:
        lines.append(f"- {_verdict(found)}")
    for label, summary in found.scores.items():
        for scorer, verdict in summary.verdict.items():
            one = summary.versus_baseline[scorer]
            known = one.mean is not None and one.low is not None and one.high is not None
            told = f" ({one.mean:+.3f}, 95 % [{one.low:+.3f}, {one.high:+.3f}])" if known else ""
            lines.append(f"- {_cell(label)}, {_cell(scorer)}: {verdict}{told}")
    return "\n".join(lines) + "\n"


def _verdict(found: Comparison) -> str:
    what = "Tokens" if found.by_tokens else "The cost"
    if found.increase is None:
        change = f"{what}: from nothing to something"
    else:
        change = f"{what} {'rise' if found.by_tokens else 'rises'} by {found.increase:.1%}"
        if found.increase <= 0:
            change = f"{what} {'do' if found.by_tokens else 'does'} not rise ({found.increase:+.1%})"
    if found.limit_percent is None:
        return change + "."
    limit = f"the limit of {found.limit_percent:f} %"
    return f"**{change}, over {limit}.**" if found.is_dearer else f"{change}, within {limit}."


def _row(name: str, base: Totals, head: Totals) -> str:
    money = [one.cost_usd for one in (base, head)]
    told = " → ".join("–" if usd is None else _usd(usd) for usd in money)
    if money[0] == money[1]:
        told = told.split(" → ", maxsplit=1)[0]
    elif None not in money:
        told += _change(*(Decimal(usd or 0) for usd in money))
    cells = [_cell(name), _pair(base.calls, head.calls), _pair(base.input_tokens, head.input_tokens)]
    return "| " + " | ".join([*cells, _pair(base.output_tokens, head.output_tokens), told]) + " |"


def _usd(usd: Decimal) -> str:
    """Six digits after the point, more where there is more: the cost of a call may be less than a millionth."""
    whole, _, parts = f"{usd:.12f}".rstrip("0").partition(".")
    return f"{whole}.{parts:0<6}"


def _pair(base: int, head: int) -> str:
    return f"{base:,}" if base == head else f"{base:,} → {head:,}{_change(Decimal(base), Decimal(head))}"


def _change(base: Decimal, head: Decimal) -> str:
    change = ratio(base, head)
    return "" if change is None else f" ({change:+.1%})"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
