"""Measure the data set scripts: near-duplicates and outlines on real images, and an archive of full size.

Each section prints its figures and keeps them in benchmarks/results.json.

    python -m dataset_scripts.benchmark near_duplicates --data ../shared/data
    python -m dataset_scripts.benchmark masks --data ../shared/data [--outlines MODEL]
    python -m dataset_scripts.benchmark large_input [--archive DIR]
"""

import argparse
import contextlib
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
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from PIL import Image, ImageOps

from dataset_scripts.bone_marrow_12 import CODES_21, SIMILARITY, BoneMarrowConfig, Row, build_rows, compare_all
from dataset_scripts.drawing.pictures import CODES, draw_single
from dataset_scripts.fields.outline_metrics import outline_metrics
from marrow.command import Command
from marrow.errors import MarrowError
from marrow.files import write_whole

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
        shift = np.array([[1, 0, rng.choice((-pixels, pixels))], [0, 1, rng.choice((-pixels, 0, pixels))]], float)
        return Image.fromarray(cv2.warpAffine(np.asarray(image), shift, image.size, borderMode=cv2.BORDER_REPLICATE))

    return change


def _scaled(factor: float) -> Change:
    return lambda image, _: ImageOps.scale(image, factor)


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


def near_duplicates(options: argparse.Namespace) -> dict[str, Any]:
    """Plant changed copies of real images and see which are found, and which strangers are joined.

    Returns:
        Shares caught; wrong joins among the real images, by count, by the upper 95 % bound where none is seen (rule
        of three), and by the tail of the similarity of strangers; and what each means at 171,374 images.
    """
    sources = tuple(str(_folder(options.data / name)) for name in ("marrow", "blood"))
    wanted = BoneMarrowConfig(data_dirs=sources, classes=CODES_21, per_class=None, allow_short=True, workers=2)
    with tempfile.TemporaryDirectory() as scratch:
        planted = Path(scratch, "planted")
        real = build_rows(wanted, Path(scratch, "real"))
        similarities = np.array([score for *_, score in compare_all(real.scan, real.rows, 2)])
        rng = random.Random(0)
        for change in CHANGES:
            for row in rng.sample(sorted(real.rows, key=lambda row: (row.source, row.path)), options.copies):
                plant(row, planted, change)
        mixed = replace(wanted, data_dirs=(*sources, str(planted)))
        caught = _caught(build_rows(mixed, Path(scratch, "mixed")).rows)
    pairs, wrong = real.audit["near_duplicates"]["pairs_compared"], int((similarities > SIMILARITY).sum())
    rates = {
        "upper_95": max(3 / pairs, (wrong + 2 * math.sqrt(wrong)) / pairs),
        "from_tail": wrong_join_rate(similarities, pairs),
    }
    return {
        "images": len(real.rows),
        "copies_planted": options.copies * len(CHANGES),
        "caught": sum(caught.values()) / len(caught),
        "caught_by_change": caught,
        "pairs_of_strangers": pairs,
        "looked_at_on_pixels": len(similarities),
        "most_alike_strangers": float(similarities.max()),
        "similarity_needed": SIMILARITY,
        "wrong_joins": wrong,
        **{f"rate_{bound}": rate for bound, rate in rates.items()},
        # two images for each join
        **{f"images_wrongly_joined_{bound}": rate * (ARCHIVE_SIZE - 1) for bound, rate in rates.items()},
    }


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise MarrowError(f"There is no {path.name} in {path.parent}: name the folder with --data.")
    return path


def _caught(rows: Sequence[Row]) -> dict[str, float]:
    """Share of the planted copies that are in the group of their original, by kind of change."""
    groups = {(row.source, Path(row.path).stem): row.group for row in rows if row.source != "planted"}
    hits = defaultdict(list)
    for row in rows:
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


