"""Which tier a model belongs to: frontier, mid, cheap or local.

A tier is a judgement about price and capability at the time of writing, so it is a table: patterns tried in order, the
first match wins, and `[model_tiers]` of `outlay.toml` goes before them:

    [model_tiers]
    frontier = ["acme-ultra-*"]
    local = ["llama-*", "in-house/*"]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TIERS = ("frontier", "mid", "cheap", "local")

# RE2 patterns on the model's name in lower case, searched anywhere. Small names go first: `gpt-5-mini` is not `gpt-5`.
DEFAULTS: tuple[tuple[str, str], ...] = (
    ("local", r"(^|/)(ollama|llamafile|vllm|lmstudio|lm_studio)[/:_-]|:\d+(\.\d+)?[bm](-|$)|:latest$|\.gguf$|-gguf"),
    (
        "cheap",
        r"nano|(^|[-_./:])mini|flash|haiku|lite|micro|small|tiny|ministral|mistral-7b|open-mistral|gemma|phi-|-instant"
        r"|gpt-3\.5|babbage|davinci|embed|rerank|moderation|command-(light|r7b)|command-r(-\d|$)|nova-micro|titan"
        r"|[-_.](0\.5|1|1\.5|2|3|4|7|8|9)b\b|8x7b",
    ),
    (
        "frontier",
        r"opus|gpt-5|gpt-4\.5|gpt-4($|-0|-3|-turbo|-vision|-1106)|gpt-4\.1($|-)|^o1|/o1|^o3|/o3|fable|mythos"
        r"|gemini-[\d.]+-(pro|ultra)|gemini-(pro|ultra)|grok-[345]|ultra|premier|405b|deepseek-(r1|reasoner)",
    ),
    (
        "mid",
        r"sonnet|gpt-4o|o4|claude|medium|large|command|qwen|llama|mixtral|deepseek|nova|mistral|glm|kimi|grok|gpt-oss"
        r"|magistral|codestral|sonar|jamba",
    ),
)


@dataclass(frozen=True)
class ModelTiers:
    """Patterns in order of preference; `patterns` are (tier, RE2)."""

    patterns: tuple[tuple[str, str], ...] = DEFAULTS

    def expression(self, column: str, params: dict[str, Any]) -> str:
        """SQL for the tier of the model in `column`, empty when none is known; patterns go into `params`."""
        branches = []
        for number, (tier, pattern) in enumerate(self.patterns):
            params[f"model_tier_{number}"] = pattern
            params[f"model_tier_name_{number}"] = tier
            branches.append(
                f"match(lower({column}), {{model_tier_{number}:String}}), {{model_tier_name_{number}:String}}"
            )
        return f"multiIf({', '.join(branches)}, '')"

    def of(self, model: str) -> str:
        """The tier of one model, empty when none is known."""
        name = model.lower()
        return next((tier for tier, pattern in self.patterns if re.search(pattern, name)), "")


DEFAULT_TIERS = ModelTiers()


def parse_model_tiers(section: Mapping[str, Any]) -> ModelTiers:
    """Read `[model_tiers]` of outlay.toml.

    Raises:
        ConfigError: For an unknown tier, or names that are not a list of texts.
    """
    # Models only where a file is read: every command imports this module, and `--help` waits for nothing.
    from outlay_analytics.query.tier_table import ModelTiersTable
    from outlay_collector.prices.tables import read_table

    written = read_table(ModelTiersTable, section, "[model_tiers]")
    own = [
        (tier, "^" + re.escape(name.lower()).replace(r"\*", ".*") + "$")
        for tier in section
        for name in getattr(written, tier)
    ]
    # An exact name goes before a pattern, whatever the order of the file.
    own.sort(key=lambda entry: ".*" in entry[1])
    return ModelTiers((*own, *DEFAULTS))
