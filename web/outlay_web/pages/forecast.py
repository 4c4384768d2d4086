"""/forecast: what the month will cost, how sure that is, and what was out of the ordinary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.alerting import budgets
from outlay_analytics.forecast import spend
from outlay_analytics.forecast.projection import look_ahead
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.window import EVERYTHING
from outlay_web import format as fmt
from outlay_web.charts import Band, Bucket, Figure, Limit, Line, Marker, buckets, line_chart
from outlay_web.charts.scale import floor, following
from outlay_web.pages import parts, unusual
from outlay_web.pages.happened import happened
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import View

ALLOWED = ("horizon", "budget_usd", "overlay")
HORIZONS = (("7d", "7 days"), ("14d", "14 days"), ("30d", "30 days"), ("60d", "60 days"))


def page(view: View) -> Page:
    horizon = view.choice("horizon", [value for value, _ in HORIZONS], "30d")
    given = amount(view.get("budget_usd"))
    found = spend.spend_forecast(
        view.ctx.store,
        view.scope,
        horizon_days=int(horizon[:-1]),
        interval="day",
        budget_usd=given if given is not None else budgeted(view),
        now=view.now,
        overlays=[one.strip() for one in view.get("overlay").split(",") if one.strip()],
    )
    question = "What will the month cost?"
    if not any(row["cost_usd"] for row in found["history"]) and not found["month_end"]["spent_usd"]:
        return Page("forecast.html", "Forecast", question, empty=True)
    odd = unusual.look_for_anomalies(view)
    data = {
        "tiles": tiles(view, found),
        "figure": daily_figure(view, found, odd.anomalies),
        "month": month_figure(view, found),
        "anomalies": unusual.anomaly_table(view, odd.anomalies),
        "odd": odd,
        "backtest": found["backtest"],
        "notes": [str(note) for note in found["notes"]],
        "horizon": horizon,
        "horizons": HORIZONS,
        "budget": view.get("budget_usd"),
        "overlay": view.get("overlay"),
    }
    return Page("forecast.html", "Forecast", question, data)


def budgeted(view: View) -> Decimal | None:
    """The amount of the monthly budget that is about just what the page is about, None if there is none."""
    wanted = {name: sorted(values) for name, values in view.scope.filters.items()}
    for one in budgets.all_budgets(view.ctx.store, view.ctx.config.get("budgets", ()), view.scope.project):
        if one.period == "month" and {name: sorted(values) for name, values in one.scope.items()} == wanted:
            return one.amount_usd
    return None


def amount(text: str) -> Decimal | None:
    """A sum of money from a form.

    Raises:
        BadRequest: If it is none.
    """
    if not text:
        return None
    try:
        value = Decimal(text.strip().removeprefix("$").replace(",", ""))
    except ArithmeticError as exc:
        raise BadRequest(f"budget_usd must be an amount such as 1200.50, not {text[:80]!r}") from exc
    if not value.is_finite() or not 0 <= value <= Decimal(10) ** 15:
        raise BadRequest(f"budget_usd must be an amount from 0 up, not {text[:80]!r}")
    return value


def tiles(view: View, found: Row) -> list[Tile]:
    month, test = found["month_end"], found["backtest"]
    out = [month_tile({**month, "probability_over": None}, "#figure-month")]
    if month["budget_usd"] is not None:
        odds = month["probability_over"]
        note = f"{fmt.ratio_text(odds)} odds of passing it" if odds is not None else ""
        tone = "warn" if (odds or 0) >= 0.5 else ""
        out.append(Tile("Budget", fmt.usd(month["budget_usd"]), view.to("/budgets"), note, tone=tone))
    ahead = [row["mean_usd"] for row in found["forecast"] if row["mean_usd"] is not None]
    if ahead:
        total = sum(ahead, Decimal(0))
        each = f"{fmt.usd_text(total / len(ahead))} a day"
        out.append(Tile(f"Next {len(ahead)} days", fmt.usd(total), "#figure-forecast", each))
    if test["error_ratio"] is not None:
        better = test["beats_seasonal_naive"]
        share = fmt.ratio_text(test["error_ratio"])
        note = f"tried {fmt.plural(test['cases'], 'time')} on the past; off by {share} of what last week again was"
        tone = "" if better else "warn"
        said = "better" if better else "no better"
        out.append(Tile("Than repeating last week", said, "#backtest", note, tone=tone))
    return out


def month_tile(month: Row, href: str) -> Tile:
    """The month's end as expected, with its range."""
    if month["mean_usd"] is None:
        spent = fmt.usd_text(month["spent_usd"])
        return Tile("Month end", fmt.UNKNOWN, href, f"{spent} so far; too little history to tell")
    note = f"80%: {fmt.usd_short(month['lo80_usd'])} – {fmt.usd_short(month['hi80_usd'])}"
    odds = month["probability_over"]
    if odds is not None:
        note = f"{fmt.ratio_text(odds)} odds of passing {fmt.usd_short(month['budget_usd'])}"
    return Tile(
        "Month end, expected", fmt.usd(month["mean_usd"]), href, note, tone="warn" if (odds or 0) >= 0.5 else ""
    )


def month_end(view: View) -> Row:
    """The month's end without days and backtest, for the overview."""
    found = look_ahead(view.ctx.store, replace(view.scope, window=EVERYTHING), "month", view.now)
    whole = budgeted(view)
    means: dict[str, Any] = {
        f"{name}_usd": Decimal(f"{found.total[name]:.6f}") if found.total else None for name in ("mean", "lo80", "hi80")
    }
    odds = None if whole is None else found.probability_over(whole)
    return {**means, "spent_usd": found.spent_usd, "budget_usd": whole, "probability_over": odds}


