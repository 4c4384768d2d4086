"""Evaluation: the rows of a benchmark, a summary per candidate, and how each compares with the baseline.

A row that failed counts: its score is `on_error`. Intervals of scores within 0 and 1 hold at every number of examples
(see `intervals.py`), and "no worse" is said only where the data show it: wrongly at most one time in forty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from outlay.optimizations.intervals import mean_interval, share_interval, student_t_975


@dataclass(frozen=True, slots=True)
class Row:
    """One candidate's answer to one example.

    Attributes:
        scores: By scorer; those that failed are missing.
        error: What went wrong, in the candidate or in a scorer.
        failed: Whether the candidate gave no answer.
    """

    index: int
    candidate: str
    output: Any
    scores: Mapping[str, float]
    cost_usd: Decimal | None
    latency_s: float
    error: str | None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; the ends are None below two values, and where nothing is known of the spread."""

    mean: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Summary:
    """What a candidate did.

    Attributes:
        errors: Rows in which the candidate or a scorer failed; they count as `on_error`.
        scores: Mean and interval per scorer.
        cost_usd: Of all examples, as far as prices are known.
        cost_per_example_usd: Mean of the examples with a known cost.
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
class Evaluation:
    """All rows and a summary per candidate."""

    rows: list[Row]
    summaries: dict[str, Summary]

    @property
    def regressed(self) -> bool:
        """Whether any candidate is worse than the baseline in any score."""
        return any("worse" in summary.verdict.values() for summary in self.summaries.values())

    @property
    def undecided(self) -> bool:
        """Whether there are too few data to say of any candidate and score that it is no worse, or that it is."""
        return any("not enough data" in summary.verdict.values() for summary in self.summaries.values())

    def __str__(self) -> str:
        names = sorted({name for summary in self.summaries.values() for name in summary.scores})
        lines = [
            " ".join(
                [
                    f"{'candidate':20s}",
                    *(f"{name:>24s}" for name in names),
                    f"{'failed':>8s}",
                    f"{'USD':>12s}",
                    f"{'p95 s':>8s}",
                ]
            )
        ]
        for summary in self.summaries.values():
            cells = [_cell(summary.scores.get(name)) for name in names]
            p95 = "–" if summary.p95_s is None else f"{summary.p95_s:.2f}"
            lines.append(
                " ".join(
                    [
                        f"{summary.candidate:20s}",
                        *(f"{cell:>24s}" for cell in cells),
                        f"{summary.errors:8d}",
                        f"{summary.cost_usd:12f}",
                        f"{p95:>8s}",
                    ]
                )
            )
        return "\n".join(lines)


def compare(
    rows: list[Row], candidates: Sequence[str], scorers: list[str], baseline: str, margin: float, on_error: float
) -> Evaluation:
    """Sum the rows up by candidate, and compare each with the baseline."""
    by_candidate = {label: [row for row in rows if row.candidate == label] for label in candidates}
    scales = {scorer: _scale([_score(row, scorer, on_error) for row in rows]) for scorer in scorers}
    summaries = {}
    for label, found in by_candidate.items():
        against = by_candidate[baseline] if label != baseline else None
        summaries[label] = _summary(label, found, against, scorers, margin, on_error, scales)
    return Evaluation(rows, summaries)


def _summary(
    label: str,
    rows: list[Row],
    baseline: list[Row] | None,
    scorers: list[str],
    margin: float,
    on_error: float,
    scales: Mapping[str, tuple[float, float]],
) -> Summary:
    latencies = sorted(row.latency_s for row in rows if not row.failed)
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    differences: dict[str, Interval] = {}
    verdict: dict[str, str] = {}
    if baseline is not None:
        theirs = {row.index: row for row in baseline}
        for scorer in scorers:
            pairs = [
                _score(row, scorer, on_error) - _score(theirs[row.index], scorer, on_error)
                for row in rows
                if theirs[row.index].failed or scorer in theirs[row.index].scores
            ]
            least, most = scales[scorer]
            differences[scorer] = _bounded(pairs, least - most, most - least)
            verdict[scorer] = _verdict(differences[scorer], margin)
    return Summary(
        candidate=label,
        n=len(rows),
        errors=sum(row.error is not None for row in rows),
        scores={name: interval([_score(row, name, on_error) for row in rows]) for name in scorers},
        cost_usd=sum(costs, Decimal(0)),
        cost_per_example_usd=sum(costs, Decimal(0)) / len(costs) if costs else None,
        p50_s=_quantile(latencies, 0.5),
        p95_s=_quantile(latencies, 0.95),
        versus_baseline=differences,
        verdict=verdict,
    )


def _verdict(difference: Interval, margin: float) -> str:
    if difference.low is None or difference.high is None:
        return "not enough data"
    if difference.low > 0:
        return "better"
    if difference.low >= -margin:
        return "no worse"
    return "worse" if difference.high < 0 else "not enough data"


def _score(row: Row, scorer: str, on_error: float) -> float:
    return row.scores.get(scorer, on_error)


def _scale(scores: Sequence[float]) -> tuple[float, float]:
    """The bounds of a scorer: 0 and 1 if they hold, else what was seen of all candidates."""
    if not scores or (min(scores) >= 0 and max(scores) <= 1):
        return 0.0, 1.0
    return min(scores), max(scores)


def _bounded(values: Sequence[float], least: float, most: float) -> Interval:
    """Mean and 95 % interval of values within bounds."""
    mean = _mean(values)
    if mean is None or len(values) < 2 or not 0 < most - least < math.inf:
        return Interval(mean, None, None, len(values))
    return Interval(mean, *mean_interval(values, least, most), len(values))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(value / len(values) for value in values) if values else None


def interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % interval: exact for shares, by betting for values within 0 and 1, Student's t for any others.

    The t quantile comes from the normal one by the Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5), exact to
    0.01 from four values on; for two and three values the table's own numbers are used. Equal values outside 0 and 1
    say nothing about their spread.
    """
    import statistics

    n, mean = len(values), _mean(values)
    if mean is None or n == 1:
        return Interval(mean, None, None, n)
    if all(value in (0, 1) for value in values):
        return Interval(mean, *share_interval(round(sum(values)), n), n)
    if min(values) >= 0 and max(values) <= 1:
        return _bounded(values, 0.0, 1.0)
    try:
        half = student_t_975(n - 1) * statistics.stdev(values) / math.sqrt(n)
    except OverflowError:
        half = 0.0
    return Interval(mean, mean - half, mean + half, n) if half else Interval(mean, None, None, n)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _cell(found: Interval | None) -> str:
    if found is None or found.mean is None:
        return "–"
    if found.low is None or found.high is None:
        return f"{found.mean:.3f}"
    return f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]"
