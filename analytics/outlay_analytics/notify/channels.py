"""Where alerts can be sent, and how an address in a budget's `notify` is read.

A channel is a name from `[[alerts.channels]]` of outlay.toml, an address (`https://…`, `mailto:a@b.example`), or a
table with `kind` and what that kind needs; one of kind `apprise` stands in outlay.toml alone. An address on
hooks.slack.com is a Slack channel, any other URL a webhook. A channel hears of everything, or of what has one of its
`severities`: a pager of what is critical.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from outlay.errors import ConfigError
from outlay_analytics.notify.guarded_http import RefusedAddress, check_form

KINDS = ("webhook", "slack", "pagerduty", "alertmanager", "email", "apprise")
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
SEVERITIES = ("warning", "critical")
_KEYS = {
    "webhook": {"url", "secret", "ends", "severities"},
    "slack": {"url", "ends", "severities"},
    "pagerduty": {"routing_key", "url", "severities"},
    "alertmanager": {"url", "severities"},
    "email": {"to", "ends", "severities"},
    "apprise": {"url", "ends", "severities"},
}
HOLD_STATE = ("pagerduty", "alertmanager", "webhook")  # what they are told of stays open until they hear of its end
_ADDRESS = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")


@dataclass(frozen=True)
class Channel:
    """One place to send to.

    Attributes:
        name: How it is shown and stored.
        kind: One of `KINDS`.
        url: Address, for all kinds but e-mail.
        secret: Key of the webhook's HMAC signature, empty for none.
        routing_key: PagerDuty's integration key.
        to: E-mail addresses.
        ends: Whether it hears that something is over: who holds a state does, people only where they want to.
        severities: Of which alerts it hears.
    """

    name: str
    kind: str
    url: str = ""
    secret: str = ""
    routing_key: str = ""
    to: tuple[str, ...] = ()
    ends: bool = False
    severities: tuple[str, ...] = SEVERITIES

    def takes(self, severity: str) -> bool:
        """Whether it hears of alerts of a severity."""
        return severity in self.severities

    @property
    def holds_state(self) -> bool:
        """Whether a program takes the messages, for which the next one about the same thing is an update of it."""
        return self.kind in HOLD_STATE and self.ends


def parse_channel(entry: object, named: Mapping[str, Channel] | None = None, *, operator: bool = False) -> Channel:
    """Read one entry of `notify`: a channel's name, an address, or a table.

    Args:
        named: The channels of outlay.toml.
        operator: Whether it is one of them: only there may one be sent to by Apprise, which checks no address.

    Raises:
        ConfigError: Says what is wrong and what is allowed.
    """
    if isinstance(entry, str):
        text = entry.strip()
        if named and text in named:
            return named[text]
        if text.startswith("{"):
            try:
                return parse_channel(json.loads(text), named)
            except json.JSONDecodeError as exc:
                raise ConfigError(f"notify: {text!r} is not valid JSON") from exc
        if text.startswith("mailto:"):
            return _build(text, "email", {"to": text.removeprefix("mailto:").split(",")})
        if _ADDRESS.fullmatch(text):
            return _build(text, "email", {"to": [text]})
        if text.startswith("pagerduty:"):
            return _build(text, "pagerduty", {"routing_key": text.removeprefix("pagerduty:").strip("/")})
        if "://" in text:
            slack = (urlsplit(text).hostname or "") == "hooks.slack.com"
            return _build(text, "slack" if slack else "webhook", {"url": text})
        known = f"; channels of outlay.toml: {', '.join(sorted(named))}" if named else ""
        raise ConfigError(f"notify: {text!r} is neither a URL, an e-mail address nor a channel's name{known}")
    if isinstance(entry, Mapping):
        table = dict(entry)
        name = str(table.pop("name", "")) or json.dumps(entry, sort_keys=True)
        kind = table.pop("kind", None) or table.pop("type", None) or next((k for k in KINDS if k in table), None)
        if kind in table and kind in ("webhook", "slack", "alertmanager", "apprise"):
            table["url"] = table.pop(kind)
        elif kind in table and kind in ("pagerduty", "email"):
            table["routing_key" if kind == "pagerduty" else "to"] = table.pop(kind)
        if kind not in KINDS:
            raise ConfigError(f"notify: kind {kind!r} is not one of {', '.join(KINDS)}")
        if kind == "apprise" and not operator:
            raise ConfigError("notify: a channel of kind apprise stands in [[alerts.channels]]; give its name here")
        return _build(name, str(kind), table)
    raise ConfigError(f"notify: {entry!r} is neither a text nor a table")


def _build(name: str, kind: str, table: Mapping[str, Any]) -> Channel:
    unknown = sorted(set(table) - _KEYS[kind])
    if unknown:
        raise ConfigError(f"notify: {kind} has no {unknown[0]!r}; it knows {', '.join(sorted(_KEYS[kind]))}")
    ends = table.get("ends", kind in HOLD_STATE)
    if not isinstance(ends, bool):
        raise ConfigError(f"notify: ends of {kind} is {ends!r}; it must be true or false")
    severities = table.get("severities", SEVERITIES)
    known = isinstance(severities, list | tuple) and set(map(str, severities)) <= set(SEVERITIES)
    if not known or not severities:
        raise ConfigError(f'notify: severities of {kind} is {severities!r}; it must be a list such as ["critical"]')
    for key, value in table.items():
        if key in ("ends", "severities"):
            continue
        good = isinstance(value, str) or (key == "to" and isinstance(value, list | tuple))
        if not good or not value:
            raise ConfigError(f"notify: {key} of {kind} is {value!r}, not a text")
    url = str(table.get("url", PAGERDUTY_URL if kind == "pagerduty" else ""))
    if kind == "pagerduty" and not table.get("routing_key"):
        raise ConfigError("notify: pagerduty needs a routing_key")
    to = table.get("to", ())
    to = (to,) if isinstance(to, str) else tuple(str(address).strip() for address in to)
    if kind == "apprise":
        if "://" not in url:
            raise ConfigError("notify: apprise needs a url such as msteams://…")
    elif kind == "email":
        bad = [address for address in to if not _ADDRESS.fullmatch(address)]
        if bad or not to:
            raise ConfigError(f"notify: {bad[0] if bad else ''!r} is not an e-mail address")
    else:
        try:
            check_form(url)
        except RefusedAddress as exc:
            raise ConfigError(f"notify: {url!r} cannot be used: {exc}") from exc
    secret, routing_key = str(table.get("secret", "")), str(table.get("routing_key", ""))
    return Channel(name, kind, url, secret, routing_key, to, ends, tuple(severities))


def refuse_address(url: str, guard: Callable[[str], None]) -> None:
    """Refuse a channel's URL that `guard` refuses.

    Raises:
        RefusedAddress: Naming the URL and why.
    """
    try:
        guard(url)
    except RefusedAddress as exc:
        raise RefusedAddress(f"notify: {url!r} cannot be used: {exc}") from exc


def stored_form(entry: object) -> str:
    """An entry of `notify` as the text that is kept: itself, or its table as JSON."""
    return entry.strip() if isinstance(entry, str) else json.dumps(entry, sort_keys=True)
