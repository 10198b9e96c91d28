"""The whole chain in miniature: drawn cells, both models, a Hub on loopback, and a field it never saw.

python -m training.chain --work out/chain
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import draw_field
from marrow.analysis import Analysis
from marrow.command import Command
from training.common.files import lock_run, output_folder, read_json
from training.common.markdown import number
from training.common.metrics_schema import ClassifierMetrics, read_metrics
from training.common.paths import CONFIGS, ROOT
from training.common.process import run_python
from training.common.segmenter_schema import SegmenterMetrics
from training.evaluation.matching import match_masks, summary

NAMESPACE = "tester"
PER_CLASS = "80"
UNSEEN_SEED = 2026
MADE = ("drawn", "set", "run-classifier", "fields", "run-segmenter", "hub", "hub-server", "hf-home", "analysis")
"""Folders that the chain makes, and makes anew."""


@dataclass(frozen=True)
class Step:
    """One step of the chain: its name, the commands that do it, and what says in a few words how it went."""

    name: str
    commands: list[tuple[str | Path, ...]]
    outcome: Callable[[], str]


@contextmanager
def loopback_hub(work: Path) -> Iterator[dict[str, str]]:
    """Serve a Hub on loopback and yield the variables with which a client talks to it."""
    command = [sys.executable, "-m", "loopback_hub", "--port", "0", "--root", str(work / "hub-server")]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline() if server.stdout else ""
        url = next(word for word in line.split() if word.startswith("http://"))
        yield {
            "HF_ENDPOINT": url.rstrip("/.,"),
            "HF_HOME": str(work / "hf-home"),
            "HF_TOKEN": "hf_tester",
            "HF_HUB_DISABLE_XET": "1",
        }
    finally:
        server.terminate()
        server.wait(timeout=10)


def steps(work: Path) -> list[Step]:
    """List the steps, in order; each uses what the ones before it wrote under ``work``."""
    drawn, cells, fields, hub = work / "drawn", work / "set", work / "fields", work / "hub"
    classifier, segmenter = hub / "bone-marrow-mobilenet", hub / "bone-marrow-yolov8-seg"
    configs = {kind: ("--config", CONFIGS / f"{kind}_mini.toml") for kind in ("classifier", "segmenter")}
    train_classifier = ("-m", "training.train_classifier", "--data", cells, "--output-dir", classifier)
    train_segmenter = ("-m", "training.train_segmenter", "--data", fields, "--output-dir", segmenter)
    compose = ("dataset_scripts/smear_fields.py", "--data", cells, "--out", fields, "--size", "256")
    published = [("--segmenter", f"{NAMESPACE}/{segmenter.name}"), ("--classifier", f"{NAMESPACE}/{classifier.name}")]
    analyze = ("-m", "marrow.cli", "analyze", work / "unseen.png", "--out", work / "analysis", "--format", "json,png")
    return [
        Step(
            "draw cells of twelve classes",
            [("dataset_scripts/synthetic_cells.py", "--out", drawn, "--per-class", PER_CLASS)],
            lambda: f"{sum(1 for _ in drawn.rglob('*.jpg'))} images",
        ),
        Step(
            "build the balanced set",
            [("dataset_scripts/bone_marrow_12.py", "--data-dir", drawn, "--out", cells, "--per-class", PER_CLASS)],
            lambda: f"{_rows(cells)} rows in Parquet",
        ),
        Step(
            "train the classifier",
            [(*train_classifier, "--run-dir", work / "run-classifier", *configs["classifier"])],
            lambda: _classifier_outcome(classifier),
        ),
        Step(
            "compose smear fields",
            [(*compose, "--train", "80", "--validation", "12", "--test", "12")],
            lambda: f"{sum(1 for _ in fields.rglob('*.jpg'))} fields",
        ),
        Step(
            "train the segmenter on the classifier's backbone",
            [
                (
                    *train_segmenter,
                    "--classifier",
                    classifier,
                    "--run-dir",
                    work / "run-segmenter",
                    *configs["segmenter"],
                )
            ],
            lambda: _segmenter_outcome(segmenter),
        ),
        Step(
            "derive the Keras file and render the cards",
            [
                ("-m", "training.export", "keras", "--model", classifier, "--out", classifier / "model.keras"),
                ("-m", "model_cards.render", classifier, segmenter),
            ],
            lambda: f"{(classifier / 'model.keras').stat().st_size / 1e6:.1f} MB .keras, two cards",
        ),
        Step(
            "publish to a Hub on loopback",
            [("-m", "training.publish", "--namespace", NAMESPACE, "--dataset-dir", cells, "--hub-dir", hub)],
            lambda: "data set, two models and the Space",
        ),
        Step(
            "pull by id and analyze a field it never saw",
            [(*analyze, *published[0], *published[1])],
            lambda: unseen_outcome(work),
        ),
    ]


def _classifier_outcome(folder: Path) -> str:
    metrics = read_metrics(ClassifierMetrics, folder / "metrics.json")
    return f"test accuracy {number(metrics.test and metrics.test.accuracy)} on drawn cells"


def _segmenter_outcome(folder: Path) -> str:
    metrics = read_metrics(SegmenterMetrics, folder / "metrics.json").datasets["composed"]
    return f"recall {number(metrics.recall)}, precision {number(metrics.precision)} on composed test fields"


def _rows(folder: Path) -> int:
    import pyarrow.parquet as parquet

    return sum(parquet.read_metadata(file).num_rows for file in folder.rglob("*.parquet"))


def draw_unseen(work: Path) -> None:
    """Draw the field that is analyzed in the end, with the truth beside it."""
    field = draw_field(np.random.default_rng(UNSEEN_SEED), 320, 320, 10)
    cv2.imwrite(str(work / "unseen.png"), field.image[..., ::-1])
    np.savez(work / "unseen.npz", labels=field.labels, codes=field.codes)


def unseen_outcome(work: Path) -> str:
    """Compare the analysis of the unseen field with the cells that were drawn in it."""
    truth = np.load(work / "unseen.npz")
    cells = Analysis.from_dict(read_json(work / "analysis" / "unseen.json")).cells
    masks = [truth["labels"] == i + 1 for i in range(len(truth["codes"]))]
    match = match_masks(masks, cells, truth["labels"].shape)
    right = sum(
        cells[int(row.argmax())].label == code
        for row, code in zip(match.overlaps, truth["codes"], strict=True)
        if row.max(initial=0) >= 0.5
    )
    result = summary([match], 0.0)
    found = round(result["recall"] * len(masks))
    return f"{found} of {len(masks)} cells outlined, {right} of them named right, {len(cells)} found in all"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    command = Command("chain", __doc__)
    command.add_argument("--work", type=Path, default=ROOT / "out" / "chain", help="folder to work in")
    return command.run(run_chain, arguments)


def run_chain(options: argparse.Namespace) -> None:
    """Run the steps, and say in the end how each went."""
    work = options.work.resolve()
    lock_run(output_folder(work), {"command": "training.chain"})
    for name in MADE:
        shutil.rmtree(work / name, ignore_errors=True)
    (work / "hub-server").mkdir(parents=True)
    draw_unseen(work)
    lines = []
    with loopback_hub(work) as hub, chdir(ROOT):
        for count, step in enumerate(todo := steps(work), start=1):
            print(f"\n== {count}/{len(todo)} {step.name}", flush=True)
            start = time.monotonic()
            for command in step.commands:
                run_python(*command, env=hub)
            lines.append(f"{count}. {step.name}: {step.outcome()} ({time.monotonic() - start:.0f} s)")
    print("\n" + "\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
