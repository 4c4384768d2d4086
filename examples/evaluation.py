"""Two models on the same dataset: quality with intervals, cost and latency side by side, and a verdict."""

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider, Request

DATASET = [{"input": f"Is {number} even?", "expected": "yes" if number % 2 == 0 else "no"} for number in range(30)]


def model(request: Request) -> Answer:
    """The fake small model gets every third number wrong."""
    number = int(str(request.body["messages"][-1]["content"]).split()[1])
    right = "yes" if number % 2 == 0 else "no"
    wrong = "no" if right == "yes" else "yes"
    small = "mini" in str(request.body["model"])
    return Answer(text=wrong if small and number % 3 == 0 else right, input_tokens=200, output_tokens=1)


def exact(output: str, example: dict[str, str]) -> bool:
    return output == example["expected"]


def main() -> None:
    with FakeProvider(model) as provider, capture() as sent:
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")

        def ask(name: str, question: str) -> str:
            answer = client.chat.completions.create(model=name, messages=[{"role": "user", "content": question}])
            return answer.choices[0].message.content or ""

        result = outlay.evaluate(
            DATASET,
            {"gpt-4o": lambda text: ask("gpt-4o", text), "gpt-4o-mini": lambda text: ask("gpt-4o-mini", text)},
            [exact],
            name="even-numbers",
        )
        print(result)
        print("gpt-4o-mini against gpt-4o:", result.summaries["gpt-4o-mini"].verdict["exact"])
        print(len(sent.scores), "scores sent beside", len(sent.calls), "calls")
        client.close()


if __name__ == "__main__":
    main()
