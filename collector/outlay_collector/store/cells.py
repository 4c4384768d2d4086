"""How a cluster's rows lie: shards, each a cell that settles its own traces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outlay.errors import ConfigError
from outlay_collector.store.dsn import Dsn
from outlay_collector.store.query import Row

SHARDS = (
    "SELECT cluster, max(shard_num) AS shards, maxIf(shard_num, is_local) AS own "
    "FROM system.clusters GROUP BY cluster ORDER BY cluster"
)


@dataclass(frozen=True)
class Cells:
    """How a cluster's rows lie: `count` shards, each a cell that settles its own traces."""

    count: int = 1
    own: int = 0
    """Which of them the node belongs to that this process is connected to, from 1; 0 where that is not known."""


def cells_of(dsn: Dsn, clusters: Sequence[Row]) -> Cells:
    """The cells of the cluster that a DSN names, from the rows of `SHARDS`.

    Raises:
        ConfigError: If the server knows no such cluster.
    """
    for row in clusters:
        if row["cluster"] == dsn.cluster:
            return Cells(row["shards"], row["own"])
    known = ", ".join(row["cluster"] for row in clusters) or "none"
    raise ConfigError(f"store DSN {dsn.shown!r}: the server knows no cluster {dsn.cluster!r}, but: {known}")
