"""What every reading command takes: which server, which window, which filters, which form.

The options are one table; a command names only what is its own, and receives an `Ask` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import click

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_analytics.query.scope import ID_FILTERS
from outlay_web.cli.ask import Ask

PROJECT = ("project",)
WINDOW = ("since", "start", "end", "timezone", *PROJECT)
FORMS = ("json", "csv")
FILTERS = (*sorted(DIMENSIONS), *ID_FILTERS)
Command = Callable[..., None]


class Usd(click.ParamType[Decimal]):
    """An amount of money."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite():
            self.fail(f"{value!r} is not an amount in USD such as 50 or 12.5", param, ctx)
        return amount


class Tag(click.ParamType[tuple[str, str]]):
    """`key=value`."""

    name = "KEY=VALUE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, text = str(value).partition("=")
        if not equals or not key:
            self.fail(f"{value!r} is not key=value", param, ctx)
        return key, text


def where_options() -> list[click.Parameter]:
    """Which server, or which store to open when no server is asked."""
    return [
        click.Option(["--url"], metavar="URL", help="Ask this server; default: the one that holds the data directory."),
        click.Option(["--data"], metavar="DIR", help="Data directory; default: the user's."),
        click.Option(["--store"], metavar="DSN", help="Store to open when no server is asked."),
        click.Option(["--config"], metavar="FILE", help="Config file."),
    ]


def scope_options(by: str) -> list[click.Parameter]:
    """Window, form, filters and, where an answer can be broken down, `--by`."""
    options: list[click.Parameter] = [
        click.Option(["--since"], metavar="AGO", help="Start of the window: 7d, 24h, or RFC 3339."),
        click.Option(["--start"], metavar="INSTANT", help="The same: RFC 3339, or relative as -24h."),
        click.Option(["--end"], metavar="INSTANT", help="End of the window, exclusive; default: now."),
        click.Option(["--timezone"], metavar="ZONE", help="IANA zone of day, week and month; default: UTC."),
        click.Option(["--project"], metavar="NAME", help="Project; default: the key's, or default."),
        click.Option(["--json"], is_flag=True, help="The API's answer as JSON."),
        click.Option(["--csv"], is_flag=True, help="A table as CSV."),
    ]
    if by:
        options.append(click.Option(["--by"], metavar="DIMENSIONS", help="Break down, with commas: feature,model."))
    many: list[click.Parameter] = [
        click.Option(["--" + name.replace("_", "-"), name], multiple=True, metavar="NAME", help=f"Only this {name}.")
        for name in FILTERS
    ]
    tag = click.Option(["--tag"], multiple=True, type=Tag(), help="Only calls with this tag.")
    score_help = "Only calls scored so: correct=0, 'correct=<0.5', judge=pass."
    scored = click.Option(["--scored"], multiple=True, type=Tag(), metavar="NAME=VALUE", help=score_help)
    return [*options, *many, tag, scored]


def command(
    group: click.Group, name: str, *, by: str = "", takes: Collection[str] | None = None, tables: bool = True
) -> Callable[[Command], Command]:
    """Add a reading command to `group`; its own options come from `click.option` decorators below this one.

    Args:
        by: API parameter that `--by` sets; empty when the answer cannot be broken down.
        takes: Which options of window and filters apply; None for all. What does not apply is not offered.
        tables: Whether the answer can be had as `--json` and `--csv`.
    """
    always = {"json", "csv", "by"} if tables else {"by"}

    def add(function: Command) -> Command:
        own: list[click.Parameter] = list(reversed(getattr(function, "__click_params__", [])))

        def run(**given: Any) -> None:
            mine = {str(option.name): given.pop(str(option.name)) for option in own}
            form = _form(given.pop("json", False), given.pop("csv", False))
            flags, file = take_where(given)
            with Ask(_parameters(given, by), flags=flags, config_file=file, form=form) as ask:
                function(ask, **mine)

        taken = {str(option.name) for option in own}
        scope = [
            option
            for option in scope_options(by)
            if str(option.name) in always or (str(option.name) not in FORMS and (takes is None or option.name in takes))
        ]
        shared = [option for option in (*scope, *where_options()) if str(option.name) not in taken]
        group.add_command(click.Command(name, params=[*own, *shared], callback=run, help=function.__doc__))
        return function

    return add


def plain_command(group: click.Group, name: str) -> Callable[[Command], Command]:
    """Add a command that takes no window and no filters: its own options, and which server."""

    def add(function: Command) -> Command:
        own: list[click.Parameter] = list(reversed(getattr(function, "__click_params__", [])))

        def run(**given: Any) -> None:
            mine = {str(option.name): given.pop(str(option.name)) for option in own}
            flags, file = take_where(given)
            with Ask(flags=flags, config_file=file) as ask:
                function(ask, **mine)

        group.add_command(click.Command(name, params=[*own, *where_options()], callback=run, help=function.__doc__))
        return function

    return add


def take_where(given: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """The settings that say which server or store, and the config file, taken out of `given`."""
    flags = {"url": given.pop("url"), "data": given.pop("data"), "store_dsn": given.pop("store")}
    return flags, given.pop("config")


def _form(json: bool, csv: bool) -> str:
    if json and csv:
        raise click.UsageError("--json and --csv exclude each other")
    return "json" if json else "csv" if csv else "text"


def _parameters(given: dict[str, Any], by: str) -> list[tuple[str, str]]:
    """The common part of the query string."""
    since, start = given.pop("since", None), given.pop("start", None)
    if since and start:
        raise click.UsageError("--since and --start say the same; give one of them")
    if since:
        start = since if "-" in since or since == "now" else "-" + since
    tags: Sequence[tuple[str, str]] = given.pop("tag", ())
    scores: Sequence[tuple[str, str]] = given.pop("scored", ())
    found = [("start", start), *((f"tag.{key}", value) for key, value in tags)]
    found += [(f"score.{name}", value) for name, value in scores]
    if by:
        found.append((by, given.pop("by")))
    for name, value in given.items():
        found += [(name, one) for one in value] if isinstance(value, tuple) else [(name, value)]
    return [(name, value) for name, value in found if value is not None]
