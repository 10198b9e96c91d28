"""The words of the screen by language, a file of ``locales`` each, with the same keys and placeholders."""

from __future__ import annotations

import json
from pathlib import Path

_FILES = sorted(Path(__file__).with_name("locales").glob("*.json"))
_LOCALES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in _FILES}

Words = dict[str, dict[str, str]]

SCREEN: Words = {code: locale["screen"] for code, locale in _LOCALES.items()}
"""Labels of the page and sentences of the server, by language and key."""

VIEWER: Words = {code: locale["viewer"] for code, locale in _LOCALES.items()}
"""Words of the viewer, which are filled in by the browser."""

IMAGE: Words = {code: locale["image"] for code, locale in _LOCALES.items()}
"""What stands for Gradio's own words on its image input, which it does not translate, or not well."""
