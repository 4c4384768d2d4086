"""Teams, Telegram, Discord and the hundred others that Apprise knows, by an Apprise URL such as `msteams://…`.

Apprise opens its own connections, so that only the operator may name such a channel, in outlay.toml: the addresses that
messages may not go to cannot be checked here. Its log says why a receiver refused; the answer never reaches a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.errors import ConfigError
from outlay_analytics.notify.messages import Message, plain_text

if TYPE_CHECKING:
    import apprise

WANTED = "kind = 'apprise' needs: pip install 'outlay[apprise]'"
LONGEST = 30_000


def open_url(url: str) -> apprise.Apprise:
    """What sends to an Apprise URL.

    Raises:
        ConfigError: If Apprise is not installed, or does not know the URL.
    """
    try:
        import apprise as library
    except ImportError as exc:
        raise ConfigError(WANTED) from exc
    opened = library.Apprise()
    if not opened.add(url):
        raise ConfigError(f"notify: Apprise does not know the URL {url.partition('://')[0]}://…; see its documentation")
    return opened


def send_by(url: str, message: Message) -> bool:
    """Send to an Apprise URL; whether every receiver in it took the message."""
    kinds = {"firing": "warning", "resolved": "success"}
    body = plain_text(message)[:LONGEST]
    return bool(open_url(url).notify(body=body, title=message.title, notify_type=kinds.get(message.status, "info")))
