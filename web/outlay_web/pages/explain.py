"""/explain: why spend changed, in drivers that add up to the change exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics.explain import bases, change, drivers
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import Window, parse_window
from outlay_analytics.questions import spend
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Step, Table, delta, driver_waterfall
from outlay_web.pages import parts, slices
from outlay_web.pages.address import BASE
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import Link, View
from outlay_web.services import explained

QUESTION = "Why did spend change?"
ALLOWED = ("base_start", "base_end", "by", "base")
BY = (
    "feature",
    "model",
    "team",
    "customer",
    "user",
    "service",
    "environment",
    "provider",
    "operation",
    "task",
    "prompt",
    "prompt_version",
    "cascade",
    "experiment",
    "arm",
)
BASES = ("", "expected", "previous", "week_earlier")


def page(view: View) -> Page:
    by = read_by(view)
    expected = view.choice("base", BASES, "") == "expected" and not given(view)
    looked = explained.expected(view.ctx, view.scope) if expected else None
    usual = bases.usual_window(view.window)
    base, caution = (usual, looked.reason) if looked is not None else base_window(view)
    data: dict[str, Any] = {
        "by": by,
        "by_options": BY,
        "bases": bases_to_choose(view, None if expected else base),
        "base_text": "the same hours of the last weeks together"
        if expected
        else f"{fmt.instant_text(base.start, view.timezone)} – {fmt.instant_text(base.end, view.timezone)}",
        "caution": caution,
        "refused": False,
    }
    if caution and not given(view) and view.get("base") in ("", "expected"):
        return refused(view, data)
    against = looked.expected if looked is not None and looked.expected is not None else base
    found = change.explain(view.ctx.store, view.scope, base=against, by=by)
    if not found["base"].get("calls") and not found["current"].get("calls"):
        return Page("explain.html", "Explain", QUESTION, empty=True)
    known = not unknown(found)
    ends = ("Expected" if expected else "Before", "Now")
    data |= {
        "tiles": tiles(view, found, base, sure=not caution, before=ends[0]),
        "figure": figure(found, ends=ends) if known else None,
        "apart": slices.with_and_without(view, found["slices"]) if known else None,
        "sentences": found["sentences"],
        "cells": cells_table(view, found["cells"], by) if known else None,
        "slices": slices.slices_table(view, found["slices"]) if known else None,
        "examples": [(trace, parts.trace_href(view, trace)) for trace in found["examples"]],
    }
    return Page("explain.html", "Explain", QUESTION, data)


def refused(view: View, data: dict[str, Any]) -> Page:
    """The page where nothing comparable was recorded: what was spent, and why no change is shown."""
    total = spend.spend(view.ctx.store, view.scope)["total"]
    if not total["calls"]:
        return Page("explain.html", "Explain", QUESTION, empty=True)
    tile = Tile("Now", fmt.usd(total.get("cost_usd")), view.to("/spend"), fmt.plural(total["calls"], "call"))
    return Page("explain.html", "Explain", QUESTION, {**data, "tiles": [tile], "refused": True})


def unknown(found: Row) -> str:
    """Why a change is not known although there were calls, in words; empty where it is."""
    for side, which in (("base", "earlier "), ("current", "")):
        if found[side].get("cost_usd") is None:
            return f"none of the {which}calls has a known cost"
    return ""


def given(view: View) -> bool:
    """Whether the address names the base.

    Raises:
        BadRequest: If it names only one end.
    """
    start, end = view.get("base_start"), view.get("base_end")
    if bool(start) != bool(end):
        raise BadRequest("base_start and base_end belong together: give both or none")
    return bool(start)


def base_window(view: View) -> tuple[Window, str]:
    """The window to compare with, and why it says little: as given or named, else what alerts and incidents take."""
    if given(view):
        base = parse_window(view.get("base_start"), view.get("base_end"), view.now, zone=view.timezone)
        return base, bases.too_little(view.ctx.store, view.scope, base)
    named = {"previous": view.window.previous(), "week_earlier": bases.usual_window(view.window)}
    if (name := view.get("base")) in named:
        return named[name], bases.too_little(view.ctx.store, view.scope, named[name])
    found = bases.comparable(view.ctx.store, view.scope)
    return found.window or bases.usual_window(view.window), found.reason


def read_by(view: View) -> str:
    """The dimension to break down by: one of those offered, or a tag.

    Raises:
        BadRequest: If it is none.
    """
    by = view.get("by") or "feature"
    if by not in BY and not by.startswith("tag."):
        raise BadRequest(f"by must be one of {', '.join(BY)} or tag.<key>, not {by[:80]!r}")
    return by


def bases_to_choose(view: View, base: Window | None) -> list[Link]:
    """What to compare with, one click away; `base` is the window chosen, None for what was expected."""
    window = view.window
    weeks = -((bases.usual_window(window).start - window.start) // timedelta(weeks=1))
    usual = "a week" if weeks == 1 else f"{weeks} weeks"
    choices = {f"the same hours {usual} earlier": bases.usual_window(window), "the time just before": window.previous()}
    if window.length < timedelta(days=1):
        day = timedelta(days=1)
        choices["a day earlier"] = Window(window.start - day, window.end - day)
    links: dict[Window, Link] = {}
    for label, choice in choices.items():
        if choice.length == window.length:
            links.setdefault(choice, Link(label, view.here(**view.against(choice)), choice == base))
    against = dict.fromkeys(BASE)
    return [Link("what was expected", view.here(base="expected", **against), base is None), *links.values()]


def tiles(view: View, found: Row, base: Window, sure: bool, before: str) -> list[Tile]:
    """The figures of both sides and what moved most; `before` is what the first side is called."""
    then, now = found["base"], found["current"]
    moved = None if unknown(found) else found["change_usd"]
    biggest = None if moved is None else max(found["drivers"], key=lambda d: abs(d["usd"]), default=None)
    out = [
        Tile(
            before,
            fmt.usd(then.get("cost_usd")),
            view.between(base.start, base.end, "/spend"),
            fmt.plural(then.get("calls"), "call"),
        ),
        Tile("Now", fmt.usd(now.get("cost_usd")), view.to("/spend"), fmt.plural(now.get("calls"), "call")),
        Tile(
            "Change",
            fmt.usd(moved, signed=True),
            None,
            "",
            delta(parts.change(now.get("cost_usd"), then.get("cost_usd"))) if sure else "",
        ),
    ]
    if biggest is not None and biggest["usd"]:
        hint = f"{drivers.title(biggest['driver'])}: {drivers.hint(biggest['driver'])}"
        share = parts.quotient(biggest["usd"], moved)
        note = f"{hint}; {fmt.ratio_text(share)} of the change" if share is not None and 0 < share <= 1 else hint
        out.append(
            Tile(
                "Largest driver",
                fmt.usd(biggest["usd"], signed=True),
                "#figure-drivers",
                note,
            )
        )
    return out


def driver_title(name: str) -> str:
    """A driver's name at the start of a label."""
    found = drivers.title(name)
    return found[0].upper() + found[1:]


