"""Evaluation: the rows of a benchmark, a summary per candidate, and how each compares with the baseline.

A row that failed counts: its score is `on_error`. Intervals of scores within 0 and 1 hold at every number of examples
(see `intervals.py`), and "no worse" is said only where the data show it: wrongly at most one time in forty. An example
that was asked several times counts once, with the mean of its scores: its repeats say little about other examples.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from os import PathLike

from outlay.optimizations.evaluation_results import EvaluationSummary, Interval, Results, by_candidate
from outlay.optimizations.evaluation_rows import EvaluationRow, Header, read_rows
from outlay.optimizations.intervals import mean_interval, share_interval, student_t_975


@dataclass(frozen=True, slots=True)
class Evaluation(Results):
    """All rows and a summary per candidate.

    Attributes:
        header: What was evaluated; its `run_id` is the tag `evaluation_run` of every call.
        not_asked: Rows that the budget left no money for.
    """

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Evaluation:
        """An earlier one, from the file that `evaluate(results=…)` kept its rows in.

        Raises:
            ValueError: If it is no such file.
        """
        kept = read_rows(path)
        return summarize(kept.header, [row for row in kept.rows.values() if row.candidate in kept.header.candidates])

    def compared_with(
        self, earlier: Evaluation | str | PathLike[str], margin: float | None = None
    ) -> dict[str, EvaluationSummary]:
        """How each candidate does against itself in an earlier run, on the examples of both (paired differences).

        Args:
            earlier: The run, or its file of rows.
            margin: As in `evaluate`; default is this run's.

        Returns:
            Candidate → its summary, whose `versus_baseline` and `verdict` are against the earlier run.

        Raises:
            ValueError: If the runs have no example of a candidate in common.
        """
        before = earlier if isinstance(earlier, Evaluation) else Evaluation.load(earlier)
        found = {}
        limit = self.header.margin if margin is None else margin
        for label, rows in by_candidate(self.rows, self.header.candidates).items():
            theirs = [row for row in before.rows if row.candidate == label]
            shared = {row.key for row in rows} & {row.key for row in theirs}
            if shared:
                own, old = ([row for row in part if row.key in shared] for part in (rows, theirs))
                found[label] = _summary(label, own, old, self.header, limit, _scales([*own, *old], self.header))
        if not found:
            raise ValueError("the runs have no example of a candidate in common")
        return found

    def to_json(self) -> str:
        """Everything: summaries, verdicts, rows; money as text."""
        from outlay.optimizations.evaluation_reports import json_text

        return json_text(self)

    def to_junit(self) -> str:
        """For a build server: a suite per candidate, a case per row and per verdict; `worse` is a failure."""
        from outlay.optimizations.evaluation_reports import junit_text

        return junit_text(self)

    def to_markdown(self) -> str:
        """A table, for a pull request."""
        from outlay.optimizations.evaluation_reports import markdown_text

        return markdown_text(self)

    def __str__(self) -> str:
        from outlay.optimizations.evaluation_reports import plain_text

        return plain_text(self)


def summarize(header: Header, rows: list[EvaluationRow], not_asked: int = 0) -> Evaluation:
    """Sum the rows up by candidate, and compare each with the baseline."""
    of = by_candidate(rows, header.candidates)
    scales = _scales(rows, header)
    summaries = {
        label: _summary(
            label, found, of[header.baseline] if label != header.baseline else None, header, header.margin, scales
        )
        for label, found in of.items()
    }
    return Evaluation(rows, summaries, header, not_asked)


def _summary(
    label: str,
    rows: list[EvaluationRow],
    baseline: list[EvaluationRow] | None,
    header: Header,
    margin: float,
    scales: Mapping[str, tuple[float, float]],
) -> EvaluationSummary:
    latencies = sorted(row.latency_s for row in rows if not row.failed)
    costs = [row.cost_usd for row in rows if row.cost_usd is not None]
    differences: dict[str, Interval] = {}
    verdict: dict[str, str] = {}
    for scorer in header.scorers if baseline is not None else ():
        # where the baseline's scorer failed, nothing is known to compare with
        known = [row for row in baseline or () if row.failed or scorer in row.scores]
        theirs = _by_example(known, scorer, header.on_error)
        own = _by_example(rows, scorer, header.on_error)
        least, most = scales[scorer]
        pairs = [mean - theirs[key] for key, mean in own.items() if key in theirs]
        differences[scorer] = _bounded(pairs, least - most, most - least)
        verdict[scorer] = _verdict(differences[scorer], margin)
    return EvaluationSummary(
        candidate=label,
        n=len(rows),
        errors=sum(row.error is not None for row in rows),
        scores={name: interval(list(_by_example(rows, name, header.on_error).values())) for name in header.scorers},
        cost_usd=sum(costs, Decimal(0)),
        cost_per_example_usd=sum(costs, Decimal(0)) / len(costs) if costs else None,
        p50_s=_quantile(latencies, 0.5),
        p95_s=_quantile(latencies, 0.95),
        versus_baseline=differences,
        verdict=verdict,
    )


def _by_example(rows: Iterable[EvaluationRow], scorer: str, on_error: float) -> dict[str, float]:
    """Example → the mean of its scores."""
    scores: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        scores[row.key].append(row.scores.get(scorer, on_error))
    return {key: found[0] if len(found) == 1 else _mean(found) or 0.0 for key, found in scores.items()}


def _scales(rows: Iterable[EvaluationRow], header: Header) -> dict[str, tuple[float, float]]:
    rows = list(rows)
    return {scorer: _scale([row.scores.get(scorer, header.on_error) for row in rows]) for scorer in header.scorers}


def _verdict(difference: Interval, margin: float) -> str:
    if difference.low is None or difference.high is None:
        return "not enough data"
    if difference.low > 0:
        return "better"
    if difference.low >= -margin:
        return "no worse"
    return "worse" if difference.high < 0 else "not enough data"


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
