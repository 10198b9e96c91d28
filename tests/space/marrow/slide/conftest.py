"""A drawn smear, and slides of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.space.marrow.slide.drawn_slides import CORE, WRITERS, Smear, draw_smear, write_svs


@pytest.fixture(scope="session")
def drawn_smear() -> Smear:
    return draw_smear()


@pytest.fixture(scope="session")
def svs(drawn_smear, tmp_path_factory) -> Path:
    """The smear as an Aperio slide with a label."""
    return write_svs(tmp_path_factory.mktemp("slides") / "case 12.svs", drawn_smear.image)


@pytest.fixture(scope="session")
def small_svs(drawn_smear, tmp_path_factory) -> Path:
    """Two areas of its countable ground, and no more."""
    image = drawn_smear.image[:CORE, : 2 * CORE]
    return write_svs(tmp_path_factory.mktemp("slides") / "case 12.svs", image)


@pytest.fixture(scope="session", params=sorted(WRITERS))
def any_slide(request, drawn_smear, tmp_path_factory) -> Path:
    """The smear in each format."""
    return WRITERS[request.param](tmp_path_factory.mktemp("slides") / f"smear{request.param}", drawn_smear.image)
