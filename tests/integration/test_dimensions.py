"""Every dimension filters and groups at every endpoint and page: a product over a world that adds up by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, LOOKUP, call, lookup, put
from tests.waiting import until
from tests.web_server import Answer, Running, own_store, running

from outlay_analytics.alerting.budgets import put_budget
from outlay_analytics.query.dimensions import DIMENSIONS, MAX_GROUPS
from outlay_analytics.questions.caching import group_value
from outlay_collector.rollup.hours import Rollup
from outlay_web.config import Settings

D = Decimal
TAG = "tag.plan"
NAMES = (*DIMENSIONS, TAG)
WINDOW = (("start", "2026-03-10T00:00:00Z"), ("end", "2026-03-11T00:00:00Z"))
# What each dimension says of the calls of `a` (1 and 2 USD), of `b` (4 USD), and of `c` (16 USD): nothing.
OTHERWISE: dict[str, tuple[Any, Any]] = {
    "model_tier": ("frontier", "cheap"),
    "cascade_tier": (0, 1),
    "cost_state": ("computed", "estimated"),
    "status": ("ok", "error"),
    "cache": ("exact", "semantic"),
    "model": ("gpt-5", "gpt-5-mini"),
}
USD = {"a": D(3), "b": D(4), "c": D(16)}
COLUMNS = {"cascade": "cascade_name", "cache": "cache_kind"}
LOOKED_UP = tuple(name for name in NAMES if name == TAG or DIMENSIONS[name].lookups)
# Where the rollups know a dimension its hours are answered from them too; other questions read calls either way.
STATES = [("fresh", name) for name in NAMES] + [("rolled", name) for name in DIMENSIONS if DIMENSIONS[name].rollup]
every_dimension = pytest.mark.parametrize(("state", "name"), STATES)
PAGES = ("/", "/explain", "/caching", "/cascades")
Pairs = tuple[tuple[str, str], ...]


def value(name: str, letter: str) -> Any:
    """What the calls of a letter say about a dimension, None for nothing."""
    return None if letter == "c" else OTHERWISE.get(name, (f"{name}-a", f"{name}-b"))["ab".index(letter)]


def fields(letter: str) -> dict[str, Any]:
    own = {COLUMNS.get(n, n): value(n, letter) for n in DIMENSIONS if n != "model_tier"}
    own = {column: ("" if found is None and column != "cascade_tier" else found) for column, found in own.items()}
    outcome = {} if letter == "c" else {"cascade_outcome": "accepted", "cascade_confidence": 1 / 3}
    return {**own, **outcome, "tags": {} if letter == "c" else {"plan": f"{TAG}-{letter}"}}


def world(project: str) -> list[dict[str, Any]]:
    calls = [
        call(timedelta(hours=hours), usd, project=project, input_tokens=1000, **fields(letter))
        for letter, hours, usd in (("a", 3, "1"), ("a", 4, "2"), ("b", 5, "4"), ("c", 6, "16"))
    ]
    known = {name for name in LOOKED_UP if name in LOOKUP} | {"tags"}
    lookups = [
        lookup(
            timedelta(hours=3), project=project, kind=value("cache", letter), avoided_usd=str(USD[letter]),
            **{column: found for column, found in fields(letter).items() if column in known},
        )
        for letter in "ab"
    ]  # fmt: skip
    return calls + lookups


@dataclass(frozen=True)
class Asked:
    """A server, asked about one project."""

    server: Running
    project: str

    def get(self, path: str, *pairs: tuple[str, str]) -> Answer:
        return self.server.get(path, *WINDOW, ("project", self.project), *pairs)

    def api(self, path: str, *pairs: tuple[str, str]) -> Answer:
        return self.get("/api/v1" + path, *pairs)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    settings = Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)
    with running(settings) as found:
        yield found


@pytest.fixture(scope="module")
def projects(server: Running) -> dict[str, tuple[Asked, dict[str, list[str]]]]:
    """By how its hours are answered, a server for the project and the traces of each letter."""
    out = {}
    store = server.assembly.context.store
    for name in ("rolled", "fresh"):
        rows = world(name)
        put(store, *rows)
        traces = {
            letter: [row["trace_id"] for row in rows[:4] if row["feature"] == text("feature", letter)] for letter in USD
        }
        out[name] = (Asked(server, name), traces)
        if name == "rolled":
            rollup = Rollup(store, budget_s=60)
            rollup.run_once(datetime(2100, 1, 1, tzinfo=UTC))
            rollup.close()
    return out


@pytest.fixture
def asked(state: str, projects: dict[str, Any]) -> Asked:
    found: Asked = projects[state][0]
    return found


def ok(answer: Answer) -> Any:
    assert answer.status == 200, answer.text
    return answer.json


def text(name: str, letter: str) -> str:
    found = value(name, letter)
    return "" if found is None else str(found)


def spend_usd(server: Asked, pairs: Pairs) -> D:
    return D(ok(server.api("/spend", *pairs))["total"]["cost_usd"])


def explain_usd(server: Asked, pairs: Pairs) -> D:
    found = ok(server.api("/explain", *pairs))
    assert found["examples"]
    return D(found["change_usd"])


def calls_usd(server: Asked, pairs: Pairs) -> D:
    return sum((D(one["cost_usd"]) for one in ok(server.api("/calls", *pairs))["calls"]), D(0))


def traces_usd(server: Asked, pairs: Pairs) -> D:
    return sum((D(one["cost_usd"]) for one in ok(server.api("/traces", *pairs))["traces"]), D(0))


def forecast_usd(server: Asked, pairs: Pairs) -> D:
    found = ok(server.api("/forecast", *pairs))
    return sum((D(one["cost_usd"]) for one in found["history"]), D(0))


# Only what is asked of rollups is asked twice.
SUMMED = [
    ("rolled", name, endpoint) for state, name in STATES if state == "rolled" for endpoint in ("spend", "explain")
]
SUMMED += [
    ("fresh", name, endpoint) for name in NAMES for endpoint in ("spend", "explain", "calls", "traces", "forecast")
]
SUMS: dict[str, Callable[[Asked, Pairs], D]] = {
    "spend": spend_usd,
    "explain": explain_usd,
    "calls": calls_usd,
    "traces": traces_usd,
    "forecast": forecast_usd,
}


@pytest.mark.parametrize(("state", "name", "endpoint"), SUMMED)
def test_a_filter_leaves_what_it_names(asked: Asked, endpoint: str, name: str) -> None:
    assert SUMS[endpoint](asked, ((name, text(name, "a")),)) == USD["a"]


@every_dimension
def test_a_filter_may_name_two_values_and_the_unknown_one(asked: Asked, name: str) -> None:
    assert spend_usd(asked, ((name, text(name, "b")), (name, ""))) == USD["b"] + USD["c"]


@every_dimension
def test_a_filter_leaves_the_cascades_it_names(asked: Asked, name: str) -> None:
    found = ok(asked.api("/cascades", ("interval", "day"), (name, text(name, "a"))))["cascades"]
    assert [(one["name"], one["runs"], D(one["cost_usd"])) for one in found] == [("cascade-a", 2, USD["a"])]


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_leaves_the_runs_it_names_to_thresholds(projects: dict[str, Any], name: str) -> None:
    server, _ = projects["fresh"]
    assert ok(server.api("/cascades/cascade-a/thresholds", (name, text(name, "a"))))["runs"] == 2
    assert server.api("/cascades/cascade-a/thresholds", (name, text(name, "b"))).status == 404


@every_dimension
def test_a_filter_and_a_group_hold_for_caching(asked: Asked, name: str) -> None:
    found = ok(asked.api("/caching", (name, text(name, "a")), ("group_by", name)))
    assert found["total"]["provider"]["input_tokens"] == 2000
    assert [group_value(row, name) for row in found["rows"]] == [value(name, "a")]
    avoided = [found["total"][kind]["avoided_usd"] for kind in ("exact", "semantic")]
    assert avoided == ([str(USD["a"]), "0"] if name in LOOKED_UP else [None, None])


@every_dimension
def test_a_group_adds_up_by_value(asked: Asked, name: str) -> None:
    rows = ok(asked.api("/spend", ("group_by", name)))["rows"]
    assert {row[name]: D(row["cost_usd"]) for row in rows} == {value(name, letter): USD[letter] for letter in USD}
    cells = ok(asked.api("/explain", ("by", name)))["cells"]
    for letter, usd in USD.items():
        assert sum(D(cell["usd"]) for cell in cells if cell[name] == value(name, letter)) == usd


@every_dimension
def test_a_filter_and_groups_by_all_others_hold_together(asked: Asked, name: str) -> None:
    for others in batched(NAMES, MAX_GROUPS):
        rows = ok(asked.api("/spend", (name, text(name, "b")), ("group_by", ",".join(others))))["rows"]
        assert [D(row["cost_usd"]) for row in rows] == [USD["b"]]
        assert {other: rows[0][other] for other in others} == {other: value(other, "b") for other in others}


@every_dimension
def test_a_budget_counts_what_its_scope_names(asked: Asked, state: str, name: str) -> None:
    now = DAY + timedelta(hours=20)
    body = {"amount_usd": "100", "period": "day", "scope": {name: text(name, "a")}}
    with asked.server.assembly.context.writing() as writer:
        found = put_budget(asked.server.assembly.context.store, writer, state, "own", body, now)
    assert found["spent_usd"] == USD["a"]


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_may_stand_at_anomalies(projects: dict[str, Any], name: str) -> None:
    server, _ = projects["fresh"]
    asked = (name, text(name, "a"))
    until(lambda: server.api("/anomalies", asked).status != 503, "looked for")
    assert ok(server.api("/anomalies", asked))["anomalies"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_filter_and_a_group_may_stand_on_a_page(projects: dict[str, Any], name: str) -> None:
    """Pages read a filter through one door and ask the questions above: each page gets some dimensions, not all."""
    server, traces = projects["fresh"]
    page = PAGES[NAMES.index(name) % len(PAGES)]
    assert server.get(page, (name, text(name, "a"))).status == 200
    answer = server.get("/calls", (name, text(name, "a")))
    assert answer.status == 200, answer.text
    assert all(trace in answer.text for trace in traces["a"])
    assert not any(trace in answer.text for trace in (*traces["b"], *traces["c"]))
    assert server.get("/spend", (name, text(name, "a")), ("group_by", name)).status == 200


@pytest.mark.parametrize("state", ["rolled", "fresh"])
def test_a_report_is_right_whatever_its_calls_say(asked: Asked) -> None:
    found = ok(asked.server.api("/report", ("day", "2026-03-10"), ("project", asked.project)))
    for name, rows in found["groups"].items():
        assert {row[name]: D(row["cost_usd"]) for row in rows} == {value(name, letter): USD[letter] for letter in USD}


def batched(names: tuple[str, ...], size: int) -> list[tuple[str, ...]]:
    return [names[first : first + size] for first in range(0, len(names), size)]
