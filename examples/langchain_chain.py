"""LangChain: a chain with a tool and a batch; every request below it is a call of the feature.

Nothing is registered with LangChain: calls are metered where its clients speak HTTP, also in the threads of `batch`.
"""

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import Answer, FakeProvider


@tool
def order_status(order: str) -> str:
    """Where an order is."""
    return f"{order} left the warehouse"


@outlay.track(feature="order-desk")
def answer(model: ChatOpenAI, question: str) -> str:
    asking = model.bind_tools([order_status]).invoke(question)
    found = [order_status.invoke(call["args"]) for call in asking.tool_calls]
    prompt = ChatPromptTemplate.from_template("Answer from this: {facts}\n\n{question}")
    return (prompt | model | StrOutputParser()).invoke({"facts": found, "question": question})


@outlay.track(feature="summaries")
def summarize(model: ChatOpenAI, texts: list[str]) -> list[str]:
    return [str(message.content) for message in model.batch([f"In a sentence: {text}" for text in texts])]


def main() -> None:
    with FakeProvider() as provider, capture(service="shop") as sent:
        provider.queue(
            Answer(tool="order_status", tool_arguments={"order": "A7"}, input_tokens=300, output_tokens=20),
            Answer(text="It left the warehouse.", input_tokens=420, output_tokens=30),
        )
        model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.url + "/v1", api_key=SecretStr("none"))
        with outlay.tags(user="ada"):
            print(answer(model, "Where is order A7?"))
            print(len(summarize(model, ["one", "two", "three"])), "summaries")
        for span in sent.calls:
            print(span.attributes["outlay.feature"], span.attributes["gen_ai.usage.input_tokens"])


if __name__ == "__main__":
    main()
