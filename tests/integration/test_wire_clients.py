"""The other providers' real clients and frameworks against the fake provider; each test needs its library."""

from __future__ import annotations

import asyncio
import gc
import importlib
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.fake_provider import Answer, FakeProvider

import outlay
from outlay import semconv
from outlay._cost import cost_of
from outlay.testing import Capture, capture
from outlay.tracing.lifecycle import end_open_calls, get_client

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

APART = "needs another openai than the other clients: make clients runs it"
USAGE = Answer(text="four words of answer", input_tokens=900, output_tokens=60, response_id="r1")
CACHED = Answer(
    text="four words of answer",
    input_tokens=900,
    cache_read_tokens=500,
    output_tokens=60,
    reasoning_tokens=20,
    response_id="r1",
)


@pytest.fixture(autouse=True)
def _clients_are_collected_here() -> Iterator[None]:
    """What the libraries leave open, they leave to the garbage collector: let it warn while warnings are theirs."""
    yield
    gc.collect()


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture() as captured, outlay.track(feature="f"):
        yield captured


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


def counts(spans: list[Any]) -> list[tuple[Any, Any]]:
    assert all(span.attributes["outlay.feature"] == "f" for span in spans)
    return [(span.attributes.get(semconv.INPUT_TOKENS), span.attributes.get(semconv.OUTPUT_TOKENS)) for span in spans]


def test_google_genai(sent: Capture, provider: FakeProvider) -> None:
    genai = pytest.importorskip("google.genai")
    provider.queue(*[CACHED] * 4, USAGE)
    client = genai.Client(api_key="none", http_options={"base_url": provider.url})
    client.models.generate_content(model="gemini-3-flash", contents="hi")
    assert len(list(client.models.generate_content_stream(model="gemini-3-flash", contents="hi"))) == 4

    async def main() -> None:
        await client.aio.models.generate_content(model="gemini-3-flash", contents="hi")
        async for _ in await client.aio.models.generate_content_stream(model="gemini-3-flash", contents="hi"):
            pass

    asyncio.run(main())
    client.models.embed_content(model="gemini-embedding-001", contents="hi")
    assert counts(sent.calls) == [(900, 60)] * 4 + [(None, None)]
    first = sent.calls[0].attributes
    assert (first[semconv.CACHE_READ_TOKENS], first[semconv.REASONING_TOKENS]) == (500, 20)
    assert (first["gen_ai.provider.name"], first["gen_ai.response.model"]) == ("gcp.gemini", "gemini-3-flash")


@pytest.mark.parametrize("sse", ["?alt=sse", ""])
def test_counts_so_far_are_not_the_last_word(sent: Capture, provider: FakeProvider, sse: str) -> None:
    """Gemini counts in every piece, and without `alt=sse` it writes an array."""
    provider.queue(Answer(text="word " * 40, input_tokens=900, output_tokens=60, chunk_delay_s=0.005))
    httpx = pytest.importorskip("httpx")
    url = f"{provider.url}/v1beta/models/gemini-3-flash:streamGenerateContent{sse}"
    with httpx.stream("POST", url, json={"contents": [{"parts": [{"text": "hi"}]}]}) as answer:
        for _ in zip(range(8), answer.iter_raw(), strict=False):
            pass
    (span,) = sent.calls
    assert span.attributes["outlay.stream.end"] == "abandoned"
    assert span.attributes[semconv.INPUT_TOKENS] == 900
    assert span.attributes[semconv.OUTPUT_TOKENS] < 60
    assert span.attributes[semconv.USAGE_ESTIMATED] is True


def test_google_interactions(sent: Capture, provider: FakeProvider) -> None:
    genai = pytest.importorskip("google.genai")
    answer = replace(CACHED, web_searches=2)
    provider.queue(answer, answer, answer, replace(CACHED, text="word " * 40, chunk_delay_s=0.005))
    client = genai.Client(api_key="none", http_options={"base_url": provider.url})
    client.interactions.create(model="gemini-3-flash", input="hi")
    list(client.interactions.create(model="gemini-3-flash", input="hi", stream=True))

    async def main() -> None:
        await client.aio.interactions.create(model="gemini-3-flash", input="hi")
        await client.aio.aclose()

    asyncio.run(main())
    stream = client.interactions.create(model="gemini-3-flash", input="hi", stream=True)
    for _ in zip(range(6), stream, strict=False):
        pass
    stream.response.close()
    assert counts(sent.calls[:3]) == [(900, 60)] * 3
    for span in sent.calls[:3]:
        found = span.attributes
        assert (found[semconv.CACHE_READ_TOKENS], found[semconv.REASONING_TOKENS]) == (500, 20)
        assert (found["gen_ai.response.id"], found["outlay.usage.web_searches"]) == ("r1", 2)
    assert sent.calls[3].attributes[semconv.USAGE_ESTIMATED] is True
    assert sent.calls[3].attributes["outlay.stream.end"] == "abandoned"


