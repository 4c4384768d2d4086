"""/caching: what three kinds of cache saved, what they cost, and what was paid for twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.questions import caching
from outlay_analytics.questions.cache_thresholds import cache_thresholds
from outlay_web import format as fmt
from outlay_web.charts import Cell, Column, Figure, Line, Point, Series, Table, line_chart, scatter, stacked_bars
from outlay_web.pages import parts, spend_chart
from outlay_web.pages.cascades import guarantee_tile
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import GROUPS, INTERVALS, View

ALLOWED = ("group_by", "interval")
KINDS = ("exact", "semantic")


def page(view: View) -> Page:
    group = view.groups("feature")[0]
    store, scope = view.ctx.store, view.scope
    found = caching.caching(store, scope, group_by=(group,), limit=parts.table_groups(view))
    question = "What do caches save, and what is still paid for twice?"
    rows = found["rows"]
    if not rows:
        return Page("caching.html", "Caching", question, empty=True)
    timed = caching.caching(store, scope, group_by=(), interval=view.interval)["rows"]
    data = {
        "tiles": tiles(view, found["total"]),
        "ratios": ratio_figure(view, timed),
        "savings": saving_figure(view, timed),
        "table": caching_table(view, rows, group, [kind for kind in KINDS if found["total"][kind]["lookups"]]),
        **similarities(view, found["total"]["semantic"]["lookups"]),
        "opportunities": opportunity_table(view, found.get("opportunities") or []),
        "group": group,
        "group_options": GROUPS,
        "intervals": INTERVALS,
    }
    return Page("caching.html", "Caching", question, data)


def tiles(view: View, total: Row) -> list[Tile]:
    provider = total["provider"]
    net, saved, premium = (provider[name] for name in ("net_saving_usd", "saving_usd", "write_premium_usd"))
    out = [
        Tile(
            "Provider cache",
            fmt.ratio(provider["hit_ratio"]),
            view.to("/spend", measure="cache_read_tokens"),
            f"of {fmt.tokens_text(provider['input_tokens'])} input tokens read from it",
        ),
        Tile(
            "Net saving",
            fmt.usd(net),
            "#figure-savings",
            f"{fmt.usd_text(saved)} saved, {fmt.usd_text(premium)} paid for writing",
            tone="warn" if net is not None and net < 0 else "",
        ),
    ]
    for kind in KINDS:
        one = total[kind]
        if one["lookups"]:
            hits, lookups = fmt.count_text(one["hits"]), fmt.count_text(one["lookups"])
            note = f"{hits} of {lookups} lookups; avoided {fmt.usd_text(one['avoided_usd'])}"
            href = view.to("/calls", cost_state="cached")
            out.append(Tile(f"{kind.capitalize()} cache", fmt.ratio(one["hit_ratio"]), href, note))
    return out


def similarities(view: View, lookups: int | None) -> dict[str, Any]:
    """Thresholds of the semantic caches; nothing without lookups, or where these do not know a filter."""
    if not lookups:
        return {"threshold_tiles": [], "thresholds": None}
    swept = cache_thresholds(view.ctx.store, view.scope)
    columns = [
        Column("Threshold", "number", "threshold"),
        Column("Hits", "ratio", "hit_ratio", "Lookups with at least this similarity"),
        Column("Avoided", "usd", "avoided_usd", "At the mean of the hits"),
        Column("Scored", "count", "scored", "Scored answers from the cache with at least this similarity"),
        Column("Wrong", "ratio", "wrong_ratio", "Of these, with a score below 0.5"),
    ]
    lines = [[Cell(row[column.key]) for column in columns] for row in swept["rows"]]
    table = Table("thresholds", "Thresholds of the semantic caches", columns, lines)
    return {"threshold_tiles": [guarantee_tile(swept)], "thresholds": threshold_figure(swept, table)}


def threshold_figure(swept: Row, table: Table) -> Figure:
    """What a threshold would avoid, with the share of wrong answers where it is known."""
    points = []
    for row in swept["rows"]:
        if row["avoided_usd"] is None:
            continue
        text = f"{fmt.usd_text(row['avoided_usd'])} avoided, {fmt.ratio_text(row['hit_ratio'])} hits"
        known = row["wrong_ratio"] is not None
        text += f", {fmt.ratio_text(row['wrong_ratio'])} wrong" if known else ", how many wrong is unknown"
        used = row["threshold"] in swept["in_use"]
        label = "in use" if used else f"threshold {row['threshold']:.3g}"
        slot = 3 if used else 1 if known else 8
        points.append(Point(label, row["threshold"], float(row["avoided_usd"]), 0.0, slot, text))
    return scatter(
        "thresholds",
        "Avoided at other thresholds",
        points,
        table,
        x_title="similarity of an answer that is given again",
        y_title="avoided",
        x_unit=lambda v: f"{v:.2g}",
        height=230,
        named=False,
        highlight="in use",
    )


def _timed(view: View, rows: Sequence[Row], kind: str, measure: str) -> list[Any]:
    flat = [{"time": row.get("time"), "value": (row.get(kind) or {}).get(measure)} for row in rows]
    return spend_chart.series_of(view, flat, "value")


def ratio_figure(view: View, rows: Sequence[Row]) -> Figure:
    """Hit ratio of each kind over time."""
    lines = []
    read, given = _timed(view, rows, "provider", "cache_read_tokens"), _timed(view, rows, "provider", "input_tokens")
    lines.append(
        Line(
            "provider, of input tokens",
            [parts.quotient(a, b) if b else None for a, b in zip(read, given, strict=True)],
            1,
        )
    )
    for slot, kind in enumerate(KINDS, 2):
        hits, lookups = _timed(view, rows, kind, "hits"), _timed(view, rows, kind, "lookups")
        if any(lookups):
            lines.append(
                Line(
                    f"{kind}, of lookups",
                    [parts.quotient(a, b) if b else None for a, b in zip(hits, lookups, strict=True)],
                    slot,
                )
            )
    return line_chart(
        "ratios",
        f"Hit ratio per {view.interval}",
        view.steps,
        lines,
        kind="ratio",
        unit=lambda v: f"{v * 100:.0f}%",
        top=1.0,
        step_href=lambda step: view.at(step),
        now=view.now,
        timezone=view.timezone,
        **happened(view, view.steps).arguments(),
        height=220,
    )


def saving_figure(view: View, rows: Sequence[Row]) -> Figure:
    """What each kind saved over time; a loss of the provider's cache shows in the table and the tile."""
    series = [Series("provider, net", _timed(view, rows, "provider", "net_saving_usd"), 1)]
    for slot, kind in enumerate(KINDS, 2):
        values = _timed(view, rows, kind, "avoided_usd")
        if any(values):
            series.append(Series(f"{kind}, avoided", values, slot))
    return stacked_bars(
        "savings",
        f"Saved per {view.interval}",
        view.steps,
        series,
        step_href=lambda step: view.at(step),
        timezone=view.timezone,
        **happened(view, view.steps).arguments(),
        height=220,
    )


