"""Two lines instrument an app; everything else here is the app, and a fake provider in place of an API key.

python examples/quickstart.py            # prints what was recorded
outlay serve &  python examples/quickstart.py --send    # and sends it to http://localhost:4318
"""

import sys
from contextlib import ExitStack

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider


@outlay.track(feature="support-triage")  # line two
def triage(client: openai.OpenAI, ticket: str) -> str:
    answer = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": f"Which team handles this? {ticket}"}]
    )
    return answer.choices[0].message.content or ""


def main() -> None:
    with ExitStack() as stack:
        provider = stack.enter_context(FakeProvider())
        provider.queue(Answer(text="Payments", input_tokens=1200, cache_read_tokens=1024, output_tokens=80))
        client = stack.enter_context(openai.OpenAI(base_url=provider.url + "/v1", api_key="none"))
        if "--send" in sys.argv:
            outlay.init(service="quickstart")  # line one
            print("team:", triage(client, "My card was declined."))
            return
        sent = stack.enter_context(capture(service="quickstart"))
        print("team:", triage(client, "My card was declined."))
        for span in sent.calls:
            print(f"{span.name}:")
            for name in sorted(span.attributes):
                print(f"  {name} = {span.attributes[name]}")


if __name__ == "__main__":
    main()
