"""Hours that changed, rebuilt from calls, never incremented.

Enters: hours that settle marked.
Leaves: rows of the rollups, with tombstones.
May import: store.
"""
