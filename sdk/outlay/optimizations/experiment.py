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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from outlay import semconv
from outlay.optimizations.given import number_of
from outlay.tracing.context import Entered, current_scope
from outlay.tracing.track import track

_NOBODY = frozenset({"nan", "NaT", "<NA>", "b''", "[]", "()", "{}"})  # what is missing, as texts of other kinds

Arms = Sequence[str] | Mapping[str, float]

_forced: ContextVar[Mapping[str, str] | None] = ContextVar("outlay-forced-arms", default=None)


class Arm(str):
    """The arm's name. As a block, calls inside carry `outlay.experiment.name`, `.arm` and `.propensity`.

    Blocks of several experiments may lie in each other: the innermost one is the call's, those around it are its tags
    `experiment.<name>`.

    Attributes:
        experiment: Name of the experiment.
        propensity: Share of units that get this arm, 0–1.
        is_in: Whether the unit takes part; in a layer it may be in another experiment. If not, a block says nothing.
    """

    experiment: str
    propensity: float
    is_in: bool
    _entered: Entered

    @classmethod
    def _of(cls, experiment: str, name: str, propensity: float, is_in: bool = True) -> Arm:
        arm = cls(name)
        arm.experiment, arm.propensity, arm.is_in, arm._entered = experiment, propensity, is_in, Entered()
        return arm

    def expose(self) -> None:
        """Say that here the arm has made a difference, where no call says so: a span, `exposure <experiment>`."""
        if self.is_in:
            with self, track(f"exposure {self.experiment}"):
                pass

    def __enter__(self) -> Arm:
        context = otel_context.get_current()
        added: dict[str, Any] = {}
        if self.is_in:
            added = {
                semconv.EXPERIMENT_NAME: self.experiment,
                semconv.EXPERIMENT_ARM: str(self),
                semconv.EXPERIMENT_PROPENSITY: self.propensity,
            }
            around, arm = (
                current_scope(context).attributes.get(key) for key in (semconv.EXPERIMENT_NAME, semconv.EXPERIMENT_ARM)
            )
            if around is not None and around != self.experiment:
                added[f"{semconv.EXPERIMENT_TAG_PREFIX}{around}"] = str(arm)
        self._entered.enter(context, added)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._entered.leave()


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
    if not (isinstance(experiment, str) and experiment):
        raise ValueError(f"an experiment has a name, a text, unlike {experiment!r}")
    _check_unit(experiment, unit)
    stages = [_shares(experiment, stage) for stage in (*before, arms)]
    chosen = (_forced.get() or {}).get(experiment)
    if chosen is None:
        chosen = _after(f"{experiment}\0{unit}", stages)
    elif chosen not in stages[-1]:
        raise ValueError(f"experiment {experiment!r} has no arm {chosen!r}; there are {', '.join(stages[-1])}")
    return Arm._of(experiment, chosen, stages[-1][chosen])


class Layer:
    """Experiments that exclude each other: a unit takes part in one of them at most.

    Args:
        name: Name of the layer; those of different layers are independent.
        experiments: Experiment → share of units, 0–1; what is left takes part in none.
        before: The shares as they were, oldest first: then a change moves only who must move.

    Raises:
        ValueError: If there is no experiment, or the shares are more than all.

    Example:
        search = outlay.Layer("search", {"prompt-14": 0.5, "model-7": 0.3})
        with search.assign("prompt-14", user_id, {"control": 0.5, "short": 0.5}, outside="control") as arm:
            answer = ask(PROMPTS[arm], question)
    """

    def __init__(
        self, name: str, experiments: Mapping[str, float], *, before: Sequence[Mapping[str, float]] = ()
    ) -> None:
        self.name = name
        self._experiments = tuple(experiments)
        self._stages = [_layer_shares(name, stage) for stage in (*before, experiments)]

    def assign(
        self,
        experiment: str,
        unit: object,
        arms: Arms = ("control", "treatment"),
        *,
        outside: str = "control",
        before: Sequence[Arms] = (),
    ) -> Arm:
        """As `outlay.assign`; a unit that does not take part here gets `outside`, and its block says nothing.

        Raises:
            ValueError: If the layer has no such experiment, or as `outlay.assign`.
        """
        if experiment not in self._experiments:
            raise ValueError(f"layer {self.name!r} has no {experiment!r}; there are {', '.join(self._experiments)}")
        arm = assign(experiment, unit, arms, before=before)
        if experiment in (_forced.get() or {}):
            return arm
        if _after(f"layer\0{self.name}\0{unit}", self._stages) != experiment:
            return Arm._of(experiment, outside, 1 - self._stages[-1][experiment], is_in=False)
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
    names = [] if isinstance(arms, str) else [str(name) for name in arms]
    if "" in names or len(set(names)) < len(names):
        raise ValueError(f"the arms of experiment {experiment!r} have names, each another one, unlike {arms!r}")
    weights = dict(
        zip(names, _numbers(arms.values()) if isinstance(arms, Mapping) else [1.0] * len(names), strict=True)
    )
    total = sum(weights.values())
    if not weights or not min(weights.values()) >= 0 or not 0 < total < math.inf:
        raise ValueError(f"experiment {experiment!r} needs arms with weights of at least 0, not {arms!r}")
    return {name: weight / total for name, weight in weights.items()}


def _numbers(given: Iterable[object]) -> list[float]:
    """Weights as floats; what is no number is less than nothing."""
    return [-1.0 if number is None else number for number in map(number_of, given)]


def _check_unit(experiment: str, unit: object) -> None:
    """Refuse what would put everybody into one arm, or nobody into the same one twice.

    Raises:
        ValueError: Saying why.
    """
    text = str(unit)
    if unit is None or not text.strip() or (text in _NOBODY and not isinstance(unit, str)):
        raise ValueError(
            f"experiment {experiment!r} has no unit to assign: {unit!r} would put all of them into one arm"
        )
    if isinstance(unit, (set, frozenset)) or f"{id(unit):x}" in text:
        raise ValueError(f"experiment {experiment!r}: the text of {unit!r} is another one in each process; give an id")


def _layer_shares(layer: str, experiments: Mapping[str, float]) -> dict[str, float]:
    """Experiment → its share, and what is left under no name.

    Raises:
        ValueError: If there is nothing to choose, or more than all.
    """
    shares = (
        dict(zip(experiments, _numbers(experiments.values()), strict=True)) if isinstance(experiments, Mapping) else {}
    )
    total = math.fsum(shares.values())
    if not shares or "" in shares or not min(shares.values()) >= 0 or not 0 < total <= 1 + 1e-9:
        raise ValueError(f"layer {layer!r} needs experiments with shares of at most 1 together, not {experiments!r}")
    return {**shares, "": max(1 - total, 0.0)}


def _after(unit: str, stages: Sequence[Mapping[str, float]]) -> str:
    """Where a unit is after all changes of the shares."""
    chosen = _first(unit, stages[0])
    for number, (old, new) in enumerate(pairwise(stages), 1):
        chosen = _moved(f"{unit}\0{number}", chosen, old, new)
    return chosen


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
