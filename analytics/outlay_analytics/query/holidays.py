"""Public holidays, and days of one's own, on which less is spent than on others.

    [holidays]
    countries = ["DE-BY", "US"]      # ISO 3166: a country, or one of its parts
    timezone = "Europe/Berlin"       # where these days begin; UTC unless given

    [[holidays.closed]]
    first = 2026-12-24
    last = 2026-12-31
    name = "works holidays"

Which day is one comes from the `holidays` package; it is loaded only where a country is named.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from outlay.errors import ConfigError
from outlay_analytics.query.window import parse_timezone

OWN = "closed"  # the calendar of days of one's own
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Holiday:
    """A day on which less is spent, or more.

    Attributes:
        name: In English where the package has it.
        calendars: Whose day it is: `DE-BY`, `US`, `closed`.
    """

    day: date
    name: str
    calendars: tuple[str, ...]


@dataclass(frozen=True)
class Holidays:
    """Whose holidays count.

    Attributes:
        countries: ISO 3166 codes of countries, or of their parts.
        closed: Days of one's own with their names.
        timezone: Where the days begin, for hours that are asked for in no zone.
    """

    countries: tuple[str, ...] = ()
    closed: Mapping[date, str] = field(default_factory=dict)
    timezone: str = "UTC"

    def __bool__(self) -> bool:
        return bool(self.countries or self.closed)

    def on(self, day: date) -> Holiday | None:
        """The holiday on a day, None where it is none."""
        named = [(country, _of_year(country, day.year).get(day, "")) for country in self.countries]
        named.append((OWN, self.closed.get(day, "")))
        said = [(calendar, name) for calendar, name in named if name]
        if not said:
            return None
        names = dict.fromkeys(name for _, name in said)
        return Holiday(day, ", ".join(names), tuple(calendar for calendar, _ in said))

    def among(self, days: Sequence[date]) -> list[Holiday]:
        """Those of some days, each once, in order."""
        return [found for day in sorted(set(days)) if (found := self.on(day)) is not None]

    def days_of(self, times: Sequence[datetime], timezone: str = "") -> list[date]:
        """The day that each instant lies in, in a zone; in that of the holidays without one."""
        zone = parse_timezone(timezone or self.timezone)
        return [at.astimezone(zone).date() for at in times]


NO_HOLIDAYS = Holidays()


def parse_holidays(section: object) -> Holidays:
    """Read `[holidays]` of outlay.toml.

    Raises:
        ConfigError: For a country or part of one that nobody knows, or a day that is none.
    """
    # Models only where a file is read: every command imports this module, and `--help` waits for nothing.
    from outlay_analytics.query.holiday_table import ClosedTable, HolidaysTable
    from outlay_collector.prices.tables import Slips, read_table

    written = read_table(HolidaysTable, section, "[holidays]")
    slips, closed = Slips(), dict[date, str]()
    for number, one in enumerate(written.closed, 1):
        with slips.gathered():
            days = read_table(ClosedTable, one, f"[[holidays.closed]] #{number}")
            length = ((days.last or days.first) - days.first).days + 1
            closed |= {days.first + k * DAY: days.name or OWN for k in range(length)}
    for code in written.countries:
        with slips.gathered():
            _check(code)
    slips.raise_all()
    return Holidays(tuple(dict.fromkeys(written.countries)), closed, written.timezone)


def _check(code: str) -> None:
    """Refuse what no calendar is known of."""
    import holidays

    known = holidays.list_supported_countries()
    country, _, part = code.partition("-")
    where = f"[holidays] countries = {code[:80]!r}"
    if country not in known or (not part and code != country):
        raise ConfigError(f"{where} is no country that is known by its ISO 3166 code{_near_country(code, known)}")
    if part and part not in known[country]:
        parts = known[country]
        near = difflib.get_close_matches(part.upper(), parts, 1)
        hint = f"; did you mean {country}-{near[0]}?" if near else ""
        told = ", ".join(parts) if parts else "it has none"
        raise ConfigError(f"{where}: {country} has no part {part[:80]!r}{hint}; its parts: {told}")


def _near_country(code: str, known: Mapping[str, Any]) -> str:
    from holidays.registry import COUNTRIES

    by_word = {word.casefold(): entry[1] for name, entry in COUNTRIES.items() for word in (name, *entry)}
    by_word = {word: short for word, short in by_word.items() if short in known}
    wanted = code.casefold().replace(" ", "_")
    begun = [word for word in by_word if len(wanted) > 2 and word.startswith(wanted)]
    near = begun or difflib.get_close_matches(wanted, by_word, 3) or difflib.get_close_matches(wanted[:2], by_word, 3)
    shorts = list(dict.fromkeys(by_word[word] for word in near))[:3]
    return f"; did you mean {' or '.join(shorts)}?" if shorts else "; write it as DE or US-CA"


@cache
def _of_year(code: str, year: int) -> Mapping[date, str]:
    import holidays

    country, _, part = code.partition("-")
    plain = holidays.country_holidays(country, subdiv=part or None, years=year)
    english = next((one for one in plain.supported_languages if one.startswith("en")), None)
    if english and english != plain.language:
        plain = holidays.country_holidays(country, subdiv=part or None, years=year, language=english)
    return {day: str(plain[day]) for day in plain if day.year == year}
