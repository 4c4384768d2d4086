"""Router: which tier of model a task needs, by rules that are data.

`MATRIX` is a starting point from experience reports: what a lower tier is said to keep of the quality. Measure it on
your own data (`evaluate`, and the trade-off page) and pass rules of your own. Tiers have the server's names: frontier,
mid, cheap, local.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, TypeVar

from opentelemetry import context as otel_context

from outlay import _safely, semconv
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """What is known about a kind of task.

    Attributes:
        task: Kind of task, as given to `Router.choose(task=…)`.
        tier: The tier that is recommended for it.
        kept: What a lower tier is said to keep of the quality.
        failure: How a lower tier usually fails.
    """

    task: str
    tier: str
    kept: str
    failure: str


MATRIX: tuple[MatrixRow, ...] = (
    MatrixRow("classification", "cheap", "95 %+ with good prompts", "edge cases misclassified"),
    MatrixRow("extraction", "mid", "90 %+ with schema hints", "schema broken on complex fields"),
    MatrixRow("rag", "frontier", "80 %", "hallucination where context has gaps"),
    MatrixRow("reasoning", "frontier", "60–70 %", "logical errors in the chain"),
    MatrixRow("summarization", "mid", "85 %+ if chunked well", "details lost in reduce"),
    MatrixRow("code", "frontier", "70 %, simple code only", "subtle logic errors, wrong APIs"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Sends a request to a tier.

    Attributes:
        tier: The tier.
        task: Only this kind of task.
        min_complexity: Only from this complexity on, 0–1.
        when: Only if this says so; it gets the keywords of `choose`.
        reason: Shown beside the choice; default says what matched.
    """

    tier: str
    task: str | None = None
    min_complexity: float | None = None
    when: Callable[[Mapping[str, Any]], bool] | None = None
    reason: str = ""

    def matches(self, task: str | None, complexity: float | None, facts: Mapping[str, Any]) -> bool:
        """Whether every condition holds."""
        if self.task is not None and self.task != task:
            return False
        if self.min_complexity is not None and (complexity is None or complexity < self.min_complexity):
            return False
        return self.when is None or bool(self.when(facts))

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
    """A choice. As a block, calls inside carry `outlay.route.tier` and `.reason`."""

    def __init__(self, tier: str, target: T, reason: str) -> None:
        self.tier = tier
        self.target = target
        self.reason = reason
        self._tokens: list[Any] = []

    def __enter__(self) -> Route[T]:
        outer = current_scope()
        added = {semconv.ROUTE_TIER: self.tier, semconv.ROUTE_REASON: self.reason}
        scope = Scope({**outer.attributes, **added}, outer.frame, outer.metering)
        self._tokens.append(otel_context.attach(otel_context.set_value(SCOPE_KEY, scope)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        otel_context.detach(self._tokens.pop())


class Router(Generic[T]):
    """Chooses a tier by rules; the first that matches wins, then the matrix, then the default.

    Args:
        tiers: Tier → what to use for it: a model's name, a client, a function.
        rules: In order of precedence.
        default: Tier when nothing matches. Must be said where there is more than one: no model is chosen in silence.
        matrix: Recommendation per task, for tiers that exist here.
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
        matrix: Sequence[MatrixRow] = MATRIX,
        strict: bool = False,
    ) -> None:
        if not tiers:
            raise ValueError("a router needs at least one tier")
        self._tiers = dict(tiers)
        self._rules = tuple(rules)
        if default is None and len(tiers) > 1:
            raise ValueError(f"a router needs default=, its tier when nothing matches: one of {', '.join(tiers)}")
        self._default = default if default is not None else next(iter(tiers))
        self._matrix = {row.task: row for row in matrix}
        self._known = self._matrix.keys() | {rule.task for rule in self._rules if rule.task is not None}
        self._is_strict = strict
        for tier in (self._default, *(rule.tier for rule in self._rules)):
            if tier not in self._tiers:
                raise ValueError(f"no tier {tier!r}; there are {', '.join(self._tiers)}")

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
        if complexity is not None and not _is_ratio(complexity):
            unknown = self._doubt(f"complexity is a number of 0–1, not {complexity!r}")
            complexity = None
        every = {"task": task, "complexity": complexity, **facts}
        for rule in self._rules:
            if _matches(rule, task, complexity, every):
                return Route(rule.tier, self._tiers[rule.tier], rule.why())
        row = self._matrix.get(task or "")
        if row is not None and row.tier in self._tiers:
            return Route(row.tier, self._tiers[row.tier], f"matrix: {row.task}")
        if task is not None and task not in self._known:
            unknown = self._doubt(f"nothing is known of task {task!r}")
        return Route(self._default, self._tiers[self._default], f"default: {unknown}" if unknown else "default")

    def _doubt(self, problem: str) -> str:
        """Say that what is given means nothing here."""
        if self._is_strict:
            raise ValueError(f"router: {problem}; tasks known are {', '.join(sorted(self._known))}")
        _safely.warn(
            f"router {problem}", "router: %s; without another rule the default, %s, holds", problem, self._default
        )
        return problem


def _is_ratio(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _matches(rule: Rule, task: str | None, complexity: float | None, facts: Mapping[str, Any]) -> bool:
    try:
        return rule.matches(task, complexity, facts)
    except Exception:
        _safely.report(f"rule for tier {rule.tier}", message="failed and does not match")
        return False
