"""Show what a classifier's decision rests on, as a heat map over each image.

python -m training.explain IMAGE… --model hub/bone-marrow-mobilenet --out DIR [--raw]

It is the map that the Space lays over a selected cell, see :meth:`marrow.classifier.Classifier.explain`: for such a
network it adds up to the logit exactly, and is also what Grad-CAM gives.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from marrow.classifier import Classifier
from marrow.crop import crop_cell, find_centre_cell
from marrow.drawing import draw_heat
from marrow.errors import MarrowError
from marrow.images import read_image
from training.common.files import output_folder

PANEL = 320  # pixels of one picture in the output


@dataclass(frozen=True)
class Explanation:
    """What a decision rests on.

    Attributes:
        crop: ``(size, size, 3)`` uint8 RGB, what the network saw.
        label: the class it named.
        probability: of that class, 0 to 1.
        evidence: ``(size, size)`` float32, how much each place speaks for the class, relative to the mean of all
            classes; negative where it speaks against it.
    """

    crop: np.ndarray
    label: str
    probability: float
    evidence: np.ndarray


def explain(classifier: Classifier, image: np.ndarray, raw: bool = False) -> Explanation:
    """Explain the naming of the cell in the middle of an image.

    Args:
        classifier: the classifier that names it.
        image: ``(height, width, 3)`` uint8 RGB of one cell.
        raw: look at the whole image, as the Transformers pipeline does, instead of the cropped cell.

    Raises:
        MarrowError: the classifier was exported without its maps.
    """
    if raw:
        crop = cv2.resize(image, (classifier.crop.size,) * 2, interpolation=cv2.INTER_AREA)
    else:
        crop = crop_cell(image, find_centre_cell(image), classifier.crop)
    probabilities = classifier.predict(crop[None])[0]
    named = int(probabilities.argmax())
    label = classifier.labels[named]
    return Explanation(crop, label, float(probabilities[named]), classifier.explain(crop, label))


def overlay(explanation: Explanation, side: int = PANEL) -> np.ndarray:
    """Draw the crop, and beside it the crop under its heat map, with the class and its probability.

    Returns:
        ``(side + 28, 2 * side, 3)`` uint8 RGB; the yellower, the more a place speaks for the class.
    """
    crop = cv2.resize(explanation.crop, (side, side), interpolation=cv2.INTER_CUBIC)
    heat = cv2.resize(draw_heat(explanation.evidence), (side, side), interpolation=cv2.INTER_LINEAR)
    opacity = heat[..., 3:] / 255
    panel = np.full((side + 28, 2 * side, 3), 255, np.uint8)
    panel[28:, :side], panel[28:, side:] = crop, crop * (1 - opacity) + heat[..., :3] * opacity
    title = f"{explanation.label} {explanation.probability:.2f}"
    cv2.putText(panel, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (59, 51, 85), 1, cv2.LINE_AA)
    return panel


def save(panel: np.ndarray, path: Path) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    beside = path.with_suffix(".partial.png")
    cv2.imwrite(str(beside), cv2.cvtColor(panel, cv2.COLOR_RGB2BGR))
    os.replace(beside, path)


def drawn_plate(classifier: Classifier, columns: int = 3, seed: int = 3) -> np.ndarray:
    """Explain one drawn cell of each class, for the card: no image of a patient is published.

    Args:
        classifier: the classifier; a cell of each of its classes is drawn.
        columns: pictures in a row.
        seed: of the drawing.

    Returns:
        ``(height, width, 3)`` uint8 RGB; each title says what was drawn and what was named.
    """
    from dataset_scripts.synthetic_cells import draw_single

    rng = np.random.default_rng(seed)
    cells = {code: draw_single(code, rng) for code in classifier.labels}
    panels = [_titled(overlay(explain(classifier, cell), 160), f"drawn as {code}") for code, cell in cells.items()]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    return np.vstack([np.hstack(panels[i : i + columns]) for i in range(0, len(panels), columns)])


def _titled(panel: np.ndarray, text: str) -> np.ndarray:
    cv2.putText(panel, text, (178, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (120, 120, 120), 1, cv2.LINE_AA)
    return panel


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="single-cell image")
    parser.add_argument("--model", default="hub/bone-marrow-mobilenet", help="folder or Hub id of a classifier")
    parser.add_argument("--out", required=True, help="folder for IMAGE_explained.png")
    parser.add_argument("--raw", action="store_true", help="show the network the whole image, not the cropped cell")
    parser.add_argument("--drawn", action="store_true", help="explain drawn cells of all classes, into explain.png")
    args = parser.parse_args(argv)
    try:
        if not args.images and not args.drawn:
            raise MarrowError("There is nothing to explain: name an image, or give --drawn.")
        images = {path: read_image(path) for path in args.images}
        classifier, out = Classifier.from_pretrained(args.model), output_folder(args.out)
        for path, image in images.items():
            explanation = explain(classifier, image, args.raw)
            save(overlay(explanation), out / f"{path.stem}_explained.png")
            print(f"{path}: {explanation.label} {explanation.probability:.3f}")
        if args.drawn:
            save(drawn_plate(classifier), out / "explain.png")
    except MarrowError as error:
        print(f"explain: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
