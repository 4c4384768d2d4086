"""Every sample of docs/levers.md runs, in order, over a real client against the fake provider."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay.testing import capture

PAGE = (Path(__file__).parents[2] / "docs" / "levers.md").read_text(encoding="utf-8")
SAMPLES = dict(re.findall(r"^## ([A-Za-z ]+).*?```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL))
LOOKUPS = {"Exact cache": [False, True, False], "Semantic cache": [False, True]}


def said(request: Any) -> Answer:
    """The small model is not sure of anything with a capital in it."""
    text = request.body["messages"][-1]["content"]
    unsure = request.body["model"] == "gpt-4o-mini" and "capital" in text
    return Answer(text="not sure" if unsure else "4, or Bern", input_tokens=1000, output_tokens=100)


def embed(text: str) -> list[float]:
    return [float("refund" in text or "money back" in text), 0.05]


def test_the_page_has_a_sample_for_every_lever() -> None:
    assert list(SAMPLES) == [
        "Cascade", "Router", "Exact cache", "Semantic cache", "Experiments", "Evaluation", "Estimate",
    ]  # fmt: skip
    assert all(len(sample.splitlines()) <= 25 for sample in SAMPLES.values())


@pytest.mark.parametrize("lever", SAMPLES)
def test_a_sample_runs_and_reports_what_it_did(lever: str) -> None:
    with FakeProvider(said) as provider, capture() as sent:
        client = openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none", max_retries=0)

        def ask(model: str, question: str) -> str:
            answer = client.chat.completions.create(model=model, messages=[{"role": "user", "content": question}])
            return answer.choices[0].message.content or ""

        found: dict[str, Any] = {"outlay": outlay, "ask": ask, "embed": embed}
        exec(compile(SAMPLES[lever], f"docs/levers.md, {lever}", "exec"), found)
        attributes = [span.attributes for span in sent.spans]
        hits = [one["outlay.cache.hit"] for one in attributes if "outlay.cache.hit" in one]
        assert hits == LOOKUPS.get(lever, [])
        client.close()
    small, large = Decimal("0.00021"), Decimal("0.0035")  # 1,000 in and 100 out: 0.15 and 0.60, 2.50 and 10 per million
    if lever == "Cascade":
        assert (found["run"].answer, found["run"].tier, found["run"].cost_usd) == ("4, or Bern", 1, small + large)
    elif lever == "Router":
        assert {one["outlay.route.tier"] for one in attributes if "outlay.route.tier" in one} == {"cheap"}
    elif lever == "Experiments":
        assert {one.get("outlay.experiment.name") for one in attributes} == {"prompt-14"}
    elif lever == "Evaluation":
        assert {name: one.cost_usd for name, one in found["result"].summaries.items()} == {
            "small": 2 * small,
            "large": 2 * large,
        }
        assert found["result"].summaries["small"].verdict == {"correct": "not enough data"}
    elif lever == "Estimate":  # 1,200 in and 300 out, one in five of them twice
        assert found["plan"].cost_per_request_usd == Decimal("0.00036") + Decimal("0.2") * Decimal("0.006")
