"""Rules that watch something else than a budget, from outlay.toml or the API.

    [[rules]]
    name = "no user over $5 a day"
    kind = "entity_usd"              # see KINDS
    per = "user"                     # of entity_usd: any dimension of a call
    threshold = "5"
    window = "24h"                   # 1h to 30d; default 24h; none of budget_share
    scope = { feature = ["search"] } # filters; default all calls
    severity = "warning"             # or critical
    notify = ["oncall"]

A rule of outlay.toml can be read but not changed over the API, as a budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, StrictStr
from pydantic.dataclasses import dataclass as table

from outlay_analytics.alerting.kinds import KINDS
from outlay_analytics.alerting.written import (
    Guard,
    all_written,
    anywhere,
    not_configured,
    notify_of,
    positive,
    read_tables,
    read_written,
    scope_of,
    window_hours,
)
from outlay_analytics.notify.channels import Channel
from outlay_analytics.notify.masks import masked
from outlay_analytics.query.dimensions import check_dimension
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_collector.prices.tables import STRICT
from outlay_collector.store import Store, load_sql
from outlay_collector.store.client import Writer

SHARES = ("ratio",)


@dataclass(frozen=True)
class AlertRule:
    """What is watched, and from which value on it fires."""

    name: str
    kind: str
    threshold: Decimal
    window_hours: int = 24
    per: str = ""
    budget: str = ""
    severity: str = "warning"
    scope: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    project: str = "default"
    configured: bool = False

    def question(self, window: Window = EVERYTHING) -> Scope:
        return Scope(window, dict(self.scope), self.project)

    @property
    def length(self) -> timedelta:
        return timedelta(hours=self.window_hours)

    @property
    def unit(self) -> str:
        return KINDS[self.kind][1]


def _threshold(value: object) -> Decimal:
    try:
        return positive(value, Decimal("1e12"))
    except InvalidOperation:
        raise ValueError('must be a positive number such as "5" or "0.05"') from None


@table(config=STRICT, frozen=True)
class RuleTable:
    """What is written of a rule, beside its name and project."""

    kind: StrictStr
    threshold: Annotated[Decimal, BeforeValidator(_threshold)]
    window: Annotated[int, BeforeValidator(window_hours)] = 24
    per: StrictStr = ""
    budget: StrictStr = ""
    severity: Literal["warning", "critical"] = "warning"
    scope: Annotated[Mapping[str, tuple[str, ...]], BeforeValidator(scope_of)] = field(default_factory=dict)
    notify: Annotated[list[Any], BeforeValidator(notify_of)] = field(default_factory=list, repr=False)


def read_rule(
    name: str,
    body: Mapping[str, Any],
    *,
    project: str = "default",
    channels: Mapping[str, Channel] | None = None,
    configured: bool = False,
    kept: Sequence[str] = (),
    guard: Guard = anywhere,
) -> AlertRule:
    """A rule from a JSON body or a table of outlay.toml; arguments as in `read_budget`.

    Raises:
        BadRequest: Naming what is wrong, its value and what is allowed.
        RefusedAddress: If `guard` refuses the address of a channel of its own.
    """
    written, notify = read_written("rule", RuleTable, name, body, kept, channels, guard)
    _check(name, written, "window" in body)
    rule = AlertRule(
        name=name,
        kind=written.kind,
        threshold=written.threshold,
        window_hours=written.window,
        per=written.per,
        budget=written.budget,
        severity=written.severity,
        scope=written.scope,
        notify=notify,
        project=project,
        configured=configured,
    )
    rule.question()  # checks the dimensions
    return rule


def _check(name: str, written: RuleTable, has_window: bool) -> None:
    """What fits together only for some kinds.

    Raises:
        BadRequest: Says which field is wrong or missing.
    """
    if written.kind not in KINDS:
        raise BadRequest(f"rule {name!r}: kind must be one of {', '.join(KINDS)}, not {written.kind[:40]!r}")
    if KINDS[written.kind][1] in SHARES and written.threshold >= 1 and written.kind != "budget_share":
        raise BadRequest(
            f"rule {name!r}: threshold of {written.kind} is a share from 0 to 1, not {written.threshold}; a rule fires "
            "above it, so it has to be below 1"
        )
    if (written.kind == "entity_usd") != bool(written.per):
        raise BadRequest(f"rule {name!r}: per belongs to entity_usd, which needs one, such as user or session")
    if (written.kind == "budget_share") != bool(written.budget):
        raise BadRequest(f"rule {name!r}: budget belongs to budget_share, which needs the name of one")
    if written.kind == "budget_share" and (has_window or written.scope):
        field = "window" if has_window else "scope"
        raise BadRequest(f"rule {name!r}: budget_share has no {field} of its own; it is that of its budget")
    if written.per:
        check_dimension(written.per, "per")


def parse_rules(
    tables: object, channels: Mapping[str, Channel] | None = None, guard: Guard = anywhere
) -> tuple[AlertRule, ...]:
    """The `[[rules]]` of outlay.toml.

    Raises:
        ConfigError: Naming each rule that is wrong, and what is wrong with it.
    """

    def read(name: str, body: Mapping[str, Any], project: str) -> AlertRule:
        return read_rule(name, body, project=project, channels=channels, configured=True, guard=guard)

    return read_tables(tables, "rules", read)


def all_rules(store: Store, configured: Sequence[AlertRule] = (), project: str = "", name: str = "") -> list[AlertRule]:
    """Every rule, by project and name; one of outlay.toml hides one of the same name in the store."""
    stored = [
        AlertRule(
            scope={dim: tuple(values) for dim, values in row["scope"].items()},
            notify=tuple(row["notify"]),
            **{key: row[key] for key in ("name", "kind", "threshold", "window_hours", "per", "budget", "severity")},
            project=row["project"],
        )
        for row in store.query(
            load_sql("outlay_analytics.alerting.sql", "alert_rules"), {"project": project, "name": name}
        )
    ]
    return all_written(stored, configured, project, name)


def put_rule(
    store: Store,
    writer: Writer,
    project: str,
    name: str,
    body: Mapping[str, Any],
    now: datetime,
    configured: Sequence[AlertRule] = (),
    channels: Mapping[str, Channel] | None = None,
    guard: Guard = anywhere,
) -> AlertRule:
    """Create or replace a rule.

    Raises:
        BadRequest: If the body is wrong, or the rule is one of outlay.toml.
        RefusedAddress: If `guard` refuses where it would tell.
    """
    not_configured("rule", project, name, configured)
    before = all_rules(store, (), project, name)
    kept = before[0].notify if before else ()
    rule = read_rule(name, body, project=project, channels=channels, kept=kept, guard=guard)
    _write(writer, rule, now, deleted=False)
    return rule


def delete_rule(
    store: Store, writer: Writer, project: str, name: str, now: datetime, configured: Sequence[AlertRule] = ()
) -> bool:
    """Delete a rule; False if there is none of that name.

    Raises:
        BadRequest: If it is one of outlay.toml.
    """
    not_configured("rule", project, name, configured)
    found = all_rules(store, (), project, name)
    if found:
        _write(writer, found[0], now, deleted=True)
    return bool(found)


def _write(writer: Writer, rule: AlertRule, now: datetime, *, deleted: bool) -> None:
    names = ("project", "name", "kind", "threshold", "window_hours", "per", "budget", "severity")
    row = {name: getattr(rule, name) for name in names}
    row |= {"scope": {dim: list(values) for dim, values in rule.scope.items()}, "notify": list(rule.notify)}
    writer.insert("alert_rules", [{**row, "updated_at": now, "is_deleted": int(deleted)}])


def describe(rule: AlertRule, error: str | None = None) -> dict[str, Any]:
    """A rule as the API shows it; `error` says why it cannot be evaluated at present."""
    return {
        "name": rule.name,
        "kind": rule.kind,
        "watches": KINDS[rule.kind][0],
        "threshold": rule.threshold,
        "unit": rule.unit,
        "window": f"{rule.window_hours}h",
        "per": rule.per or None,
        "budget": rule.budget or None,
        "severity": rule.severity,
        "scope": {dim: list(values) for dim, values in rule.scope.items()},
        "notify": [masked(entry) for entry in rule.notify],
        "configured": rule.configured,
        "error": error,
    }
