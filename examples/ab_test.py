"""An A/B test of two prompts: stable assignment, scores sent as evaluations of the calls they judge."""

from collections import Counter

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider, Request

PROMPTS = {"control": "Answer the question.", "terse": "Answer in one sentence."}


def model(request: Request) -> Answer:
    terse = "one sentence" in str(request.body["messages"][0]["content"])
    return Answer(text="Yes.", input_tokens=300, output_tokens=30 if terse else 120)


def main() -> None:
    with FakeProvider(model) as provider, capture() as sent:
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")
        for number in range(40):
            user = f"user-{number}"
            with (
                outlay.track(feature="faq"),
                outlay.tags(user=user),
                outlay.assign("prompt-14", user, list(PROMPTS)) as arm,
            ):
                client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "system", "content": PROMPTS[arm]}, {"role": "user", "content": "Is it open?"}],
                )
                outlay.score("helpful", 1.0 if number % 5 else 0.0)
        arms = Counter(span.attributes["outlay.experiment.arm"] for span in sent.calls)
        cost = Counter[str]()
        for span in sent.calls:
            cost[span.attributes["outlay.experiment.arm"]] += span.attributes["outlay.cost.usd"]
        for arm_name in PROMPTS:
            print(f"{arm_name:8s} {arms[arm_name]:3d} users, ${cost[arm_name] / arms[arm_name]:.6f} per call")
        print(len(sent.scores), "scores")
        client.close()


if __name__ == "__main__":
    main()
