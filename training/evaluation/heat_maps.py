"""Heat maps: what a classifier's decision rests on, over the image.

It is the map that the Space lays over a selected cell, see :meth:`marrow.classifier.Classifier.explain`: for such a
network it adds up to the logit exactly, and is also what Grad-CAM computes.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import draw_single
from marrow.classifier import Classifier
from marrow.crop import crop_cell, find_centre_cell
from marrow.drawing import draw_heat
from training.common.plots import lay_out

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


def drawn_plate(classifier: Classifier, columns: int = 3, seed: int = 3) -> np.ndarray:
    """Explain one drawn cell of each class, for the card: no image of a patient is published.

    Args:
        classifier: the classifier; a cell of each of its classes is drawn.
        columns: pictures in a row.
        seed: of the drawing.

    Returns:
        ``(height, width, 3)`` uint8 RGB; each title says what was drawn and what was named.
    """
    rng = np.random.default_rng(seed)
    cells = {code: draw_single(code, rng) for code in classifier.labels}
    panels = [_titled(overlay(explain(classifier, cell), 160), f"drawn as {code}") for code, cell in cells.items()]
    return lay_out(panels, columns)


def _titled(panel: np.ndarray, text: str) -> np.ndarray:
    cv2.putText(panel, text, (178, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (120, 120, 120), 1, cv2.LINE_AA)
    return panel