def since_first(rows: Sequence[Row]) -> Sequence[Row]:
    """History from the first day that cost anything."""
    first = next((i for i, row in enumerate(rows) if row["cost_usd"]), 0)
    return rows[first:]


def _at(row: Row) -> datetime:
    at: datetime = row["time"]
    return at


def daily_figure(view: View, found: Row, odd: Sequence[Row]) -> Figure:
    """Days past and to come with the bands of the forecast; anomalies marked on the days they began."""
    past, ahead = since_first(found["history"]), found["forecast"]
    first = _at(past[0]) if past else _at(ahead[0])
    last = _at(ahead[-1]) if ahead else _at(past[-1])
    steps = buckets(first, following(last, "day", view.timezone), "day", view.timezone)
    index = {step.start: i for i, step in enumerate(steps)}
    spent = _spread(steps, index, past, "cost_usd")
    mean, bands = _spread(steps, index, ahead, "mean_usd"), []
    for label, low, high, strong in (
        ("95% interval", "lo95_usd", "hi95_usd", False),
        ("80% interval", "lo80_usd", "hi80_usd", True),
    ):
        bands.append(Band(label, _spread(steps, index, ahead, low), _spread(steps, index, ahead, high), 1, strong))
    joint = max((i for i, value in enumerate(spent) if value is not None), default=None)
    if joint is not None and mean[joint] is None:
        mean[joint] = spent[joint]  # the future begins where the past ends
    planned = []
    if found["scenario"]:
        planned.append(Line("as planned", _spread(steps, index, found["scenario"], "mean_usd"), 2, dashed=True))
    marks: dict[int, Marker] = {}
    for one in odd:
        i = index.get(floor(one["started_at"], "day", view.timezone))
        if i is not None and spent[i] is not None:
            marks.setdefault(i, Marker(i, unusual.anomaly_text(one), unusual.anomaly_href(view, one)))
    around = happened(view, steps)
    return line_chart(
        "forecast",
        "Spend per day, and what to expect",
        steps,
        [Line("spent", spent, 1, area=True), Line("expected", mean, 4, dashed=True), *planned],
        bands=bands,
        markers=[*around.markers, *marks.values()],
        stretches=around.stretches,
        step_href=lambda step: view.between(step.start, step.end, "/spend"),
        height=280,
        timezone=view.timezone,
    )


def month_figure(view: View, found: Row) -> Figure | None:
    """The present month, summed up day by day, towards its end and its budget."""
    month = found["month_end"]
    if month["mean_usd"] is None:
        return None
    first = floor(view.now, "month", view.timezone)
    end = following(first, "month", view.timezone)
    steps = buckets(first, end, "day", view.timezone)
    index = {step.start: i for i, step in enumerate(steps)}
    past = _spread(steps, index, found["history"], "cost_usd")
    ahead = _spread(steps, index, found["forecast"], "mean_usd")
    today = max((i for i, step in enumerate(steps) if step.start <= view.now), default=0)
    spent: list[Any] = [None] * len(steps)
    expected: list[Any] = [None] * len(steps)
    total = Decimal(0)
    for i in range(today):
        total += parts.money(past[i])
        spent[i] = total
    total = spent[today] = max(total, month["spent_usd"])  # today's part included
    expected[today], path = total, [Decimal(0)]
    for i in range(today + 1, len(steps)):
        path.append(path[-1] + parts.money(ahead[i]))
    for i, gone in enumerate(path[1:], today + 1):  # the days' shape, ending where the month is expected to end
        part = gone / path[-1] if path[-1] else Decimal(i - today) / (len(steps) - 1 - today)
        expected[i] = total + (month["mean_usd"] - total) * part
    lows, highs = month_band(expected, today, month)
    limits = []
    if month["budget_usd"] is not None:
        limits.append(Limit(f"budget {fmt.usd_short(month['budget_usd'])}", month["budget_usd"]))
    return line_chart(
        "month",
        f"{view.now:%B} so far, and its end",
        steps,
        [Line("spent", spent, 1, area=True), Line("expected", expected, 4, dashed=True)],
        bands=[Band("80% interval of the month's end", lows, highs, 4, True)],
        limits=limits,
        **happened(view, steps).arguments(),
        height=240,
        timezone=view.timezone,
    )


def month_band(expected: Sequence[Any], today: int, month: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    """The interval of the month's end, opening from today around what is expected; never below what is spent."""
    lows: list[Any] = [None] * len(expected)
    highs: list[Any] = [None] * len(expected)
    span = max(len(expected) - 1 - today, 1)
    for i in range(today, len(expected)):
        share = Decimal(i - today) / span
        lows[i] = max(expected[i] - (month["mean_usd"] - month["lo80_usd"]) * share, expected[today])
        highs[i] = expected[i] + (month["hi80_usd"] - month["mean_usd"]) * share
    return lows, highs


def _spread(steps: Sequence[Bucket], index: Mapping[datetime, int], rows: Sequence[Row], key: str) -> list[Any]:
    out: list[Any] = [None] * len(steps)
    for row in rows:
        i = index.get(_at(row))
        if i is None:
            i = next((k for k, step in enumerate(steps) if step.start <= _at(row) < step.end), None)
        if i is not None:
            out[i] = row[key]
    return out
