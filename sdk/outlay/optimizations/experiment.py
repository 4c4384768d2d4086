"""assign(): which arm of an experiment a unit belongs to. The same on every machine, in every process, for ever.

Python's `hash()` differs from process to process; this is BLAKE2 over experiment, unit and arm, so arms of different
experiments are independent of each other. The arms race: each draws a time for the unit, the shorter the larger its
weight, and the first wins (weighted rendezvous hashing; Thaler and Ravishankar, IEEE/ACM ToN 6, 1998). So the order of
arms says nothing, and where weights change, units move only to arms that gained in proportion to theirs. A rule that
knows the present weights alone cannot move the fewest in every change of three arms or more (Angel and Spinka, 2019);
with `before` it does.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from outlay import semconv
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope

Arms = Sequence[str] | Mapping[str, float]

_forced: ContextVar[Mapping[str, str] | None] = ContextVar("outlay-forced-arms", default=None)


class Arm(str):
    """The arm's name. As a block, calls inside carry `outlay.experiment.name` and `.arm`."""

    experiment: str
    _tokens: list[Any]

    def __enter__(self) -> Arm:
        outer = current_scope()
        added = {semconv.EXPERIMENT_NAME: self.experiment, semconv.EXPERIMENT_ARM: str(self)}
        scope = Scope({**outer.attributes, **added}, outer.frame, outer.metering)
        self._tokens.append(otel_context.attach(otel_context.set_value(SCOPE_KEY, scope)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        otel_context.detach(self._tokens.pop())


def assign(experiment: str, unit: object, arms: Arms = ("control", "treatment"), *, before: Sequence[Arms] = ()) -> Arm:
    """The arm of a unit.

    Args:
        experiment: Name of the experiment.
        unit: What is assigned: a user, a session, a ticket. Its text decides.
        arms: Names, or names with weights, in any order. A weight may change while the experiment runs: growing some
            arms in proportion at the cost of the others moves only who must move.
        before: The arms as they were, oldest first: then any change moves only who must move.

    Raises:
        ValueError: If there is no arm to choose, or no unit.

    Example:
        with outlay.assign("prompt-14", user_id, {"control": 0.9, "new": 0.1}) as arm:
            answer = ask(PROMPTS[arm], question)
    """
    if unit is None or unit == "":
        raise ValueError(
            f"experiment {experiment!r} has no unit to assign: {unit!r} would put all of them into one arm"
        )
    stages = [_shares(experiment, stage) for stage in (*before, arms)]
    chosen = (_forced.get() or {}).get(experiment)
    if chosen is None:
        chosen = _first(f"{experiment}\0{unit}", stages[0])
        for number, (old, new) in enumerate(pairwise(stages), 1):
            chosen = _moved(f"{experiment}\0{unit}\0{number}", chosen, old, new)
    elif chosen not in stages[-1]:
        raise ValueError(f"experiment {experiment!r} has no arm {chosen!r}; there are {', '.join(stages[-1])}")
    arm = Arm(chosen)
    arm.experiment = experiment
    arm._tokens = []
    return arm


@contextmanager
def forced(arms: Mapping[str, str]) -> Iterator[None]:
    """Experiment → the arm that every unit gets inside; for tests."""
    token = _forced.set({**(_forced.get() or {}), **arms})
    try:
        yield
    finally:
        _forced.reset(token)


def _shares(experiment: str, arms: Arms) -> dict[str, float]:
    """Arm → its share, 0–1.

    Raises:
        ValueError: If there is nothing to choose.
    """
    weights = dict(arms) if isinstance(arms, Mapping) else {} if isinstance(arms, str) else dict.fromkeys(arms, 1.0)
    total = sum(weights.values())
    if not weights or not min(weights.values()) >= 0 or not 0 < total < math.inf:
        raise ValueError(f"experiment {experiment!r} needs arms with weights of at least 0, not {arms!r}")
    return {name: weight / total for name, weight in weights.items()}


def _first(unit: str, shares: Mapping[str, float]) -> str:
    """The arm that comes first: waiting times are exponential, with the share as rate."""
    racing = [name for name, share in shares.items() if share > 0]
    return min(racing, key=lambda name: (-math.log(_place(f"{unit}\0{name}")) / shares[name], name))


def _moved(unit: str, arm: str, old: Mapping[str, float], new: Mapping[str, float]) -> str:
    """Where a unit of `arm` belongs after the change: elsewhere only as many as the arm lost."""
    had, has = old.get(arm, 0.0), new.get(arm, 0.0)
    if has >= had or _place(unit) > 1 - has / had:
        return arm
    return _first(unit, {name: max(share - old.get(name, 0.0), 0.0) for name, share in new.items()})


def _place(text: str) -> float:
    """A number above 0 and at most 1 that only the text decides."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "big") + 1) / 2**64
