"""Budgets: an amount per day, week or month for a part of spend, from outlay.toml or the API.

A budget of outlay.toml can be read but not changed over the API, so that the file stays the truth:

    [[budgets]]
    name = "search"
    amount_usd = "1200"
    period = "month"                 # day, week or month; default month
    window = "7d"                    # in place of a period: the last 1h to 30d
    per = "user"                     # any one user may spend the amount; any dimension of a call
    scope = { feature = ["search"] } # filters; default all spend
    timezone = "Europe/Berlin"       # default UTC
    notify = ["oncall", "https://hooks.example.com/x"]
    project = "default"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StrictStr
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay_analytics.alerting.counted import counted
from outlay_analytics.alerting.known_values import unknown_values
from outlay_analytics.alerting.written import (
    Guard,
    all_written,
    anywhere,
    check_name,
    not_configured,
    notify_of,
    positive,
    read_tables,
    scope_of,
    stored_notify,
    window_hours,
)
from outlay_analytics.forecast.projection import Projection, look_ahead
from outlay_analytics.notify.channels import Channel
from outlay_analytics.notify.masks import masked
from outlay_analytics.query.calendar import period_window
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.together import asked_together
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_collector.prices.tables import STRICT, read_table
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer
from outlay_collector.store.clock import utc_now

LARGEST = Decimal("1e15")


@dataclass(frozen=True)
class Budget:
    """What may be spent, on what, per period.

    Attributes:
        scope: Filters: dimension → values.
        per: The dimension of which any one value may spend the amount; empty where all are counted together.
        window_hours: The last so many hours count; 0 where the period does.
        notify: Channels in stored form (name, address or JSON).
        configured: Whether it is from outlay.toml.
    """

    name: str
    amount_usd: Decimal
    period: str = "month"
    scope: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timezone: str = "UTC"
    notify: tuple[str, ...] = ()
    project: str = "default"
    configured: bool = False
    per: str = ""
    window_hours: int = 0

    @property
    def is_projected(self) -> bool:
        """Whether it is about all of its scope in a period, so that it can be said where it is heading."""
        return not self.per and not self.window_hours

    def counts(self, now: datetime) -> Scope:
        """The scope of spend that counts, in the time that counts now."""
        if self.window_hours:
            return self.question(Window(now - timedelta(hours=self.window_hours), now))
        return self.question(Window(period_window(now, self.period, self.timezone).start, now))

    @property
    def span(self) -> str:
        """The time that counts, in words."""
        hours = self.window_hours
        if not hours:
            return f"this {self.period}"
        whole = f"{hours // 24} days" if hours >= 48 and not hours % 24 else f"{hours} hours"
        return f"in {'an hour' if hours == 1 else whole}"

    def question(self, window: Window = EVERYTHING) -> Scope:
        """The scope of spend that counts, in a window."""
        return Scope(window, dict(self.scope), self.project, self.timezone)


def _amount(value: object) -> Decimal:
    try:
        return positive(value, LARGEST)
    except InvalidOperation:
        raise ValueError('must be a positive amount such as "1200.50", at most 12 decimals') from None


@table(config=STRICT, frozen=True)
class BudgetTable:
    """What is written of a budget, beside its name and project."""

    amount_usd: Annotated[Decimal, BeforeValidator(_amount)]
    period: Literal["day", "week", "month"] = "month"
    scope: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(scope_of)] = field(default_factory=dict)
    timezone: Annotated[StrictStr, BeforeValidator(lambda value: value or "UTC")] = "UTC"
    per: StrictStr = ""
    window: Annotated[int, BeforeValidator(window_hours)] = 0
    notify: Annotated[list[Any], BeforeValidator(notify_of)] = field(default_factory=list, repr=False)


def read_budget(
    name: str,
    body: Mapping[str, Any],
    *,
    project: str = "default",
    channels: Mapping[str, Channel] | None = None,
    configured: bool = False,
    kept: Sequence[str] = (),
    guard: Guard = anywhere,
) -> Budget:
    """A budget from a JSON body or a table of outlay.toml.

    Args:
        kept: Its channels so far, for masked credentials.
        guard: Raises RefusedAddress for a URL that messages may not go to.

    Raises:
        BadRequest: Naming what is wrong, its value and what is allowed.
        RefusedAddress: If `guard` refuses the address of a channel of its own.
    """
    check_name("budget", name)
    try:
        written = read_table(BudgetTable, body, f"budget {name!r}")
        notify = stored_notify(written.notify, kept, channels, guard)
    except ConfigError as exc:
        raise BadRequest(str(exc)) from exc
    if written.window and "period" in body:
        raise BadRequest(f"budget {name!r}: window stands in place of period; give one of both")
    if written.per:
        check_dimension(written.per, "per")
    budget = Budget(
        name=name,
        amount_usd=written.amount_usd,
        period=written.period,
        scope=written.scope,
        timezone=written.timezone,
        notify=notify,
        project=project,
        configured=configured,
        per=written.per,
        window_hours=written.window,
    )
    budget.question()  # checks the dimensions and the time zone
    return budget


def parse_budgets(
    tables: object, channels: Mapping[str, Channel] | None = None, guard: Guard = anywhere
) -> tuple[Budget, ...]:
    """The `[[budgets]]` of outlay.toml; `guard` as in `read_budget`.

    Raises:
        ConfigError: Naming each budget that is wrong, and what is wrong with it.
    """

    def read(name: str, body: Mapping[str, Any], project: str) -> Budget:
        return read_budget(name, body, project=project, channels=channels, configured=True, guard=guard)

    return read_tables(tables, "budgets", read)


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


def list_budgets(store: Store, project: str, now: datetime, configured: Sequence[Budget] = ()) -> list[dict[str, Any]]:
    """The project's budgets with how they stand, largest share used first."""
    found = all_budgets(store, configured, project)
    with asked_together([budget.question() for budget in found if budget.is_projected]):
        shown = [_standing(store, budget, now) for budget in found]
    return sorted(shown, key=lambda budget: (-budget["used_ratio"], budget["name"]))


def get_budget(
    store: Store, project: str, name: str, now: datetime, configured: Sequence[Budget] = ()
) -> dict[str, Any] | None:
    """One budget with how it stands, None if there is none of that name."""
    found = all_budgets(store, configured, project, name)
    if not found:
        return None
    return _standing(store, found[0], now)


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
    return _standing(store, budget, now)


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


def _standing(store: Store, budget: Budget, now: datetime) -> dict[str, Any]:
    """A budget as the API shows it; where it sees no spend, its note says which of its values no call has."""
    if budget.is_projected:
        shown = describe(budget, look_ahead(store, budget.question(), budget.period, now), now)
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
