"""/experiments: the arms of an experiment side by side, and what can be said of them by now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.questions import experiments
from outlay_analytics.questions.experiment_checks import parse_split
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.quality import quality_cells, quality_columns, value_kinds
from outlay_web.pages.view import View

ALLOWED = ("name", "score", "success", "margin", "control", "unit", "split")
QUESTION = "Is the new one better, no worse or worse, and what does it cost?"
MEASURES = {"score": "mean score", "cost_per_call_usd": "cost per call", "error_rate": "error rate"}


def page(view: View) -> Page:
    store, scope = view.ctx.store, view.scope
    listed = experiments.list_experiments(store, scope)["experiments"]
    if not listed:
        return Page("experiments.html", "Experiments", QUESTION, empty=True)
    names = [one["name"] for one in listed]
    margin = view.query.number("margin", experiments.MARGIN)
    one = experiments.experiment(
        store,
        scope,
        view.get("name") or names[0],
        score=view.get("score"),
        success=view.get("success"),
        margin=margin,
        control=view.get("control"),
        unit=view.get("unit"),
        split=parse_split(view.get("split")),
    )
    data: dict[str, Any] = {
        "one": one,
        "listed": list_table(view, listed),
        "names": names[:200],
        "margin": f"{margin:g}",
    }
    if one is not None:
        kind = value_kinds(one).get(one["score"] or "", "number")
        arms = [arm["arm"] for arm in one["arms"]]
        data |= {
            "tiles": [verdict_tile(found, kind) for found in one["differences"] if found["measure"] == "score"],
            "arms": arm_table(view, one, kind),
            "differences": difference_table(view, one, kind),
            "score_options": [score["name"] for score in one["scores"]],
            "arm_options": arms,
            "units": tuple(experiments.UNITS),
            "split_example": ",".join(f"{arm}:{1 / len(arms):.2g}" for arm in arms[:4]),
        }
    return Page("experiments.html", "Experiments", QUESTION, data)


def list_table(view: View, listed: Sequence[Row]) -> Table:
    """Every experiment of the window."""
    columns = [
        Column("Experiment", "name", "name"),
        Column("Arms", "text", "arms"),
        Column("Calls", "count", "calls"),
        Column("Cost", "usd", "cost_usd"),
        Column("First call", "time", "first_at", wide_only=True),
        Column("Last call", "time", "last_at"),
    ]
    lines = [
        [
            Cell(one["name"], view.here(name=one["name"], control=None, score=None, split=None)),
            Cell(", ".join(fmt.name_text(arm) for arm in one["arms"][:8])),
            Cell(one["calls"], view.narrowed("experiment", one["name"], "/calls")),
            Cell(one["cost_usd"], view.narrowed("experiment", one["name"], "/spend", group_by="arm")),
            Cell(one["first_at"]),
            Cell(one["last_at"]),
        ]
        for one in listed
    ]
    return Table("experiments", "Experiments", columns, lines, timezone=view.timezone)


def verdict_tile(found: Row, kind: str) -> Tile:
    """What can be said of an arm's score."""
    value, low, high = found["difference"], found["ci_low"], found["ci_high"]
    note = f"needs {found['more_units']:,} more units" if found["more_units"] else found["why"] or ""
    if low is not None:
        difference, *ends = (fmt.difference_text(one, kind) for one in (value, low, high))
        interval = f"{difference} ({' to '.join(ends)})"
        note = f"{interval}; {note}" if note else interval
    tone = "warn" if found["verdict"] == "worse" else ""
    return Tile(f"{fmt.name_text(found['arm'])} is", found["verdict"], None, note, tone=tone)


def arm_table(view: View, one: Row, kind: str) -> Table:
    columns = [
        Column("Arm", "name", "arm"),
        Column("Units", "count", "units", f"{one['unit']}s"),
        *quality_columns(kind),
    ]
    lines = [
        [
            Cell(arm["arm"]),
            Cell(arm["units"]),
            *quality_cells(arm, kind, view.to("/calls", experiment=one["name"], arm=arm["arm"])),
        ]
        for arm in one["arms"]
    ]
    return Table("arms", f"Arms of {one['name']}", columns, lines)


def difference_table(view: View, one: Row, kind: str) -> Table:
    """Each arm and measure against the control."""
    columns = [
        Column("Arm", "name", "arm"),
        Column("Measure", "text", "measure"),
        Column("Difference", "text", "difference"),
        Column("Interval", "interval", "interval", one["method"]),
        Column("Verdict", "text", "verdict"),
        Column("Why", "words", "why"),
        Column("More units", "count", "more_units", "Until it could be told, if the difference stays"),
    ]
    lines = []
    for found in one["differences"]:
        shown = {"score": kind, "error_rate": "ratio"}.get(found["measure"], "usd")
        values = [fmt.difference_text(found[name], shown) for name in ("difference", "ci_low", "ci_high")]
        lines.append(
            [
                Cell(found["arm"], _decide(view, one, found["arm"])),
                Cell(MEASURES[found["measure"]]),
                Cell(values[0]),
                Cell(f"{values[1]} to {values[2]}" if found["ci_low"] is not None else ""),
                Cell(found["verdict"]),
                Cell(found["why"]),
                Cell(found["more_units"]),
            ]
        )
    return Table("differences", f"Differences to {one['control']}", columns, lines)


def _decide(view: View, one: Row, arm: str) -> str:
    return view.to("/decide", experiment=one["name"], by="arm", first=one["control"], second=arm)