def test_an_answer_in_the_background_is_one_call_whoever_fetches_it(sent: Capture, provider: FakeProvider) -> None:
    openai, genai = pytest.importorskip("openai"), pytest.importorskip("google.genai")
    provider.queue(replace(CACHED, response_id="resp_1"), replace(CACHED, response_id="i_1"), Answer(), Answer())
    google = genai.Client(api_key="none", http_options={"base_url": provider.url})
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
        client.responses.create(model="gpt-5", input="hi", background=True)
        google.interactions.create(model="gemini-3-flash", input="hi", background=True)
        assert sent.calls == []  # nobody knows yet what they take
        for _ in range(2):
            client.responses.retrieve("resp_1")
            google.interactions.get("i_1")
        assert counts(sent.calls) == [(900, 60), (900, 60)]
        assert sent.calls[0].attributes[semconv.REQUEST_MODEL] == "gpt-5"
        client.responses.retrieve("resp_2")  # another process asked for it
        assert [span.attributes["gen_ai.response.id"] for span in sent.calls[2:]] == ["resp_2"]
        client.responses.create(model="gpt-5", input="hi", background=True)  # nobody fetches it
    end_open_calls(get_client())
    assert counts(sent.calls)[3:] == [(None, None)]


def test_a_video_is_billed_by_its_seconds_once_it_is_made(sent: Capture, provider: FakeProvider) -> None:
    openai = pytest.importorskip("openai")
    made = Answer(text="one two three four", model="sora-2", response_id="video_1")
    provider.queue(made, replace(made, response_id="video_2", finish="content_filter"), replace(made, response_id="v3"))
    with openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none") as client:
        client.videos.create(model="sora-2", prompt="a cat", seconds="4")
        client.videos.create(prompt="a cat", size="1280x720")
        assert sent.calls == []  # nobody knows yet whether they are made
        for identity in ("video_1", "video_1", "video_2"):
            client.videos.retrieve(identity)
        client.videos.remix("video_1", prompt="a dog")  # nobody waits for it
        client.videos.list()
    end_open_calls(get_client())
    told = [(s.attributes[semconv.OPERATION], s.attributes.get("outlay.usage.video_seconds")) for s in sent.calls]
    assert told == [("video_generation", 4), ("video_generation", None), ("video_generation", None)]
    assert [span.attributes.get("error.type") for span in sent.calls] == [None, "moderation_blocked", None]
    assert [cost_of(span.attributes, 1_796_000_000_000_000_000) for span in sent.calls] == [Decimal("0.4"), None, None]


def test_google_genai_automatic_tool_rounds_are_calls(sent: Capture, provider: FakeProvider) -> None:
    genai = pytest.importorskip("google.genai")

    def weather(city: str) -> str:
        """The weather."""
        return f"12 C in {city}"

    provider.queue(Answer(tool="weather", tool_arguments={"city": "Bern"}, input_tokens=50, output_tokens=5), USAGE)
    client = genai.Client(api_key="none", http_options={"base_url": provider.url})
    config = genai.types.GenerateContentConfig(tools=[weather])
    client.models.generate_content(model="gemini-3-flash", contents="hi", config=config)
    assert counts(sent.calls) == [(50, 5), (900, 60)]


