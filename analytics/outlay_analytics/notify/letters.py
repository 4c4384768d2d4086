"""A message as a letter: plain text, and the same as HTML with the last days as bars.

The bars are cells of a table, since mail programs draw tables and neither SVG nor pictures that are not asked for.
Every bar has its amount beside it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from email.message import EmailMessage
from email.utils import format_datetime
from html import escape

from outlay_analytics.notify.messages import ADVICE_WORDS, Message, advice_of, driver_words, plain_text
from outlay_analytics.query.text import usd

WIDEST_PX = 320
BAR, BAR_UNDER_WAY = "#2563eb", "#93c5fd"


def letter(message: Message, sender: str, to: tuple[str, ...], now: datetime) -> EmailMessage:
    """The message as it is sent by e-mail."""
    made = EmailMessage()
    made["Subject"] = " ".join(message.title.split())[:200]
    made["From"] = sender
    made["To"] = ", ".join(to)
    made["Date"] = format_datetime(now.astimezone(UTC))
    made["Message-ID"] = f"<{message.message_id}@{sender.rpartition('@')[2].strip('<> ')}>"
    made.set_content(plain_text(message))
    made.add_alternative(html(message), subtype="html")
    return made


def html(message: Message) -> str:
    """The message as HTML without scripts, pictures or addresses but its own links."""
    parts = [f"<h2>{escape(message.title)}</h2>"]
    parts += [f"<p><b>{ADVICE_WORDS[name].capitalize()}:</b> {escape(text)}</p>" for name, text in _advice(message)]
    if message.text:
        parts.append(f"<pre>{escape(message.text)}</pre>{_link(message.link)}")
    for entry in message.entries:
        since = f"since {entry.starts_at}" + (f", ended {entry.ends_at}" if entry.status == "resolved" else "")
        parts.append(
            f"<h3>{escape(entry.summary)}</h3><p>{escape(entry.description)}</p>"
            f"<p>{escape(since)}; drivers: {escape(driver_words(entry.drivers))}</p>"
            f"{_link(entry.link)}<p><small>silence: {escape(entry.silence)}</small></p>"
        )
    if message.chart:
        parts.append(_bars(message.chart))
    return f'<!doctype html><html><body style="font-family:sans-serif">{"".join(parts)}</body></html>\n'


def _advice(message: Message) -> list[tuple[str, str]]:
    return list(advice_of(message).items())


def _link(address: str) -> str:
    return f'<p><a href="{escape(address)}">{escape(address)}</a></p>'


def _bars(chart: tuple[tuple[str, str], ...]) -> str:
    """One row a day; the last day is under way and paler."""
    amounts = [Decimal(amount) for _, amount in chart]
    most = max(amounts) or Decimal(1)
    rows = []
    for number, ((day, _), amount) in enumerate(zip(chart, amounts, strict=True)):
        width = round(WIDEST_PX * max(amount, Decimal(0)) / most)
        color = BAR_UNDER_WAY if number == len(chart) - 1 else BAR
        bar = f'<table cellspacing="0"><tr><td width="{width}" height="12" bgcolor="{color}"></td></tr></table>'
        cells = (f'<td align="right">{escape(day)}</td>', f"<td>{bar if width else ''}</td>", f"<td>{usd(amount)}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<h3>Spend a day</h3><table cellspacing="2">{"".join(rows)}</table>'
