"""Server settings: one table, read once at start from flags, OUTLAY_* variables and outlay.toml, in that order.

A key that nobody knows, or a value that cannot be used, stops the start with the name, the value and what is allowed.
`config_docs.py` prints the table as docs/settings.md.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from outlay.errors import ConfigError

ROLES = ("receive", "jobs", "web")
LOG_LEVELS = ("debug", "info", "warning", "error")
SECTIONS = ("budgets", "alerts", "prices", "discounts", "aliases", "projects", "model_tiers")
OFF = -1
SERVICE_LINK = re.compile(r"OUTLAY_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+)")
SECRET_NAME = re.compile(r"KEY|PASS|SECRET|TOKEN|DSN|HEADERS")


@dataclass(frozen=True)
class Setting:
    """One row of the settings table.

    Attributes:
        name: Field of `Settings`, key in outlay.toml, and OUTLAY_NAME in the environment.
        default: As a person would write it.
        unit: What the value is counted in, or its kind.
        allowed: What is allowed, as the error message says it.
        sentence: What it does.
        read: Text to value; raises ValueError.
        also: An OTEL_* variable that is read when OUTLAY_NAME is not set.
        secret: Never shown, and refused in outlay.toml.
    """

    name: str
    default: str
    unit: str
    allowed: str
    sentence: str
    read: Callable[[str], Any]
    also: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        return "OUTLAY_" + self.name.upper()


def user_data_dir(environ: Mapping[str, str]) -> Path:
    """Where this system keeps a user's data."""
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "outlay"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "outlay"


def _text(value: str) -> str:
    if any(ord(char) < 32 for char in value):
        raise ValueError
    return value.strip()


def _path(value: str) -> Path | None:
    return Path(value).expanduser().absolute() if _text(value) else None


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        number = int(value)
        if not low <= number <= high:
            raise ValueError
        return number

    return read


def _grpc_port(value: str) -> int:
    return OFF if value.strip().lower() == "off" else _whole(0, 65535)(value)


def _roles(value: str) -> tuple[str, ...]:
    chosen = _list(value)
    if not chosen or set(chosen) - set(ROLES):
        raise ValueError
    return tuple(role for role in ROLES if role in chosen)


def _list(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _text(value).split(",") if part.strip())


def _networks(value: str) -> tuple[str, ...]:
    from ipaddress import ip_network

    return tuple(str(ip_network(part)) for part in _list(value))


