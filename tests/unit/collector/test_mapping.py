"""`[attributes]` of outlay.toml: own attributes and words are taken, what cannot be right is refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from outlay.errors import ConfigError
from outlay_collector.settle.mapping import parse_attributes


def words(section: dict[str, Any], *values: str) -> list[str]:
    rewrites = parse_attributes(section).rewrites["feature"]
    return [rewrites.of(value) for value in values]


def test_values_are_renamed_grouped_and_dropped_until_nothing_applies() -> None:
    section = {
        "rename": {"feature": {"chat-v1": "chat-v2", "chat-v2": "chat"}},
        "group": {"feature": {"search": ["search-*", "find"], "assist": ["chat"], "exact": ["search-me"]}},
        "drop": {"feature": ["test*", "search-old"]},
    }
    said = ("chat-v1", "search-x", "search", "search-me", "testing", "search-old", "billing", "find a")
    assert words(section, *said) == ["assist", "search", "search", "exact", "", "", "billing", "find a"]


def test_a_value_dropped_on_the_way_is_dropped() -> None:
    assert words({"rename": {"feature": {"a": "b"}}, "drop": {"feature": ["b"]}}, "a", "c") == ["", "c"]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({"featur": ["x"]}, "[attributes]: unknown key 'featur'; did you mean 'feature'?"),
        ({"feature": "x"}, "[attributes]: feature = 'x' must be a list"),
        ({"feature": ["x", " "]}, "feature.1 = ' ' is empty"),
        ({"rename": {"features": {"a": "b"}}}, "[attributes.rename]: unknown key 'features'; did you mean 'feature'?"),
        ({"rename": {"feature": {"a": 1}}}, "[attributes.rename]: feature.a = 1 is not a text"),
        ({"group": {"feature": {"a": "b"}}}, "[attributes.group]: feature.a = 'b' must be a list"),
        ({"drop": ["x"]}, "[attributes]: drop = ['x'] must be a table"),
        ({"rename": {"user": {"a": "b", "b": "a"}}}, "[attributes.rename.user] goes in a circle: 'a' → 'b' → 'a'"),
        ({"rename": {"user": {"a": "a"}}}, "[attributes.rename.user] goes in a circle: 'a' → 'a'"),
        (
            {"rename": {"team": {"core": "core-eu"}}, "group": {"team": {"core": ["core-*"]}}},
            "[attributes.rename.team] goes in a circle: 'core' → 'core-eu' → 'core'",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_with_its_place(section: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_attributes(section)
    assert told in str(refused.value)


def test_groups_of_groups_end_where_one_says_so() -> None:
    section = {"group": {"feature": {"a": ["b", "x"], "b": ["a", "y"]}}}
    assert words(section, "x", "y", "a", "b") == ["a", "b", "a", "b"]
