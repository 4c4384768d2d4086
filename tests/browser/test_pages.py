"""The pages in Chromium: they load, say nothing in the console, are accessible, and work with and without script."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, ViewportSize
from tests.billed_world import BILLS
from tests.browser.conftest import Site, Tab
from tests.browser.world import HOSTILE
from tests.hand_incidents import incident_id

PATHS = (
    "/",
    "/spend",
    "/explain",
    "/unit-costs",
    "/quality",
    "/tradeoff",
    "/routing",
    "/decide",
    "/experiments",
    "/prompts",
    "/caching",
    "/cascades",
    "/simulate",
    "/forecast",
    "/budgets",
    "/rules",
    "/alerts",
    "/incidents",
    f"/incidents/{incident_id(1)}",
    "/calls",
    "/prices",
    "/reconcile",
    "/traces/TRACE",
    "/settings",
)
DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)
OpenTab = Callable[..., Tab]


def where(site: Site, path: str) -> str:
    return path.replace("TRACE", site.trace_id)


def axe_findings(tab: Tab, *, only_contrast: bool = False) -> list[str]:
    rules = {"type": "rule", "values": ["color-contrast"]}
    tags = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}
    found = Axe().run(tab.page, options={"runOnly": rules if only_contrast else tags, "resultTypes": ["violations"]})
    return [f"{one['id']}: {[node['html'][:160] for node in one['nodes'][:3]]}" for one in found.response["violations"]]


def test_every_page_with_data_is_quiet_and_accessible(open_tab: OpenTab, site: Site, tmp_path: Path) -> None:
    """Each once, under the strict policy: in light colors, then in dark ones, then as wide as a phone."""
    tab = open_tab(site, reduced_motion="reduce")  # colors change at once
    wrong = []
    for path in PATHS:
        tab.page.emulate_media(color_scheme="light")
        tab.page.set_viewport_size(DESK)
        page = tab.go(where(site, path))
        assert page.locator("h1").count() == 1, path
        assert page.screenshot(path=tmp_path / f"light{path.replace('/', '_')}.png")
        wrong += [f"{path}: {finding}" for finding in axe_findings(tab)]
        page.emulate_media(color_scheme="dark")
        wrong += [f"{path}: dark: {finding}" for finding in axe_findings(tab, only_contrast=True)]
        page.set_viewport_size(PHONE)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            wrong.append(f"{path}: a phone scrolls sideways")
    assert not wrong, "\n".join(wrong)
    tab.quiet()


def test_every_page_without_data_says_how_to_begin(open_tab: OpenTab, empty_site: Site) -> None:
    tab = open_tab(empty_site)
    wrong = []
    for path in PATHS:
        if "TRACE" in path or path.startswith("/incidents/"):
            continue
        page = tab.go(path)
        said = page.inner_text("main")
        if path not in ("/budgets", "/rules", "/alerts", "/prices", "/reconcile"):
            assert "@outlay.track" in said, path
            assert empty_site.url in said, path
        wrong += [f"{path}: {finding}" for finding in axe_findings(tab)]
    assert not wrong, "\n".join(wrong)
    tab.quiet()


def test_every_page_works_without_script(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site, java_script_enabled=False)
    for path in PATHS:
        page = tab.go(where(site, path))
        assert page.locator("h1").is_visible()
    page = tab.go("/spend")
    page.locator("summary", has_text="Show as table").first.click()
    assert page.locator(".twin table").first.is_visible()
    page.locator("select[name=group_by]").first.select_option("model")
    page.get_by_role("button", name="Apply").click()
    assert parse_qs(urlsplit(page.url).query)["group_by"] == ["model"]
    assert page.get_by_role("columnheader", name="Model").count() == 1


def test_a_phone_names_every_button(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site, viewport=PHONE, has_touch=True).go("/")
    names = {"Copy link", "Live", "Switch between light and dark"}
    for name in names:
        assert page.get_by_role("button", name=name).is_visible(), name
    assert page.get_by_role("button").count() == page.get_by_role("button", name=re.compile(r"\w")).count()


def test_dragging_over_a_chart_zooms_into_the_time_dragged_over(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend")
    hits = page.locator("#figure-spend .hit")
    first, last = hits.nth(8).bounding_box(), hits.nth(14).bounding_box()
    assert first
    assert last
    page.mouse.move(first["x"] + 3, first["y"] + 80)
    page.mouse.down()
    page.mouse.move(last["x"] + 3, last["y"] + 90, steps=4)
    with page.expect_navigation():
        page.mouse.up()
    chosen = parse_qs(urlsplit(page.url).query)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", chosen["start"][0])
    assert page.locator("#figure-spend .hit").count() == 7


def test_the_tooltip_shows_the_amounts_of_the_step(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend")
    assert page.locator("#tip").is_hidden()
    page.locator("#figure-spend .hit").nth(9).hover()
    shown = page.locator("#tip").inner_text()
    row = page.locator("#figure-spend .twin tbody tr").nth(9)
    assert (row.locator("td").first.text_content() or "?") in shown
    assert "Total" in shown


def test_a_legend_key_hides_its_series_and_closes_the_gap(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend")
    second = page.locator("#figure-spend .layer.s2 rect[data-i='9']")
    before = float(second.get_attribute("y") or 0)
    page.locator("#figure-spend .legend button").first.click()
    assert page.locator("#figure-spend .layer.s1").evaluate("e => getComputedStyle(e).display") == "none"
    assert float(second.get_attribute("y") or 0) > before


def test_a_column_sorts_by_its_numbers(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend")
    table = page.locator("section", has=page.get_by_role("heading", name="Who spent what")).locator("table")
    cells = table.locator("tbody td:nth-child(5)")
    for down in (True, False):
        table.get_by_role("button", name="Per call").click()
        each = cells.evaluate_all("cells => cells.map(cell => parseFloat(cell.dataset.v || '-1'))")
        assert each == sorted(each, reverse=down)


def test_heads_of_spend_sort_all_groups_on_the_server(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend?group_by=user")
    table = page.locator("section", has=page.get_by_role("heading", name="Who spent what")).locator("table")
    assert page.locator("tr.others").count() == 1
    dearest = table.locator("tbody tr").first.inner_text()
    table.get_by_role("link", name="Calls", exact=True).click()
    page.wait_for_url("**sort=calls**")
    calls = [int(text.replace(",", "")) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert calls == sorted(calls, reverse=True)
    table.get_by_role("link", name="Cost", exact=True).click()
    page.wait_for_url(lambda url: "sort=" not in url)
    assert table.locator("tbody tr").first.inner_text() == dearest


def test_the_theme_is_remembered_without_a_flash(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site, color_scheme="light").go("/")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("[data-theme-toggle]").click()
    page.goto(site.url + "/calls")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_a_filter_from_the_form_becomes_a_chip_that_can_be_taken_away(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend")
    page.locator("summary", has_text="Filter").click()
    page.locator("select[name=dim]").select_option("feature")
    page.locator("input[name=value]").fill("code-review")
    page.get_by_role("button", name="Add filter").click()
    assert parse_qs(urlsplit(page.url).query)["feature"] == ["code-review"]
    assert page.locator(".chip").count() == 1
    page.get_by_label("Remove the filter feature code-review").click()
    assert page.locator(".chip").count() == 0


def test_the_total_leads_to_calls_that_add_up_to_it(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/spend?feature=report-writer")
    total = page.locator(".tile").nth(1).inner_text().split("\n")[1]
    page.goto(site.url + "/calls?feature=report-writer&limit=500")
    assert page.locator("tbody tr").count() == int(total)


def test_older_calls_are_one_page_further(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/calls")
    first = page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="Older").click()
    assert "cursor=" in page.url
    assert page.locator("tbody tr").first.inner_text() != first


def test_the_trace_says_what_was_counted_and_why(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go(f"/traces/{site.trace_id}")
    rows = page.locator(".waterfall tbody tr").all_inner_texts()
    assert [("counted" in row, "repeat" in row) for row in rows] == [
        (False, False),
        (False, True),
        (True, False),
        (False, False),
        (True, False),
    ]


@pytest.mark.parametrize("script", [True, False])
def test_a_click_on_a_span_opens_what_it_says(open_tab: OpenTab, site: Site, script: bool) -> None:
    page = open_tab(site, java_script_enabled=script).go(f"/traces/{site.trace_id}")
    links = page.locator(".waterfall tbody th a")
    assert links.count() > 4
    for n in (1, 3, 1):
        links.nth(n).click()
        page.wait_for_url(re.compile("#detail-"))
        assert page.locator(f"{links.nth(n).get_attribute('href')}").is_visible()


def test_heads_of_the_calls_sort_all_calls_on_the_server(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site, java_script_enabled=False).go("/calls")

    def costs() -> list[float]:
        shown = page.locator("tbody tr td:nth-child(4)").evaluate_all("all => all.map(one => one.dataset.v)")
        return [float(one) for one in shown if one]

    newest = costs()
    page.get_by_role("columnheader", name="Cost").get_by_role("link").click()
    assert parse_qs(urlsplit(page.url).query)["sort"] == ["cost_usd"]
    dearest = costs()
    assert dearest == sorted(dearest, reverse=True)
    assert dearest[0] >= max(newest)
    assert dearest != newest
    assert page.get_by_role("columnheader", name="Cost").get_attribute("aria-sort") == "descending"
    page.get_by_role("link", name="Next").click()
    assert max(costs()) <= dearest[-1]
    page.get_by_role("columnheader", name="Cost").get_by_role("link").click()
    cheapest = costs()
    assert cheapest == sorted(cheapest)


def test_every_chart_and_table_downloads_as_csv(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site)
    for path in PATHS:
        page = tab.go(where(site, path))
        links = page.eval_on_selector_all("a[href*='csv=']", "links => links.map(link => link.href)")
        assert links or page.locator("main .card.empty").count(), path
        for link in links[:: max(1, len(links) // 2)]:
            answer = page.request.get(link)
            assert answer.status == 200, link
            assert answer.headers["content-type"].startswith("text/csv"), link
            assert "attachment" in answer.headers["content-disposition"], link
            assert "\r\n" in answer.text(), link


def test_hostile_names_are_shown_as_text(open_tab: OpenTab, hostile_site: Site) -> None:
    tab = open_tab(hostile_site)
    tab.page.add_init_script("window.boomed = 0; window.boom = () => { window.boomed += 1 }")
    paths = [path for path in PATHS if "TRACE" not in path]
    paths += ["/spend?group_by=user,model", "/calls?feature=%3Cscript%3Eboom()%3C%2Fscript%3E", "/explain?by=model"]
    links: set[str] = set()
    for path in paths:
        page = tab.go(path)
        assert page.evaluate("window.boomed") == 0, path
        assert page.locator("main img, main script, main iframe").count() == 0, path
        links |= set(page.eval_on_selector_all("a", "all => all.map(a => a.getAttribute('href'))"))
    assert not [link for link in links if not link.startswith(("/", "#"))]
    traces = sorted(link for link in links if link.startswith("/traces/"))
    assert traces
    for path in traces[:4]:
        page = tab.go(path)
        assert page.evaluate("window.boomed") == 0
    shown = tab.go("/spend").inner_text("main")
    assert HOSTILE[0] in shown
    assert "1337" not in shown
    tab.quiet()


def test_hostile_names_do_not_become_formulas_in_csv(open_tab: OpenTab, hostile_site: Site) -> None:
    page = open_tab(hostile_site).go("/calls")
    text = page.request.get(hostile_site.url + "/calls?csv=calls").text()
    cells = [cell for line in text.splitlines() for cell in re.split(r'"?,"?', line.strip('"'))]
    assert any(cell.startswith("'=1+2") for cell in cells)
    assert not [cell for cell in cells if re.match(r"[=@\t\r]|[+-](?![\d.]+$)", cell)]


@pytest.mark.parametrize(
    "query",
    [
        "group_by=cost);DROP",
        "interval='",
        "start=1%3B%20DROP%20TABLE",
        "limit=a",
        "feature=%00",
        "nonsense=1",
        "csv=../etc",
    ],
)
def test_a_bad_address_is_answered_with_a_page_that_says_why(open_tab: OpenTab, site: Site, query: str) -> None:
    tab = open_tab(site)
    for path in ("/", "/spend", "/calls"):
        answer = tab.page.goto(f"{site.url}{path}?{query}")
        assert answer is not None
        assert answer.status in (200, 400, 404), path
        assert "DB::Exception" not in tab.page.inner_text("body")
        assert "Traceback" not in tab.page.inner_text("body")


def test_a_posted_form_of_another_origin_is_refused(open_tab: OpenTab, site: Site) -> None:
    page = open_tab(site).go("/budgets")
    incident = f"/incidents/{incident_id(1)}"
    alerts = ("/alerts/ack", "/alerts/silence", "/alerts/test", f"{incident}/events", f"{incident}/silence")
    for path in ("/budgets", "/budgets/delete", "/rules", "/rules/preview", *alerts):
        answer = page.request.post(
            site.url + path, form={"name": "x", "amount_usd": "1", "id": "x"}, headers={"origin": "http://evil.example"}
        )
        assert answer.status == 403, path


def test_a_budget_is_set_changed_and_deleted_with_forms(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site, java_script_enabled=False)
    page = tab.go("/budgets")
    page.get_by_label("Name").fill("reviews & more")
    page.get_by_label("Amount in USD").fill("12.50")
    page.locator("select[name=dim0]").select_option("feature")
    page.locator("input[name=value0]").fill("code-review")
    page.get_by_role("button", name="Save").click()
    card = page.locator("section", has_text="feature code-review").first
    assert "$12.50" in card.inner_text()
    card.get_by_role("link", name="Edit").click()
    page.get_by_label("Amount in USD").fill("20")
    page.get_by_role("button", name="Save").click()
    assert "$20.00" in page.locator("section", has_text="feature code-review").first.inner_text()
    page.get_by_label("Name").fill("another")
    page.get_by_label("Amount in USD").fill("a lot")
    page.locator("select[name=dim0]").select_option("team")
    page.get_by_role("button", name="Save").click()
    assert "amount" in page.get_by_role("alert").inner_text()
    assert page.get_by_label("Name").input_value() == "another"
    assert page.locator("select[name=dim0]").input_value() == "team"
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_role("link", name="Keep it").click()
    page.get_by_role("button", name="Delete").first.click()
    assert "Delete the budget reviews & more?" in page.inner_text("main")
    page.get_by_role("button", name="Delete").click()
    assert page.get_by_role("button", name="Delete").count() == 0


def test_a_bill_is_uploaded_compared_followed_to_its_calls_and_deleted(open_tab: OpenTab, site: Site) -> None:
    tab = open_tab(site)
    page = tab.go("/reconcile")
    page.locator("input[type=file]").set_input_files(BILLS / "anthropic.csv")
    page.get_by_role("button", name="Compare").click()
    assert "bill=" in page.url
    assert "anthropic.csv" in page.inner_text("main")
    assert page.locator("#figure-days .hit").count() == 1
    page.locator("#residual").get_by_role("link", name="No usage").first.click()
    chosen = parse_qs(urlsplit(page.url).query)
    assert urlsplit(page.url).path == "/calls"
    assert (chosen["cost_state"], chosen["start"]) == (["no_usage"], ["2026-11-03T00:00:00Z"])
    tab.go("/reconcile").get_by_role("button", name="Delete the bill anthropic.csv").click()
    page.wait_for_url("**/reconcile")
    assert "anthropic.csv" not in page.inner_text("main")
    tab.quiet()


@pytest.mark.parametrize(("status", "least", "most"), [(200, 5, 40), (500, 1, 1)])
def test_a_page_that_waits_asks_ever_more_slowly_and_not_after_a_failure(
    open_tab: OpenTab, empty_site: Site, status: int, least: int, most: int
) -> None:
    page = open_tab(empty_site).page
    page.clock.install()
    page.goto(empty_site.url + "/")
    body = page.content()
    assert "data-pending" in body
    asked = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=status, body=body, content_type="text/html")

    page.route(empty_site.url + "/", answer)
    for _ in range(60):  # ten minutes
        page.clock.run_for(10_000)
        page.evaluate("fetch('/healthz').then(answer => answer.status)")  # what was asked before is answered by now
    assert least <= len(asked) <= most
