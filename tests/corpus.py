"""The recorded captures of tests/data/otlp-corpus, and how to compare calls with what the provider knows."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ARCHIVE = Path(__file__).parent / "data" / "otlp-corpus" / "captures.tar.gz"
# Column of calls, name in expected.json's tokens, name in information_present_by_field.
COUNTS = (
    ("input_tokens", "input_total", "input"),
    ("output_tokens", "output_total", "output"),
    ("cache_read_tokens", "cache_read", "cache_read"),
    ("cache_write_tokens", "cache_write_total", "cache_write"),
    ("cache_write_1h_tokens", "cache_write_1h", "cache_write_ttl_split"),
    ("reasoning_tokens", "reasoning", "reasoning"),
)
NAMES = ("request_model", "response_model", "response_id")
# Captures that no rule which holds for real traffic can read right, and why. Allowed: 1 % of 378.
UNREADABLE = {
    "openllmetry__anthropic_stream_nativeoff": "the library adds message_start's output tokens; no sign of a stream",
    "openllmetry__anthropic_stream_cached_nativeoff": "the same",
    "openllmetry__bedrock_invoke": "input leaves out cached tokens, which are on no attribute",
}


@dataclass
class Capture:
    name: str
    bodies: list[tuple[str, str, bytes]] = field(default_factory=list)  # kind, encoding, body
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def billable(self) -> list[dict[str, Any]]:
        """Calls the provider billed and that are on the spans in any way."""
        calls: list[dict[str, Any]] = self.expected["calls"]
        return [
            call for call in calls if call["billable"] and any((call["information_present_by_field"] or {}).values())
        ]


@cache
def captures() -> dict[str, Capture]:
    found: dict[str, Capture] = {}
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE.read_bytes()), mode="r:gz") as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            folder, name = member.name.split("/")
            handle = archive.extractfile(member)
            assert handle is not None
            data = handle.read()
            capture = found.setdefault(folder, Capture(folder))
            if name == "expected.json":
                capture.expected = json.loads(data)
            else:
                kind = "logs" if name.startswith("logs") else "traces"
                capture.bodies.append((kind, "json" if name.endswith(".json") else "protobuf", data))
    return found


def problems(call: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """What is wrong with a call, if it is this one of the provider's."""
    present = truth["information_present_by_field"] or {}
    found = []
    for column, token, name in COUNTS:
        got, want = call[column], truth["tokens"][token]
        if got is None:
            # No count at all beside an embedding's output, which is none by nature.
            if present.get(name) and not (name == "output" and want == 0):
                found.append(f"{column} is unknown, the span has {want}")
        elif got != want and call["cost_state"] != "estimated":
            found.append(f"{column} is {got}, the provider said {want}")
    for name in NAMES:
        if present.get(name) and truth[name] and call[name] not in ("", truth[name]):
            found.append(f"{name} is {call[name]!r}, the provider said {truth[name]!r}")
    if present.get("request_model") and not (call["request_model"] or call["response_model"]):
        found.append("no model, although one is on the span")
    if call["cost_state"] == "no_usage" and present.get("input") and truth["tokens"]["input_total"]:
        found.append("no_usage, although the input is on the span")
    return found


def compare(capture: Capture, calls: list[dict[str, Any]]) -> list[str]:
    """What is wrong with the calls of a capture. Empty when every number is right or unknown."""
    billed = [call for call in calls if call["cost_state"] not in ("not_billed", "cached")]
    found = []
    left, unseen = list(billed), list(capture.billable)
    while left and unseen:
        call, truth = min(((c, t) for c in left for t in unseen), key=lambda pair: len(problems(*pair)))
        found += problems(call, truth)
        left.remove(call)
        unseen.remove(truth)
    # One span for several requests cannot say how many there were.
    most, least = (
        len(capture.billable),
        len([c for c in capture.billable if c["information_present_by_field"]["input"]]),
    )
    if not min(least, most) <= len(billed) <= most:
        found.append(f"{len(billed)} calls, the provider billed {most} that can be seen")
    return found