def caching_table(view: View, rows: Sequence[Row], group: str, kinds: Sequence[str]) -> Table:
    """Who uses which cache; `kinds` are the application's own that were looked up at all."""
    columns = [
        Column(parts.dimension_title(group).capitalize(), "name", group),
        Column("Input", "tokens", "input_tokens"),
        Column("Provider hits", "ratio", "provider_hit_ratio", "Cache-read tokens of input tokens"),
        Column("Saved", "usd", "saving_usd", "Against the same tokens without a cache", wide_only=True),
        Column("Write premium", "usd", "write_premium_usd", "What writing to the cache cost on top", csv_only=True),
        Column("Net", "usd", "net_saving_usd"),
    ]
    for kind in kinds:
        columns.append(Column(f"{kind.capitalize()} lookups", "count", f"{kind}_lookups", csv_only=True))
        columns.append(Column(f"{kind.capitalize()} hits", "ratio", f"{kind}_hit_ratio"))
        columns.append(Column("Avoided", "usd", f"{kind}_avoided_usd"))
    lines = []
    others = None
    for row in sorted(rows, key=lambda r: -int(r["provider"]["input_tokens"] or 0)):
        key = parts.key_of({**row, group: caching.group_value(row, group)}, group)
        provider = row["provider"]
        cells = [
            Cell(key, view.narrowed(group, key)),
            Cell(provider["input_tokens"], view.narrowed(group, key, "/spend", measure="input_tokens")),
            Cell(provider["hit_ratio"]),
            Cell(provider["saving_usd"]),
            Cell(provider["write_premium_usd"]),
            Cell(provider["net_saving_usd"], view.narrowed(group, key, "/spend")),
        ]
        for kind in kinds:
            cells += [Cell(row[kind]["lookups"]), Cell(row[kind]["hit_ratio"]), Cell(row[kind]["avoided_usd"])]
        if row.get("remainder"):
            others = [Cell(None, label="all others"), *(Cell(cell.value) for cell in cells[1:])]
        else:
            lines.append(cells)
    return Table("caching", f"Caching by {parts.dimension_title(group)}", columns, lines, others)


def opportunity_table(view: View, found: Sequence[Row]) -> Table | None:
    """Repeated prompts and prefixes that were paid for again, the largest saving first."""
    if not found:
        return None
    columns = [
        Column("What repeats", "text", "kind"),
        Column("Feature", "name", "feature"),
        Column("Model", "name", "model"),
        Column("Prompt", "name", "prompt", wide_only=True),
        Column("Paid again", "count", "repeats", "Calls that repeat an earlier prompt or prefix"),
        Column("Of calls", "count", "calls", wide_only=True),
        Column("Saving", "usd", "saving_usd", "What a cache would have saved"),
        Column("Example", "text", "trace_id"),
    ]
    lines = []
    for one in found:
        trace = str(one.get("trace_id") or "")
        lines.append(
            [
                Cell("whole prompt" if one["kind"] == "prompt" else "beginning of a prompt"),
                Cell(one.get("feature"), view.narrowed("feature", one["feature"]) if one.get("feature") else None),
                Cell(one.get("model")),
                Cell(one.get("prompt")),
                Cell(one["repeats"]),
                Cell(one["calls"]),
                Cell(one["saving_usd"]),
                Cell(trace, parts.trace_href(view, trace) if trace else None, label=f"{trace[:8]}…"),
            ]
        )
    return Table("opportunities", "Paid for again", columns, lines)
