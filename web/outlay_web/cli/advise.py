"""`outlay report`, `outlay estimate` and `outlay doctor`: a day told, calls priced that were never made, a check-up."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from outlay.errors import ConfigError, OutlayError
from outlay.zero_code.doctor import main as examine
from outlay_web.cli.ask import Ask
from outlay_web.cli.options import Usd, plain_command
from outlay_web.cli.show import print_table
from outlay_web.cli.threshold import check, check_spend

TOKENS = (
    ("--input-tokens", "All input, cached parts included."),
    ("--cache-read-tokens", "The part of it read from the provider's cache."),
    ("--cache-write-tokens", "The part of it written to the cache."),
    ("--output-tokens", "All output, reasoning included."),
)
LEAST_FREE_BYTES = 1 << 30
Finding = tuple[str, str]


def add_commands(app: click.Group) -> None:
    """Register the commands."""
    _add_report(app)
    _add_estimate(app)

    @plain_command(app, "doctor")
    @click.option("--sdk", is_flag=True, help="Check what an application here would do: hooks, where it sends, spool.")
    def doctor(ask: Ask, sdk: bool) -> None:
        """Check settings, data directory and server; exits 1 if something is wrong."""
        if sdk:
            examine()
        wrong = 0
        for state, said in checks(ask):
            print(f"{state:<5} {said}")
            wrong += state == "FAIL"
        if wrong:
            sys.exit(1)


def _add_report(app: click.Group) -> None:
    @plain_command(app, "report")
    @click.option("--day", metavar="YYYY-MM-DD", help="Which day; default: yesterday.")
    @click.option("--project", metavar="NAME", help="Project; default: the key's, or default.")
    @click.option("--timezone", metavar="ZONE", help="IANA zone of the day; default: UTC.")
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    @click.option("--fail-over", type=Usd(), help="Exit 3 when the day cost more than this.")
    def report(
        ask: Ask, day: str | None, project: str | None, timezone: str | None, as_json: bool, fail_over: Decimal | None
    ) -> None:
        """The cost report of one day: by model, feature and team, against the day before, forecast and budgets."""
        found = ask.get("/report", day=day, project=project, timezone=timezone)
        if as_json:
            ask.print_json(found)
        else:
            print(found["text"], end="")
        check_spend(ask, found["total"], fail_over, "the day's spend")


def _add_estimate(app: click.Group) -> None:
    def estimate(ask: Ask, **given: Any) -> None:
        """What a call would cost, priced as of any date; per month and as a cascade where asked."""
        as_json, fail_over = given.pop("as_json"), given.pop("fail_over")
        found = ask.post("/estimate", _body(given))
        (call,) = found["calls"]
        if as_json:
            ask.print_json(found)
        else:
            rows = [{"what": name, "value": value} for name, value in {**call, **found}.items() if name != "calls"]
            print_table(rows, ["what", "value"])
        why = f"no price is known for {given['provider']} {given['model']}"
        check(found.get("cost_per_month_usd", call["cost_usd"]), fail_over, "the estimate", unknown=why)

    for option in reversed(
        (
            click.option("--provider", metavar="NAME", required=True, help="openai, anthropic, gcp.gemini …"),
            click.option("--model", metavar="NAME", required=True, help="Model, as the provider calls it."),
            *(click.option(name, metavar="N", type=click.IntRange(0), help=text) for name, text in TOKENS),
            click.option("--service-tier", metavar="NAME", help="default, batch, flex, priority …"),
            click.option("--at", metavar="INSTANT", help="Priced as of then: RFC 3339; default: now."),
            click.option("--requests-per-month", metavar="N", type=click.IntRange(0), help="Also the cost of a month."),
            click.option("--cheap", metavar="MODEL", help="With --expensive: as a cascade that asks this one first."),
            click.option("--expensive", metavar="MODEL", help="The model of a cascade's escalations."),
            click.option(
                "--escalation-rate", metavar="RATIO", type=float, help="Share of requests that escalate, 0-1."
            ),
            click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON."),
            click.option("--fail-over", type=Usd(), help="Exit 3 when the cost (of a month, if asked) is above this."),
        )
    ):
        option(estimate)
    plain_command(app, "estimate")(estimate)


def _body(given: dict[str, Any]) -> dict[str, Any]:
    """The options as the body of `POST /estimate`.

    Raises:
        click.UsageError: If only a part of a cascade is given.
    """
    names = [name.removeprefix("--").replace("-", "_") for name, _ in TOKENS]
    usage = {name: given[name] for name in names if given[name] is not None}
    call = {name: given[name] for name in ("provider", "model", "at", "service_tier") if given[name] is not None}
    body: dict[str, Any] = {"calls": [{**call, "usage": usage}]}
    if given["requests_per_month"] is not None:
        body["requests_per_month"] = given["requests_per_month"]
    cascade = {name: given[name] for name in ("cheap", "expensive", "escalation_rate") if given[name] is not None}
    if cascade and len(cascade) < 3:
        raise click.UsageError("a cascade needs --cheap, --expensive and --escalation-rate")
    return {**body, "cascade": cascade} if cascade else body


def checks(ask: Ask) -> Iterator[Finding]:
    """What was looked at, one finding each: `ok`, `warn` or `FAIL`, and what is so."""
    data = ask.settings.data
    yield "ok", "settings can be read" + ("" if ask.url else f"; data directory {data}")
    if not ask.url and not ask.settings.store_dsn and data.is_dir():
        free = shutil.disk_usage(data).free
        yield ("ok" if free >= LEAST_FREE_BYTES else "warn"), f"{free / (1 << 30):,.1f} GiB free on its disk"
    try:
        found = ask.get("/status")
    except ConfigError as exc:
        yield "warn", str(exc)
        return
    except OutlayError as exc:
        yield "FAIL", str(exc)
        return
    where = f"server {ask.url}" if ask.url else "no server runs; the store itself"
    yield ("ok" if found["ready"] or not ask.url else "FAIL"), f"{where} answers, version {found['version']}"
    yield from _ledger(found)
    if found["broken_parts"]:
        yield "FAIL", f"ClickHouse set {found['broken_parts']} broken parts of tables aside, in detached/ of its data"
    for one in found["set_aside"]:
        yield "FAIL", f"trace {one['trace_id']} of project {one['project']} cannot be settled: {one['reason']}"
    yield from (("FAIL", f"job {job['name']}: {job['last_error']}") for job in found["jobs"] if job["last_error"])
    if found.get("catalogue_warning"):
        yield "warn", str(found["catalogue_warning"])
    spent = ask.get("/spend", start="-7d")
    ratio = spent["coverage"]["priced_ratio"]
    if ratio is not None:
        state = "ok" if ratio == 1 else "warn"
        calls, priced = spent["coverage"]["calls"], spent["coverage"]["priced_calls"]
        yield state, f"{priced:,} of {calls:,} calls of the last 7 days have a known cost (outlay prices missing)"


def _ledger(found: dict[str, Any]) -> Iterator[Finding]:
    parts = {name: found[name] for name in ("stored", "rejected", "quarantined", "duplicate", "pending")}
    said = " + ".join(f"{count:,} {name}" for name, count in parts.items())
    adds_up = found["received"] == sum(parts.values())
    yield ("ok" if adds_up else "FAIL"), f"{found['received']:,} spans received = {said}"
    if found["quarantined"]:
        yield "warn", f"{found['quarantined']:,} spans lie in quarantine, beside the spool in dead/"
    if (found["lag_seconds"] or 0) > 60:
        yield "warn", f"the oldest accepted data has waited {found['lag_seconds']:.0f} s to be stored"
