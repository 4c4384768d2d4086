"""Charts: what is drawn adds up, is escaped, has a table twin, and needs neither script nor style attribute."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from outlay_web.charts import (
    Band,
    Cell,
    Column,
    Figure,
    Limit,
    Line,
    Marker,
    Point,
    Series,
    Step,
    Stretch,
    Table,
    buckets,
    driver_waterfall,
    hour_heatmap,
    line_chart,
    paired_bars,
    scatter,
    sparkline,
    stacked_bars,
)
from outlay_web.charts.scale import axis, labeled, log_axis
from outlay_web.pages.forecast import month_band

START = datetime(2026, 10, 1, tzinfo=UTC)
DAYS = buckets(START, START + timedelta(days=10), "day")
HOSTILE = '"><img src=x onerror=boom()>'


def values(*amounts: str | None) -> list[Decimal | None]:
    given = [None if amount is None else Decimal(amount) for amount in amounts]
    return given + [None] * (len(DAYS) - len(given))


def bars(name: str = "search") -> Figure:
    series = [
        Series(name, values("1", "2.5", None, "3"), 1, "/spend?feature=a"),
        Series("b", values("1", None, "4"), 2),
    ]
    return stacked_bars("s", "Spend", DAYS, series, markers=[Marker(1, name)], step_href=lambda step: "/spend?x=1")


def lines(name: str = "spent") -> Figure:
    band = Band("80%", values(None, "1", "2"), values(None, "3", "5"), 1)
    line = Line(name, values("1", "2", "3"), 1, area=True)
    return line_chart(
        "l", "Spend", DAYS, [line], bands=[band], limits=[Limit(name, Decimal(9))], markers=[Marker(0, name)]
    )


def drivers(name: str = "Requests") -> Figure:
    steps = [Step(name, Decimal("2.5")), Step("Cache", Decimal("-0.75"))]
    return driver_waterfall("d", "Drivers", ("Before", Decimal(10)), steps, ("Now", Decimal("11.75")))


def heat(name: str = "Spend") -> Figure:
    return hour_heatmap("h", name, [date(2026, 10, 1), date(2026, 10, 2)], {(date(2026, 10, 1), 9): Decimal("1.5")})


def dots(name: str = "a") -> Figure:
    points = [Point(name, 1200, 0.02, 5, 1, "x"), Point("b", 300, 0.4, 1, 2, "y")]
    table = Table("p", "Points", [Column("Name", "name")], [[Cell(name)], [Cell("b")]])
    return scatter("p", "Cost", points, table, x_title="p95", y_title="cost", x_unit=str, log=True)


CHARTS: list[Callable[[str], Figure]] = [bars, lines, drivers, heat, dots]


def parse(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(str(figure.svg))


@pytest.mark.parametrize("chart", CHARTS)
def test_every_chart_is_an_image_with_title_description_and_a_twin(chart: Callable[[str], Figure]) -> None:
    figure = chart("name")
    svg = parse(figure)
    ids = {element.get("id"): element.text for element in svg.iter() if element.get("id")}
    assert svg.get("role") == "img"
    assert ids[svg.get("aria-labelledby")]
    assert ids[svg.get("aria-describedby")]
    assert figure.table.rows


@pytest.mark.parametrize("chart", CHARTS)
def test_no_chart_carries_style_script_or_markup_from_a_name(chart: Callable[[str], Figure]) -> None:
    figure = chart(HOSTILE)
    text = str(figure.svg) + str(figure.table.html())
    assert "<img" not in text
    for element in parse(figure).iter():
        assert element.tag in (
            "svg",
            "title",
            "desc",
            "g",
            "rect",
            "line",
            "text",
            "circle",
            "polyline",
            "polygon",
            "path",
        )
        assert not [name for name in element.attrib if name == "style" or name.startswith("on")]


def test_stacked_bars_are_as_tall_as_the_axis_says() -> None:
    svg = parse(bars())
    heights: dict[str, float] = {}
    for rect in svg.iter("rect"):
        if rect.get("data-i") is not None:
            index = str(rect.get("data-i"))
            heights[index] = heights.get(index, 0.0) + float(rect.get("height", 0))
    assert heights["1"] / heights["0"] == pytest.approx(2.5 / 2, rel=0.01)
    assert heights["2"] / heights["0"] == pytest.approx(4 / 2, rel=0.01)
    assert "4" not in heights


def test_the_twin_holds_the_exact_amounts_and_their_total() -> None:
    rows = bars().table.rows
    assert [cell.value for cell in rows[0][1:]] == [Decimal(2), Decimal(1), Decimal(1)]
    assert [cell.value for cell in rows[2][1:]] == [Decimal(4), None, Decimal(4)]
    assert [cell.value for cell in rows[5][1:]] == [None, None, None]


def test_an_empty_chart_draws_an_axis_and_nothing_else() -> None:
    figure = stacked_bars("e", "Spend", DAYS, [])
    assert "NaN" not in figure.svg
    assert not [rect for rect in parse(figure).iter("rect") if rect.get("class") != "hit"]


def test_the_waterfall_ends_at_the_present_total() -> None:
    table = drivers().table
    assert table.rows[-2][2].value == table.rows[-1][2].value == Decimal("11.75")
    assert "does not begin at zero" in drivers().svg


def test_a_waterfall_of_no_change_still_draws() -> None:
    figure = driver_waterfall(
        "d", "Drivers", ("Before", Decimal(0)), [Step("Requests", Decimal(0))], ("Now", Decimal(0))
    )
    assert "NaN" not in figure.svg
    parse(figure)


@given(st.floats(0, 1e12), st.floats(1e-9, 1e12))
def test_ticks_are_round_and_cover_the_values(low: float, size: float) -> None:
    made = axis(low, low + size)
    assert made.low <= low * (1 + 1e-9)
    assert made.high >= (low + size) * (1 - 1e-9)
    assert 2 <= len(made.ticks) <= 8


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=20))
def test_a_logarithmic_axis_places_all_values_inside(numbers: list[float]) -> None:
    made = log_axis(numbers)
    assert all(0 <= made.share(number) <= 1 for number in numbers)
    assert len(made.ticks) <= 20


@pytest.mark.parametrize("interval", ["hour", "day", "week", "month"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_buckets_tile_the_window_through_changes_of_clocks(interval: str, zone: str) -> None:
    start, end = datetime(2026, 10, 3, 5, 30, tzinfo=UTC), datetime(2026, 11, 9, 17, 10, tzinfo=UTC)
    steps = buckets(start, end, interval, zone)
    assert steps[0].start <= start
    assert steps[-1].end >= end
    assert all(one.end == after.start for one, after in itertools.pairwise(steps))
    assert [step.part for step in steps[1:-1]] == [False] * (len(steps) - 2)
    assert labeled(steps)


def test_csv_tells_what_no_row_shows_from_the_group_without_a_name() -> None:
    columns = [Column("Feature", "name", "feature"), Column("Cost", "usd", "cost_usd")]
    others = [Cell(None, label="12 others"), Cell(Decimal("0.5"))]
    read = list(csv.reader(io.StringIO(Table("t", "T", columns, [[Cell(""), Cell(Decimal(1))]], others).csv())))
    assert read[1:] == [["", "1"], ["12 others", "0.5"]]


def test_csv_disarms_formulas_and_keeps_numbers_exact() -> None:
    columns = [Column("Name", "name", "name"), Column("Cost", "usd", "cost_usd"), Column("Note", "text", "note")]
    rows = [
        [Cell("=1+2|'cmd'!A1"), Cell(Decimal("-0.000000000001")), Cell("@SUM(1)")],
        [Cell("plain, with comma"), Cell(None), Cell("\t=1")],
        [Cell("-1+1"), Cell(Decimal("1E+3")), Cell(Markup("<b>bold</b>"))],
    ]
    read = list(csv.reader(io.StringIO(Table("t", "T", columns, rows).csv())))
    assert read[0] == ["name", "cost_usd", "note"]
    assert read[1] == ["'=1+2|'cmd'!A1", "-0.000000000001", "'@SUM(1)"]
    assert read[2] == ["plain, with comma", "", "'\t=1"]
    assert read[3] == ["'-1+1", "1000", "bold"]


def test_a_table_escapes_names_and_addresses() -> None:
    html = Table("t", HOSTILE, [Column(HOSTILE, "name")], [[Cell(HOSTILE, href='/x?a="b')]]).html()
    assert "<img" not in html
    assert 'href="/x?a=&#34;b"' in html


def test_a_sparkline_of_one_value_is_left_out() -> None:
    assert sparkline([Decimal(1), None]) == ""
    assert "polyline" in sparkline([Decimal(1), None, Decimal(2)])


def palette(mode: str) -> dict[str, str]:
    text = (files("outlay_web") / "static" / "outlay.css").read_text()
    blocks = {
        "light": text.split(":root {")[1],
        "dark": text.split('[data-theme="dark"] {')[1],
        "system": text.split(':root:not([data-theme="light"]) {')[1],
    }
    return dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6})", blocks[mode].split("}")[0]))


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_colors_of_series_stand_out_from_the_card(mode: str) -> None:
    colors = palette(mode)
    for i in range(1, 9):
        assert contrast(colors[f"c{i}"], colors["card"]) >= 3, f"--c{i} in {mode}"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_can_be_read_on_every_ground(mode: str) -> None:
    colors = palette(mode)
    for text in ("ink", "muted", "link", "good", "bad", "warn", "info"):
        for ground in ("bg", "card", "soft"):
            assert contrast(colors[text], colors[ground]) >= 4.5, f"--{text} on --{ground} in {mode}"
    for tone in ("good", "bad", "warn", "info"):
        assert contrast(colors[tone], colors[f"{tone}-bg"]) >= 4.5, f"--{tone} on its own ground in {mode}"


def test_the_systems_dark_mode_is_the_chosen_one() -> None:
    assert palette("system") == palette("dark")


def test_the_script_is_small_and_the_style_sheet_says_nothing_inline() -> None:
    import gzip

    folder = files("outlay_web") / "static"
    assert len(gzip.compress((folder / "outlay.js").read_bytes())) <= 5 * 1024
    for template in (files("outlay_web") / "templates").iterdir():
        text = template.read_text()
        assert " style=" not in text, template.name
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), template.name
        assert not re.search(r"\son[a-z]+=", text), template.name
        assert "| safe" not in text, template.name
        assert "|safe" not in text, template.name


def test_the_step_under_way_is_drawn_dashed() -> None:
    line = Line("hits", [Decimal(1)] * len(DAYS), 1)
    whole = line_chart("l", "Hits", DAYS, [line], now=DAYS[-1].end)
    open_ = line_chart("l", "Hits", DAYS, [line], now=DAYS[-1].start + timedelta(hours=3))
    drawn = [
        [element.get("class") for element in parse(figure).iter() if element.tag.endswith("polyline")]
        for figure in (whole, open_)
    ]
    assert drawn == [["line"], ["line", "line dash"]]


def test_points_too_close_for_a_decade_still_have_an_axis_to_read_them_by() -> None:
    points = [Point(str(n), 10_000 + n, 0.03 + n / 1000, 1, 1, "x") for n in range(3)]
    table = Table("p", "Points", [Column("Name", "name")], [[Cell(point.label)] for point in points])
    figure = scatter("p", "Cost", points, table, x_title="p95", y_title="cost", x_unit=str, log=True)
    assert len([element for element in parse(figure).iter() if "tick" in (element.get("class") or "")]) > 6


def test_what_was_changed_is_a_line_an_anomaly_a_ring_and_an_incident_a_band() -> None:
    steps = buckets(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC), "day")
    marks = [Marker(0, "deploy 42", changed=True), Marker(1, "spend rose"), Marker(1, "deploy 43", changed=True)]
    happened: Any = {"markers": marks, "stretches": [Stretch(1, 2, "$9 above", "/incidents/7")]}
    bars = stacked_bars("s", "Spend", steps, [Series("a", [1.0, 2.0, 3.0], 1)], **happened)
    lines = line_chart("l", "Spend", steps, [Line("a", [1.0, 2.0, 3.0], 1)], **happened)
    for figure in (bars, lines):
        assert (figure.svg.count('class="changed"'), figure.svg.count('class="mark"')) == (2, 1)
        assert [key.label for key in figure.legend][1:] == ["anomaly", "incident", "something changed"]
        assert figure.svg.count('<a href="/incidents/7"><title>Incident: $9 above</title>') == 1
        noted = "anomaly: spend rose; changed: deploy 43; incident: $9 above"
        assert [row[0].note for row in figure.table.rows] == ["changed: deploy 42", noted, ""]
    both = [Stretch(0, 1, "one", "/incidents/1"), Stretch(1, 2, "other", "/incidents/2")]
    apart = line_chart("l", "Spend", steps, [Line("a", [1.0, 2.0, 3.0], 1)], stretches=both).svg
    tops = re.findall(r'class="stretch-head" y="([^"]+)"', apart)
    assert len(set(tops)) == 2, "each of two that overlap can be clicked"
    pair = paired_bars("p", "Days", steps, [Series("a", [1.0, 2.0, 3.0], 1)], **happened)
    assert (pair.svg.count('class="changed"'), pair.svg.count('class="stretch"')) == (2, 1)


def test_the_interval_of_the_months_end_opens_around_what_is_expected_however_its_days_differ() -> None:
    expected = [None, *map(Decimal, (40, 60, 80, 84, 88, 90))]
    month = {"mean_usd": Decimal(90), "lo80_usd": Decimal(70), "hi80_usd": Decimal(105)}
    lows, highs = month_band(expected, 1, month)
    assert (lows[:2], highs[:2]) == ([None, 40], [None, 40])
    assert (lows[-1], highs[-1]) == (70, 105)
    for low, mean, high in list(zip(lows, expected, highs, strict=True))[2:]:
        assert 40 <= low < mean < high
