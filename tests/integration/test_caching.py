"""What caches saved, computed by hand from a small world."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.hand_calls import DAY, call, lookup, put, roll_up

from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_analytics.questions.caching import caching
from outlay_collector.rollup.hours import Rollup
from outlay_collector.store import Row, Store

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
WEEK = Scope(Window(DAY, DAY + timedelta(days=7)))
D = Decimal

# Per million tokens: plain 3, read 0.30, write 3.75, write for an hour 6, output 15 (claude-sonnet-4-5 of late 2025).
PLAIN, READ, WRITE, WRITE_1H, OUTPUT = (D(usd) / 1_000_000 for usd in ("3", "0.3", "3.75", "6", "15"))


def sonnet(
    at: timedelta, plain: int, read: int = 0, write: int = 0, write_1h: int = 0, output: int = 0, **fields: Any
) -> dict[str, Any]:
    """A call with these disjoint tokens, priced."""
    lines = {
        "input": plain * PLAIN, "cache_read": read * READ, "cache_write": write * WRITE,
        "cache_write_1h": write_1h * WRITE_1H, "output": output * OUTPUT,
    }  # fmt: skip
    given = plain + read + write + write_1h
    return call(
        at,
        str(sum(lines.values())),
        uncached_cost_usd=str(given * PLAIN + output * OUTPUT),
        cost_lines={name: str(usd) for name, usd in lines.items()},
        input_tokens=given,
        cache_read_tokens=read,
        cache_write_tokens=write + write_1h,
        cache_write_1h_tokens=write_1h,
        output_tokens=output,
        **{"provider": "anthropic", "model": "claude-sonnet-4-5", **fields},
    )


def rows_of(answer: dict[str, Any], name: str = "feature") -> dict[Any, dict[str, Any]]:
    return {row[name]: row for row in answer["rows"]}


def test_reads_save_writes_cost_extra_and_the_net_is_their_difference(store: Store) -> None:
    put(
        store,
        sonnet(HOUR, 2000, read=6000, write=1500, write_1h=500, output=300, feature="agent"),
        sonnet(2 * HOUR, 1000, feature="chat", output=10),
        call(3 * HOUR, None, feature="chat", model="unheard-of", input_tokens=500),
    )
    for _ in range(2):
        rows = rows_of(caching(store, WEEK))
        saving, premium = 6000 * (PLAIN - READ), 1500 * (WRITE - PLAIN) + 500 * (WRITE_1H - PLAIN)
        assert rows["agent"]["provider"] == {
            "input_tokens": 10_000,
            "cache_read_tokens": 6000,
            "cache_write_tokens": 2000,
            "hit_ratio": 0.6,
            "saving_usd": saving,
            "write_premium_usd": premium,
            "net_saving_usd": saving - premium,
        }
        assert (saving, premium) == (D("0.0162"), D("0.002625"))
        assert rows["chat"]["provider"]["input_tokens"] == 1500
        assert rows["chat"]["provider"]["hit_ratio"] == 0.0
        assert rows["chat"]["provider"]["net_saving_usd"] == 0
        roll_up(store)


def test_a_cache_that_is_written_and_never_read_is_a_loss(store: Store) -> None:
    put(store, sonnet(HOUR, 0, write=4000))
    provider = caching(store, WEEK, ())["rows"][0]["provider"]
    assert (provider["saving_usd"], provider["write_premium_usd"]) == (0, D("0.003"))
    assert provider["net_saving_usd"] == D("-0.003")


def test_lookups_are_counted_by_kind_and_hits_avoid_cost(store: Store) -> None:
    put(
        store,
        lookup(HOUR, feature="faq", hit=True, avoided_usd="0.5"),
        lookup(HOUR, feature="faq", hit=True, avoided_usd=None),
        lookup(HOUR, feature="faq", hit=False),
        lookup(HOUR, feature="faq", hit=False, avoided_usd="9"),
        lookup(HOUR, feature="search", kind="semantic", hit=True),
        call(HOUR, "0", feature="faq", cost_state="cached", cache_kind="exact", cache_hit=True),
    )
    answer = caching(store, WEEK)
    rows = rows_of(answer)
    assert rows["faq"]["exact"] == {"lookups": 4, "hits": 2, "hit_ratio": 0.5, "avoided_usd": D("0.5")}
    assert rows["faq"]["semantic"] == {"lookups": 0, "hits": 0, "hit_ratio": None, "avoided_usd": 0}
    assert rows["search"]["semantic"] == {"lookups": 1, "hits": 1, "hit_ratio": 1.0, "avoided_usd": None}
    assert rows["search"]["provider"]["input_tokens"] == 0
    assert rows["search"]["provider"]["saving_usd"] == 0
    assert answer["total"]["exact"]["lookups"] == 4


def test_a_deleted_lookup_is_gone(store: Store) -> None:
    one = lookup(HOUR, avoided_usd="1")
    put(store, one)
    put(store, {**one, "version": 2, "is_deleted": 1})
    assert caching(store, WEEK, ())["rows"] == []


def test_nothing_gives_no_rows(store: Store) -> None:
    answer = caching(store, WEEK)
    assert (answer["rows"], answer["opportunities"]) == ([], [])
    assert answer["total"]["provider"]["net_saving_usd"] == 0
    assert answer["total"]["provider"]["hit_ratio"] is None


def test_unpriced_calls_leave_the_saving_unknown(store: Store) -> None:
    put(store, call(HOUR, None, input_tokens=100, cache_read_tokens=50))
    provider = caching(store, WEEK, ())["rows"][0]["provider"]
    assert (provider["hit_ratio"], provider["saving_usd"], provider["net_saving_usd"]) == (0.5, None, None)


def test_by_day_the_newest_comes_first_and_zones_shift_days(store: Store) -> None:
    put(store, sonnet(23 * HOUR, 100, read=100), lookup(47 * HOUR, avoided_usd="1"))
    days = [row["time"] for row in caching(store, WEEK, (), "day")["rows"]]
    assert days == [DAY + timedelta(days=1), DAY]
    berlin = Scope(WEEK.window, timezone="Europe/Berlin")
    days = [row["time"] for row in caching(store, berlin, (), "day")["rows"]]
    assert days == [DAY + 47 * HOUR, DAY + 23 * HOUR]


def test_filters_hold_for_lookups_and_tokens_alike(store: Store) -> None:
    put(store, sonnet(HOUR, 10, read=90, team="a"), sonnet(HOUR, 100, team="b"))
    put(store, lookup(HOUR, team="a"), lookup(HOUR, team="b", hit=False), lookup(HOUR, team="b", tags={"plan": "pro"}))
    row = caching(store, Scope(WEEK.window, {"team": ("a",)}), ())["rows"][0]
    assert (row["provider"]["hit_ratio"], row["exact"]["lookups"]) == (0.9, 1)
    tagged = caching(store, Scope(WEEK.window, {"tag.plan": ("pro",)}), ())["total"]
    assert (tagged["exact"]["lookups"], tagged["provider"]["input_tokens"]) == (1, 0)


def test_what_lookups_do_not_know_is_unknown_for_them_not_zero(store: Store) -> None:
    put(store, sonnet(HOUR, 10, read=90, status="error"), lookup(HOUR))
    row = caching(store, WEEK, ("status",))["rows"][0]
    assert row["exact"] == {"lookups": None, "hits": None, "hit_ratio": None, "avoided_usd": None}
    assert row["provider"]["hit_ratio"] == 0.9


def test_a_prompt_paid_for_again_is_an_opportunity_worth_its_repeats(store: Store) -> None:
    put(
        store,
        call(1 * HOUR, "0.10", feature="faq", prompt_hash=7, prompt="welcome"),
        call(2 * HOUR, "0.20", feature="faq", prompt_hash=7, prompt="welcome"),
        call(3 * HOUR, "0.30", feature="faq", prompt_hash=7, prompt="welcome"),
        call(4 * HOUR, "9", feature="faq", prompt_hash=8),
        call(5 * HOUR, "9", feature="faq"),
        call(6 * HOUR, "9", feature="faq"),
        call(7 * HOUR, "0", feature="faq", prompt_hash=8, cost_state="cached"),
    )
    [found] = caching(store, WEEK)["opportunities"]
    assert (found["kind"], found["feature"], found["prompt"]) == ("prompt", "faq", "welcome")
    assert (found["calls"], found["repeats"], found["cost_usd"], found["saving_usd"]) == (3, 2, D("0.6"), D("0.5"))


def test_a_prefix_sent_again_within_minutes_is_worth_the_read_discount(store: Store) -> None:
    put(
        store,
        sonnet(1 * HOUR, 5000, feature="agent", prefix_hash=9, prompt_hash=1),
        sonnet(1 * HOUR + 2 * MINUTE, 5000, feature="agent", prefix_hash=9, prompt_hash=2),
        sonnet(1 * HOUR + 4 * MINUTE, 500, read=4500, feature="agent", prefix_hash=9, prompt_hash=3),
        sonnet(2 * HOUR, 5000, feature="agent", prefix_hash=9, prompt_hash=4),
    )
    [found] = caching(store, WEEK)["opportunities"]
    assert (found["kind"], found["calls"], found["repeats"], found["read_price_ratio"]) == ("prefix", 4, 1, 0.1)
    assert found["saving_usd"] == 1024 * (PLAIN - READ)


def test_an_unknown_group_is_refused(store: Store) -> None:
    with pytest.raises(BadRequest, match="group_by"):
        caching(store, WEEK, ["nonsense"])


def test_rows_and_the_remainder_add_up_whatever_the_limit(store: Store) -> None:
    hour = timedelta(hours=1)
    put(
        store,
        *(
            call(
                n * hour,
                f"0.{n + 1:03d}",
                user=f"u{n % 13}",
                input_tokens=n * 100,
                cache_read_tokens=n * 10,
                cache_write_tokens=n * 5,
                cost_lines={"input": "0.0005", "cache_write": "0.0001"},
            )
            for n in range(60)
        ),
        *(
            lookup(
                n * hour, kind="exact" if n % 2 else "semantic", hit=n % 3 == 0, avoided_usd="0.02", user=f"u{n % 20}"
            )
            for n in range(50)
        ),
    )
    for names in (("user",), ("user", "model")):
        for interval in ("total", "day"):
            whole = caching(store, WEEK, names, interval)
            assert not any(row.get("remainder") for row in whole["rows"])
            for limit in (1, 4):
                answer = caching(store, WEEK, names, interval, limit)
                assert answer["total"] == whole["total"]
                assert sum(bool(row.get("remainder")) for row in answer["rows"]) == len(
                    {r["time"] for r in answer["rows"]}
                )
                for kind, figures in answer["total"].items():
                    for name in set(figures) - {"hit_ratio"}:
                        assert sum(row[kind][name] or 0 for row in answer["rows"]) == figures[name], (kind, name)


def test_what_is_read_is_read_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which hours are clean, and the lookups of all groups where none is left out."""
    asked: list[str] = []
    query = Store.query

    def noted(self: Store, sql: str, *rest: Any) -> list[Row]:
        asked.append(sql)
        return query(self, sql, *rest)

    monkeypatch.setattr(Store, "query", noted)
    put(store, call(HOUR, "1", feature="chat"), lookup(HOUR, feature="chat", hit=True))
    roll_up(store)
    assert rows_of(caching(store, WEEK))["chat"]["exact"]["lookups"] == 1
    assert sum("FROM lookups" in sql for sql in asked) == 1
    assert sum("FROM rolled_hours" in sql for sql in asked) == 1
    assert caching(store, WEEK, interval="day")["rows"][0]["exact"]["lookups"] == 1


