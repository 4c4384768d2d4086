"""The fake provider of the package, for tests: `from tests.fake_provider import Answer, FakeProvider`."""

from __future__ import annotations

from outlay_web.demo.fake_provider import Answer, Batch, FakeProvider, Request

__all__ = ["Answer", "Batch", "FakeProvider", "Request"]
