"""When what waits in the spool is loaded and settled: at once when it matters, gathered when it does not.

A run over one span costs nearly what a run over a thousand does, so the pace is set by who asks:

- Somebody looks, or did a short while ago: what was received is visible within three seconds. Of who looks every second
  or two it is known when: a run ends before a look, not after it, and where the next look is soon enough, there is
  none.
- Nobody looks: what comes is gathered for thirty. Whoever asks then waits for nothing, but what waits is worked off
  at once.
- An alert is to be judged: at once.
- After a pause: at once, for whoever tries something out will look. A small allowance of working time pays for that; it
  fills up while little is done.
- Many spans wait: at once; their number, not the run, is then what costs.

Between two runs is a rest as long as the last one took, up to 0.7 seconds: the pages get their turn, and the more a run
costs, the more there is for the next.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

VISIBLE_S = 3.0
GATHER_S = 30.0
ATTENTION_S = 30.0  # a page that shows live figures asks every ten seconds
MANY_SPANS = 20_000
LINGER_S = 0.02  # what is sent together arrives within that
LONGEST_REST_S = 0.7
TOGETHER_S = 0.3  # what a page asks at once is one look
SAME_RATIO = 0.2  # periods between looks that differ by less are the same
SAVING_RATIO = 0.005  # of the time goes into the allowance
ALLOWANCE_S = 1.5
MOST_CHARGED_S = 0.5  # a slow run, as the first one is, does not use all of it up


@dataclass(frozen=True)
class Waiting:
    """What is received and not loaded yet: its spans and log records, and the age of the oldest in seconds."""

    spans: int
    age_s: float


class Looks:
    """When somebody looked, and when they will look again, if they do so regularly."""

    def __init__(self) -> None:
        self._began_at = float("-inf")
        self._period_s = self._period_before_s = 0.0

    def note(self, now: float) -> None:
        """Somebody looks."""
        if now - self._began_at >= TOGETHER_S:
            self._period_before_s, self._period_s = self._period_s, now - self._began_at
            self._began_at = now

    def next(self, now: float) -> tuple[float, float] | None:
        """Seconds until the next look, and between two; None where nobody looks regularly, or whoever did is late."""
        in_s, longer_s = self._began_at + self._period_s - now, max(self._period_s, self._period_before_s)
        regular = abs(self._period_s - self._period_before_s) < SAME_RATIO * longer_s < float("inf")
        return (max(in_s, 0.0), self._period_s) if regular and in_s >= -SAME_RATIO * self._period_s else None


class Cadence:
    """Decides when the next run is due. What happens is told from any thread; one thread asks and runs."""

    def __init__(self, *, attended: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """An idle server's pace.

        Args:
            attended: Whether somebody is always taken to look: where those who ask do so in another process.
        """
        self._attended = attended
        self._clock = clock
        self._looks = Looks()
        self._asked_at = self._demanded_at = self._ended_at = float("-inf")
        self._costs_s: dict[str, float] = {}
        self._allowance_s = ALLOWANCE_S
        self._allowance_at = clock()
        self._loads = self._settled = 0
        self._ended = threading.Condition()
        self.changed = threading.Event()

    @property
    def attended(self) -> bool:
        """Whether somebody looks."""
        return self._attended or self._clock() - self._asked_at < ATTENTION_S

    @property
    def cost_s(self) -> float:
        """Seconds that the last run took, loading and settling."""
        return sum(self._costs_s.values())

    def ask(self) -> None:
        """Somebody looks. Costs nothing and waits for nothing."""
        began = not self.attended
        self._asked_at = self._clock()
        self._looks.note(self._asked_at)
        if began:
            self.changed.set()

    def due_s(self, waiting: Waiting) -> float:
        """Seconds until what waits should be loaded, 0 if now."""
        now = self._clock()
        if waiting.spans >= MANY_SPANS or now - waiting.age_s <= self._demanded_at:
            due_s = 0.0
        else:
            saved_s = max(0.0, -self._saved_s(now)) / SAVING_RATIO
            latest_s = self._before_look_s(waiting.age_s, now) if self.attended else GATHER_S - waiting.age_s
            due_s = min(latest_s, max(LINGER_S - waiting.age_s, saved_s))
        rest_s = self._ended_at + min(self.cost_s, LONGEST_REST_S) - now
        return max(0.0, due_s, rest_s)

    def _before_look_s(self, age_s: float, now: float) -> float:
        """Seconds until a run should begin for what is of this age, so that it is seen in time."""
        look = self._looks.next(now)
        if look is not None:
            in_s, period_s = look
            more = (VISIBLE_S - age_s - in_s) // period_s  # looks after the next that are soon enough, too
            if more >= 0:
                return in_s + more * period_s - min(2 * self.cost_s, period_s)
        return VISIBLE_S - 2 * self.cost_s - age_s

    @contextmanager
    def run(self, stage: str) -> Iterator[None]:
        """Around a part of a run, `load` or `settle`: what it costs, and what is settled afterwards."""
        began, loads = self._clock(), self._loads
        yield
        ended = self._clock()
        with self._ended:
            if stage == "load":
                self._loads += 1
            elif self._settled == loads:
                return  # nothing new was there: this says nothing about the cost
            else:
                self._settled = loads
            self._costs_s[stage] = ended - began
            self._allowance_s = self._saved_s(ended) - min(ended - began, MOST_CHARGED_S)
            self._allowance_at = self._ended_at = ended
            self._ended.notify_all()

    def catch_up(self, waiting: Callable[[], Waiting], timeout_s: float) -> bool:
        """Have all that waits now loaded and settled at once, and wait for it; returns whether it was done in time."""
        self._demanded_at = asked_at = self._clock()
        self.changed.set()

        def done() -> bool:
            left = waiting()
            return self._settled == self._loads and (not left.spans or self._clock() - left.age_s > asked_at)

        with self._ended:
            return self._ended.wait_for(done, timeout_s)

    def _saved_s(self, now: float) -> float:
        grown = self._allowance_s + SAVING_RATIO * (now - self._allowance_at)
        return max(-ALLOWANCE_S, min(ALLOWANCE_S, grown))
