"""`outlay export focus | calls | prices`: files for other programs, as CSV or Parquet, of any size."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from outlay_web.cli.ask import Ask
from outlay_web.cli.options import PROJECT, command

format_option = click.option(
    "--format", "form", type=click.Choice(("csv", "parquet")), default="csv", help="Default csv."
)
output_option = click.option(
    "--output", "-o", metavar="FILE", type=click.Path(path_type=Path), help="Where to; default: standard output."
)
Sink = Callable[[bytes], object]


def add_commands(app: click.Group) -> None:
    """Register the commands."""

    @app.group("export")
    def export() -> None:
        """Charges as FOCUS, calls or prices as a file."""

    @command(export, "focus", tables=False)
    @format_option
    @output_option
    @click.option("--interval", type=click.Choice(("hour", "day")), help="Length of a charge period; default day.")
    @click.option("--focus", type=click.Choice(("1.2", "1.4")), help="Version of FOCUS; default 1.2.")
    @click.option("--tags", metavar="KEYS", help="Tags that charges are told apart by, with commas: plan,region.")
    def of_focus(
        ask: Ask, form: str, output: Path | None, interval: str | None, focus: str | None, tags: str | None
    ) -> None:
        """Charges in the columns of FOCUS; they add up to `outlay spend`."""
        with _open(output, form) as sink:
            said = ask.download("/export/focus", sink, format=form, interval=interval, focus=focus, tags=tags)
        _warn(said)

    @command(export, "calls", tables=False)
    @format_option
    @output_option
    def of_calls(ask: Ask, form: str, output: Path | None) -> None:
        """Every call of the window."""
        with _open(output, form) as sink:
            ask.download("/export/calls", sink, format=form)

    @command(export, "prices", takes=PROJECT, tables=False)
    @format_option
    @output_option
    def of_prices(ask: Ask, form: str, output: Path | None) -> None:
        """The price list: one row per price and meter, by the SkuPriceId that charges carry."""
        with _open(output, form) as sink:
            ask.download("/export/prices", sink, format=form)


@contextmanager
def _open(output: Path | None, form: str) -> Iterator[Sink]:
    """What takes the file's parts; a file appears under its name only when it is whole.

    Raises:
        click.UsageError: If Parquet would go to a terminal.
        OSError: If the file cannot be written.
    """
    if output is None:
        if form == "parquet" and sys.stdout.isatty():
            raise click.UsageError("Parquet is not for a terminal; name a file with --output")
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    growing = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with growing.open("wb") as file:
            yield file.write
        growing.replace(output)
    except OSError as exc:
        raise click.UsageError(f"--output {str(output)!r} cannot be written: {exc.strerror}") from exc
    finally:
        growing.unlink(missing_ok=True)


def _warn(said: Mapping[str, str]) -> None:
    """Say on stderr how many calls have no row."""
    calls, priced = (int(said.get(f"x-outlay-{name}", 0)) for name in ("calls", "priced-calls"))
    if priced < calls:
        print(
            f"outlay: {calls - priced} of {calls} calls have no known cost and so no row: outlay prices missing",
            file=sys.stderr,
        )
