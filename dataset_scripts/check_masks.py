"""Compare the outlines of single white cells with masks drawn by hand.

python dataset_scripts/check_masks.py --masks FOLDER [--outlines MODEL] [--json]

The folder holds ``N.jpg`` and ``N_mask.png`` (0 outside the cell, brighter than 64 inside), as in the sets of Zheng et
al. 2018 (10.1016/j.micron.2018.01.010).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from marrow.errors import MarrowError
from marrow.images import read_image

if __package__ in (None, ""):  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from dataset_scripts.fields.outlines import cell_labels, overlap


def check_masks(folder: Path, model: str | None = None) -> dict[str, float | int]:
    """Measure the outlines of the centre cells.

    Args:
        folder: images and masks.
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--masks", type=Path, required=True, help="folder with N.jpg and N_mask.png")
    parser.add_argument("--outlines", metavar="MODEL", help="segmenter to outline with; colour alone by default")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args(argv)
    try:
        figures = check_masks(args.masks, args.outlines)
    except MarrowError as error:
        print(f"check_masks: {error}", file=sys.stderr)
        return 2
    if args.json:
        print(json.dumps(figures))
    else:
        print(
            f"{figures['n_images']} cells: mean IoU {figures['mean_iou']:.3f}, median {figures['median_iou']:.3f}, "
            f"{figures['share_above_0.8']:.0%} above 0.8"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
