"""Measure the data set scripts: near-duplicates and outlines on real images, and an archive of full size.

Each section prints its figures and keeps them in benchmarks/results.json.

    python -m dataset_scripts.benchmark near_duplicates --data ../shared/data
    python -m dataset_scripts.benchmark masks --data ../shared/data [--outlines MODEL]
    python -m dataset_scripts.benchmark large_input [--archive DIR]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from PIL import Image, ImageOps

from dataset_scripts.bone_marrow_12 import (
    CODES_21,
    SIMILARITY,
    BoneMarrowConfig,
    Build,
    Row,
    build_rows,
    compare_all,
)
from dataset_scripts.drawing.pictures import CODES, draw_single
from dataset_scripts.fields.outline_metrics import outline_metrics
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.files import atomic_path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
ARCHIVE_COUNTS = {
    "ABE": 8, "ART": 19630, "BAS": 441, "BLA": 11973, "EBO": 27395, "EOS": 5883, "FGC": 47, "HAC": 409, "KSC": 42,
    "LYI": 65, "LYT": 26242, "MMZ": 3055, "MON": 4040, "MYB": 6557, "NGB": 9968, "NGS": 29424, "NIF": 3538,
    "OTH": 294, "PEB": 2740, "PLM": 7629, "PMO": 11994,
}  # fmt: skip
ARCHIVE_SIZE = sum(ARCHIVE_COUNTS.values())

Change = Callable[[Image.Image, random.Random], Image.Image]


def _shifted(pixels: int) -> Change:
    """Another cut of the same cell: moved, with the edge repeated where nothing is known."""

    def change(image: Image.Image, rng: random.Random) -> Image.Image:
        dx, dy = rng.choice((-pixels, pixels)), rng.choice((-pixels, 0, pixels))
        wide = np.pad(np.asarray(image), ((pixels, pixels), (pixels, pixels), (0, 0)), mode="edge")
        top, left = pixels + dy, pixels + dx
        return Image.fromarray(wide[top : top + image.height, left : left + image.width])

    return change


def _scaled(factor: float) -> Change:
    return lambda image, _: image.resize((round(image.width * factor), round(image.height * factor)))


CHANGES: dict[str, Change] = {
    "encoded again": lambda image, rng: image,
    "half the size": _scaled(0.5),
    "1.4 times the size": _scaled(1.4),
    "mirrored": lambda image, _: ImageOps.mirror(image),
    "turned by 90°": lambda image, _: image.transpose(Image.Transpose.ROTATE_90),
    "mirrored and turned by 180°": lambda image, _: ImageOps.flip(image),
    "shifted by 2 px": _shifted(2),
    "shifted by 4 px": _shifted(4),
    "mirrored and shifted by 3 px": lambda image, rng: ImageOps.mirror(_shifted(3)(image, rng)),
    "3 px of the border cut off": lambda image, _: image.crop((3, 3, image.width - 3, image.height - 3)),
}


def plant(row: Row, out: Path, change: str) -> None:
    """Write a changed copy of an image, as JPEG of quality 40 to 90, under the same class."""
    rng = random.Random(f"{row.path} {change}")
    with Image.open(Path(row.root, row.path)) as image:
        copy = CHANGES[change](image.convert("RGB"), rng)
    target = out / row.code / f"{list(CHANGES).index(change)}_{row.source}_{Path(row.path).stem}.jpg"
    target.parent.mkdir(parents=True, exist_ok=True)
    copy.save(target, quality=rng.randint(40, 90))


def near_duplicates(data: Path, copies: int) -> dict[str, Any]:
    """Plant changed copies of real images and see which are found, and which strangers are joined.

    Args:
        data: folder with ``marrow`` and ``blood``.
        copies: images to copy in each of the ways of ``CHANGES``.

    Returns:
        Shares caught; wrong joins among the real images, by count, by the upper 95 % bound where none is seen (rule
        of three), and by the tail of the similarity of strangers; and what each means at 171,374 images.
    """
    sources = (str(data / "marrow"), str(data / "blood"))
    options = {"classes": CODES_21, "per_class": None, "allow_short": True, "workers": 2}
    with tempfile.TemporaryDirectory() as scratch:
        real = build_rows(BoneMarrowConfig(data_dirs=sources, **options), Path(scratch, "real"))
        similarities = np.array([score for *_, score in compare_all(real.scan, real.rows, 2)])
        rng = random.Random(0)
        for change in CHANGES:
            for row in rng.sample(sorted(real.rows, key=lambda row: (row.source, row.path)), copies):
                plant(row, Path(scratch, "planted"), change)
        config = BoneMarrowConfig(data_dirs=(*sources, str(Path(scratch, "planted"))), **options)
        caught = _caught(build_rows(config, Path(scratch, "mixed")))
    pairs, wrong = real.audit["near_duplicates"]["pairs_compared"], int((similarities > SIMILARITY).sum())
    return {
        "images": len(real.rows),
        "copies_planted": copies * len(CHANGES),
        "caught": sum(caught.values()) / len(caught),
        "caught_by_change": caught,
        "pairs_of_strangers": pairs,
        "looked_at_on_pixels": len(similarities),
        "most_alike_strangers": float(similarities.max()),
        "similarity_needed": SIMILARITY,
        "wrong_joins": wrong,
        "rate_upper_95": max(3 / pairs, (wrong + 2 * math.sqrt(wrong)) / pairs),
        "rate_from_tail": wrong_join_rate(similarities, pairs),
    }


def _caught(build: Build) -> dict[str, float]:
    """Share of the planted copies that are in the group of their original, by kind of change."""
    groups = {(row.source, Path(row.path).stem): row.group for row in build.rows if row.source != "planted"}
    hits = defaultdict(list)
    for row in build.rows:
        if row.source == "planted":
            number, source, stem = Path(row.path).stem.split("_", 2)
            hits[list(CHANGES)[int(number)]].append(groups[source, stem] == row.group)
    return {change: float(np.mean(hits[change])) for change in CHANGES}


def wrong_join_rate(similarities: np.ndarray, pairs: int) -> float:
    """Estimate how often two strangers pass the threshold, from the tail of those that do not.

    The largest tenth of Fisher's z (the inverse hyperbolic tangent of the correlation) is taken to fall off
    exponentially, which overstates a normal tail (peaks over threshold; Pickands 1975, doi:10.1214/aos/1176343003).

    Args:
        similarities: of the pairs that were looked at on pixels, all of strangers.
        pairs: number of pairs compared in all.

    Returns:
        Wrong joins per pair compared.
    """
    z = np.arctanh(similarities.clip(-0.999, 0.999))
    start = np.quantile(z, 0.9)
    excess = z[z > start] - start
    return float(len(excess) * math.exp(-(math.atanh(SIMILARITY) - start) / excess.mean()) / pairs)


def images_wrongly_joined(rate: float, images: int = ARCHIVE_SIZE) -> float:
    """Return the share of images that are joined with a stranger, at a rate per pair (two images for each join)."""
    return 2 * rate * (images * (images - 1) / 2) / images


# An archive of full size


def make_archive(out: Path, scale: float = 1.0) -> int:
    """Write tiny images in the true number of each class: blends of drawn cells that resemble each other as cells do.

    Returns:
        The number of images.
    """
    rng = np.random.default_rng(0)
    cells = [cv2.resize(draw_single(code, rng), (64, 64), interpolation=cv2.INTER_AREA) for code in CODES * 12]
    counts = {code: max(1, round(count * scale)) for code, count in ARCHIVE_COUNTS.items()}
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(_write_class, out=out, cells=np.stack(cells)), counts, counts.values()))
    return sum(counts.values())


def _write_class(code: str, count: int, out: Path, cells: np.ndarray) -> None:
    rng = np.random.default_rng(CODES_21.index(code))
    (out / code).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        one, other = (_turned(cells[rng.integers(len(cells))], rng) for _ in range(2))
        image = cv2.addWeighted(one, 0.55, other, 0.45, 0) + rng.normal(0, 6, (40, 40, 3))
        path = str(out / code / f"{code}_{number + 1:05d}.jpg")
        cv2.imwrite(path, image.clip(0, 255).astype(np.uint8)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])


def _turned(cell: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    matrix = cv2.getRotationMatrix2D((32, 32), rng.uniform(0, 360), rng.uniform(0.5, 1.6))
    matrix[:, 2] += rng.uniform(-12, 12, 2) - 12
    return cv2.warpAffine(cell, matrix, (40, 40), borderMode=cv2.BORDER_REFLECT)


BASELINE = """
import sys
from datasets import DatasetDict, concatenate_datasets, load_dataset
if __name__ == "__main__":
    archive, cache, out, codes = *sys.argv[1:4], sys.argv[4].split()
    data = load_dataset("imagefolder", data_dir=archive, split="train", cache_dir=cache, num_proc=2)
    names = data.features["label"].names
    kept = []
    for code in codes:
        of_class = data.filter(lambda labels, n=names.index(code): [l == n for l in labels], batched=True,
                               input_columns="label")
        kept.append(of_class.shuffle(seed=0).select(range(min(3000, len(of_class)))))
    parts = concatenate_datasets(kept).train_test_split(0.2, seed=0)
    rest = parts["test"].train_test_split(0.5, seed=0)
    for split, part in (("train", parts["train"]), ("validation", rest["train"]), ("test", rest["test"])):
        part.to_parquet(f"{out}/{split}.parquet")
