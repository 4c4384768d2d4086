"""A benchmark: two models on the same examples, with intervals, costs, and a verdict only where the data show it."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()


def ask(model: str, question: str) -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


result = outlay.evaluate(
    [{"input": f"Is {number} even?", "wanted": "yes" if number % 2 == 0 else "no"} for number in range(20)],
    {"gpt-4o": lambda question: ask("gpt-4o", question), "gpt-4o-mini": lambda question: ask("gpt-4o-mini", question)},
    {"correct": lambda output, example: output == example["wanted"]},
    name="article-benchmark",
    margin=0.05,
    progress=False,
)
print(result.to_markdown())
