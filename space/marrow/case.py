"""A case: the images of one patient, added up to one differential count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeGuard

from marrow.analysis import Analysis
from marrow.cell import Box
from marrow.errors import MarrowError
from marrow.report import CountingRules, Report, make_report

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

    Raises:
        MarrowError: there are none or too many, one is there twice, or they were named by different rules.
    """

    analyses: tuple[NamedAnalysis, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.analyses) <= MAX_IMAGES:
            raise MarrowError(f"This is not a case of 1 to {MAX_IMAGES} images: choose a JSON saved by marrow.")
        first = self.analyses[0]
        for other in self.analyses:
            if other.analysis.report.rules != first.analysis.report.rules:
                reason = "were named by classifiers with different classes or thresholds"
                raise MarrowError(f"{first.file} and {other.file} {reason}: analyze them again with one classifier.")
        _check_images(self.analyses)

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
        """Read back what :meth:`to_dict` gives, as :meth:`marrow.analysis.Analysis.from_dict` does.

        Raises:
            MarrowError: it is not a case, or its images cannot be counted together.
        """
        rows = plain.get("case") if isinstance(plain, dict) else None
        if not isinstance(rows, list) or len(rows) > MAX_IMAGES:
            rows = []
        analyses = [Analysis.from_dict(row, rules) for row in rows]
        if not all(is_file_name(row.get("file")) for row in rows):
            raise MarrowError("This case has an image without a file name: choose a JSON saved by marrow.")
        return cls(tuple(NamedAnalysis(row["file"], one) for row, one in zip(rows, analyses, strict=True)))


def is_file_name(value: Any) -> TypeGuard[str]:
    """Tell whether a value can stand as the name of an image's file: one line of 1 to 255 characters."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= 255


def count_case(case: Case) -> Report:
    """Count the cells of all images of a case together."""
    analyses = [named.analysis for named in case.analyses]
    cells = [cell for analysis in analyses for cell in analysis.cells]
    removed = [cell for analysis in analyses for cell in analysis.removed]
    distances = [analysis.stain_distance for analysis in analyses if analysis.stain_distance is not None]
    return make_report(cells, analyses[0].report.rules, removed, median(distances) if distances else None)


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
                analyses.append(NamedAnalysis(path.stem, Analysis.from_dict(plain)))
        except OSError as error:
            raise MarrowError(f"{path} cannot be read ({error.strerror}): check the path.") from error
        except (ValueError, RecursionError) as error:  # no JSON, or no UTF-8
            raise MarrowError(f"{path} is no JSON: name a file that marrow saved.") from error
        except MarrowError as error:
            raise MarrowError(f"{path}: {error}") from error
    return Case(tuple(analyses))


def _check_images(analyses: Sequence[NamedAnalysis]) -> None:
    """Refuse two analyses of the same image, of which half of the cells lie at the very same place."""
    boxes = [{cell.box for cell in (*one.analysis.cells, *one.analysis.removed)} for one in analyses]
    at: dict[tuple[int, int, Box], list[int]] = {}
    common: Counter[tuple[int, int]] = Counter()
    for number, named in enumerate(analyses):
        for box in boxes[number]:
            others = at.setdefault((named.analysis.width, named.analysis.height, box), [])
            for other in others:
                common[other, number] += 1
                if 2 * common[other, number] >= min(len(boxes[other]), len(boxes[number])):
                    files = f"{analyses[other].file} and {named.file}"
                    raise MarrowError(f"{files} are of the same image: leave one of them out.")
            others.append(number)
