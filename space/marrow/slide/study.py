"""A slide from its overview to its tables; a command that was stopped goes on where it was."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tqdm import tqdm

from marrow.batch.folder import check_ours, check_same, locked, models_made_by
from marrow.batch.journal import Journal
from marrow.batch.sources import Picture
from marrow.batch.tables import pyarrow
from marrow.batch.workers import Outcome
from marrow.classifier import ClassifierConfig
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.hub import ModelFolder, resolve
from marrow.outputs import MARK
from marrow.pipeline import Models, analyze
from marrow.report import CountingRules
from marrow.runtime import read_config
from marrow.slide import geojson, pictures, tables
from marrow.slide.count import CountedArea, count_areas, is_counted, order_areas
from marrow.slide.grid import Area, Grid
from marrow.slide.ground import OVERVIEW, find_ground
from marrow.slide.pictures import CROPS, MAP, draw_map, draw_overview, write_crops, write_picture
from marrow.slide.reader import Slide
from marrow.slide.summary import AREAS, REPORT, area_to_dict, summarize

STUDY = "slide.json"
SCHEMA_VERSION = 1
"""Of the folder; one of another is not gone on with."""

CASE = "slide"
"""Under which the journal keeps the areas: a pseudonym must not be undone by a file's name."""

OUTPUTS = (STUDY, AREAS, MAP, tables.CELLS, geojson.CELLS, pictures.OVERVIEW, REPORT)


@dataclass(frozen=True)
class SlideOptions:
    """How a slide is counted.

    Attributes:
        segmenter: reference of the segmenter, as for :meth:`marrow.segmenter.Segmenter.from_pretrained`.
        classifier: reference of the classifier.
        confidence: lowest score of a cell, 0 to 1; the model's own when ``None``.
        mpp: µm per pixel of level 0; what the file says when ``None``.
        cells: number of cells in the differential, of the best areas; all countable ground when ``None``.
        seed: decides in which order areas are counted that are equally good.
        pseudonym: what the slide is called instead of its file's name; a random name when empty.
        crops: most pictures of single cells of a class.
    """

    segmenter: str
    classifier: str
    confidence: float | None = None
    mpp: float | None = None
    cells: int | None = None
    seed: int = 0
    pseudonym: str | None = None
    crops: int = 50


def run_slide(path: Path, out: Path, options: SlideOptions, say: Callable[[str], object]) -> dict[str, Any]:
    """Count the cells of a slide, or go on with it, and write what came out.

    Args:
        path: a file that OpenSlide reads.
        out: a new folder, or one to go on with.
        options: how to count.
        say: is told in a sentence of each step.

    Returns:
        What ``report.json`` holds.

    Raises:
        MarrowError: the slide or a model cannot be read, or the folder is of something else, in use, or not writable.
    """
    is_new = not check_ours(out, STUDY, "the count of a slide")
    pyarrow()
    folders = tuple(resolve(reference) for reference in (options.segmenter, options.classifier))
    with closing(Slide(path, options.mpp)) as slide:
        wanted = _made_by(slide, path, folders, options)
        if not is_new:
            keys = [key for key in wanted if key not in ("models", "name")]
            wanted = check_same(out / STUDY, wanted, keys, "of another slide, other models or other options")
        with locked(out, "marrow slide"):
            for left in (one for name in OUTPUTS for one in out.glob(f".{name}.*")):  # by a command that was killed
                shutil.rmtree(left, ignore_errors=True)
            if is_new:
                write_whole(out / STUDY, json.dumps(wanted, indent=1).encode())
            rules = read_config(folders[1].path, ClassifierConfig).rules
            journal = Journal(out, rules)
            if (out / REPORT).is_file():
                journal.close(CASE)
                say("It was counted before: nothing is analyzed again.")
                return _read_report(out / REPORT)
            count = _Count(slide, out, options, folders, rules, journal)
            report = count.run(wanted, say)
            journal.close(CASE)
            return report


