"""The page to print: picture, differential count, definitions, and what it rests on; one HTML file by itself.

Its markup is in ``templates/page.html``, its words in ``locales``.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from marrow.analysis import Analysis, ModelInfo, Report
from marrow.case import Case, count_case
from marrow.drawing import PALETTE, draw_annotations
from marrow.report import FLOOR, LINEAGES, NOT_IN_DIFFERENTIAL, TARGET, wilson_interval, write_notes
from marrow.texts import CLASS_NAMES, LINEAGE_NAMES, PAGE

PICTURE_SIDE = 1600
"""Longest side in pixels of a picture on the page."""

_TEMPLATES = Environment(
    loader=PackageLoader("marrow"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True)
class _Row:
    """A row of a table.

    Attributes:
        name: what stands first.
        values: what follows.
        colour: ``#rrggbb`` of the class, empty if it is of none.
        is_sum: it adds up others.
    """

    name: str
    values: tuple[str, ...]
    colour: str = ""
    is_sum: bool = False


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
    files = [named.file for named in case.analyses]
    several = len(files) > 1
    return _TEMPLATES.get_template("page.html").render(
        language=language,
        words=words,
        title=words["title_case"] if several else words["title"],
        subject=words["images"].format(number=len(files)) if several else files[0],
        figures=_figures(report, language),
        pictures=[(n.file, _picture(n.analysis, images[n.file])) for n in case.analyses if n.file in images],
        differential=list(_differential(report, language)),
        image_columns=_image_columns(report, language),
        images=list(_images(case, report, language)) if several else [],
        notes=write_notes(report, language),
        definitions=_definitions(report, language),
        facts=_facts(case, report, language, now or datetime.now(UTC)),
    )


def _figures(report: Report, language: str) -> dict[str, str]:
    return {
        "found": str(report.found),
        "counted": str(report.total),
        "uncertain": str(report.uncertain),
        "edited": str(report.edited),
        "me_ratio": _decimal(report.me_ratio, language),
    }


def _picture(analysis: Analysis, image: np.ndarray) -> str:
    """Return the annotated picture as a JPEG in base64."""
    picture = Image.fromarray(draw_annotations(image, analysis))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "jpeg", quality=88)
    return base64.b64encode(content.getvalue()).decode()


def _differential(report: Report, language: str) -> Iterator[_Row]:
    for lineage, codes in LINEAGES.items():
        here = [code for code in codes if code in report.counts]
        if here:
            n, title = report.lineages[lineage], LINEAGE_NAMES[language][lineage]
            low_high = wilson_interval(n, report.total)
            yield _Row(title, _share(n, report.total, low_high, language), is_sum=True)
            yield from (_class_row(code, report, language) for code in here)
    yield from (_class_row(code, report, language) for code in report.counts if code in NOT_IN_DIFFERENTIAL)


def _class_row(code: str, report: Report, language: str) -> _Row:
    colour = "#{:02x}{:02x}{:02x}".format(*PALETTE.get(code, (255, 255, 255)))
    star = "*" if code in report.not_from_marrow else ""
    name = f"{CLASS_NAMES[language].get(code, code)} ({code}){star}"
    n = report.counts[code]
    if code in NOT_IN_DIFFERENTIAL:
        return _Row(name, (str(n), PAGE[language]["left_out"], ""), colour)
    return _Row(name, _share(n, report.total, report.intervals[code], language), colour)


def _share(n: int, total: int, interval: tuple[float, float], language: str) -> tuple[str, str, str]:
    if not total:
        return str(n), "–", "–"
    return str(n), _decimal(100 * n / total, language), f"{interval[0]:.0f}–{interval[1]:.0f}"


def _image_columns(report: Report, language: str) -> list[str]:
    words = PAGE[language]
    return [*(words[key] for key in ("image", "found", "counted", "uncertain", "edited")), *_seen(report)]


def _images(case: Case, report: Report, language: str) -> Iterator[_Row]:
    for name, one in [*((n.file, n.analysis.report) for n in case.analyses), (PAGE[language]["total"], report)]:
        numbers = [one.found, one.total, one.uncertain, one.edited, *(one.counts[code] for code in _seen(report))]
        yield _Row(name, tuple(map(str, numbers)), is_sum=one is report)


def _seen(report: Report) -> list[str]:
    return [code for code, n in report.counts.items() if n]


def _definitions(report: Report, language: str) -> list[str]:
    words = PAGE[language]

    def those(codes: Iterable[str]) -> str:
        return " + ".join(code for code in codes if code in report.counts)

    lines = [
        words["define_counted"].format(codes=those(sorted(NOT_IN_DIFFERENTIAL))),
        words["define_uncertain"].format(bound=_percent(report.uncertain_below, language)),
        words["define_me"].format(myeloid=those(LINEAGES["granulocytic"]), erythroid=those(LINEAGES["erythroid"])),
        words["define_interval"],
        words["define_target"].format(floor=FLOOR, target=TARGET),
    ]
    return [*lines, words["define_star"]] if report.not_from_marrow else lines


def _facts(case: Case, report: Report, language: str, now: datetime) -> dict[str, str]:
    analyses = [named.analysis for named in case.analyses]
    edits = [cell.edited for analysis in analyses for cell in (*analysis.cells, *analysis.removed) if cell.edited]
    times = sorted(datetime.fromisoformat(edit.at) for edit in edits)
    scores = sorted({analysis.confidence for analysis in analyses})
    return {
        "segmenter": _listed(_model(analysis.segmenter) for analysis in analyses),
        "classifier": _listed(_model(analysis.classifier) for analysis in analyses),
        "confidence": "; ".join(_decimal(score, language, 2) for score in scores),
        "uncertain_below": _decimal(report.uncertain_below, language, 3),
        "reviewers": _listed(edit.by for edit in edits if edit.by) or "–",
        "reviewed": " – ".join(dict.fromkeys(map(_time, (*times[:1], *times[-1:])))) or "–",
        "printed": _time(now),
    }


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _model(info: ModelInfo) -> str:
    return f"{info.repo}@{info.revision}" if info.revision else info.repo


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _percent(share: float, language: str) -> str:
    return f"{_decimal(100 * share, language)} %"


def _decimal(value: float | None, language: str, digits: int = 1) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}".replace(".", PAGE[language]["decimal_mark"])
