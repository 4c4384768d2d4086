"""The documentation says what the code does: settings, data model, commands, links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)


def test_the_settings_page_is_the_settings_table() -> None:
    from outlay_web.config_docs import markdown

    assert (ROOT / "docs" / "settings.md").read_text() == markdown(), "run make docs"


def test_the_example_file_is_valid_and_uses_every_section_and_key(tmp_path: Path) -> None:
    from outlay.pricing.units import PRICE_KEYS
    from outlay_analytics.alerting import budget, rules, settings
    from outlay_analytics.bills.accounts import Account
    from outlay_analytics.query.tier_table import ModelTiersTable
    from outlay_analytics.questions import revenue
    from outlay_collector.prices import overrides
    from outlay_collector.prices.tables import keys_of
    from outlay_web.config import SECTIONS, load_config
    from outlay_web.config_docs import example
    from outlay_web.server.sections import parse_sections

    path = tmp_path / "outlay.toml"
    path.write_text(example())
    written = load_config({}, file=path).sections
    assert set(written) == set(SECTIONS)
    found = parse_sections(written)
    prices = found["overrides"]
    assert (len(found["budgets"]), len(found["channels"]), len(prices.prices)) == (2, 5, 2)
    assert (len(prices.discounts), len(prices.aliases), len(found["projects"])) == (1, 1, 1)
    for name, keys in {
        "budgets": {"name", "project", *keys_of(budget.BudgetTable)},
        "rules": {"name", "project", *keys_of(rules.RuleTable)},
        "prices": ({*keys_of(overrides.PriceTable)} - {"rates"})
        | {key for row in written["prices"] for key in row if key in PRICE_KEYS},
        "discounts": keys_of(overrides.Discount),
        "aliases": keys_of(overrides.Alias),
        "revenue": keys_of(revenue.Revenue),
        "bills": set(keys_of(Account)) - {"key"},  # which is refused
    }.items():
        assert {key for row in written[name] for key in row} == set(keys), name
    assert set(written["alerts"]) == set(keys_of(settings.AlertsTable))
    assert set(written["model_tiers"]) == set(keys_of(ModelTiersTable))


def test_the_readme_instruments_the_function_of_the_quickstart() -> None:
    function = re.search(r"^def triage\(.*?(?=^\S|\Z)", (ROOT / "examples" / "quickstart.py").read_text(), re.M | re.S)
    assert function is not None
    readme = (ROOT / "README.md").read_text()
    assert function[0].strip() in readme
    assert '@outlay.track(feature="support-triage")  # line two' in readme


def test_the_page_about_prices_has_every_meter() -> None:
    from outlay.pricing.units import TOKEN_PARTS, UNITS

    named = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "prices.md").read_text()))
    assert TOKEN_PARTS | set(UNITS) <= named


def test_the_page_about_prices_says_which_units_the_list_prices() -> None:
    from outlay.pricing.catalog import shipped
    from outlay.pricing.units import UNITS

    page = (ROOT / "docs" / "prices.md").read_text()
    told = re.search(r"The list has prices for (.*?);", page, re.DOTALL)
    assert told is not None
    priced = {part for model in shipped().models() for row in model.rows for part in row.rates if part in UNITS}
    sizes = {"requests_low", "requests_medium", "requests_high"}
    assert priced - sizes == set(re.findall(r"`(\w+)`", told[1]))
    for name, unit in UNITS.items():
        assert f"| `{name}` | {unit.title} |" in page


def test_the_data_model_page_is_what_the_migrations_say() -> None:
    from outlay_collector.store.describe import markdown

    assert (ROOT / "docs" / "data-model.md").read_text() == markdown(), "run make docs"


def test_the_data_model_page_has_every_table() -> None:
    folder = ROOT / "collector" / "outlay_collector" / "store" / "migrations"
    made = re.findall(
        r"^CREATE TABLE IF NOT EXISTS (\w+)", "".join(p.read_text() for p in folder.glob("*.sql")), re.MULTILINE
    )
    shown = re.findall(r"^## (\w+)", (ROOT / "docs" / "data-model.md").read_text(), re.MULTILINE)
    assert set(made) - {"otlp_in", "span_rows"} == set(shown)  # these keep nothing: doors, not tables to ask


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documentation_exists_with_its_options(page: Path) -> None:
    import click

    from outlay_web.cli import app

    text = page.read_text()
    lines = re.findall(r"^(outlay [a-z].*)$", text, re.MULTILINE) + re.findall(r"`(outlay [a-z][^`]*)`", text)
    for line in lines:
        words = shlex.split(line.partition(" -- ")[0], comments=True)[1:]  # what follows is another program's
        command: click.Command = app
        while words and isinstance(command, click.Group) and words[0] in command.commands:
            command = command.commands[words.pop(0)]
        assert command is not app, f"{page.name} names {line}"
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        unknown = [word for word in words if word.startswith("--") and word not in options]
        assert not unknown, f"{page.name}: {line} has {unknown[0]}"
    for target in re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.MULTILINE):
        name = "".join(target)
        assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"{page.name} names make {name}"


def test_decisions_are_numbered_without_gaps_and_share_a_form() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        text = (ROOT / "docs" / "decisions" / name).read_text()
        for word in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert word in text, f"{name} lacks {word}"


def test_every_migration_has_a_number_of_its_own() -> None:
    folder = ROOT / "collector" / "outlay_collector" / "store" / "migrations"
    numbers = [path.name[:4] for path in sorted(folder.glob("*.sql"))]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]  # of two with one number only the last is applied


def test_every_file_that_code_and_pages_name_is_there() -> None:
    there = {path.name for folder in ("sdk", "collector", "analytics", "web", "tests") for path in sources(folder)}
    there |= {path.name for path in sources("benchmarks")} | {path.name for path in sources("examples")}
    texts = [path for folder in ("sdk", "collector", "analytics", "web") for path in sources(folder)]
    texts += [path for path in PAGES if path.parent.name != "decisions"]
    examples = {"acme.py", "app.py"}
    wrong = [
        f"{path.relative_to(ROOT)} names {name}"
        for path in texts
        for name in re.findall(r"[`(](?:[\w.]+/)*(\w+\.py)[`)]", path.read_text())
        if name not in there | examples
    ]
    assert not wrong, "\n".join(wrong)


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_the_ways_of_a_span_and_of_an_alert_lead_through_rooms_that_exist() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for way, least in (("span", 14), ("alert", 7)):
        drawing = page.partition(f"## The way of one {way}")[2].partition("```")[2].partition("```")[0]
        package, rooms = "", []
        for line in drawing.splitlines():
            named = re.match(r" (\w+/outlay\w*/)? +((?:\w+/ )*\w+/)  ", line)
            if named:
                package = named[1] or package
                rooms += [package + room for room in named[2].split()]
        assert len(rooms) >= least, rooms
        assert [room for room in rooms if not (ROOT / room / "__init__.py").is_file()] == []
