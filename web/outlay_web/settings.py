"""The server's settings: one pydantic model, from which the table in docs/settings.md is printed.

Every field says what its value is counted in, what is allowed and what it does. A text (a flag, a variable, a value of
outlay.toml) is read by the field's own reader.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from pydantic import GetCoreSchemaHandler
from pydantic.dataclasses import dataclass as table
from pydantic_core import CoreSchema, core_schema

from outlay_collector.prices.tables import STRICT
from outlay_web import texts
from outlay_web.texts import ROLES

LOG_LEVELS = ("debug", "info", "warning", "error")
PORT = "a port from 0 to 65535; 0 picks a free one"


@dataclass(frozen=True)
class Row:
    """What the settings table says of a field beside its name.

    Attributes:
        unit: What the value is counted in, or its kind.
        allowed: What is allowed, as the error message says it.
        sentence: What it does.
        read: Text to value; raises ValueError.
        default: As a person would write it, where that is not the field's own.
        also: An OTEL_* variable that is read when OUTLAY_NAME is not set.
        secret: Never shown, and refused in outlay.toml.
    """

    unit: str
    allowed: str
    sentence: str
    read: Callable[[str], Any]
    default: str = ""
    also: str = ""
    secret: bool = False

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._value, handler(source))

    def _value(self, given: Any) -> Any:
        if not isinstance(given, str):
            return given
        try:
            return self.read(given)
        except (ValueError, OverflowError) as exc:
            raise ValueError(f"cannot be used; allowed: {self.allowed}") from exc


@dataclass(frozen=True)
class Setting(Row):
    """One row of the settings table; `name` is the field of `Settings` and the key in outlay.toml."""

    name: str = ""

    @property
    def variable(self) -> str:
        """In the environment."""
        return "OUTLAY_" + self.name.upper()


def user_data_dir(environ: Mapping[str, str]) -> Path:
    """Where this system keeps a user's data."""
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "outlay"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "outlay"


@table(config=STRICT, frozen=True, repr=False)
class Settings:
    """The server's settings; one field per row of the table."""

    data: Annotated[
        Path,
        Row(
            "path",
            "a directory",
            "Holds the embedded store, the spool and the lock file.",
            texts.path,
            default="the user's data directory",
        ),
    ]
    store_dsn: Annotated[
        str,
        Row(
            "DSN",
            "clickhouse://user:password@host:8123/database or chdb:///path; empty: embedded in the data directory",
            "The store: embedded, or a ClickHouse server.",
            texts.text,
            secret=True,
        ),
    ] = ""
    host: Annotated[
        str,
        Row(
            "address",
            "an address or host name of this machine",
            "Address to listen on; beyond loopback only with keys.",
            texts.text,
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Row("port", PORT, "HTTP port: OTLP, pages, JSON API, /metrics, /healthz, /readyz.", texts.whole(0, 65535)),
    ] = 4318
    grpc_port: Annotated[
        int,
        Row("port", PORT + "; off: none", "Port of OTLP over gRPC.", texts.grpc_port),
    ] = 4317
    roles: Annotated[
        tuple[str, ...],
        Row("list", "receive, jobs and web, with commas", "What this process does.", texts.roles),
    ] = ROLES
    keys: Annotated[
        str,
        Row(
            "choice",
            "on, off or auto (on when a bootstrap key is set)",
            "Whether requests need a key; a key decides the project.",
            texts.choice("auto", "on", "off"),
        ),
    ] = "auto"
    bootstrap_key: Annotated[
        str,
        Row(
            "text",
            "at least 16 printable characters without spaces",
            "An administrator's key that needs no store: to create the others with.",
            texts.bootstrap_key,
            secret=True,
        ),
    ] = ""
    password: Annotated[
        str,
        Row(
            "text",
            "at least 8 characters",
            "Password of the pages; with keys on and no password, an administrator's key opens them.",
            texts.password,
            secret=True,
        ),
    ] = ""
    session_hours: Annotated[
        int,
        Row("hours", "a whole number from 1 to 8760", "How long a login to the pages lasts.", texts.whole(1, 8760)),
    ] = 168
    allowed_hosts: Annotated[
        tuple[str, ...],
        Row(
            "list",
            "host names with commas, or *",
            "Host names the server answers to, beside loopback; any when requests are authenticated.",
            texts.parts,
        ),
    ] = ()
    public_url: Annotated[
        str,
        Row("URL", "an http or https URL", "Where people reach the pages; used for links in alerts.", texts.url),
    ] = ""
    spool_quota_bytes: Annotated[
        int,
        Row(
            "bytes",
            "a whole number of at least 67108864",
            "Accepted data that may wait on disk before requests are answered 503.",
            texts.whole(64 << 20, 1 << 62),
        ),
    ] = 10 << 30
    max_connections: Annotated[
        int,
        Row(
            "connections",
            "a whole number from 8 to 65536",
            "Open HTTP connections; more are answered 503.",
            texts.whole(8, 65536),
        ),
    ] = 1024
    trusted_proxies: Annotated[
        tuple[str, ...],
        Row(
            "list",
            "addresses and networks (10.0.0.0/8), with commas",
            "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; from everybody else they are ignored.",
            texts.networks,
        ),
    ] = ()
    log_level: Annotated[
        str,
        Row(
            "choice",
            "debug, info, warning or error",
            "What is written to stderr.",
            texts.choice(*LOG_LEVELS),
            also="OTEL_LOG_LEVEL",
        ),
    ] = "info"
    url: Annotated[
        str,
        Row(
            "URL",
            "an http or https URL",
            "The running server that commands ask; empty: the one that holds the data directory.",
            texts.url,
        ),
    ] = ""
    api_key: Annotated[
        str,
        Row("text", "a key", "Key that commands send to the server.", texts.text, secret=True),
    ] = ""

    def __repr__(self) -> str:
        shown = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return "Settings(" + ", ".join(f"{n}={'…' if BY_NAME[n].secret and v else repr(v)}" for n, v in shown) + ")"

    @property
    def dsn(self) -> str:
        """The store's DSN, the embedded one where none is set."""
        from urllib.parse import quote

        return self.store_dsn or f"chdb://{quote(str(self.data / 'db'))}"

    @property
    def keys_on(self) -> bool:
        return self.keys == "on" or (self.keys == "auto" and bool(self.bootstrap_key))

    @property
    def loopback(self) -> bool:
        return is_loopback(self.host)


def _settings() -> tuple[Setting, ...]:
    """The table, from the model's fields."""
    hints = get_type_hints(Settings, include_extras=True)
    found = []
    for field in dataclasses.fields(Settings):
        [row] = [one for one in hints[field.name].__metadata__ if isinstance(one, Row)]
        default = row.default or ("" if field.default is MISSING else _written(field.default))
        found.append(Setting(**{**vars(row), "default": default}, name=field.name))
    return tuple(found)


def _written(value: object) -> str:
    """A default as a person would write it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)


SETTINGS = _settings()
BY_NAME = {setting.name: setting for setting in SETTINGS}


def is_loopback(host: str) -> bool:
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
