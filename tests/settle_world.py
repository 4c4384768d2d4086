"""Hand-made worlds of spans for settle: put in as the loader would, settled, read back as calls."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from outlay_collector.prices.book import PriceBook
from outlay_collector.settle import Settler
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.client import Writer
from tests.conftest import ENGINE_PATH

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}


def usage(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, str]:
    """Attributes of a chat call with usage. Keywords: `gen_ai_response_id="x"` or any name with `__` for dots."""
    counts = {"gen_ai.usage.input_tokens": input_tokens, "gen_ai.usage.output_tokens": output_tokens}
    return {**CHAT, **{k: str(v) for k, v in counts.items()}, **{k.replace("__", "."): str(v) for k, v in more.items()}}


@dataclass
class World:
    """Spans go in with `span`, `settle` makes calls of them, `calls` reads them."""

    store: Store
    settler: Settler
    writer: Writer
    project: str = "default"
    _waiting: list[dict[str, Any]] = field(default_factory=list)
    _received_at: datetime = NOON

    def span(
        self,
        name: str,
        attributes: dict[str, str],
        *,
        parent: str = "",
        trace: str = "t",
        at_ms: int = 0,
        took_ms: int = 100,
        status: str = "unset",
        scope: str = "my.llm",
        scope_version: str = "1",
        service: str = "shop",
        texts: dict[str, str] | None = None,
        version: int = 1,
        kind: str = "client",
        resource: dict[str, str] | None = None,
        events: list[tuple[str, dict[str, str]]] | None = None,
    ) -> None:
        """One span, identified by its name; times in milliseconds after noon."""
        self._waiting.append(
            {
                "project": self.project,
                "trace_id": hex_of(trace, 32),
                "span_id": hex_of(name, 16),
                "parent_span_id": hex_of(parent, 16) if parent else "",
                "started_at": NOON + timedelta(milliseconds=at_ms),
                "duration_ns": took_ms * 1_000_000,
                "name": name,
                "kind": kind,
                "status": status,
                "status_message": "",
                "service": service,
                "service_version": "",
                "environment": "prod",
                "scope_name": scope,
                "scope_version": scope_version,
                "resource_attributes": resource or {},
                "attributes": attributes,
                "texts": texts or {},
                "events": [{"at": NOON, "name": event, "attributes": said} for event, said in events or ()],
                "body_id": "b",
                "received_at": self._received_at,
                "version": version,
            }
        )

    def settle(self) -> None:
        """Land what waits and settle it, as the pipeline does."""
        if self._waiting:
            self.writer.insert("spans", self._waiting)
            traces = Counter(row["trace_id"] for row in self._waiting)
            self.writer.insert(
                "dirty_traces",
                [
                    {
                        "loader": self.project,
                        "seq": time.time_ns(),
                        "project": self.project,
                        "trace_id": trace,
                        "spans": spans,
                        "received_from": self._received_at,
                    }
                    for trace, spans in sorted(traces.items())
                ],
            )
            self._waiting = []
            self._received_at += timedelta(seconds=1)
        while self.settler.run_once():
            pass

    def calls(self) -> list[dict[str, Any]]:
        """The calls, by start; `span` is the name given to `span`."""
        self.settle()
        return self.query("SELECT *, call_id FROM calls FINAL WHERE project = {p:String} ORDER BY started_at, name, n")

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query that asks for project {p:String}."""
        return self.store.query(sql, {"p": self.project})

    def call(self) -> dict[str, Any]:
        """The only call."""
        found = self.calls()
        assert len(found) == 1, [row["name"] for row in found]
        return found[0]

    def counts(self) -> list[tuple[str, int | None, int | None]]:
        return [(row["name"], row["input_tokens"], row["output_tokens"]) for row in self.calls()]

    def repeats(self) -> dict[str, str]:
        """Name of each repeating span and why it repeats."""
        rows = self.query(
            "SELECT s.name AS name, r.reason AS reason FROM (SELECT * FROM repeats FINAL) AS r "
            "INNER JOIN (SELECT * FROM spans FINAL) AS s USING (project, trace_id, span_id) "
            "WHERE r.project = {p:String}"
        )
        return {row["name"]: row["reason"] for row in rows}

    def lookups(self) -> list[dict[str, Any]]:
        return self.query("SELECT * FROM lookups FINAL WHERE project = {p:String} ORDER BY started_at, span_id")

    def spend(self) -> Decimal:
        return sum((row["cost_usd"] for row in self.calls() if row["cost_usd"] is not None), Decimal(0))


def hex_of(name: str, digits: int) -> str:
    """A readable name as a hex id."""
    return name.encode().hex()[:digits].ljust(digits, "0")


class Shared(NamedTuple):
    """What tests share that have a project of their own in it."""

    store: Store
    settler: Settler
    writer: Writer


@contextmanager
def shared_settler() -> Iterator[Shared]:
    """A store of their own, a settler and a connection."""
    store = open_store(f"chdb://{ENGINE_PATH}?database=settle_{uuid.uuid4().hex[:8]}")
    migrate(store)
    settler = Settler(store, PriceBook(store))
    yield Shared(store, settler, store.writer())
    settler.close()
    store.close()


def new_world(shared: Shared) -> World:
    return World(*shared, project=f"p{uuid.uuid4().hex[:8]}")
