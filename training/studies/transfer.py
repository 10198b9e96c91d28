"""Show what the transfer brings: one small training, three starts of the backbone, three curves on one figure.

python -m training.transfer_study --data FIELDS --classifier REF --imagenet FILE.weights.h5 --out DIR

The starts are the classifier's weights, ImageNet's and random ones; config, fields, seed and budget are the same
(``training/configs/transfer.toml``: 320 px and all layers, ten epochs). Each training runs in a process of its own; one
that is finished in DIR is not run again, and one that was stopped goes on. DIR gets ``transfer.json``, ``transfer.md``
and ``transfer.png``. The figure is the mask mAP50 on the validation fields, as ultralytics gives it after each epoch.
Small fields are enough: ``smear_fields.py --train 120 --validation 32 --test 0 --size 320``.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from marrow.errors import MarrowError
from training.common.config import load_config
from training.common.files import output_folder, read_json, write_json, write_text
from training.common.markdown import table
from training.common.plots import draw_transfer
from training.train_segmenter import CONFIGS, SegmenterTraining, data_folder

CONFIG = CONFIGS / "transfer.toml"
FIGURE = "metrics/mAP50(M)"
LEVEL = 0.8  # mAP50 that the table gives the first epoch of


def run_study(starts: Mapping[str, str], data: Path, config: Path, out: Path) -> dict[str, list[float]]:
    """Train from each start, one after the other; those that are finished in ``out`` stay as they are.

    Args:
        starts: what ``train_segmenter --classifier`` takes, by name.
        data: folder that ``smear_fields.py`` wrote.
        config: TOML file.
        out: folder; a run folder in it for each start.

    Returns:
        Mask mAP50 on the validation fields after each epoch, by name.

    Raises:
        MarrowError: a training failed; its own message is on stderr.
    """
    curves = {}
    for name, start in starts.items():
        run_dir = out / name.replace(" ", "_")
        command = [
            "training.train_segmenter",
            "--data",
            data,
            "--classifier",
            start,
            "--config",
            config,
            "--train-only",
        ]
        command += ["--run-dir", run_dir, "--output-dir", run_dir]
        print(f"== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", *map(str, command)], check=False).returncode:
            raise MarrowError(f"The training from {name} weights failed, see above: repeat the command to go on.")
        curves[name] = read_curve(run_dir)
    return curves


def read_curve(run_dir: Path) -> list[float]:
    """Read the mask mAP50 after each epoch of a run."""
    with (run_dir / "train" / "results.csv").open(newline="") as file:
        return [float(row[FIGURE]) for row in csv.DictReader(file, skipinitialspace=True)]


def markdown(study: Mapping[str, Any]) -> str:
    """Return ``transfer.json`` as Markdown."""
    rows = []
    for name, curve in study["curves"].items():
        first = next((epoch for epoch, value in enumerate(curve, start=1) if value >= LEVEL), None)
        rows.append([name, curve[0], max(curve), curve[-1], first])
    head = ["backbone starts from", "mask mAP50 after 1 epoch", "best", "last", f"first epoch of {LEVEL:g} or more"]
    config, fields = study["config"], study["fields"]
    numbers = " and ".join(f"{number} {kind}" for kind, number in fields.items() if number)
    caption = (
        f"The same training on {numbers} fields at {config['train_size']} px for {config['epochs']} epochs, "
        f"seed {config['seed']}; only the backbone's first weights differ. Mask mAP50 on the validation fields."
    )
    return f"{caption}\n\n{table(head, rows)}\n\n```sh\n{study['command']}\n```\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code (2 for bad input)."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of small fields written by smear_fields.py")
    parser.add_argument("--classifier", required=True, help="Hub id or folder")
    parser.add_argument("--imagenet", required=True, help="MobileNetV2 .weights.h5 file")
    parser.add_argument("--out", required=True, help="folder for the runs, the table and the figure")
    parser.add_argument("--config", type=Path, default=CONFIG, help="TOML file; %(default)s")
    args = parser.parse_args(argv)
    try:
        config = load_config(SegmenterTraining, args.config)
        data, out = data_folder(args.data), output_folder(args.out)
        starts = {"classifier": args.classifier, "ImageNet": args.imagenet, "random": "none"}
        study = {
            "command": "python -m training.transfer_study --data DATA --classifier REF --imagenet FILE --out DIR",
            "config": asdict(config),
            "fields": read_json(data / "sources.json")["fields"],
            "curves": run_study(starts, data, args.config, out),
        }
        write_json(out / "transfer.json", study)
        write_text(out / "transfer.md", markdown(study))
        draw_transfer(study["curves"], out / "transfer.png")
    except MarrowError as error:
        print(f"transfer_study: {error}", file=sys.stderr)
        return 2
    print(markdown(study))
    return 0


if __name__ == "__main__":
    sys.exit(main())
