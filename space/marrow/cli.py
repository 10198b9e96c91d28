"""Find, outline, name and count cells in bone-marrow smears.

marrow analyze smear.jpg --out results --format json,csv,png
marrow batch smears/ --out study
marrow slide smear.svs --out counted --cells 500
marrow classify cell_1.png cell_2.png --out names.json
marrow case results/smear_1.json results/smear_2.json --out case.html
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from marrow.batch.study import StudyOptions, run_study
from marrow.batch.tables import CaseReport
from marrow.case import count_case, read_saved
from marrow.classifier import Classifier, ClassifierConfig
from marrow.command import Command
from marrow.crop import find_centre_cell
from marrow.defaults import default_reference
from marrow.errors import MarrowError
from marrow.export import SUFFIXES, export, output_paths
from marrow.files import write_whole
from marrow.images import MAX_PIXELS, encode_png, read_image
from marrow.outputs import MARK, check_targets
from marrow.pipeline import Models, analyze
from marrow.print_page import to_page
from marrow.report import Report
from marrow.slide.reader import MPP_RANGE
from marrow.slide.study import SlideOptions, run_slide
from marrow.slide.summary import describe, unreadable
from marrow.stain import Stain, measure_stain, normalize_stain, stain_distance
from marrow.texts import PAGE

ANALYZE = """Outline, name and count the cells of whole smear images.

Each image makes DIR/STEM.json and so on, one file for each format. The example writes three files:

marrow analyze smear.jpg --out results --format json,csv,png
"""
STAIN = """Measure the stain of smear images, and show them in that of another.

Prints the colour of the empty ground (0 to 255), the optical density of nuclei and that of all else that is stained,
each in red, green and blue, and how far they are from what the classifier was trained on: 0.055 is what light that is
10 % brighter makes. With --reference it says how far apart the two are, and draws each image as it is and as
`marrow analyze --reference` shows it to the classifier, into DIR/STEM_stain.png:

marrow stain smear.jpg --reference trusted.jpg --out stains
"""
CLASSIFY = """Name images of single cells.

The file is a list of {"file", "label", "probability", "probabilities"}:

marrow classify cell_1.png cell_2.png --out names.json
"""
BATCH = """Analyze many pictures on every core, into one set of tables.

Pictures lie in folders, zips or globs, or come from a data set of the Hub; each folder, zip or data set is a case. DIR
gets tables of cells and images (Parquet), a folder for each case, and a report of each. What is there already is not
analyzed again, so that a command that was stopped goes on when it is repeated:

marrow batch smears/ more.zip --out study
"""
SLIDE = """Count the cells of a whole slide: .svs, .ndpi, .mrxs, DICOM, pyramidal TIFF, OME-TIFF.

Finds the part of the smear that can be counted, and shows it (map.png). DIR gets the cells as Parquet and as GeoJSON
for QuPath, pictures of single cells by class, an overview with the cells, and report.json. With --cells the best areas
are counted first, until the differential has so many cells. A command that was stopped goes on when it is repeated:

marrow slide smear.svs --out counted --cells 500
"""
CASE = """Add analyses of several images up to one count, to print or as JSON.

The JSON files are those of `marrow analyze` or of the screen:

