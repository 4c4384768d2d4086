"""Which model a line of a bill speaks of: the words of its texts, matched against the names of the price list.

Bills write `gpt 4o 0806 Inp glbl`, `USE1-Claude4.5Sonnet-InputTokenCount` or `Gemini 2.5 Flash Text cached input`;
the price list writes `gpt-4o-2024-08-06`, `anthropic.claude-sonnet-4-5-20250929-v1:0` and `gemini-2.5-flash`. Both are
taken apart into words (letters and digits apart, dates as month and day). A name is found where its words stand next to
each other, the letters in any order and the digits in theirs; the longest name wins, and one that the text goes on with
(`5.9`, `mini`) is not meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from outlay.pricing.catalog import Catalog

# What providers write for the words of a name: patterns of lower-case text, "" for every provider. Read in November
# 2026: meters of Azure's retail prices, usage types of Bedrock, SKUs of Vertex AI and of the Gemini API.
SPELLINGS: Mapping[str, Mapping[str, str]] = {
    "": {r"\bdeep seek\b": "deepseek", r"\bopen ai\b": "openai", r"\bchat gpt\b": "chatgpt"},
    "azure": {
        r"(?<=\d)omini\b": "o mini",
        r"\bgpt[ -]?35\b": "gpt 3.5",
        r"\btext[ -]embed\b|\bembedding[ -](?=3|ada)": "text embedding ",
    },
    "aws": {
        r"\bnova ?(\d)\.0(?!\d)": r"nova \1",
        r"\btitan[ -]?(?:text[ -]?)?embed(?:dings?)?(?:[ -]?text)?": "titan embed text ",
        r"\b(\d+)\.0 (?=haiku|sonnet|opus)": r"\1 ",
    },
    "google": {
        r"\bnative image generation\b": "image",
        r"\bga\b": "",
        r"\bgemini embedding(?: text)?(?! ?\d)": "gemini embedding 001",
    },
}
# Words that show that a text speaks of a model, though the price list may not have it yet.
MAKES = re.compile(
    r"claude|gpt|gemini|gemma|llama|nova|titan|mistral|mixtral|ministral|magistral|devstral|pixtral|deepseek|grok|qwen"
    r"|kimi|phi-?\d|cohere|command|jamba|palmyra|nemotron|glm|embed|o[1-9](?=\b|[- ])",
    re.IGNORECASE,
)
TIERS = re.compile(r"(?<![A-Za-z])(batch|flex|priority)(?![a-z])", re.IGNORECASE)
# Capacity that is paid by the hour, whatever runs on it.
COMMITTED = re.compile(
    r"provisioned.?(?:throughput|managed)|model.?units?(?![a-z])|\bptus?\b|\bgsus?\b|scale.?units?|hosting.?(?:unit|hour)",
    re.IGNORECASE,
)
TOOLS = re.compile(
    r"search|grounding|guardrail|code.?interpreter|code.?execution|session|storage|retrieval", re.IGNORECASE
)

_DATE = re.compile(r"(?<!\d)20\d\d[-.]?(0[1-9]|1[0-2])[-.]?(0[1-9]|[12]\d|3[01])(?!\d)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[a-z]+|\d+")
_REGION = re.compile(r"^(?:regional|global|us|eu|apac|jp|au|us-gov)\.")
_MAKER = re.compile(
    r"^(?:anthropic|amazon|meta|mistral|cohere|ai21|deepseek|openai|qwen|google|nvidia|writer|moonshotai|zai)\.(?=.)"
)
_VERSION = re.compile(r"(?:-v?\d+)?:\d+$|-v\d+$")
_MONTH_DAY = re.compile(r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_NOISE = frozenset({"instruct", "preview", "latest", "it", "maas"})
_SIZES = frozenset({"mini", "nano", "micro", "lite", "pro", "turbo", "max", "ultra", "flash", "codex"})
_MAX_CACHED = 50_000
# Who sells models of their own by an API, as the price list calls them.
MAKERS = ("openai", "anthropic", "google", "mistral_ai", "deepseek", "x_ai", "cohere", "moonshot_ai", "perplexity")
# And who sells open models that others make.
HOSTS = ("groq", "together_ai")
_OF_THEIR_OWN = frozenset({*MAKERS, *HOSTS, "aws", "azure", "google", "openrouter", "fireworks_ai"})
Key = tuple[tuple[str, ...], tuple[str, ...]]


def unplaced(name: str) -> str:
    """A name of the price list without the region that it is priced in: one model has one row, wherever it ran."""
    return _REGION.sub("", name)


class ModelNames:
    """The names of a price list, to look for in texts."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._names: dict[str, tuple[Mapping[Key, str], int]] = {}
        self._found: dict[tuple[str, str], str] = {}

    def knows(self, provider: str, name: str) -> bool:
        """Whether the price list has a model of exactly this name."""
        return self._catalog.find(provider, name) is not None

    def maker(self, name: str) -> str:
        """Whose model a name is, of those who bill for their own; empty where nobody's."""
        for provider in MAKERS:
            found = self._catalog.find(provider, name)
            if found is not None and found.model.provider == self._catalog.provider(provider):
                return provider
        return ""

    def spot(self, provider: str, text: str) -> str:
        """The price list's id of the model that `text` speaks of, empty when it names none."""
        key = (provider, text)
        if key not in self._found:
            if len(self._found) > _MAX_CACHED:
                self._found.clear()
            self._found[key] = self._spot(provider, text)
        return self._found[key]

    def _spot(self, provider: str, text: str) -> str:
        """By the provider's names; who is no maker and no cloud of the list sells what others make."""
        sellers = (provider,) if provider in _OF_THEIR_OWN else (provider, *MAKERS, *HOSTS)
        return next((found for one in sellers if (found := self._spot_among(one, text))), "")

    def _spot_among(self, provider: str, text: str) -> str:
        names, longest = self._of(provider)
        said = _words(provider, text[:1000])
        for length in range(min(longest, len(said)), 1, -1):
            for start in range(len(said) - length + 1):
                found = names.get(_key(word for word, _ in said[start : start + length]))
                if found is not None and not _goes_on(said, start + length):
                    return found
        return ""

    def _of(self, provider: str) -> tuple[Mapping[Key, str], int]:
        if provider not in self._names:
            sellers = self._catalog.sellers(provider)
            ids = [model.id for seller in sellers for model in self._catalog.models() if model.provider == seller]
            ids = [one for one in ids if not one.startswith("ft:") and ".ft" not in one]
            ids.sort(key=lambda one: (_REGION.match(one) is not None, one.startswith("global.")))
            names: dict[Key, str] = {}
            # The whole name first: a shorter form never takes the place of a name of its own.
            for dated, versioned, noisy in (
                (True, True, True), (False, True, True), (True, False, True), (True, True, False),
                (False, False, True), (False, True, False), (True, False, False), (False, False, False),
            ):  # fmt: skip
                for one in ids:
                    words = _name_words(one, dated, versioned, noisy)
                    if len(words) > 1:
                        names.setdefault(_key(words), one)
            self._names[provider] = names, max((sum(map(len, key)) for key in names), default=0)
        return self._names[provider]


