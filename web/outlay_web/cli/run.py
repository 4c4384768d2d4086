"""`outlay run` and `outlay ci`: what they do is the SDK's, which needs none of the server's packages."""

from __future__ import annotations

import sys
from typing import Any

import click

from outlay.ci import command as comparison
from outlay.zero_code import run as launcher


def add_commands(group: click.Group) -> None:
    """Register the command."""
    options: list[click.Parameter] = [click.Option([name], metavar="TEXT") for name in launcher.OPTIONS]
    command = click.Argument(["command"], nargs=-1, type=click.UNPROCESSED)
    group.add_command(
        click.Command(
            "run",
            params=[*options, command],
            callback=_run,
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
            help="Run a command with Outlay in every Python that it starts; `outlay run --help` says more.",
        )
    )

    group.add_command(
        click.Command(
            "ci",
            params=[
                *(click.Option([name], metavar="TEXT") for name in comparison.OPTIONS),
                click.Option(["--json"], is_flag=True),
                click.Argument(["command"], nargs=-1, type=click.UNPROCESSED),
            ],
            callback=_compare,
            add_help_option=False,
            context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
            help="Compare what a command's model calls take with another revision; `outlay ci --help` says more.",
        )
    )


def _compare(**_: Any) -> None:
    comparison.main(sys.argv[sys.argv.index("ci") + 1 :])


def _run(**_: Any) -> None:
    launcher.main(sys.argv[sys.argv.index("run") + 1 :])
