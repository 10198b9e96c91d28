"""A case: the images of one patient, added up to one differential count."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from marrow.analysis import Analysis, CountingRules, Report
from marrow.errors import MarrowError
from marrow.report import make_report
from marrow.schema import read_analysis

MAX_IMAGES = 200
"""Most images of a case."""


@dataclass(frozen=True)
class NamedAnalysis:
    """The analysis of one image of a case, and the name of its file."""

    file: str
    analysis: Analysis


@dataclass(frozen=True)
class Case:
    """Images that are counted together.

    Attributes:
        analyses: one for each image.
    """

    analyses: tuple[NamedAnalysis, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the case as plain values: every analysis with its file, and the report over all cells."""
        return {
            "case": [{"file": named.file, **named.analysis.to_dict()} for named in self.analyses],
            "report": asdict(count_case(self)),
        }

    def to_json(self) -> str:
        """Return the case as an indented JSON text."""
        return json.dumps(self.to_dict(), indent=1)

    @classmethod
    def from_dict(cls, plain: Any, rules: CountingRules | None = None) -> Case:
        """Read back what :meth:`to_dict` gives, as :func:`marrow.schema.read_analysis` does.

        Raises:
            MarrowError: it is not a case, or its images cannot be counted together.
        """
        rows = plain.get("case") if isinstance(plain, dict) else None
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_IMAGES:
            raise MarrowError(f"This is not a case of 1 to {MAX_IMAGES} images: choose a JSON saved by marrow.")
        analyses = []
        for row in rows:
            analysis, file = read_analysis(row, rules), row.get("file")
            if not isinstance(file, str) or not file.isprintable() or not 0 < len(file) <= 255:
                raise MarrowError("This case has an image without a file name: choose a JSON saved by marrow.")
            analyses.append(NamedAnalysis(file, analysis))
        case = cls(tuple(analyses))
        count_case(case)
        return case


def count_case(case: Case) -> Report:
    """Count the cells of all images of a case together.

    Raises:
        MarrowError: there is no image, one is there twice, or they were named by different rules.
    """
    if not case.analyses:
        raise MarrowError("This case has no image: add one.")
    first, *others = case.analyses
    for other in others:
        if other.analysis.report.rules != first.analysis.report.rules:
            raise MarrowError(
                f"{first.file} and {other.file} were named by classifiers with different classes or thresholds: "
                "analyze the images again with one of them."
            )
    for one, two in combinations(case.analyses, 2):
        if _same_image(one.analysis, two.analysis):
            raise MarrowError(f"{one.file} and {two.file} are of the same image: leave one of them out.")
    cells = [cell for named in case.analyses for cell in named.analysis.cells]
    removed = [cell for named in case.analyses for cell in named.analysis.removed]
    return make_report(cells, first.analysis.report.rules, removed)


def read_saved(paths: Sequence[Path]) -> Case:
    """Read JSON files, of analyses and of cases, as one case; an analysis is named by its file.

    Raises:
        MarrowError: a file cannot be read, or the images cannot be counted together; the message names the file.
    """
    analyses: list[NamedAnalysis] = []
    for path in paths:
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(plain, dict) and "case" in plain:
                analyses.extend(Case.from_dict(plain).analyses)
            else:
                analyses.append(NamedAnalysis(path.stem, read_analysis(plain)))
        except OSError as error:
            raise MarrowError(f"{path} cannot be read ({error.strerror}): check the path.") from error
        except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
            raise MarrowError(f"{path} is no JSON: name a file that marrow saved.") from error
        except MarrowError as error:
            raise MarrowError(f"{path}: {error}") from error
    case = Case(tuple(analyses))
    count_case(case)
    return case


def _same_image(a: Analysis, b: Analysis) -> bool:
    """Tell whether half of the cells lie at the very same place."""
    boxes_a, boxes_b = ({cell.box for cell in (*analysis.cells, *analysis.removed)} for analysis in (a, b))
    fewest = min(len(boxes_a), len(boxes_b))
    return (a.width, a.height) == (b.width, b.height) and fewest > 0 and 2 * len(boxes_a & boxes_b) >= fewest
