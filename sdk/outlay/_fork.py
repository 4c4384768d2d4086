"""Locks that a forked child finds open.

A fork copies every lock as it is, also one that another thread of the parent holds at that moment; nobody is left in
the child to open it. What has locks says here how to get new ones.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol


class Forkable(Protocol):
    """Has locks, or other things that a child must not inherit."""

    def after_fork(self) -> None:
        """Runs in the child, before anything else."""


class Holder(Protocol):
    """Does things on threads of its own that must not be half done when memory is copied, such as imports."""

    def before_fork(self) -> None:
        """Runs in the parent, before: waits until nothing is, and lets nothing begin."""

    def forked(self) -> None:
        """Runs in the parent, after, on the same thread."""


_held: weakref.WeakValueDictionary[int, Holder] = weakref.WeakValueDictionary()
_here = threading.local()
_known: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()


def renew(owner: Forkable) -> None:
    """Call `owner.after_fork()` in every forked child, as long as the owner lives."""
    _known[id(owner)] = owner


class Renewed:
    """Has locks that are made anew in a forked child, and in a copy that is sent to a spawned one."""

    def after_fork(self) -> None:
        """Makes them, and nothing else."""
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        fresh = object.__new__(type(self))
        fresh.after_fork()
        return {name: value for name, value in vars(self).items() if name not in vars(fresh)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self.after_fork()
        renew(self)


def hold(owner: Holder) -> None:
    """Call `owner.before_fork()` and `owner.forked()` around every fork, as long as the owner lives."""
    _held[id(owner)] = owner


def _before_fork() -> None:
    _here.owners = list(_held.values())
    for owner in _here.owners:
        owner.before_fork()


def _forked() -> None:
    for owner in _here.__dict__.pop("owners", ()):
        owner.forked()


def _after_fork() -> None:
    for owner in list(_known.values()):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_forked, after_in_child=_after_fork)
