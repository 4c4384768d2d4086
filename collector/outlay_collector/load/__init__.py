"""From the spool into the store: one batch per insert, nothing twice, the ledger exact.

Enters: segments of the spool.
Leaves: rows of `spans`, `events`, `scores`; marks of what changed; the ledger.
May import: otlp, spool, store.
"""
