"""Both languages say the same: the same keys, and the same placeholders in each sentence."""

from __future__ import annotations

import re

import pytest

from screen.words import IMAGE, LANGUAGES, SCREEN, VIEWER


@pytest.mark.parametrize("words", [SCREEN, VIEWER, IMAGE])
def test_locales_have_the_same_keys_and_placeholders(words):
    assert set(words) == set(LANGUAGES)
    english = words["en"]
    for language in LANGUAGES:
        assert list(words[language]) == list(english), language
        for key, text in words[language].items():
            assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", english[key])), (language, key)
            assert text.strip() == text or key == "wait", (language, key)