def test_mistral(sent: Capture, provider: FakeProvider) -> None:
    client_module = pytest.importorskip("mistralai.client")
    provider.queue(USAGE, USAGE, USAGE)
    client = client_module.Mistral(api_key="none", server_url=provider.url)
    messages = [{"role": "user", "content": "hi"}]
    client.chat.complete(model="mistral-large-latest", messages=messages)
    for _ in client.chat.stream(model="mistral-large-latest", messages=messages):
        pass
    asyncio.run(client.chat.complete_async(model="mistral-large-latest", messages=messages))
    plain, streamed, asynchronous = sent.calls
    assert counts([plain, asynchronous]) == [(900, 60)] * 2
    assert streamed.attributes[semconv.OUTPUT_TOKENS] > 0
    assert plain.attributes["gen_ai.provider.name"] == "mistral_ai"


def test_mistral_conversations(sent: Capture, provider: FakeProvider) -> None:
    client_module = pytest.importorskip("mistralai.client")
    provider.queue(USAGE, USAGE, USAGE)
    client = client_module.Mistral(api_key="none", server_url=provider.url)
    client.beta.conversations.start(inputs="hi", model="mistral-large-latest")
    with client.beta.conversations.append_stream(conversation_id="conv_1", inputs="hi") as stream:
        list(stream)

    async def main() -> None:
        async with client_module.Mistral(api_key="none", server_url=provider.url) as made:
            await made.beta.conversations.append_async(conversation_id="conv_1", inputs="hi")

    asyncio.run(main())
    assert counts(sent.calls) == [(900, 60)] * 3
    assert "gen_ai.response.id" not in sent.calls[0].attributes  # a conversation's id is no answer's


def test_cohere(sent: Capture, provider: FakeProvider) -> None:
    cohere = pytest.importorskip("cohere")
    provider.queue(USAGE, USAGE, USAGE)
    client = cohere.ClientV2(api_key="none", base_url=provider.url)
    messages = [{"role": "user", "content": "hi"}]
    client.chat(model="command-a", messages=messages)
    for _ in client.chat_stream(model="command-a", messages=messages):
        pass
    client.embed(model="embed-v4.0", texts=["hi"], input_type="search_document", embedding_types=["float"])
    assert counts(sent.calls) == [(900, 60), (900, 60), (900, None)]
    assert sent.calls[0].attributes["gen_ai.provider.name"] == "cohere"


def test_ollama(sent: Capture, provider: FakeProvider) -> None:
    ollama = pytest.importorskip("ollama")
    provider.queue(*[USAGE] * 4)
    client = ollama.Client(host=provider.url)
    messages = [{"role": "user", "content": "hi"}]
    client.chat(model="llama3", messages=messages)
    list(client.chat(model="llama3", messages=messages, stream=True))
    client.generate(model="llama3", prompt="hi")
    client.embed(model="nomic", input="hi")
    assert counts(sent.calls) == [(900, 60)] * 3 + [(900, None)]


@pytest.mark.parametrize(
    "operation", ["converse", "converse_stream", "invoke_model", "invoke_model_with_response_stream"]
)
def test_bedrock(sent: Capture, provider: FakeProvider, operation: str) -> None:
    boto3 = pytest.importorskip("boto3")
    provider.queue(
        Answer(
            text="four words of answer",
            input_tokens=900,
            cache_read_tokens=500,
            cache_write_tokens=100,
            output_tokens=60,
        )
    )
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=provider.url,
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    model = "eu.anthropic.claude-sonnet-4-6-v1:0"
    if operation.startswith("converse"):
        messages = [{"role": "user", "content": [{"text": "hi"}]}]
        response = getattr(client, operation)(modelId=model, messages=messages)
        for _ in response.get("stream", ()):
            pass
    else:
        response = getattr(client, operation)(modelId=model, body=b'{"messages": [], "max_tokens": 5}')
        body = response["body"]
        for _ in body if operation.endswith("stream") else [body.read()]:
            pass
    (span,) = sent.calls
    assert counts([span]) == [(900, 60)]
    assert span.attributes[semconv.CACHE_READ_TOKENS] == 500
    assert span.attributes[semconv.CACHE_WRITE_TOKENS] == 100
    assert span.attributes["gen_ai.request.model"] == model
    assert span.attributes["gen_ai.provider.name"] == "aws.bedrock"


