"""A FastAPI service: the feature on the handler, user and customer from the request.

uvicorn examples.fastapi_app:app
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import openai
from fastapi import FastAPI, Header

import outlay
from outlay.testing import capture
from outlay_web.demo.fake_provider import FakeProvider

provider = FakeProvider()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    outlay.init(service="support-api", environment="dev")
    yield
    outlay.flush(5)


app = FastAPI(lifespan=lifespan)


@app.post("/triage")
@outlay.track(feature="support-triage")
async def triage(ticket: str, x_user: str = Header(), x_customer: str = Header()) -> dict[str, str]:
    with outlay.tags(user=x_user, customer=x_customer):
        async with openai.AsyncOpenAI(base_url=provider.url + "/v1", api_key="none") as client:
            answer = await client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": ticket}]
            )
    return {"team": answer.choices[0].message.content or ""}


async def main() -> None:
    with provider, capture() as sent:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            for user in ("ada", "bob"):
                headers = {"x-user": user, "x-customer": "acme"}
                response = await client.post("/triage", params={"ticket": "Card declined"}, headers=headers)
                print(user, response.json())
        for span in sent.calls:
            print(span.attributes["outlay.feature"], span.attributes["user.id"], span.attributes["outlay.cost.usd"])


if __name__ == "__main__":
    asyncio.run(main())
