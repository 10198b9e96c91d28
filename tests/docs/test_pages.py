"""The pages for people: their links lead somewhere, the files they name exist, and versions and sources agree."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from marrow import __version__
from tests.commands import ROOT

READERS = sorted((ROOT / "docs").glob("*.md"))
PUBLISHED = [ROOT / "space", ROOT / "dataset_scripts", *sorted((ROOT / "hub").iterdir())]
"""Folders whose README goes to the Hub, where only what lies in the folder can be linked to."""

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *READERS]
PAGES += [folder / "README.md" for folder in PUBLISHED]
ROOMS = "benchmarks|browser|dataset_scripts|docs|hub|loopback_hub|model_cards|space|tests|training"


@cache
def tokens(path: Path) -> list[Token]:
    text = re.sub(r"\A---\n.*?\n---\n", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return MarkdownIt().enable("table").parse(text)


def inline(path: Path) -> Iterator[Token]:
    for token in tokens(path):
        if token.type == "inline":
            yield token


def links(path: Path) -> Iterator[str]:
    """Find what a page links to and shows, without the addresses of other places."""
    for token in inline(path):
        for child in token.children or []:
            target = child.attrGet("href") or child.attrGet("src")
            if target and not re.match(r"[a-z]+:", str(target)):
                yield str(target)


def anchors(path: Path) -> set[str]:
    """Name the headings of a page as the Hub and code hosts do."""
    heads = [after.content for token, after in zip(tokens(path), tokens(path)[1:], strict=False) if is_heading(token)]
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def is_heading(token: Token) -> bool:
    return token.type == "heading_open"


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_link_is_dead(page: Path) -> None:
    for link in links(page):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{link}: there is no such file"
        assert not anchor or anchor in anchors(target), f"{link}: there is no such heading"


@pytest.mark.parametrize("folder", PUBLISHED, ids=name)
def test_a_card_links_to_nothing_that_stays_behind(folder: Path) -> None:
    for link in links(folder / "README.md"):
        assert (folder / link.partition("#")[0]).resolve().is_relative_to(folder), link


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *READERS], ids=name)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    for token in inline(page):
        for path in paths_in(token):
            assert any(ROOT.glob(path)), f"{name(page)} names {path}"


def paths_in(token: Token) -> list[str]:
    return [text.rstrip("/") for text in codes_in(token) if re.fullmatch(rf"({ROOMS})/[\w./*-]*", text)]


def codes_in(token: Token) -> list[str]:
    return [child.content for child in token.children or [] if child.type == "code_inline"]


def test_a_name_of_the_recipes_stands_in_a_file_beside_it() -> None:
    found = 0
    for token in inline(ROOT / "CONTRIBUTING.md"):
        files = [path for path in map(ROOT.joinpath, paths_in(token)) if path.suffix == ".py"]
        text = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for code in codes_in(token) if files else []:
            if re.fullmatch(r"\w*([A-Z]{3}|_)\w*", code):
                assert re.search(rf"\b{code}\b", text), f"{code} is in none of {[name(file) for file in files]}"
                found += 1
    assert found > 4


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= 150
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(readme)}
    assert set(READERS) <= linked
    assert {ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "CITATION.cff"} <= linked


def test_the_changelog_ends_at_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert versions[0] == __version__ and versions[-1] == "0.1.0"
    assert versions == sorted(versions, key=lambda version: [int(part) for part in version.split(".")], reverse=True)


def test_the_citation_names_this_version_and_the_sources_of_the_readme() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["cff-version"], citation["type"], citation["version"]) == ("1.2.0", "software", __version__)
    assert citation["title"] and citation["message"] and citation["authors"]
    assert citation["license"] == "AGPL-3.0-or-later"
    dois = {source["doi"] for source in citation["references"]}
    assert dois == set(re.findall(r"https://doi\.org/([^>]+)>", (ROOT / "README.md").read_text(encoding="utf-8")))
