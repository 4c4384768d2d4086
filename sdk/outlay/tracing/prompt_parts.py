"""prompt_parts(): how many tokens each part of the prompt has: system, context, history, user …

For the views that show which part grew. Counts of a tokenizer are taken as they are; texts are estimated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context

from outlay import _safely, semconv
from outlay.tracing.context import SCOPE_KEY, Scope, current_scope


class prompt_parts:
    """Calls inside carry the size of each part of their prompt.

    Args:
        **parts: Name → tokens, or the text, a list of texts or of messages, whose tokens are then estimated.

    Example:
        with outlay.prompt_parts(system=SYSTEM, context=documents, history=turns, user=question):
            client.chat.completions.create(...)
    """

    __slots__ = ("_attributes", "_tokens")

    def __init__(self, **parts: int | str | Sequence[Any] | Mapping[str, Any] | None) -> None:
        self._attributes: dict[str, int] = {}
        self._tokens: list[Any] = []
        for name, part in parts.items():
            tokens = _tokens(part)
            if tokens is not None:
                self._attributes[f"{semconv.PROMPT_PART_PREFIX}{name}{semconv.PROMPT_PART_SUFFIX}"] = tokens

    def __enter__(self) -> prompt_parts:
        outer = current_scope()
        scope = Scope({**outer.attributes, **self._attributes}, outer.frame, outer.metering)
        self._tokens.append(otel_context.attach(otel_context.set_value(SCOPE_KEY, scope)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        otel_context.detach(self._tokens.pop())


def _tokens(part: object) -> int | None:
    """How many there are; None where nobody can say."""
    try:
        if isinstance(part, int):
            return max(int(part), 0)
        from outlay.parsing.estimate import tokens_of, words_of

        return None if part is None else round(sum(map(tokens_of, words_of(part))))
    except Exception:
        _safely.swallow("prompt_parts")
        return None
