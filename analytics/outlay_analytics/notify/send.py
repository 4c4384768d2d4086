"""Send one message to one channel and say whether trying again may help.

A plain webhook gets Alertmanager's version 4 and, when its channel has a secret, the header `Outlay-Signature:
t=<unix seconds>,v1=<hex>`, where the hex is HMAC-SHA256 over `<t>.<body>`: a receiver that checks both can neither be
lied to nor replayed at. `Outlay-Notification-Id` is the same for every try of a message.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from outlay.errors import ConfigError
from outlay_analytics.notify.apprise import send_by
from outlay_analytics.notify.channels import Channel
from outlay_analytics.notify.guarded_http import TIMEOUT_S, Allowed, RefusedAddress, check_url, post
from outlay_analytics.notify.letters import letter
from outlay_analytics.notify.messages import (
    Message,
    alertmanager_api,
    alertmanager_v4,
    pagerduty_event,
    slack_blocks,
)

NO_TLS = (
    "the mail server offers no STARTTLS, so neither the password nor a message was sent; use smtps://, or set "
    "alerts.smtp_tls = false to send them unencrypted"
)


@dataclass(frozen=True)
class Mail:
    """How e-mail leaves: `smtp://user:password@host:587` (STARTTLS) or `smtps://…:465`.

    Attributes:
        tls: Whether a server that offers no STARTTLS is refused: it would get password and messages in the clear.
    """

    url: str = ""
    sender: str = ""
    tls: bool = True


@dataclass(frozen=True)
class Outbound:
    """What the operator allows and provides for sending."""

    allowed: Allowed = field(default_factory=Allowed)
    mail: Mail = field(default_factory=Mail)


@dataclass(frozen=True)
class Delivery:
    """What became of one try.

    Attributes:
        sent: The receiver accepted it.
        retry: Trying again may help.
        reason: Why it was not sent, empty when it was. Never the receiver's answer.
    """

    sent: bool
    retry: bool = False
    reason: str = ""


def send(channel: Channel, message: Message, *, now: datetime, outbound: Outbound | None = None) -> Delivery:
    """Send `message` to `channel`, five seconds per request at most. Never raises for what a receiver does."""
    outbound = outbound or Outbound()
    try:
        if channel.kind == "email":
            return _mail(channel, message, outbound.mail, now)
        if channel.kind == "apprise":
            taken = send_by(channel.url, message)
            return Delivery(taken, not taken, "" if taken else "Apprise could not send it; the server's log says why")
        bodies = _bodies(channel, message, now)
        target = check_url(_address(channel, message), outbound.allowed)
        for body in bodies:
            status = post(target, body, _headers(channel, message, body, now))
            if not 200 <= status < 300:
                return _refused(status)
        return Delivery(True)
    except (RefusedAddress, ConfigError) as exc:
        return Delivery(False, False, str(exc))
    except ssl.SSLCertVerificationError as exc:
        return Delivery(False, True, f"the certificate is not trusted: {exc.verify_message}")
    except (OSError, http.client.HTTPException, smtplib.SMTPException) as exc:
        return Delivery(False, True, f"{type(exc).__name__}: {_short(exc)}")


def _address(channel: Channel, message: Message) -> str:
    """Where a channel takes a message; PagerDuty has a place of its own for what is no incident, such as a digest."""
    is_change = channel.kind == "pagerduty" and not message.entries
    return channel.url.replace("/v2/enqueue", "/v2/change/enqueue") if is_change else channel.url


def _bodies(channel: Channel, message: Message, now: datetime) -> list[bytes]:
    bodies: list[Any]
    if channel.kind == "slack":
        bodies = [slack_blocks(message)]
    elif channel.kind == "pagerduty":
        bodies = [pagerduty_event(message, channel.routing_key)]
    elif channel.kind == "alertmanager":
        bodies = [alertmanager_api(message, now)]
    else:
        bodies = [alertmanager_v4(message, channel.name)]
    return [json.dumps(body, ensure_ascii=False).encode() for body in bodies]


def _headers(channel: Channel, message: Message, body: bytes, now: datetime) -> dict[str, str]:
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Outlay",
        "Outlay-Notification-Id": message.message_id,
        "Connection": "close",
    }
    if channel.secret:
        headers["Outlay-Signature"] = sign(body, channel.secret, int(now.timestamp()))
    return headers


def sign(body: bytes, secret: str, at: int) -> str:
    """The value of `Outlay-Signature` for a body sent at a Unix second."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def _refused(status: int) -> Delivery:
    if 300 <= status < 400:
        return Delivery(False, False, f"answered {status}: redirects are not followed; use the final address")
    retry = status >= 500 or status in (408, 425, 429)
    return Delivery(False, retry, f"answered {status}")


def _mail(channel: Channel, message: Message, mail: Mail, now: datetime) -> Delivery:
    if not mail.url or not mail.sender:
        return Delivery(False, False, "e-mail needs alerts.smtp and alerts.smtp_from in outlay.toml")
    parts = urlsplit(mail.url)
    host, secure = parts.hostname or "", parts.scheme == "smtps"
    server: smtplib.SMTP
    if secure:
        context = ssl.create_default_context()
        server = smtplib.SMTP_SSL(host, parts.port or 465, timeout=TIMEOUT_S, context=context)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=TIMEOUT_S)
    with server:
        server.ehlo()
        if not secure and server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        elif not secure and mail.tls:
            return Delivery(False, True, f"{host}: {NO_TLS}")
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(letter(message, mail.sender, channel.to, now))
    return Delivery(True)


def _short(exc: Exception) -> str:
    return " ".join(str(exc).split())[:200]
