"""Put the company's month through the real SDK and OTLP, and check the bill: `python -m outlay_web.demo.send URL`.

Runs in a process of its own, as an application would. Past calls go through `outlay.record`; today's live ones through
a real HTTP client against a fake provider, metered at the wire.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import outlay
from outlay_web.demo import live
from outlay_web.demo.bill import cost, exact
from outlay_web.demo.company import Company
from outlay_web.demo.interactions import Call, Interaction

FLUSH_EVERY = 1000
SETTLED_WITHIN_S = 120


@dataclass
class Bill:
    """What was sent and what it must cost."""

    calls: int = 0
    unpriced: int = 0
    usd: Fraction = Fraction(0)

    def add(self, amount: Fraction | None) -> None:
        self.calls += 1
        self.unpriced += amount is None
        self.usd += amount or 0


def send_month(company: Company, bill: Bill, progress: Callable[[int], None]) -> None:
    """Record every interaction of the month; wait for the server whenever the queue could run full."""
    waiting = 0
    for interaction in company.interactions():
        _record(interaction)
        for call in interaction.calls:
            bill.add(cost(call))
        waiting += len(interaction.calls)
        if waiting >= FLUSH_EVERY:
            outlay.flush()
            progress(bill.calls)
            waiting = 0
    outlay.flush()
    progress(bill.calls)


def _record(one: Interaction) -> None:
    with outlay.track(
        one.feature.replace("-", "_"),
        feature=one.feature,
        started_at=one.started_at,
        ended_at=one.ended_at,
        team=one.team,
        customer=one.who.customer,
        user=one.who.user,
        session=one.who.session,
        prompt=one.prompt,
        prompt_version=one.prompt_version,
        experiment={"name": one.experiment, "arm": one.arm} if one.experiment else None,
        route={"tier": one.route_tier, "propensity": one.route_propensity} if one.route_tier else None,
        attributes={f"outlay.tag.{name}": value for name, value in one.tags},
    ):
        run_id = f"{one.who.session}-{one.started_at.timestamp():.0f}"
        last = None
        for call in one.calls:
            last = _record_call(one, call, run_id)
        for name, value in one.scores:
            outlay.score(name, value, call=last, at=one.ended_at + timedelta(minutes=5))


def _record_call(one: Interaction, call: Call, run_id: str) -> outlay.Call | None:
    cascade = cache = usage = None
    if call.cascade_tier >= 0:
        cascade = {
            "name": one.cascade,
            "run_id": run_id,
            "tier": call.cascade_tier,
            "outcome": call.cascade_outcome,
            "confidence": call.cascade_confidence,
            "threshold": 0.62,
        }
    if call.cache_kind:
        cache = {"kind": call.cache_kind, "hit": call.cache_hit}
        if call.cache_similarity:
            cache["similarity"] = call.cache_similarity
    if call.cache_hit and cache is not None:
        cache["avoided_input_tokens"] = call.input_tokens
        cache["avoided_output_tokens"] = call.output_tokens
    elif not call.error:
        usage = outlay.Usage(
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cache_read_tokens=call.cache_read_tokens,
            cache_write_tokens=call.cache_write_tokens,
            reasoning_tokens=call.reasoning_tokens,
        )
    return outlay.record(
        usage=usage,
        model=call.model,
        provider=call.provider,
        operation=call.operation,
        response_model=None if call.error or call.cache_hit else call.model,
        started_at=call.started_at,
        ended_at=call.started_at + timedelta(milliseconds=call.duration_ms),
        time_to_first_token_ms=call.time_to_first_token_ms or None,
        streamed=call.streamed or None,
        error=call.error or None,
        attempt=call.attempt if call.request_id else None,
        request_id=call.request_id or None,
        cascade=cascade,
        cache=cache,
        prompt_parts=dict(call.prompt_parts) or None,
    )


def shown(url: str, start: datetime) -> tuple[int, Decimal | None]:
    """Calls and total cost that the server shows since `start`."""
    query = f"{url}/api/v1/spend?start={start:%Y-%m-%dT%H:%M:%SZ}&end={datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.999Z"
    with urllib.request.urlopen(query, timeout=30) as answer:
        total = json.load(answer)["total"]
    return total["calls"], None if total["cost_usd"] is None else Decimal(total["cost_usd"])


def check(url: str, company: Company, bill: Bill) -> bool:
    """Wait until the server shows every call, then compare its total with the bill, to the last digit."""
    deadline = time.monotonic() + SETTLED_WITHIN_S
    calls, usd = shown(url, company.start)
    while calls != bill.calls and time.monotonic() < deadline:
        time.sleep(0.3)
        calls, usd = shown(url, company.start)
    want = exact(bill.usd)
    if calls == bill.calls and usd == want:
        print(
            f"the bill adds up: {calls:,} calls, ${want.normalize():f} shown = computed independently "
            f"({bill.unpriced:,} calls of a model without a price are shown as unpriced)",
            flush=True,
        )
        return True
    print(
        f"the bill does not add up: {bill.calls:,} calls and ${want} were sent, {calls:,} calls and ${usd} are shown",
        file=sys.stderr,
        flush=True,
    )
    return False


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", help="where outlay serve answers")
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is about 60,000 calls")
    options = parser.parse_args()
    company = Company(datetime.now(UTC), scale=options.scale)
    outlay.init(service="acme-app", environment="prod", endpoint=options.url)
    bill = Bill()
    live_calls = round(1000 * options.scale)
    expected = round(61_400 * options.scale) + live_calls
    with _bar(expected) as progress:
        send_month(company, bill, progress)
        live.run(live_calls, bill.add, lambda done: progress(bill.calls))
    outlay.flush()
    dropped = {name: count for name, count in outlay.stats().items() if "dropped" in name and count}
    if dropped:
        print(f"the SDK dropped spans: {dropped}", file=sys.stderr)
    return 0 if check(options.url, company, bill) and not dropped else 1


class _bar:
    """A progress bar on stderr when that is a terminal, nothing otherwise."""

    def __init__(self, total: int) -> None:
        self._total = total

    def __enter__(self) -> Callable[[int], None]:
        if not sys.stderr.isatty():
            self._rich = None
            return lambda done: None
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("sending a month of calls"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._rich = Progress(*columns, console=Console(stderr=True))
        task = self._rich.add_task("send", total=self._total)
        self._rich.start()
        rich = self._rich
        return lambda done: rich.update(task, completed=done)

    def __exit__(self, *_: object) -> None:
        if self._rich is not None:
            self._rich.stop()


if __name__ == "__main__":
    sys.exit(main())
