"""Connect to ClickHouse through clickhouse-connect: chDB in this process, or a server.

One client per thread at a time: a chDB client serialises its own statements, and a stream left open on it blocks every
other user. So reads are made by a small pool, and each writing thread asks for a `writer()` of its own. Whoever reads
waits for a bounded time, and not at all where the store is known not to answer.
"""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, wait
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from outlay.errors import StoreError
from outlay_collector.store.arrow import Pieces, as_arrow
from outlay_collector.store.asking import LEFT, current_asker, named
from outlay_collector.store.cells import SHARDS, Cells, cells_of
from outlay_collector.store.connect import READ_LIMITS, connect, rows_of, run
from outlay_collector.store.dsn import Dsn, on_cluster, quote
from outlay_collector.store.heartbeat import Heartbeat
from outlay_collector.store.lines import with_lines
from outlay_collector.store.pool import Call, Pool
from outlay_collector.store.query import Params, Row

if TYPE_CHECKING:
    import pyarrow as pa
    from clickhouse_connect.driver.client import Client

END = "KILL QUERY$on_cluster WHERE position(query, reverse({backward:String})) > 0 ASYNC"
END_AGAIN_S = 0.1
END_ON_CLUSTER_AGAIN_S = 1.0  # each time every node is told
REPLICATED = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE 'Replicated%'"
READERS = 4
READ_S = 40.0  # with the wait for one of the readers
HEARTBEAT_S = 10
WRITE_SILENCE_S = 300
OPEN_S = 30
CLOSE_S = 5.0


