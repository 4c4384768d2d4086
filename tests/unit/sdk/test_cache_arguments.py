"""Which arguments share a cached answer, and which can have none."""

from __future__ import annotations

import enum
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cached_functions import (
    Client,
    Frozen,
    Pair,
    Slotted,
    closure,
)

import outlay
from outlay.optimizations.copies import copied
from outlay.testing import Capture, capture


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Plan(enum.StrEnum):
    FREE = "free"


values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 2), st.floats(-2, 2), st.text(max_size=3), st.binary(max_size=3),
        st.sampled_from([Color.RED, Color.BLUE, Plan.FREE, "free", date(2026, 1, 1), datetime(2026, 1, 1),
                         datetime(2026, 1, 1, tzinfo=UTC), Decimal("1"), Decimal("1.0"), UUID(int=1), Path("a"), "a",
                         Frozen("A"), Frozen("B"), Pair("A", 1), ("A", 1), Slotted("A"), Slotted("B"), bytearray(b"a"),
                         range(2), closure("A"), closure("B")]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.integers(0, 2), st.sampled_from(["0", "1"]), st.booleans()), inner, max_size=2),
    ),
    max_leaves=5,
)  # fmt: skip


def seen(value: Any) -> Any:
    """A description of a value that is equal for values which are alike in type and content."""
    if isinstance(value, (Frozen, Slotted)):
        return (type(value), seen(value.tenant))
    if isinstance(value, (list, tuple)):
        return (type(value), [seen(part) for part in value])
    if isinstance(value, dict):
        return (dict, sorted((repr((type(key), key)), seen(part)) for key, part in value.items()))
    if callable(value):
        return value("q")
    return (type(value), repr(value))


@settings(max_examples=150, deadline=None)
@given(one=values, other=values)
def test_equal_arguments_share_an_answer_and_others_none(one: Any, other: Any) -> None:
    made = []

    with capture(raise_errors=False):

        @outlay.cached
        def ask(thing: Any) -> int:
            made.append(thing)
            return len(made)

        first, second, again = ask(one), ask(other), ask(one)
    assert first == again
    assert (first == second) == (repr(seen(one)) == repr(seen(other)))


def test_arguments_with_a_life_of_their_own_are_not_cached(sent: Capture, caplog: pytest.LogCaptureFixture) -> None:
    made = []

    @outlay.cached
    def ask(client: Client, question: str) -> int:
        made.append(question)
        return len(made)

    client = Client("A")
    assert (ask(client, "q"), ask(client, "q")) == (1, 2)
    assert "client (Client" in caplog.text
    assert "key=" in caplog.text


def test_what_plain_data_tells_is_told_alike_in_another_process(tmp_path: Path) -> None:
    (tmp_path / "shapes_here.py").write_text(
        "import functools, json, sys, outlay\n"
        "from decimal import Decimal\n"
        "class Bot:\n"
        "    def __init__(self, tenant): self.tenant = tenant\n"
        "    def ask(self, question): return question\n"
        "def closure(tenant, kinds):\n"
        "    def ask(question, *, style=Decimal('1.5')): return [tenant, len(kinds), question]\n"
        "    return ask\n"
        "class Store:\n"
        "    def __init__(self): self.kept = {}\n"
        "    def get(self, key): return None\n"
        "    def set(self, key, value): self.kept[key] = value\n"
        "    setex = None\n"
        "def keys(tenant):\n"
        "    store = Store()\n"
        "    for function in (closure(tenant, frozenset('abcdef')), Bot(tenant).ask, lambda question: 1,\n"
        "                     functools.partial(closure(tenant, ()), style=2)):\n"
        "        outlay.cached(store=store)(function)('q')\n"
        "    return list(store.kept)\n"
    )
    code = "import json, shapes_here; print(json.dumps([shapes_here.keys('A'), shapes_here.keys('B')]))"
    found = []
    for seed in ("1", "2"):
        path = os.pathsep.join([str(tmp_path), *(entry for entry in sys.path if entry)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300
        )
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    assert found[0] == found[1]
    of_a, of_b = found[0]
    assert len(set(of_a)) == 4
    assert set(of_a) & set(of_b) == {of_a[2]}  # the lambda holds nothing


@pytest.mark.parametrize("is_exact", [True, False])
def test_arguments_are_told_however_they_are_passed_and_wrong_ones_are_the_functions_error(is_exact: bool) -> None:
    made: list[tuple[Any, ...]] = []

    def plain(a: str, b: int = 2, c: Any = None) -> tuple[Any, ...]:
        made.append((a, b, c))
        return a, b, c

    def odd(a: str, /, *rest: int, b: int = 2, **more: Any) -> tuple[Any, ...]:
        made.append((a, *rest, b, more))
        return a, rest, b

    cache: Any = outlay.cached if is_exact else outlay.SemanticCache(lambda text: [1.0, 0.0])
    ask: Any = cache(plain)
    for args, kwargs in ((("x",), {}), (("x", 2), {}), (("x",), {"b": 2}), ((), {"c": None, "a": "x"})):
        assert ask(*args, **kwargs) == ("x", 2, None)
    assert len(made) == 1
    assert ask("x", c=3) == ("x", 2, 3)
    wrong: list[tuple[tuple[Any, ...], dict[str, Any]]] = [((), {}), (("x",), {"a": "y"}), (("x",), {"z": 1})]
    for some, named in [*wrong, ((1, 2, 3, 4), {})]:
        with pytest.raises(TypeError, match="argument"):
            ask(*some, **named)
    made.clear()
    strange: Any = cache(odd)
    assert [strange("x", 1, b=2), strange("x", 1), strange("x", 1, d=3)] == [("x", (1,), 2)] * 3
    assert len(made) == 2


def test_a_copy_of_an_answer_has_its_shape() -> None:
    shared: list[Any] = [1, Decimal("2")]
    value: dict[str, Any] = {"a": shared, "b": shared, "c": (shared, {1, 2}), "d": [[]]}
    value["self"] = value
    found = copied(value, "name")
    assert found["a"] is found["b"]
    assert found["a"] is found["c"][0]
    assert found["a"] is not shared
    assert found["self"] is found
    assert (found["a"], found["c"][1], found["d"]) == ([1, Decimal("2")], {1, 2}, [[]])
