"""A budget's channels without their credentials, and the credentials put back when the masked form returns.

Whoever may read a budget need not be able to send in its name: keys, tokens and the secret paths of incoming
webhooks are shown as `***`. A client that reads a budget, changes its amount and puts it back keeps what it never saw.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from outlay.errors import ConfigError
from outlay_analytics.notify.channels import stored_form

MASK = "***"
SECRETS = ("secret", "routing_key", "pagerduty")
SECRET_PATHS = ("hooks.slack.com", "discord.com", "webhook.office.com")


def masked(stored: str) -> Any:
    """A stored channel as the API shows it: a table again where it was one, its credentials as `***`."""
    if stored.startswith("{"):
        return _masked_table(json.loads(stored))
    return _masked_text(stored)


def channel_text(channel: Any) -> str:
    """A channel as the API shows it, in one line: a name, an address, or a table as JSON."""
    return channel if isinstance(channel, str) else json.dumps(channel, sort_keys=True)


def unmasked(entries: Iterable[object], stored: Iterable[str]) -> list[object]:
    """`entries` with each one that is the masked form of a stored channel replaced by that channel.

    Raises:
        ConfigError: If a mask is left over: what it stood for is not known, or belonged to another address.
    """
    waiting: dict[str, list[str]] = {}
    for text in stored:
        waiting.setdefault(stored_form(masked(text)), []).append(text)
    out: list[object] = []
    for entry in entries:
        form = stored_form(entry)
        known = waiting.get(form) or waiting.get(_normal(form))
        if known:
            out.append(known.pop(0) if len(known) > 1 else known[0])
        elif MASK in form:
            raise ConfigError(f"notify: {form!r} has a masked credential that is not known here; give it in full")
        else:
            out.append(entry)
    return out


def _normal(form: str) -> str:
    """A table that came as text (a line of a form) in the one order in which tables are kept."""
    try:
        return json.dumps(json.loads(form), sort_keys=True) if form.startswith("{") else form
    except json.JSONDecodeError:
        return form


def _masked_table(table: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in table.items():
        if key in SECRETS:
            out[key] = MASK
        else:
            out[key] = _masked_text(value) if isinstance(value, str) else value
    return out


def _masked_text(text: str) -> str:
    if text.startswith("pagerduty:"):
        return f"pagerduty:{MASK}"
    if "://" not in text:  # a channel's name, or a mail address
        return text
    parts = urlsplit(text)
    name = (parts.hostname or "").lower()
    secret_path = any(name == known or name.endswith("." + known) for known in SECRET_PATHS)
    path = f"/{MASK}" if secret_path and len(parts.path) > 1 else parts.path
    query = "&".join(f"{key}={MASK}" for key, _ in parse_qsl(parts.query, keep_blank_values=True))
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
