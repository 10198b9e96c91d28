"""The page to print: picture, differential count, definitions, and what it rests on; one HTML file by itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from string import Template

import numpy as np
from PIL import Image

from marrow.analysis import Analysis, ModelInfo, Report
from marrow.case import Case, count_case
from marrow.drawing import PALETTE, draw_annotations
from marrow.report import FLOOR, LINEAGES, NOT_IN_DIFFERENTIAL, TARGET, wilson_interval, write_notes
from marrow.texts import CLASS_NAMES, LINEAGE_NAMES, PAGE

PICTURE_SIDE = 1600
"""Longest side in pixels of a picture on the page."""

_PAGE = Template("""<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>$title</title>
<style>
@page { size: A4; margin: 15mm }
* { box-sizing: border-box }
body { font: 10pt/1.4 system-ui, "Segoe UI", sans-serif; color: #111; background: #fff; max-width: 180mm;
  margin: 8mm auto; padding: 0 4mm; print-color-adjust: exact; -webkit-print-color-adjust: exact }
h1 { font-size: 17pt; margin: 0 }
h2 { font-size: 12pt; margin: 6mm 0 2mm }
p, ul { margin: 1mm 0 }
ul { padding-left: 5mm }
button { float: right; font: inherit; padding: 1mm 4mm }
figure { margin: 4mm 0; break-inside: avoid }
img { max-width: 100%; max-height: 120mm; display: block }
.figures { display: flex; flex-wrap: wrap; gap: 2mm 8mm; margin: 4mm 0 }
.figures b { font-size: 15pt; display: block }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
tr { break-inside: avoid }
td, th { padding: .6mm 2mm; text-align: right; border-bottom: .2mm solid #ccc; font-weight: normal;
  white-space: nowrap }
