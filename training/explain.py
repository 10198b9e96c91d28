"""Show what a classifier's decision rests on, as a heat map over each image.

python -m training.explain IMAGE… --model hub/bone-marrow-mobilenet --out DIR [--raw]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from marrow.classifier import Classifier
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.images import read_image
from training.common.files import output_folder
from training.common.plots import save_picture
from training.evaluation.heat_maps import drawn_plate, explain, overlay


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    command = Command("explain", __doc__)
    command.add_argument("images", nargs="*", type=Path, metavar="IMAGE", help="single-cell image")
    command.add_argument("--model", default="hub/bone-marrow-mobilenet", help="folder or Hub id of a classifier")
    command.add_argument("--out", required=True, help="folder for IMAGE_explained.png")
    command.add_argument("--raw", action="store_true", help="show the network the whole image, not the cropped cell")
    command.add_argument("--drawn", action="store_true", help="explain drawn cells of all classes, into explain.png")
    return command.run(_explain, arguments)


def _explain(options: argparse.Namespace) -> None:
    if not options.images and not options.drawn:
        raise MarrowError("There is nothing to explain: name an image, or add --drawn.")
    images = {path: read_image(path) for path in options.images}
    names = {path: f"{path.stem}_explained.png" for path in images}
    if len(set(names.values())) < len(names):
        raise MarrowError("Two of the images have one name and would be written to one file: explain them apart.")
    out = output_folder(options.out, [*names.values(), *["explain.png"] * options.drawn])
    classifier = Classifier.from_pretrained(options.model)
    for path, image in images.items():
        explanation = explain(classifier, image, options.raw)
        save_picture(overlay(explanation), out / names[path])
        print(f"{path}: {explanation.label} {explanation.probability:.3f}")
    if options.drawn:
        save_picture(drawn_plate(classifier), out / "explain.png")


if __name__ == "__main__":
    sys.exit(main())
