"""Reads the configuration once, at start: flags, OUTLAY_* variables and outlay.toml, in that order.

Keys that nobody knows, and values that cannot be used, stop the start: all of them at once, each with its place, its
value and what is allowed. `settings.py` has the table, `server/sections.py` what the file holds beside it.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from outlay.errors import ConfigError
from outlay_collector.prices.tables import Slips
from outlay_web.settings import BY_NAME, SETTINGS, Setting, Settings, user_data_dir
from outlay_web.texts import OFF, ROLES

__all__ = ["OFF", "ROLES", "SECTIONS", "SETTINGS", "Config", "Settings", "load_config", "refuse_unknown_variables"]

SECTIONS = (
    "budgets",
    "rules",
    "alerts",
    "bills",
    "prices",
    "discounts",
    "aliases",
    "projects",
    "model_tiers",
    "attributes",
    "revenue",
    "holidays",
)
SERVICE_LINK = re.compile(r"OUTLAY_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_\w+)")
SECRET_NAME = re.compile(r"KEY|PASS|SECRET|TOKEN|DSN|HEADERS")
READER = TypeAdapter(Settings)


@dataclass(frozen=True)
class Config:
    """Settings, and the other sections of outlay.toml as they were written."""

    settings: Settings
    sections: Mapping[str, Any]
    file: Path | None = None


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
    data = _data_dir(given, environ)
    named = file or (Path(environ["OUTLAY_CONFIG"]) if environ.get("OUTLAY_CONFIG") else None)
    path = named or data / "outlay.toml"
    written = _read_file(path) if named or path.is_file() else {}
    slips = Slips()
    with slips.gathered():
        _refuse_unknown_keys(written, path)
    values: dict[str, Any] = {"data": user_data_dir(environ)}
    sources: dict[str, str] = {}
    for setting in SETTINGS:
        with slips.gathered():
            found = _given(setting, given, environ, written, path)
            if found is not None and (setting.name != "data" or found[1].strip()):  # no directory: the user's
                sources[setting.name], values[setting.name] = found
    settings = None
    with slips.gathered():
        settings = _read(values, sources)
    slips.raise_all()
    assert settings is not None
    sections = {name: written[name] for name in SECTIONS if name in written}
    return Config(settings, sections, path if written or named else None)


def _given(
    setting: Setting, flags: Mapping[str, str], environ: Mapping[str, str], written: Mapping[str, Any], path: Path
) -> tuple[str, str] | None:
    """Where a setting is given first, and its text; None if nowhere.

    Raises:
        ConfigError: If the file has no text there.
    """
    name, variable = setting.name, setting.variable
    if name in flags:
        return "--" + name.replace("_dsn", "").replace("_", "-"), flags[name]
    if environ.get(variable) and not _of_kubernetes(variable, environ[variable]):
        return variable, environ[variable]
    if setting.also and environ.get(setting.also):
        return setting.also, environ[setting.also]
    if name in written and not _refused_in_file(name):
        return f"{path}: {name}", _as_text(written[name], f"{path}: {name}")
    return None


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
    return written


def _refuse_unknown_keys(written: Mapping[str, Any], path: Path) -> None:
    known = {setting.name for setting in SETTINGS if not _refused_in_file(setting.name)} | set(SECTIONS)
    slips = Slips()
    for name in written:
        with slips.gathered():
            if _refused_in_file(name):
                raise ConfigError(
                    f"{path}: {name} is a secret; set {BY_NAME[name].variable} in the environment instead"
                )
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]!r}? " if near else ""
                raise ConfigError(f"{path}: unknown key {name!r}; {hint}allowed: {', '.join(sorted(known))}")
    slips.raise_all()


def _refused_in_file(name: str) -> bool:
    """Outlay's own keys and passwords; what it needs to reach the store may stand there."""
    return name in BY_NAME and BY_NAME[name].secret and name != "store_dsn"


def _as_text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (str, int)):
        return str(value)
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    raise ConfigError(f"{where} = {value!r} is not a text, a whole number or a list of texts")


def _data_dir(given: Mapping[str, str], environ: Mapping[str, str]) -> Path:
    """Where outlay.toml is looked for: the data directory of flag or variable."""
    text = given.get("data") or environ.get("OUTLAY_DATA", "")
    home = user_data_dir(environ)
    return _read({"data": text if text.strip() else home}, {"data": "OUTLAY_DATA"}).data


def _read(values: Mapping[str, Any], sources: Mapping[str, str]) -> Settings:
    """The settings.

    Args:
        values: Texts, by setting.
        sources: Where each is from.

    Raises:
        ConfigError: Names what cannot be used.
    """
    try:
        return READER.validate_python(dict(values))
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
    slips = Slips()
    for error in errors:
        name = str(error["loc"][0])
        shown = "(hidden)" if BY_NAME[name].secret else repr(str(error["input"])[:200])
        words = str(error["ctx"]["error"]) if error["type"] == "value_error" else error["msg"]
        with slips.gathered():
            raise ConfigError(f"{sources.get(name, name)} = {shown} {words}")
    slips.raise_all()
    raise AssertionError
