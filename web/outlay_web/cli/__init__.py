"""The command line: `outlay serve | spend | explain | … `. Nothing heavy is imported before a command needs it.

Exit codes: 0 right, 1 error, 2 usage, 3 a threshold given with `--fail-over` was passed.

Enters: command lines.
Leaves: tables, JSON, CSV; a running server.
May import: demo, http, server, services.
"""

from __future__ import annotations

import io
import os
import sys

import click

from outlay.errors import ConfigError, OutlayError
from outlay_web.cli import (
    advise,
    answers,
    bills,
    demo,
    export,
    incidents,
    levers,
    mcp,
    operate,
    prices,
    run,
    serve,
    simulate,
    unit_costs,
)

EXIT_ERROR = 1
EXIT_USAGE = 2


@click.group(
    name="outlay",
    help="What every model call costs, why it changed, and what to do about it.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
def app() -> None:
    """The group that every command is added to."""


for part in (
    serve,
    demo,
    answers,
    incidents,
    levers,
    unit_costs,
    simulate,
    export,
    advise,
    prices,
    bills,
    operate,
    mcp,
    run,
):
    part.add_commands(app)


def main() -> None:
    """Run the command line; an error that Outlay raises on purpose is one line on stderr."""
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show is no reason to stop
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="outlay")
    except ConfigError as exc:
        _fail(str(exc), EXIT_USAGE)
    except OutlayError as exc:
        _fail(str(exc), EXIT_ERROR)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_ERROR)


def _fail(message: str, code: int) -> None:
    print(f"outlay: {message}", file=sys.stderr)
    sys.exit(code)
