"""How well single cells are outlined, beside masks drawn by hand."""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from dataset_scripts.fields.outlines import cell_labels, overlap
from marrow.errors import MarrowError
from marrow.images import read_image


def outline_metrics(folder: Path, model: str | None = None) -> dict[str, float | int]:
    """Measure the outlines of the centre cells.

    Args:
        folder: images ``N.jpg`` and masks ``N_mask.png``, 0 outside the cell and brighter than 64 inside.
        model: as :func:`dataset_scripts.fields.outlines.cell_labels` takes it.

    Returns:
        ``n_images``; ``mean_iou`` and ``median_iou`` of outline and mask, a cell that was not found or not trusted
        counting as 0; ``share_above_0.8``.

    Raises:
        MarrowError: there are no masks, or an image cannot be read.
    """
    files = sorted(folder.glob("*_mask.png"))
    if not files:
        raise MarrowError(f"There are no masks in {folder}: expected N.jpg and N_mask.png.")
    overlaps = []
    for file in tqdm(files, desc="masks", disable=None):
        image = read_image(file.with_name(file.name.replace("_mask.png", ".jpg")))
        truth = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if truth is None or truth.shape != image.shape[:2]:
            raise MarrowError(f"{file} is not a mask of the size of its image: save it again as PNG.")
        overlaps.append(overlap(cell_labels(image, model) == 1, truth > 64))
    return {
        "n_images": len(files),
        "mean_iou": round(float(np.mean(overlaps)), 4),
        "median_iou": round(float(np.median(overlaps)), 4),
        "share_above_0.8": round(float(np.mean(np.array(overlaps) > 0.8)), 4),
    }
