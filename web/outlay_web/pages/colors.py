"""Which color a name has: the same on every page and in every window, while the program runs.

A name likes one color (a hash of it), so that a restart changes little. Where two names that are shown together like
the same one, the one that was seen later takes a free one, and keeps it.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence

SLOTS = range(1, 8)
REMEMBERED = 20_000
Scope = tuple[str, ...]


class Colors:
    """Slots 1 to 7 by scope and name; the names that were shown longest ago are forgotten first. Thread-safe."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._slots: OrderedDict[tuple[Scope, str], int] = OrderedDict()
        self._lock = threading.Lock()

    def slots(self, scope: Scope, names: Sequence[str]) -> dict[str, int]:
        """A color for each of at most 7 names that are shown together, no two the same.

        Args:
            scope: What the names are of: project and dimension.
        """
        with self._lock:
            found: dict[str, int] = {}
            known = [name for name in names if (scope, name) in self._slots]
            for name in [*known, *(name for name in names if name not in known)]:
                liked = self._slots.get((scope, name)) or _liked(name)
                free = [slot for slot in SLOTS if slot not in found.values()]
                found[name] = liked if liked in free else free[0]
                self._slots.setdefault((scope, name), found[name])
                self._slots.move_to_end((scope, name))
            while len(self._slots) > self._remembered:
                self._slots.popitem(last=False)
            return found


def _liked(name: str) -> int:
    digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
    return SLOTS[int.from_bytes(digest) % len(SLOTS)]
