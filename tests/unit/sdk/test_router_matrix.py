"""A router's matrix comes from a file or a function, changes while the application runs, and choices say how likely."""

from __future__ import annotations

import json
import os
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

import outlay
from outlay.testing import capture

TIERS = {"cheap": "gpt-4o-mini", "mid": "gpt-4.1", "frontier": "gpt-4o"}


def written(path: Path, **tiers: str) -> Path:
    rows = [{"task": task, "tier": tier} for task, tier in tiers.items()]
    if path.suffix == ".toml":
        path.write_text("".join(f'[[matrix]]\ntask = "{row["task"]}"\ntier = "{row["tier"]}"\n' for row in rows))
    else:
        path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_file_is_read_again_where_it_changed(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path / f"matrix.{suffix}", triage="cheap")
    router = outlay.Router(TIERS, default="mid", matrix=path, reload_s=0)
    assert (router.choose("triage").tier, router.choose("triage").reason) == ("cheap", "matrix: triage")
    written(path, triage="frontier", other="cheap")
    assert [router.choose(task).tier for task in ("triage", "other")] == ["frontier", "cheap"]
    lazy = outlay.Router(TIERS, default="mid", matrix=path, reload_s=3600)
    written(path, triage="mid")
    assert lazy.choose("triage").tier == "frontier"
    lazy.reload()
    assert lazy.choose("triage").tier == "mid"


def test_a_file_that_broke_leaves_the_matrix_as_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path / "matrix.json", triage="cheap")
    router = outlay.Router(TIERS, default="mid", matrix=path, reload_s=0)
    path.write_text("[{")
    assert [router.choose("triage").tier for _ in range(3)] == ["cheap"] * 3
    assert "matrix of a router cannot be read again" in caplog.text
    with pytest.raises(ValueError, match=r"matrix\.json cannot be read"):
        router.reload()
    os.unlink(path)
    assert router.choose("triage").tier == "cheap"
    written(path, triage="frontier")
    assert router.choose("triage").tier == "frontier"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "holds no list of rows"),
        ('[{"task": "a"}]', "row 1: a row has task and tier"),
        ('[{"task": "a", "tier": "cheap", "teir": "x"}]', "row 1: a row has task and tier"),
        ('[{"task": "a", "tier": 1}]', "row 1: all are texts"),
        ('[{"task": "a", "tier": "chaep"}]', "no row of the matrix has a tier of this router: chaep"),
    ],
)
def test_a_file_that_is_no_matrix_is_refused_at_the_start(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "matrix.json").write_text(text)
    with pytest.raises(ValueError, match=says):
        outlay.Router(TIERS, default="mid", matrix=tmp_path / "matrix.json")


def test_a_function_is_asked_again_and_nobody_waits_for_it(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = ["cheap", "frontier", ConnectionError("away")]
    may_answer = threading.Event()
    may_answer.set()
    asked: list[threading.Thread] = []

    def measured() -> list[outlay.MatrixRow]:
        asked.append(threading.current_thread())
        assert may_answer.wait(60)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return [outlay.MatrixRow("triage", answer)]

    router = outlay.Router(TIERS, default="mid", matrix=measured, reload_s=0)
    may_answer.clear()
    assert [router.choose("triage").tier for _ in range(3)] == ["cheap"] * 3  # while it is asked
    may_answer.set()
    until(lambda: router.choose("triage").tier == "frontier", "the new matrix")
    until(lambda: "cannot be read again" in caplog.text, "the failure")
    assert router.choose("triage").tier == "frontier"
    assert threading.main_thread() not in asked[1:]


def test_exploration_says_how_likely_each_choice_was() -> None:
    random.seed(7)
    router = outlay.Router(TIERS, [outlay.Rule("frontier", task="legal", explore=False)], default="cheap", explore=0.3)
    with capture() as sent:
        drawn = []
        for _ in range(3000):
            route = router.choose()
            drawn.append((route.tier, round(route.propensity, 6)))
        with router.choose() as route:
            outlay.record(usage={"input_tokens": 1}, model="gpt-4o-mini", provider="openai")
    counts = Counter(drawn)
    assert set(counts) == {("cheap", 0.8), ("mid", 0.1), ("frontier", 0.1)}
    for (_, propensity), count in counts.items():
        assert count / 3000 == pytest.approx(propensity, abs=0.03)
    assert sent.calls[0].attributes["outlay.route.propensity"] == route.propensity
    # inverse propensity: what always asking the frontier would have brought, from what was seen
    assert sum(1 / p for tier, p in drawn if tier == "frontier") / 3000 == pytest.approx(1, abs=0.2)
    legal = [router.choose("legal") for _ in range(200)]
    assert {(route.tier, route.propensity) for route in legal} == {("frontier", 1.0)}
    assert any(
        route.reason.startswith("explored, not cheap: default") for route in (router.choose() for _ in range(200))
    )


def test_without_exploration_every_choice_was_certain() -> None:
    with capture() as sent, outlay.Router(TIERS, default="mid").choose("classification"):
        outlay.record(usage={"input_tokens": 1}, model="gpt-4o-mini", provider="openai")
    assert sent.calls[0].attributes["outlay.route.propensity"] == 1.0


@pytest.mark.parametrize("wrong", [{"explore": 1.5}, {"explore": float("nan")}, {"explore_tiers": ["chaep"]}])
def test_exploration_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"explore|no tier 'chaep'"):
        outlay.Router(TIERS, default="mid", **wrong)


