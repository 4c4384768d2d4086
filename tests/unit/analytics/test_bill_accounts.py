"""`[[bills]]`: which accounts can be used, and what is said of those that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.fake_billing import account

from outlay.errors import ConfigError
from outlay_analytics.bills.accounts import NoKey, parse_bills, shown


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"provider": "openai"}, "needs key_env or key_file, one of them"),
        ({"provider": "openai", "key_env": "A", "key_file": "/b"}, "needs key_env or key_file, one of them"),
        ({"provider": "openai", "key": "sk-admin-secret"}, "a key does not stand in outlay.toml"),
        ({"provider": "aws"}, "needs a path"),
        ({"provider": "aws", "path": "/x", "key_env": "A"}, "which provider = 'aws' does not use"),
        ({"provider": "openai", "key_env": "A", "path": "/x"}, "does not read"),
        ({"provider": "openai", "key_env": "A", "analytics": True}, "only provider = 'anthropic'"),
        ({"provider": "closedai", "key_env": "A"}, "allowed: 'openai', 'anthropic'"),
        ({"provider": "openai", "key_env": "A", "url": "ftp://x"}, "must be an http or https URL"),
        ({"provider": "aws", "path": "/x", "usd_per": {"EUR": "1.1"}}, "usd_per and usd_per_day together"),
        ({"provider": "aws", "path": "/x", "usd_per": {"EUR": 1.1}}, "rates in quotes"),
        ({"provider": "aws", "path": "/x", "usd_per": {"USD": "1"}}, "needs none"),
        ({"provider": "openai", "key_env": "A", "kee": 1}, "unknown key 'kee'"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_what_to_do(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match="bills") as refused:
        account(**row)
    assert said in str(refused.value)
    assert "sk-admin-secret" not in str(refused.value)


def test_two_accounts_of_one_name_are_refused() -> None:
    row = {"name": "a", "provider": "openai", "key_env": "A"}
    with pytest.raises(ConfigError, match="two accounts 'a'"):
        parse_bills([row, row])


def test_the_key_is_read_where_the_row_says_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("sk-admin-file\n")
    assert account(provider="openai", key_env="A").read_key({"A": " sk-admin-env "}) == "sk-admin-env"
    filed = account(provider="openai", key_file=str(path))
    assert filed.read_key({}) == "sk-admin-file"
    assert "sk-admin" not in repr(filed) + str(shown(filed))
    for wrong, said in ((account(provider="openai", key_env="B"), "variable B is empty"),
                        (account(provider="openai", key_file="/none/there"), "cannot be read")):  # fmt: skip
        with pytest.raises(NoKey, match=said):
            wrong.read_key({})
    with pytest.raises(NoKey, match="characters that no key has"):
        account(provider="openai", key_env="A").read_key({"A": "two words"})
