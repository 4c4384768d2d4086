"""What a unit costs, when, for whom: the catalogue, the user's own prices, and the one way to price calls.

Enters: genai-prices, corrections, outlay.toml, PUT /prices.
Leaves: versioned price lists in the store; priced calls; repricings.
May import: store.
"""