UNITS = range(8_000)


def test_experiments_of_a_layer_share_no_unit_and_grow_without_moving_others() -> None:
    def members(layer: outlay.Layer) -> dict[int, str]:
        return {
            unit: name
            for unit in UNITS
            for name in layer._experiments
            if layer.assign(name, unit, ["a", "b"], outside="a").is_in
        }

    def taking_part(layer: outlay.Layer) -> int:
        return sum(layer.assign(name, unit, ["a", "b"]).is_in for unit in UNITS for name in layer._experiments)

    small = outlay.Layer("search", {"x": 0.5, "y": 0.2})
    then = members(small)
    assert taking_part(small) == len(then)  # nobody twice
    assert Counter(then.values())["x"] / len(UNITS) == pytest.approx(0.5, abs=0.02)
    assert Counter(then.values())["y"] / len(UNITS) == pytest.approx(0.2, abs=0.02)
    now = members(outlay.Layer("search", {"x": 0.5, "y": 0.3, "z": 0.1}, before=[{"x": 0.5, "y": 0.2}]))
    assert all(now[unit] == name for unit, name in then.items())
    arms = [small.assign("x", unit, ["a", "b"]) for unit in UNITS]
    inside = Counter(str(arm) for arm in arms if arm.is_in)
    assert inside["a"] / inside.total() == pytest.approx(0.5, abs=0.02)
    assert {str(arm) for arm in arms if not arm.is_in} == {"control"}


def test_a_unit_outside_gets_its_arm_and_says_nothing() -> None:
    layer = outlay.Layer("search", {"x": 0.5})
    outside = next(unit for unit in UNITS if not layer.assign("x", unit, ["a", "b"], outside="b").is_in)
    with capture() as sent, layer.assign("x", outside, ["a", "b"], outside="b") as arm:
        arm.expose()
        outlay.record(usage={"input_tokens": 1}, model="gpt-4o-mini", provider="openai")
    assert arm == "b"
    assert len(sent.spans) == 1
    assert "outlay.experiment.name" not in sent.calls[0].attributes
    with outlay.testing.forced_arms({"x": "a"}):
        assert (layer.assign("x", outside, ["a", "b"]), layer.assign("x", outside, ["a", "b"]).is_in) == ("a", True)
    with pytest.raises(ValueError, match="layer 'search' has no 'w'; there are x"):
        layer.assign("w", 1)
    with pytest.raises(ValueError, match="no unit"):
        layer.assign("x", None)
    for wrong in ({}, {"x": 0.7, "y": 0.7}, {"x": -0.1, "y": 0.5}):
        with pytest.raises(ValueError, match="needs experiments with shares"):
            outlay.Layer("search", wrong)


def test_a_call_in_several_experiments_says_all_of_them() -> None:
    with capture() as sent:
        with (
            outlay.assign("prompt-14", "u", {"control": 0.8, "short": 0.2}) as prompt,
            outlay.assign("model-7", "u") as model,
        ):
            outlay.record(usage={"input_tokens": 1}, model="gpt-4o-mini", provider="openai")
        prompt.expose()
    said = sent.calls[0].attributes
    assert (said["outlay.experiment.name"], said["outlay.experiment.arm"]) == ("model-7", str(model))
    assert said["outlay.experiment.propensity"] == 0.5
    assert said["outlay.tag.experiment.prompt-14"] == str(prompt)
    [exposure] = [span for span in sent.spans if span.name == "exposure prompt-14"]
    assert (exposure.attributes["outlay.experiment.arm"], exposure.attributes["outlay.experiment.propensity"]) == (
        str(prompt),
        {"control": 0.8, "short": 0.2}[str(prompt)],
    )


def test_where_no_thread_can_be_started_the_matrix_stays_and_is_read_again_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tiers, told = {"a": 1, "b": 2}, ["a"]
    router = outlay.Router(tiers, default="a", matrix=lambda: [outlay.MatrixRow("t", told[0])], reload_s=0)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    told[0] = "b"
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert router.choose("t").tier == "a"
    assert "cannot be read again now" in caplog.text
    until(lambda: router.choose("t").tier == "b", "read again")


def test_a_fork_while_the_matrix_is_read_leaves_parent_and_child_able_to() -> None:
    gate, asked = threading.Event(), []

    def rows() -> list[outlay.MatrixRow]:
        asked.append(1)
        if len(asked) == 2:
            gate.wait(60)
        return [outlay.MatrixRow("t", "b" if len(asked) > 2 else "a")]

    router = outlay.Router({"a": 1, "b": 2}, default="a", matrix=rows, reload_s=0)
    router.choose("t")  # a thread is at it now
    until(lambda: len(asked) == 2, "asked")
    router._matrix.after_fork()
    gate.set()  # it gives back the lock that it took
    until(lambda: router.choose("t").tier == "b", "read again")
