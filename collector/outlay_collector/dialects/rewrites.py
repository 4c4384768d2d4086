"""Other words for what spans say: a value renamed, several grouped under one, or dropped as if it were not said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Rewrites:
    """What becomes of the values of one dimension: step by step, until none applies.

    Patterns have `*` for any text. An exact name goes before a pattern.
    """

    rename: Mapping[str, str]
    """A value to another one."""
    group: Mapping[str, tuple[str, ...]]
    """A value to the patterns of those that become it."""
    drop: tuple[str, ...] = ()
    """Patterns of values that count as not said."""

    def of(self, value: str) -> str:
        """What a value becomes; empty where it is dropped."""
        for _ in range(2 * len(self.rename) + 2):  # where nothing goes in a circle, no value needs more
            if self._dropped is not None and self._dropped.fullmatch(value):
                return ""
            after = self.step(value)
            if after is None:
                return value
            value = after
        return value

    def step(self, value: str) -> str | None:
        """What a value becomes next; None where it stays."""
        if value in self.rename:
            return self.rename[value]
        if value in self.group:  # a group's own name stays, though its patterns fit it
            return None
        return next((name for pattern, name in self._grouped if pattern.fullmatch(value)), None)

    def loops(self) -> Iterator[tuple[str, ...]]:
        """Values that become themselves again, each loop once, with the first repeated at the end."""
        told: set[str] = set()
        for start in self.rename:
            path = [start]
            while (after := self.step(path[-1])) is not None:
                if after in path:
                    loop = path[path.index(after) :]
                    if not told & set(loop):
                        told |= set(loop)
                        yield (*loop, after)
                    break
                path.append(after)

    @cached_property
    def _grouped(self) -> list[tuple[re.Pattern[str], str]]:
        found = [(pattern, name) for name, patterns in self.group.items() for pattern in patterns]
        found.sort(key=lambda entry: "*" in entry[0])
        return [(_regex((pattern,)), name) for pattern, name in found]

    @cached_property
    def _dropped(self) -> re.Pattern[str] | None:
        return _regex(self.drop) if self.drop else None


def _regex(patterns: tuple[str, ...]) -> re.Pattern[str]:
    each = (".*".join(re.escape(part) for part in pattern.split("*")) for pattern in patterns)
    return re.compile("|".join(each), re.DOTALL)
