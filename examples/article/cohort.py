"""A 10 % cohort: one user in ten gets the new prompt, always the same ones, and the server compares."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()
PROMPTS = {"control": "Answer.", "short": "Answer in one word."}


@outlay.track(feature="cohort")
def answer(user: str, question: str) -> str:
    with outlay.assign("article-cohort", user, {"control": 0.9, "short": 0.1}) as arm, outlay.tags(user=user):
        given = client.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "system", "content": PROMPTS[arm]}, {"role": "user", "content": question}],
        )
    return given.choices[0].message.content or ""


for number in range(50):
    answer(f"user-{number}", "Is it raining?")