def _choice(*names: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value.strip().lower() not in names:
            raise ValueError
        return value.strip().lower()

    return read


def _bootstrap_key(value: str) -> str:
    if value and (len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value):
        raise ValueError
    return value


def _password(value: str) -> str:
    if value and len(value) < 8:
        raise ValueError
    return value


def _url(value: str) -> str:
    from urllib.parse import urlsplit

    text = _text(value).rstrip("/")
    if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
        raise ValueError
    return text


_PORT = "a port from 0 to 65535; 0 picks a free one"

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "data",
        "the user's data directory",
        "path",
        "a directory",
        "Holds the embedded store, the spool and the lock file.",
        _path,
    ),
    Setting(
        "store_dsn",
        "",
        "DSN",
        "clickhouse://user:password@host:8123/database or chdb:///path; empty: embedded in the data directory",
        "The store: embedded, or a ClickHouse server.",
        _text,
        secret=True,
    ),
    Setting(
        "host",
        "127.0.0.1",
        "address",
        "an address or host name of this machine",
        "Address to listen on; beyond loopback only with keys.",
        _text,
    ),
    Setting(
        "port",
        "4318",
        "port",
        _PORT,
        "HTTP port: OTLP, pages, JSON API, /metrics, /healthz, /readyz.",
        _whole(0, 65535),
    ),
    Setting("grpc_port", "4317", "port", _PORT + "; off: none", "Port of OTLP over gRPC.", _grpc_port),
    Setting(
        "roles", "receive,jobs,web", "list", "receive, jobs and web, with commas", "What this process does.", _roles
    ),
    Setting(
        "keys",
        "auto",
        "choice",
        "on, off or auto (on when a bootstrap key is set)",
        "Whether requests need a key; a key decides the project.",
        _choice("auto", "on", "off"),
    ),
    Setting(
        "bootstrap_key",
        "",
        "text",
        "at least 16 printable characters without spaces",
        "An administrator's key that needs no store: to create the others with.",
        _bootstrap_key,
        secret=True,
    ),
    Setting(
        "password",
        "",
        "text",
        "at least 8 characters",
        "Password of the pages; with keys on and no password, an administrator's key opens them.",
        _password,
        secret=True,
    ),
    Setting(
        "session_hours",
        "168",
        "hours",
        "a whole number from 1 to 8760",
        "How long a login to the pages lasts.",
        _whole(1, 8760),
    ),
    Setting(
        "allowed_hosts",
        "",
        "list",
        "host names with commas, or *",
        "Host names the server answers to, beside loopback; any when requests are authenticated.",
        _list,
    ),
    Setting(
        "public_url", "", "URL", "an http or https URL", "Where people reach the pages; used for links in alerts.", _url
    ),
    Setting(
        "spool_quota_bytes",
        "10737418240",
        "bytes",
        "a whole number of at least 67108864",
        "Accepted data that may wait on disk before requests are answered 503.",
        _whole(64 << 20, 1 << 62),
    ),
    Setting(
        "max_connections",
        "1024",
        "connections",
        "a whole number from 8 to 65536",
        "Open HTTP connections; more are answered 503.",
        _whole(8, 65536),
    ),
    Setting(
        "trusted_proxies",
        "",
        "list",
        "addresses and networks (10.0.0.0/8), with commas",
        "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; from everybody else they are ignored.",
        _networks,
    ),
    Setting(
        "log_level",
        "info",
        "choice",
        "debug, info, warning or error",
        "What is written to stderr.",
        _choice(*LOG_LEVELS),
        also="OTEL_LOG_LEVEL",
    ),
    Setting(
        "url",
        "",
        "URL",
        "an http or https URL",
        "The running server that commands ask; empty: the one that holds the data directory.",
        _url,
    ),
    Setting("api_key", "", "text", "a key", "Key that commands send to the server.", _text, secret=True),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}


@dataclass(frozen=True)
class Settings:
    """The server's settings; one field per row of the table, described there."""

    data: Path
    store_dsn: str = ""
    host: str = "127.0.0.1"
    port: int = 4318
    grpc_port: int = 4317
    roles: tuple[str, ...] = ROLES
    keys: str = "auto"
    bootstrap_key: str = ""
    password: str = ""
    session_hours: int = 168
    allowed_hosts: tuple[str, ...] = ()
    public_url: str = ""
    spool_quota_bytes: int = 10 << 30
    max_connections: int = 1024
    trusted_proxies: tuple[str, ...] = ()
    log_level: str = "info"
    url: str = ""
    api_key: str = ""

    def __repr__(self) -> str:
        shown = ((field.name, getattr(self, field.name)) for field in fields(self))
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


@dataclass(frozen=True)
class Config:
    """Settings, and the other sections of outlay.toml as they were written."""

    settings: Settings
    sections: Mapping[str, Any]
    file: Path | None = None


