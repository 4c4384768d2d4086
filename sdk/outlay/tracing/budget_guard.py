"""A brake for applications: what a budget's state, as it was last heard of, does to work that is about to begin.

Advisory, and not a limit: the state is up to `refresh_s` old, money that is on its way is not in it, and where the
server cannot be asked, work goes on: what was heard last is believed for `BELIEVED` times `refresh_s`, no longer.
Asking happens on a thread of its own; the call path only reads a variable.
"""

from __future__ import annotations

import functools
import inspect
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, cast

from outlay import _fork, _safely
from outlay._http import Http
from outlay._kinds import is_async
from outlay.errors import OutlayError
from outlay.export.sender import unseen
from outlay.tracing.context import current_scope
from outlay.tracing.deferred import Start, async_generator, generator
from outlay.tracing.lifecycle import get_client

P = ParamSpec("P")
R = TypeVar("R")
TIMEOUT_S = 5.0
LEAST_REFRESH_S = 1.0
BELIEVED = 5
Scope = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True)
class BudgetState:
    """A budget that is over, as it was last heard of.

    Attributes:
        budget: Its name.
        reason: What was spent, in words.
        heard_s: How old this is, in seconds.
    """

    budget: str
    reason: str
    heard_s: float


class BudgetExceeded(OutlayError):
    """A budget was over when it was last heard of; raised only by `budget_guard`, which the application put there.

    Attributes:
        state: The budget's state.
    """

    def __init__(self, state: BudgetState) -> None:
        super().__init__(f"budget {state.budget!r} is over: {state.reason} (heard of {state.heard_s:.0f} s ago)")
        self.state = state


