"""`outlay demo`: the server with a month of a small company's calls."""

from __future__ import annotations

from pathlib import Path

import click


def add_commands(group: click.Group) -> None:
    """Register the command."""

    @group.command("demo")
    @click.option(
        "--data", metavar="DIR", type=click.Path(path_type=Path), help="Keep the data here; default: removed."
    )
    @click.option("--host", metavar="ADDRESS", default="127.0.0.1", help="Address to listen on; default 127.0.0.1.")
    @click.option("--port", metavar="PORT", type=int, help="HTTP port; default 4318, or a free one if that is taken.")
    @click.option("--grpc-port", metavar="PORT", help="gRPC port; default 4317, or a free one; off: none.")
    @click.option("--scale", metavar="FACTOR", type=float, default=1.0, help="1.0 is about 60,000 calls.")
    def demo(data: Path | None, host: str, port: int | None, grpc_port: str | None, scale: float) -> None:
        """Start a server, send it a month of calls with a known bill, and stay up until Ctrl-C."""
        from outlay_web.demo.run import run

        raise SystemExit(run(data=data, host=host, port=port, grpc_port=grpc_port, scale=scale))
