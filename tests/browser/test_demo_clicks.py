"""What the demo holds is found by clicking: what is better, dearer, has grown, or loses money."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page
from tests.browser.conftest import Site, Tab

OpenTab = Callable[..., Tab]


def row_of(page: Page, table: str, *words: str) -> str:
    """The text of the one row that has these words, of the table under a heading."""
    rows = page.locator(f"section[aria-label='{table}'] tbody tr")
    for word in words:
        rows = rows.filter(has_text=word)
    assert rows.count() == 1, (table, words, rows.all_inner_texts())
    return " ".join(rows.inner_text().split())


def test_what_the_month_holds_is_found_by_clicking(open_tab: OpenTab, demo_site: Site) -> None:
    """One world for all: a month of calls takes seconds to make."""
    tab = open_tab(demo_site)
    page = tab.go("/quality")

    # The experiment's result is known: the small model's summaries are accepted less often, at lower cost.
    page.click("nav >> text=Experiments")
    page.click("tbody a:has-text('summary-model')")
    page.goto(f"{page.url}&control=large")  # both have about as many users: which has more changes with the day
    assert page.locator(".tile", has_text="small is").inner_text().split("\n")[1] == "worse"
    page.locator("section[aria-label^='Against'] tbody a").first.click()
    assert page.locator("h1").inner_text() == "Decide"
    assert "trade-off" in page.locator(".tiles").inner_text()
    page.click("a[aria-label^='Remove the filter experiment']")
    assert "Of which experiment?" in page.locator("main").inner_text()

    # Of the models that translate the cheap one is as good; of those that summarize it is not.
    page.click("nav >> text=Trade-off")
    assert "gemini-2.5-flash-lite" in row_of(page, "What would do", "translate")
    assert "claude-opus" in row_of(page, "What would do", "summarize")

    # A router tried both, and says the same of the cheap tier.
    page.click("nav >> text=Routing")
    assert "cheap" in row_of(page, "What would do", "translate")
    page.locator("section[aria-label='What would do'] tbody a").first.click()
    assert page.locator("h1").inner_text() == "Calls"
    assert page.locator("tbody tr").count() > 1
    page.go_back()  # filters stay on the way through the menu

    # A release of a prompt brought far more context.
    page.click("nav >> text=Prompts")
    assert "context" in row_of(page, "What new versions changed", "answer", "7", "8")

    # A customer pays less than it costs.
    page.click("nav >> text=Unit costs")
    assert "\u2212$" in row_of(page, "Margin", "hooli")
    tab.quiet()
