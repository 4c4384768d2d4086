"""The lines of a cost as meters: in what they are counted, which way the tokens went, what the cache did.

Prices of every line are per million units. A line is named as in `cost_lines`: `input`, `cache_read`, `output_audio`,
`web_searches` …
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

UNITS = {
    "searches": "Searches",
    "requests": "Requests",
    "seconds": "Seconds",
    "pages": "Pages",
    "characters": "Characters",
    "messages": "Messages",
}
PER = 1_000_000


@dataclass(frozen=True)
class Meter:
    """A line of a cost.

    Attributes:
        name: As FOCUS' SkuMeter shows it: `input`, `cached input`, `audio output` …
        unit: What is counted, in the plural: Tokens, Searches …; None where that is not known.
        direction: `Input` or `Output` for tokens.
        cache_action: `Read` or `Write` for tokens of the provider's cache.
    """

    name: str
    unit: str | None
    direction: str | None = None
    cache_action: str | None = None

    @property
    def pricing_unit(self) -> str | None:
        return None if self.unit is None else f"{PER} {self.unit}"


@cache
def meter(line: str) -> Meter:
    """The meter of a cost line."""
    text = {
        "input": Meter("input", "Tokens", "Input"),
        "cache_read": Meter("cached input", "Tokens", "Input", "Read"),
        "cache_write": Meter("cache write", "Tokens", "Input", "Write"),
        "cache_write_1h": Meter("cache write for 1 hour", "Tokens", "Input", "Write"),
        "output": Meter("output", "Tokens", "Output"),
        "reasoning": Meter("reasoning output", "Tokens", "Output"),
        "other": Meter("other", None),
    }
    if line in text:
        return text[line]
    last = line.rpartition("_")[2]
    if last in UNITS:
        return Meter(line.replace("_", " "), UNITS[last])
    for start, shown, direction, action in (
        ("input_", "input", "Input", None),
        ("cache_read_", "cached input", "Input", "Read"),
        ("output_", "output", "Output", None),
    ):
        if line.startswith(start):
            kind = line.removeprefix(start).replace("_", " ")
            return Meter(f"{kind} {shown}", "Tokens", direction, action)
    return Meter(line.replace("_", " "), None)
