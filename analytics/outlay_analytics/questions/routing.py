"""What routers bring: per task and tier, what sending all its requests there would have cost, and how good it would be.

Told from requests whose tier was chosen by chance, with the probability that was logged with them
(`statistics/off_policy.py`). Decisions are alike (a stratum) where their feature and the reason are the same, but for
whether they were explored. A decision is a request: its retries count with it. A tier is recommended where it is
cheaper than what is done now and no worse within the margin, at the bounds of both 95 % intervals; where that cannot be
said, the exploration that would tell is proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS, days_of, per
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.looks import one_look
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.experiments import MARGIN, amount, judge
from outlay_analytics.questions.routing_proposal import propose
from outlay_analytics.questions.scored_sums import MAX_SCORES
from outlay_analytics.questions.scores import SQL, Score, about, check_margin, choose, list_scores, scored
from outlay_analytics.questions.tradeoff import TASK
from outlay_analytics.statistics.intervals import Interval
from outlay_analytics.statistics.off_policy import LEAST_EFFECTIVE, Stratum, Sums, Value, value_of
from outlay_collector.store import Store, load_sql

MAX_ROWS = 1000
MAX_STRATA = 20_000
MOST_UNPRICED = 0.01
STRATUM = "concat(c.feature, '\\n', replaceRegexpOne(c.route_reason, '^explored, not [^:]*: ', ''))"
ASSUMPTION = "requests to come are like these, and each tier goes on as it did"
Row = dict[str, Any]
Strata = dict[str, dict[str, Stratum]]  # by task and stratum


@one_look()
def routing(store: Store, scope: Scope, score: str = "", success: str = "", margin: float = MARGIN) -> dict[str, Any]:
    """Value and cost of sending each task (the calls' task, else their feature) to each tier that routers chose.

    Args:
        score, success: See `quality`; by default each task is judged by the score that most of its answers have.
        margin: By how much the mean score may be lower than now and still be no worse.

    Returns:
        `score`, `scores`, `margin`; `rows` per task and tier: `said_as` (`task` or `feature`), what was sent there
        (`requests`, `share`, `models`), what sending all there would be (`mean`, `cost_per_request_usd`), its
        difference to now, each with a 95 % interval, `monthly_saving_usd`, the effective samples, `reach_ratio` (share
        of the task's requests that it holds for), `verdict` and `reason`; `tasks` with what is done now, `recommended`,
        and the `proposal` of an exploration.

    Raises:
        BadRequest: For an unknown score or an impossible margin.
    """
    check_margin(margin)
    if success and not score:
        raise BadRequest("success is about one score: name it with score=")
    scores = list_scores(store, scope, success)
    chosen = choose(scores, score, success)
    found = _tasks(store, scope)
    seen = found[:MAX_ROWS]
    costs = _strata(store, *_costs(scope)) if seen else {}
    values, told = _values(store, scope, [chosen] if score and chosen else scores[:MAX_SCORES]) if seen else ({}, {})
    rows, tasks = [], []
    for task in dict.fromkeys(one["task"] for one in seen):
        own = [one for one in seen if one["task"] == task]
        judged = _Task(task, own, values.get(task, {}), costs.get(task, {}), margin)
        mine = [judged.row(one) | {"score": told.get(task)} for one in own]
        rows += mine
        tasks.append(judged.summary(mine) | {"score": told.get(task)})
    return {
        **about(scope, chosen if score else None, scores),
        "margin": margin,
        "rows": rows,
        "rows_left_out": len(found) > MAX_ROWS,
        "tasks": tasks,
    }


class _Task:
    """One task: what is known of its tiers."""

    def __init__(
        self,
        task: str,
        seen: Sequence[Row],
        values: Mapping[str, Stratum],
        costs: Mapping[str, Stratum],
        margin: float,
    ) -> None:
        self._task, self._margin = task, margin
        self._values, self._costs = values, costs
        self._said_as = "task" if any(one["is_task"] for one in seen) else "feature"
        self._requests = sum(one["requests"] for one in seen)
        self._told = sum(one["told_requests"] for one in seen)
        self._open = sum(one["open_requests"] for one in seen)
        self._unpriced = sum(one["calls"] - one["priced_calls"] for one in seen)
        self._seen = seen
        days = days_of(min(one["first_at"] for one in seen), max(one["last_at"] for one in seen))
        self._days, self._months = days, days / MONTH_DAYS

    def row(self, seen: Row) -> Row:
        """A tier."""
        tier = seen["tier"]
        value, cost = value_of(self._values.values(), tier), value_of(self._costs.values(), tier)
        verdict, reason = self._verdict(seen, value, cost)
        reached = cost.decisions if cost.is_enough else 0
        saving = Interval(None)
        if cost.is_enough and cost.difference.value is not None:
            low, high = cost.difference.low, cost.difference.high
            saving = Interval(-cost.difference.value, None if high is None else -high, None if low is None else -low)
        return {
            "task": self._task or None,
            "said_as": self._said_as,
            "tier": tier,
            "models": list(seen["models"]),
            "calls": seen["calls"],
            "requests": seen["requests"],
            "share": seen["requests"] / self._requests if self._requests else None,
            "cost_usd": seen["cost_usd"] if seen["priced_calls"] else None,
            "n": sum(one.tiers[tier].chosen for one in self._values.values() if tier in one.tiers),
            **_bounds(value.mean, "mean", "ci_low", "ci_high"),
            **_bounds(value.difference, "difference", "difference_ci_low", "difference_ci_high"),
            "ips": value.ips,
            "snips": value.snips,
            "effective_scores": round(value.effective, 1),
            **_usd(cost.mean, "cost_per_request_usd", "cost_ci_low_usd", "cost_ci_high_usd"),
            **_usd(cost.difference, "cost_difference_usd", "cost_difference_ci_low_usd", "cost_difference_ci_high_usd"),
            "effective_requests": round(cost.effective, 1),
            "reach_ratio": min(1.0, cost.decisions / self._requests) if self._requests else None,
            **{
                name: None if one is None else per(Decimal(f"{one * reached:.12f}"), self._months)
                for name, one in zip(
                    ("monthly_saving_usd", "monthly_saving_lo_usd", "monthly_saving_hi_usd"),
                    (saving.value, saving.low, saving.high),
                    strict=True,
                )
            },
            "verdict": verdict,
            "reason": reason,
        }

    def _verdict(self, seen: Row, value: Value, cost: Value) -> tuple[str, str]:
        """Of what a tier's answers are worth, beside what is done now; and why, with what it costs."""
        few = "not enough data"
        if not seen["told_requests"]:
            return few, "its calls do not say with which probability it was chosen"
        if self._unpriced > MOST_UNPRICED * sum(one["calls"] for one in self._seen):
            return few, f"what {self._unpriced} of the task's calls cost is not known"
        if cost.is_off:
            weight = f"mean weight {cost.mean_weight:.3g}, not 1"
            return few, f"the probabilities do not fit how often it was chosen ({weight})"
        if cost.decisions and not cost.open and len(self._seen) > 1:
            return few, "it was only chosen where no other could be"
        if value.is_off:
            return few, f"its answers are not scored as often as others' (mean weight {value.mean_weight:.3g}, not 1)"
        for what, one in (("requests", cost), ("scored answers", value)):
            if not one.is_enough:
                return few, f"{one.effective:.0f} of the {LEAST_EFFECTIVE} effective {what} that it takes"
        verdict = judge(value.difference, self._margin)
        reason = {few: "the interval holds both"}.get(verdict, "")
        if not value.open:
            verdict, reason = "no worse", "this is what is done now"
        return verdict, reason

    def summary(self, rows: Sequence[Row]) -> Row:
        """What is done now, what would do, or how to find out."""
        every = {
            name: [one.every for one in strata.values()]
            for name, strata in (("value", self._values), ("cost", self._costs))
        }
        now = {name: sum(one.a for one in known) for name, known in every.items()}
        counts = {name: sum(one.b for one in known) for name, known in every.items()}
        fitting = [row for row in rows if _saves(row) and row["verdict"] in ("better", "no worse")]
        best = min(fitting, key=lambda row: row["cost_per_request_usd"], default=None)
        undecided = [row for row in rows if row["verdict"] == "not enough data"]
        mean = now["value"] / counts["value"] if counts["value"] else None
        proposal = propose(
            undecided,
            rows,
            days=self._days,
            told=self._told,
            scored=counts["value"],
            variance=None if mean is None else sum(one.aa for one in every["value"]) / counts["value"] - mean * mean,
            margin=self._margin,
        )
        return {
            "task": self._task or None,
            "said_as": self._said_as,
            "requests": self._requests,
            "told_ratio": self._told / self._requests if self._requests else None,
            "explorable_ratio": self._open / self._told if self._told else None,
            "mean": mean,
            "cost_per_request_usd": amount(now["cost"] / counts["cost"], "_usd") if counts["cost"] else None,
            "recommended": best["tier"] if best else None,
            "monthly_saving_usd": best["monthly_saving_usd"] if best else None,
            "reason": self._reason(best, rows, undecided),
            "assumption": ASSUMPTION if best else None,
            "proposal": None if best else proposal,
        }

    def _reason(self, best: Row | None, rows: Sequence[Row], undecided: Sequence[Row]) -> str:
        if best:
            lost = max(0.0, -best["difference_ci_low"])
            reach = "" if best["reach_ratio"] > 0.995 else f", told for {best['reach_ratio']:.0%} of the requests"
            return f"at most {lost:.3g} below what is done now (95 %), and cheaper{reach}"
        if not self._told:
            return "no call says with which probability its tier was chosen"
        if not self._open:
            return "every tier was chosen for certain: what another would have brought is not known"
        if len(rows) == 1:
            return "only one tier was chosen"
        if undecided:
            return f"not enough data on {', '.join(row['tier'] for row in undecided)}"
        return "no tier is cheaper than now and no worse"


def _saves(row: Row) -> bool:
    low: Decimal | None = row["monthly_saving_lo_usd"]
    return low is not None and low > 0


def _bounds(found: Interval, *names: str) -> dict[str, float | None]:
    return dict(zip(names, (found.value, found.low, found.high), strict=True))


def _usd(found: Interval, *names: str) -> dict[str, Any]:
    return {name: amount(value, "_usd") for name, value in _bounds(found, *names).items()}


def _tasks(store: Store, scope: Scope) -> list[Row]:
    params = _params(scope) | {"max_rows": MAX_ROWS + 1}
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    return store.query(load_sql(SQL, "routing_tasks", task=TASK, filters=filters, not_answers=NOT_ANSWERS), params)


def _costs(scope: Scope) -> tuple[str, dict[str, Any]]:
    params = _params(scope)
    filters = filter_sql(scope, "calls", params)
    assert filters is not None  # calls know every dimension
    sql = load_sql(SQL, "routing_costs", task=TASK, stratum=STRATUM, filters=filters, not_answers=NOT_ANSWERS)
    return sql, params


def _values(store: Store, scope: Scope, scores: Sequence[Score]) -> tuple[Strata, dict[str, str]]:
    """The strata by task, and the score that each task is judged by: the one that most of its answers have."""
    own = {
        "task_or_feature": TASK,
        "stratum": STRATUM,
        "trace": "c.trace_id",
        "propensity": "ifNull(toString(c.route_propensity), '')",
    }
    found: Strata = {}
    told: dict[str, str] = {}
    most: dict[str, float] = {}
    for score in scores:
        relation = scored(
            store,
            scope,
            score,
            ("task_or_feature", "stratum", "trace", "route_tier", "propensity"),
            own=own,
            only="c.route_tier != ''",
        )
        sql = load_sql(SQL, "routing_scores", scored=relation.sql)
        for task, strata in _strata(store, sql, relation.params).items():
            n = sum(one.every.b for one in strata.values())
            if n > most.get(task, 0):
                most[task], told[task], found[task] = n, score.name, strata
    return found, told


def _strata(store: Store, decisions: str, params: Mapping[str, Any]) -> Strata:
    rows = store.query(load_sql(SQL, "routing", decisions=decisions), {**params, "max_rows": MAX_STRATA})
    parts: dict[str, dict[str, dict[str, Sums]]] = {}
    for row in rows:
        parts.setdefault(row["task"], {}).setdefault(row["stratum"], {})[row["tier"]] = Sums.read(row)
    return {
        task: {name: Stratum(tiers.pop(""), tiers) for name, tiers in strata.items() if "" in tiers}
        for task, strata in parts.items()
    }


def _params(scope: Scope) -> dict[str, Any]:
    return {"project": scope.project, "start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
