"""Anthropic's prompt cache: reads, writes for five minutes and for an hour each have their price."""

import anthropic

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider

GUIDE = [{"type": "text", "text": "A long style guide. " * 400, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]


@outlay.track(feature="style-check")
def check(client: anthropic.Anthropic, text: str) -> str:
    with client.messages.stream(
        model="claude-sonnet-4-6",
        max_tokens=200,
        system=GUIDE,  # type: ignore[arg-type]
        messages=[{"role": "user", "content": text}],
    ) as stream:
        return stream.get_final_text()


def main() -> None:
    with FakeProvider() as provider, capture(service="docs") as sent:
        provider.queue(
            Answer(
                text="Fine.", input_tokens=2100, cache_write_tokens=2000, cache_write_1h_tokens=2000, output_tokens=5
            ),
            Answer(text="Fine.", input_tokens=2100, cache_read_tokens=2000, output_tokens=5),
        )
        with anthropic.Anthropic(base_url=provider.url, api_key="none") as client:
            check(client, "First text.")
            check(client, "Second text.")
        first, second = (span.attributes["outlay.cost.usd"] for span in sent.calls)
        print(f"first call, writes the cache: ${first:.6f}")
        print(f"second call, reads it:        ${second:.6f}")


if __name__ == "__main__":
    main()
