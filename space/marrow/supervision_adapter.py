"""Cells as detections of the library ``supervision``, and back: its annotators, metrics, trackers and filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from marrow.cell import Box, Cell, Edit
from marrow.errors import MarrowError
from marrow.geometry import contour, polygon_area, polygon_mask, simplify

if TYPE_CHECKING:
    import supervision as sv


def to_supervision(
    cells: Sequence[Cell], size: tuple[int, int], labels: tuple[str, ...], uncertain_below: float
) -> sv.Detections:
    """Return cells as detections, in their order; this is :meth:`marrow.analysis.Analysis.to_supervision`.

    Args:
        cells: of one image.
        size: width and height of the image in pixels.
        labels: codes of the classifier, in the order of its outputs.
        uncertain_below: best probability below which a cell is uncertain, 0 to 1.

    Returns:
        Detections with ``xyxy`` in pixels, ``mask`` (``(cells, height, width)`` bool), ``confidence`` (score of the
        segmenter, 0 to 1), ``class_id`` (place of the label among the codes of the classifier), and in ``data``
        ``class_name``, ``cell_id``, ``probability``, ``probabilities`` (``(cells, classes)``), ``uncertain`` and
        ``edited`` (an :class:`marrow.cell.Edit`, or ``None``). Removed cells are not among them.

    Raises:
        MarrowError: supervision is not installed.
    """
    sv = _supervision()
    shape = size[::-1]
    shares = [[cell.probabilities[code] for code in labels] for cell in cells]
    edits = np.empty(len(cells), object)
    edits[:] = [cell.edited for cell in cells]
    return sv.Detections(
        xyxy=np.array([cell.box for cell in cells], np.float32).reshape(-1, 4),
        mask=np.array([polygon_mask(cell.polygon, shape) for cell in cells], bool).reshape(-1, *shape),
        confidence=np.array([cell.score for cell in cells], np.float32),
        class_id=np.array([labels.index(cell.label) for cell in cells], int),
        data={
            "class_name": np.array([cell.label for cell in cells], str),
            "cell_id": np.array([cell.id for cell in cells], int),
            "probability": np.array([cell.probability for cell in cells], float),
            "probabilities": np.array(shares, float).reshape(-1, len(labels)),
            "uncertain": np.array([cell.is_uncertain(uncertain_below) for cell in cells], bool),
            "edited": edits,
        },
    )


def from_supervision(detections: sv.Detections, size: tuple[int, int], labels: tuple[str, ...]) -> tuple[Cell, ...]:
    """Read detections as cells, whether they come from :func:`to_supervision` or from another program.

    An outline is the contour of the mask's largest region, whose pixels are the mask's; without masks, the box. The
    name is ``data["class_name"]``, or the label at ``class_id``. What else :func:`to_supervision` wrote into ``data``
    is read where it is; otherwise the name has the probability ``confidence``, and the cells are numbered from 1.

    Args:
        detections: of one image.
        size: width and height of the image in pixels.
        labels: codes of the classifier.

    Raises:
        MarrowError: a detection has no name, one that is none of the labels, an empty box, or a mask of another size.
    """
    cells = tuple(_read_cell(detections, i, size, labels) for i in range(len(detections)))
    if len({cell.id for cell in cells}) < len(cells):  # of several images, or copied
        cells = tuple(replace(cell, id=number) for number, cell in enumerate(cells, start=1))
    return cells


def _read_cell(detections: sv.Detections, i: int, size: tuple[int, int], labels: tuple[str, ...]) -> Cell:
    label = _label(detections, i, labels)
    data = detections.data
    score = 1.0 if detections.confidence is None else float(detections.confidence[i])
    probability, shares = score, dict.fromkeys(labels, 0.0) | {label: score}
    edited: Edit | None = data["edited"][i] if "edited" in data else None
    if "probabilities" in data:
        said = dict(zip(labels, np.asarray(data["probabilities"][i], float).tolist(), strict=True))
        # when the name was changed in between, they are not about it
        if label == max(said, key=said.__getitem__) or (edited and edited.label == label):
            probability, shares = said[label], said
    if edited:
        kept = edited.label if edited.label == label else None
        edited = replace(edited, label=kept, parent_ids=()) if kept or edited.shape else None  # no removed cells here
    box, polygon = _outline(detections, i, size)
    return Cell(
        box=box,
        polygon=tuple((float(x), float(y)) for x, y in polygon),
        area=polygon_area(polygon),
        score=score,
        id=int(data["cell_id"][i]) if "cell_id" in data else i + 1,
        label=label,
        probability=probability,
        probabilities=shares,
        edited=edited,
    )


def _label(detections: sv.Detections, i: int, labels: tuple[str, ...]) -> str:
    if "class_name" in detections.data:
        label = str(detections.data["class_name"][i])
    elif detections.class_id is not None:
        number = int(detections.class_id[i])
        label = labels[number] if 0 <= number < len(labels) else f"number {number}"
    else:
        raise MarrowError("The detections have no classes: set class_id, or data['class_name'].")
    if label not in labels:
        raise MarrowError(f"Detection {i} is of class {label}, which is none of {', '.join(labels)}: rename it.")
    return label


def _outline(detections: sv.Detections, i: int, size: tuple[int, int]) -> tuple[Box, np.ndarray]:
    x0, y0, x1, y1 = np.clip(np.asarray(detections.xyxy[i], float), 0, [*size, *size]).tolist()
    if not (x0 < x1 and y0 < y1):
        raise MarrowError(f"Detection {i} has an empty box in an image of {size[0]} × {size[1]} pixels: leave it out.")
    corners = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    if detections.mask is None:
        return (x0, y0, x1, y1), corners
    mask = np.asarray(detections.mask[i])
    if mask.shape != (size[1], size[0]):
        size_of_mask = f"{mask.shape[1]} × {mask.shape[0]} pixels"
        raise MarrowError(f"Detection {i} has a mask of {size_of_mask}: name the image's size.")
    polygon = simplify(contour(mask))
    return (x0, y0, x1, y1), polygon if len(polygon) else corners


def _supervision() -> Any:
    try:
        import supervision
    except ImportError as error:
        remedy = "pip install 'bone-marrow-smear[supervision]' brings it"
        raise MarrowError(f"supervision is not installed: {remedy}.") from error
    return supervision
