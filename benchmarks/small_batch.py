"""What one small batch costs, stage by stage: accepted, loaded, settled, and asked for with the newest hundred calls.

    PYTHONPATH=sdk:collector:analytics python benchmarks/small_batch.py --calls 3 --rounds 40

In this process, on an empty store of its own: `calls` calls in a body each, as small applications send them, then a run
of each stage. CPU is user + system of the process with all its threads, in milliseconds. Read the least of many rounds:
on a machine that others use the median is theirs. The first rounds, which make connections and caches, are left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from trickle import body

from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.call_rows import keep_written
from outlay_analytics.questions.calls import list_calls
from outlay_collector.handover import Handover
from outlay_collector.load.loader import Loader
from outlay_collector.prices.book import PriceBook
from outlay_collector.receive.intake import Intake
from outlay_collector.settle import Settler
from outlay_collector.spool.spool import Spool
from outlay_collector.store import migrate, open_store

FIRST_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=3, help="calls in a batch")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="outlay-bench-") as folder:
        for stage, costs_ms in measure(Path(folder), options.calls, options.rounds).items():
            least, median = min(costs_ms), statistics.median(costs_ms)
            print(f"{stage:8} {least:6.1f} ms of CPU at least, {median:6.1f} median")


def measure(folder: Path, calls: int, rounds: int) -> dict[str, list[float]]:
    store = open_store(f"chdb://{folder}/store")
    migrate(store)
    spool = Spool(folder / "spool", quota_bytes=1 << 30)
    handover = Handover()  # as in the one process that loads and settles
    loader = Loader(store, spool, handover=handover)
    settler = Settler(store, PriceBook(store), handover=handover, on_calls=partial(keep_written, store))
    found: dict[str, list[float]] = {"accept": [], "load": [], "settle": [], "ask": []}
    for number in range(FIRST_ROUNDS + rounds):
        sent = [json.dumps(body(number * calls + n + 1)).encode() for n in range(calls)]
        costs_ms = (
            cpu_ms(lambda bodies=sent: asyncio.run(accept(spool, bodies))),
            cpu_ms(lambda: until_done(loader.run_once)),
            cpu_ms(lambda: until_done(settler.run_once)),
            cpu_ms(lambda: list_calls(store, last_hour())),
        )
        if number >= FIRST_ROUNDS:
            for each, cost_ms in zip(found.values(), costs_ms, strict=True):
                each.append(cost_ms)
    settled = store.query("SELECT count() AS n FROM calls FINAL")[0]["n"]
    assert settled == (FIRST_ROUNDS + rounds) * calls, f"{settled} calls"
    settler.close()
    loader.stop()
    spool.close()
    store.close()
    return found


def last_hour() -> Scope:
    now = datetime.now(UTC)
    return Scope(Window(now - timedelta(hours=1), now))


async def accept(spool: Spool, bodies: list[bytes]) -> None:
    for each in bodies:
        await Intake(spool).accept(each, project="default", encoding="json")


def until_done(run_once: Callable[[], bool]) -> None:
    while run_once():
        pass


def cpu_ms(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return 1000 * (time.process_time() - before)


if __name__ == "__main__":
    main()
