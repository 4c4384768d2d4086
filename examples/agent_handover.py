"""OpenAI Agents: a hand-over between two agents, one of them with a tool; each round is a call.

The feature goes on the run; agents may have one of their own. Nothing is registered with the framework.
"""

import asyncio

import openai
from agents import Agent, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider


@function_tool
def refund(order: str) -> str:
    """Pay an order back."""
    return f"{order} is paid back"


@outlay.track(feature="help-desk", team="support")
async def help_with(desk: Agent, request: str) -> str:
    result = await Runner.run(desk, request)
    return str(result.final_output)


async def main() -> None:
    set_tracing_disabled(True)  # the framework's own upload to OpenAI
    with FakeProvider() as provider, capture(service="shop") as sent:
        provider.queue(
            Answer(tool="transfer_to_refunds", input_tokens=250, output_tokens=12),
            Answer(tool="refund", tool_arguments={"order": "A7"}, input_tokens=310, output_tokens=18),
            Answer(text="Your money is on its way.", input_tokens=360, output_tokens=25, reasoning_tokens=10),
        )
        async with openai.AsyncOpenAI(base_url=provider.url + "/v1", api_key="none") as client:
            small = OpenAIResponsesModel(model="gpt-4o-mini", openai_client=client)
            large = OpenAIResponsesModel(model="gpt-4o", openai_client=client)
            refunds = Agent(name="refunds", model=large, tools=[refund])
            desk = Agent(name="desk", model=small, handoffs=[refunds])
            print(await help_with(desk, "I want my money back for A7."))
        for span in sent.calls:
            usage = [span.attributes[f"gen_ai.usage.{side}_tokens"] for side in ("input", "output")]
            print(span.attributes["outlay.feature"], span.attributes["gen_ai.request.model"], *usage)


if __name__ == "__main__":
    asyncio.run(main())
