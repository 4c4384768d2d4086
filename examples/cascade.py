"""A cascade: the cheap model answers, a judge says how sure it is, the strong model takes over when it is not."""

from typing import NamedTuple

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider, Request


class Reply(NamedTuple):
    text: str
    confidence: float


def model(request: Request) -> Answer:
    """The fake small model is unsure about anything with 'why' in it."""
    question = str(request.body["messages"][-1]["content"])
    sure = request.body["model"] == "gpt-4o" or "why" not in question
    return Answer(text="0.95|Because." if sure else "0.3|Hm.", input_tokens=500, output_tokens=60)


def main() -> None:
    with FakeProvider(model) as provider, capture() as sent:
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")

        def ask(name: str, question: str) -> Reply:
            answer = client.chat.completions.create(model=name, messages=[{"role": "user", "content": question}])
            confidence, _, text = (answer.choices[0].message.content or "").partition("|")
            return Reply(text, float(confidence))

        def small(question: str) -> Reply:
            return ask("gpt-4o-mini", question)

        def large(question: str) -> Reply:
            return ask("gpt-4o", question)

        cascade = outlay.Cascade("answer", [small, large], accept=lambda reply: reply.confidence, threshold=0.8)
        for question in ("What is a span?", "And why?"):
            print(question, "→", cascade(question).text)
        for span in sent.spans:
            if "outlay.cascade.outcome" in span.attributes:
                print("  tier", span.attributes["outlay.cascade.tier"], span.attributes["outlay.cascade.outcome"])
        usage = {"input_tokens": 500, "output_tokens": 60}
        plan = outlay.estimate("openai", "gpt-4o-mini", usage, cascade={"model": "gpt-4o", "escalation_rate": 0.3})
        print(f"expected per request ${plan.cost_per_request_usd:.6f}, top tier alone ${plan.expensive_usd:.6f}")
        client.close()


if __name__ == "__main__":
    main()
