"""What code gives to init() is read as carefully as the environment: a wrong value is named, the others hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outlay.errors import ConfigError
from outlay.settings import Settings


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"capture_content": "false"}, {"capture_content": False}),  # truthy, had it been taken as it is
        ({"content_ratio": "0.5"}, {"content_ratio": 0.5}),
        ({"content_ratio": 1}, {"content_ratio": 1.0}),
        ({"headers": "a=b,c=d"}, {"headers": {"a": "b", "c": "d"}}),
        ({"headers": {"X-Team": 7}}, {"headers": {"x-team": "7"}}),
        ({"spool_file": Path("/tmp/spool.otlp")}, {"spool_file": "/tmp/spool.otlp"}),
        ({"disabled": "yes", "queue_spans": "10"}, {"disabled": True, "queue_spans": 10}),
    ],
)
def test_values_are_read_by_their_kind(given: dict[str, Any], expected: dict[str, Any]) -> None:
    settings = Settings.from_env({}, **given)
    assert {name: getattr(settings, name) for name in expected} == expected


@pytest.mark.parametrize(
    "given",
    [{"endpoint": 4318}, {"content_ratio": 5}, {"capture_content": 1}, {"queue_spans": 0}, {"service": ["shop"]}],
)
def test_a_wrong_value_is_named_and_the_others_hold(given: dict[str, Any]) -> None:
    (name,) = given
    problems: list[ConfigError] = []
    settings = Settings.from_env({}, on_error=problems.append, environment="prod", **given)
    assert [str(problem).partition("=")[0] for problem in problems] == [name]
    assert settings.environment == "prod"
    assert getattr(settings, name) == getattr(Settings.from_env({}), name)


def test_a_secret_is_never_shown() -> None:
    with pytest.raises(ConfigError) as raised:
        Settings.from_env({}, api_key=12345)
    assert "12345" not in str(raised.value)
