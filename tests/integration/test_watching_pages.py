"""The pages of incidents, alerts and rules: found, taken on, silenced, set and tried, all with plain forms."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.hand_calls import call, put
from tests.hand_incidents import incident_id, put_incident
from tests.receiver import Received, receiver
from tests.web_server import Answer, Running, own_store, running

from outlay_analytics.alerting.rules import all_rules
from outlay_analytics.notify.masks import channel_text
from outlay_collector.store import Store
from outlay_web.config import Settings

NOW = datetime(2026, 3, 20, 18, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
ONE = incident_id(1)
HOOK = "https://hooks.example.com/T00/secret?token=abc"
SCOPE = {"team": ("a, b", ""), "tag.plan": ("pro",), "feature": ("search",), "model": ("gpt-5",)}


@pytest.fixture(scope="module")
def hook() -> Iterator[Received]:
    with receiver() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, hook: Received) -> Iterator[Running]:
    channels = [
        {"name": "oncall", "webhook": hook.url},
        {"name": "pager", "webhook": hook.url, "severities": ["critical"]},
    ]
    sections = {"alerts": {"allow": ["127.0.0.1", "hooks.example.com"], "channels": channels, "notify": ["oncall"]}}
    sections["holidays"] = {
        "closed": [{"first": "2026-03-19"}, {"first": "2026-03-24", "name": "<b>works</b> holidays"}]
    }
    settings = Settings(data=tmp_path_factory.mktemp("data"), store_dsn=own_store(), grpc_port=-1)
    with running(settings, sections, lambda: NOW) as found:
        store = found.assembly.context.store
        put(store, *(call(NOW - hours * HOUR, "0.5", feature="search") for hours in range(1, 60)))
        for number, feature in enumerate(("search", "mail"), 1):
            put_incident(store, number, feature, NOW.replace(minute=0) - (1 + number) * HOUR)  # none is over yet
        assert found.post("/api/v1/markers", {"name": "deploy 42", "at": (NOW - 3 * HOUR).isoformat()}).status == 201
        yield found


def posted(server: Running, path: str, **fields: str) -> Answer:
    return server.request(
        "POST", path, urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"}
    )


def form_of(page: str, name: str) -> dict[str, str]:
    """The fields of the form of a page that posts to `name`, as a browser would send them."""
    (form,) = re.findall(rf'<form method="post" action="{name}".*?</form>', page, re.DOTALL)
    fields = dict(re.findall(r'<input name="(\w+)" value="([^"]*)"', form))
    for key, options in re.findall(r'<select name="(\w+)".*?>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option(?: value="([^"]*)")? selected>([^<]*)', options)
        fields[key] = (chosen[1] if chosen[1] is not None else chosen[2]) if chosen else ""
    fields |= dict(re.findall(r'<textarea name="(\w+)"[^>]*>([^<]*)', form))
    return {key: html.unescape(value) for key, value in fields.items()}


def stored(store: Store, name: str) -> Any:
    (rule,) = all_rules(store, (), "default", name)
    return rule


def test_a_rule_that_cannot_be_evaluated_is_seen_on_its_page_and_in_the_status(server: Running) -> None:
    body = {"kind": "budget_share", "threshold": "0.5", "budget": "gone"}
    assert server.post("/api/v1/rules/blind", body, method="PUT").status == 200
    reason = "its evaluation failed: there is no budget 'gone'"
    server.wait(lambda: bool(server.api("/status").json["not_evaluated"]), "judged")
    assert f"<b>blind</b> cannot be evaluated, so it tells nothing: {reason}." in html.unescape(
        server.get("/rules").text
    )
    assert {one["name"]: one["error"] for one in server.api("/rules").json["rules"]}["blind"] == reason
    assert [(one["what"], one["name"]) for one in server.api("/status").json["not_evaluated"]] == [("rule", "blind")]
    assert server.post("/api/v1/rules/blind", None, method="DELETE").status == 204


def test_a_rule_that_is_edited_keeps_what_was_not_touched(server: Running) -> None:
    body = {"kind": "spend_usd", "threshold": "5", "scope": SCOPE, "notify": ["oncall", HOOK], "severity": "critical"}
    assert server.post("/api/v1/rules/dear", body, method="PUT").status == 200
    before = stored(server.assembly.context.store, "dear")
    assert '/rules?edit=dear#form"' in server.get("/rules").text
    form = form_of(server.get("/rules", ("edit", "dear")).text, "/rules")
    assert "abc" not in form["notify"]
    assert posted(server, "/rules", **form | {"threshold": "7"}).status == 303
    after = stored(server.assembly.context.store, "dear")
    assert after.threshold == 7
    assert {**before.__dict__, "threshold": 7, "scope": dict(SCOPE)} == {**after.__dict__, "scope": dict(after.scope)}


def test_a_budget_with_many_dimensions_keeps_them_when_it_is_edited(server: Running) -> None:
    body = {"amount_usd": "5", "scope": SCOPE, "notify": ["oncall", HOOK]}
    before = server.post("/api/v1/budgets/wide", body, method="PUT").json
    form = form_of(server.get("/budgets", ("edit", "wide")).text, "/budgets")
    assert posted(server, "/budgets", **form).status == 303
    after = server.api("/budgets/wide").json
    assert (after["scope"], after["notify"]) == (before["scope"], before["notify"])


def test_a_preview_knows_channels_and_keeps_them_out_of_the_address(server: Running) -> None:
    rule = {"kind": "spend_usd", "threshold": "2", "window": "1h", "notify": f"oncall\n{HOOK}", "name": "try"}
    shown = posted(server, "/rules/preview", **rule)
    assert (shown.status, "In the last 60 days" in shown.text) == (200, True)
    assert "Told to oncall, https://hooks.example.com/T00/secret?token=***." in shown.text
    assert "token=abc" in form_of(shown.text, "/rules")["notify"], "what was typed is still there"
    wrong = posted(server, "/rules/preview", **rule | {"notify": "nobody"})
    assert (wrong.status, "nobody" in wrong.text) == (400, True)
    assert server.get("/rules", ("notify", HOOK)).status == 400


def test_a_preview_says_whom_it_would_tell(server: Running) -> None:
    rule = {"kind": "spend_usd", "threshold": "2", "window": "1h", "name": "grave", "notify": "oncall\npager"}
    shown = posted(server, "/rules/preview", **rule).text
    assert "Told to oncall." in shown
    assert "Not told to pager, which takes no warning." in shown
    nobody = posted(server, "/rules/preview", **rule | {"notify": "pager"}).text
    assert "nobody would be told: none of its channels takes what is of severity warning" in nobody
    assert "Told to nobody: it names no channel" in posted(server, "/rules/preview", **rule | {"notify": ""}).text
    critical: dict[str, Any] = {**rule, "severity": "critical", "notify": [HOOK, "pager"]}
    del critical["name"]
    masked = server.post("/api/v1/rules/grave", critical, method="PUT").json["notify"]
    looked = server.post(
        "/api/v1/alerts/preview", {**critical, "name": "grave", "notify": masked}
    ).json  # as a client reads it
    assert looked["channels"] == [{"channel": channel_text(one), "takes": True} for one in masked]
    assert '<b>pager</b> <span class="muted">told by rule grave, only what is critical' in server.get("/alerts").text


def test_incidents_are_listed_with_the_figures_of_their_pages_and_by_state(server: Running) -> None:
    told = "2 incidents are open: $21.00 above what was expected."
    server.wait(lambda: told in server.get("/incidents").text, "looked through the hours")
    page = server.get("/incidents").text
    for one in server.api("/incidents").json["incidents"]:
        assert f'href="/incidents/{one["id"]}"' in page
        assert f"${Decimal(one['impact_usd']):.2f}" in page
        assert f"${Decimal(one['impact_lo_usd']):.2f} \u2013 ${Decimal(one['impact_hi_usd']):.2f}" in page
    assert "None in this state" in server.get("/incidents", ("state", "resolved")).text
    assert server.get("/incidents", ("state", "new")).status == 400
    assert "feature mail" not in server.get("/incidents", ("feature", "search")).text
    assert server.get("/incidents", ("csv", "incidents")).text.startswith("cause,state,impact_usd")
    window = ("start", "2026-03-01"), ("end", "2026-03-02")
    server.wait(lambda: "Too early to tell" in server.get("/incidents", *window).text, "looked through the hours")
    assert "Send your first span" in server.get("/incidents", ("project", "empty")).text
    assert '<a href="/incidents">' in server.get("/").text


@pytest.mark.parametrize("path", ["/", "/spend", "/forecast", "/unit-costs", "/caching", f"/incidents/{ONE}"])
def test_charts_show_incidents_and_markers_with_their_figures(server: Running, path: str) -> None:
    page = server.get(path).text
    words = r"Incident: each call wrote more tokens: feature search, \$7.00 above"
    band = rf'<a href="/incidents/{ONE}"><title>{words}'
    assert re.search(band, page)
    assert '<g class="changed"><title>deploy 42</title>' in page


def test_alerts_of_many_incidents_are_read_once(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    store = server.assembly.context.store
    asked: list[str] = []
    query = type(store).query

    def heard(self: Store, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return query(self, sql, *rest)

    monkeypatch.setattr(type(store), "query", heard)
    assert len(server.api("/incidents").json["incidents"]) == 2
    assert sum("FROM alerts" in sql for sql in asked) == 1


def test_an_incident_is_taken_on_and_silenced_but_never_without_end(server: Running) -> None:
    where = f"/incidents/{ONE}"
    assert posted(server, f"{where}/silence", **{"for": "forever"}).status == 400
    far = server.post(f"/api/v1{where}/silence", {"until": "2099-01-01T00:00:00Z"})
    assert (far.status, "within 90 days" in far.error[2]) == (400, True)
    assert server.api(where).json["silenced_until"] is None
    assert posted(server, f"{where}/silence", **{"for": "4h"}).status == 303
    assert server.api(where).json["silenced_until"] == "2026-03-20T22:10:00Z"
    assert "silenced until" in server.get(where).text
    assert posted(server, f"{where}/events", kind="acknowledged").status == 303
    told = "1 incident is open: $14.00"
    server.wait(lambda: told in server.get("/incidents").text, "looked through the hours")
    assert posted(server, "/incidents/none/silence").status == 404


def test_hours_of_an_incident_have_figures_where_hours_begin_at_half_past(server: Running) -> None:
    table = server.get(f"/incidents/{ONE}", ("timezone", "Asia/Kolkata"), ("csv", "hours")).text
    spent = [line.split(",")[1] for line in table.splitlines()[1:]]
    assert sum(Decimal(usd or 0) for usd in spent) > 20


def test_each_channel_has_a_button_that_tries_it(server: Running, hook: Received) -> None:
    body = {"amount_usd": "5", "notify": ["oncall", f"{hook.url}?token=abc"]}
    assert server.post("/api/v1/budgets/tried", body, method="PUT").status == 200
    page = server.get("/alerts").text
    assert "told by incidents, budget tried" in page
    assert "token=abc" not in page
    ids = dict(re.findall(r'name="channel" value="(\w+)"><span><b>([^<]*)', page))
    by_name = {html.unescape(name): key for key, name in ids.items()}
    before = len(hook.bodies)
    said = posted(server, "/alerts/test", channel=by_name["oncall"])
    assert (said.status, "The test message was sent to oncall" in said.text) == (200, True)
    assert len(hook.bodies) > before
    hook.status = 500
    refused = posted(server, "/alerts/test", channel=by_name[f"{hook.url}?token=***"])
    hook.status = 200
    assert (refused.status, f"did not reach {hook.url}?token=***" in refused.text) == (400, True)
    assert "token=abc" not in refused.text
    assert posted(server, "/alerts/test", channel="none").status == 404


def test_a_marker_lies_where_a_window_can_hold_it(server: Running) -> None:
    for year in (1800, 9999):
        refused = server.post("/api/v1/markers", {"name": "deploy", "at": f"{year}-01-01T00:00:00Z"})
        assert (refused.status, f"between 1970 and 2106, not in {year}" in refused.error[2]) == (400, True)


def test_holidays_are_marked_on_charts_of_days_and_said_by_the_api(server: Running) -> None:
    listed = server.get("/api/v1/forecast?horizon=14d").json["holidays"]
    assert [(one["day"], one["name"], one["calendars"]) for one in listed] == [
        ("2026-03-19", "closed", ["closed"]),
        ("2026-03-24", "<b>works</b> holidays", ["closed"]),
    ]
    page = server.get("/forecast?horizon=14d").text
    assert re.search(r'class="holiday"[^>]*><title>&lt;b&gt;works&lt;/b&gt; holidays</title>', page)
    assert "holiday: &lt;b&gt;works&lt;/b&gt; holidays" in page
