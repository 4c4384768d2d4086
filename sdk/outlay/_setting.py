"""One setting: its name, default, unit and sentence, and how its text is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes:
        name: Field name; the variable is ``OUTLAY_`` + the name in upper case.
        default: Value when nothing is set. Its type decides how text is read, unless `parse` is given.
        unit: "", or what the number counts: bytes, ms, s, spans.
        help: One sentence for docs/settings.md.
        otel: Standard OpenTelemetry variables that are read when ours is not set, in order.
        allowed: The values that are accepted; empty means any.
        minimum: Smallest number accepted.
        parse: Reads the text instead of the default's type.
        secret: The value is never shown.
    """

    name: str
    default: Any
    unit: str
    help: str
    otel: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    parse: Callable[[str], Any] | None = None
    secret: bool = False

    @property
    def variable(self) -> str:
        """Name of the environment variable."""
        return "OUTLAY_" + self.name.upper()

    def read(self, text: str, source: str = "") -> Any:
        """The value that `text` means.

        Raises:
            ConfigError: Naming the setting, its value and what is allowed.
        """
        where = source or self.variable
        shown = where if self.secret else f"{where}={text!r}"
        try:
            value = self.parse(text) if self.parse else _READERS[type(self.default)](text)
        except (ValueError, KeyError):
            expected = "true or false" if isinstance(self.default, bool) else f"a value like {self.default!r}"
            raise ConfigError(f"{shown}: expected {expected}") from None
        if self.allowed and value not in self.allowed:
            raise ConfigError(f"{shown}: expected one of {', '.join(self.allowed)}")
        if self.minimum is not None and value < self.minimum:
            raise ConfigError(f"{shown}: expected at least {self.minimum:g}")
        return value

    def take(self, value: Any) -> Any:
        """The value that code gave: text is read as in the environment, anything else must be of the right kind.

        Raises:
            ConfigError: Naming the setting and what is allowed.
        """
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str) and (self.parse or not isinstance(self.default, str)):
            return self.read(value, self.name)
        kind: Any = Mapping if self.parse is read_headers else type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            shown = self.name if self.secret else f"{self.name}={value!r}"
            raise ConfigError(f"{shown}: expected {getattr(kind, '__name__', kind)}, not {type(value).__name__}")
        if isinstance(value, Mapping):
            return {str(name): str(entry) for name, entry in value.items()}
        return value if self.secret else self.read(str(value), self.name)


def read_settings(
    table: Sequence[Setting],
    environ: Mapping[str, str],
    on_error: Callable[[ConfigError], None] | None = None,
) -> dict[str, Any]:
    """Values of every setting of `table`: the variable, else its OpenTelemetry twin, else the default.

    Args:
        table: The settings to read.
        environ: Environment variables.
        on_error: Called with each bad value, which is then replaced by the default; without it the error is raised.

    Raises:
        ConfigError: If a value is wrong and `on_error` is not given.
    """
    values: dict[str, Any] = {}
    for setting in table:
        values[setting.name] = setting.default
        for variable in (setting.variable, *setting.otel):
            text = environ.get(variable, "").strip()
            if not text:
                continue
            try:
                values[setting.name] = setting.read(text, variable)
            except ConfigError as error:
                if on_error is None:
                    raise
                on_error(error)
            break
    return values


def _bool(text: str) -> bool:
    return {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}[
        text.lower()
    ]


def read_headers(text: str) -> dict[str, str]:
    from urllib.parse import unquote

    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not sep for _, sep, _ in pairs):
        raise ValueError(text)
    return {unquote(name.strip()).lower(): unquote(value.strip()) for name, _, value in pairs}


def read_ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


_READERS: dict[type, Callable[[str], Any]] = {bool: _bool, int: int, float: float, str: str}
