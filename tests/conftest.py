"""Fixtures that every test may use: one engine per test process, one database per test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import chdb
import pytest
from hypothesis import settings

from outlay import _safely
from outlay_collector.store import Store, migrate, open_store
from outlay_collector.store.client import Writer

# The same examples in every run; HYPOTHESIS_PROFILE=explore looks for new ones.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore")
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))

# A small insert mostly waits for a disk. Tests pull no plug, so memory will do, where there is enough of it and nobody
# has said where temporary files belong.
MEMORY = Path("/dev/shm")
ROOM_BYTES = 6 << 30
if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
ENGINE_PATH = Path(tempfile.mkdtemp(prefix="outlay-tests-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))


def pytest_report_header() -> str:
    import clickhouse_connect

    return f"store: chDB through clickhouse-connect {clickhouse_connect.__version__}"


def pytest_configure() -> None:
    gc.disable()  # what is made while tests are collected stays


def pytest_collection_finish() -> None:
    """The garbage collector need not walk all that again with every collection."""
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    shutil.rmtree(ENGINE_PATH, ignore_errors=True)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell reaches a test, and no test's span the developer's server."""
    for name in list(os.environ):
        if name.startswith(("OUTLAY_", "OTEL_")) and name not in ("OUTLAY_TEST_DSN", "OUTLAY_CHROMIUM"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OUTLAY_SPOOL_DIR", "off")  # nor a file in the developer's home


def _dsn(database: str) -> str:
    server, _, options = os.environ.get("OUTLAY_TEST_DSN", "").partition("?")
    if not server:
        return f"chdb://{ENGINE_PATH}?database={database}"
    return f"{server.rstrip('/')}/{database}" + (f"?{options}" if options else "")


@pytest.fixture(autouse=True)
def _says_again() -> None:
    """What the SDK says once a minute per place, it says in every test."""
    _safely._last.clear()


@pytest.fixture(autouse=True)
def _own_temp_dir() -> Iterator[None]:
    """A server moves TMPDIR into its data; after each test it is where it was, in whatever order servers closed."""
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    yield
    tempfile.tempdir = before[1]
    if before[0] is None:
        os.environ.pop("TMPDIR", None)
    else:
        os.environ["TMPDIR"] = before[0]


@pytest.fixture(scope="session")
def _engine() -> Iterator[None]:
    """The engine runs until the last test has ended: to start it, and load every database's tables, takes a second."""
    engine = chdb.connect(str(ENGINE_PATH))
    yield
    engine.close()


def empty_tables(writer: Writer) -> None:
    """Leave nothing in the tables of a database but which of them were made."""
    for table in writer.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' "
        "AND total_rows > 0 AND name != 'schema_migrations'"
    ):
        writer.run(f"TRUNCATE TABLE {table['name']}")


@pytest.fixture
def empty_store() -> Iterator[Store]:
    """A store with a database of its own and no tables yet."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    store = open_store(_dsn(database))
    yield store
    store.writer().run(f"DROP DATABASE IF EXISTS {database} SYNC")
    store.close()


@pytest.fixture(scope="session")
def _tables() -> Iterator[str]:
    """The DSN of a database with every table, made once per process: making forty durable tables takes a second."""
    database = f"test_{uuid.uuid4().hex[:12]}"
    store = open_store(_dsn(database))
    migrate(store)
    yield _dsn(database)
    store.writer().run(f"DROP DATABASE IF EXISTS {database} SYNC")
    store.close()


@pytest.fixture(scope="session")
def _open_stores(_tables: str) -> Iterator[list[Store]]:
    """The store that tests take turns with, and the one that empties it after each: connecting takes long."""
    opened = [open_store(_tables), open_store(_tables)]
    yield opened
    for store in opened:
        store.close()


@pytest.fixture
def store(_tables: str, _open_stores: list[Store]) -> Iterator[Store]:
    """A store with every table, and nothing in it."""
    given, emptier = _open_stores
    yield given
    for used in list(given._writers):
        used.close()
    empty_tables(emptier._writers[0] if emptier._writers else emptier.writer())
    if given._closed:  # by the test
        _open_stores[0] = open_store(_tables)
