"""An exact cache: the same question of the same customer is paid once; another customer's never meets it."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()


@outlay.cached(ttl_s=3600, scope="customer", version=1)
def answer(question: str) -> str:
    given = client.chat.completions.create(model="gpt-4o", messages=[{"role": "user", "content": question}])
    return given.choices[0].message.content or ""


with outlay.track(feature="exact"):
    for customer in ("acme", "acme", "acme", "globex"):
        with outlay.tags(customer=customer):
            print(customer, answer("How do I cancel?"))
