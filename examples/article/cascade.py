"""A cascade: the small model first; how sure it must be depends on the task, and law goes to the top alone."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()


def ask(model: str, question: str) -> str:
    answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


cascade = outlay.Cascade(
    "article",
    [lambda question: ask("gpt-4o-mini", question), lambda question: ask("gpt-4o", question)],
    accept=lambda answer: 0.3 if "not sure" in answer else 0.87,
    threshold={"legal": outlay.TOP, "spam": 0.85, "*": 0.9},
)
for task, question in (("spam", "Spam?"), ("spam", "A hard one: spam?"), ("news", "Is it new?"), ("legal", "May I?")):
    run = cascade.run_detailed(question, task=task)
    print(task, run.tier, run.confidence, run.cost_usd, [attempt.outcome for attempt in run.attempts])
