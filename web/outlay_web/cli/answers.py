"""The reading commands: one per question, each a page and an API path of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import click

from outlay_web.cli.ask import Ask
from outlay_web.cli.options import PROJECT, Usd, command, plain_command
from outlay_web.cli.show import cell, print_table
from outlay_web.cli.threshold import check, check_spend
from outlay_web.cli.values import unknown_filter, warn_unknown_filter
from outlay_web.format import less_sure
from outlay_web.http.encoding import columns

interval_option = click.option("--interval", metavar="STEP", help="hour, day, week, month or total.")
limit_option = click.option("--limit", type=click.IntRange(1, 1000), default=100, help="At most so many.")
all_option = click.option("--all", "every", is_flag=True, help="Every page, to the end.")
cursor_option = click.option("--cursor", metavar="TEXT", help="next_cursor of the page before.")
fail_over_option = click.option("--fail-over", type=Usd(), help="Exit 3 when the figure is above this.")

BASES = ("expected", "previous", "week_earlier")
SPEND = columns("cost_usd calls errors input_tokens output_tokens cache_read_tokens p50_ms p95_ms priced_ratio")
CALLS = columns(
    "started_at feature provider response_model input_tokens cache_read_tokens output_tokens cost_usd cost_state "
    "duration_ms status trace_id"
)
CACHING = columns(
    "exact.lookups exact.hit_ratio exact.avoided_usd semantic.lookups semantic.hit_ratio semantic.avoided_usd "
    "provider.input_tokens provider.hit_ratio provider.net_saving_usd"
)
CASCADES = columns(
    "name runs escalation_rate cost_usd wasted_usd cost_per_accepted_usd top_tier_only_usd saving_usd "
    "break_even_escalation_rate"
)
FORECAST = columns("time mean_usd lo80_usd hi80_usd lo95_usd hi95_usd")
ANOMALIES = columns("started_at ended_at channel scope actual expected impact_usd score")
BUDGETS = columns("name period per amount_usd spent_usd used_ratio projected_usd probability_over note")
ALERTS = columns("id state title started_at reason")
SPANS = columns("tree counted reason cost_usd duration_ms span_id")


def _named(row: Mapping[str, Any], groups: str) -> Mapping[str, Any]:
    """A row as the table prints it: what is left out says so in the place of its name."""
    return {**row, groups.split(",")[0].strip(): "(all others)"} if row.get("remainder") and groups else row


def add_commands(app: click.Group) -> None:
    """Register every reading command."""

    @command(app, "spend", by="group_by")
    @interval_option
    @click.option("--compare", is_flag=True, help="Beside the window just before.")
    @fail_over_option
    def spend(ask: Ask, interval: str | None, compare: bool, fail_over: Decimal | None) -> None:
        """Who spent what."""
        own: dict[str, Any] = {"interval": interval, "compare": "previous" if compare else None}
        groups = next((value for name, value in ask.common if name == "group_by"), "")
        if ask.form == "text":
            found = ask.get("/spend", **own)
            times = ["time"] if interval not in (None, "total") else []
            names = [*times, *(name.strip() for name in groups.split(",") if name.strip()), *SPEND]
            previous = ["previous.cost_usd"] if compare else []
            rows = found["rows"] if times or groups else [found["total"] | {"priced_ratio": _ratio(found)}]
            print_table([_named(row, groups) for row in rows], [*names, *previous])
            if times or groups:
                print(f"total {cell(found['total']['cost_usd'], 'cost_usd')} USD, {_ratio_text(found)}")
            if not found["total"]["calls"]:
                warn_unknown_filter(ask)
        else:
            found = ask.show("/spend", "rows", SPEND, **own)
        if fail_over is not None:
            found = found or ask.get("/spend")
            check_spend(ask, {**found["total"], **found["coverage"]}, fail_over, "spend")

    @command(app, "explain", by="by")
    @click.option("--base", type=click.Choice(BASES), help="What to compare with by name.")
    @click.option("--base-start", metavar="INSTANT", help="Start of the window to compare with.")
    @click.option("--base-end", metavar="INSTANT", help="Its end; default: the window just before.")
    @fail_over_option
    def explain(
        ask: Ask, base: str | None, base_start: str | None, base_end: str | None, fail_over: Decimal | None
    ) -> None:
        """Why spend changed."""
        own: dict[str, Any] = {"base": base, "base_start": base_start, "base_end": base_end}
        if ask.form == "text":
            found = ask.get("/explain", **own)
            for sentence in found["sentences"]:
                print(sentence)
            print()
            print_table(found["drivers"], ["driver", "usd"])
            print(f"change {cell(found['change_usd'], 'change_usd')} USD")
        else:
            found = ask.show("/explain", "cells", [], **own)
        if fail_over is not None:
            found = found or ask.get("/explain", **own)
            check_spend(ask, {**found["current"], "cost_usd": found["change_usd"]}, fail_over, "the change")

    @command(app, "caching", by="group_by")
    @interval_option
    @click.option("--thresholds", is_flag=True, help="Compare thresholds of the semantic caches.")
    @click.option("--error", metavar="SHARE", help="With --thresholds: most answers that may be wrong; 0.02.")
    @click.option("--confidence", metavar="SHARE", help="With --thresholds: how sure that is to be; 0.95.")
    @click.option("--score", metavar="NAME", help="With --thresholds: by which answers are judged.")
    def caching(
        ask: Ask, interval: str | None, thresholds: bool, error: str | None, confidence: str | None, score: str | None
    ) -> None:
        """Hit ratios of caches and what they save."""
        if thresholds:
            if interval is not None or any(name == "group_by" for name, _ in ask.common):
                raise click.UsageError("--interval and --by do not apply to --thresholds; filter: --feature NAME")
            columns = ["threshold", "hit_ratio", "avoided_usd", "scored", "wrong_ratio"]
            found = ask.show("/caching/thresholds", "rows", columns, error=error, confidence=confidence, score=score)
            if ask.form == "text":
                print(_guarantee(found))
            return
        if (error, confidence, score) != (None, None, None):
            raise click.UsageError("--error, --confidence and --score apply to --thresholds")
        groups = next((value for name, value in ask.common if name == "group_by"), "feature")
        times = ["time"] if interval not in (None, "total") else []
        ask.show("/caching", "rows", [*times, *groups.split(","), *CACHING], interval=interval)

    @command(app, "cascades")
    @interval_option
    @click.option("--thresholds", metavar="NAME", help="Compare thresholds of this cascade.")
    @click.option("--error", metavar="SHARE", help="With --thresholds: most of the accepted that may be wrong; 0.02.")
    @click.option("--confidence", metavar="SHARE", help="With --thresholds: how sure that is to be; 0.95.")
    def cascades(
        ask: Ask, interval: str | None, thresholds: str | None, error: str | None, confidence: str | None
    ) -> None:
        """How often cascades escalate, and whether they pay."""
        if thresholds:
            if interval is not None:
                raise click.UsageError("--interval does not apply to --thresholds, which is about the whole window")
            columns = ["threshold", "escalation_rate", "cost_per_run_usd", "quality"]
            path = f"/cascades/{thresholds}/thresholds"
            found = ask.show(path, "rows", columns, error=error, confidence=confidence)
            if ask.form == "text":
                print(_guarantee(found))
        elif error is not None or confidence is not None:
            raise click.UsageError("--error and --confidence apply to --thresholds NAME")
        else:
            times = ["time"] if interval not in (None, "total") else []
            ask.show("/cascades", "cascades", [*times, *CASCADES], interval=interval)

    @command(app, "forecast")
    @click.option("--horizon", metavar="DAYS", help="How far ahead: 30d.")
    @interval_option
    @click.option("--budget-usd", metavar="USD", help="Budget of the month.")
    @click.option("--overlay", metavar="PLAN", multiple=True, help="What is planned: 2026-12-01:+25%:launch.")
    @fail_over_option
    def forecast(
        ask: Ask,
        horizon: str | None,
        interval: str | None,
        budget_usd: str | None,
        overlay: tuple[str, ...],
        fail_over: Decimal | None,
    ) -> None:
        """Spend to come, with intervals."""
        own: dict[str, Any] = {"horizon": horizon, "interval": interval, "budget_usd": budget_usd}
        own["overlay"] = ",".join(overlay) or None
        found = ask.show("/forecast", "scenario" if overlay else "forecast", FORECAST, **own)
        if ask.form == "text":
            if not any(Decimal(row["cost_usd"] or 0) for row in found["history"]):
                warn_unknown_filter(ask)
            if found.get("holidays"):
                said = ", ".join(f"{one['day']} {one['name']}" for one in found["holidays"])
                print(f"holidays: {said}")
            if found.get("month_end"):
                mean, low, high = (cell(found["month_end"][f"{name}_usd"], "_usd") for name in ("mean", "lo80", "hi80"))
                print(f"month's end {mean} USD (80%: {low} to {high})")
                if found["month_end"]["scenario_mean_usd"] is not None:
                    print(f"as planned {cell(found['month_end']['scenario_mean_usd'], '_usd')} USD")
        if fail_over is not None:
            found = found or ask.get("/forecast", **own)
            why = unknown_filter(ask) or "there is too little past to tell"
            check((found.get("month_end") or {}).get("mean_usd"), fail_over, "the month's end", unknown=why)

    @command(app, "anomalies")
    @fail_over_option
    def anomalies(ask: Ask, fail_over: Decimal | None) -> None:
        """Hours that cost more or less than expected."""
        found = ask.show("/anomalies", "anomalies", ANOMALIES)
        if fail_over is not None:
            for anomaly in (found or ask.get("/anomalies"))["anomalies"]:
                check(anomaly["impact_usd"], fail_over, "an anomaly's impact")

    @command(app, "budgets", takes=PROJECT)
    def budgets(ask: Ask) -> None:
        """Budgets and how much of them is used."""
        ask.show("/budgets", "budgets", BUDGETS)

    @command(app, "alerts", takes=PROJECT)
    @click.option("--state", metavar="STATE", help="pending, firing or resolved.")
    def alerts(ask: Ask, state: str | None) -> None:
        """Alerts: pending, firing, resolved."""
        ask.show("/alerts", "alerts", ALERTS, state=state)

    @command(app, "calls")
    @limit_option
    @cursor_option
    @all_option
    def calls(ask: Ask, limit: int, cursor: str | None, every: bool) -> None:
        """Calls, newest first."""
        found = ask.show("/calls", "calls", CALLS, every=every, limit=limit, cursor=cursor)
        if ask.form == "text":
            if found["next_cursor"]:
                print(f"more: --all, or --cursor {found['next_cursor']}")
            if not found["calls"]:
                warn_unknown_filter(ask)

    @command(app, "trace", takes=PROJECT)
    @click.argument("trace_id", metavar="ID")
    def trace(ask: Ask, trace_id: str) -> None:
        """Every span of a trace: what was counted and why."""
        if ask.form == "text":
            found = ask.get(f"/traces/{trace_id}")
            print_table(
                [{**span, "tree": "  " * span.get("depth", 0) + span["name"]} for span in found["spans"]], SPANS
            )
        else:
            ask.show(f"/traces/{trace_id}", "spans", SPANS)

    @plain_command(app, "status")
    @click.option("--json", "as_json", is_flag=True, help="The API's answer as JSON.")
    def status(ask: Ask, as_json: bool) -> None:
        """What was received, what became of it, and what waits."""
        found = ask.get("/status")
        if as_json:
            ask.print_json(found)
        else:
            print_table([{"what": name, "value": found[name]} for name in found if name != "jobs"], ["what", "value"])


def _guarantee(found: dict[str, Any]) -> str:
    """The threshold with a guarantee in words."""
    one = found["guaranteed"]
    if one is None:
        return f"no threshold with a guarantee: {found['guaranteed_reason']}"
    saving = "" if one["saving_usd"] is None else f", saves {cell(one['saving_usd'], 'saving_usd')} USD"
    sure = f"{float(one['confidence']):.0%} sure, {one['runs']} scored runs"
    return f"guaranteed {cell(one['threshold'])}: at most {float(one['error_bound']):.1%} wrong ({sure}){saving}"


def _ratio(found: dict[str, Any]) -> Any:
    return found["coverage"]["priced_ratio"]


def _ratio_text(found: dict[str, Any]) -> str:
    coverage = found["coverage"]
    doubts = less_sure(coverage)
    return f"{coverage['priced_calls']} of {coverage['calls']} calls priced{f' ({doubts})' if doubts else ''}"
