"""A budget: an amount per day, week or month for a part of spend, as it is written in outlay.toml or over the API.

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

from outlay_analytics.alerting.written import (
    Guard,
    anywhere,
    notify_of,
    positive,
    read_tables,
    read_written,
    scope_of,
    window_hours,
)
from outlay_analytics.notify.channels import Channel
from outlay_analytics.query.calendar import period_window
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.holidays import NO_HOLIDAYS, Holidays
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_collector.prices.tables import STRICT

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

    def question(self, window: Window = EVERYTHING, holidays: Holidays = NO_HOLIDAYS) -> Scope:
        """The scope of spend that counts, in a window."""
        return Scope(window, dict(self.scope), self.project, self.timezone, holidays=holidays)


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
    written, notify = read_written("budget", BudgetTable, name, body, kept, channels, guard)
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
