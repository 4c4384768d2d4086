"""Routing: the tier follows from the kind of task, its complexity, and who asks."""

import openai

import outlay

outlay.init(service="article")
client = openai.OpenAI()
router = outlay.Router(
    {"cheap": "gpt-4o-mini", "frontier": "gpt-4o"},
    [outlay.Rule("frontier", min_complexity=0.8), outlay.Rule("frontier", task="legal", explore=False)],
    default="cheap",
)


@outlay.track(feature="routing")
def ask(task: str, question: str, complexity: float) -> str:
    with router.choose(task, complexity) as route:
        answer = client.chat.completions.create(model=route.target, messages=[{"role": "user", "content": question}])
    return answer.choices[0].message.content or ""


for task, complexity in (("classification", 0.1), ("classification", 0.2), ("classification", 0.9), ("legal", 0.1)):
    print(task, complexity, ask(task, "Is this spam?", complexity))
