"""What an evaluation found, as values: intervals, summaries, rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from outlay.optimizations.evaluation_rows import EvaluationRow, Header


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; the ends are None below two values, and where nothing is known of the spread."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class EvaluationSummary:
    """What a candidate did.

    Attributes:
        n: Rows.
        errors: Rows in which the candidate or a scorer failed; they count as `on_error`.
        scores: Mean and interval per scorer, over examples.
        cost_usd: Of all rows, as far as prices are known.
        cost_per_example_usd: Mean of the rows with a known cost.
        p50_s, p95_s: Latency.
        versus_baseline: Paired difference to the baseline per scorer.
        verdict: Per scorer `better`, `no worse`, `worse` or `not enough data`, against the baseline.
    """

    candidate: str
    n: int
    errors: int
    scores: Mapping[str, Interval]
    cost_usd: Decimal
    cost_per_example_usd: Decimal | None
    p50_s: float | None
    p95_s: float | None
    versus_baseline: Mapping[str, Interval] = field(default_factory=dict)
    verdict: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """All rows and a summary per candidate.

    Attributes:
        header: What was evaluated; its `run_id` is the tag `evaluation_run` of every call.
        not_asked: Rows that the budget left no money for.
    """

    rows: list[EvaluationRow]
    summaries: dict[str, EvaluationSummary]
    header: Header
    not_asked: int = 0

    @property
    def run_id(self) -> str:
        """The run's own name."""
        return self.header.run_id

    @property
    def regressed(self) -> bool:
        """Whether any candidate is worse than the baseline in any score."""
        return any("worse" in summary.verdict.values() for summary in self.summaries.values())

    @property
    def undecided(self) -> bool:
        """Whether there are too few data to say of any candidate and score that it is no worse, or that it is."""
        return any("not enough data" in summary.verdict.values() for summary in self.summaries.values())


def by_candidate(rows: Iterable[EvaluationRow], candidates: Iterable[str]) -> dict[str, list[EvaluationRow]]:
    """Candidate → its rows."""
    found: dict[str, list[EvaluationRow]] = {label: [] for label in candidates}
    for row in rows:
        if row.candidate in found:
            found[row.candidate].append(row)
    return found
