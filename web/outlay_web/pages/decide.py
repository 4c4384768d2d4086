"""/decide: two choices side by side, what each costs a month, and which to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from outlay_analytics.questions import cascades, decide, experiments, spend
from outlay_analytics.questions.decide_thresholds import decide_thresholds
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Table
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.quality import bounds_text, p95_bounds, score_text, value_kinds
from outlay_web.pages.view import Link, View

ALLOWED = ("by", "first", "second", "score", "success", "margin")
QUESTION = "Which of two: which answers better, costs less, is faster?"
BY = (
    "model", "prompt_version", "arm", decide.THRESHOLD, "prompt", "model_tier", "route_tier", "feature", "customer",
    "service", "environment",
)  # fmt: skip
MEASURES = {"score": "Mean score", "cost_per_call_usd": "Cost per call", "error_rate": "Error rate", "p95_ms": "p95"}
OF = {"arm": "experiment", decide.THRESHOLD: "cascade"}  # what they are of, without which they say nothing
SHOWN = 50


def page(view: View) -> Page:
    by = view.choice("by", BY, "model")
    margin = view.query.number("margin", experiments.MARGIN)
    data: dict[str, Any] = {"by": by, "by_options": BY, "margin": f"{margin:g}", "first": "", "second": ""}
    data |= {"options": [], "owners": _owners(view, by), "of": OF.get(by, ""), "found": None}
    data |= {"first": view.get("first"), "second": view.get("second"), "score_options": [], "is_number": False}
    if data["owners"]:
        return Page("decide.html", "Decide", QUESTION, data)
    options = _options(view, by)
    if not options:
        return Page("decide.html", "Decide", QUESTION, empty=True)
    first, second = _chosen(view, options, [] if view.get("first") or view.get("second") else _rivals(view, by))
    data |= {"options": options[:SHOWN], "first": first, "second": second, "is_number": by == decide.THRESHOLD}
    if not first or not second:
        return Page("decide.html", "Decide", QUESTION, data)
    found = _decided(view, by, first, second, margin)
    kind = value_kinds(found).get(found["score"] or "", "number" if by != decide.THRESHOLD else "ratio")
    data |= {
        "found": found,
        "score_options": [one["name"] for one in found["scores"]],
        "tiles": tiles(found, kind),
        "table": side_table(view, found, kind),
    }
    return Page("decide.html", "Decide", QUESTION, data)


def _owners(view: View, by: str) -> list[Link]:
    """Which experiments, or cascades, could be meant, where none is named."""
    of = OF.get(by, "")
    if not of or len(view.scope.filters.get(of, ())) == 1:
        return []
    whole = replace(view.scope, filters={name: v for name, v in view.scope.filters.items() if name != of})
    if by == "arm":
        found = experiments.list_experiments(view.ctx.store, whole)["experiments"]
    else:
        found = cascades.cascades(view.ctx.store, whole)["cascades"]
    return [
        Link(str(one["name"]), view.here(**{of: str(one["name"])}, by=by, first=None, second=None))
        for one in found[:SHOWN]
    ] or [Link("", view.to("/experiments" if by == "arm" else "/cascades"))]


def _options(view: View, by: str) -> list[str]:
    """Values that can be chosen, the dearest first; of thresholds the one in use, then the recommended one."""
    if by == decide.THRESHOLD:
        name = view.scope.filters["cascade"][0]
        rest = replace(view.scope, filters={k: v for k, v in view.scope.filters.items() if k != "cascade"})
        swept = cascades.thresholds(view.ctx.store, rest, name) or {"in_use": [], "rows": [], "guaranteed": None}
        sure = (swept["guaranteed"] or {}).get("threshold")
        rest_of = [row["threshold"] for row in swept["rows"]]
        known = [*swept["in_use"][:1], sure, swept.get("recommended"), *rest_of]
        return list(dict.fromkeys(f"{at:g}" for at in known if at is not None))
    scope = replace(view.scope, filters={name: v for name, v in view.scope.filters.items() if name != by})
    rows = spend.spend(view.ctx.store, scope, (by,), limit=SHOWN, percentiles=False)["rows"]
    return [str(row[by]) for row in rows if row[by] is not None]


def _rivals(view: View, by: str) -> list[str]:
    """The two values that most was spent on within one feature, or one prompt: only these compare."""
    within = "prompt" if by == "prompt_version" else "feature"
    if by in (within, decide.THRESHOLD):
        return []
    rows = spend.spend(view.ctx.store, view.scope, (within, by), limit=SHOWN, percentiles=False)["rows"]
    found: dict[Any, list[Row]] = {}
    for row in rows:
        if row[within] is not None and row[by] is not None and row["cost_usd"] is not None:
            found.setdefault(row[within], []).append(row)
    pairs = [sorted(own, key=lambda row: -row["cost_usd"])[:2] for own in found.values() if len(own) > 1]
    return [str(row[by]) for row in max(pairs, key=lambda pair: pair[1]["cost_usd"], default=[])]


def _chosen(view: View, options: Sequence[str], rivals: Sequence[str]) -> tuple[str, str]:
    """The two that are asked for, or these rivals; what is not said is the first of the others."""
    first, second = view.get("first"), view.get("second")
    if rivals:
        first, second = rivals
    first = first or next((one for one in options if one != second), "")
    return first, second or next((one for one in options if one != first), "")


def _decided(view: View, by: str, first: str, second: str, margin: float) -> dict[str, Any]:
    if by == decide.THRESHOLD:
        return decide_thresholds(view.ctx.store, view.scope, first, second, margin)
    asked: dict[str, Any] = {"score": view.get("score"), "success": view.get("success"), "margin": margin}
    return decide.decide(view.ctx.store, view.scope, by, first, second, **asked)


def tiles(found: Row, kind: str) -> list[Tile]:
    first, second = found["sides"]
    taken = {"first": first["value"], "second": second["value"]}.get(found["verdict"], found["verdict"])
    monthly = found["monthly"]
    change, low, high = (monthly[name] for name in ("change_usd", "change_lo_usd", "change_hi_usd"))
    note = f"{fmt.count_text(monthly['calls'])} calls of both"
    if low is not None:
        note = f"{fmt.difference_text(low, 'usd')} to {fmt.difference_text(high, 'usd')}; {note}"
    own = {one["measure"]: one for one in found["differences"]}
    shown = [
        Tile(
            "Take" if found["verdict"] in ("first", "second") else "Verdict",
            fmt.name_text(taken),
            None,
            found["reason"],
        ),
        Tile(f"A month with {fmt.name_text(second['value'])}", fmt.difference_text(change, "usd"), "/simulate", note),
    ]
    for measure, of in (("score", kind), ("p95_ms", "duration")):
        if measure in own:
            one = own[measure]
            bounds = (
                ""
                if one["ci_low"] is None
                else " to ".join(fmt.difference_text(one[name], of) for name in ("ci_low", "ci_high"))
            )
            label = f"{MEASURES[measure]}, difference"
            shown.append(Tile(label, fmt.difference_text(one["difference"], of), None, bounds or str(one["why"] or "")))
    return shown


def side_table(view: View, found: Row, kind: str) -> Table:
    """A row for each measure, both sides with their intervals, the difference and its verdict."""
    first, second = found["sides"]
    columns = [
        Column("Measure", "text", "measure"),
        Column(fmt.name_text(first["value"]), "text", "first"),
        Column(fmt.name_text(second["value"]), "text", "second"),
        Column("Difference", "text", "difference"),
        Column("Interval", "interval", "interval", found["method"]),
        Column("The second is", "text", "verdict"),
        Column("Why", "words", "why"),
    ]
    lines = [_line(view, found, one, kind) for one in found["differences"]]
    monthly = fmt.difference_text(found["monthly"]["change_usd"], "usd")
    counted = "Runs" if found["unit"] == "run" else "Calls"
    for title, name, change in (("A month", "monthly_usd", monthly), (counted, "calls", ""), ("Scores", "n", "")):
        text = fmt.usd_text if name == "monthly_usd" else fmt.count_text
        lines.append([Cell(title), *(Cell(text(side[name])) for side in found["sides"]), Cell(change), *[Cell("")] * 3])
    return Table("sides", "Side by side", columns, lines)


def _line(view: View, found: Row, one: Row, kind: str) -> list[Cell]:
    """One measure of both sides."""
    measure, verdict = one["measure"], one["verdict"]
    of = {"score": kind, "cost_per_call_usd": "usd", "error_rate": "ratio", "p95_ms": "duration"}[measure]
    title = MEASURES[measure]
    if measure == "cost_per_call_usd":
        title = "Cost per run" if found["unit"] == "run" else title
        verdict = {"better": "cheaper", "worse": "dearer"}.get(verdict, verdict)
    bounds = [fmt.difference_text(one[name], of) for name in ("ci_low", "ci_high") if one[name] is not None]
    return [
        Cell(title),
        *(Cell(_shown(side, measure, kind), _leads(view, found, side)) for side in found["sides"]),
        _signed(fmt.difference_text(one["difference"], of)),
        _signed(" to ".join(bounds)),
        Cell(verdict),
        Cell(one["why"] or ""),
    ]


def _signed(text: str) -> Cell:
    """A sign stays with its amount."""
    return Cell(text, label=text.replace("\u2212", "\u2212\u2060"))


def _leads(view: View, found: Row, side: Row) -> str:
    """The calls of a side."""
    if found["by"] == decide.THRESHOLD:
        return view.to("/cascades")
    return view.narrowed(found["by"], side["value"], "/calls")


def _shown(side: Row, measure: str, kind: str) -> str:
    if measure == "score":
        text, bounds = score_text(side["mean"], kind), bounds_text(side, kind)
    elif measure == "cost_per_call_usd":
        low, high = side["cost_ci_low_usd"], side["cost_ci_high_usd"]
        text = fmt.usd_text(side["cost_per_call_usd"])
        bounds = "" if low is None else f"{fmt.usd_text(low)} – {fmt.usd_text(high)}"
    elif measure == "error_rate":
        text, bounds = fmt.ratio_text(side["error_rate"]), ""
    else:
        text, bounds = fmt.duration_text(side["p95_ms"]), p95_bounds(side)
    return f"{text} ({bounds})" if bounds else text
