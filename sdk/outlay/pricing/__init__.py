"""What a call costs, by a small snapshot of the price list that ships with the package.

`cost()` is for the SDK's own worker: it reads `prices.json.gz` on first use (a few milliseconds), needs nothing but the
standard library, and answers None for what it does not know. The server prices again with its own, newer list and the
user's contracts; its figure is the one that counts.

Enters: usage of a call.
Leaves: its cost by the price list that ships.
May import: nothing.
"""

from __future__ import annotations

from outlay.pricing.cost import Cost, cost

__all__ = ["Cost", "cost"]
