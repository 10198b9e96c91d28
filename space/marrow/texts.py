"""The words of reports and pages to print, by language; a file of ``locales`` is a language."""

from __future__ import annotations

import json
from importlib.resources import files

_LOCALES: dict[str, dict[str, dict[str, str]]] = {
    path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(files("marrow").joinpath("locales").iterdir(), key=lambda path: path.name)
    if path.name.endswith(".json")
}

NOTES = {language: texts["notes"] for language, texts in _LOCALES.items()}
"""Sentences of :func:`marrow.report.write_notes`."""

CLASS_NAMES = {language: texts["class_names"] for language, texts in _LOCALES.items()}
"""Names of the classes by code."""

LINEAGE_NAMES = {language: texts["lineage_names"] for language, texts in _LOCALES.items()}
"""Names of :data:`marrow.report.LINEAGES`."""

PAGE = {language: texts["page"] for language, texts in _LOCALES.items()}
"""Words of :func:`marrow.print_page.to_page`."""
