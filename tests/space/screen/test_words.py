"""All languages say the same: the same keys, and the same placeholders in each sentence."""

from __future__ import annotations

import re

import pytest

from marrow import texts
from screen.words import IMAGE, SCREEN, VIEWER


@pytest.mark.parametrize("words", [SCREEN, VIEWER, IMAGE])
def test_locales_have_the_same_keys_and_placeholders(words):
    assert words.keys() == texts.PAGE.keys() >= {"en", "fr"}, "the screen and its reports speak the same languages"
    english = words["en"]
    for language in words:
        assert list(words[language]) == list(english), language
        for key, text in words[language].items():
            assert sorted(re.findall(r"{\w*}", text)) == sorted(re.findall(r"{\w*}", english[key])), (language, key)
            assert text.strip() == text or key == "wait", (language, key)
