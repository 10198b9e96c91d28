"""A study: many pictures analyzed on every core, resumable, into one set of tables and a report for each case."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tqdm import tqdm

from marrow.batch.folder import check_ours, check_same, locked, models_made_by
from marrow.batch.journal import Journal, key
from marrow.batch.sources import Picture, find_pictures, is_on_hub, stream_pictures
from marrow.batch.tables import PART, SCHEMA_VERSION, CaseReport, Tables, folder_name
from marrow.batch.workers import Outcome, Task, chunks, start_worker, work
from marrow.classifier import ClassifierConfig
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.hub import ModelFolder, resolve
from marrow.outputs import MARK
from marrow.runtime import read_config

TOGETHER = 4
"""Pictures whose cells share the batches of the classifier."""

AHEAD = 2
"""Tasks for each process that wait or are under way."""

STUDY, CARD = "study.json", "README.md"

_CARD = """---
configs:
- config_name: cells
  data_files: cells/*/{part}
- config_name: images
  data_files: images/*/{part}
---

Written by `marrow batch` ({mark}). `load_dataset(FOLDER, "cells")` and `load_dataset(FOLDER, "images")` read them,
as pandas and any other reader of Parquet does. `reports` holds the count of each case.
"""


@dataclass(frozen=True)
class StudyOptions:
    """How the pictures of a study are analyzed.

    Attributes:
        segmenter: reference of the segmenter, as for :meth:`marrow.segmenter.Segmenter.from_pretrained`.
        classifier: reference of the classifier.
        confidence: lowest score of a cell, 0 to 1; the model's own when ``None``.
        workers: number of processes; each holds both models, about 300 MB.
    """

    segmenter: str
    classifier: str
    confidence: float | None
    workers: int


def run_study(
    sources: Sequence[str], out: Path, options: StudyOptions, say: Callable[[CaseReport], object]
) -> list[CaseReport]:
    """Analyze the pictures that are not in the tables yet, and write the tables and reports of their cases.

    Args:
        sources: files, folders, globs and zips of pictures, and ids of data sets of the Hub.
        out: folder of the study, new or one to go on with.
        options: how to analyze.
        say: is told of each case that is finished.

    Returns:
        The report of each case that has a picture among the sources.

    Raises:
        MarrowError: a source or a model cannot be read, or the folder is of something else, in use, or not writable.
    """
    remote = [source for source in sources if is_on_hub(source)]
    pictures = find_pictures([source for source in sources if source not in remote])
    folders = tuple(resolve(reference) for reference in (options.segmenter, options.classifier))
    with _opened(out, folders, options.confidence) as made_by:
        rules = read_config(folders[1].path, ClassifierConfig).rules
        study = _Study(out, Journal(out, rules), Tables(out, rules, made_by), say)
        study.expect(pictures)
        asked = study.with_digests(chain(pictures, *(stream_pictures(one) for one in remote)))
        with tqdm(total=None if remote else len(pictures), unit=" pictures", disable=None) as progress:
            for outcome in _analyze(chunks(asked, TOGETHER), folders, options):
                study.keep(outcome)
                progress.update()
        return study.finish_all()


class _Study:
    """The cases of a study while its pictures come in."""

    def __init__(self, out: Path, journal: Journal, tables: Tables, say: Callable[[CaseReport], object]) -> None:
        self._out, self._journal, self._tables, self._say = out, journal, tables, say
        self._expected: Counter[str] = Counter()
        self._known: dict[str, dict[str, str]] = {}
        self.done: Counter[str] = Counter()
        self.reports: dict[str, CaseReport] = {}

    def expect(self, pictures: Iterable[Picture]) -> None:
        """Note how many pictures each case has, so that it is finished with the last."""
        self._expected.update(picture.case for picture in pictures)

    def with_digests(self, pictures: Iterable[Picture]) -> Iterator[tuple[Picture, str | None]]:
        """Add to each picture the digest of what was analyzed under its name before."""
        for picture in pictures:
            if picture.case not in self._known:
                files = self._tables.files(picture.case)
                self._known[picture.case] = {key(file): sha256 for file, sha256 in files.items() if sha256}
                self._known[picture.case] |= self._journal.known(picture.case)
            yield picture, self._known[picture.case].get(key(picture.file))

    def keep(self, outcome: Outcome) -> None:
        """Write down what became of a picture, and finish its case after the last."""
        case = outcome.picture.case
        if not outcome.is_known:
            self._journal.keep(outcome)
        self.done[case] += 1
        if self.done[case] == self._expected[case]:
            self._finish(case)

    def finish_all(self) -> list[CaseReport]:
        """Finish the cases of which nobody knew how many pictures they have, and return the reports of all."""
        for case, done in self.done.items():
            if done != self._expected[case]:
                self._finish(case)
        return list(self.reports.values())

    def _finish(self, case: str) -> None:
        if new := self._journal.known(case):
            self._tables.add(case, self._journal.read(case), lambda file: key(file) in new)
            self._journal.close(case)
        report = self._tables.report(case)
        self.reports[case] = report
        plain = {"written_by": MARK.decode(), **asdict(report)}
        write_whole(self._out / "reports" / f"{folder_name(case)}.json", json.dumps(plain, indent=1).encode())
        self._known.pop(case, None)
        self._say(report)


@contextmanager
def _opened(out: Path, folders: Sequence[ModelFolder], confidence: float | None) -> Iterator[dict[str, Any]]:
    """Begin a study or go on with it, alone; give what all of its rows say of how they were made.

    Raises:
        MarrowError: the folder holds something else, or a study by other models, or another command writes to it.
    """
    made_by = models_made_by(folders, confidence)
    names = [str(folder.info) for folder in folders]
    wanted = {"written_by": MARK.decode(), "schema_version": SCHEMA_VERSION, **made_by, "models": names}
    is_new = not check_ours(out, STUDY, "a study")
    if not is_new:
        check_same(out / STUDY, wanted, tuple(made_by), "of other models or another confidence")
    with locked(out, "marrow batch"):
        for left in out.glob(f"*/*/.{PART}.*"):  # by a command that was killed
            shutil.rmtree(left, ignore_errors=True)
        if is_new:
            write_whole(out / STUDY, json.dumps(wanted, indent=1).encode())
        write_whole(out / CARD, _CARD.format(part=PART, mark=MARK.decode()).encode())
        yield made_by


def _analyze(tasks: Iterator[Task], folders: Sequence[ModelFolder], options: StudyOptions) -> Iterator[Outcome]:
    """Let the processes work on tasks, a few of which wait at a time; return outcomes as they come."""
    segmenter, classifier = (str(folder.path) for folder in folders)
    given = segmenter, classifier, options.confidence
    pool = ProcessPoolExecutor(options.workers, get_context("spawn"), start_worker, given)
    running: set[Future[list[Outcome]]] = set()
    try:
        for task in tasks:
            running.add(pool.submit(work, task))
            if len(running) >= AHEAD * options.workers:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from _results(done)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from _results(done)
    except BrokenProcessPool as error:
        raise MarrowError(
            "A process ended, perhaps for want of memory: repeat the command to go on, with fewer --workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _results(done: Iterable[Future[list[Outcome]]]) -> Iterator[Outcome]:
    for future in done:
        yield from future.result()
