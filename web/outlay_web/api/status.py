"""How the server is: the ledger that must add up, what waits, and the same for Prometheus."""

from __future__ import annotations