def _key(words: Iterable[str]) -> Key:
    listed = list(words)
    letters = sorted(word for word in listed if not word.isdigit())
    return tuple(letters), tuple(word for word in listed if word.isdigit())


def _words(provider: str, text: str) -> list[tuple[str, str]]:
    """The words of a text, each with what stands between it and the one before."""
    plain = _CAMEL.sub(" ", _DATE.sub(r" \1\2 ", text)).lower()
    for table in (SPELLINGS[""], SPELLINGS.get(provider, {})):
        for written, meant in table.items():
            plain = re.sub(written, meant, plain)
    found, end = [], 0
    for match in _WORD.finditer(plain):
        found.append((match[0], plain[end : match.start()]))
        end = match.end()
    return found


def _name_words(name: str, dated: bool, versioned: bool, noisy: bool) -> Sequence[str]:
    plain = _MAKER.sub("", unplaced(name))
    plain = plain if versioned else _VERSION.sub("", plain)
    words = [word for word, _ in _words("", plain)]
    if versioned and ":" in plain:
        words = words[:-1]  # `-v2:0` is the second version
    if not dated:
        words = [word for word in words if not _MONTH_DAY.fullmatch(word)]
    return words if noisy else [word for word in words if word not in _NOISE]


def _goes_on(said: Sequence[tuple[str, str]], end: int) -> bool:
    """Whether what follows makes it another version or another size of the family."""
    if end >= len(said):
        return False
    word, between = said[end]
    if word.isdigit():
        return len(word) < 3 and between == "." and said[end - 1][0].isdigit()
    return word in _SIZES
