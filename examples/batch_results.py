"""A batch: its results are read twice and counted once, at the batch price."""

import time

import openai

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, Batch, FakeProvider


@outlay.track(feature="catalog-texts", team="content")
def read_results(client: openai.OpenAI, batch_id: str) -> list[str]:
    batch = client.batches.retrieve(batch_id)
    return client.files.content(str(batch.output_file_id)).text.splitlines()


def main() -> None:
    answers = {f"item-{number}": Answer(input_tokens=1000, output_tokens=200) for number in range(3)}
    with FakeProvider() as provider, capture(service="catalog") as sent:
        provider.batches["batch_1"] = Batch(answers, created_s=int(time.time()) - 3600, model="gpt-4o")
        client = openai.OpenAI(base_url=provider.url + "/v1", api_key="none")
        for _ in range(2):
            print(len(read_results(client, "batch_1")), "results")
        for span in sent.calls:
            facts = [span.attributes[f"outlay.{name}"] for name in ("batch.custom_id", "feature", "cost.usd")]
            print(span.span_id, *facts)  # the same ids in both readings: the server keeps one call of each
        client.close()


if __name__ == "__main__":
    main()
