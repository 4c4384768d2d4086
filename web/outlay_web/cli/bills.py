"""Commands about bills that are pulled: bills list, bills pull."""

from __future__ import annotations

import sys

import click

from outlay_web.cli.ask import Ask
from outlay_web.cli.options import plain_command
from outlay_web.cli.show import print_table
from outlay_web.http.encoding import columns

ACCOUNTS = columns("name provider state done_at first_day last_day days lines billed_usd error")
PRICES = columns(
    "provider model service_tier region valid_from input_usd_per_mtok cache_read_usd_per_mtok output_usd_per_mtok "
    "source"
)
EXIT_FAILED = 1

project_option = click.option("--project", metavar="NAME", help="Project; default: the key's, or default.")
json_option = click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")


def add_commands(app: click.Group) -> None:
    """Register the commands."""

    @app.group("bills")
    def bills() -> None:
        """Bills that are pulled from providers and exports."""

    @plain_command(bills, "list")
    @json_option
    @project_option
    def list_bills(ask: Ask, as_json: bool, project: str | None) -> None:
        """The accounts of [[bills]], how their last pull went, and which days are in force."""
        ask.common = [("project", project)] if project else []
        ask.form = "json" if as_json else "text"
        ask.show("/bills", "bills", ACCOUNTS)

    @plain_command(bills, "accept")
    @click.option("--bill", metavar="ID", help="An imported bill; the bills that are pulled unless given.")
    @json_option
    @project_option
    def accept(ask: Ask, bill: str | None, as_json: bool, project: str | None) -> None:
        """Put the discounts that the bills show in force as own prices."""
        ask.common = [("project", project)] if project else []
        found = ask.post("/bills/accept", {}, bill=bill)
        if as_json:
            ask.print_json(found)
        else:
            print_table(found["prices"], PRICES)
            print(f"in force for calls from now on; for those of the bill: {found['reprice']}")
            for why in found["refused"]:
                print(f"outlay: {why}", file=sys.stderr)

    @plain_command(bills, "pull")
    @click.argument("account", required=False)
    @json_option
    @project_option
    def pull(ask: Ask, account: str | None, as_json: bool, project: str | None) -> None:
        """Pull the bills of all accounts now, or of ACCOUNT."""
        ask.common = [("project", project)] if project else []
        found = ask.post("/bills/pull", {}, account=account)
        if as_json:
            ask.print_json(found)
        else:
            print_table(found["bills"], ACCOUNTS)
        if found["failed"]:
            if not as_json:
                for name, why in found["failed"].items():
                    print(f"outlay: {name}: {why}", file=sys.stderr)
            sys.exit(EXIT_FAILED)