"""


def large_input(archive: Path | None, scale: float) -> dict[str, Any]:
    """Build both sets of an archive of full size, stop one half way, and compare with ``imagefolder``.

    Returns:
        For each run: seconds, peak memory of all its processes in MB, and images of the archive per second.
    """
    with tempfile.TemporaryDirectory(dir=archive.parent if archive else None) as scratch:
        work = Path(scratch)
        folder = archive or work / "archive"
        images = sum(1 for _ in folder.rglob("*.jpg")) if archive else make_archive(folder, scale)
        script = ["dataset_scripts/bone_marrow_12.py", "--data-dir", str(folder), "--num-proc", "2"]
        script += ["--allow-short"] if scale < 1 else []
        (work / "baseline.py").write_text(BASELINE)
        (work / "plain").mkdir()
        arguments = [str(folder), str(work / "cache"), str(work / "plain"), " ".join(CODES)]
        figures = {
            "balanced-12": watch([*script, "--out", str(work / "balanced")]),
            "imagefolder, filtered to the same": watch([str(work / "baseline.py"), *arguments]),
            "full-21": watch([*script, "--config", "full-21", "--out", str(work / "full")]),
        }
        half = figures["full-21"]["seconds"] / 2
        watch([*script, "--config", "full-21", "--out", str(work / "again")], stop_after=half)
        figures["full-21, going on after a stop half way"] = watch(
            [*script, "--config", "full-21", "--out", str(work / "again")]
        )
        same = (work / "full" / "manifest.csv").read_bytes() == (work / "again" / "manifest.csv").read_bytes()
    for run in figures.values():
        run["images_per_second"] = images / run["seconds"]
    return {"images": images, "runs": figures, "same_set_after_the_stop": same}


def watch(command: Sequence[str], stop_after: float | None = None) -> dict[str, float]:
    """Run Python on a command and watch its memory; return seconds and peak MB (PSS of the process and its children).

    Args:
        command: arguments of the interpreter.
        stop_after: kill it after that many seconds.

    Raises:
        RuntimeError: the command failed.
    """
    start, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen([sys.executable, *command], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors)
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            if stop_after is not None and time.monotonic() - start > stop_after:
                for child in [*psutil.Process(process.pid).children(recursive=True), process]:
                    child.kill()
            time.sleep(0.2)
        if process.returncode and stop_after is None:
            errors.seek(0)
            raise RuntimeError(f"{command[0]} failed: {errors.read().decode()[-2000:]}")
    return {"seconds": time.monotonic() - start, "peak_mb": peak / 1e6}


def _memory(pid: int) -> int:
    total = 0
    try:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:  # one ended meanwhile
        pass
    return total


def save(section: str, figures: dict[str, Any]) -> None:
    """Keep the figures of one section in ``benchmarks/results.json``."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    with atomic_path(RESULTS) as beside:
        text = json.dumps(results | {section: figures}, indent=1, ensure_ascii=False)
        beside.write_text(text + "\n", encoding="utf-8")


