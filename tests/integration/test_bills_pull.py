"""Bills pulled from providers over real HTTP: whole, exact, replaced when corrected, and never by half."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.fake_billing import ANTHROPIC_KEY, OPENAI_KEY, OPENROUTER_KEY, FakeBilling, Used, account

from outlay.pricing.catalog import shipped
from outlay_analytics.bills.accounts import Account
from outlay_analytics.bills.keep import pulled_charges, states
from outlay_analytics.bills.pull import Tools, due, pull
from outlay_analytics.reconcile.bill import Charge, Usage
from outlay_analytics.reconcile.models import ModelNames
from outlay_collector.store import Store
from outlay_collector.store.client import Writer
from outlay_web.services.reconcile import unpacked

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
TODAY = NOW.date()
YESTERDAY = TODAY - timedelta(days=1)
OLDEST = TODAY - timedelta(days=35)
MODELS = ModelNames(shipped())
KEYS = {"OPENAI": OPENAI_KEY, "ANTHROPIC": ANTHROPIC_KEY, "OPENROUTER": OPENROUTER_KEY}


class Puller:
    """Pulls into a store at a moment that the test sets."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOW
        self.keys = dict(KEYS)
        self.pauses: list[float] = []
        self._writer = store.writer()

    def __call__(self, account: Account, *, whole: bool = True, failures: int = 0) -> str:
        def pause(seconds: float) -> bool:
            self.pauses.append(seconds)
            return False

        tools = Tools(self._writer, MODELS, self.keys, pause, unpacked, lambda: self.now)
        return pull(account, tools, whole=whole, failures=failures)

    def state(self, name: str = "bill") -> dict[str, Any]:
        return states(self.store, "default", self.now.date())[name]

    def pulled(self, *names: str) -> tuple[list[Charge], list[Usage], list[dict[str, Any]]]:
        return pulled_charges(self.store, "default", names or ("bill",), OLDEST, TODAY)

    def charges(self) -> list[Charge]:
        return self.pulled()[0]

    def usage(self) -> list[Usage]:
        return self.pulled()[1]

    def billed(self) -> Decimal:
        return sum((charge.usd for charge in self.charges()), Decimal(0))


@pytest.fixture
def puller(store: Store) -> Puller:
    return Puller(store)


@pytest.fixture
def fake() -> Iterator[FakeBilling]:
    with FakeBilling() as found:
        yield found


def openai(fake: FakeBilling, **more: Any) -> Account:
    return account(provider="openai", key_env="OPENAI", url=fake.url, **more)


def anthropic(fake: FakeBilling, **more: Any) -> Account:
    return account(provider="anthropic", key_env="ANTHROPIC", url=fake.url, **more)


def test_openais_costs_and_usage_are_read_page_by_page_to_the_last_digit(puller: Puller, fake: FakeBilling) -> None:
    fake.per_page = 5
    fake.cost(OLDEST, "gpt-4o-2024-08-06", "input", "0.100000000001", tokens=12, unit="1000_tokens")
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "cached input", "1e-7", tokens=3)
    fake.cost(YESTERDAY, "", "web search tool calls", "0.03")
    fake.cost(TODAY, "gpt-4o-2024-08-06", "output", "0.3", project="proj_lab", key="key_lab")
    counts = {
        "input_tokens": 700,
        "input_cached_tokens": 200,
        "input_cache_write_tokens": 100,
        "output_tokens": 50,
        "num_model_requests": 7,
    }
    fake.used.append(Used(YESTERDAY, "gpt-4o-2024-08-06", counts))
    assert puller(openai(fake)) == ""
    assert puller.billed() == Decimal("0.430000100001")
    first, tool, cached, today = puller.charges()
    assert (first.meter, first.quantity, first.unit) == ("input", Decimal(12000), "tokens")
    assert (cached.usd, cached.meter) == (Decimal("0.0000001"), "cached input")
    assert (tool.kind, tool.meter) == ("fee", "web search tool calls")
    assert (today.account, today.key, today.day) == ("proj_lab", "key_lab", TODAY)
    [used] = puller.usage()
    assert used.tokens == {"input": 400, "cache_read": 200, "cache_write": 100, "output": 50}
    assert (used.requests, used.key) == (7, "key_shop")
    state = puller.state()
    assert (state["state"], state["days"], state["first_day"], state["last_day"]) == ("done", 36, OLDEST, TODAY)
    asked = [one for one in fake.asked if one.path.endswith("/costs")]
    assert len(asked) == 8  # 36 days, five on a page
    assert asked[0].query["group_by[]"] == ["line_item", "project_id", "api_key_id"]


