"""Exact and semantic caches that report hits and what they avoided."""

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider

WORDS = ("refund", "money", "back", "card", "price", "cancel")


def embed(text: str) -> list[float]:
    """A toy embedding: which words occur, with one pair of synonyms."""
    text = text.lower().replace("money back", "refund")
    return [float(word in text) + 0.05 for word in WORDS]


def main() -> None:
    with FakeProvider() as provider, capture() as sent:
        provider.queue(*[Answer(text="Within 14 days.", input_tokens=900, output_tokens=40)] * 2)
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")

        def ask(question: str) -> str:
            answer = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
            return answer.choices[0].message.content or ""

        exact = outlay.cached(ttl_s=3600)(ask)
        similar = outlay.SemanticCache(embed, threshold=0.9)(ask)
        with outlay.track(feature="faq"):
            exact("Can I get a refund?")
            exact("Can I get a refund?")
            similar("Can I get a refund?")
            similar("Do I get my money back?")
        for span in sent.spans:
            facts = {
                key.removeprefix("outlay.cache."): value for key, value in span.attributes.items() if ".cache." in key
            }
            if "kind" in facts:
                print(facts)
        client.close()


if __name__ == "__main__":
    main()
