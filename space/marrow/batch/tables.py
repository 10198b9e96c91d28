"""The tables of a study in Parquet: a folder for each case, in which a row of ``images`` and one of each of its cells.

``images/CASE/part-0.parquet`` and ``cells/CASE/part-0.parquet``; the case also stands in a column, so that any reader
of Parquet finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from marrow.analysis import Analysis
from marrow.batch.workers import Outcome
from marrow.cell import Cell
from marrow.errors import MarrowError
from marrow.files import atomic_path
from marrow.report import CountingRules, Report, make_report
from marrow.schema import cell_to_dict

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
"""Of the columns; a study of another is not gone on with."""

DIGESTS = ("segmenter_sha256", "segmenter_config_sha256", "classifier_sha256", "classifier_config_sha256")
"""Of ``model.onnx`` and ``config.json`` of each model, which together give the cells and their names."""

PART = "part-0.parquet"
GROUP = 256
"""Pictures whose rows are written at once, so that a case of any size fits into memory."""


def pyarrow() -> Any:
    """Return the library.

    Raises:
        MarrowError: it is not installed.
    """
    try:
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise MarrowError('Tables need more: pip install "bone-marrow-smear[batch]".') from error
    return pyarrow


def folder_name(case: str) -> str:
    """Return the name of a case as that of one folder; no two cases share one."""
    return quote(case, safe=" ()+,=@") if case.strip(".") else case.replace(".", "%2E")


def schemas(labels: Sequence[str]) -> tuple[pa.Schema, pa.Schema]:
    """Return the columns of images and of cells.

    Args:
        labels: codes of the classifier, in the order of its outputs.
    """
    pa = pyarrow()
    text, number, whole = pa.string(), pa.float64(), pa.int32()
    named = [("schema_version", pa.int16()), ("case", text), ("file", text)]
    image = [
        *(("sha256", text), ("error", text), ("width", whole), ("height", whole), ("stain_distance", number)),
        *(("found", whole), ("counted", whole), ("uncertain", whole), ("me_ratio", number)),
        ("warnings", pa.list_(text)),
        *((f"n_{code}", whole) for code in labels),
        *(("confidence", number), *((name, text) for name in DIGESTS)),
    ]
    cell = [
        *(("id", whole), ("label", text), ("probability", number), ("uncertain", pa.bool_()), ("unlikeness", number)),
        *((name, number) for name in ("score", "x0", "y0", "x1", "y1", "area")),
        ("polygon", pa.list_(number)),  # x and y in turn
        *((f"p_{code}", number) for code in labels),
    ]
    return pa.schema([*named, *image]), pa.schema([*named, *cell])


@dataclass(frozen=True)
class CaseReport:
    """The count of a finished case.

    Attributes:
        case: its name.
        images: how many pictures it has.
        unreadable: how many of these could not be read.
        report: the count over all cells.
    """

    case: str
    images: int
    unreadable: int
    report: Report


class Tables:
    """The finished cases of a study.

    Args:
        out: its folder.
        rules: that their cells are counted by.
        made_by: what stands in every row of an image: digests of the models, and the confidence.
    """

    def __init__(self, out: Path, rules: CountingRules, made_by: Mapping[str, Any]) -> None:
        self._out, self._rules, self._made_by = out, rules, made_by
        self._images, self._cells = schemas(rules.labels)

    def add(self, case: str, outcomes: Iterable[Outcome], are_new: Callable[[str], bool]) -> None:
        """Write pictures into the tables of their case, in the place of what stands there of the same files.

        Args:
            case: of the pictures.
            outcomes: what became of them.
            are_new: tells whether a file is one of theirs.

        Raises:
            MarrowError: a table cannot be written.
        """
        pa = pyarrow()
        paths = [self._path(kind, case) for kind in ("cells", "images")]
        kept = [_kept(path, are_new) for path in paths]
        try:
            with ExitStack() as stack:
                targets = [stack.enter_context(atomic_path(path)) for path in reversed(paths)][::-1]
                writers = [
                    stack.enter_context(pa.parquet.ParquetWriter(target, schema, compression="zstd"))
                    for target, schema in zip(targets, (self._cells, self._images), strict=True)
                ]
                for writer, table in zip(writers, kept, strict=True):
                    if table is not None:
                        writer.write_table(table)
                for some in _in_groups(outcomes):
                    cells = [row for outcome in some for row in self._cell_rows(outcome)]
                    images = [self._image_row(outcome) for outcome in some]
                    for writer, rows in zip(writers, (cells, images), strict=True):
                        writer.write_table(pa.Table.from_pylist(rows, writer.schema))
        except OSError as error:
            raise MarrowError(
                f"{paths[0]} cannot be written ({error.strerror or error}): name another --out."
            ) from error

    def files(self, case: str) -> dict[str, str | None]:
        """Return the digest of each picture in the table of a case, by file; ``None`` of one that could not be read."""
        table = _read(self._path("images", case), ["file", "sha256"])
        return dict(zip(*(table[name].to_pylist() for name in ("file", "sha256")), strict=True)) if table else {}

    def report(self, case: str) -> CaseReport:
        """Count the cells of a finished case together, as :func:`marrow.case.count_case` does."""
        images = _read(self._path("images", case), ["error", "stain_distance"])
        cells = _read(self._path("cells", case))
        assert images is not None and cells is not None
        distances = [value for value in images["stain_distance"].to_pylist() if value is not None]
        rows = (row for batch in cells.to_batches() for row in batch.to_pylist())
        named = [read_cell(row, self._rules.labels) for row in rows]
        report = make_report(named, self._rules, (), median(distances) if distances else None)
        return CaseReport(case, len(images), len(images) - images["error"].null_count, report)

    def _path(self, kind: str, case: str) -> Path:
        return self._out / kind / folder_name(case) / PART

    def _named(self, outcome: Outcome) -> dict[str, Any]:
        return {"schema_version": SCHEMA_VERSION, "case": outcome.picture.case, "file": outcome.picture.file}

    def _image_row(self, outcome: Outcome) -> dict[str, Any]:
        row = {**self._named(outcome), **self._made_by, "sha256": outcome.sha256, "error": outcome.error}
        return row | (_counts(outcome.analysis) if outcome.analysis else {})

    def _cell_rows(self, outcome: Outcome) -> list[dict[str, Any]]:
        if outcome.analysis is None:
            return []
        analysis = outcome.analysis
        return [self._named(outcome) | cell_row(cell, analysis.is_uncertain(cell)) for cell in analysis.cells]


def _counts(analysis: Analysis) -> dict[str, Any]:
    report = analysis.report
    row: dict[str, Any] = {
        "width": analysis.width,
        "height": analysis.height,
        "stain_distance": analysis.stain_distance,
    }
    row |= {"found": report.found, "counted": report.total, "uncertain": report.uncertain, "me_ratio": report.me_ratio}
    row |= {"warnings": [warning.code for warning in report.warnings]}
    return row | {f"n_{code}": n for code, n in report.counts.items()}


def cell_row(cell: Cell, is_uncertain: bool) -> dict[str, Any]:
    """Return the columns of a cell, but for those that name its picture.

    Args:
        cell: the cell.
        is_uncertain: its name is too doubtful to count.
    """
    plain = cell_to_dict(cell)
    row = {key: plain[key] for key in ("id", "label", "probability", "unlikeness", "score", "area")}
    row |= dict(zip(("x0", "y0", "x1", "y1"), plain["box"], strict=True))
    row |= {
        "uncertain": is_uncertain,
        "polygon": [value for point in plain["polygon"] for value in point],
    }
    return row | {f"p_{code}": p for code, p in plain["probabilities"].items()}


def read_cell(row: Mapping[str, Any], labels: Sequence[str]) -> Cell:
    """Return the cell in a row of a table of cells.

    Args:
        row: its columns.
        labels: codes of the classifier.
    """
    points = row["polygon"]
    return Cell(
        box=(row["x0"], row["y0"], row["x1"], row["y1"]),
        polygon=tuple(zip(points[::2], points[1::2], strict=True)),
        probabilities={code: row[f"p_{code}"] for code in labels},
        **{name: row[name] for name in ("area", "score", "id", "label", "probability", "unlikeness")},
    )


def _kept(path: Path, are_new: Callable[[str], bool]) -> pa.Table | None:
    """Return the rows of a table that are of other files."""
    table = _read(path)
    return table and table.filter([not are_new(file) for file in table["file"].to_pylist()])


def _in_groups(outcomes: Iterable[Outcome]) -> Iterator[list[Outcome]]:
    waiting = iter(outcomes)
    while group := list(islice(waiting, GROUP)):
        yield group


def _read(path: Path, columns: list[str] | None = None) -> pa.Table | None:
    if not path.is_file():
        return None
    try:
        return pyarrow().parquet.read_table(path, columns=columns, partitioning=None)
    except (OSError, ValueError) as error:
        raise MarrowError(f"{path} is damaged: delete {path.parent}, and its case is done anew.") from error
