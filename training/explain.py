"""Show what a classifier's decision rests on, as a heat map over each image.

python -m training.explain IMAGE… --model hub/bone-marrow-mobilenet --out DIR [--raw]

The last layer is linear in the mean of the last feature map, so the map of weighted features (Zhou et al. 2016,
arXiv:1512.04150), which for such a network is also what Grad-CAM gives, adds up to the logit exactly: nothing is
estimated. Its squares are 32 pixels wide, so the cell is looked at many times, a few pixels aside each time, and the
maps are laid over each other.
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

from marrow.classifier import ClassifierConfig, probabilities
from marrow.crop import CropConfig, crop_cell, find_centre_cell
from marrow.errors import MarrowError
from marrow.images import read_image
from marrow.runtime import read_config
from training.files import output_folder

SHIFTS = range(-12, 13, 4)  # pixels; they cover the 32 of a square of the last feature map about evenly
PANEL = 320  # pixels of one picture in the output


@dataclass(frozen=True)
class Explanation:
    """What a decision rests on.

    Attributes:
        crop: ``(size, size, 3)`` uint8 RGB, what the network saw.
        label: the class it named.
        probability: of that class, 0 to 1, as the runtime gives it for one view.
        evidence: ``(size, size)`` float32, how much each place speaks for the class, relative to the mean of all
            classes; negative where it speaks against it.
    """

    crop: np.ndarray
    label: str
    probability: float
    evidence: np.ndarray


class Explainer:
    """Explains what a classifier's Hub folder says.

    Args:
        model: Hub folder or Hub id of a classifier in Transformers format.

    Raises:
        MarrowError: it cannot be loaded.
    """

    def __init__(self, model: str) -> None:
        from transformers import MobileNetV2ForImageClassification
        from transformers.utils import cached_file

        try:
            self.network = MobileNetV2ForImageClassification.from_pretrained(model).float().eval()
            folder = Path(cached_file(model, "config.json")).parent
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise MarrowError(f"{model} cannot be loaded ({reason}): name a classifier that was exported.") from error
        self.config = read_config(folder, ClassifierConfig)
        self.crop = CropConfig(**self.config.crop)

    def __call__(self, image: np.ndarray, raw: bool = False) -> Explanation:
        """Explain the naming of the cell in the middle of an image.

        Args:
            image: ``(height, width, 3)`` uint8 RGB of one cell.
            raw: look at the whole image, as the Transformers pipeline does, instead of the cropped cell.
        """
        size = self.crop.size
        if raw:
            crop = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        else:
            crop = crop_cell(image, find_centre_cell(image), self.crop)
        _, logits = self.class_maps(crop[None])
        named = int(logits[0].argmax())
        probability = float(probabilities(logits[None], self.config.temperature, self.config.none_logit)[0, named])
        return Explanation(crop, self.config.labels[named], probability, self._evidence(crop, named))

    def class_maps(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Split the logits of ``(n, size, size, 3)`` uint8 crops over the places of the last feature map.

        Returns:
            ``(n, classes, h, w)`` float32 maps and ``(n, classes)`` logits: a map's mean plus the bias is the logit.
        """
        import torch

        pixels = torch.from_numpy(crops.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1))
        head = self.network.classifier
        with torch.no_grad():
            features = self.network.mobilenet_v2(pixels).last_hidden_state
            maps = torch.einsum("nfhw,cf->nchw", features, head.weight)
            logits = maps.mean(dim=(2, 3)) + head.bias
        return maps.numpy(), logits.numpy()

    def _evidence(self, crop: np.ndarray, named: int) -> np.ndarray:
        """Average the maps of the named class, less the mean of all classes, over shifted views."""
        offsets = [(dx, dy) for dx in SHIFTS for dy in SHIFTS]
        maps, _ = self.class_maps(np.stack([_shifted(crop, dx, dy, self.crop.background) for dx, dy in offsets]))
        relative = maps[:, named] - maps.mean(axis=1)
        sides = crop.shape[1::-1]
        back = [
            _shifted(cv2.resize(view, sides, interpolation=cv2.INTER_CUBIC), -dx, -dy, None)
            for view, (dx, dy) in zip(relative, offsets, strict=True)
        ]
        return np.mean(back, axis=0)


def _shifted(image: np.ndarray, dx: int, dy: int, fill: int | None) -> np.ndarray:
    """Move an image by whole pixels; what comes in is ``fill``, or the edge repeated."""
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    mode = cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT
    value = (fill or 0,) * 3
    return cv2.warpAffine(image, move, image.shape[1::-1], flags=cv2.INTER_NEAREST, borderMode=mode, borderValue=value)


def overlay(explanation: Explanation, side: int = PANEL) -> np.ndarray:
    """Draw the crop, and beside it the crop under its heat map, with the class and its probability.

    Returns:
        ``(side + 28, 2 * side, 3)`` uint8 RGB; red speaks for the class, blue against it.
    """
    crop = cv2.resize(explanation.crop, (side, side), interpolation=cv2.INTER_CUBIC)
    evidence = cv2.resize(explanation.evidence, (side, side), interpolation=cv2.INTER_CUBIC)
    strength = np.clip(evidence / (np.abs(evidence).max() + 1e-6), -1, 1)[..., None]
    colour = np.where(strength > 0, (215, 25, 28), (44, 90, 200))
    opacity = 0.65 * np.abs(strength)
    heat = (crop * (1 - opacity) + colour * opacity).astype(np.uint8)
    panel = np.full((side + 28, 2 * side, 3), 255, np.uint8)
    panel[28:, :side], panel[28:, side:] = crop, heat
    title = f"{explanation.label} {explanation.probability:.2f}"
    cv2.putText(panel, title, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (59, 51, 85), 1, cv2.LINE_AA)
    return panel


def save(panel: np.ndarray, path: Path) -> None:
    """Write an RGB picture as PNG, whole or not at all."""
    beside = path.with_suffix(".partial.png")
    cv2.imwrite(str(beside), cv2.cvtColor(panel, cv2.COLOR_RGB2BGR))
    os.replace(beside, path)


def drawn_plate(explainer: Explainer, codes: Sequence[str], columns: int = 3, seed: int = 3) -> np.ndarray:
    """Explain one drawn cell of each class, for the card: no image of a patient is published.

    Args:
        explainer: the classifier.
        codes: classes to draw.
        columns: pictures in a row.
        seed: of the drawing.

    Returns:
        ``(height, width, 3)`` uint8 RGB; each title says what was drawn and what was named.
    """
    from dataset_scripts.synthetic_cells import draw_single

    rng = np.random.default_rng(seed)
    panels = [_titled(overlay(explainer(draw_single(code, rng)), 160), f"drawn as {code}") for code in codes]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % columns)
    return np.vstack([np.hstack(panels[i : i + columns]) for i in range(0, len(panels), columns)])


def _titled(panel: np.ndarray, text: str) -> np.ndarray:
    cv2.putText(panel, text, (178, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (120, 120, 120), 1, cv2.LINE_AA)
    return panel


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code (2 for bad input)."""
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
        explainer, out = Explainer(args.model), output_folder(args.out)
        for path, image in images.items():
            explanation = explainer(image, args.raw)
            save(overlay(explanation), out / f"{path.stem}_explained.png")
            print(f"{path}: {explanation.label} {explanation.probability:.3f}")
        if args.drawn:
            save(drawn_plate(explainer, explainer.config.labels), out / "explain.png")
    except MarrowError as error:
        print(f"explain: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