def is_loopback(host: str) -> bool:
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def load_config(
    environ: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None, file: Path | None = None
) -> Config:
    """Read settings from flags, the environment and outlay.toml.

    Args:
        flags: Values given on the command line, as text, by setting name; None means not given.
        file: From `--config`; otherwise OUTLAY_CONFIG, otherwise outlay.toml in the data directory if there is one.

    Raises:
        ConfigError: For an unknown key or a value that cannot be used.
    """
    environ = os.environ if environ is None else environ
    given = {name: str(value) for name, value in (flags or {}).items() if value is not None}
    data = _read(BY_NAME["data"], given.get("data") or environ.get("OUTLAY_DATA", ""), "OUTLAY_DATA")
    named = file or (Path(environ["OUTLAY_CONFIG"]) if environ.get("OUTLAY_CONFIG") else None)
    path = named or (data or user_data_dir(environ)) / "outlay.toml"
    written = _read_file(path) if named or path.is_file() else {}
    values: dict[str, Any] = {"data": user_data_dir(environ)}
    for setting in SETTINGS:
        if setting.name in given:
            source, text = "--" + setting.name.replace("_dsn", "").replace("_", "-"), given[setting.name]
        elif environ.get(setting.variable) and not _of_kubernetes(setting.variable, environ[setting.variable]):
            source, text = setting.variable, environ[setting.variable]
        elif setting.also and environ.get(setting.also):
            source, text = setting.also, environ[setting.also]
        elif setting.name in written:
            source, text = f"{path}: {setting.name}", _as_text(written[setting.name], f"{path}: {setting.name}")
        else:
            continue
        value = _read(setting, text, source)
        if value is not None:
            values[setting.name] = value
    sections = {name: written[name] for name in SECTIONS if name in written}
    return Config(Settings(**values), sections, path if written or named else None)


def refuse_unknown_variables(environ: Mapping[str, str], also_known: frozenset[str] = frozenset()) -> None:
    """Refuse OUTLAY_* variables that mean nothing: a misspelled one would leave its default in force, unseen.

    Args:
        also_known: Variables of the SDK, which may run beside the server.

    Raises:
        ConfigError: Names each with its value, the setting that may be meant, and what there is.
    """
    known = {setting.variable for setting in SETTINGS} | {"OUTLAY_CONFIG"}
    lines = []
    for name, value in sorted(environ.items()):
        ours = name.startswith("OUTLAY_") and not name.startswith(("OUTLAY_TEST", "OUTLAY_CHROMIUM"))
        if not ours or name in known | also_known or _of_kubernetes(name, value):
            continue
        near = difflib.get_close_matches(name, known | also_known, 1)
        shown = "(hidden)" if SECRET_NAME.search(" ".join([name, *near])) else repr(value[:200])
        lines.append(f"{name} = {shown} is not a setting of Outlay" + (f"; did you mean {near[0]}?" if near else ""))
    if lines:
        raise ConfigError("; ".join(lines) + f"; allowed: {', '.join(sorted(known))}, and the SDK's")


def _of_kubernetes(name: str, value: str) -> bool:
    """Whether it is what Kubernetes tells every pod of a Service called `outlay`."""
    return bool(SERVICE_LINK.fullmatch(name)) or (name == "OUTLAY_PORT" and value.startswith(("tcp://", "udp://")))


def _read_file(path: Path) -> dict[str, Any]:
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"cannot read the config file {str(path)!r}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the config file {str(path)!r} is not valid TOML: {exc}") from exc
    secrets = {setting.name for setting in SETTINGS if setting.secret and setting.name != "store_dsn"}
    known = {setting.name for setting in SETTINGS} - secrets | set(SECTIONS)
    for name in written:
        if name in secrets:
            raise ConfigError(f"{path}: {name} is a secret; set {BY_NAME[name].variable} in the environment instead")
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise ConfigError(f"{path}: unknown key {name!r}; {hint}allowed: {', '.join(sorted(known))}")
    return written


def _as_text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    raise ConfigError(f"{where} = {value!r} is not a text, a whole number or a list of texts")


def _read(setting: Setting, text: str, source: str) -> Any:
    try:
        return setting.read(text)
    except (ValueError, OverflowError) as exc:
        shown = "(hidden)" if setting.secret else repr(text[:200])
        raise ConfigError(f"{source} = {shown} cannot be used; allowed: {setting.allowed}") from exc
