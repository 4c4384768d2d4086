"""What the fake provider says in terms of every format, and how a stream is framed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(slots=True)
class Answer:
    """What the fake provider says, in terms that every format can express.

    Attributes:
        text: The words of the answer.
        input_tokens: All input, cached included.
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens: Parts of the input.
        output_tokens: All output, reasoning included.
        reasoning_tokens: Part of the output.
        model: Model named in the answer; "" repeats the one asked for.
        response_id: Id of the answer; "" makes one up.
        service_tier: Tier named in the answer.
        finish: Why it stopped, in OpenAI's words: stop, length, tool_calls.
        tool: Name of a function that the model wants to call; arguments are `tool_arguments`.
        status: HTTP status; 400 and above answers an error body.
        error: Type of the error.
        headers: Further response headers.
        delay_s: Seconds before the answer starts.
        chunk_delay_s: Seconds between the pieces of a stream.
        cut_after: Close the connection after that many pieces of a stream.
        usage: False leaves usage out, as servers that do not report it.
        vectors: Length of each embedding.
        iterations: Entries of Anthropic's `usage.iterations`, for compaction, advisors and fallbacks.
    """

    text: str = "Hello from the fake provider."
    input_tokens: int = 20
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 10
    reasoning_tokens: int = 0
    audio_tokens: int = 0
    web_searches: int = 0
    model: str = ""
    response_id: str = ""
    service_tier: str = ""
    finish: str = "stop"
    tool: str = ""
    tool_arguments: Json = field(default_factory=dict)
    status: int = 200
    error: str = "server_error"
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    chunk_delay_s: float = 0.0
    cut_after: int | None = None
    usage: bool = True
    vectors: int = 8
    iterations: list[Json] = field(default_factory=list)

    @property
    def pieces(self) -> list[str]:
        """The text in the pieces that a stream sends."""
        words = self.text.split(" ")
        return [word if index == 0 else " " + word for index, word in enumerate(words)]


def sse(events: Iterator[Json | str], names: bool = False) -> Iterator[bytes]:
    """Server-sent events; with `names`, each has its type as event name."""
    for event in events:
        if isinstance(event, str):
            yield f"data: {event}\n\n".encode()
        else:
            head = f"event: {event.get('type') or event['event_type']}\n" if names else ""
            yield f"{head}data: {json.dumps(event)}\n\n".encode()


def json_array(events: Iterator[Json | str]) -> Iterator[bytes]:
    """An array that grows: Gemini's stream where nobody asks for events."""
    opening = b"["
    for event in events:
        yield opening + json.dumps(event).encode()
        opening = b"\n,\r\n"
    yield b"]"
