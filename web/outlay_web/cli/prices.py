"""Commands about prices and bills: prices, reprice, close, reconcile."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import click

from outlay.errors import OutlayError
from outlay_web.cli.answers import all_option, cursor_option, limit_option
from outlay_web.cli.ask import Ask
from outlay_web.cli.operate import window_of
from outlay_web.cli.options import WINDOW, command, plain_command
from outlay_web.cli.show import print_table
from outlay_web.http.encoding import columns

PRICES = columns(
    "provider model service_tier min_input_tokens hours valid_from input_usd_per_mtok cache_read_usd_per_mtok "
    "output_usd_per_mtok origin source"
)
MISSING = columns("provider request_model response_model reason calls input_tokens output_tokens last_at")
REPRICED = columns("day feature provider model calls newly_priced before_usd after_usd change_usd closed")
REPRICINGS = columns("id state start end calls newly_priced before_usd after_usd change_usd adjustment_usd created_at")
MONTHS = columns("month calls cost_usd calls_now cost_now_usd adjustment_usd closed_at")
RECONCILED = columns("day provider model billed_usd computed_usd residual_usd why calls")
REASONS = columns("reason usd calls")
SHOWN = 50
PULLED_START = "-35d"

project_option = click.option("--project", metavar="NAME", help="Project; default: the key's, or default.")


def _month(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", value, re.ASCII):
        raise click.BadParameter(f"{value!r} is not a month such as 2026-10")
    return value


def add_commands(app: click.Group) -> None:
    """Register the commands."""

    @command(app, "prices", takes=(*WINDOW, "model", "provider"))
    @click.argument("what", type=click.Choice(["missing"]), required=False)
    @click.option("--at", metavar="INSTANT", help="Only prices in force at this moment.")
    @click.option("--as-of", metavar="INSTANT", help="The list as it was known then: what did we believe?")
    @click.option("--origin", metavar="WHERE", help="Only from catalogue, correction, overlay or discount.")
    @limit_option
    @cursor_option
    @all_option
    def prices(
        ask: Ask,
        what: str | None,
        at: str | None,
        as_of: str | None,
        origin: str | None,
        limit: int,
        cursor: str | None,
        every: bool,
    ) -> None:
        """The price list, with --model and --provider a part of it; `missing`: models of calls without a price."""
        if what:
            for name, value in (("--at", at), ("--as-of", as_of), ("--origin", origin)):
                if value is not None:
                    raise click.UsageError(f"{name} does not apply to `prices missing`, which is about calls")
            found = ask.show("/prices", "prices", MISSING, every=every, missing="true", limit=limit, cursor=cursor)
            if ask.form == "text" and found["heals"]["calls"]:
                print(f"{found['heals']['calls']} calls have a price by now: {found['heals']['command']}")
            return
        windowed = [name for name, _ in ask.common if name in ("start", "end", "timezone")]
        if windowed:
            raise click.UsageError(f"--{windowed[0]} applies to `prices missing`; the list takes --at and --as-of")
        own: dict[str, Any] = {"at": at, "as_of": as_of, "origin": origin, "limit": limit, "cursor": cursor}
        found = ask.show("/prices", "prices", PRICES, every=every, **own)
        if ask.form == "text":
            if found.get("next_cursor"):
                print(f"more: --all, or --cursor {found['next_cursor']}")
            if found["catalogue_warning"]:
                print(f"outlay: {found['catalogue_warning']}", file=sys.stderr)

    @command(app, "reprice", takes=WINDOW)
    @click.option("--dry-run", is_flag=True, help="Only show the difference.")
    @click.option("--reopen", is_flag=True, help="Also change closed months; kept as an adjustment.")
    @click.option("--undo", metavar="ID", help="Put back what a repricing changed.")
    @click.option("--history", is_flag=True, help="Every repricing with both figures.")
    def reprice(ask: Ask, dry_run: bool, reopen: bool, undo: str | None, history: bool) -> None:
        """Price the calls of a window again, and show the difference per day and feature."""
        _refuse_mixed(history=history, undo=bool(undo), dry_run=dry_run)
        if history:
            ask.show("/reprice", "repricings", REPRICINGS)
        elif undo:
            print(f"undone {ask.post('/reprice/undo', {'id': undo, 'reopen': reopen})['undone']}")
        else:
            _reprice(ask, {**window_of(ask), "dry_run": dry_run, "reopen": reopen})

    @plain_command(app, "close")
    @click.argument("month", metavar="YYYY-MM", required=False, callback=_month)
    @click.option("--reopen", is_flag=True, help="Open its books again.")
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    @project_option
    def close(ask: Ask, month: str | None, reopen: bool, as_json: bool, project: str | None) -> None:
        """Close a month: later changes to it are shown apart. Without a month: what is closed."""
        ask.common = [("project", project)] if project else []
        ask.form = "json" if as_json else "text"
        if month is None:
            ask.show("/admin/close", "months", MONTHS)
            return
        done = ask.post("/admin/close", {"month": month, "reopen": reopen})
        if as_json:
            ask.print_json(done)
        elif reopen:
            print(f"{month} is open again")
        else:
            print(f"{month} is closed with {done['calls']} calls and {done['cost_usd']} USD")

    @plain_command(app, "reconcile")
    @click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    @click.option("--csv", "as_csv", is_flag=True, help="Every day and model as CSV.")
    @project_option
    def reconcile(ask: Ask, file: Path | None, as_json: bool, as_csv: bool, project: str | None) -> None:
        """Compare a bill with what the calls cost; without FILE those that are pulled."""
        if as_json and as_csv:
            raise click.UsageError("--json and --csv exclude each other")
        ask.common = [("project", project)] if project else []
        own = {"format": "csv" if as_csv else None}
        if file is None:
            answer = ask.send("GET", "/reconcile", {"start": PULLED_START, "end": "now", **own}).body
        else:
            try:
                body = file.read_bytes()
            except OSError as exc:
                raise OutlayError(f"{file}: {exc.strerror}") from exc
            answer = ask.send("POST", "/reconcile", {"name": file.name, **own}, body, "application/octet-stream").body
        if as_csv:
            sys.stdout.write(answer.decode())
        elif as_json:
            ask.print_json(json.loads(answer))
        else:
            _show_reconciled(json.loads(answer))


def _refuse_mixed(**given: bool) -> None:
    """Of these options one at a time: the others would be ignored.

    Raises:
        click.UsageError: If more than one is given.
    """
    names = ["--" + name.replace("_", "-") for name, wanted in given.items() if wanted]
    if len(names) > 1:
        raise click.UsageError(f"{' and '.join(names)} exclude each other")


def _reprice(ask: Ask, body: dict[str, Any]) -> None:
    found = ask.post("/reprice", body)
    if ask.form == "json":
        ask.print_json(found)
        return
    if ask.form == "csv":
        raise click.UsageError("--csv does not apply here; use --json")
    print_table(found["rows"], REPRICED)
    done = "would change" if found["dry_run"] else "changed"
    print(
        f"{found['calls']} calls {done}, {found['newly_priced']} had no price: "
        f"{found['before_usd']} USD before, {found['after_usd']} USD after, {found['change_usd']} USD difference"
    )
    if found["id"]:
        print(f"undo: outlay reprice --undo {found['id']}")


def _show_reconciled(found: dict[str, Any]) -> None:
    print_table(found["residual"], REASONS)
    rows = [{**row, "why": ", ".join(_reasons(found, row))} for row in found["rows"]]
    rows.sort(key=lambda row: -abs(float(row["residual_usd"])))
    print()
    print_table(rows[:SHOWN], RECONCILED)
    if len(rows) > SHOWN:
        print(f"{len(rows) - SHOWN} smaller differences: --csv")
    for what, usd in found["left_out"].items():
        lines = found["left_out_lines"].get(what)
        counted = "" if lines is None else f" ({lines} {'line' if lines == 1 else 'lines'})"
        print(f"not compared: {what if usd is None else f'{usd} USD {what}'}{counted}")
    for one in found["proposals"]:
        if float(one["discount"]) <= 0:
            continue
        print(
            f'a discount that outlay.toml does not know: [[discounts]] provider = "{one["provider"]}", '
            f'model = "{one["model"]}", discount = "{one["discount"]}", valid_from = {one["valid_from"]}'
        )
    covered = "nothing was billed" if found["coverage"] is None else f"{found['coverage']:.2%} of it explained"
    print(
        f"billed {found['billed_usd']} USD, computed {found['computed_usd']} USD, "
        f"difference {found['residual_usd']} USD; {covered}"
    )


def _reasons(found: dict[str, Any], row: dict[str, Any]) -> list[str]:
    names = [one["reason"] for one in found["residual"]]
    return [f"{name} {row[f'{name}_usd']}" for name in names if row[f"{name}_usd"] != "0"]
