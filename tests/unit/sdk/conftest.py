"""What the tests of the SDK share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outlay.testing import Capture, capture


@pytest.fixture
def sent() -> Iterator[Capture]:
    """What the SDK sends in a test. An error inside of it fails the test."""
    with capture() as captured:
        yield captured
