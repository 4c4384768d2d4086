"""A small collector to be killed: receiver and loader over the data directory given; prints its port."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import uvicorn

from outlay_collector.load import ledger
from outlay_collector.load.loader import Loader
from outlay_collector.receive.http import Receiver
from outlay_collector.spool.spool import Spool
from outlay_collector.store import migrate, open_store

EXPORT = "SELECT lower(trace_id) AS t, lower(span_id) AS s, count() AS n FROM spans FINAL GROUP BY t, s"


def main(data: Path, port: int) -> None:
    logging.basicConfig(level=logging.WARNING)
    temporary = data / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    store = open_store(f"chdb://{data}/store")
    migrate(store)
    spool = Spool(data / "spool", quota_bytes=1 << 30)
    loader = Loader(store, spool)
    loader.start()
    receiver = Receiver(spool, lambda header: "default")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] not in ("/ledger", "/spans"):
            return await receiver(scope, receive, send)
        answer: Any = ledger.ledger(store, spool) if scope["path"] == "/ledger" else store.query(EXPORT)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
        return None

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", lifespan="off", access_log=False))
    config = server.config
    config.load()
    listener = config.bind_socket()
    print(listener.getsockname()[1], flush=True)
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: setattr(server, "should_exit", True))
    server.capture_signals = nullcontext  # type: ignore[assignment,method-assign]
    server.run(sockets=[listener])
    loader.stop()
    spool.close()
    store.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
