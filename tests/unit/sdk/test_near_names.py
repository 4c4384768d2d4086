"""A keyword that is nearly right is refused in development and told elsewhere; free tags are free."""

from __future__ import annotations

from typing import Any

import pytest

import outlay
from outlay import _names
from outlay.testing import capture


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_names, "environment", "")
    _names._meant.cache_clear()


@pytest.mark.parametrize(
    ("name", "meant"), [("featur", "feature"), ("Feature", "feature"), ("custmer", "customer"), ("usr", "user")]
)
def test_in_development_a_near_miss_is_refused_with_what_is_meant(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv("OUTLAY_ENVIRONMENT", "dev")
    given: dict[str, Any] = {name: "x"}
    for make in (outlay.track, outlay.tags):
        with pytest.raises(TypeError, match=f"{name}=….: did you mean '{meant}'"):
            make(**given)


def test_elsewhere_it_is_told_once_and_kept_as_a_tag(caplog: pytest.LogCaptureFixture) -> None:
    with capture() as sent:
        for _ in range(3):
            with outlay.track("work", featur="search"):
                outlay.record(model="gpt-4o", provider="openai", usage={"input_tokens": 1})
    assert [record.message for record in caplog.records if "did you mean 'feature'" in record.message] != []
    assert len([record for record in caplog.records if "did you mean" in record.message]) == 1
    assert {call.attributes["outlay.tag.featur"] for call in sent.calls} == {"search"}


@pytest.mark.parametrize("name", ["plan", "user_id", "session_id", "prompt_id", "region", "started", "tier"])
def test_free_tags_are_no_near_misses(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OUTLAY_ENVIRONMENT", "test")
    given: dict[str, Any] = {name: "x"}
    outlay.tags(**given)
    outlay.track(**given)


def test_keywords_of_track_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_ENVIRONMENT", "test")
    outlay.track(feature="x", inherit=True, experiment={"name": "a", "arm": "b"}, user="u", prompt_version="3")
    with pytest.raises(TypeError, match="did you mean 'cascade'"):
        outlay.track(cascad={})


def test_a_name_that_is_free_in_one_place_is_not_thereby_in_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAY_ENVIRONMENT", "dev")
    outlay.tags(cascades="x")
    with pytest.raises(TypeError, match="did you mean 'cascade'"):
        outlay.track("work", cascades="x")


def test_names_are_compared_once_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(1500):
        _names.check([f"k{n}"], "tags")
    compared: list[str] = []

    def compare(name: str, *_: object) -> list[str]:
        compared.append(name)
        return ["user"]

    monkeypatch.setattr("difflib.get_close_matches", compare)
    for _ in range(3):
        _names.check(["tenancy"], "tags")
        _names.check(["usr"], "tags")
    assert compared == ["tenancy", "usr"]