def figure(found: Row, href: str | None = None, ends: tuple[str, str] = ("Before", "Now")) -> Figure:
    """The waterfall from the base's cost to the present one; drivers that did nothing are left to the table."""
    steps = [Step(driver_title(d["driver"]), d["usd"], href, drivers.hint(d["driver"])) for d in found["drivers"]]
    before = parts.money(found["base"].get("cost_usd"))
    return driver_waterfall(
        "drivers", "What moved it", (ends[0], before), steps, (ends[1], before + found["change_usd"])
    )


def cells_table(view: View, cells: Sequence[Row], by: str) -> Table:
    """Which driver moved which feature: rows by size of their change."""
    rows: dict[str, dict[str, Decimal]] = {}
    rest: dict[str, Decimal] = {}
    for cell in cells:
        row = rest if cell.get("remainder") else rows.setdefault(parts.key_of(cell, by), {})
        row[cell["driver"]] = row.get(cell["driver"], Decimal(0)) + cell["usd"]
    every = [*rows.values(), rest]
    names = [name for name in drivers.DRIVER_WORDS if any(row.get(name) for row in every)]
    order = sorted(rows, key=lambda key: -abs(sum(rows[key].values(), Decimal(0))))
    columns = [Column(parts.dimension_title(by).capitalize(), "name", by), Column("Change", "delta_usd", "change_usd")]
    columns += [Column(driver_title(name), "delta_usd", name, drivers.hint(name)) for name in names]
    lines = [
        [
            Cell(key, view.narrowed(by, key)),
            Cell(sum(rows[key].values(), Decimal(0)), view.narrowed(by, key)),
            *(Cell(rows[key].get(name, Decimal(0))) for name in names),
        ]
        for key in order
    ]

    def sums(label: str, held: Sequence[Mapping[str, Decimal]]) -> list[Cell]:
        amounts = [sum((row.get(name, Decimal(0)) for row in held), Decimal(0)) for name in names]
        return [Cell(None, label=label), Cell(sum(amounts, Decimal(0))), *map(Cell, amounts)]

    others = sums("all others", [rest]) if rest else None
    return Table("cells", f"Drivers by {by}", columns, lines, others, sums("Total", every), timezone=view.timezone)
