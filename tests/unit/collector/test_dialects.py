"""The dialect tables as data: well-formed, unambiguous, documented."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlay_collector.dialects import DEFAULT, DIALECTS, inherited, providers
from outlay_collector.dialects.docs import markdown
from outlay_collector.dialects.model import FIELDS, Dialect
from outlay_collector.dialects.names import ASKED, RANKS, VALUES, asked_for
from outlay_collector.dialects.vocabulary import STYLES, WORDS

ROOT = Path(__file__).parents[3]


def test_the_page_about_dialects_is_current() -> None:
    assert (ROOT / "docs" / "dialects.md").read_text(encoding="utf-8") == markdown(), "run make docs"


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda d: d.name)
def test_a_table_fills_only_fields_that_exist(dialect: Dialect) -> None:
    assert set(dialect.fields) <= set(FIELDS)
    assert {blob.style for blob in dialect.usage} <= set(STYLES)
    assert 0 < dialect.rank < 256


def test_names_and_scopes_are_unambiguous() -> None:
    assert len({dialect.name for dialect in DIALECTS}) == len(DIALECTS)
    scopes = [scope for dialect in DIALECTS for scope in dialect.scopes]
    assert len(set(scopes)) == len(scopes)
    assert DEFAULT.name == "otel_genai"


def test_a_spelling_means_one_provider() -> None:
    spellings = [s for found in providers.SPELLINGS.values() for s in found]
    assert len(set(spellings)) == len(spellings)
    assert all(s == s.lower() for s in spellings)
    assert not set(spellings) & set(providers.FRAMEWORKS)


def test_an_inherited_attribute_fills_one_name() -> None:
    found = [key for names in inherited.NEAREST.values() for key in names]
    found += [source.key for source in inherited.FEATURE if source.key]
    assert len(set(found)) == len(found)
    for names in inherited.GROUPS.values():
        assert set(names) <= set(inherited.NEAREST)


def test_no_word_of_a_usage_object_stands_for_two_fields() -> None:
    words = [word for found in WORDS.values() for word in found]
    assert len(set(words)) == len(words)


def test_what_is_looked_up_fits_into_its_packing() -> None:
    assert all(len(names) < RANKS for dialect in DIALECTS for names in asked_for(dialect).values())
    assert all(layer.max() < (len(VALUES) + 1) * RANKS for layer in ASKED)
