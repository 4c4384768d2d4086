"""Which one of several processes does what only one may do: settle, send alerts, migrate.

A lease is a row of claims with numbers that go up. Whoever wants it claims the next number; a number is given once, so
of two claims one is refused. The holder claims again while it works. Others take over when they have seen the same
number for `LEASE_S`, on their own clock: clocks of machines are never compared. The holder counts the same time from
before it claimed, so that it stops before others begin; `check`, asked before each statement and each message, is what
fences a process that slept meanwhile.

That a number is given once is the store's promise: the claim's insert carries it as its deduplication token, so the
second is no row. It holds for plain and replicated tables alike, and needs nothing that a server must be set up for.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from outlay.errors import StoreError
from outlay_collector.store.client import Store

logger = logging.getLogger(__name__)

LEASE_S = 30.0
RENEW_S = 8.0
LOOK_S = 1.0
ASK_S = 10.0
WAIT_S = 90.0  # for a lease whose holder died, and for one whose holder is at work
NOBODY = ""


@dataclass(frozen=True)
class Claim:
    """A number of a lease and whom it was given to; `NOBODY` where it was given back."""

    number: int
    holder: str


class Claims(Protocol):
    """Where the claims of one lease are kept."""

    def last(self) -> Claim:
        """The claim with the highest number; number 0 and `NOBODY` before the first."""
        ...

    def claim(self, number: int, holder: str) -> Claim:
        """Give `number` to `holder` unless it was given; the last claim after that."""
        ...

    def catch_up(self) -> None:
        """See all that earlier holders wrote."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class Fence(Protocol):
    """What only one process may do, as those see it who do it."""

    term: int
    """Changes each time this process begins: what it remembers of the store is to be read again."""

    def held(self) -> bool:
        """Whether this process may go on, from what is known here."""
        ...

    def check(self) -> None:
        """As `held`.

        Raises:
            StoreError: If another process may have begun.
        """
        ...

    def keep(self, begun: Callable[[], None] | None = None) -> None:
        """Take it as soon as it is free, and keep it, in the background; `begun` is called each time it is taken."""
        ...

    def wait(self, timeout_s: float = WAIT_S) -> None:
        """Wait until this process holds it.

        Raises:
            StoreError: Names who holds it after that time.
        """
        ...

    def release(self) -> None:
        """Let others begin at once. Safe to call twice."""
        ...


class Lease:
    """One lease, as one process sees it."""

    def __init__(self, name: str, claims: Claims, *, clock: Callable[[], float] | None = None) -> None:
        """
        Args:
            name: What it is for, as messages say it.
            claims: Where claims are kept.
            clock: Seconds that go on while the machine sleeps; tests set it.
        """
        self.name = name
        self.holder = f"{socket.gethostname()} (pid {os.getpid()}) {uuid.uuid4().hex[:12]}"
        self.term = 0
        self._claims = claims
        self._clock = clock or _seconds
        self._seen = Claim(0, NOBODY)
        self._seen_at = 0.0
        self._until = float("-inf")
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._trouble = ""
        self._begun: Callable[[], None] | None = None

    def held(self) -> bool:
        return self._clock() < self._until

    def check(self) -> None:
        if not self.held():
            raise StoreError(f"the lease of {self.name} has ended; {self._other()} may hold it", retryable=True)

    def take(self) -> bool:
        """Claim the next number if it is due to this process; whether it holds the lease now.

        Raises:
            StoreError: If the store does not answer. What is held stays so until its time is over.
        """
        last = self._claims.last()
        if last.number != self._seen.number:
            self._seen, self._seen_at = last, self._clock()
        ours = last.holder == self.holder
        if not ours and last.holder != NOBODY and self._clock() - self._seen_at < LEASE_S:
            self._until = float("-inf")
            return False
        begins = not ours or not self.term
        if begins:
            self._claims.catch_up()  # whoever held it writes no more; if another begins meanwhile, the number is gone
        started = self._clock()
        won = self._claims.claim(last.number + 1, self.holder)
        self._seen, self._seen_at = won, self._clock()
        if won.holder != self.holder:
            self._until = float("-inf")
            return False
        if begins:
            self.term = won.number
        self._until = started + LEASE_S
        return self.held()

    def keep(self, begun: Callable[[], None] | None = None) -> None:
        self._begun = begun or self._begun
        if self._thread is None:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._keep, name=f"outlay-lease-{self.name}", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float = WAIT_S) -> None:
        self.keep()
        with self._changed:
            if self._changed.wait_for(self.held, timeout_s):
                return
        raise StoreError(f"{self._other()} holds the lease of {self.name}; ask it, or stop it first", retryable=True)

    def release(self) -> None:
        if self._thread is not None:
            self._stopping.set()
            self._thread.join(ASK_S)
            self._thread = None
        try:
            if self.held():
                self._until = float("-inf")
                self._claims.claim(self._seen.number + 1, NOBODY)
        except StoreError as exc:
            logger.warning("the lease of %s cannot be given back and ends by itself: %s", self.name, exc)
        finally:
            self._claims.close()

    def _keep(self) -> None:
        pause_s = 0.0
        while not self._stopping.wait(pause_s):
            before, trouble = self.held(), ""
            try:
                self.take()
            except StoreError as exc:
                trouble = str(exc)
            if trouble and trouble != self._trouble:
                logger.warning("the lease of %s cannot be asked for: %s", self.name, trouble)
            self._trouble = trouble
            if self.held() != before:
                logger.info("lease of %s: %s", self.name, "held" if self.held() else f"lost to {self._other()}")
            with self._changed:
                self._changed.notify_all()
            if self.held() and not before and self._begun is not None:
                self._begun()
            # Who waits looks often, so that a lease that is given back is taken at once; and so does who got no answer.
            pause_s = RENEW_S if self.held() and not trouble else LOOK_S

    def _other(self) -> str:
        return self._seen.holder.rsplit(" ", 1)[0] or "another process"


class Unshared:
    """The fence of a store that no other process can open."""

    term = 1

    def held(self) -> bool:
        return True

    def check(self) -> None:
        """Always passes."""

    def keep(self, begun: Callable[[], None] | None = None) -> None:
        """It was never anybody else's."""

    def wait(self, timeout_s: float = WAIT_S) -> None:
        """There is nobody to wait for."""

    def release(self) -> None:
        """There is nobody to let in."""


class StoredClaims:
    """Claims in the table `leases`."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self._name = name
        self._writer = store.local.writer(ASK_S)

    def last(self) -> Claim:
        self._store.sync(self._writer, "leases")
        rows = self._writer.query(
            "SELECT max(number) AS highest, argMax(holder, number) AS holder FROM leases WHERE name = {name:String}",
            {"name": self._name},
        )
        return Claim(rows[0]["highest"], rows[0]["holder"])

    def claim(self, number: int, holder: str) -> Claim:
        row = {"name": self._name, "number": number, "holder": holder}
        token = f"{self._name}:{number}"
        self._writer.insert("leases", [row], settings={"insert_deduplication_token": token})
        return self.last()

    def catch_up(self) -> None:
        self._store.sync(self._writer)

    def close(self) -> None:
        self._writer.close()


def lease_on(store: Store, name: str) -> Fence:
    """The lease `name` of a store; of a store that is this process's alone, a fence that is always open."""
    return Unshared() if store.embedded else Lease(name, StoredClaims(store, name))


def _seconds() -> float:
    """Seconds that count on while the machine sleeps, where the system has them."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
