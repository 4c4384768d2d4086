"""The documentation says what the code does: settings, data model, commands, links."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").rglob("*.md")
)


def test_the_settings_page_is_the_settings_table() -> None:
    from outlay_web.config import markdown

    assert (ROOT / "docs" / "settings.md").read_text() == markdown(), (
        "run python -m outlay_web.config > docs/settings.md"
    )


def test_the_data_model_page_is_what_the_migrations_say() -> None:
    from outlay_collector.store.describe import markdown

    assert (ROOT / "docs" / "data-model.md").read_text() == markdown(), (
        "run python -m outlay_collector.store.describe > docs/data-model.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_documentation_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_in_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    commands = set(re.findall(r"^\s*(?:\$ )?outlay ([a-z]+)", text, re.MULTILINE))
    known = subprocess.run([sys.executable, "-m", "outlay_web", "--help"], capture_output=True, text=True, check=True)
    for command in commands:
        assert re.search(rf"^\s+{command}\b", known.stdout, re.MULTILINE), f"README names outlay {command}"
    targets = set(re.findall(r"^make ([a-z]+)", text, re.MULTILINE))
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"README names make {target}"


def test_decisions_are_numbered_without_gaps_and_share_a_form() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        text = (ROOT / "docs" / "decisions" / name).read_text()
        for word in ("**Context.**", "**Decision.**", "**Consequences.**"):
            assert word in text, f"{name} lacks {word}"
