"""An evaluation keeps what was paid for, goes on where it stopped, and tells others what it found."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import outlay
from outlay.optimizations.evaluation_rows import keys_of
from outlay.testing import Capture, capture

CALL_USD = Decimal("0.0026")  # 1,000 in and 10 out of gpt-4o: 2.50 and 10 per million


@pytest.fixture
def sent() -> Iterator[Capture]:
    with capture(raise_errors=False) as captured:
        yield captured


def right(example: Any) -> Any:
    outlay.record(usage={"input_tokens": 1000, "output_tokens": 10}, model="gpt-4o", provider="openai")
    return example


async def right_async(example: Any) -> Any:
    await asyncio.sleep(0)
    return right(example)


def exact(output: Any, example: Any) -> bool:
    return bool(output == example)


def run(is_async: bool, *args: Any, **kwargs: Any) -> outlay.Evaluation:
    if is_async:
        return asyncio.run(outlay.aevaluate(*args, progress=False, **kwargs))
    return outlay.evaluate(*args, progress=False, **kwargs)


@pytest.mark.parametrize("is_async", [False, True])
def test_rows_are_kept_as_they_come_and_nothing_is_paid_twice(sent: Capture, tmp_path: Path, is_async: bool) -> None:
    path = tmp_path / "rows.jsonl"
    is_down, asked = True, []

    def flaky(example: int) -> int:
        asked.append(example)
        if is_down and example % 2:
            raise ConnectionError("away")
        return int(right(example))

    def judge(output: int, example: int) -> bool:
        if is_down and example == 2:
            raise ValueError("no judge")
        return exact(output, example)

    first = run(is_async, range(6), {"a": flaky}, {"judge": judge}, results=path, name="n")
    assert [row.error is None for row in first.rows] == [True, False, False, False, True, False]
    assert len(path.read_text().splitlines()) == 7
    path.write_text(path.read_text() + '{"index": 5, "cand')  # the process died while it wrote
    is_down = False
    asked.clear()
    second = run(is_async, range(6), {"a": flaky, "b": right_async}, {"judge": judge}, results=path, name="n")
    assert sorted(asked) == [1, 3, 5]  # 2 was answered: it is only scored
    assert second.run_id == first.run_id
    assert second.summaries["a"].scores["judge"].mean == 1.0
    assert second.summaries["a"].cost_usd == 6 * CALL_USD
    about = {(score.trace_id, score.span_id) for score in sent.scores}
    assert {(row.call.trace_id, row.call.span_id) for row in second.rows if row.call} == about
    third = run(is_async, range(6), {"a": flaky, "b": right_async}, {"judge": judge}, results=path, name="n")
    assert sorted(asked) == [1, 3, 5]
    assert third.rows == second.rows == outlay.Evaluation.load(path).rows or sorted(
        outlay.Evaluation.load(path).rows, key=lambda row: (row.index, row.candidate)
    ) == sorted(third.rows, key=lambda row: (row.index, row.candidate))
    with pytest.raises(ValueError, match="holds evaluation 'n', not 'other'"):
        run(is_async, range(6), {"a": flaky}, {"judge": judge}, results=path, name="other")


def test_an_interrupted_run_leaves_its_rows_in_a_file_that_the_exception_names(sent: Capture) -> None:
    def stops(example: int) -> int:
        if example == 3:
            raise KeyboardInterrupt
        return int(right(example))

    with pytest.raises(KeyboardInterrupt) as caught:
        outlay.evaluate(range(6), {"a": stops}, [exact], concurrency=1, progress=False)
    [note] = caught.value.__notes__
    path = note.partition(" kept in ")[2].partition(": evaluate(results")[0]
    try:
        rows = outlay.Evaluation.load(path).rows
        assert [row.index for row in rows][:3] == [0, 1, 2]
        assert sum((row.cost_usd or Decimal(0) for row in rows), Decimal(0)) == CALL_USD * len(sent.calls)
    finally:
        Path(path).unlink()


def test_a_cancelled_run_cancels_what_is_under_way_and_keeps_what_is_done(sent: Capture, tmp_path: Path) -> None:
    cancelled: list[int] = []

    async def main() -> None:
        hangs = asyncio.Event()

        async def candidate(example: int) -> int:
            if example == 1:
                hangs.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    cancelled.append(example)
                    raise
            return example

        task = asyncio.ensure_future(
            outlay.aevaluate([0, 1], [candidate], [exact], results=tmp_path / "r.jsonl", concurrency=1, progress=False)
        )
        await hangs.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert cancelled == [1]
    assert [row.index for row in outlay.Evaluation.load(tmp_path / "r.jsonl").rows] == [0]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_answer_that_takes_too_long_has_failed(sent: Capture, is_async: bool) -> None:
    released = threading.Event()

    def hangs(example: int) -> int:
        released.wait(60)
        return example

    async def hangs_async(example: int) -> int:
        await asyncio.sleep(60)
        return example

    def slow_judge(output: int, example: int) -> bool:
        return released.wait(60)

    try:
        found = run(is_async, [1], {"t": hangs, "a": hangs_async}, [exact], timeout_s=0.05)
        judged = run(is_async, [1], {"plain": right}, [slow_judge], timeout_s=0.05)
    finally:
        released.set()
    assert [row.error for row in found.rows] == [
        "TimeoutError: candidate hangs took longer than 0.05 s",
        "TimeoutError: candidate hangs_async took longer than 0.05 s",
    ]
    assert all(row.failed for row in found.rows)
    assert judged.rows[0].error == "scorer slow_judge: TimeoutError: scorer slow_judge took longer than 0.05 s"
    assert (judged.rows[0].output, judged.rows[0].failed) == (1, False)


def test_what_hangs_keeps_no_thread_of_the_event_loop(sent: Capture) -> None:
    released = threading.Event()

    def hangs(example: int) -> int:
        released.wait(60)
        return example

    async def main() -> bool:
        await outlay.aevaluate(range(40), {"t": hangs}, [exact], timeout_s=0.01)
        # 40 in its pool of at most 32 would leave none.
        return await asyncio.wait_for(asyncio.to_thread(released.is_set), 50)

    try:
        assert asyncio.run(main()) is False
    finally:
        released.set()


@pytest.mark.parametrize("is_async", [False, True])
def test_a_spent_budget_asks_for_nothing_more(sent: Capture, tmp_path: Path, is_async: bool) -> None:
    path = tmp_path / "rows.jsonl"
    found = run(is_async, range(10), {"a": right}, [exact], max_cost_usd=3 * CALL_USD, concurrency=1, results=path)
    assert (len(found.rows), found.not_asked, len(sent.calls)) == (3, 7, 3)
    assert found.summaries["a"].cost_usd == 3 * CALL_USD
    assert "7 rows were not asked for" in found.to_markdown()
    assert len(run(is_async, range(10), {"a": right}, [exact], results=path).rows) == 10
    assert len(sent.calls) == 10


def test_repeats_count_an_example_once_with_its_mean(sent: Capture) -> None:
    draws = random.Random(1)

    def lucky(example: int) -> bool:
        right(example)
        return draws.random() < 0.5

    found = outlay.evaluate(
        range(3), {"steady": lambda example: True, "lucky": lucky}, {"yes": lambda output, _: output},
        repeats=40, progress=False,
    )  # fmt: skip
    summary = found.summaries["lucky"]
    assert (len(found.rows), summary.n, len(sent.calls)) == (240, 120, 120)
    assert (summary.scores["yes"].n, summary.versus_baseline["yes"].n) == (3, 3)
    assert summary.scores["yes"].mean == pytest.approx(sum(row.scores["yes"] for row in found.rows[1::2]) / 120)
    assert summary.verdict == {"yes": "not enough data"}  # three examples are three, however often they are asked
    assert {row.repeat for row in found.rows} == set(range(40))


def test_every_call_carries_the_name_of_the_run(sent: Capture) -> None:
    found = outlay.evaluate(range(2), [right], [exact], run_id="nightly-7", progress=False)
    assert found.run_id == "nightly-7"
    assert {call.attributes["outlay.tag.evaluation_run"] for call in sent.calls} == {"nightly-7"}
    # Every candidate is asked the same, so that a server can compare them item by item.
    items = [call.attributes["outlay.tag.evaluation_item"] for call in sent.calls]
    assert all(items.count(item) == len(items) // len(set(items)) for item in items)
    other = outlay.evaluate(range(2), [right], [exact], progress=False).run_id
    assert other != outlay.evaluate(range(2), [right], [exact], progress=False).run_id


def test_a_run_compares_with_an_earlier_one_example_by_example(sent: Capture, tmp_path: Path) -> None:
    examples = [{"input": number, "tags": ["x"]} for number in range(150)]
    mode = {"wrong": 0}

    def candidate(number: int) -> int:
        return number if number % 150 >= mode["wrong"] else -1

    def judge(output: int, example: dict[str, Any]) -> bool:
        return bool(output == example["input"])

    outlay.evaluate(examples, [candidate], [judge], results=tmp_path / "before.jsonl", progress=False)
    same = outlay.evaluate(list(reversed(examples)), [candidate], [judge], margin=0.05, progress=False)
    against = same.compared_with(tmp_path / "before.jsonl")["candidate"]
    assert (against.versus_baseline["judge"].n, against.verdict) == (150, {"judge": "no worse"})
    mode["wrong"] = 75
    worse = outlay.evaluate([*examples, {"input": 999}], [candidate], [judge], progress=False).compared_with(same)
    assert worse["candidate"].versus_baseline["judge"].mean == -0.5
    assert worse["candidate"].verdict == {"judge": "worse"}
    with pytest.raises(ValueError, match="no example of a candidate in common"):
        outlay.evaluate([{"input": 1}], [right], [judge], progress=False).compared_with(same)


def test_reports_say_what_the_evaluation_found(sent: Capture) -> None:
    def broken(example: int) -> int:
        raise ValueError("no \x00 & <tag> | pipe")

    found = outlay.evaluate(range(40), {"good": right, "bro|ken": broken}, [exact], name="n", progress=False)
    told = json.loads(found.to_json())
    assert (told["name"], told["regressed"], told["baseline"]) == ("n", True, "good")
    assert told["summaries"]["bro|ken"]["verdict"] == {"exact": "worse"}
    assert Decimal(told["summaries"]["good"]["cost_usd"]) == 40 * CALL_USD
    assert told["rows"][1]["error"] == "ValueError: no \x00 & <tag> | pipe"
    root = ElementTree.fromstring(found.to_junit())
    good, bad = root.findall("testsuite")
    assert (good.get("tests"), good.get("errors"), good.get("failures")) == ("40", "0", "0")
    assert (bad.get("tests"), bad.get("errors"), bad.get("failures")) == ("41", "40", "1")
    assert len(bad.findall("testcase/error")) == 40
    assert "worse: -1.000" in str(bad.findall("testcase/failure")[0].get("message"))
    lines = found.to_markdown().splitlines()
    assert [line.replace("\\|", "").count("|") for line in lines if line.startswith("|")] == [7, 7, 7, 7]
    assert "40 of 40" in lines[-1]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"repeats": 0}, "repeats must be a whole number of at least 1"),
        ({"timeout_s": 0}, "timeout_s must be above 0"),
        ({"timeout_s": -1}, "timeout_s must be a number of at least 0"),
        ({"max_cost_usd": float("nan")}, "max_cost_usd must be a number of at least 0"),
    ],
)
def test_what_cannot_work_is_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        outlay.evaluate([1], [right], [exact], progress=False, **wrong)


@pytest.mark.parametrize(
    "output", [{1: 2}, float("inf"), float("nan"), b"x", {"a": [1, None]}, "ü\ud800", (1, 2)], ids=repr
)
def test_any_answer_can_be_kept(sent: Capture, tmp_path: Path, output: Any) -> None:
    path = tmp_path / "rows.jsonl"
    outlay.evaluate([1], {"a": lambda _: output}, {"one": lambda output, _: 1}, results=path, progress=False)
    [row] = outlay.Evaluation.load(path).rows
    assert row.output == (output if row.is_whole else str(output))
    assert row.is_whole == (output in ({"a": [1, None]}, "ü\ud800"))


def test_examples_come_from_files(tmp_path: Path) -> None:
    rows = [{"input": "2 + 2", "wanted": "4"}, {"input": "ü", "wanted": ""}]
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "a.csv").write_text("input,wanted\n2 + 2,4\nü,\n", encoding="utf-8")
    for suffix in ("jsonl", "json", "csv"):
        assert outlay.dataset(tmp_path / f"a.{suffix}") == rows
        assert outlay.dataset(tmp_path / f"a.{suffix}", limit=1) == rows[:1]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.jsonl", '{"input": 1}\n{"input"', "line 2 is no JSON"),
        ("a.jsonl", '{"question": 1}', "line 1: an example is an object with an input"),
        ("a.json", "{}", "holds no list"),
        ("a.json", "[]", "has no example"),
        ("a.csv", "input,wanted\na,b,c\n", "line 2 has another number of fields"),
        ("a.txt", "x", "none of .jsonl, .json, .csv"),
    ],
)
def test_a_file_that_holds_no_examples_says_where(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=says):
        outlay.dataset(tmp_path / name)


def test_a_file_that_more_was_asked_for_loads_as_what_it_became(sent: Capture, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    run(False, range(3), {"a": right, "gone": right}, {"exact": exact}, results=path, run_id="nightly")
    more = {"exact": exact, "half": lambda output, example: 0.5}
    became = run(False, range(3), {"a": right, "b": right}, more, results=path, baseline="b", margin=0.2)
    loaded = outlay.Evaluation.load(path)
    assert (loaded.header, loaded.summaries.keys()) == (became.header, became.summaries.keys())
    assert loaded.run_id == "nightly"
    assert {label: one.scores for label, one in loaded.summaries.items()} == {
        label: one.scores for label, one in became.summaries.items()
    }
    assert {row.place for row in loaded.rows} == {row.place for row in became.rows}


@pytest.mark.parametrize("is_async", [False, True])
def test_the_budget_is_of_the_run_however_often_it_is_started(sent: Capture, tmp_path: Path, is_async: bool) -> None:
    """With what scorers and answers that failed have cost."""
    path = tmp_path / "rows.jsonl"

    def failing(example: int) -> int:
        right(example)
        raise ValueError("no")

    def judge(output: int, example: int) -> bool:
        right(example)
        return True

    made = 0
    for candidate, limits in ((failing, {3: 3, 5: 5}), (right, {5: 6, 7: 8})):  # the last row may go over it
        for limit, calls in [(limit, calls) for limit, calls in limits.items() for _ in range(2)]:
            run(
                is_async,
                range(9),
                {"a": candidate},
                {"judge": judge},
                results=path.with_name(candidate.__name__),
                max_cost_usd=limit * CALL_USD,
                concurrency=1,
            )
            assert len(sent.calls) - made == calls
        made = len(sent.calls)


@pytest.mark.parametrize("limit_s", [None, 30.0])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_candidate_that_raises_stop_iteration_is_a_failed_row(
    sent: Capture, is_async: bool, limit_s: float | None
) -> None:
    def empty(example: int) -> int:
        return next(iter([]))

    found = run(is_async, [1], {"a": empty}, {"exact": exact}, timeout_s=limit_s)
    assert "StopIteration" in str(found.rows[0].error)


def test_examples_are_told_apart_whatever_their_keys() -> None:
    loop: dict[str, Any] = {}
    loop["self"] = loop
    examples = [{1: "a", "b": 2}, {"b": 2, 1: "a"}, {(1, 2): "x"}, {"n": {None: 1, 2: [{3: 4, "5": 6}]}}, loop]
    first, again, *others = keys_of(examples)
    assert first.partition("-")[0] == again.partition("-")[0]
    assert len({first.partition("-")[0], *(key.partition("-")[0] for key in others)}) == 4
    assert [*keys_of([{"b": 1, "a": [1, (2,)]}])] == [*keys_of([{"a": [1, [2]], "b": 1}])]