class BudgetGuard:
    """What `budget_guard` returns: decorates a function, is entered as a block, or is asked."""

    def __init__(self, scope: str | Scope, on_over: Callable[[BudgetState], Any] | None, refresh_s: float) -> None:
        self._name = scope if isinstance(scope, str) else ""
        self._scope = None if isinstance(scope, str) else _plain(scope)
        if on_over is not None and (not callable(on_over) or is_async(on_over)):
            raise TypeError(f"on_over is called on the spot: it must be a plain function, not {on_over!r}")
        self._on_over = on_over
        self._refresh_s = max(refresh_s, LEAST_REFRESH_S)
        self._heard: tuple[float, tuple[str, str] | None] | None = None  # when, and what is over; read as a whole
        self.after_fork()
        _fork.renew(self)

    def after_fork(self) -> None:
        """A lock that nobody holds; and a forked child has none of its parent's threads, which may be asking."""
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    @property
    def over(self) -> BudgetState | None:
        """The budget's state where it is over, None where it is not or nothing is known. Never waits."""
        self._ask_later()
        heard = self._heard
        if heard is None or heard[1] is None:
            return None
        heard_s = time.monotonic() - heard[0]
        if heard_s > BELIEVED * self._refresh_s:
            self._forget(heard, heard_s)
            return None
        return BudgetState(*heard[1], heard_s)

    def _forget(self, heard: tuple[float, tuple[str, str] | None], heard_s: float) -> None:
        """Too old to be believed; said once."""
        with self._lock:
            if self._heard is not heard:
                return
            self._heard = None
        budget = heard[1][0] if heard[1] is not None else ""
        _safely.warn(
            f"budget {budget}",
            "budget %r was over %.0f s ago, and nothing was heard since; work goes on",
            budget,
            heard_s,
        )

    def check(self) -> None:
        """Before work that may wait: raise, or call back, where the budget is over.

        Inside of a tracked call nothing happens: what has begun may end.

        Raises:
            BudgetExceeded: If it is over and there is no callback. What a callback raises is raised.
        """
        if current_scope().frame is not None:
            return
        state = self.over
        if state is None:
            return
        if self._on_over is None:
            raise BudgetExceeded(state)
        self._on_over(state)

    def refresh(self) -> bool:
        """Ask the server now, and wait for it; whether it answered. For start-up and tests, not for the call path."""
        self._asked_at = time.monotonic()
        found = self._ask()
        if found is None:
            return False
        mine = next((alert for alert in found if self._is_mine(alert)), None)
        over = None if mine is None else (str(mine.get("budget")), str(mine.get("reason")))
        self._heard = time.monotonic(), over
        return True

    def __enter__(self) -> BudgetGuard:
        self.check()
        return self

    def __exit__(self, *error: object) -> None:
        return None

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, (classmethod, staticmethod)):
            return cast(Callable[P, R], type(function)(self(function.__func__)))
        wrapped: Any
        called = cast(Any, function)
        if inspect.isasyncgenfunction(function):
            wrapped = async_generator(self._start(called))
        elif inspect.iscoroutinefunction(function):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                self.check()
                return await called(*args, **kwargs)

            wrapped = coroutine
        elif inspect.isgeneratorfunction(function):
            wrapped = generator(self._start(called))
        else:

            def plain(*args: Any, **kwargs: Any) -> Any:
                self.check()
                return called(*args, **kwargs)

            wrapped = plain
        return cast(Callable[P, R], functools.wraps(function)(wrapped))

    def _start(self, called: Callable[..., Any]) -> Start:
        def start(*args: Any, **kwargs: Any) -> tuple[None, Any]:
            self.check()
            return None, called(*args, **kwargs)

        return start

    def _is_mine(self, alert: Mapping[str, Any]) -> bool:
        if alert.get("rule") != "over_budget":
            return False
        if self._scope is None:
            return alert.get("budget") == self._name
        return _plain(alert.get("scope") or {}) == self._scope

    def _ask_later(self) -> None:
        """Ask on a thread of its own where the last answer, or attempt, is old enough."""
        now = time.monotonic()
        if not get_client().enabled:
            return
        with self._lock:
            if self._asked_at is not None and now - self._asked_at < self._refresh_s:
                return
            self._asked_at = now
        try:
            threading.Thread(target=self.refresh, name="outlay-budget", daemon=True).start()
        except RuntimeError:  # the interpreter is going down
            return

    def _ask(self) -> list[Mapping[str, Any]] | None:
        """The alerts that fire; None where nobody answers."""
        settings = get_client().settings
        try:
            url = f"{settings.endpoint}/api/v1/alerts?state=firing&limit=1000"
            with unseen():
                reply = Http(settings).request("GET", url, settings.headers or {}, timeout_s=TIMEOUT_S)
            if reply.status != 200:
                raise ValueError(f"the server answered {reply.status}")
            found = json.loads(reply.body)["alerts"]
            if not all(isinstance(alert, dict) for alert in found):
                raise ValueError("its alerts are none")
            return list(found)
        except Exception as exc:
            _safely.warn("budget_guard", "budgets could not be asked for, work goes on: %s", exc)
            return None


def budget_guard(
    scope: str | Scope, on_over: Callable[[BudgetState], Any] | None = None, *, refresh_s: float = 60.0
) -> BudgetGuard:
    """Keep work from beginning while a budget is over: raise, or call back.

        @outlay.budget_guard("search")            # or {"feature": "search"}: a budget of just this scope
        @outlay.track(feature="search")
        def answer(question): ...

    It is checked before the outermost tracked call, from a state that is up to `refresh_s` old, and never waits for the
    server. Advisory: what it does not know, and what is already running, goes on. Reading budgets needs a key that may.

    Args:
        scope: The budget's name, or its scope.
        on_over: Called with the state where it is over; what it raises is raised. Without it, `BudgetExceeded` is.
        refresh_s: How old the state may become before the server is asked again, in the background. Where it does not
            answer, work goes on after five times as long.
    """
    return BudgetGuard(scope, on_over, refresh_s)


def _plain(scope: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    return {
        str(name): (values,) if isinstance(values, str) else tuple(sorted(map(str, values)))
        for name, values in scope.items()
    }
