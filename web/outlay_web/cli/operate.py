"""Commands that change something or look after the store: ingest, resettle, keys, migrate."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from outlay.errors import OutlayError
from outlay_web.cli.ask import Ask
from outlay_web.cli.options import WINDOW, command, plain_command, take_where, where_options

TYPES = {".pb": "application/x-protobuf", ".json": "application/json"}


def add_commands(app: click.Group) -> None:
    """Register the commands."""

    @plain_command(app, "ingest")
    @click.argument("files", metavar="FILE…", nargs=-1, required=True, type=click.Path(path_type=Path))
    @click.option("--project", metavar="NAME", help="Project; default: the key's, or default.")
    def ingest(ask: Ask, files: tuple[Path, ...], project: str | None) -> None:
        """Load recorded OTLP requests, however old: .pb and .json files, each also .gz."""
        ask.common = [("project", project)] if project else []
        _ingest(ask, files)

    @command(app, "resettle", takes=WINDOW)
    def resettle(ask: Ask) -> None:
        """Read the spans of a window again, with today's dialects."""
        ask.print_json(ask.post("/admin/resettle", window_of(ask)))

    def migrate(**given: Any) -> None:
        from outlay_web.config import load_config
        from outlay_web.server.application import migrate_only

        flags, file = take_where({"url": None, **given})
        ran = migrate_only(load_config(flags=flags, file=Path(file) if file else None))
        print("\n".join(f"applied {name}" for name in ran) or "nothing to do")

    where = [option for option in where_options() if option.name != "url"]
    help_text = "Bring the store's tables up to this version; no server may hold it."
    app.add_command(click.Command("migrate", params=where, callback=migrate, help=help_text))
    _add_keys(app)


def _add_keys(app: click.Group) -> None:
    @app.group("keys")
    def keys() -> None:
        """Keys that may send and read."""

    @plain_command(keys, "create")
    @click.option("--project", metavar="NAME", default="default", help="Project its spans go to.")
    @click.option("--role", metavar="ROLE", default="project", help="ingest: send; project: send and read; admin.")
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    def create(ask: Ask, project: str, role: str, as_json: bool) -> None:
        """Make a key; it is shown this once."""
        made = ask.post("/admin/keys", {"project": project, "role": role})
        if as_json:
            ask.print_json(made)
        else:
            print(made["key"])

    @plain_command(keys, "list")
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    def list_keys(ask: Ask, as_json: bool) -> None:
        """Every key, without the secret."""
        ask.form = "json" if as_json else "text"
        ask.show("/admin/keys", "keys", ["prefix", "project", "role", "created_at", "last_used_at", "revoked_at"])

    @plain_command(keys, "revoke")
    @click.argument("prefix")
    def revoke(ask: Ask, prefix: str) -> None:
        """End a key's life at once; PREFIX as `keys list` shows it."""
        print(f"revoked {ask.post('/admin/keys/revoke', {'prefix': prefix})['prefix']}")


def _ingest(ask: Ask, files: Sequence[Path]) -> None:
    """Send each file; a bad one is named, the others still go in."""
    totals, failed = {"accepted": 0, "rejected": 0}, 0
    for path in _progress(files):
        held = 0
        try:
            for body, content_type in _requests(path):
                found = json.loads(ask.send("POST", "/admin/ingest", None, body, content_type).body)
                for name in totals:
                    totals[name] += int(found[name])
                    held += int(found[name])
                if found["rejected"]:
                    print(f"outlay: {path}: {found['rejected']} rejected: {found['message']}", file=sys.stderr)
            if not held:
                raise OutlayError("no spans or log records in it")
        except (OutlayError, OSError) as exc:
            print(f"outlay: {path}: {exc}", file=sys.stderr)
            failed += 1
    ask.finish()
    print(f"{totals['accepted']} spans and log records from {len(files) - failed} files, {totals['rejected']} rejected")
    if failed:
        sys.exit(1)


def _requests(path: Path) -> Iterable[tuple[bytes, str]]:
    """The recorded requests of a file, inflated, with their content type by the file's name."""
    from outlay_web.services.recorded import pieces

    body = path.read_bytes()
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        try:
            body = gzip.decompress(body)
        except (OSError, EOFError, zlib.error) as exc:
            raise OutlayError(f"is not gzip: {exc}") from exc
        suffixes.pop()
    content_type = TYPES.get(suffixes[-1] if suffixes else "")
    if content_type is None:
        raise OutlayError("is neither .pb nor .json")
    return [(piece, content_type) for piece in (pieces(body) if content_type == TYPES[".pb"] else [body])]


def _progress(files: Sequence[Path]) -> Iterable[Path]:
    """The files, with a counter on stderr where somebody is watching."""
    for number, path in enumerate(files, 1):
        if sys.stderr.isatty():
            print(f"\r{number}/{len(files)} {path.name[:60]:<60}", end="", file=sys.stderr, flush=True)
        yield path
    if sys.stderr.isatty():
        print("\r" + " " * 80 + "\r", end="", file=sys.stderr, flush=True)


def window_of(ask: Ask) -> dict[str, str]:
    """The window as a body's fields, taken out of the query string."""
    given = dict(ask.common)
    if "start" not in given:
        raise click.UsageError("--start is needed (and --end, unless it is now)")
    ask.common = [pair for pair in ask.common if pair[0] not in ("start", "end")]
    return {"start": given["start"], "end": given.get("end", "now")}
