"""From the names that clients report to a model of the price list.

Names come as `gpt-4o-2024-08-06`, `openai/gpt-4o`, `us.anthropic.claude-…-v1:0`, ARNs, `models/gemini-…`, fine-tunes.
Each step that changes a name is recorded in the kind of the match, so that a wrong match can be seen:

    exact            the list's own id
    alias            another spelling that the list names
    dated            a spelling with a date, a revision or `latest` behind a known name
    prefix_added     Bedrock's id, whose maker in front was taken off by a library
    prefix_stripped  as above, after `openai/`, `models/`, a region or an ARN was taken off
    fine_tune        a fine-tuned model with a price of its own
    model_owner      the provider is a gateway or was not said; priced as the maker of the model lists it
    contract         a name from the user's own price list

A name that merely begins like a known one is no match: `claude-opus-4-9` is not `claude-opus-4`, `x-mini` is not `x`.
The clauses of the list are matched like those of genai-prices: `=` equal, `^` begins, `$` ends, `*` contains,
`~` regular expression; a nested list means all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

# gen_ai.provider.name, and what else instrumentations write there, to the price list's provider.
PROVIDERS: Mapping[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "azure": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "azure_ai": "azure",
    "azure_openai": "azure",
    "aws.bedrock": "aws",
    "aws_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google": "google",
    "google_genai": "google",
    "vertex_ai": "google",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "mistral": "mistral",
    "x_ai": "x-ai",
    "xai": "x-ai",
    "cohere": "cohere",
    "cohere_chat": "cohere",
    "deepseek": "deepseek",
    "groq": "groq",
    "perplexity": "perplexity",
    "moonshot_ai": "moonshotai",
    "moonshot": "moonshotai",
    "openrouter": "openrouter",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "voyage": "voyageai",
    "z_ai": "zai",
    "z.ai": "zai",
    "z-ai": "zai",
    "zhipu_ai": "zhipuai",
    "zhipu": "zhipuai",
}
# Makers that a provider's ids begin with, and that libraries take off.
MAKERS: Mapping[str, Sequence[str]] = {
    "aws": ("amazon.", "meta.", "mistral.", "deepseek.", "openai.", "qwen.", "google.", "nvidia.", "writer."),
}
# Nobody bills these by list: only the user's own prices apply, whatever the model is called.
LOCAL = frozenset({"ollama", "vllm", "llama_cpp", "llama.cpp", "lm_studio", "lmstudio", "local", "tgi", "sglang"})
# What is written when the client does not know who answers: a gateway, or an OpenAI-compatible endpoint.
GENERIC = frozenset({"", "_other", "openai", "litellm", "litellm_proxy", "gateway", "unknown", "custom"})
# Makers whose own model names are unmistakable, asked in this order when the provider is generic.
OWNERS = ("openai", "anthropic", "google", "deepseek", "mistral", "x-ai", "cohere", "moonshotai")

_PREFIX = re.compile(
    r"^(?:litellm_proxy|litellm|openrouter|openai|azure|azure_ai|anthropic|vertex_ai|vertexai|gemini|googleai|google|bedrock"
    r"|bedrock_converse|converse|invoke|mistral|deepseek|xai|x-ai|groq|cohere|cohere_chat|perplexity|together_ai"
    r"|fireworks_ai|ollama|ollama_chat)[/:](?=.)"
)
_PATH = re.compile(r"^(?:projects/[^/]+/locations/[^/]+/)?(?:publishers/[^/]+/)?models/(?=.)")
_ARN = re.compile(r"^arn:aws[\w-]*:bedrock:[^/]*/(?=.)")
_REGION = re.compile(r"^(?:us|eu|ap|sa|ca|me|af|il)-(?:gov-)?[a-z]+-\d/(?=.)")
_BEDROCK = re.compile(
    r"^(?:[a-z-]{2,8}\.)?(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|writer)\.(?=.)"
)
_DATE = re.compile(r"(-)(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")
_VERSION = re.compile(r"[-.]\d{1,2}(?![\dx])(?!-\d{2}(?!\d))")
_CUT_NUMBER = re.compile(r"-(?:20\d\d|0)$")
_OTHER_MODEL = re.compile(
    r"(?:^|[-_.])(?:mini|nano|micro|lite|pro|turbo|max|ultra|flash|plus|small|medium|large|omni|image|audio|video|tts"
    r"|live|embed|embedding|transcribe|realtime|search|codex|vision|deep|research|fast|high|highspeed|distill|guard"
    r"|safeguard|cyber|thinker|coder|ocr)(?=$|[-_.:@])"
)


def provider_of(name: str, providers: Mapping[str, Any]) -> str:
    """The price list's provider for a reported name; the name itself, lower-case, when the list has none."""
    lower = name.strip().lower()
    known = PROVIDERS.get(lower)
    if known is not None:
        return known
    if lower in LOCAL or lower in GENERIC:
        return lower
    dashed = lower.replace("_", "-")
    if dashed in providers:
        return dashed
    for key, provider in providers.items():
        if provider["match"] and clause_kind(provider["match"], lower, strict=False):
            return key
    return lower