class Store:
    """ClickHouse behind one small door. Thread-safe for reads; take a `writer()` per writing thread.

    On a cluster of several shards the tables are there twice, under the same names: in a database of each node what its
    shard holds (`local`), in another one what all hold together. Elsewhere `local` is the store itself.
    """

    def __init__(self, dsn: Dsn, cells: Cells | None = None, *, local: bool = False) -> None:
        self.dsn = dsn
        self.cells = cells or Cells()
        self._across = self.cells.count > 1 and not local
        self.database = dsn.database_across if self._across else dsn.database
        self.embedded = dsn.embedded
        self.local: Store = Store(dsn, self.cells, local=True) if self._across else self
        self._readers = Pool("reader", READERS, lambda: self._open(READ_LIMITS, silence_s=int(READ_S)))
        self._probe = Pool("heartbeat", 1, lambda: self._open(READ_LIMITS, silence_s=HEARTBEAT_S))
        self._ender = Pool("ender", 1, lambda: self._open(silence_s=HEARTBEAT_S))
        self.heartbeat = Heartbeat(self._probe)
        self._writers: list[Writer] = []
        self._lock = threading.Lock()
        self._closed = False
        self._check: Callable[[], None] = _always

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        """Run one SELECT and return its rows as dicts; instants are aware UTC datetimes, money is `Decimal`.

        Raises:
            StoreError: With ClickHouse's code; `retryable` when trying again may help.
        """
        values = dict(params or {})
        return rows_of(self._read(sql, lambda client, text: run(client.query, text, parameters=values)))

    def raw(self, sql: str, params: Params | None = None, *, fmt: str) -> bytes:
        """Run one SELECT and return the bytes ClickHouse formats, for example `Parquet` or `CSVWithNames`."""
        values = dict(params or {})
        return bytes(self._read(sql, lambda client, text: run(client.raw_query, text, parameters=values, fmt=fmt)))

    def writer(self, within_s: float | None = None) -> Writer:
        """A connection of its own that may write; for one thread. Closed with the store, or earlier by `close()`.

        Args:
            within_s: How long whoever uses it waits for a statement, at most; None for work in the background, which
                waits as long as the engine or the connection takes.
        """
        writer = Writer(self, within_s)
        with self._lock:
            self._writers.append(writer)
        return writer

    def fenced(self, check: Callable[[], None]) -> Store:
        """The same store, whose writers ask `check` before each statement; it raises where they may not write."""
        fenced = copy.copy(self)
        fenced._check = check
        fenced.local = self.local.fenced(check) if self._across else fenced
        return fenced

    def sync(self, writer: Writer, *tables: str) -> None:
        """On a cluster, wait until this node has all that was written on any: in these tables, or in all.

        Args:
            writer: A connection to the tables of this node (`local`).
        """
        if not self.dsn.cluster:
            return
        for table in tables or [row["name"] for row in writer.query(REPLICATED)]:
            writer.run(f"SYSTEM SYNC REPLICA {quote(table)} LIGHTWEIGHT")

    def close(self) -> None:
        """Close every connection. Safe to call twice; call it after the threads that use them have stopped."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for pool in (self._readers, self._probe, self._ender):
            pool.close(CLOSE_S)
        for writer in list(self._writers):
            writer.close()
        if self._across:
            self.local.close()

    def _open(self, limits: Mapping[str, Any] | None = None, silence_s: int = WRITE_SILENCE_S) -> Client:
        return connect(self.dsn, limits, self.database, silence_s=silence_s, across=self._across)

    def _read(self, sql: str, call: Callable[[Client, str], Any]) -> Any:
        if self._closed:
            raise StoreError("the store is closed", retryable=True)
        self.heartbeat.check()
        asker = current_asker()
        if asker is None:
            return self.heartbeat.wait(self._readers.submit(lambda client: call(client, sql)), READ_S)
        asker.check()
        text, name = named(sql)
        done = self._readers.submit(lambda client: call(client, text))
        asker.waits(done, lambda: self._end(done, name))
        try:
            return self.heartbeat.wait(done, READ_S)
        except CancelledError as exc:
            raise StoreError(LEFT, retryable=True) from exc

    def _end(self, done: Future[Any], name: str) -> None:
        """Have a statement ended that carries this name; does not wait until it is.

        Its thread may be about to begin it, so the engine is told until the statement has ended.
        """

        def end(client: Client) -> None:
            until = time.monotonic() + READ_S
            again_s = END_ON_CLUSTER_AGAIN_S if self.dsn.cluster else END_AGAIN_S
            sql = Template(END).substitute(on_cluster=on_cluster(self.dsn.cluster))
            while not self._closed and time.monotonic() < until and not wait((done,), again_s).done:
                client.command(sql, parameters={"backward": name[::-1]})

        if not self._closed:
            self._ender.submit(end)


class Writer:
    """One writing connection: statements, small inserts and bulk loads. Not thread-safe."""

    def __init__(self, store: Store, within_s: float | None = None) -> None:
        self.store = store
        self.database = store.database
        self._within_s = within_s
        self._types: dict[tuple[str, tuple[str, ...]], Any] = {}  # of columns that rows were inserted into
        self._client: Client | None = None
        self._pool: Pool | None = None
        if within_s is None:
            self._client = store._open()
        else:
            self._pool = Pool("writer", 1, store._open)

    def query(self, sql: str, params: Params | None = None) -> list[Row]:
        """As `Store.query`, on this connection: sees its own writes, temporary tables and unbounded by read limits."""
        values = dict(params or {})
        return rows_of(self._do(lambda client: run(client.query, sql, parameters=values)))

    def run(self, sql: str, params: Params | None = None, *, settings: Mapping[str, Any] | None = None) -> None:
        """Run one statement that returns nothing (DDL, INSERT … SELECT)."""
        values, given = dict(params or {}), dict(settings or {})
        self._do(lambda client: run(client.command, sql, parameters=values, settings=given))

    def insert(
        self, table: str, rows: Sequence[Mapping[str, Any]], *, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Insert dicts with the same keys, in one block. For small tables; spans go through `load`."""
        if not rows:
            return
        names = tuple(rows[0])
        data, given = [[row[name] for name in names] for row in rows], dict(settings or {})

        def insert(client: Client) -> None:
            types = self._types.get((table, names))
            if types is None:
                types = run(client.create_insert_context, table, names).column_types
                self._types[table, names] = types
            run(client.insert, table, data, column_names=names, column_types=types, settings=given)

        self._do(insert)

    def arrow(self, sql: str, params: Params | None = None) -> pa.Table:
        """As `query`, as an Arrow table: for many rows. Texts are bytes."""
        import pyarrow as pa

        values = dict(params or {})
        # The format stands in the text: given beside it, the client would parse the statement to see where it ends.
        text = f"{sql}\nFORMAT ArrowStream"
        found = self._do(lambda client: run(client.raw_query, text, parameters=values))
        return pa.ipc.open_stream(found).read_all()

    def insert_arrow(self, table: str, rows: pa.Table) -> None:
        """Insert an Arrow table with columns of `table`, in one block."""
        if not len(rows):
            return
        embedded = self.store.dsn.embedded
        statement = with_lines(table, rows) if embedded else None
        if statement is not None:
            try:
                self._do(lambda client: run(client.raw_query, statement))
            except StoreError as error:
                if error.retryable:
                    raise
                # A value that its column does not read from text; Arrow's it may.
            else:
                return
        block = rows.unify_dictionaries().combine_chunks()
        if embedded:
            given = {"column_names": block.column_names, "insert_block": as_arrow(block), "fmt": "ArrowStream"}
            self._do(lambda client: run(client.raw_insert, table, **given))
        else:  # compressed, for the network
            self._do(lambda client: run(client.insert_arrow, table, block))

    def load(
        self, table: str, body: bytes | Sequence[bytes], *, fmt: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Let ClickHouse parse `body`, whole or in pieces, in format `fmt` straight into `table`."""
        if isinstance(body, bytes):
            block: bytes | Pieces = body
        else:
            block = Pieces(body) if self.store.dsn.embedded else b"".join(body)
        given = dict(settings or {})
        self._do(lambda client: run(client.raw_insert, table, insert_block=block, fmt=fmt, settings=given))

    def close(self) -> None:
        with self.store._lock:
            if self not in self.store._writers:
                return
            self.store._writers.remove(self)
        if self._client is not None:
            self._client.close()
        if self._pool is not None:
            self._pool.close(CLOSE_S)

    def check(self) -> None:
        """Before something outside the store is done that only who may write may do.

        Raises:
            StoreError: If another process may write by now.
        """
        self.store._check()

    def _do(self, call: Call) -> Any:
        self.check()
        if self._client is not None:
            return call(self._client)
        assert self._pool is not None
        assert self._within_s is not None
        self.store.heartbeat.check()
        return self.store.heartbeat.wait(self._pool.submit(call), self._within_s)


def open_store(dsn: str) -> Store:
    """Open the store at `dsn` and make sure its database exists. Tables come from `migrate(store)`.

    Raises:
        ConfigError: If the DSN is not understood, or its cluster is unknown.
        StoreError: If ClickHouse cannot be reached, or another process holds the embedded directory.
    """
    parsed = Dsn(dsn)
    if parsed.embedded and parsed.path != ":memory:":
        Path(parsed.path).mkdir(parents=True, exist_ok=True, mode=0o700)
    client = connect(parsed, database="default", silence_s=OPEN_S)
    cells = Cells()
    try:
        if parsed.cluster:
            cells = cells_of(parsed, rows_of(run(client.query, SHARDS)))
        for database in (parsed.database, parsed.database_across)[: 1 if cells.count == 1 else 2]:
            run(client.command, f"CREATE DATABASE IF NOT EXISTS {quote(database)}{on_cluster(parsed.cluster)}")
    finally:
        client.close()
    return Store(parsed, cells)


def _always() -> None:
    """Where nobody else writes, nothing forbids to."""
