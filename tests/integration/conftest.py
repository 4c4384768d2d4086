"""Fixtures of the settle tests; a module that needs another world has its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.settle_world import World, new_world, shared_settler

from outlay_collector.settle import Settler
from outlay_collector.store import Store


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[Store, Settler]]:
    """A store and a settler for all tests of a module."""
    with shared_settler() as made:
        yield made


@pytest.fixture
def world(shared: tuple[Store, Settler]) -> World:
    """A project of one's own in them."""
    return new_world(shared)
