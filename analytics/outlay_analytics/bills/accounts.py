"""The accounts whose bills are pulled, from `[[bills]]` of outlay.toml.

    [[bills]]
    name = "openai"
    provider = "openai"
    key_env = "OPENAI_ADMIN_KEY"

    [[bills]]
    name = "aws"
    provider = "aws"
    path = "/var/exports/focus"

A key never stands in the file: the row names the environment variable or the file that holds it, and it is read anew
for each pull, so that it can be changed without a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, model_validator
from pydantic.dataclasses import dataclass as table

from outlay.errors import ConfigError
from outlay_collector.prices.tables import STRICT, Slips, read_tables

APIS = ("openai", "anthropic", "openrouter")
URLS: Mapping[str, str] = {
    "openai": "https://api.openai.com",
    "anthropic": "https://api.anthropic.com",
    "openrouter": "https://openrouter.ai",
}
MOST_KEY_BYTES = 4096


class NoKey(ConfigError):
    """The key of an account is not where outlay.toml says."""


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or not value.isprintable():
        raise ValueError("must be a name of at most 100 printable characters")
    return value


def _url(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be an http or https URL")
    if value:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.query:
            raise ValueError("must be an http or https URL without user and query")
    return value.rstrip("/")


def _rates(value: object) -> dict[str, Decimal]:
    if not isinstance(value, Mapping):
        raise ValueError('must be a table such as { EUR = "1.0842" }: USD for one unit')
    found: dict[str, Decimal] = {}
    for currency, rate in value.items():
        try:
            amount = Decimal(rate) if isinstance(rate, str) else Decimal("NaN")
        except InvalidOperation:
            amount = Decimal("NaN")
        if not amount.is_finite() or amount <= 0 or not str(currency).isalpha() or len(str(currency)) != 3:
            raise ValueError('must name currencies and rates in quotes, such as { EUR = "1.0842" }: USD for one unit')
        found[str(currency).upper()] = amount
    if "USD" in found:
        raise ValueError("has a rate for USD, which needs none")
    return found


def _day(value: object) -> date | None:
    if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
        raise ValueError("must be a date such as 2026-11-01")
    return value


Text = Annotated[str, BeforeValidator(_name)]


@table(config=STRICT, frozen=True)
class Account:
    """A row of `[[bills]]`.

    Attributes:
        name: What it is called on pages and by commands.
        provider: Whose API is asked, or `aws`, `azure`, `google` and `files` for exports in a folder.
        key_env, key_file: Where the key is.
        url: Where the API is reached, empty for the provider's own address.
        path: Folder of exports, or a bucket's (`s3://…`, `gs://…`, `abfs://…`).
        analytics: Anthropic: whether amounts come from the Analytics API, which knows list prices.
        usd_per: USD for one unit of another currency; without, lines in it are left out and counted.
        usd_per_day: Which day's rates these are.
        project: Project whose calls it is compared with.
    """

    name: Text
    provider: Literal["openai", "anthropic", "openrouter", "aws", "azure", "google", "files"]
    key_env: str = ""
    key_file: str = ""
    key: str = field(default="", repr=False)
    url: Annotated[str, BeforeValidator(_url)] = ""
    path: str = ""
    analytics: bool = False
    usd_per: Annotated[dict[str, Decimal], BeforeValidator(_rates)] = field(default_factory=dict)
    usd_per_day: Annotated[date | None, BeforeValidator(_day)] = None
    project: Text = "default"

    @model_validator(mode="after")
    def _fits(self) -> Account:
        if self.key:
            raise ValueError(
                "a key does not stand in outlay.toml; name the environment variable (key_env) or the file (key_file) "
                "that holds it"
            )
        if self.asks_api:
            if bool(self.key_env) == bool(self.key_file):
                raise ValueError(f"{self.name!r} needs key_env or key_file, one of them: where its key is")
            if self.path:
                raise ValueError(f"{self.name!r} has a path, which provider = {self.provider!r} does not read")
        else:
            if not self.path:
                raise ValueError(f"{self.name!r} needs a path: the folder or bucket of its exports")
            if self.key_env or self.key_file or self.url:
                raise ValueError(f"{self.name!r} has a key or URL, which provider = {self.provider!r} does not use")
        if self.analytics and self.provider != "anthropic":
            raise ValueError(f"{self.name!r} has analytics, which only provider = 'anthropic' knows")
        if bool(self.usd_per) != bool(self.usd_per_day):
            raise ValueError(f"{self.name!r} needs usd_per and usd_per_day together: rates, and which day's they are")
        return self

    @property
    def asks_api(self) -> bool:
        """Whether a provider's API is asked; otherwise files are read."""
        return self.provider in APIS

    @property
    def base(self) -> str:
        """Where the API is reached."""
        return self.url or URLS.get(self.provider, "")

    def read_key(self, environ: Mapping[str, str]) -> str:
        """The key, from where the row says.

        Raises:
            NoKey: If it is not there, or is none.
        """
        if self.key_env:
            key, where = environ.get(self.key_env, "").strip(), f"the environment variable {self.key_env}"
        else:
            where = f"the file {self.key_file!r}"
            try:
                with Path(self.key_file).open("rb") as file:
                    key = file.read(MOST_KEY_BYTES).decode().strip()
            except (OSError, UnicodeDecodeError) as exc:
                why = exc.strerror if isinstance(exc, OSError) else "is no text"
                raise NoKey(f"{where} cannot be read: {why}") from None
        if not key:
            raise NoKey(f"{where} is empty or not set; it has to hold the key")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise NoKey(f"{where} holds no key: it has spaces or characters that no key has")
        return key


def parse_bills(written: object) -> tuple[Account, ...]:
    """The rows of `[[bills]]`.

    Raises:
        ConfigError: Names every row that is wrong, the value and what is allowed.
    """
    rows = tuple(read_tables(Account, written, "bills"))
    slips, seen = Slips(), set()
    for row in rows:
        with slips.gathered():
            if row.name in seen:
                raise ConfigError(f"[[bills]] names two accounts {row.name!r}; each needs a name of its own")
        seen.add(row.name)
    slips.raise_all()
    return rows


def shown(account: Account) -> dict[str, Any]:
    """An account as people may see it: where its key is, never the key."""
    return {
        "name": account.name,
        "provider": account.provider,
        "source": account.base if account.asks_api else account.path,
        "key": f"${account.key_env}" if account.key_env else account.key_file or None,
        "project": account.project,
    }