def masks(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the outlines of single white cells, by colour and with a segmenter, with masks drawn by hand."""
    models = {"nucleus and colour": None, "segmenter": options.outlines}
    return {name: outline_metrics(_folder(options.data / "wbc_masks"), model) for name, model in models.items()}


# An archive of full size


def make_archive(out: Path, scale: float = 1.0) -> Path:
    """Write tiny images in the true number of each class: blends of drawn cells that resemble each other as cells do.

    Returns:
        The folder.
    """
    rng = np.random.default_rng(0)
    cells = [cv2.resize(draw_single(code, rng), (64, 64), interpolation=cv2.INTER_AREA) for code in CODES * 12]
    counts = {code: max(1, round(count * scale)) for code, count in ARCHIVE_COUNTS.items()}
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(partial(_write_class, out=out, cells=np.stack(cells)), counts, counts.values()))
    return out


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
    cache, out, archive, codes = *sys.argv[1:4], sys.argv[4].split()
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


def large_input(options: argparse.Namespace) -> dict[str, Any]:
    """Build both sets of an archive of full size, stop one half way, and compare with ``imagefolder``.

    Returns:
        For each run: seconds, peak memory of all its processes in MB, and images of the archive per second.
    """
    with tempfile.TemporaryDirectory(dir=options.archive.parent if options.archive else None) as scratch:
        work = Path(scratch)
        folder = options.archive or make_archive(work / "archive", options.scale)
        images = sum(1 for _ in folder.rglob("*.jpg"))
        script = ["dataset_scripts/bone_marrow_12.py", "--data-dir", str(folder), "--num-proc", "2"]
        script += ["--allow-short"] if options.scale < 1 else []
        balanced, full, again = (
            [*script, "--config", config, "--out", str(work / out)]
            for config, out in (("balanced-12", "balanced"), ("full-21", "full"), ("full-21", "again"))
        )
        (work / "baseline.py").write_text(BASELINE)
        (work / "plain").mkdir()
        baseline = [str(work / name) for name in ("baseline.py", "cache", "plain")]
        runs = {
            "balanced-12": watch(balanced),
            "imagefolder, filtered to the same": watch([*baseline, str(folder), " ".join(CODES)]),
            "full-21": watch(full),
        }
        watch(again, stop_after=runs["full-21"]["seconds"] / 2)
        runs["full-21, going on after a stop half way"] = watch(again)
        manifests = [(work / out / "manifest.csv").read_bytes() for out in ("full", "again")]
    for run in runs.values():
        run["images_per_second"] = images / run["seconds"]
    return {"images": images, "runs": runs, "same_set_after_the_stop": manifests[0] == manifests[1]}


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
    with contextlib.suppress(psutil.NoSuchProcess):  # one ended meanwhile
        process = psutil.Process(pid)
        return sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)])
    return 0


def measure(options: argparse.Namespace) -> None:
    """Measure the section that the command line asks for, print its metrics and keep them.

    Raises:
        MarrowError: the images to measure on are missing, or the file to keep the metrics in holds something else.
    """
    try:
        results = dict(json.loads(RESULTS.read_text(encoding="utf-8"))) if RESULTS.is_file() else {}
    except (ValueError, TypeError) as error:
        raise MarrowError(f"{RESULTS} holds no results of benchmarks: move it away.") from error
    metrics = options.section(options)
    text = json.dumps(results | {options.section.__name__: metrics}, indent=1, ensure_ascii=False)
    write_whole(RESULTS, f"{text}\n".encode())
    print(json.dumps(metrics, indent=1, ensure_ascii=False))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    command = Command("benchmark", __doc__)
    sections = command.add_subparsers(required=True)
    duplicates, outlines, large = (
        sections.add_parser(section.__name__, doc=section.__doc__) for section in (near_duplicates, masks, large_input)
    )
    duplicates.set_defaults(section=near_duplicates)
    duplicates.add_argument("--data", type=Path, required=True, help="folder with the real images marrow and blood")
    duplicates.add_argument("--copies", type=int, default=400, help="images to copy in each way")
    outlines.set_defaults(section=masks)
    outlines.add_argument("--data", type=Path, required=True, help="folder with wbc_masks")
    outlines.add_argument("--outlines", default="hub/bone-marrow-yolov8-seg", help="segmenter to compare with")
    large.set_defaults(section=large_input)
    large.add_argument("--archive", type=Path, help="use this folder instead of a made-up archive")
    large.add_argument("--scale", type=float, default=1.0, help="share of the true class counts")
    return command.run(measure, arguments)


if __name__ == "__main__":
    sys.exit(main())
