"""Lines over time: a solid past, a dashed future with bands of uncertainty, a horizontal limit, markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from markupsafe import Markup

from outlay_analytics.query.text import rfc3339
from outlay_web import format as fmt
from outlay_web.charts import happened
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.frame import BOTTOM, STRETCH, TOP, frame, stretched, time_labels
from outlay_web.charts.happened import Marker, Stretch
from outlay_web.charts.scale import Axis, Bucket, axis
from outlay_web.charts.svg import el, join, number, percent, points
from outlay_web.charts.table import Cell, Column, Table

Value = Decimal | float | None


@dataclass(frozen=True)
class Line:
    """A line with a value per step, None where there is none; dashed for what is expected rather than measured."""

    label: str
    values: Sequence[Value]
    slot: int
    dashed: bool = False
    area: bool = False


@dataclass(frozen=True)
class Band:
    """A range per step, drawn as an area; the wider one first."""

    label: str
    low: Sequence[Value]
    high: Sequence[Value]
    slot: int
    strong: bool = False


@dataclass(frozen=True)
class Limit:
    """A horizontal line with a label on it."""

    label: str
    value: Decimal | float


def line_chart(
    name: str,
    title: str,
    steps: Sequence[Bucket],
    lines: Sequence[Line],
    *,
    bands: Sequence[Band] = (),
    limits: Sequence[Limit] = (),
    markers: Sequence[Marker] = (),
    stretches: Sequence[Stretch] = (),
    kind: str = "usd",
    unit: Callable[[float], str] = fmt.usd_short,
    step_href: Callable[[Bucket], str] | None = None,
    height: int = 250,
    top: float | None = None,
    now: datetime | None = None,
    timezone: str = "UTC",
) -> Figure:
    """Lines and bands over the steps.

    Args:
        limits: Horizontal lines, for example a budget; the axis reaches up to them.
        markers: Steps to mark: anomalies on the first line.
        stretches: Incidents.
        kind: Kind of the table's columns.
        unit: Text of the axis labels.
        top: Least upper end of the axis.
        now: The step under way is drawn dashed: what is measured so far may say little.
    """
    tall = height - TOP - BOTTOM
    shown = [float(v) for one in lines for v in one.values if v is not None]
    shown += [float(v) for band in bands for v in (*band.low, *band.high) if v is not None]
    shown += [float(limit.value) for limit in limits]
    scale = axis(min([0.0, *shown]), max([*shown, top or 0.0], default=0.0))
    areas = [_band(band, scale, tall, len(steps)) for band in bands]
    areas += [_area(one, scale, tall, len(steps)) for one in lines if one.area]
    whole = sum(now is None or step.end <= now for step in steps)
    drawn = [_line(one, scale, tall, len(steps), whole) for one in lines]
    ruled = [_limit(limit, scale, tall) for limit in limits]
    hits = [
        el(
            "rect",
            el("title", f"{step.label}: " + ", ".join(_at(one, i, kind) for one in lines if one.values[i] is not None)),
            class_="hit",
            x=percent(i / len(steps)),
            width=percent(1 / len(steps)),
            y=0,
            height=tall,
        )
        for i, step in enumerate(steps)
    ]
    marks = _rings(markers, lines, scale, tall, len(steps))
    behind, heads = happened.bands(stretches, markers, len(steps), tall)
    rules = happened.changed_lines(markers, len(steps), tall)
    inside = join([*behind, stretched(tall, *areas, *drawn), *ruled, *rules, *marks, *hits, *heads])
    plot = frame(scale, tall, unit, inside, time_labels(steps, tall))
    desc = "; ".join(_describe(one, steps, kind) for one in lines) + "."
    legend = [Key(one.label, one.slot, mark="dash" if one.dashed else "line") for one in lines]
    legend += [Key(band.label, band.slot, mark="band-strong" if band.strong else "band") for band in bands]
    legend += happened.keys(markers, stretches)
    columns = [Column("Time", "text", "time")]
    columns += [Column(one.label, kind, one.label) for one in lines]
    for band in bands:
        columns += [Column(f"{band.label}, low", kind), Column(f"{band.label}, high", kind)]
    noted = happened.notes(markers, stretches)
    rows = []
    for i, step in enumerate(steps):
        label = Markup('<time datetime="{}">{}</time>').format(rfc3339(step.start), step.label)
        note = noted.get(i, "")
        cells = [Cell(step.start, step_href(step) if step_href else None, label=label, note=note)]
        cells += [Cell(one.values[i], slot=one.slot) for one in lines]
        cells += [Cell(side[i], slot=band.slot) for band in bands for side in (band.low, band.high)]
        rows.append(cells)
    table = Table(name, title, columns, rows, light=True, timezone=timezone)
    drawing = canvas(title, desc, height, plot, linked=bool(stretches), data_zoom=str(len(steps)) if step_href else "0")
    return Figure(name, title, drawing, table, legend)


def _x(i: int, steps: int) -> float:
    return (i + 0.5) / steps * STRETCH


def _y(value: Decimal | float, scale: Axis, tall: float) -> float:
    return tall * (1 - scale.share(value))


def _runs(values: Sequence[Value]) -> list[list[tuple[int, Decimal | float]]]:
    """Stretches without a gap."""
    runs: list[list[tuple[int, Decimal | float]]] = [[]]
    for i, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((i, value))
    return [run for run in runs if run]


def _line(one: Line, scale: Axis, tall: float, steps: int, whole: int) -> Markup:
    parts = []
    runs = [(run, one.dashed) for run in _runs([v if i < whole else None for i, v in enumerate(one.values)])]
    if whole < steps:
        first = max(whole - 1, 0)
        runs += [(run, True) for run in _runs([v if i >= first else None for i, v in enumerate(one.values)])]
    for run, dashed in runs:
        where = [(_x(i, steps), _y(value, scale, tall)) for i, value in run]
        if len(where) == 1:  # a lone point: a short dash, or nothing would show
            where = [(where[0][0] - 3, where[0][1]), (where[0][0] + 3, where[0][1])]
        parts.append(
            el(
                "polyline",
                points=points(where),
                class_="line dash" if dashed else "line",
                vector_effect="non-scaling-stroke",
            )
        )
    return el("g", join(parts), class_=f"k{one.slot}", data_s=one.label)


def _area(one: Line, scale: Axis, tall: float, steps: int) -> Markup:
    parts = []
    for run in _runs(one.values):
        where = [(_x(i, steps), _y(value, scale, tall)) for i, value in run]
        floor = _y(max(0.0, scale.low), scale, tall)
        parts.append(el("polygon", points=points([(where[0][0], floor), *where, (where[-1][0], floor)]), class_="area"))
    return el("g", join(parts), class_=f"s{one.slot}", data_s=one.label)


def _band(band: Band, scale: Axis, tall: float, steps: int) -> Markup:
    pairs = [
        (i, low, high)
        for i, (low, high) in enumerate(zip(band.low, band.high, strict=True))
        if low is not None and high is not None
    ]
    upper = [(_x(i, steps), _y(high, scale, tall)) for i, _, high in pairs]
    lower = [(_x(i, steps), _y(low, scale, tall)) for i, low, _ in reversed(pairs)]
    shape = el("polygon", points=points([*upper, *lower]), class_="band strong" if band.strong else "band")
    return el("g", shape, class_=f"s{band.slot}", data_s=band.label)


def _limit(limit: Limit, scale: Axis, tall: float) -> Markup:
    y = _y(limit.value, scale, tall)
    rule = el("line", x1=0, x2="100%", y1=y, y2=y, class_="limit")
    above = y - 6 if y > 18 else y + 15
    return join([rule, el("text", limit.label, x="100%", y=above, text_anchor="end", class_="limit-label")])


def _rings(markers: Sequence[Marker], lines: Sequence[Line], scale: Axis, tall: float, steps: int) -> list[Markup]:
    marks = []
    for marker in markers:
        if not marker.is_anomaly:
            continue
        value = next((one.values[marker.index] for one in lines if one.values[marker.index] is not None), None)
        if value is not None:
            dot = el("circle", cx=percent((marker.index + 0.5) / steps), cy=_y(value, scale, tall), r=5)
            marks.append(el("g", el("title", marker.label), dot, class_="mark"))
    return marks


def _at(one: Line, i: int, kind: str) -> str:
    return f"{one.label} {text(kind, one.values[i])}"


def text(kind: str, value: Value) -> str:
    """A value as a chart's description says it."""
    if value is None:
        return fmt.UNKNOWN
    if kind == "usd":
        return fmt.usd_text(value if isinstance(value, Decimal) else Decimal(number(value)))
    if kind == "ratio":
        return fmt.ratio_text(value)
    if kind == "duration":
        return fmt.duration_text(float(value))
    if kind == "each":
        return fmt.usd_text(value if isinstance(value, Decimal) else Decimal(number(value)))
    if kind == "number":
        return f"{float(value):.3g}"
    return fmt.count_text(float(value))


def _describe(one: Line, steps: Sequence[Bucket], kind: str) -> str:
    known = [(i, value) for i, value in enumerate(one.values) if value is not None]
    if not known:
        return f"{one.label}: no values"
    first, last = known[0], known[-1]
    begin, end = (f"{text(kind, value)} ({steps[i].label})" for i, value in (first, last))
    return f"{one.label}: from {begin} to {end}"
