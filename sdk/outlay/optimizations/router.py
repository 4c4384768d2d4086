"""Router: which tier of model a task needs, by rules that are data.

`MATRIX` is a starting point from experience reports: what a lower tier is said to keep of the quality. Measure it on
your own data (`evaluate`, and the trade-off page) and pass a matrix of your own, from a file or from the server's
recommendation. Tiers have the server's names: frontier, mid, cheap, local.

Every choice says with which probability it was made (`outlay.route.propensity`): with it, what other rules would have
brought can be estimated from what was seen (inverse propensity scoring; Horvitz and Thompson 1952).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from opentelemetry import context as otel_context

from outlay import _safely, semconv
from outlay.optimizations.given import check_plain_function, number_of, on_the_spot, share_of
from outlay.optimizations.matrix import MATRIX, Matrix, MatrixRow, MatrixSource
from outlay.tracing.context import Entered

__all__ = ["MATRIX", "MatrixRow", "Route", "Router", "Rule"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rule:
    """Sends a request to a tier.

    Attributes:
        tier: The tier.
        task: Only this kind of task.
        min_complexity: Only from this complexity on, 0–1.
        when: Only if this says so; it gets the keywords of `choose`.
        reason: Shown beside the choice; default says what matched.
        explore: Whether exploration may choose another tier all the same; False where the rule must hold.
    """

    tier: str
    task: str | None = None
    min_complexity: float | None = None
    when: Callable[[Mapping[str, Any]], bool] | None = None
    reason: str = ""
    explore: bool = True

    def __post_init__(self) -> None:
        if not (self.task is None or isinstance(self.task, str)):
            raise TypeError(f"the task of a rule is a text, not {self.task!r}")
        if self.min_complexity is not None:
            least = share_of(self.min_complexity)
            if least is None:
                raise ValueError(f"min_complexity of a rule is a number of 0–1, not {self.min_complexity!r}")
            object.__setattr__(self, "min_complexity", least)
        if self.when is not None:
            check_plain_function("when of a rule", self.when)

    def matches(self, task: str | None, complexity: float | None, facts: Mapping[str, Any]) -> bool:
        """Whether every condition holds."""
        if self.task is not None and self.task != task:
            return False
        if self.min_complexity is not None and (complexity is None or complexity < self.min_complexity):
            return False
        return self.when is None or bool(on_the_spot("when of a rule", self.when(facts)))

    def why(self) -> str:
        """The reason in words."""
        if self.reason:
            return self.reason
        parts = [f"task {self.task}"] if self.task is not None else []
        if self.min_complexity is not None:
            parts.append(f"complexity at least {self.min_complexity:g}")
        if self.when is not None:
            parts.append(getattr(self.when, "__name__", "condition"))
        return ", ".join(parts) or "every request"


class Route(Generic[T]):
    """A choice. As a block, calls inside carry `outlay.route.tier`, `.reason` and `.propensity`.

    Attributes:
        propensity: The probability, above 0 and at most 1, with which this tier was to be chosen here.
    """

    def __init__(self, tier: str, target: T, reason: str, propensity: float = 1.0) -> None:
        self.tier = tier
        self.target = target
        self.reason = reason
        self.propensity = propensity
        self._entered = Entered()

    def __enter__(self) -> Route[T]:
        added = {
            semconv.ROUTE_TIER: self.tier,
            semconv.ROUTE_REASON: self.reason,
            semconv.ROUTE_PROPENSITY: self.propensity,
        }
        self._entered.enter(otel_context.get_current(), added)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._entered.leave()


class Router(Generic[T]):
    """Chooses a tier by rules; the first that matches wins, then the matrix, then the default.

    Args:
        tiers: Tier → what to use for it: a model's name, a client, a function.
        rules: In order of precedence.
        default: Tier when nothing matches. Must be said where there is more than one: no model is chosen in silence.
        matrix: Recommendation per task, for tiers that exist here: rows, a file (`.json`, `.toml`), or a function that
            gives rows, such as `lambda: outlay.measured_matrix(url)`.
        reload_s: How often a file is looked at, or a function asked, again; one that fails leaves all as it was.
        explore: Share of requests, 0–1, that go to a tier drawn from `explore_tiers` instead, to learn what the others
            would do.
        explore_tiers: Default are all.
        strict: Refuse a task that neither a rule nor the matrix names, and a complexity that is no number of 0–1: for
            development and tests. Otherwise they go to the default, with the reason, and a warning is logged.

    Raises:
        ValueError: If there is no tier, no default, or a tier that is not there.

    Example:
        router = outlay.Router({"cheap": "gpt-4o-mini", "frontier": "gpt-4o"}, default="cheap")
        with router.choose(task="classification") as route:
            client.chat.completions.create(model=route.target, messages=messages)
    """

    def __init__(
        self,
        tiers: Mapping[str, T],
        rules: Sequence[Rule] = (),
        *,
        default: str | None = None,
        matrix: Matrix = MATRIX,
        strict: bool = False,
        reload_s: float = 60.0,
        explore: float = 0.0,
        explore_tiers: Sequence[str] | None = None,
    ) -> None:
        if not isinstance(tiers, Mapping):
            raise TypeError(f"the tiers of a router are a mapping, name → what to use, not {tiers!r}")
        if not tiers:
            raise ValueError("a router needs at least one tier")
        if isinstance(rules, Rule) or not all(isinstance(rule, Rule) for rule in rules):
            raise TypeError(f"the rules of a router are a list of outlay.Rule, not {rules!r}")
        self._tiers = dict(tiers)
        self._rules = tuple(rules)
        if default is None and len(tiers) > 1:
            raise ValueError(f"a router needs default=, its tier when nothing matches: one of {', '.join(tiers)}")
        self._default = default if default is not None else next(iter(tiers))
        self._is_strict = strict
        explored = [explore_tiers] if isinstance(explore_tiers, str) else explore_tiers
        self._explored = tuple(self._tiers if explored is None else explored)
        for tier in (self._default, *(rule.tier for rule in self._rules), *self._explored):
            if tier not in self._tiers:
                raise ValueError(f"no tier {tier!r}; there are {', '.join(self._tiers)}")
        share, every_s = share_of(explore), number_of(reload_s)
        if share is None or (share and not self._explored):
            raise ValueError(f"explore is a share of 0–1 and needs tiers to draw from, not {explore!r}")
        if every_s is None or every_s < 0:
            raise ValueError(f"reload_s must be a number of at least 0, not {reload_s!r}")
        self._explore = share
        self._matrix = MatrixSource(matrix, every_s, self._check_matrix)

    def reload(self) -> None:
        """Read the matrix again now, from its file or function.

        Raises:
            Exception: Whatever is wrong with it; then it stays as it was.
        """
        self._matrix.reload()

    def _check_matrix(self, rows: Iterable[MatrixRow]) -> None:
        """Rows whose tier is not here count only where no other says what to do; a matrix of nothing else is a mistake.

        Raises:
            TypeError, ValueError: If it can never be of use.
        """
        found = tuple(rows)
        for row in found:
            if not isinstance(row, MatrixRow):
                raise TypeError(f"a matrix holds MatrixRow, not {row!r}")
        if found and found != MATRIX and not any(row.tier in self._tiers for row in found):
            raise ValueError(
                f"no row of the matrix has a tier of this router: {', '.join(sorted({row.tier for row in found}))}; "
                f"there are {', '.join(self._tiers)}"
            )

    def choose(self, task: str | None = None, complexity: float | None = None, **facts: Any) -> Route[T]:
        """The tier for a request.

        Args:
            task: Kind of task.
            complexity: 0–1, however you measure it.
            **facts: Anything that rules with `when` look at.

        A rule that fails, say because its `when` misses a fact, is logged and does not match.

        Raises:
            ValueError: With `strict`, if nothing is known of the task and no rule matches, or if the complexity is no
                number of 0–1.
        """
        unknown = ""
        if task is not None and not isinstance(task, str):
            task = str(task)
        if complexity is not None:
            given, complexity = complexity, share_of(complexity)
            if complexity is None:
                unknown = self._doubt(f"complexity is a number of 0–1, not {given!r}")
        every = {"task": task, "complexity": complexity, **facts}
        for rule in self._rules:
            if _matches(rule, task, complexity, every):
                return self._route(rule.tier, rule.why(), rule.explore)
        matrix = self._matrix.rows()
        row = matrix.get(task or "")
        if row is not None and row.tier in self._tiers:
            return self._route(row.tier, f"matrix: {row.task}")
        if task is not None and task not in self._known(matrix):
            unknown = self._doubt(f"nothing is known of task {task!r}")
        return self._route(self._default, f"default: {unknown}" if unknown else "default")

    def _route(self, tier: str, reason: str, may_explore: bool = True) -> Route[T]:
        """The choice, or another one to learn from."""
        share = self._explore if may_explore else 0.0
        chosen = tier
        if share and random.random() < share:
            chosen = random.choice(self._explored)
        drawn = share * self._explored.count(chosen) / len(self._explored) if share else 0.0
        propensity = drawn + (1 - share if chosen == tier else 0.0)
        if chosen != tier:
            reason = f"explored, not {tier}: {reason}"
        return Route(chosen, self._tiers[chosen], reason, propensity)

    def _known(self, matrix: Mapping[str, MatrixRow]) -> set[str]:
        return matrix.keys() | {rule.task for rule in self._rules if rule.task is not None}

    def _doubt(self, problem: str) -> str:
        """Say that what is given means nothing here."""
        if self._is_strict:
            known = ", ".join(sorted(self._known(self._matrix.rows())))
            raise ValueError(f"router: {problem}; tasks known are {known}")
        _safely.warn(
            f"router {problem}", "router: %s; without another rule the default, %s, holds", problem, self._default
        )
        return problem


def _matches(rule: Rule, task: str | None, complexity: float | None, facts: Mapping[str, Any]) -> bool:
    try:
        return rule.matches(task, complexity, facts)
    except Exception:
        _safely.report(f"rule for tier {rule.tier}", message="failed and does not match")
        return False
