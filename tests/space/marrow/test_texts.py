"""The locales: every language says the same things, and they go wherever the package goes."""

from __future__ import annotations

from string import Formatter

import pytest

from marrow import texts
from tests.commands import ROOT
from training.release.repos import SPACE, find_files

GROUPS = {name: getattr(texts, name) for name in ("NOTES", "CLASS_NAMES", "LINEAGE_NAMES", "PAGE")}


def placeholders(text: str) -> set[str]:
    """Return the names in braces."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("group", GROUPS)
def test_the_languages_have_the_same_keys_and_placeholders(group: str) -> None:
    languages = GROUPS[group]
    assert {"en", "fr"} <= languages.keys()
    for language, words in languages.items():
        assert words.keys() == languages["en"].keys(), language
        for key, text in words.items():
            assert text and placeholders(text) == placeholders(languages["en"][key]), (language, key)


def test_a_published_space_holds_the_locales_and_the_page() -> None:
    names = set(find_files(SPACE, ROOT / "space"))
    assert {"marrow/templates/page.html", *(f"marrow/locales/{language}.json" for language in texts.PAGE)} <= names
