"""Budgets that are kept, from outlay.toml or the API, and how they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.alerting.budget import Budget, read_budget
from outlay_analytics.alerting.counted import counted
from outlay_analytics.alerting.known_values import unknown_values
from outlay_analytics.alerting.written import (
    Guard,
    all_written,
    anywhere,
    not_configured,
)
from outlay_analytics.forecast.projection import Projection, look_ahead
from outlay_analytics.notify.channels import Channel
from outlay_analytics.notify.masks import masked
from outlay_analytics.query.calendar import period_window
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.together import asked_together
from outlay_analytics.query.window import Window
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import utc_now


def all_budgets(store: Store, configured: Sequence[Budget] = (), project: str = "", name: str = "") -> list[Budget]:
    """Every budget, by project and name; one of outlay.toml hides one of the same name in the store."""
    stored = [
        Budget(
            name=row["name"],
            amount_usd=row["amount_usd"],
            period=row["period"],
            scope={dim: tuple(values) for dim, values in row["scope"].items()},
            timezone=row["timezone"],
            notify=tuple(row["notify"]),
            project=row["project"],
            per=row["per"],
            window_hours=row["window_hours"],
        )
        for row in store.query(load_sql("outlay_analytics.alerting.sql", "budgets"), {"project": project, "name": name})
    ]
    return all_written(stored, configured, project, name)


def list_budgets(
    store: Store,
    project: str,
    now: datetime,
    configured: Sequence[Budget] = (),
    holidays: Holidays = NO_HOLIDAYS,
) -> list[dict[str, Any]]:
    """The project's budgets with how they stand, largest share used first."""
    found = all_budgets(store, configured, project)
    with asked_together([budget.question() for budget in found if budget.is_projected]):
        shown = [_standing(store, budget, now, holidays) for budget in found]
    return sorted(shown, key=lambda budget: (-budget["used_ratio"], budget["name"]))


def get_budget(
    store: Store,
    project: str,
    name: str,
    now: datetime,
    configured: Sequence[Budget] = (),
    holidays: Holidays = NO_HOLIDAYS,
) -> dict[str, Any] | None:
    """One budget with how it stands, None if there is none of that name."""
    found = all_budgets(store, configured, project, name)
    if not found:
        return None
    return _standing(store, found[0], now, holidays)


def put_budget(
    store: Store,
    writer: Writer,
    project: str,
    name: str,
    body: Mapping[str, Any],
    now: datetime,
    configured: Sequence[Budget] = (),
    channels: Mapping[str, Channel] | None = None,
    guard: Guard = anywhere,
    holidays: Holidays = NO_HOLIDAYS,
) -> dict[str, Any]:
    """Create or replace a budget and return it as `get_budget` does. A masked credential keeps its stored value.

    Raises:
        BadRequest: If the body is wrong, or the budget is one of outlay.toml.
        RefusedAddress: If `guard` refuses where it would tell.
    """
    not_configured("budget", project, name, configured)
    before = all_budgets(store, (), project, name)
    kept = before[0].notify if before else ()
    budget = read_budget(name, body, project=project, channels=channels, kept=kept, guard=guard)
    _write(writer, budget, now, deleted=False)
    return _standing(store, budget, now, holidays)


def delete_budget(
    store: Store,
    writer: Writer,
    project: str,
    name: str,
    configured: Sequence[Budget] = (),
    now: datetime | None = None,
) -> bool:
    """Delete a budget; False if there is none of that name.

    Raises:
        BadRequest: If it is one of outlay.toml.
    """
    not_configured("budget", project, name, configured)
    found = all_budgets(store, (), project, name)
    if not found:
        return False
    _write(writer, found[0], now or utc_now(), deleted=True)
    return True


def _write(writer: Writer, budget: Budget, now: datetime, *, deleted: bool) -> None:
    writer.insert(
        "budgets",
        [
            {
                "project": budget.project,
                "name": budget.name,
                "amount_usd": budget.amount_usd,
                "period": budget.period,
                "scope": {dim: list(values) for dim, values in budget.scope.items()},
                "timezone": budget.timezone,
                "per": budget.per,
                "window_hours": budget.window_hours,
                "notify": list(budget.notify),
                "updated_at": now,
                "is_deleted": int(deleted),
            }
        ],
    )


def _standing(store: Store, budget: Budget, now: datetime, holidays: Holidays) -> dict[str, Any]:
    """A budget as the API shows it; where it sees no spend, its note says which of its values no call has."""
    if budget.is_projected:
        shown = describe(budget, look_ahead(store, budget.question(holidays=holidays), budget.period, now), now)
    else:
        shown = _counted(store, budget, now)
    if shown["projected_usd"] is None and not shown["spent_usd"]:
        shown["note"] = unknown_values(store, budget.project, budget.scope, now) or shown["note"]
    return shown


def describe(budget: Budget, projection: Projection, now: datetime) -> dict[str, Any]:
    """A budget as the API shows it: what it is, and how the present period stands."""
    projected = projection.total.get("mean")
    return _shown(budget, projection.window, now, projection.spent_usd) | {
        "projected_usd": None if projected is None else Decimal(f"{projected:.6f}"),
        "probability_over": projection.probability_over(budget.amount_usd),
        "note": projection.note,
    }


def _counted(store: Store, budget: Budget, now: datetime) -> dict[str, Any]:
    """The same of a budget of the last hours or of any one value: what was spent by whom spent the most."""
    scope = budget.counts(now)
    found = counted(store, scope, budget.per, budget.amount_usd)
    window = scope.window if budget.window_hours else period_window(now, budget.period, budget.timezone)
    note = f"{budget.per} {found.named[0][0]} spent the most {budget.span}" if found.named else ""
    if found.over > 1:
        note += f"; {found.over:,} {budget.per}s are over"
    return _shown(budget, window, now, found.usd) | {"note": note}


def _shown(budget: Budget, window: Window, now: datetime, spent_usd: Decimal) -> dict[str, Any]:
    """A budget of which nothing is projected."""
    return {
        "name": budget.name,
        "amount_usd": budget.amount_usd,
        "period": budget.period,
        "per": budget.per or None,
        "rolling_window": _short(budget.window_hours) if budget.window_hours else None,
        "scope": {dim: list(values) for dim, values in budget.scope.items()},
        "timezone": budget.timezone,
        "notify": [masked(entry) for entry in budget.notify],
        "configured": budget.configured,
        "window": {"start": window.start, "end": window.end},
        "spent_usd": spent_usd,
        "remaining_usd": budget.amount_usd - spent_usd,
        "used_ratio": float(spent_usd / budget.amount_usd),
        "elapsed_ratio": (now - window.start) / (window.end - window.start),
        "projected_usd": None,
        "probability_over": None,
        "note": "",
    }


def _short(hours: int) -> str:
    """The hours of a window as they are written: `36h`, `7d`."""
    return f"{hours}h" if hours % 24 or hours < 48 else f"{hours // 24}d"
