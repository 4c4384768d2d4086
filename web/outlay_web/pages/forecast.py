"""/forecast: what the month will cost, how sure that is, and what was out of the ordinary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay_analytics import anomalies, forecast
from outlay_analytics.window import BadRequest, Scope, Window
from outlay_web import format as fmt
from outlay_web.charts import Band, Bucket, Cell, Column, Figure, Limit, Line, Marker, Table, buckets, line_chart
from outlay_web.charts.scale import floor, following
from outlay_web.pages import parts
from outlay_web.pages.parts import Page, Row, Tile
from outlay_web.pages.view import View

ALLOWED = ("horizon", "budget_usd")
HORIZONS = (("7d", "7 days"), ("14d", "14 days"), ("30d", "30 days"), ("60d", "60 days"))
HISTORY = timedelta(days=60)

CHANNELS = {
    "spend": "spend",
    "cost_per_call": "cost of a call",
    "tokens_per_call": "tokens of a call",
    "uncached_share": "uncached share of the input",
    "usd_per_token": "price of a token",
    "retry_share": "share of retries",
}


def page(view: View) -> Page:
    horizon = view.choice("horizon", [value for value, _ in HORIZONS], "30d")
    found = ask(view, view.scope, int(horizon[:-1]))
    question = "What will the month cost?"
    if not any(row["cost_usd"] for row in history(found)):
        return Page("forecast.html", "Forecast", question, empty=True)
    odd = anomalies.find(view.ctx.store, view.scope)["anomalies"]
    data = {
        "tiles": tiles(view, found),
        "figure": daily_figure(view, found, odd),
        "month": month_figure(view, found),
        "anomalies": anomaly_table(view, odd),
        "backtest": found.get("backtest") or {},
        "horizon": horizon,
        "horizons": HORIZONS,
        "budget": view.get("budget_usd"),
    }
    return Page("forecast.html", "Forecast", question, data)


def ask(view: View, scope: Scope, horizon_days: int) -> Row:
    found: Row = forecast.spend_forecast(
        view.ctx.store,
        scope,
        horizon_days=horizon_days,
        interval="day",
        budget_usd=amount(view.get("budget_usd")),
        now=view.now,
    )
    return found


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


def month_end(view: View) -> Row:
    """The month's end for the overview: the same answer as this page's, over the history it would use."""
    window = Window(view.now - HISTORY, view.now)
    found = ask(view, replace(view.scope, window=window), 31)
    month: Row = found.get("month_end") or {}
    return month


def history(found: Row) -> list[dict[str, Any]]:
    """Past days with their cost, whatever the key is called."""
    return [{"time": row["time"], "cost_usd": row.get("cost_usd", row.get("actual_usd"))} for row in found["history"]]


def tiles(view: View, found: Row) -> list[Tile]:
    month, test = found.get("month_end") or {}, found.get("backtest") or {}
    out = []
    if month.get("mean_usd") is not None:
        out.append(
            Tile(
                "Month end",
                fmt.usd(month["mean_usd"]),
                "#figure-month",
                f"80 %: {fmt.usd_short(month['lo80_usd'])} – {fmt.usd_short(month['hi80_usd'])}",
            )
        )
    if month.get("budget_usd") is not None:
        odds = month.get("probability_over")
        out.append(
            Tile(
                "Budget",
                fmt.usd(month["budget_usd"]),
                view.to("/budgets"),
                f"{fmt.ratio_text(odds)} odds of passing it" if odds is not None else "",
                tone="warn" if (odds or 0) >= 0.5 else "",
            )
        )
    ahead = found["forecast"]
    total = sum((row["mean_usd"] for row in ahead), Decimal(0))
    out.append(
        Tile(
            f"Next {len(ahead)} days",
            fmt.usd(total),
            "#figure-forecast",
            f"{fmt.usd_text(parts.per(total, len(ahead)))} a day",
        )
    )
    if test.get("coverage80") is not None:
        better = test.get("beats_seasonal_naive")
        out.append(
            Tile(
                "Its own error",
                f"MASE {float(test['mase']):.2f}" if test.get("mase") is not None else fmt.UNKNOWN,
                "#backtest",
                "better than repeating last week" if better else "no better than repeating last week",
                tone="" if better else "warn",
            )
        )
    return out


def _at(row: Row) -> datetime:
    at: datetime = row["time"]
    return at


def daily_figure(view: View, found: Row, odd: Sequence[Row]) -> Figure:
    """Days past and to come with the bands of the forecast; anomalies marked on the days they began."""
    past, ahead = history(found), found["forecast"]
    first = _at(past[0]) if past else _at(ahead[0])
    last = _at(ahead[-1]) if ahead else _at(past[-1])
    steps = buckets(first, following(last, "day", view.timezone), "day", view.timezone)
    index = {step.start: i for i, step in enumerate(steps)}
    spent = _spread(steps, index, past, "cost_usd")
    mean, bands = _spread(steps, index, ahead, "mean_usd"), []
    for label, low, high, strong in (
        ("95 % interval", "lo95_usd", "hi95_usd", False),
        ("80 % interval", "lo80_usd", "hi80_usd", True),
    ):
        bands.append(Band(label, _spread(steps, index, ahead, low), _spread(steps, index, ahead, high), 1, strong))
    joint = max((i for i, value in enumerate(spent) if value is not None), default=None)
    if joint is not None and mean[joint] is None:
        mean[joint] = spent[joint]  # the future begins where the past ends
    marks: dict[int, Marker] = {}
    for one in odd:
        i = index.get(floor(one["started_at"], "day", view.timezone))
        if i is not None and spent[i] is not None:
            marks.setdefault(i, Marker(i, anomaly_text(one), anomaly_href(view, one)))
    return line_chart(
        "forecast",
        "Spend per day, and what to expect",
        steps,
        [Line("spent", spent, 1, area=True), Line("expected", mean, 4, dashed=True)],
        bands=bands,
        markers=list(marks.values()),
        step_href=lambda step: view.between(step.start, step.end, "/spend"),
        height=280,
        timezone=view.timezone,
    )


def month_figure(view: View, found: Row) -> Figure | None:
    """The present month, summed up day by day, towards its end and its budget."""
    month = found.get("month_end") or {}
    if month.get("mean_usd") is None:
        return None
    first = floor(view.now, "month", view.timezone)
    end = following(first, "month", view.timezone)
    steps = buckets(first, end, "day", view.timezone)
    index = {step.start: i for i, step in enumerate(steps)}
    past = _spread(steps, index, history(found), "cost_usd")
    ahead = _spread(steps, index, found["forecast"], "mean_usd")
    today = max((i for i, step in enumerate(steps) if step.start <= view.now), default=0)
    spent: list[Any] = [None] * len(steps)
    expected: list[Any] = [None] * len(steps)
    total = Decimal(0)
    for i in range(today + 1):
        total += parts.money(past[i])
        spent[i] = total
    expected[today], path = total, [Decimal(0)]
    for i in range(today + 1, len(steps)):
        path.append(path[-1] + parts.money(ahead[i]))
    for i, gone in enumerate(path[1:], today + 1):  # the days' shape, ending where the month is expected to end
        part = gone / path[-1] if path[-1] else Decimal(i - today) / (len(steps) - 1 - today)
        expected[i] = total + (month["mean_usd"] - total) * part
    lows: list[Any] = [None] * len(steps)
    highs: list[Any] = [None] * len(steps)
    span = max(len(steps) - 1 - today, 1)
    for i in range(today, len(steps)):  # the interval of the month's end, opening from today
        share = Decimal(i - today) / span
        lows[i] = total + (month["lo80_usd"] - total) * share
        highs[i] = total + (month["hi80_usd"] - total) * share
    limits = []
    if month.get("budget_usd") is not None:
        limits.append(Limit(f"budget {fmt.usd_short(month['budget_usd'])}", month["budget_usd"]))
    return line_chart(
        "month",
        f"{view.now:%B} so far, and its end",
        steps,
        [Line("spent", spent, 1, area=True), Line("expected", expected, 4, dashed=True)],
        bands=[Band("80 % interval of the month's end", lows, highs, 4, True)],
        limits=limits,
        height=240,
        timezone=view.timezone,
    )


def _spread(steps: Sequence[Bucket], index: Mapping[datetime, int], rows: Sequence[Row], key: str) -> list[Any]:
    out: list[Any] = [None] * len(steps)
    for row in rows:
        i = index.get(_at(row))
        if i is None:
            i = next((k for k, step in enumerate(steps) if step.start <= _at(row) < step.end), None)
        if i is not None:
            out[i] = row[key]
    return out


def anomaly_table(view: View, found: Sequence[Row]) -> Table | None:
    if not found:
        return None
    columns = [
        Column("Began", "time", "started_at"),
        Column("Ended", "time", "ended_at"),
        Column("Where", "text", "scope"),
        Column("What", "text", "channel"),
        Column("Actual", "text", "actual"),
        Column("Expected", "text", "expected"),
        Column("Impact", "delta_usd", "impact_usd", "What it cost on top of what was expected"),
        Column("Score", "number", "score"),
    ]
    rows = [
        [
            Cell(one["started_at"], anomaly_href(view, one)),
            Cell(one.get("ended_at"), label=None if one.get("ended_at") else "goes on"),
            Cell(where_text(one["scope"])),
            Cell(CHANNELS.get(one["channel"], one["channel"])),
            Cell(value_text(one["channel"], one["actual"])),
            Cell(value_text(one["channel"], one["expected"])),
            Cell(one["impact_usd"], anomaly_href(view, one)),
            Cell(one["score"]),
        ]
        for one in found
    ]
    return Table("anomalies", "Out of the ordinary", columns, rows, timezone=view.timezone)


def value_text(channel: str, value: Any) -> str:
    """A channel's value in its own unit."""
    if value is None:
        return fmt.UNKNOWN
    if channel.endswith("share"):
        return fmt.ratio_text(value)
    if channel == "tokens_per_call":
        return fmt.tokens_text(float(value))
    return fmt.usd_text(value if isinstance(value, Decimal) else Decimal(str(value)))


def where_text(scope: Any) -> str:
    return " · ".join(f"{key} {fmt.name_text(value)}" for key, value in dict(scope).items()) or "everything"


def anomaly_text(one: Row) -> str:
    """An anomaly in a line: `search: cost of a call $0.031, expected $0.012`."""
    scope = dict(one["scope"])
    where = ", ".join(fmt.name_text(value) for value in scope.values()) or "all"
    what = CHANNELS.get(one["channel"], one["channel"])
    actual, expected = (value_text(one["channel"], one[name]) for name in ("actual", "expected"))
    return f"{where}: {what} {actual}, expected {expected}"


def anomaly_href(view: View, one: Row) -> str:
    """Where an anomaly is explained: its hours against the ones just before, or the address the answer gives."""
    given = one.get("explain")
    if isinstance(given, str) and given.startswith("/") and not given.startswith(("//", "/api")):
        return given
    filters = {str(key): str(value) for key, value in dict(one["scope"]).items()}
    end = one.get("ended_at") or view.now
    return view.to("/explain", start=fmt.rfc3339(one["started_at"]), end=fmt.rfc3339(end), **filters)
