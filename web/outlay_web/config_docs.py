"""docs/settings.md, printed from the settings tables: `python -m outlay_web.config_docs`."""

from __future__ import annotations

from importlib.resources import files

from outlay.settings import SETTINGS as SDK_SETTINGS
from outlay_web.config import SETTINGS

INTRODUCTION = """# Settings

Printed from the code by `make docs`; a test compares the two.

## Server and commands

A flag wins over the variable, the variable over `outlay.toml`. The file is the one that `--config` or `OUTLAY_CONFIG`
names, otherwise `outlay.toml` in the data directory. A key of the file or an `OUTLAY_*` variable that is not listed
here, or a value that is not allowed, stops the start with a message that names it, its value and what is allowed.
Outlay's own keys and passwords are read from the environment only. What it needs to reach others (the store's password,
webhooks' secrets) may stand in the file: let only Outlay read it.

| variable | in outlay.toml | default | unit | what it does | allowed |
|---|---|---|---|---|---|
"""
SECTIONS = """
## Sections of outlay.toml

Budgets, alerts, prices, projects, model tiers, attributes, revenue and holidays can be written here, so that they are
reviewed like code. Amounts are decimals in quotes. The file is read once, at start.

- `[[budgets]]`: amounts per period, with whom to tell
- `[[rules]]`: what else is watched, from which value on, with whom to tell
- `[alerts]` and `[[alerts.channels]]`: where messages may go, and what raises one
- `[[prices]]`, `[[discounts]]`, `[[aliases]]`: your own prices, which win over the catalogue's
- `[[projects]]`: projects with their keys by hash
- `[model_tiers]`: which models are frontier, mid, cheap or local
- `[attributes]`: which of your attributes say what a call is for, and other words for their values
- `[[revenue]]`: what customers pay, for their margin
- `[holidays]` and `[[holidays.closed]]`: days on which less is expected

A file with everything in it:

```toml
"""
SDK = """```

## SDK

Read from the environment by `outlay.init()`, whose arguments win. A value that cannot be used is logged once and the
default is taken: the application never fails because of it.

| variable | default | unit | what it does |
|---|---|---|---|
"""


def example() -> str:
    """An outlay.toml that uses every section and key."""
    return files("outlay_web").joinpath("outlay.example.toml").read_text(encoding="utf-8")


def markdown() -> str:
    """The page docs/settings.md holds."""
    return INTRODUCTION + _server_rows() + SECTIONS + example() + SDK + _sdk_rows()


def _server_rows() -> str:
    lines = []
    for setting in SETTINGS:
        key = "no (a secret)" if setting.secret and setting.name != "store_dsn" else f"`{setting.name}`"
        variable = f"`{setting.variable}`" + (f", `{setting.also}`" if setting.also else "")
        plain = not setting.default or " " in setting.default
        default = (setting.default or "none") if plain else f"`{setting.default}`"
        lines.append(f"| {variable} | {key} | {default} | {setting.unit} | {setting.sentence} | {setting.allowed} |\n")
    return "".join(lines)


def _sdk_rows() -> str:
    lines = []
    for setting in SDK_SETTINGS:
        variables = ", ".join(f"`{name}`" for name in (setting.variable, *setting.otel))
        shown = "none" if setting.default in ("", None) else f"`{str(setting.default).lower()}`"
        lines.append(f"| {variables} | {shown} | {setting.unit} | {setting.help} |\n")
    return "".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
