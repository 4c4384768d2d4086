"""The quarantine: bodies that ClickHouse cannot take, kept beside the segments they were taken out of."""

from __future__ import annotations

from pathlib import Path

from outlay_collector.spool.segments import Record, write_durably


class Quarantine:
    """A directory with two files per body: the record, and why it is here."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True, mode=0o700)

    def set_aside(self, record: Record, reason: str) -> None:
        """Keep a body, durably: its segment goes once the batch is loaded."""
        write_durably(self.path / f"{record.body_id}.txt", reason.encode())
        write_durably(self.path / f"{record.body_id}.rec", record.pack())

    def take_back(self, record: Record) -> None:
        """Forget that a body was set aside, if it was."""
        for suffix in (".rec", ".txt"):
            (self.path / (record.body_id + suffix)).unlink(missing_ok=True)
