"""The one store: ClickHouse, embedded (chDB) by default, a server or cluster by DSN.

`open_store(dsn)` gives a `Store`; SQL lives in `.sql` files and is read with `load_sql`; values travel as server-side
`{name:Type}` parameters only.

Enters: a DSN, SQL files, parameters.
Leaves: rows.
May import: nothing.
"""

from __future__ import annotations

from outlay_collector.store.client import Store, open_store
from outlay_collector.store.migrate import migrate
from outlay_collector.store.query import Params, Row, load_sql

__all__ = ["Params", "Row", "Store", "load_sql", "migrate", "open_store"]
