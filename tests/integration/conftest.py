"""Fixtures that several modules need; one that needs another world has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.fake_provider import FakeProvider
from tests.pricing_world import Desk, list_desk
from tests.receiver import Received, receiver
from tests.settle_world import Shared, World, new_world, shared_settler

from outlay.testing import Capture, capture
from outlay_collector.store import Store
from outlay_collector.store.client import Writer


@pytest.fixture(scope="session", autouse=True)
def _engine_runs(_engine: None) -> None:
    """Nearly every test here has a store."""


@pytest.fixture(scope="session")
def shared() -> Iterator[Shared]:
    """A store and a settler for all tests that have a project of their own in it."""
    with shared_settler() as made:
        yield made


@pytest.fixture
def world(shared: Shared) -> World:
    """A project of one's own in them."""
    return new_world(shared)


@pytest.fixture
def desk(store: Store) -> Desk:
    """A store with the price list, and a connection to price with."""
    return list_desk(store)


@pytest.fixture
def writer(store: Store) -> Writer:
    """A connection that writes to the store."""
    return store.writer()


@pytest.fixture
def hook() -> Iterator[Received]:
    """A server that alerts are sent to."""
    with receiver() as received:
        yield received


@pytest.fixture
def sent() -> Iterator[Capture]:
    """What the SDK sends in a test. An error inside of it fails the test."""
    with capture() as captured:
        yield captured


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A model provider that speaks every wire format."""
    with FakeProvider() as running:
        yield running
