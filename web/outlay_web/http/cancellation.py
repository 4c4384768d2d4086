"""What a client no longer waits for is given up: its questions to the store end when its connection does.

Else every impatient reload of a page would leave one more long question behind, and all would wait for the same few
connections. Only reading is given up; what changes something is finished.
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlay_collector.store.asking import Asker, asking


class GivenUp:
    """ASGI application around another: watches the connection of a GET while it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        asker, arrived = Asker(), asyncio.Queue[Message]()

        async def watch() -> None:
            while True:
                message = await receive()
                arrived.put_nowait(message)
                if message["type"] == "http.disconnect":
                    asker.leave()
                    return

        watcher = asyncio.create_task(watch())
        try:
            with asking(asker):
                await self._app(scope, arrived.get, send)
        finally:
            watcher.cancel()
