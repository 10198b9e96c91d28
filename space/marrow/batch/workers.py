"""Analyzing pictures in processes of their own, one for each core, with models that are loaded once.

Each process computes with one thread, so that it decodes one picture while others segment and name theirs.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from marrow import runtime
from marrow.analysis import Analysis
from marrow.batch.sources import Picture
from marrow.errors import MarrowError
from marrow.images import MAX_PIXELS, read_image
from marrow.pipeline import Models, analyze_together


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes:
        picture: the picture, without its content.
        sha256: digest of its file; ``None`` where that could not be read.
        analysis: ``None`` of a picture that could not be read or was analyzed before.
        error: the sentence that says why it could not be read.
    """

    picture: Picture
    sha256: str | None
    analysis: Analysis | None = None
    error: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether it was analyzed before."""
        return self.analysis is None and self.error is None


Task = Sequence[tuple[Picture, str | None]]
"""Pictures, each with the digest of what was analyzed under its name before."""


class Worker:
    """What a process does with pictures.

    Args:
        segmenter: reference of the segmenter.
        classifier: reference of the classifier.
        confidence: lowest score of a cell, 0 to 1; the model's own when ``None``.
    """

    def __init__(self, segmenter: str, classifier: str, confidence: float | None) -> None:
        self._references, self._confidence = (segmenter, classifier), confidence

    @cached_property
    def _models(self) -> Models:
        """Load the models with the first picture that is new."""
        return Models.from_pretrained(*self._references)

    def __call__(self, task: Task) -> list[Outcome]:
        """Analyze pictures together, but those that are what they were."""
        read = [_read(picture, known) for picture, known in task]
        outcomes, decoded = [outcome for outcome, _ in read], []

        def images() -> Iterator[np.ndarray]:
            for place, (outcome, content) in enumerate(read):
                if content is None:
                    continue
                try:
                    image = _decode(content, outcome.picture.file)
                except MarrowError as error:
                    outcomes[place] = replace(outcome, error=str(error))
                    continue
                decoded.append(place)
                yield image

        if any(content is not None for _, content in read):
            analyses = analyze_together(images(), self._models, self._confidence)
            for number, analysis in enumerate(analyses):
                outcomes[decoded[number]] = replace(outcomes[decoded[number]], analysis=analysis)
        return outcomes


def start_worker(segmenter: str, classifier: str, confidence: float | None) -> None:
    """Begin a process that computes with one thread, and ends when the command is gone; Ctrl-C is for that alone."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    runtime.threads = 1
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    _worker = Worker(segmenter, classifier, confidence)


def work(task: Task) -> list[Outcome]:
    """Do a task in a process that :func:`start_worker` began."""
    return _worker(task)


_worker: Worker


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _read(picture: Picture, known: str | None) -> tuple[Outcome, bytes | None]:
    """Return what is known of a picture, and the bytes of its file where it is to be analyzed."""
    named = Picture(picture.case, picture.file)
    try:
        content = picture.read()
    except MarrowError as error:
        return Outcome(named, None, error=str(error)), None
    sha256 = hashlib.sha256(content).hexdigest()
    return Outcome(named, sha256), None if sha256 == known else content


def _decode(content: bytes, name: str) -> np.ndarray:
    """Return the image in the bytes of a file, ``(height, width, 3)`` uint8 RGB; errors call it ``name``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture").with_suffix(Path(name).suffix)
        path.write_bytes(content)
        try:
            return read_image(path)
        except MarrowError as error:
            raise MarrowError(str(error).replace(str(path), name)) from error


def chunks(pictures: Iterator[tuple[Picture, str | None]], size: int) -> Iterator[Task]:
    """Cut pictures into tasks of at most ``size``."""
    task: list[tuple[Picture, str | None]] = []
    for one in pictures:
        task.append(one)
        if len(task) == size:
            yield task
            task = []
    if task:
        yield task