def test_lookups_of_clean_hours_come_from_their_rollup_and_say_the_same(store: Store) -> None:
    def looks(first: int, count: int, **own: Any) -> list[dict[str, Any]]:
        return [
            lookup(
                n * 20 * MINUTE, kind="exact" if n % 3 else "semantic", hit=n % 2 == 0, feature=f"f{n % 4}",
                avoided_usd=None if n % 5 == 0 else f"0.{n + 1:04d}", provider="openai" if n % 7 else "",
                environment="prod" if n % 4 else "staging", tags={"plan": "pro"} if n % 6 else {}, **own,
            )
            for n in range(first, first + count)
        ]  # fmt: skip

    def answers() -> list[Any]:
        berlin, odd = Scope(WEEK.window, timezone="Europe/Berlin"), Window(DAY + 7 * MINUTE, DAY + 30 * HOUR)
        return [
            caching(store, WEEK),
            caching(store, berlin, ("model_tier", "environment"), "day"),
            caching(store, Scope(odd, {"cache": ("exact",), "feature": ("f1", "f2")}), ("provider",), limit=1),
            caching(store, Scope(WEEK.window, {"tag.plan": ("pro",)}), ("feature",)),
        ]

    rows = looks(0, 120)
    put(store, *rows, *(call(n * HOUR, "1", feature="f1") for n in range(30)))
    before = answers()
    real_roll_up(store)
    assert answers() == before
    changed = [{**rows[4], "version": 2, "is_deleted": 1}, {**rows[5], "version": 2, "hit": True, "avoided_usd": D(9)}]
    put(store, *changed, *looks(121, 6), call(2 * HOUR, "1"), call(40 * HOUR, "1"), call(41 * HOUR, "1"))
    after = answers()
    assert after[0] != before[0]
    real_roll_up(store)
    assert answers() == after
    writer = store.writer()
    writer.run("TRUNCATE TABLE lookups")
    writer.close()
    assert [answer == known for answer, known in zip(answers(), after, strict=True)] == [True, True, False, False]


def test_a_lookup_in_an_hour_without_calls_is_counted_beside_clean_hours(store: Store) -> None:
    """As a miss just before the hour whose call begins after it, in a store that marked hours of calls alone."""
    put(store, call(HOUR, "1"), call(3 * HOUR, "1"), lookup(HOUR), lookup(3 * HOUR))
    writer = store.writer()
    writer.insert("lookups", [lookup(2 * HOUR)])
    writer.close()
    real_roll_up(store)
    assert caching(store, WEEK)["total"]["exact"]["lookups"] == 3


def real_roll_up(store: Store) -> None:
    rollup = Rollup(store)
    rollup.run_once(datetime(2100, 1, 1, tzinfo=UTC))
    rollup.close()