thead th { font-weight: bold; border-bottom-color: #111 }
td:first-child, th:first-child { text-align: left; white-space: normal; overflow-wrap: anywhere }
tr.sum > * { font-weight: bold }
i.chip { display: inline-block; width: 3mm; height: 3mm; margin-right: 2mm; border: .2mm solid #555 }
.small { font-size: 8.5pt }
.images td, .images th { padding: .6mm 1mm; font-size: 8.5pt }
.images th + th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left }
.images td:first-child { min-width: 30mm }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1mm 4mm; margin: 0 }
dt { color: #555 }
dd { margin: 0; overflow-wrap: anywhere }
.sign { display: flex; gap: 8mm; margin-top: 10mm }
.sign span { flex: 1; border-top: .2mm solid #111; padding-top: 1mm }
@media print { body { margin: 0; max-width: none; padding: 0 } button { display: none } }
</style>
</head>
<body>
<button onclick="print()">$print</button>
<h1>$title</h1>
<p>$subject</p>
<div class="figures">$figures</div>
$pictures
<h2>$differential</h2>
<div class="wide"><table>$table</table></div>
$images
<h2>$notes_title</h2>
<ul>$notes</ul>
<h2>$definitions_title</h2>
<ul class="small">$definitions</ul>
<h2>$made_with</h2>
<dl class="small">$facts</dl>
<div class="sign"><span>$signed</span><span>$signed_at</span></div>
</body>
</html>
""")


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
    subject = words["images"].format(number=len(files)) if several else files[0]
    return _PAGE.substitute(
        language=language,
        title=words["title_case"] if several else words["title"],
        print=words["print"],
        subject=escape(subject),
        figures=_figures(report, language),
        pictures="".join(_picture(n.file, n.analysis, images[n.file]) for n in case.analyses if n.file in images),
        differential=words["differential"],
        table=_differential(report, language),
        images=_images(case, report, language) if several else "",
        notes_title=words["notes"],
        notes=_items(write_notes(report, language)),
        definitions_title=words["definitions"],
        definitions=_items(_definitions(report, language)),
        made_with=words["made_with"],
        facts=_facts(case, report, language, now or datetime.now(UTC)),
        signed=words["signed"],
        signed_at=words["signed_at"],
    )


def _figures(report: Report, language: str) -> str:
    words = PAGE[language]
    values = {
        "found": str(report.found),
        "counted": str(report.total),
        "uncertain": str(report.uncertain),
        "edited": str(report.edited),
        "me_ratio": _decimal(report.me_ratio, language),
    }
    return "".join(f"<div><b>{value}</b>{words[key]}</div>" for key, value in values.items())


def _picture(file: str, analysis: Analysis, image: np.ndarray) -> str:
    picture = Image.fromarray(draw_annotations(image, analysis))
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "jpeg", quality=88)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<figure><img alt="{escape(file)}" src="data:image/jpeg;base64,{data}"></figure>'


def _differential(report: Report, language: str) -> str:
    words = PAGE[language]
    rows = [_row("th", ["", "n", "%", words["interval"]], head=True)]
    for lineage, codes in LINEAGES.items():
        here = [code for code in codes if code in report.counts]
        if here:
            n, title = report.lineages[lineage], LINEAGE_NAMES[language][lineage]
            low_high = wilson_interval(n, report.total)
            rows.append(_row("td", [title, *_share(n, report.total, low_high, language)], "sum"))
            rows.extend(_class_row(code, report, language) for code in here)
    rows.extend(_class_row(code, report, language) for code in report.counts if code in NOT_IN_DIFFERENTIAL)
    return "".join(rows)


def _class_row(code: str, report: Report, language: str) -> str:
    colour = "#{:02x}{:02x}{:02x}".format(*PALETTE.get(code, (255, 255, 255)))
    star = "*" if code in report.not_from_marrow else ""
    name = f'<i class="chip" style="background:{colour}"></i>{_name_of(code, language)}{star}'
    n = report.counts[code]
    if code in NOT_IN_DIFFERENTIAL:
        return _row("td", [name, str(n), PAGE[language]["left_out"], ""])
    return _row("td", [name, *_share(n, report.total, report.intervals[code], language)])


def _share(n: int, total: int, interval: tuple[float, float], language: str) -> list[str]:
    if not total:
        return [str(n), "–", "–"]
    return [str(n), _decimal(100 * n / total, language), f"{interval[0]:.0f}–{interval[1]:.0f}"]


def _images(case: Case, report: Report, language: str) -> str:
    words = PAGE[language]
    codes = [code for code, n in report.counts.items() if n]
    heads = [words["image"], words["found"], words["counted"], words["uncertain"], words["edited"], *codes]
    rows = [_row("th", heads, head=True)]
    for name, one in [*((escape(n.file), n.analysis.report) for n in case.analyses), (words["total"], report)]:
        numbers = [one.found, one.total, one.uncertain, one.edited, *(one.counts[code] for code in codes)]
        rows.append(_row("td", [name, *map(str, numbers)], "sum" if one is report else ""))
    return f'<h2>{words["by_image"]}</h2><div class="wide"><table class="images">{"".join(rows)}</table></div>'


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


def _facts(case: Case, report: Report, language: str, now: datetime) -> str:
    words, analyses = PAGE[language], [named.analysis for named in case.analyses]
    edits = [cell.edited for analysis in analyses for cell in (*analysis.cells, *analysis.removed) if cell.edited]
    times = sorted(datetime.fromisoformat(edit.at) for edit in edits)
    scores = sorted({analysis.confidence for analysis in analyses})
    facts = {
        "segmenter": _listed(_model(analysis.segmenter) for analysis in analyses),
        "classifier": _listed(_model(analysis.classifier) for analysis in analyses),
        "confidence": "; ".join(_decimal(score, language, 2) for score in scores),
        "uncertain_below": _decimal(report.uncertain_below, language, 3),
        "reviewers": _listed(edit.by for edit in edits if edit.by) or "–",
        "reviewed": " – ".join(dict.fromkeys(map(_time, (*times[:1], *times[-1:])))) or "–",
        "printed": _time(now),
    }
    return "".join(f"<dt>{words[key]}</dt><dd>{escape(value)}</dd>" for key, value in facts.items())


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _model(info: ModelInfo) -> str:
    return f"{info.repo}@{info.revision}" if info.revision else info.repo


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def _row(tag: str, cells: list[str], kind: str = "", head: bool = False) -> str:
    row = "".join(f"<{tag}>{cell}</{tag}>" for cell in cells)
    row = f'<tr class="{kind}">{row}</tr>' if kind else f"<tr>{row}</tr>"
    return f"<thead>{row}</thead>" if head else row


def _items(lines: Iterable[str]) -> str:
    return "".join(f"<li>{escape(line)}</li>" for line in lines)


def _name_of(code: str, language: str) -> str:
    return escape(f"{CLASS_NAMES[language].get(code, code)} ({code})")


def _percent(share: float, language: str) -> str:
    return f"{_decimal(100 * share, language)} %"


def _decimal(value: float | None, language: str, digits: int = 1) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}f}".replace(".", "," if language == "fr" else ".")
