"""assign(): which arm of an experiment a unit belongs to. The same on every machine, in every process, for ever.

Python's `hash()` differs from process to process; this is BLAKE2 over experiment and unit, so arms of different
experiments are independent of each other.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from outlay import semconv
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope


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


def assign(experiment: str, unit: object, arms: Sequence[str] | Mapping[str, float] = ("control", "treatment")) -> Arm:
    """The arm of a unit.

    Args:
        experiment: Name of the experiment.
        unit: What is assigned: a user, a session, a ticket. Its text decides.
        arms: Names, or names with weights. Their order matters: do not change it while the experiment runs.

    Raises:
        ValueError: If there is no arm to choose.

    Example:
        with outlay.assign("prompt-14", user_id, {"control": 0.9, "new": 0.1}) as arm:
            answer = ask(PROMPTS[arm], question)
    """
    weights = dict(arms) if isinstance(arms, Mapping) else {} if isinstance(arms, str) else dict.fromkeys(arms, 1.0)
    total = sum(weights.values())
    if not weights or not min(weights.values()) >= 0 or not 0 < total < math.inf:
        raise ValueError(f"experiment {experiment!r} needs arms with weights of at least 0, not {arms!r}")
    digest = hashlib.blake2b(f"{experiment}\0{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64 * total
    chosen = ""
    for name, weight in weights.items():
        if weight > 0:
            chosen = name
            place -= weight
            if place < 0:
                break
    arm = Arm(chosen)
    arm.experiment = experiment
    arm._tokens = []
    return arm
