"""Which answers a cache keeps, and for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from outlay import _names, semconv
from outlay.optimizations.given import check_plain_function, number_of, on_the_spot
from outlay.tracing.context import current_scope

# Reasons to stop that leave an answer unfinished, or without one: OpenAI's, Anthropic's, Gemini's, Bedrock's, Cohere's.
_UNFINISHED = frozenset(
    {
        "length",
        "max_tokens",
        "max_output_tokens",
        "incomplete",
        "model_length",
        "model_context_window_exceeded",
        "content_filter",
        "content_filtered",
        "guardrail_intervened",
        "refusal",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "error",
        "error_toxic",
        "failed",
        "cancelled",
        "pause_turn",
    }
)


_bypassed: ContextVar[bool] = ContextVar("outlay-caches-bypassed", default=False)


def is_bypassed() -> bool:
    """Whether no cache is to be asked here and now."""
    return _bypassed.get()


@contextmanager
def bypass() -> Iterator[None]:
    """Inside, no cache is asked: functions are called, and what they give takes the place of what was kept.

    Example:
        with outlay.bypass():
            answer(question)  # made anew, and kept
    """
    token = _bypassed.set(True)
    try:
        yield
    finally:
        _bypassed.reset(token)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a cache keeps, and whose answers it tells apart.

    Attributes:
        when: Says of an answer whether it is kept; None keeps what is finished and was not drawn at random.
        version: Answers of another version are not found.
        scope: Tags whose values tell answers apart.
    """

    when: Callable[[Any], bool] | None = None
    version: str = ""
    scope: tuple[str, ...] = ()

    @classmethod
    def of(cls, what: str, when: Any, version: Any, scope: str | Iterable[str]) -> Rules:
        """Check what was given.

        Raises:
            TypeError: If `when` is no function, or `scope` holds anything but names of tags.
        """
        if when is not None:
            check_plain_function(f"{what}: when", when)
        names = (scope,) if isinstance(scope, str) else tuple(scope) if isinstance(scope, Iterable) else (scope,)
        if not all(isinstance(name, str) and name for name in names):
            raise TypeError(f"{what}: scope must be names of tags, such as customer, not {scope!r}")
        _names.check(names, f"{what}: scope")
        if not (version is None or isinstance(version, str) or number_of(version) is not None):
            raise TypeError(f"{what}: version must be a text or a number, not {version!r}")
        return cls(when, "" if version is None else str(version), names)

    def prefix(self) -> str:
        """What keys of calls made here and now begin with.

        Raises:
            LookupError: If a tag of the scope is not set: whose answer it is cannot be told.
        """
        if not self.version and not self.scope:
            return ""
        attributes = current_scope().attributes
        parts = [self.version]
        for name in self.scope:
            value = attributes.get(semconv.TAG_ATTRIBUTES.get(name) or semconv.TAG_PREFIX + name)
            if value is None:
                raise LookupError(f"its scope is the tag {name}, which is not set here")
            parts.append(str(value))
        return "".join(f"{len(part)}:{part}:" for part in parts)

    def against(self, value: Any, used: Iterable[Mapping[str, Any]]) -> str:
        """Why an answer is not kept; "" if it is.

        Args:
            value: The answer.
            used: Attributes of the calls that it took.
        """
        if self.when is not None:
            return "" if on_the_spot("when", self.when(value)) else "when"
        for attributes in used:
            temperature = attributes.get(semconv.REQUEST_TEMPERATURE)
            if isinstance(temperature, (int, float)) and temperature > 0:
                return f"its temperature is {temperature:g}"
            for reason in attributes.get(semconv.FINISH_REASONS) or ():
                if str(reason).lower() in _UNFINISHED:
                    return f"it ended with {reason}"
        return ""
