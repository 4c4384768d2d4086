"""Settings as texts: each function reads one, and raises ValueError for what it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

ROLES = ("receive", "jobs", "web")
OFF = -1


def text(value: str) -> str:
    """One line, without the space around it."""
    if any(ord(char) < 32 for char in value):
        raise ValueError
    return value.strip()


def path(value: str) -> Path | None:
    """A path from the root; None for an empty text."""
    try:
        return Path(value).expanduser().absolute() if text(value) else None
    except RuntimeError as exc:  # ~ of somebody who is not there
        raise ValueError(str(exc)) from exc


def whole(low: int, high: int) -> Callable[[str], int]:
    """A reader of whole numbers within bounds."""

    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def grpc_port(value: str) -> int:
    """A port, or OFF."""
    return OFF if value.strip().lower() == "off" else whole(0, 65535)(value)


def roles(value: str) -> tuple[str, ...]:
    """Some of `ROLES`, in their order."""
    chosen = parts(value)
    if not chosen or set(chosen) - set(ROLES):
        raise ValueError
    return tuple(role for role in ROLES if role in chosen)


def parts(value: str) -> tuple[str, ...]:
    """What is between commas."""
    return tuple(one.strip() for one in text(value).split(",") if one.strip())


def networks(value: str) -> tuple[str, ...]:
    """Addresses and networks, as they are written in full."""
    return tuple(str(ip_network(one)) for one in parts(value))


def choice(*names: str) -> Callable[[str], str]:
    """A reader of one of a few words."""

    def read(value: str) -> str:
        if value.strip().lower() not in names:
            raise ValueError
        return value.strip().lower()

    return read


def bootstrap_key(value: str) -> str:
    """A key that cannot be guessed or mistyped unseen."""
    if value and (len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value):
        raise ValueError
    return value


def password(value: str) -> str:
    """A password that is not too short."""
    if value and len(value) < 8:
        raise ValueError
    return value


def url(value: str) -> str:
    """An address for browsers, without the slash at its end."""
    address = text(value).rstrip("/")
    if address and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname):
        raise ValueError
    return address
