"""`outlay serve`: the server."""

from __future__ import annotations

from pathlib import Path

import click


def add_commands(group: click.Group) -> None:
    """Register the command."""

    @group.command("serve")
    @click.option("--data", metavar="DIR", help="Holds the embedded store and the spool; default: the user's.")
    @click.option("--store", "store_dsn", metavar="DSN", help="ClickHouse instead: clickhouse://user:pw@host:8123/db.")
    @click.option("--host", metavar="ADDRESS", help="Address to listen on; default 127.0.0.1.")
    @click.option("--port", metavar="PORT", help="HTTP port; default 4318, 0 picks one.")
    @click.option("--grpc-port", metavar="PORT", help="gRPC port; default 4317, 0 picks one, off: none.")
    @click.option("--roles", metavar="LIST", help="What this process does; default receive,jobs,web.")
    @click.option("--config", metavar="FILE", type=click.Path(path_type=Path), help="Config file, outlay.toml.")
    def serve(config: Path | None, **flags: str | None) -> None:
        """Run the server: OTLP, pages and JSON API on one port, until SIGTERM or Ctrl-C."""
        from outlay_web.config import load_config
        from outlay_web.server.lock import DataHeld, holder_of

        loaded = load_config(flags=flags, file=config)
        holder = holder_of(loaded.settings.data)
        if holder is not None:  # said before the store's libraries are imported; the lock itself is taken later
            raise DataHeld(loaded.settings.data, holder)
        from outlay_web.server.serve import run

        run(loaded)