marrow case results/smear_1.json results/smear_2.json --out case.html --language fr
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: the command line without the program's name; ``sys.argv`` when ``None``.

    Returns:
        The exit code: 0, or 2 after bad input, which is said in one line on standard error.
    """
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own bound refuses less than is read here
    command = Command("marrow", __doc__)
    subcommands = command.add_subparsers(required=True, metavar="analyze|batch|slide|classify|case|stain")
    embedded = "Hub id or folder (default: the embedded release)"

    analyze = subcommands.add_parser("analyze", help="whole smear images: outlines, names and counts", doc=ANALYZE)
    analyze.set_defaults(work=_analyze)
    formats = f"any of {','.join(SUFFIXES)} (default: json)"
    analyze.add_argument("--format", type=_formats, default=["json"], metavar="LIST", help=formats)

    batch = subcommands.add_parser("batch", help="many pictures: tables of cells and images", doc=BATCH)
    batch.set_defaults(work=_batch)
    batch.add_argument("sources", nargs="+", metavar="SRC", help="folder, glob, zip, picture, or data set of the Hub")
    batch.add_argument("--workers", type=_number, default=os.cpu_count() or 1, metavar="N", help="(%(default)s)")

    slide = subcommands.add_parser("slide", help="a whole slide: its countable ground, cells and count", doc=SLIDE)
    slide.set_defaults(work=_slide)
    slide.add_argument("slide", type=Path, metavar="SLIDE", help="a file that OpenSlide reads")
    slide.add_argument("--cells", type=_many, metavar="N", help="cells of the differential (default: all there are)")
    order = "of areas that are equally good, with --cells (default: %(default)s)"
    slide.add_argument("--seed", type=_whole, default=0, metavar="S", help=order)
    slide.add_argument("--mpp", type=_mpp, metavar="X", help="µm per pixel (default: as the file says)")
    called = "call the slide NAME in all that is written, or by a random name, and not as its file"
    slide.add_argument("--pseudonym", nargs="?", const="", type=_pseudonym, metavar="NAME", help=called)
    slide.add_argument("--crops", type=_whole, default=50, metavar="N", help="pictures of a class (default: 50)")

    for outlining in (analyze, batch, slide):
        outlining.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
        lowest = "lowest score of a cell, 0 to 1 (default: the model's)"
        outlining.add_argument("--confidence", type=_share, metavar="X", help=lowest)
        outlining.add_argument("--segmenter", metavar="REF", help=embedded)

    stain = subcommands.add_parser("stain", help="whole smear images: their colours, and those of another", doc=STAIN)
    stain.set_defaults(work=_show_stain)
    stain.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    stain.add_argument("--out", type=Path, metavar="DIR", help="folder for pictures of before and after")

    for restaining in (analyze, stain):
        trusted = "image whose colours all others are given before their cells are named"
        restaining.add_argument("--reference", type=Path, metavar="FIELD", help=trusted)

    classify = subcommands.add_parser("classify", help="single-cell images: names only", doc=CLASSIFY)
    classify.set_defaults(work=_classify)
    classify.add_argument("--out", required=True, type=Path, metavar="FILE.json")

    case = subcommands.add_parser("case", help="several analyses: one count, to print or as JSON", doc=CASE)
    case.set_defaults(work=_add_up)
    case.add_argument("analyses", nargs="+", type=Path, metavar="FILE.json")
    case.add_argument("--out", required=True, type=_case_file, metavar="FILE.html|FILE.json")

    for naming in (analyze, classify):
        naming.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    for naming in (analyze, batch, slide, classify, stain):
        naming.add_argument("--classifier", metavar="REF", help=embedded)
    for printing in (analyze, case):
        page = "of the page to print (default: en)"
        printing.add_argument("--language", choices=sorted(PAGE), default="en", help=page)
    return command.run(lambda options: options.work(options), arguments)


def _analyze(options: argparse.Namespace) -> int:
    _check_outputs(options.images, options.out, options.format, options.reference)
    _make_folder(options.out)
    segmenter = options.segmenter or default_reference("segmenter")
    models = Models.from_pretrained(segmenter, options.classifier or default_reference("classifier"))
    reference = _read_stain(options.reference) if options.reference else None
    done = 0
    for progress, path, image in _read_each(options.images):
        try:
            analysis = analyze(image, models, options.confidence, reference)
        except MarrowError as error:
            print(f"marrow: {path}: {error}", file=sys.stderr, flush=True)
            continue
        export(analysis, image, path.name, options.out, options.format, options.language)
        print(f"{progress} {path}: {_counted(analysis.report)}", flush=True)
        done += 1
    print(f"{done} of {len(options.images)} analyzed, {', '.join(options.format)} in {options.out}")
    return 0 if done == len(options.images) else 2


def _batch(options: argparse.Namespace) -> int:
    segmenter = options.segmenter or default_reference("segmenter")
    classifier = options.classifier or default_reference("classifier")
    study = StudyOptions(segmenter, classifier, options.confidence, options.workers)
    cases = run_study(options.sources, options.out, study, _say_case)
    unreadable = sum(case.unreadable for case in cases)
    print(f"{sum(case.images for case in cases)} images, {unreadable} of them unreadable, in {options.out}")
    return 2 if unreadable else 0


def _slide(options: argparse.Namespace) -> int:
    segmenter = options.segmenter or default_reference("segmenter")
    classifier = options.classifier or default_reference("classifier")
    asked = {name: getattr(options, name) for name in ("confidence", "mpp", "cells", "seed", "pseudonym", "crops")}
    report = run_slide(options.slide, options.out, SlideOptions(segmenter, classifier, **asked), tqdm.write)
    print("\n".join(describe(report, options.out)))
    return 2 if unreadable(report) else 0


def _say_case(case: CaseReport) -> None:
    tqdm.write(f"{case.case}: {case.images} images, {_counted(case.report)}")
    if case.unreadable:
        tqdm.write(f"  {case.unreadable} of them could not be read: the table of images says why")


def _classify(options: argparse.Namespace) -> int:
    if options.out.resolve() in {path.resolve() for path in options.images}:
        raise MarrowError(f"{options.out} would overwrite an input: name another file with --out.")
    check_targets([options.out])
    classifier = Classifier.from_pretrained(options.classifier or default_reference("classifier"))
    named = []
    for progress, path, image in _read_each(options.images):
        entry = _name_cell(path, image, classifier)
        print(f"{progress} {path}: {entry['label']} {entry['probability']:.2f}", flush=True)
        named.append(entry)
    write_whole(options.out, json.dumps(named, indent=1).encode())
    print(f"{len(named)} of {len(options.images)} named in {options.out}")
    return 0 if len(named) == len(options.images) else 2


def _show_stain(options: argparse.Namespace) -> int:
    if options.out and not options.reference:
        raise MarrowError("There is nothing to draw without another stain: name an image with --reference.")
    targets = {path: options.out / f"{path.stem}_stain.png" for path in options.images if options.out}
    if len(set(targets.values())) < len(targets):
        raise MarrowError("Two of the images have one name: run them apart, each with its own --out.")
    inputs = {path.resolve() for path in (*options.images, *filter(None, [options.reference]))}
    if overwritten := [target for target in targets.values() if target.resolve() in inputs]:
        raise MarrowError(f"{overwritten[0]} would overwrite an input: name another folder with --out.")
    check_targets(targets.values())
    reference = _read_stain(options.reference) if options.reference else None
    config = Classifier.from_pretrained(options.classifier or default_reference("classifier")).config
    done = 0
    for progress, path, image in _read_each(options.images):
        try:
            stain = measure_stain(image)
        except MarrowError as error:
            print(f"marrow: {path}: {error}", file=sys.stderr, flush=True)
            continue
        apart = f"; {stain_distance(stain, reference):.2f} from the reference" if reference else ""
        print(f"{progress} {path}: {_colours(stain)}{_from_training(image, config)}{apart}", flush=True)
        if reference and options.out:
            write_whole(targets[path], _before_and_after(image, normalize_stain(image, stain, reference)))
        done += 1
    return 0 if done == len(options.images) else 2


def _before_and_after(*pictures: np.ndarray) -> bytes:
    return encode_png(np.hstack(pictures), MARK.decode())


def _read_stain(path: Path) -> Stain:
    try:
        return measure_stain(read_image(path))
    except MarrowError as error:
        raise MarrowError(f"--reference {path}: {error}") from error


def _colours(stain: Stain) -> str:
    ground = " ".join(f"{level:.0f}" for level in stain.ground)
    densities = [" ".join(f"{value:.2f}" for value in values) for values in (stain.nuclei, stain.others)]
    return f"ground {ground}, nuclei {densities[0]}, others {densities[1]}"


def _from_training(image: np.ndarray, config: ClassifierConfig) -> str:
    distance, bound = config.stain_distance(image), config.stain_far_above
    if distance is None:
        return ""
    return f"; {distance:.2f} from the training" + (", too far" if bound is not None and distance > bound else "")


def _add_up(options: argparse.Namespace) -> int:
    if options.out.resolve() in {path.resolve() for path in options.analyses}:
        raise MarrowError(f"{options.out} would overwrite an input: name another file with --out.")
    check_targets([options.out])
    case = read_saved(options.analyses)
    text = case.to_json() if options.out.suffix.lower() == ".json" else to_page(case, {}, options.language)
    write_whole(options.out, text.encode(errors="replace"))
    images = len(case.analyses)
    print(f"{images} image{'s' * (images > 1)}, {_counted(count_case(case))} in {options.out}")
    return 0


def _name_cell(path: Path, image: np.ndarray, classifier: Classifier) -> dict[str, Any]:
    row = [round(p, 4) for p in classifier(image, [find_centre_cell(image)])[0].tolist()]
    probabilities = dict(zip(classifier.labels, row, strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    probability = probabilities[label]
    return {"file": str(path), "label": label, "probability": probability, "probabilities": probabilities}


def _read_each(paths: Sequence[Path]) -> Iterator[tuple[str, Path, np.ndarray]]:
    """Return each readable image with its place in the queue; complain of the others and go on."""
    for number, path in enumerate(paths, start=1):
        try:
            image = read_image(path)
        except MarrowError as error:
            print(f"marrow: {error}", file=sys.stderr, flush=True)
            continue
        yield f"[{number}/{len(paths)}]", path, image


def _counted(report: Report) -> str:
    top = ", ".join(f"{code} {n}" for code, n in Counter(report.counts).most_common(4) if n)
    counts = f"; {top}" if top else ""
    warnings = "".join(f"\n  warning: {warning.text}" for warning in report.warnings)
    if not report.is_smear:
        return warnings.strip()
    return f"{report.found} cells, {report.total} counted, {report.uncertain} uncertain{counts}{warnings}"


def _check_outputs(images: Sequence[Path], out: Path, formats: Sequence[str], reference: Path | None) -> None:
    inputs = {path.resolve() for path in (*images, *filter(None, [reference]))}
    owner: dict[Path, Path] = {}
    for image in images:
        for _, target in output_paths(image.name, out, formats):
            if target.resolve() in inputs:
                raise MarrowError(f"{target} would overwrite an input: name another folder with --out.")
            if target in owner:
                both = f"{owner[target]} and {image} would both be written to {target}"
                raise MarrowError(f"{both}: run them apart, each with its own --out.")
            owner[target] = image
    check_targets(owner)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MarrowError(f"{folder} cannot be made ({error.strerror}): name another --out.") from error


def _case_file(text: str) -> Path:
    if Path(text).suffix.lower() not in (".html", ".json"):
        raise argparse.ArgumentTypeError(f"{text!r} must end in .html, to print, or in .json")
    return Path(text)


def _formats(text: str) -> list[str]:
    formats = list(dict.fromkeys(text.split(",")))
    if unknown := [kind for kind in formats if kind not in SUFFIXES]:
        raise argparse.ArgumentTypeError(f"unknown format {unknown[0]!r}, choose from {','.join(SUFFIXES)}")
    return formats


def _number(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return int(text)


def _many(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000000")
    return int(text)


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 999999999")
    return int(text)


def _mpp(text: str) -> float:
    low, high = MPP_RANGE
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of µm from {low:g} to {high:g}")
    return value


def _pseudonym(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a name of letters, digits, - and _")
    return text


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
