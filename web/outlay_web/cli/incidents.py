"""`outlay incidents`, `outlay markers`: what was out of the ordinary, what became of it, what was changed when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from outlay_web.cli.ask import Ask
from outlay_web.cli.options import PROJECT, command
from outlay_web.cli.show import cell, print_table
from outlay_web.http.encoding import columns

INCIDENTS = columns("id state impact_usd cause scope started_at ongoing expected_usd owner")
MARKERS = columns("at kind name scope by")
RULES = columns("name kind threshold unit window per budget scope severity")
FIRED = columns("started_at ended_at value reason")
HISTORY = columns("at kind by text")
LONGEST_H = 90 * 24
STATES = ("open", "acknowledged", "resolved")


def add_commands(app: click.Group) -> None:
    """Register both commands."""

    @command(app, "incidents")
    @click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
    def incidents(ask: Ask, state: str | None) -> None:
        """Incidents: spend above what was expected, newest first."""
        ask.show("/incidents", "incidents", INCIDENTS, state=state)

    @command(app, "incident", takes=PROJECT)
    @click.argument("incident_id", metavar="ID")
    @click.option("--acknowledge", "kind", flag_value="acknowledged", help="Take it on: it is not told again.")
    @click.option("--resolve", "kind", flag_value="resolved", help="It is dealt with.")
    @click.option("--reopen", "kind", flag_value="reopened", help="It is not dealt with after all.")
    @click.option("--note", metavar="TEXT", help="Add a note.")
    @click.option("--owner", metavar="NAME", help="Say who owns it.")
    @click.option("--silence", metavar="HOURS", type=click.IntRange(1, LONGEST_H), help="Say nothing of it so long.")
    def incident(
        ask: Ask, incident_id: str, kind: str | None, note: str | None, owner: str | None, silence: int | None
    ) -> None:
        """One incident: why, what was changed, what became of it."""
        if silence is not None:
            until = datetime.now(UTC) + timedelta(hours=silence)
            ask.post(f"/incidents/{incident_id}/silence", {"until": until.isoformat()})
        events = [("owner", owner), ("note", note), (kind, "")]
        for name, text in events:
            if name is not None and text is not None:
                ask.post(f"/incidents/{incident_id}/events", {"kind": name, "text": text})
        if ask.form != "text":
            ask.show(f"/incidents/{incident_id}", "", [])
            return
        found = ask.get(f"/incidents/{incident_id}")
        low, high = (cell(found[f"impact_{side}_usd"], "_usd") for side in ("lo", "hi"))
        more, usual = cell(found["impact_usd"], "_usd"), cell(found["expected_usd"], "_usd")
        print(f"{found['cause']}: {more} USD (80%: {low} to {high}) above the {usual} expected; {found['state']}")
        for sentence in found["sentences"]:
            print(sentence)
        for words, name in (("cheapest lever", "lever"), ("this month", "month_end")):
            if found[name]:
                print(f"{words}: {found[name]}")
        for change in found["changes"]:
            print(f"changed at {change['at']}: {change['name']}")
        print()
        print_table(found["drivers"], ["driver", "usd"])
        if found["history"]:
            print()
            print_table(found["history"], HISTORY)

    @command(app, "rules", takes=PROJECT, tables=False)
    @click.option("--preview", metavar="NAME", help="What this rule would have fired in the last 60 days.")
    def rules(ask: Ask, preview: str | None) -> None:
        """Rules that watch something else than a budget."""
        found = ask.get("/rules")["rules"]
        if preview is None:
            print_table(found, RULES)
            return
        one = next((rule for rule in found if rule["name"] == preview), None)
        if one is None:
            raise click.UsageError(
                f"no rule {preview!r}; there are: {', '.join(rule['name'] for rule in found) or 'none'}"
            )
        body = {name: one[name] for name in ("name", "kind", "threshold", "window", "severity", "scope", "notify")}
        body |= {name: one[name] for name in ("per", "budget") if one[name]}
        looked = ask.post("/alerts/preview", body)
        print_table(looked["fired"], FIRED)
        print(f"{looked['times']} times in the last 60 days" + (f"; {looked['note']}" if looked["note"] else ""))
        for channel in looked["channels"]:
            said = "hears of it" if channel["takes"] else f"takes no {one['severity']}"
            print(f"{channel['channel']} {said}")

    @command(app, "markers")
    def markers(ask: Ask) -> None:
        """What was changed: markers that were put, prompt versions and models that appeared."""
        ask.show("/markers", "markers", MARKERS)

    @command(app, "mark", takes=(*PROJECT, "feature"), tables=False)
    @click.argument("name", metavar="NAME")
    @click.option("--at", metavar="INSTANT", default="", help="When; default: now.")
    def mark(ask: Ask, name: str, at: str) -> None:
        """Say that something was changed: a deployment, a launch. `--feature` says what it concerns."""
        scope: dict[str, list[str]] = {}
        for dimension, value in ask.common:
            if dimension == "feature":
                scope.setdefault(dimension, []).append(value)
        project = [(key, value) for key, value in ask.common if key == "project"]
        made: dict[str, Any] = ask.apart(project).post("/markers", {"name": name, "at": at, "scope": scope})
        print(f"marked {made['name']} at {made['at']}")