def spellings(name: str) -> list[tuple[str, str, bool]]:
    """What a reported model name may mean, most literal first: (name, provider named by its prefix, was stripped)."""
    lower = name.strip().lower()
    provider = "aws" if _BEDROCK.match(lower) else ""
    found = [(lower, provider, False)]
    for _ in range(4):
        if _ARN.match(lower):
            lower, provider = lower.rsplit("/", 1)[-1], "aws"
        elif match := _PATH.match(lower) or _REGION.match(lower):
            lower = lower[match.end() :]
        elif match := _PREFIX.match(lower):
            named = match[0][:-1]
            provider = PROVIDERS.get(named, named if named in LOCAL else provider)
            lower = lower[match.end() :]
        else:
            break
        found.append((lower, provider, True))
    return found


def undated(name: str) -> str:
    """`gpt-5.2-20251211` as `gpt-5.2-2025-12-11`, the spelling of OpenAI's own ids."""
    return _DATE.sub(r"\1\2-\3-\4", name)


def clause_kind(clauses: Sequence[Any], name: str, *, strict: bool = True) -> str:
    """How `name` matches any of `clauses`: equal, pattern, fine_tune, or "" when it does not.

    Args:
        clauses: As in `prices.json.gz`; see the module.
        name: Lower-case.
        strict: Refuse what begins or ends like a known name but is another version or another model of the family.
    """
    for clause in clauses:
        if isinstance(clause, list):
            kinds = [clause_kind([part], name, strict=strict) for part in clause]
            if all(kinds):
                return "pattern"
            continue
        kind = _simple_kind(clause[0], clause[1:], name, strict)
        if kind:
            return kind
    return ""


def _simple_kind(how: str, text: str, name: str, strict: bool) -> str:
    if how == "~":
        return "pattern" if re.search(text, name) else ""
    literal = text.lower()
    if how == "=":
        return "equal" if name == literal else ""
    start = name.find(literal)
    if start < 0 or (how == "^" and start != 0) or (how == "$" and not name.endswith(literal)):
        return ""
    if how == "$":
        start = len(name) - len(literal)
    if literal.startswith("ft:") or literal.endswith(".ft-"):
        return "fine_tune"
    before, rest = name[:start], name[start + len(literal) :]
    if strict and (_is_other(literal, rest) or (before and before[-1].isalnum())):
        return ""
    return "pattern"


def _is_other(literal: str, rest: str) -> bool:
    """Whether what follows a known name makes it another version or another model."""
    if not rest:
        return False
    if rest[0].isdigit() and literal[-1].isdigit() and not _CUT_NUMBER.search(literal):
        return True
    return bool(_VERSION.match(rest) or _OTHER_MODEL.search(rest))
