"""Streaming, cached prompts, reasoning, retries and an abandoned stream through the OpenAI client: all are metered."""

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider

ASK: list[dict[str, str]] = [{"role": "user", "content": "Explain prefix caching."}]


@outlay.track(feature="explain", team="docs")
def explain(client: openai.OpenAI, words: int | None = None) -> str:
    stream = client.chat.completions.create(  # type: ignore[call-overload]
        model="gpt-4o", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    answer = ""
    for number, chunk in enumerate(stream):
        if words is not None and number > words:
            break  # abandoned: billed by the provider, so recorded here, as an estimate
        answer += (chunk.choices[0].delta.content or "") if chunk.choices else ""
    return answer


def main() -> None:
    with FakeProvider() as provider, capture(service="docs") as sent:
        retry = Answer(status=429, error="rate_limit_exceeded", headers={"retry-after-ms": "1"})
        full = Answer(
            text="The provider keeps the start of your prompt.",
            input_tokens=2000,
            cache_read_tokens=1792,
            output_tokens=420,
            reasoning_tokens=256,
        )
        provider.queue(retry, full, full)
        with openai.OpenAI(base_url=provider.url + "/v1", api_key="none") as client, outlay.tags(user="u1"):
            print(explain(client))
            print(explain(client, words=3), "…")
        for span in sent.calls:
            facts = {
                key.removeprefix("gen_ai.usage."): value for key, value in span.attributes.items() if "usage" in key
            }
            print(f"attempt {span.attributes['outlay.attempt']}:", span.attributes.get("error.type", "ok"), facts)


if __name__ == "__main__":
    main()