class _Count:
    """The count of a slide while its areas come in."""

    def __init__(
        self,
        slide: Slide,
        out: Path,
        options: SlideOptions,
        folders: tuple[ModelFolder, ...],
        rules: CountingRules,
        journal: Journal,
    ) -> None:
        self._slide, self._out, self._options, self._rules, self._journal = slide, out, options, rules, journal
        self._folders, self._grid = folders, Grid(slide)

    @cached_property
    def _models(self) -> Models:
        """Load the models with the first area that is new."""
        return Models.from_pretrained(*(str(folder.path) for folder in self._folders))

    def run(self, made_by: dict[str, Any], say: Callable[[str], object]) -> dict[str, Any]:
        """Find the countable ground, count, and write everything, the report last."""
        slide, out, rules = self._slide, self._out, self._rules
        overview = slide.overview(OVERVIEW)
        areas = find_ground(slide, self._grid, overview)
        ordered = order_areas(areas, self._options.cells is not None, self._options.seed)
        write_whole(out / AREAS, _dumped({"areas": [area_to_dict(area) for area in areas]}))
        write_picture(out / MAP, draw_map(overview, slide, areas))
        say(f"{len(ordered)} of {len(areas)} areas can be counted: {out / MAP} shows them.")
        if not ordered:
            say("There is nothing to count: the slide is empty, too thick or out of focus.")
        counted = self._analyze(ordered)
        write_picture(out / MAP, draw_map(overview, slide, areas, counted))

        pixel_um = slide.pixel_um
        tables.write_cells(out / tables.CELLS, self._read(counted), made_by["name"], pixel_um, rules)
        place = slide.digest, slide.origin, pixel_um
        geojson.write_geojson(out / geojson.CELLS, self._read(counted), *place, rules)
        write_crops(out / CROPS, slide, self._read(counted), rules, Path(made_by["name"]).stem, self._options.crops)
        write_picture(out / pictures.OVERVIEW, draw_overview(overview, slide, self._read(counted), rules))
        report = {**made_by, **summarize(slide, self._grid, areas, self._read(counted), rules)}
        report["slide"] = {"name": made_by["name"], **report["slide"]}
        write_whole(out / REPORT, _dumped(report))
        return _read_report(out / REPORT)

    def _analyze(self, ordered: list[Area]) -> list[Area]:
        """Look at areas until there are enough cells, and return those that were looked at."""
        wanted, counted = self._options.cells, []
        with tqdm(total=wanted or len(ordered), unit=" cells" if wanted else " areas", disable=None) as progress:
            for one in count_areas(ordered, self._grid, self._look, self._rules, wanted):
                counted.append(one.area)
                progress.update(sum(is_counted(cell, self._rules) for cell in one.cells) if wanted else 1)
        return counted

    def _read(self, counted: list[Area]) -> Iterator[CountedArea]:
        """Go through the areas again, as the journal has them, without holding all of their cells."""
        return count_areas(counted, self._grid, self._kept, self._rules, None)

    def _look(self, area: Area) -> Outcome:
        """Analyze an area, unless the journal has it; as the journal has it in any case, where numbers are rounded."""
        picture, digest = Picture(CASE, area.name), self._slide.digest
        if not self._journal.find(picture, digest):
            place = self._grid.place(area.core)
            try:
                image = self._slide.read(place.box, place.width, place.height)
            except MarrowError as error:
                self._journal.keep(Outcome(picture, None, error=str(error)))
            else:
                self._journal.keep(Outcome(picture, digest, analyze(image, self._models, self._options.confidence)))
        return self._kept(area)

    def _kept(self, area: Area) -> Outcome:
        picture = Picture(CASE, area.name)
        outcome = self._journal.find(picture, self._slide.digest) or self._journal.find(picture, None)
        if outcome is None:
            raise MarrowError(f"{self._out} was changed by another program: repeat the command.")
        return outcome


def _made_by(slide: Slide, path: Path, folders: tuple[ModelFolder, ...], options: SlideOptions) -> dict[str, Any]:
    """Return what decides on the count; all but the name must be the same when it goes on."""
    asked = {name: getattr(options, name) for name in ("cells", "seed", "pseudonym", "crops")}
    name = path.name if options.pseudonym is None else options.pseudonym or f"slide-{secrets.token_hex(6)}"
    return {
        "written_by": MARK.decode(),
        "schema_version": SCHEMA_VERSION,
        "name": name.encode(errors="replace").decode(),
        "digest": slide.digest,
        "mpp": list(slide.mpp),
        **asked,
        **models_made_by(folders, options.confidence),
        "models": [str(folder.info) for folder in folders],
    }


def _dumped(plain: dict[str, Any]) -> bytes:
    return json.dumps({"written_by": MARK.decode(), **plain}, indent=1).encode()


def _read_report(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MarrowError(f"{path} is damaged: delete it, and its slide is counted anew.") from error
