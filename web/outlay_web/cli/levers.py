"""Commands about the levers: how good answers are, which arm is better, which model would do."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import click

from outlay_web.cli.answers import fail_over_option, interval_option
from outlay_web.cli.ask import Ask
from outlay_web.cli.options import command
from outlay_web.cli.show import cell, print_table
from outlay_web.cli.threshold import check, check_saving
from outlay_web.http.encoding import columns

QUALITY = columns("n mean ci_low ci_high success_ratio cost_per_success_usd cost_per_call_usd error_rate p95_ms calls")
ARMS = columns("arm units n mean ci_low ci_high cost_per_success_usd cost_per_call_usd error_rate p95_ms calls")
DIFFERENCES = columns("arm measure difference ci_low ci_high verdict why more_units")
EXPERIMENTS = columns("name arms calls cost_usd first_at last_at")
ROWS = columns("task model calls cost_per_call_usd score mean ci_low ci_high n p95_ms on_frontier dominated_by")
ROUTES = columns(
    "task tier requests mean difference difference_ci_low difference_ci_high cost_per_request_usd monthly_saving_usd "
    "monthly_saving_lo_usd effective_scores verdict reason"
)
ROUTED = columns("task recommended monthly_saving_usd reason proposal.explore proposal.requests proposal.days")
TASKS = columns("task recommended recommended_tier monthly_saving_usd reason")
PROMPTS = columns(
    "prompt prompt_version calls cost_usd cost_per_call_usd input_tokens_per_call output_tokens_per_call "
    "cache_read_ratio change.from_version change.input_tokens_per_call change.monthly_usd"
)
SIDES = columns(
    "value calls n mean ci_low ci_high cost_per_call_usd cost_ci_low_usd cost_ci_high_usd p95_ms error_rate monthly_usd"
)
CHANGES = columns("measure difference ci_low ci_high verdict why")
SAVINGS = columns("prompt part tokens_per_call share monthly_usd saving_monthly_usd each_monthly_usd reason")
BREAKS = columns("prompt model began_at ended_at hit_ratio_before hit_ratio_after usd_per_day lost_usd")
NO_SCORE = 'no call in this window is scored; send one: outlay.score("correct", 1), or POST /api/v1/scores'

score_option = click.option("--score", metavar="NAME", help="Name of the score; default: the most used one.")
success_option = click.option(
    "--success", metavar="VALUE", help="From which value on an answer is a success, or the label that says so."
)
margin_option = click.option("--margin", metavar="SCORE", help="How much lower is still no worse; default: 0.02.")


def add_commands(app: click.Group) -> None:
    """Register the commands."""

    @command(app, "quality", by="group_by")
    @interval_option
    @score_option
    @success_option
    @fail_over_option
    def quality(
        ask: Ask, interval: str | None, score: str | None, success: str | None, fail_over: Decimal | None
    ) -> None:
        """How good the answers are, and what a success costs; --fail-over is about that."""
        groups = next((value for name, value in ask.common if name == "group_by"), "model")
        times = ["time"] if interval not in (None, "total") else []
        own: dict[str, Any] = {"interval": interval, "score": score, "success": success}
        found = ask.show("/quality", "rows", [*times, *groups.split(","), *QUALITY], **own)
        if ask.form == "text":
            print(_scores(found))
        if fail_over is not None:
            found = found or ask.get("/quality", **own)
            total = found["total"] or {}
            check(total.get("cost_per_success_usd"), fail_over, "the cost of a success", unknown=_unknown(found))

    @command(app, "tradeoff")
    @score_option
    @success_option
    @margin_option
    @fail_over_option
    def tradeoff(ask: Ask, fail_over: Decimal | None, **own: Any) -> None:
        """Cost, quality and latency per task and model, and which model would do.

        --fail-over is about what the models that would do save a month.
        """
        found = ask.show("/tradeoff", "rows", ROWS, **own)
        if ask.form == "text":
            print()
            print_table(found["tasks"], TASKS)
            if not found["scores"]:
                print(NO_SCORE)
        if fail_over is not None:
            check_saving(found or ask.get("/tradeoff", **own), fail_over)

    @command(app, "routing")
    @score_option
    @success_option
    @margin_option
    @fail_over_option
    def routing(ask: Ask, fail_over: Decimal | None, **own: Any) -> None:
        """What sending each task to another tier would cost and be worth, from requests routed by chance.

        --fail-over is about what the tiers that would do save a month.
        """
        found = ask.show("/routing", "rows", ROUTES, **own)
        if ask.form == "text":
            print()
            print_table(found["tasks"], ROUTED)
            for task in found["tasks"]:
                if task["proposal"]:
                    print(f"to find out about {task['task'] or '(no task)'}: {task['proposal']['code']}")
            if not found["scores"]:
                print(NO_SCORE)
        if fail_over is not None:
            check_saving(found or ask.get("/routing", **own), fail_over)

    @command(app, "decide", by="by")
    @click.argument("first")
    @click.argument("second")
    @score_option
    @success_option
    @margin_option
    @fail_over_option
    def decide(ask: Ask, first: str, second: str, fail_over: Decimal | None, **own: Any) -> None:
        """FIRST and SECOND side by side: two models, or with --by prompt_version, arm, threshold … two of those.

        --fail-over is about what moving to SECOND changes a month.
        """
        found = ask.show("/decide", "sides", SIDES, first=first, second=second, **own)
        if ask.form == "text":
            print()
            print_table(found["differences"], CHANGES)
            for warning in found["warnings"]:
                print(f"careful: {warning}")
            chosen = {"first": first, "second": second}.get(found["verdict"], found["verdict"])
            print(f"{chosen}: {found['reason']}; {_scores(found)}")
            print(
                f"a month {cell(found['monthly']['change_usd'], 'change_usd')} USD at {found['monthly']['calls']} calls"
            )
        if fail_over is not None:
            found = found or ask.get("/decide", first=first, second=second, **own)
            check(found["monthly"]["change_usd"], fail_over, "the change a month", unknown="no cost is known")

    @command(app, "prompts")
    @fail_over_option
    def prompts(ask: Ask, fail_over: Decimal | None) -> None:
        """Tokens and cost by prompt and version, and what changed between versions; parts are in --json.

        --fail-over is about what a new version costs more a month than the one before.
        """
        found = ask.show("/prompts", "rows", PROMPTS)
        if ask.form == "text" and found["savings"]:
            print()
            print_table(found["savings"], SAVINGS)
        if ask.form == "text" and found["cache_breaks"]:
            print()
            print_table(found["cache_breaks"], BREAKS)
        if fail_over is not None:
            found = found or ask.get("/prompts")
            changes = [row["change"]["monthly_usd"] for row in found["rows"] if row["change"]]
            known = [Decimal(usd) for usd in changes if usd is not None]
            what = "what a new version costs more a month"
            least = None if changes or not found["rows"] else Decimal(0)
            check(max(known, default=least), fail_over, what, unknown="no prompt, or no cost of one, is known")

    @command(app, "experiments")
    @click.argument("name", required=False)
    @score_option
    @success_option
    @margin_option
    @click.option("--control", metavar="ARM", help="The arm that others are compared with.")
    @fail_over_option
    @click.option(
        "--unit", metavar="UNIT", help="item, user, session or trace; default: the first that nearly all say."
    )
    @click.option("--split", metavar="WEIGHTS", help="As the arms were asked for: control:0.9,new:0.1.")
    def experiments(ask: Ask, name: str | None, fail_over: Decimal | None, **own: Any) -> None:
        """Experiments of the window, or NAME: its arms and a verdict that holds at every look.

        --fail-over is about what a call of the dearest arm costs more than one of the control.
        """
        if name is None:
            asked = {**own, "fail-over": fail_over}
            given = [f"--{option}" for option, value in asked.items() if value is not None]
            if given:
                raise click.UsageError(f"{given[0]} applies to one experiment: outlay experiments NAME")
            ask.show("/experiments", "experiments", EXPERIMENTS)
            return
        found = ask.show(f"/experiments/{name}", "arms", ARMS, **own)
        if ask.form == "text":
            print()
            print_table(found["differences"], DIFFERENCES)
            for warning in found["warnings"]:
                print(f"careful: {warning}")
            print(f"{_scores(found)}; units are {found['unit']}s; margin {cell(found['margin'])}; {found['method']}")
        if fail_over is not None:
            found = found or ask.get(f"/experiments/{name}", **own)
            costs = [one["difference"] for one in found["differences"] if one["measure"] == "cost_per_call_usd"]
            known = [Decimal(usd) for usd in costs if usd is not None]
            check(max(known, default=None), fail_over, "what a call costs more", unknown="no cost is known")


def _scores(found: dict[str, Any]) -> str:
    """Which score the figures are of, and which others there are."""
    if found["score"] is None:
        return NO_SCORE
    others: Sequence[str] = [one["name"] for one in found["scores"] if one["name"] != found["score"]]
    success = "" if found["success"] is None else f", a success from {cell(found['success'])} on"
    if isinstance(found["success"], str):
        success = f", a success where it says {found['success']}"
    return f"score {found['score']}{success}" + (f"; there is also {', '.join(others[:5])}" if others else "")


def _unknown(found: dict[str, Any]) -> str:
    if found["score"] is None:
        return NO_SCORE
    return f"score {found['score']} does not say what a success is (--success), or none has a known cost"
