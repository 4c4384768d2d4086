"""outlay.toml is mended in one go: all that is wrong is told, with file, section, key and value, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outlay.errors import ConfigError
from outlay_web.config import load_config
from outlay_web.server.sections import parse_sections, read_sections

WRONG = """
[[prices]]
provider = "openai"
model = "gpt-4o"
valid_from = "yesterday"
source = "contract"
input_usd_per_mtok = 2.1

[[prices]]
provider = "openai"
modell = "gpt-5"
valid_from = 2026-10-01
source = "contract"
output_usd_per_mtok = "1"

[[discounts]]
provider = "openai"
discount = "15"
valid_from = 2026-10-01

[[aliases]]
alias = "deployment"

[[projects]]
name = "a b"
role = "root"
key_sha256 = ["sk-a-whole-key-by-mistake"]

[model_tiers]
huge = ["x"]
cheap = "gpt-5"

[alerts]
anomalies = "yes"
repeat_hours = 0
smtp = "http://user:hush@mail"
color = "red"
"""
TOLD = (
    "[[prices]] #1: valid_from = 'yesterday' is not a date or an RFC 3339 instant",
    "[[prices]] #1: input_usd_per_mtok = 2.1 must be a decimal in quotes",
    "[[prices]] #2: 'model' is missing",
    "[[prices]] #2: unknown key 'modell'; did you mean 'model'? allowed are",
    "[[discounts]] #1: discount = '15' is not a share between 0 and 1",
    "[[aliases]] #1: 'model' is missing",
    "[[projects]] #1: name = 'a b' is not 1 to 64 letters",
    "[[projects]] #1: role = 'root' cannot be used; allowed: 'ingest' or 'project'",
    "[[projects]] #1: key_sha256.0 = (hidden) must be 64 hex digits",
    "[model_tiers]: unknown key 'huge'",
    "[model_tiers]: cheap = 'gpt-5' must be a list",
    "[alerts]: anomalies = 'yes' must be true or false",
    "[alerts]: repeat_hours = 0 must be a number of hours from 0.1 to 8760",
    "[alerts]: smtp = (hidden) must be smtp://",
    "[alerts]: unknown key 'color'",
)


def refused(path: Path, text: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_sections(load_config({"HOME": "/nonexistent"}, file=path))
    return str(caught.value)


def test_everything_that_is_wrong_in_the_sections_is_told_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path / "outlay.toml", WRONG)
    assert message.startswith(f"{tmp_path / 'outlay.toml'}: [[prices]] #1")
    assert [told for told in TOLD if told not in message] == []
    assert "sk-a-whole-key-by-mistake" not in message
    assert "hush" not in message


def test_every_budget_that_is_wrong_is_told(tmp_path: Path) -> None:
    budgets = '[[budgets]]\nname = "a"\namount_usd = "-1"\nperiod = "year"\n[[budgets]]\nname = "b"\namount = "1"\n'
    message = refused(tmp_path / "outlay.toml", budgets)
    for told in ("'a': budget 'a': amount_usd = '-1' must be", "period = 'year'", "'b': budget 'b': 'amount_usd' is"):
        assert told in message


def test_wrong_settings_of_the_file_and_of_variables_are_told_together(tmp_path: Path) -> None:
    path = tmp_path / "outlay.toml"
    path.write_text('prot = 1\npassword = "correct horse"\nsession_hours = "ever"\nhost = 1.5', encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config({"OUTLAY_PORT": "http", "OUTLAY_BOOTSTRAP_KEY": "too short"}, {"roles": "cook"}, path)
    message = str(caught.value)
    for told in (
        f"{path}: unknown key 'prot'; did you mean 'port'?",
        f"{path}: password is a secret; set OUTLAY_PASSWORD",
        f"{path}: session_hours = 'ever' cannot be used; allowed: a whole number from 1 to 8760",
        f"{path}: host = 1.5 is not a text",
        "OUTLAY_PORT = 'http' cannot be used; allowed: a port from 0",
        "OUTLAY_BOOTSTRAP_KEY = (hidden) cannot be used; allowed: at least 16",
        "--roles = 'cook' cannot be used",
    ):
        assert told in message
    assert "correct horse" not in message
    assert "too short" not in message


@pytest.mark.parametrize("section", ["prices", "discounts", "aliases", "projects", "budgets"])
@pytest.mark.parametrize("value", [{"name": "x"}, "x", [1], 3])
def test_what_is_no_list_of_tables_says_how_one_is_written(section: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"write \[\[{section}\]\]"):
        parse_sections({section: value})


@pytest.mark.parametrize("section", ["alerts", "model_tiers"])
@pytest.mark.parametrize("value", [[], "x", 3])
def test_what_is_no_table_is_refused_by_its_name(section: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=rf"\[{section}\] must be a table"):
        parse_sections({section: value})
