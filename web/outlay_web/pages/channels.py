"""Where messages go, on /alerts: every channel that something tells, each with a button that tries it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.requests import Request

from outlay_analytics.alerting import budgets, rules
from outlay_analytics.alerting.settings import AlertSettings
from outlay_analytics.alerting.trial import try_channels
from outlay_analytics.notify.channels import SEVERITIES
from outlay_analytics.notify.masks import channel_text, masked
from outlay_analytics.query.errors import BadRequest
from outlay_web.http.context import Context


@dataclass(frozen=True)
class Told:
    """A channel: what it is called without its credentials, what tells it, and of which severity `only`."""

    id: str
    name: str
    by: str
    only: str = ""


def channels(ctx: Context, project: str) -> list[Told]:
    """The channels of outlay.toml, and those that budgets and rules of the project have of their own."""
    return [
        Told(identity(entry), channel_text(masked(entry)), ", ".join(by) or "nothing yet", _only(ctx, entry))
        for entry, by in _told(ctx, project).items()
    ]


def _only(ctx: Context, entry: str) -> str:
    """The severity that a channel is limited to, empty where it hears of everything."""
    takes = [severity for severity in SEVERITIES if ctx.config["alerts"].takes(entry, severity)]
    return "" if len(takes) == len(SEVERITIES) else takes[0]


def identity(entry: str) -> str:
    """Stands for a channel in a form, which must not hold its credentials."""
    return hashlib.sha256(entry.encode()).hexdigest()[:16]


def _told(ctx: Context, project: str) -> Mapping[str, list[str]]:
    """What tells each channel, by the channel as it is kept."""
    settings: AlertSettings = ctx.config["alerts"]
    told: dict[str, list[str]] = defaultdict(list)
    for entry in settings.notify:
        told[entry].append("incidents")
    for budget in budgets.all_budgets(ctx.store, ctx.config.get("budgets", ()), project):
        for entry in budget.notify:
            told[entry].append(f"budget {budget.name}")
    for rule in rules.all_rules(ctx.store, ctx.config.get("rules", ()), project):
        for entry in rule.notify:
            told[entry].append(f"rule {rule.name}")
    for name in settings.channels:
        told.setdefault(name, [])
    return told


def test(ctx: Context, request: Request, form: Mapping[str, str]) -> str:
    """Send a test message to one channel.

    Raises:
        BadRequest: If it did not arrive, and why.
    """
    project, chosen = request.state.project, form.get("channel", "")
    entry = next((entry for entry in _told(ctx, project) if identity(entry) == chosen), None)
    if entry is None:
        raise HTTPException(404)
    url = ctx.settings.public_url or str(request.base_url).rstrip("/")
    (found,) = try_channels(project, ctx.now(), replace(ctx.config["alerts"], public_url=url), [entry])
    name = channel_text(masked(entry))
    if not found["sent"]:
        raise BadRequest(f"the test message did not reach {name}: {found['reason']}")
    return f"The test message was sent to {name}; it says that nothing happened."


SHOWN = (("/alerts/test", test),)
