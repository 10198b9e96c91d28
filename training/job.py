# /// script
# requires-python = ">=3.11"
# dependencies = [
#     "filelock>=3.19",
#     "huggingface_hub>=2.4,<3",
#     "jinja2>=3.1,<4",
#     "numpy>=2,<3",
#     "opencv-python-headless>=4.10,<6",
#     "openvino>=2026.0,<2027",
#     "pillow>=11,<13",
#     "pydantic>=2.11,<3",
#     "tqdm>=4.67,<5",
#     "datasets>=5.2,<6",
#     "ImageHash>=4.3,<5",
#     "psutil>=7",
#     "pyarrow==26.0.1",
#     "pycocotools>=2.0.11,<3",
#     "evaluate>=0.4.6,<0.5",
#     "keras>=3.15,<4",
#     "onnx>=1.23,<2",
#     "onnxruntime>=1.32,<2",
#     "safetensors>=0.8",
#     "scikit-image>=0.26,<0.27",
#     "scikit-learn>=1.9,<2",
#     "tensorflow>=2.21,<3",
#     "torch",
#     "torchvision",
#     "transformers>=5.23,<6",
#     "ultralytics>=8.4,<9",
# ]
#
# # ultralytics asks for opencv-python, which needs a screen's libraries; the headless build holds the same module
# [tool.uv]
# override-dependencies = ["opencv-python ; python_version < '3'"]
#
# [tool.hf-jobs]
# flavor = "cpu-upgrade"
# timeout = "12h"
# secrets = ["HF_TOKEN"]
# volumes = [
#     "./dataset_scripts:/source/dataset_scripts",
#     "./model_cards:/source/model_cards",
#     "./space:/source/space",
#     "./training:/source/training",
# ]
# ///
"""Train one of the models on a data set of the Hub and publish it: here, or as a job on the Hub's own machines.

python training/job.py classifier NAMESPACE [--data NAMESPACE/bone-marrow-12] [options of the training]
hf jobs uv run training/job.py classifier NAMESPACE

As a job, the block above has the packages installed by ``uv`` and the folders of the source mounted at ``/source``.
``--flavor t4-small`` and the like rent other hardware.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

MOUNTED = Path("/source")
SOURCE = MOUNTED if (MOUNTED / "training").is_dir() else Path(__file__).resolve().parents[1]
MODELS = {"classifier": "bone-marrow-mobilenet", "segmenter": "bone-marrow-yolov8-seg"}


def commands(kind: str, namespace: str, data: str, work: Path, options: Sequence[str] = ()) -> list[list[str]]:
    """List what is run, in order, each as arguments of Python in the source's folder.

    Args:
        kind: ``classifier`` or ``segmenter``.
        namespace: user or organisation that the model is published for.
        data: Hub id of the data set, or a folder.
        work: folder for everything that is written.
        options: further options of the training.
    """
    hub = work / "hub"
    model, fields, run = (str(path) for path in (hub / MODELS[kind], work / "fields", work / f"run-{kind}"))
    common = ["--output-dir", model, "--run-dir", run, "--config", f"training/configs/{kind}.toml"]
    if kind == "classifier":
        steps = [
            ["-m", "training.train_classifier", "--data", data, *common, *options],
            ["-m", "training.export", "keras", "--model", model, "--out", f"{model}/model.keras"],
        ]
    else:
        start = ["--classifier", f"{namespace}/{MODELS['classifier']}"]
        steps = [
            ["dataset_scripts/smear_fields.py", "--data", data, "--out", fields],
            ["-m", "training.train_segmenter", "--data", fields, *start, *common, *options],
        ]
    publish = ["-m", "training.publish", "--namespace", namespace, "--hub-dir", str(hub), "--only", kind]
    return [*steps, ["-m", "model_cards.render", model], publish]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code, that of the first step that fails."""
    # not a marrow.command.Command: nothing of the source is on the path where this file runs as a job
    description, _, more = (__doc__ or "").partition("\n\n")
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=more, formatter_class=layout)
    parser.add_argument("kind", choices=("classifier", "segmenter"))
    # not an option: `hf jobs uv run` would take --namespace for its own
    parser.add_argument("namespace", help="user or organisation on the Hub that the model is published for")
    parser.add_argument("--data", help="data set: Hub id or folder; NAMESPACE/bone-marrow-12 by default")
    parser.add_argument("--work", type=Path, default=Path("out/job"), help="folder to work in (%(default)s)")
    given, options = parser.parse_known_args(arguments)
    data = given.data or f"{given.namespace}/bone-marrow-12"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), str(SOURCE / "space")])}
    for command in commands(given.kind, given.namespace, data, given.work.resolve(), options):
        print("$ python", *command, flush=True)
        done = subprocess.run([sys.executable, *command], cwd=SOURCE, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
