"""Usage and content of what an unknown client returns to a tracked function."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from tests.tracked_calls import call

import outlay
from outlay import semconv
from outlay.testing import Capture, capture


def test_usage_is_read_from_what_an_unknown_client_returns(sent: Capture) -> None:
    class Details:
        def __init__(self) -> None:
            self.cached_tokens = 128

    class Tokens:
        def __init__(self) -> None:
            self.prompt_tokens, self.completion_tokens, self.total_tokens = 412, 220, 632
            self.prompt_tokens_details = Details()

    class Response:
        def __init__(self) -> None:
            self.id, self.model, self.usage = "chatcmpl-1", "gpt-4o-2024-11-20", Tokens()

    response = Response()

    @outlay.track(feature="odd-client")
    def ask() -> Response:
        return response

    assert ask() is response
    (span,) = sent.calls
    assert span.attributes[semconv.INPUT_TOKENS] == 412
    assert span.attributes[semconv.CACHE_READ_TOKENS] == 128
    assert span.attributes[semconv.OUTPUT_TOKENS] == 220
    assert span.attributes[semconv.RESPONSE_MODEL] == "gpt-4o-2024-11-20"
    assert span.attributes[semconv.RESPONSE_ID] == "chatcmpl-1"


def test_compaction_counts_in_what_an_unknown_client_returns(sent: Capture) -> None:
    step = SimpleNamespace(type="compaction", input_tokens=180_000, output_tokens=3_500)
    usage = SimpleNamespace(
        input_tokens=23_000, output_tokens=1_000, cache_read_input_tokens=0, iterations=[step, {"type": "message"}]
    )

    @outlay.track(feature="odd-client")
    def ask() -> SimpleNamespace:
        return SimpleNamespace(id="msg_1", model="claude-sonnet-4-6", usage=usage)

    ask()
    (span,) = sent.calls
    assert (span.attributes[semconv.INPUT_TOKENS], span.attributes[semconv.OUTPUT_TOKENS]) == (203_000, 4_500)


def test_usage_is_not_read_twice_when_the_call_inside_was_metered(sent: Capture) -> None:
    @outlay.track(feature="f")
    def ask() -> dict[str, Any]:
        call()
        return {"usage": {"prompt_tokens": 10, "completion_tokens": 2}, "model": "m"}

    ask()
    assert len(sent.calls) == 1


def test_content_of_an_unknown_client_is_kept_only_when_asked_for() -> None:
    messages = [{"role": "user", "content": "card 4111"}]
    response = {
        "model": "m",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "choices": [{"message": {"content": "yes 4111"}}],
    }

    @outlay.track(feature="odd-client")
    def ask(messages: list[dict[str, str]]) -> dict[str, Any]:
        return response

    with capture() as sent:
        ask(messages)
        assert not any("messages" in key for key in sent.calls[0].attributes)
    with capture(capture_content=True, redact=lambda text: text.replace("4111", "****")) as sent:
        ask(messages)
        messages.append({"role": "assistant", "content": "later"})
        attributes = sent.calls[0].attributes
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "card ****"}]}
    ]
    (said,) = json.loads(attributes["gen_ai.output.messages"])
    assert said["parts"] == [{"type": "text", "content": "yes ****"}]
