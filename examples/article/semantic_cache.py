"""A semantic cache: questions that mean the same are paid once; the threshold is learned, not guessed."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()


def embed(text: str) -> list[float]:
    return client.embeddings.create(model="text-embedding-3-small", input=text).data[0].embedding


cache = outlay.SemanticCache(embed, threshold=0.93)


@outlay.track(feature="semantic")
@cache
def answer(question: str) -> str:
    given = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
    return given.choices[0].message.content or ""


print([answer(question) for question in ("How can I get a refund?", "Money back, how?", "Where are you?")])
