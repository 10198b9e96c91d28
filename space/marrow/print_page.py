"""The page to print: picture, differential count, definitions, and what it rests on; one HTML file by itself.

Its markup is in ``templates/page.html``, its words in ``locales``.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from marrow.analysis import Analysis
from marrow.case import Case, count_case
from marrow.drawing import PALETTE, draw_annotations
from marrow.report import FLOOR, LINEAGES, NOT_IN_DIFFERENTIAL, TARGET, wilson_interval, write_notes
from marrow.texts import CLASS_NAMES, LINEAGE_NAMES, PAGE

PICTURE_SIDE = 1600
"""Longest side in pixels of a picture on the page."""

_TEMPLATES = Environment(
    loader=PackageLoader("marrow"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


def to_page(
    case: Case,
    images: Mapping[str, np.ndarray],
    language: str = "en",
    now: datetime | None = None,
) -> str:
    """Lay out a case, or one image, to be printed by a browser.

    Args:
        case: the images; one of a single image has no table of the images.
        images: ``(height, width, 3)`` uint8 RGB by file, where they are at hand; they are shown with the outlines.
        language: ``"en"`` or ``"fr"``.
        now: time of printing; the clock's when ``None``.

    Returns:
        An HTML page that needs no other file.

    Raises:
        MarrowError: the images cannot be counted together.
    """
    words, report = PAGE[language], count_case(case)
    analyses = [named.analysis for named in case.analyses]

    def decimal(value: float | None, digits: int = 1) -> str:
        return "–" if value is None else f"{value:.{digits}f}".replace(".", words["decimal_mark"])

    return _TEMPLATES.get_template("page.html").render(
        language=language,
        words=words,
        case=case,
        report=report,
        decimal=decimal,
        names=CLASS_NAMES[language],
        lineage_names=LINEAGE_NAMES[language],
        lineages=LINEAGES,
        left_out=sorted(NOT_IN_DIFFERENTIAL),
        seen=[code for code, n in report.counts.items() if n],
        colours={code: "#{:02x}{:02x}{:02x}".format(*colour) for code, colour in PALETTE.items()},
        wilson_interval=wilson_interval,
        pictures=[(n.file, _picture(n.analysis, images[n.file])) for n in case.analyses if n.file in images],
        notes=write_notes(report, language),
        floor=FLOOR,
        target=TARGET,
        facts={
            "segmenter": _listed(str(analysis.segmenter) for analysis in analyses),
            "classifier": _listed(str(analysis.classifier) for analysis in analyses),
            "confidence": "; ".join(decimal(score, 2) for score in sorted({one.confidence for one in analyses})),
            "uncertain_below": decimal(report.uncertain_below, 3),
            **_review(analyses),
            "printed": _time(now or datetime.now(UTC)),
        },
    )


def _picture(analysis: Analysis, image: np.ndarray) -> str:
    """Return the annotated picture as a JPEG in base64."""
    picture = Image.fromarray(draw_annotations(image, analysis))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "jpeg", quality=88)
    return base64.b64encode(content.getvalue()).decode()


def _review(analyses: Sequence[Analysis]) -> dict[str, str]:
    """Say who changed the analyses, and when first and last."""
    edits = [cell.edited for analysis in analyses for cell in (*analysis.cells, *analysis.removed) if cell.edited]
    times = sorted(datetime.fromisoformat(edit.at) for edit in edits)
    return {
        "reviewers": _listed(edit.by for edit in edits if edit.by) or "–",
        "reviewed": " – ".join(dict.fromkeys(map(_time, (*times[:1], *times[-1:])))) or "–",
    }


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
