"""Calls to be priced: a small builder, and the three ways to price them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from outlay_collector.prices.book import PriceBook
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.prices.reckon import COUNTS, Asked, Reckoner
from outlay_collector.settle.alike import NAMES, price_alike
from outlay_collector.store import Store
from outlay_collector.store.client import Writer

TABLE = """
    id String, project String, provider String, request_model String, response_model String, service_tier String,
    region String, started_at DateTime64(9, 'UTC'), input_tokens Nullable(UInt64), cache_read_tokens Nullable(UInt64),
    cache_write_tokens Nullable(UInt64), cache_write_1h_tokens Nullable(UInt64), output_tokens Nullable(UInt64),
    reasoning_tokens Nullable(UInt64), other_usage Map(LowCardinality(String), UInt64), state_hint String
"""
NOW = datetime(2026, 11, 3, 14, tzinfo=UTC)
USAGE = st.fixed_dictionaries(
    {
        "input_tokens": st.integers(0, 600_000),
        "cache_read_tokens": st.integers(0, 300_000),
        "cache_write_tokens": st.integers(0, 50_000),
        "cache_write_1h_tokens": st.integers(0, 50_000),
        "output_tokens": st.integers(0, 100_000),
        "reasoning_tokens": st.integers(0, 100_000),
        "service_tier": st.sampled_from(["", "default", "batch", "flex", "priority", "mystery"]),
        "other_usage": st.dictionaries(
            st.sampled_from(
                [
                    "input_audio_tokens",
                    "cache_read_audio_tokens",
                    "output_audio_tokens",
                    "input_image_tokens",
                    "cache_read_image_tokens",
                    "input_video_tokens",
                    "output_image_tokens",
                    "web_searches",
                    "requests_low",
                    "audio_seconds",
                    "input_pages",
                    "citation_tokens",
                    "accepted_prediction_tokens",
                ]
            ),
            st.integers(0, 5_000) | st.integers(0, 600_000),
            max_size=5,
        ),
    }
)
"""Random counts, with and without what is billed beside tokens."""


def call(model: str, provider: str = "openai", at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    """A call of 1,000 tokens in and 100 out, with `changes`."""
    return {
        "id": "",
        "project": "default",
        "provider": provider,
        "request_model": model,
        "response_model": "",
        "service_tier": "",
        "region": "",
        "started_at": at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "input_tokens": 1000,
        "cache_read_tokens": None,
        "cache_write_tokens": None,
        "cache_write_1h_tokens": None,
        "output_tokens": 100,
        "reasoning_tokens": None,
        "other_usage": {},
        "state_hint": "",
        **changes,
    }


def own_price(provider: str, model: str, **prices: str) -> dict[str, str]:
    return {"provider": provider, "model": model, "valid_from": "2026-01-01", "source": "mine", **prices}


def examples() -> list[tuple[dict[str, Any], Decimal | None]]:
    """The rows of prices-examples.csv as calls, with what each costs."""
    path = Path(__file__).parent / "data" / "prices-examples.csv"
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            write_1h = int(row["cache_write_1h_tokens"])
            other = {name: int(row[name]) for name in ("web_searches", "input_audio_tokens") if int(row[name])}
            made = call(
                row["model"],
                row["provider"],
                datetime.fromisoformat(row["timestamp"]),
                id=row["id"],
                service_tier=row["service_tier"],
                input_tokens=int(row["input_tokens"]),
                output_tokens=int(row["output_tokens"]),
                cache_read_tokens=int(row["cache_read_tokens"]),
                cache_write_tokens=int(row["cache_write_tokens"]) + write_1h,
                cache_write_1h_tokens=write_1h,
                other_usage=other,
            )
            found.append((made, Decimal(row["expected_usd"]) if row["expected_usd"] else None))
    return found


def priced(
    writer: Writer, book: PriceBook, calls: Iterable[dict[str, Any]], version: str | None = None
) -> list[dict[str, Any]]:
    """The calls as the server prices them, in the order given; each of its three ways gives the same."""
    writer.run(f"CREATE OR REPLACE TEMPORARY TABLE to_price (nth UInt32, {TABLE}) ENGINE = Memory")
    body = "\n".join(json.dumps({"nth": nth, **one}) for nth, one in enumerate(calls))
    writer.load("to_price", body.encode(), fmt="JSONEachRow")
    source = "SELECT * FROM to_price"
    book.prepare(writer, source, version=version)
    rows = writer.query(f"SELECT * FROM ({book.price_select(source, version=version)}) ORDER BY nth")
    if version is None:
        reckoner = book.reckoner(writer, {row["project"] for row in rows})
        for row in rows:
            alone = reckoner.price(asked(row))
            if alone is None:  # its list is only in the store
                assert row["price_version"] not in ("", book.version)
            else:
                assert {name: row[name] for name in asdict(alone)} == asdict(alone), row
        for one, found in priced_alike(reckoner, rows):
            assert {name: one[name] for name in found} == found, one
    return rows


def priced_alike(
    reckoner: Reckoner, rows: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], dict[str, Any]]]:
    """Calls that can be priced at once, and what they cost then."""
    alike = price_alike(reckoner, requests_of(rows))
    if len(alike.rows):
        for row, found in zip(alike.rows.tolist(), costs_of(pa.table(alike.columns)), strict=True):
            yield rows[row], found


def requests_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Calls as settle has them priced."""
    counts = dict.fromkeys(COUNTS, pa.uint64())
    other = pa.map_(pa.binary(), pa.uint64())
    kinds = {**dict.fromkeys(NAMES, pa.binary()), "started_at": pa.timestamp("ns", "UTC"), "state_hint": pa.string()}
    shape = pa.schema({**kinds, **counts, "other_usage": other})
    return pa.Table.from_pylist([_as_bytes(row, shape.names) for row in rows], shape)


def costs_of(priced: pa.Table) -> Iterator[dict[str, Any]]:
    """What settle found out, by the fields of `Priced`."""
    for found in priced.to_pylist():
        lines = {part.decode(): usd for part, usd in found.pop("cost_lines")}
        words = {name: word.decode() if isinstance(word, bytes) else word for name, word in found.items()}
        yield {**words, "cost_lines": lines}


def _as_bytes(row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    found = {name: row[name] for name in names}
    other = [(name.encode(), count) for name, count in found.pop("other_usage").items()]
    return {**{n: v.encode() if n in NAMES else v for n, v in found.items()}, "other_usage": other}


def asked(row: dict[str, Any]) -> Asked:
    """A row of `price_select` as a call to be priced alone."""
    own = {field.name: row[field.name] for field in fields(Asked) if field.name != "counts"}
    return Asked(**own, counts={name: row[name] for name in COUNTS})


@dataclass
class Desk:
    """A store with a price list, and a connection to price with."""

    store: Store
    writer: Writer
    book: PriceBook

    def price(self, *calls: dict[str, Any]) -> list[dict[str, Any]]:
        return priced(self.writer, self.book, calls)

    def one(self, model: str, provider: str = "openai", at: datetime = NOW, **changes: Any) -> dict[str, Any]:
        return self.price(call(model, provider, at, **changes))[0]


def priced_with(store: Store, toml: dict[str, Any]) -> Desk:
    """A desk whose list has prices of one's own, as in `outlay.toml`."""
    return _opened(store, PriceBook(store, parse_overrides(toml)))


def list_desk(store: Store) -> Desk:
    """A desk with the list as it is published."""
    return _opened(store, PriceBook(store))


def _opened(store: Store, book: PriceBook) -> Desk:
    writer = store.writer()
    book.ensure(writer)
    return Desk(store, writer, book)
