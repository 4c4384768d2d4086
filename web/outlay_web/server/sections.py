"""What outlay.toml holds beside settings, each section read by the room that it is for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.alerting.budget import parse_budgets
from outlay_analytics.alerting.rules import parse_rules
from outlay_analytics.alerting.settings import AlertSettings, parse_alerts
from outlay_analytics.bills.accounts import parse_bills
from outlay_analytics.notify.guarded_http import check_numeric
from outlay_analytics.query.holidays import parse_holidays
from outlay_analytics.query.model_tiers import parse_model_tiers
from outlay_analytics.questions.revenue import parse_revenue
from outlay_collector.prices.overrides import parse_overrides
from outlay_collector.prices.tables import Slips
from outlay_collector.settle.mapping import parse_attributes
from outlay_web.config import Config
from outlay_web.http.keys import parse_projects


def read_sections(config: Config) -> dict[str, Any]:
    """As `parse_sections`, where the message begins with the file's path."""
    try:
        return parse_sections(config.sections)
    except ConfigError as exc:
        if config.file is None:
            raise
        raise ConfigError(f"{config.file}: {exc}") from exc


def parse_sections(written: Mapping[str, Any]) -> dict[str, Any]:
    """`overrides` (of prices), `bills`, `projects`, `alerts`, `channels`, `budgets`, `rules`, `model_tiers` and so on.

    Raises:
        ConfigError: Names, of everything that is wrong, the section, the value and what is allowed.
    """
    found: dict[str, Any] = {}
    slips = Slips()
    with slips.gathered():
        found["overrides"] = parse_overrides(written)
    with slips.gathered():
        found["bills"] = parse_bills(written.get("bills", []))
    with slips.gathered():
        found["projects"] = parse_projects(written)
    with slips.gathered():
        found["revenue"] = parse_revenue(written.get("revenue", []))
    with slips.gathered():
        found["attributes"] = parse_attributes(written.get("attributes", {}))
    with slips.gathered():
        found["model_tiers"] = parse_model_tiers(written.get("model_tiers", {}))
    with slips.gathered():
        found["holidays"] = parse_holidays(written.get("holidays", {}))
    alerts = AlertSettings()
    with slips.gathered():
        alerts = parse_alerts(written.get("alerts", {}))
        budgets = written.get("budgets", [])  # may tell channels of [alerts], so only where these could be read
        allowed = alerts.outbound.allowed
        found["budgets"] = parse_budgets(budgets, alerts.channels, lambda url: check_numeric(url, allowed))
        found["rules"] = parse_rules(written.get("rules", []), alerts.channels, lambda url: check_numeric(url, allowed))
    slips.raise_all()
    alerts = replace(alerts, holidays=found["holidays"])
    return {**found, "alerts": alerts, "channels": alerts.channels}