def test_a_late_correction_replaces_and_what_is_gone_is_gone(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1.5")
    fake.cost(OLDEST, "gpt-4o-2024-08-06", "input", "2")
    puller(openai(fake))
    fake.costs.clear()
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1.25")
    puller.now += timedelta(hours=20)  # the next day: the oldest is out of reach and stays
    assert puller(openai(fake)) == ""
    assert puller.billed() == Decimal("3.25")
    puller.now = NOW + timedelta(hours=1)
    puller(openai(fake))
    assert puller.billed() == Decimal("1.25")
    pages = puller.store.query("SELECT count() AS n, uniqExact(hash) AS hashes FROM bill_pages FINAL")[0]
    assert pages["n"] == pages["hashes"] > 3  # the same page twice is one


def test_the_present_day_is_pulled_alone_for_the_pace(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    puller(openai(fake))
    fake.cost(TODAY, "gpt-4o-2024-08-06", "input", "0.25")
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "9")
    asked = len(fake.asked)
    assert puller(openai(fake), whole=False) == ""
    assert puller.billed() == Decimal("1.25")
    assert len(fake.asked) == asked + 1
    assert puller.state()["today_usd"] == Decimal("0.25")


def test_what_is_due_follows_from_the_last_pulls(puller: Puller, fake: FakeBilling) -> None:
    mine = openai(fake)
    assert due(None, mine, NOW) == "whole"
    puller(mine)
    assert due(puller.state(), mine, NOW + timedelta(minutes=59)) == ""
    assert due(puller.state(), mine, NOW + timedelta(minutes=61)) == "today"
    assert due(puller.state(), mine, NOW + timedelta(hours=15)) == "whole"  # the next day
    fake.scripted.append((400, {}, "{}"))
    puller.now = NOW + timedelta(hours=15)
    puller(mine)
    assert due(puller.state(), mine, puller.now + timedelta(seconds=59)) == ""
    assert due(puller.state(), mine, puller.now + timedelta(seconds=61)) == "whole"


def test_429_is_asked_again_when_the_provider_says(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    fake.scripted.extend([(429, {"retry-after": "7"}, "{}"), (503, {}, "down"), (529, {}, "{}")])
    assert puller(openai(fake)) == ""
    assert puller.pauses == [7.0, 2.0, 4.0]
    assert puller.billed() == 1


def test_a_long_retry_after_ends_the_pull_and_keeps_what_there_was(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    puller(openai(fake))
    fake.costs.clear()
    fake.scripted.append((429, {"retry-after": "1800"}, '{"error": {"message": "slow down"}}'))
    puller.now += timedelta(hours=2)
    why = puller(openai(fake))
    assert "HTTP 429: slow down" in why
    state = puller.state()
    assert (state["state"], state["failures"]) == ("failed", 1)
    assert state["retry_at"] == puller.now + timedelta(seconds=1800)
    assert puller.billed() == 1


@pytest.mark.parametrize(
    ("status", "said", "told"),
    [
        (401, f"Incorrect API key provided: {OPENAI_KEY}.", ["key is refused", "admin key", "api.usage.read"]),
        (403, "Missing scopes: api.usage.read", ["may not read", "Missing scopes: api.usage.read"]),
        (302, "", ["sends elsewhere"]),
        (200, "", ["without a list `data`"]),
    ],
)
def test_what_is_wrong_with_a_key_is_said_without_the_key_and_nothing_is_kept(
    puller: Puller, fake: FakeBilling, status: int, said: str, told: list[str]
) -> None:
    fake.scripted.append((status, {"location": "http://127.0.0.1:1/"}, json.dumps({"error": {"message": said}})))
    why = puller(openai(fake))
    assert all(word in why for word in told), why
    assert "sk-admin-0123" not in why
    assert puller.charges() == []
    assert puller.store.query("SELECT count() AS n FROM bill_pages")[0]["n"] == 0
    assert puller.state()["error"] == why


def test_a_pull_that_fails_on_its_last_page_changes_nothing(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    puller(openai(fake))
    before = puller.charges()
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "output", "5")
    fake.per_page = 12
    page = fake.answer
    good = 0

    def breaking(asked: Any) -> Any:
        nonlocal good
        good += 1
        return page(asked) if good < 3 else (200, {}, '{"data": [{"start_time": 1, "results": [{"amount": "a lot"}]}]}')

    fake.answer = breaking  # type: ignore[method-assign]
    assert "[2].data[0], start_time: '1'" in puller(openai(fake))
    assert puller.charges() == before


def test_a_pull_that_dies_before_the_switch_leaves_the_days_as_they_were(
    puller: Puller, fake: FakeBilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    puller(openai(fake))
    before = puller.charges(), puller.state()
    fake.cost(OLDEST, "gpt-4o-2024-08-06", "input", "5")
    load = Writer.load

    def dying(self: Writer, table: str, body: bytes, **more: Any) -> None:
        if table == "bill_days":
            raise SystemExit
        load(self, table, body, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "load", dying)
        with pytest.raises(SystemExit):
            puller(openai(fake))
    assert (puller.charges(), puller.state()) == before
    puller.now += timedelta(minutes=1)
    assert puller(openai(fake)) == ""
    assert puller.billed() == 6


def test_a_provider_whose_pages_go_in_a_circle_is_left(puller: Puller, fake: FakeBilling) -> None:
    circle = '{"data": [], "has_more": true, "next_page": "page_1"}'
    fake.scripted.extend([(200, {}, circle)] * 5)
    assert "does not say which is the next" in puller(openai(fake))


def test_anthropics_cents_are_dollars_and_its_usage_is_told_apart(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "claude-sonnet-4-5-20250929", "uncached_input_tokens", "1.2345")
    fake.cost(OLDEST, "claude-sonnet-4-5-20250929", "output_tokens", "0.000012", project="")
    fake.cost(YESTERDAY, "", "web_search", "0.02")
    counts = {
        "uncached_input_tokens": 411_500,
        "cache_read_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
        "output_tokens": 40,
    }
    fake.used.append(Used(YESTERDAY, "claude-sonnet-4-5-20250929", counts))
    assert puller(anthropic(fake)) == ""
    assert puller.billed() == Decimal("1.254512")
    [used] = puller.usage()
    assert used.tokens == {"input": 411_500, "cache_read": 10, "cache_write": 20, "cache_write_1h": 30, "output": 40}
    starts = [one.query["starting_at"][0] for one in fake.asked if one.path.endswith("/cost_report")]
    assert starts == [f"{OLDEST}T00:00:00Z", f"{OLDEST + timedelta(days=31)}T00:00:00Z"]


def test_what_analytics_leaves_out_below_its_top_groups_is_a_line_of_its_own(puller: Puller, fake: FakeBilling) -> None:
    for place, usd in enumerate(("3", "2", "1")):
        fake.cost(YESTERDAY, "claude-sonnet-4-5-20250929", "output_tokens", usd, project=f"w{place}")
    fake.analytics_top = 2
    assert puller(anthropic(fake, analytics=True)) == ""
    assert puller.billed() == Decimal("5.4")  # nine tenths of the list
    assert [charge.usd for charge in puller.charges() if not charge.model] == [Decimal("0.9")]
    assert {charge.list_usd for charge in puller.charges()} == {Decimal(3), Decimal(2), None}
    assert puller.state()["notes"] == [f"{YESTERDAY}: 0.9 USD are (below the top groups)"]


def test_openrouters_activity_is_of_thirty_whole_days_and_own_keys_are_billed_by_others(
    puller: Puller, fake: FakeBilling
) -> None:
    fake.cost(YESTERDAY, "openai/gpt-4o", "", "0.015")
    fake.cost(TODAY, "openai/gpt-4o", "", "7")
    assert puller(account(provider="openrouter", key_env="OPENROUTER", url=fake.url)) == ""
    assert puller.billed() == Decimal("0.015")
    [used] = puller.usage()
    assert (used.requests, used.tokens) == (5, {"cache_read": 60, "output": 125})
    state = puller.state()
    assert state["days"] == 30
    assert state["left_out"] == {"billed by others (own keys)": Decimal("0.012")}
    assert "provisioning key" in puller(account(provider="openrouter", key_env="OPENAI", url=fake.url))


def test_another_currency_is_converted_at_the_stated_rate_or_refused(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "2.5", currency="eur")
    assert "in EUR, not in USD" in puller(openai(fake))
    assert puller.charges() == []
    rated = openai(fake, usd_per={"EUR": "1.1"}, usd_per_day=date(2026, 11, 19))
    assert puller(rated) == ""
    assert puller.billed() == Decimal("2.75")
    assert puller.state()["notes"][0] == "1 line in EUR converted at the rates of 2026-11-19"


def test_a_key_that_is_not_where_the_file_says_is_named_and_tried_again(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    key = puller.keys.pop("OPENAI")
    assert "environment variable OPENAI is empty or not set" in puller(openai(fake))
    assert fake.asked == []
    puller.keys["OPENAI"] = key
    assert puller(openai(fake)) == ""
    assert puller.state()["failures"] == 0


def test_exports_in_a_folder_are_added_up_and_the_newest_run_of_a_period_counts(puller: Puller, tmp_path: Path) -> None:
    header = "line_item_usage_start_date,line_item_usage_end_date,line_item_unblended_cost,line_item_currency_code,"
    header += "line_item_usage_type,product_product_name\n"

    meter = "USE1-Claude4.5Sonnet-InputTokenCount"

    def export(path: str, *costs: str) -> None:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            f"2026-11-0{n}T00:00:00Z,2026-11-0{n + 1}T00:00:00Z,{usd},USD,{meter},Amazon Bedrock\n"
            for n, usd in enumerate(costs, 1)
        ]
        file.write_text(header + "".join(lines))

    export("data/BILLING_PERIOD=2026-11/20261102T00/cur-00001.csv", "1", "1")
    export("data/BILLING_PERIOD=2026-11/20261103T00/cur-00001.csv", "2", "2.5")
    export("data/BILLING_PERIOD=2026-11/20261103T00/cur-00002.csv", "0.25")
    (tmp_path / "data" / "manifest.json").write_text("{}")
    mine = account(provider="aws", path=str(tmp_path))
    assert puller(mine) == ""
    assert puller.billed() == Decimal("4.75")
    assert puller(account(provider="aws", path=tmp_path.as_uri())) == ""
    export("copy.csv", "2", "2.5")
    assert puller(mine) == ""  # the same bytes once
    export("other.csv", "2", "2.5", "3")
    assert "charge the same 2 lines" in puller(mine)
    assert puller.billed() == Decimal("4.75")
    assert "cannot be listed" in puller(account(provider="aws", path=str(tmp_path / "none")))


def test_days_that_no_file_has_any_more_are_no_bill(puller: Puller, tmp_path: Path) -> None:
    header = "day,model,usd\n"
    for day in (TODAY, YESTERDAY):
        (tmp_path / f"{day}.csv").write_text(f"{header}{day},gpt-4o,2\n")
    mine = account(provider="files", path=str(tmp_path))
    assert puller(mine) == ""
    assert (puller.billed(), puller.state()["days"]) == (Decimal(4), 2)
    (tmp_path / f"{YESTERDAY}.csv").unlink()
    assert puller(mine) == ""
    charges, _, days = puller.pulled()
    assert ([charge.day for charge in charges], [one["day"] for one in days]) == ([TODAY], [TODAY])
    state = puller.state()
    assert (state["days"], state["first_day"], state["billed_usd"]) == (1, TODAY, 2)
    (tmp_path / f"{YESTERDAY}.csv").write_text(f"{header}{YESTERDAY},gpt-4o,3\n")
    assert puller(mine) == ""
    assert puller.billed() == 5


def test_an_account_that_outlay_toml_does_not_name_any_more_is_no_bill(puller: Puller, fake: FakeBilling) -> None:
    fake.cost(YESTERDAY, "gpt-4o-2024-08-06", "input", "1")
    puller(openai(fake))
    assert [charge.usd for charge in puller.pulled("bill")[0]] == [1]
    assert puller.pulled("renamed") == ([], [], [])
