"""Locks that a forked child finds open.

A fork copies every lock as it is, also one that another thread of the parent holds at that moment; nobody is left in
the child to open it. What has locks says here how to get new ones.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Has locks, or other things that a child must not inherit."""

    def after_fork(self) -> None:
        """Runs in the child, before anything else."""


_known: weakref.WeakValueDictionary[int, Forkable] = weakref.WeakValueDictionary()


def renew(owner: Forkable) -> None:
    """Call `owner.after_fork()` in every forked child, as long as the owner lives."""
    _known[id(owner)] = owner


def _after_fork() -> None:
    for owner in list(_known.values()):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
