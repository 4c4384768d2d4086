"""Bills that are pulled: what providers say of each day, fetched, kept by hash, put in force in one step.

Enters: accounts from outlay.toml, pages of providers' cost APIs, exported files.
Leaves: charges and usage per day, the state of each account.
May import: query, reconcile.
"""
