"""Nested facts about a call → flat span attributes, with the names that `/api/v1/calls` answers with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from outlay import semconv

_CASCADE = {
    "name": semconv.CASCADE_NAME,
    "run_id": semconv.CASCADE_RUN_ID,
    "tier": semconv.CASCADE_TIER,
    "outcome": semconv.CASCADE_OUTCOME,
    "confidence": semconv.CASCADE_CONFIDENCE,
    "threshold": semconv.CASCADE_THRESHOLD,
    "forced": semconv.CASCADE_FORCED,
}
_CACHE = {
    "kind": semconv.CACHE_KIND,
    "hit": semconv.CACHE_HIT,
    "similarity": semconv.CACHE_SIMILARITY,
    "avoided_input_tokens": semconv.CACHE_AVOIDED_INPUT_TOKENS,
    "avoided_output_tokens": semconv.CACHE_AVOIDED_OUTPUT_TOKENS,
}
_EXPERIMENT = {
    "name": semconv.EXPERIMENT_NAME,
    "arm": semconv.EXPERIMENT_ARM,
    "propensity": semconv.EXPERIMENT_PROPENSITY,
}
_ROUTE = {"tier": semconv.ROUTE_TIER, "reason": semconv.ROUTE_REASON, "propensity": semconv.ROUTE_PROPENSITY}
_FLOATS = frozenset(
    {
        semconv.CASCADE_CONFIDENCE,
        semconv.CASCADE_THRESHOLD,
        semconv.CACHE_SIMILARITY,
        semconv.EXPERIMENT_PROPENSITY,
        semconv.ROUTE_PROPENSITY,
    }
)


def lever_attributes(
    found: dict[str, Any],
    cascade: Mapping[str, Any] | None = None,
    cache: Mapping[str, Any] | None = None,
    experiment: Mapping[str, Any] | None = None,
    route: Mapping[str, Any] | None = None,
    prompt_parts: Mapping[str, int] | None = None,
) -> None:
    """Add the attributes of the given facts to `found`.

    Raises:
        ValueError: If a fact has a key that nothing reads.
    """
    for what, facts, names in (
        ("cascade", cascade, _CASCADE),
        ("cache", cache, _CACHE),
        ("experiment", experiment, _EXPERIMENT),
        ("route", route, _ROUTE),
    ):
        if facts:
            for key, value in facts.items():
                if key not in names:
                    raise ValueError(f"{what} has no {key!r}; known are {', '.join(names)}")
                attribute = names[key]
                if attribute in _FLOATS and value is not None:
                    value = float(value)
                    value = value if math.isfinite(value) else None  # NaN says nothing
                if value is not None:
                    found[attribute] = value
    if prompt_parts:
        for name, tokens in prompt_parts.items():
            found[f"{semconv.PROMPT_PART_PREFIX}{name}{semconv.PROMPT_PART_SUFFIX}"] = int(tokens)