def test_bedrock_retries_are_attempts(sent: Capture, provider: FakeProvider) -> None:
    boto3 = pytest.importorskip("boto3")
    provider.queue(Answer(status=503, error="ServiceUnavailableException"), USAGE)
    client = boto3.client(
        "bedrock-runtime",
        region_name="eu-west-1",
        endpoint_url=provider.url,
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
    assert [span.attributes["outlay.attempt"] for span in sent.calls] == [1, 2]


def test_langchain(sent: Capture, provider: FakeProvider) -> None:
    openai = pytest.importorskip("langchain_openai")
    anthropic = pytest.importorskip("langchain_anthropic")
    provider.queue(*[CACHED] * 4)
    chat = openai.ChatOpenAI(model="gpt-4o", base_url=f"{provider.url}/v1", api_key="none", stream_usage=True)
    chat.invoke("hi")
    list(chat.stream("hi"))
    claude = anthropic.ChatAnthropic(model="claude-sonnet-4-6", base_url=provider.url, api_key="none")
    claude.invoke("hi")
    list(claude.stream("hi"))
    assert counts(sent.calls) == [(900, 60)] * 4


def test_langchain_batches_run_in_threads_of_the_feature(sent: Capture, provider: FakeProvider) -> None:
    openai = pytest.importorskip("langchain_openai")
    chat = openai.ChatOpenAI(model="gpt-4o", base_url=f"{provider.url}/v1", api_key="none")
    chat.batch(["a", "b", "c"])
    assert len(counts(sent.calls)) == 3


def test_pydantic_ai(sent: Capture, provider: FakeProvider) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    models = importlib.import_module("pydantic_ai.models.openai")
    providers = importlib.import_module("pydantic_ai.providers.openai")
    provider.queue(CACHED)
    connection = providers.OpenAIProvider(base_url=f"{provider.url}/v1", api_key="none")
    model = models.OpenAIChatModel("gpt-4o", provider=connection)
    pydantic_ai.Agent(model).run_sync("hi")
    assert counts(sent.calls) == [(900, 60)]


def test_openai_agents(sent: Capture, provider: FakeProvider) -> None:
    agents = pytest.importorskip("agents")
    import openai

    agents.set_tracing_disabled(True)
    provider.queue(CACHED)
    model = agents.OpenAIResponsesModel(
        model="gpt-4o", openai_client=openai.AsyncOpenAI(base_url=f"{provider.url}/v1", api_key="none")
    )
    asyncio.run(agents.Runner.run(agents.Agent(name="a", model=model), "hi"))
    assert counts(sent.calls) == [(900, 60)]


def test_litellm(sent: Capture, provider: FakeProvider) -> None:
    litellm = pytest.importorskip("litellm", reason=APART)
    provider.queue(*[CACHED] * 5)
    messages = [{"role": "user", "content": "hi"}]
    base = {"messages": messages, "api_key": "none"}
    litellm.completion(model="openai/gpt-4o", api_base=f"{provider.url}/v1", **base)
    litellm.completion(model="anthropic/claude-sonnet-4-5", api_base=provider.url, **base)
    for _ in litellm.completion(model="anthropic/claude-sonnet-4-5", api_base=provider.url, stream=True, **base):
        pass

    async def main() -> None:
        await litellm.acompletion(model="anthropic/claude-sonnet-4-5", api_base=provider.url, **base)
        async for _ in await litellm.acompletion(
            model="anthropic/claude-sonnet-4-5", api_base=provider.url, stream=True, **base
        ):
            pass

    asyncio.run(main())
    assert counts(sent.calls) == [(900, 60)] * 5


def test_llama_index(sent: Capture, provider: FakeProvider) -> None:
    llama = pytest.importorskip("llama_index.llms.openai", reason=APART)
    provider.queue(CACHED)
    llama.OpenAI(model="gpt-4o", api_base=f"{provider.url}/v1", api_key="none").complete("hi")
    assert counts(sent.calls) == [(900, 60)]


def test_instructor(sent: Capture, provider: FakeProvider) -> None:
    instructor = pytest.importorskip("instructor", reason=APART)
    import openai
    from pydantic import BaseModel

    class City(BaseModel):
        name: str

    provider.queue(Answer(tool="City", tool_arguments={"name": "Bern"}, input_tokens=900, output_tokens=60))
    client = instructor.from_openai(openai.OpenAI(base_url=f"{provider.url}/v1", api_key="none"))
    city = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": "hi"}], response_model=City
    )
    assert city.name == "Bern"
    assert counts(sent.calls) == [(900, 60)]
