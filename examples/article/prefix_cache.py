"""The provider's prefix cache: what never changes comes first, what changes comes last."""

import openai
from openai.types.chat import ChatCompletionMessageParam

import outlay

outlay.init(service="article")
client = openai.OpenAI()
RULES = "You answer for the shop. " * 300


@outlay.track(feature="prefix")
def answer(question: str) -> str:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "system", "content": RULES},
        {"role": "user", "content": question},
    ]
    given = client.chat.completions.create(model="gpt-4o", messages=messages)
    return given.choices[0].message.content or ""


for number in range(4):
    print(answer(f"Question {number}?"))
