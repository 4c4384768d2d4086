"""Bills pulled by a server: by itself, by command, over the API and on the page; and killed in the middle of it."""

from __future__ import annotations

import json
import signal
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.documented_api import Documented
from tests.fake_billing import OPENAI_KEY, FakeBilling
from tests.outlay_process import Server, outlay
from tests.scrape import value
from tests.waiting import until
from tests.web_server import Running, own_store, running

from outlay_analytics.bills.fetch import STOPS
from outlay_web.config import Settings
from outlay_web.services.bills import pull_now

MODEL = "gpt-4o-2024-08-06"


@pytest.fixture
def fake() -> Iterator[FakeBilling]:
    with FakeBilling() as found:
        yield found


def yesterday() -> Any:
    return (datetime.now(UTC) - timedelta(days=1)).date()


def section(fake: FakeBilling, **more: str) -> dict[str, Any]:
    return {"bills": [{"name": "openai", "provider": "openai", "key_env": "BILLS_KEY", "url": fake.url, **more}]}


@pytest.fixture
def server(tmp_path: Path, fake: FakeBilling, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    fake.cost(yesterday(), MODEL, "input", "1.25")
    monkeypatch.setenv("BILLS_KEY", "sk-proj-wrong-0123456789")
    with running(Settings(data=tmp_path, store_dsn=own_store(), grpc_port=-1), section(fake)) as found:
        yield found


def test_accounts_are_answered_as_described(server: Running) -> None:
    asked = Documented(server, server.get("/openapi.json").json)
    assert asked.ask("get", "/bills").json["bills"]
    assert asked.ask("post", "/bills/pull").json["failed"]
    assert asked.ask("get", "/bills", ("format", "csv")).text.startswith("name,provider,state")
    assert asked.ask("post", "/bills/pull", ("account", "none")).status == 400


def test_a_wrong_key_is_seen_everywhere_and_a_right_one_heals_it(
    server: Running, fake: FakeBilling, monkeypatch: pytest.MonkeyPatch
) -> None:
    def account() -> dict[str, Any]:
        [found] = server.api("/bills").json["bills"]
        return dict(found)

    server.wait(lambda: account()["state"] == "failed", "pulled by itself, and refused")
    found = account()
    assert "it has to be an admin key (sk-admin-…)" in found["error"]
    assert (found["key"], found["billed_usd"], found["lines"]) == ("$BILLS_KEY", None, 0)
    server.wait(lambda: "admin key" in str(job(server)["last_error"]), "told by the status")
    labels = {"project": "default", "account": "openai", "provider": "openai"}
    assert value(server, "outlay_bill_pull_failures", **labels) == 1
    page = server.get("/reconcile").text
    assert "The bill of openai was not pulled." in page
    for text in (page, json.dumps(found), server.api("/status").text):
        assert "sk-proj-wrong" not in text

    monkeypatch.setenv("BILLS_KEY", OPENAI_KEY)
    answer = server.request("POST", "/api/v1/bills/pull")
    assert answer.json["failed"] == {}
    found = account()
    assert (found["state"], found["billed_usd"], found["error"]) == ("done", "1.25", None)
    assert value(server, "outlay_bill_pull_failures", **labels) == 0
    page = server.get("/reconcile").text
    assert "Pulled bills" in page
    assert "was not pulled" not in page
    assert (
        server.request("POST", "/api/v1/bills/pull?account=other")
        .error[2]
        .startswith("[[bills]] of outlay.toml has no account 'other'")
    )


def test_a_pull_that_was_asked_for_ends_with_the_program(server: Running, fake: FakeBilling) -> None:
    ctx = server.assembly.context
    server.wait(lambda: server.api("/bills").json["bills"][0]["state"] == "failed", "pulled by itself, and refused")
    fake.scripted.append((503, {"retry-after": "60"}, ""))
    before, failed = len(fake.asked), dict[str, str]()
    asking = threading.Thread(target=lambda: failed.update(pull_now(ctx, "default")), daemon=True)
    asking.start()
    until(lambda: len(fake.asked) > before, "asked")
    ctx.stopping.set()
    asking.join(50)
    assert failed == {"openai": STOPS}
    assert pull_now(ctx, "default") == {"openai": STOPS}, "nothing is begun any more"


def job(server: Running) -> dict[str, Any]:
    return next(one for one in server.api("/status").json["jobs"] if one["name"] == "bills")


def test_a_server_killed_while_it_pulls_has_the_bill_as_it_was(tmp_path: Path, fake: FakeBilling) -> None:
    fake.cost(yesterday(), MODEL, "input", "1.25")
    file = tmp_path / "outlay.toml"
    [row] = section(fake)["bills"]
    file.write_text("[[bills]]\n" + "".join(f'{name} = "{text}"\n' for name, text in row.items()))
    words = ("--data", str(tmp_path / "data"), "--config", str(file))

    def bills() -> dict[str, Any]:
        with urllib.request.urlopen(f"{running_server.url}/api/v1/bills", timeout=300) as answer:
            [found] = json.load(answer)["bills"]
            return dict(found)

    running_server = Server(tmp_path, *words, BILLS_KEY=OPENAI_KEY)
    try:
        until(lambda: bills()["state"] == "done", "pulled by itself")
        before = bills()
        assert before["billed_usd"] == "1.25"
        fake.costs.clear()
        fake.cost(yesterday(), MODEL, "input", "7")
        fake.per_page = 6
        fake.stall_after = len(fake.asked) + 3  # the fourth page of the costs does not come
        asking = threading.Thread(target=post, args=(running_server.url,), daemon=True)
        asking.start()
        assert fake.stalled.wait(300)
        running_server.stop(signal.SIGKILL)
        asking.join(300)
        running_server = Server(tmp_path, *words, BILLS_KEY=OPENAI_KEY)
        assert bills() == before
        fake.release.set()
        done = outlay(tmp_path, "bills", "pull", "openai", "--url", running_server.url)
        assert done.returncode == 0, done.stderr
        assert "openai" in done.stdout
        assert bills()["billed_usd"] == "7"
        listed = outlay(tmp_path, "bills", "list", "--json", "--url", running_server.url)
        assert json.loads(listed.stdout)["bills"][0]["billed_usd"] == "7"
        compared = outlay(tmp_path, "reconcile", "--url", running_server.url)
        assert "billed 7 USD, computed 0 USD" in compared.stdout, compared.stderr
        fake.scripted.extend([(403, {}, '{"error": {"message": "Missing scopes: api.usage.read"}}')])
        refused = outlay(tmp_path, "bills", "pull", "--url", running_server.url)
        assert refused.returncode == 1
        assert "Missing scopes: api.usage.read" in refused.stderr
    finally:
        running_server.close()


def post(url: str) -> None:
    try:
        urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/bills/pull", method="POST"), timeout=300)
    except OSError:
        pass  # it was killed