def measure(options: argparse.Namespace) -> None:
    """Measure the section that the command line asks for, print its figures and keep them.

    Raises:
        MarrowError: the images to measure on are missing.
    """
    needed = {"near_duplicates": ("marrow", "blood"), "masks": ("wbc_masks",), "large_input": ()}[options.section]
    missing = [name for name in needed if not (options.data / name).is_dir()]
    if missing:
        raise MarrowError(f"There is no {' or '.join(missing)} in {options.data}: name the folder with --data.")
    if options.section == "near_duplicates":
        figures = near_duplicates(options.data, options.copies)
        for bound in ("upper_95", "from_tail"):
            figures[f"images_wrongly_joined_{bound}"] = images_wrongly_joined(figures[f"rate_{bound}"])
    elif options.section == "masks":
        models = {"nucleus and colour": None, "segmenter": options.outlines}
        figures = {name: outline_metrics(options.data / "wbc_masks", model) for name, model in models.items()}
    else:
        figures = large_input(options.archive, options.scale)
    save(options.section, figures)
    print(json.dumps(figures, indent=1, ensure_ascii=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("benchmark", __doc__)
    sections = command.add_subparsers(dest="section", required=True)
    duplicates = sections.add_parser("near_duplicates")
    duplicates.add_argument("--data", type=Path, required=True, help="folder with the real images marrow and blood")
    duplicates.add_argument("--copies", type=int, default=400, help="images to copy in each way")
    masks = sections.add_parser("masks")
    masks.add_argument("--data", type=Path, required=True, help="folder with wbc_masks")
    masks.add_argument("--outlines", default="hub/bone-marrow-yolov8-seg", help="segmenter to compare with")
    large = sections.add_parser("large_input")
    large.add_argument("--archive", type=Path, help="use this folder instead of a made-up archive")
    large.add_argument("--scale", type=float, default=1.0, help="share of the true class counts")
    return command.run(measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
