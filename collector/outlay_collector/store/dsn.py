"""The address of a store, and the words of SQL that come from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from outlay.errors import ConfigError


class Dsn:
    """A store's address: `chdb:///path`, `chdb://memory`, or `clickhouse://user:password@host:8123/database`.

    `?database=` names the database of a chDB store; `?cluster=` a ClickHouse cluster. Replicas of one shard all hold
    everything; several shards are cells, see `Store`.
    `clickhouses://` connects with TLS.
    """

    def __init__(self, text: str) -> None:
        parts = urlsplit(text)
        options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        unknown = set(options) - {"database", "cluster"}
        if parts.scheme not in ("chdb", "clickhouse", "clickhouses") or unknown:
            raise ConfigError(
                f"store DSN {self._shown(parts)!r} is not understood"
                + (f" (unknown option {sorted(unknown)[0]!r})" if unknown else "")
                + "; use chdb:///absolute/path, chdb://memory or clickhouse://user:password@host:8123/database"
            )
        if parts.scheme == "chdb" and "cluster" in options:
            raise ConfigError(f"store DSN {self._shown(parts)!r}: an embedded store is no cluster; leave out ?cluster=")
        self.embedded = parts.scheme == "chdb"
        self.secure = parts.scheme == "clickhouses"
        self.cluster = options.get("cluster", "")
        self.path = ":memory:" if parts.netloc == "memory" else unquote(parts.path)
        if self.embedded and parts.netloc not in ("", "memory"):
            raise ConfigError(f"store DSN {self._shown(parts)!r}: write chdb:///absolute/path with three slashes")
        if self.embedded and not self.path:
            raise ConfigError("store DSN 'chdb://' has no path; write chdb:///absolute/path or chdb://memory")
        if not self.embedded and not parts.hostname:
            raise ConfigError(f"store DSN {self._shown(parts)!r} has no host")
        self.host = parts.hostname or ""
        self.port = parts.port or (8443 if self.secure else 8123)
        self.username = unquote(parts.username or "default")
        self.password = unquote(parts.password or "")
        database = options.get("database", "") or ("" if self.embedded else unquote(parts.path.strip("/")))
        self.database = database or "outlay"
        self.database_across = f"{self.database}_all"
        self.shown = self._shown(parts)

    @staticmethod
    def _shown(parts: Any) -> str:
        """The DSN without its password, for logs and messages."""
        host = parts.netloc.rsplit("@", 1)
        user = host[0].split(":")[0] + "@" if len(host) == 2 else ""
        return f"{parts.scheme}://{user}{host[-1]}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def on_cluster(name: str) -> str:
    """The clause that has a statement run on every node of a cluster; nothing where there is none."""
    return f" ON CLUSTER {quote(name)}" if name else ""


def quote(identifier: str) -> str:
    """An identifier in backquotes, for names that come from a DSN."""
    return "`" + identifier.replace("\\", "\\\\").replace("`", "\\`") + "`"
