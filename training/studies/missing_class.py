"""What a class brings that the classifier never saw: its cells are cut from annotated fields, and learned.

1. Every third field is held back; of the others ``cut_cells.py`` cuts the annotated cells out.
2. ``train_classifier`` goes on from the published classifier with them.
3. Both classifiers name what the segmenter finds in the fields held back, and the test cells of the set.

All cells of the class must be annotated in the fields, others need not be: whatever else gets its name is wrong. A
study that was stopped goes on where it stood. Its weights may be less free than those of the classifier: look at the
licence of the fields.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dataset_scripts.fields.field import Field
from dataset_scripts.fields.formats import read_fields
from marrow.classifier import Classifier
from marrow.errors import MarrowError
from marrow.files import write_whole
from marrow.images import encode_png
from marrow.pipeline import Models, analyze
from marrow.segmenter import Segmenter
from training.classifier.data import load_cells, real_cells
from training.common.environment import machine
from training.common.files import lock_run
from training.common.markdown import number, table, with_interval
from training.common.paths import ROOT
from training.common.process import run_python
from training.evaluation.matching import match_masks
from training.studies.corrections import compare, name_all, run_folder

HELD_BACK = 3
"""Of so many fields one is held back."""


@dataclass(frozen=True)
class MissingClassStudy:
    """What a study starts with.

    Attributes:
        model: Hub id or folder of the classifier.
        data: folder or Hub id of the data set that it was trained on.
        fields: folder of annotated fields, as ``cut_cells.py`` reads them.
        code: class of the annotated cells.
        out: folder for the cells, the next classifier and the table.
        segmenter: Hub id or folder.
        config: TOML file of the fine-tuning.
        unknown: data set of cells of no class, as for ``train_classifier``.
    """

    model: str
    data: str
    fields: Path
    code: str
    out: Path
    segmenter: str
    config: Path
    unknown: str | None = None


def run_study(study: MissingClassStudy) -> dict[str, Any]:
    """Run the steps that are not finished in ``study.out``; return the content of ``missing_class.json``.

    Raises:
        MarrowError: a step cannot be done.
    """
    lock_run(study.out, {name: str(value) for name, value in vars(study).items() if name != "out"})
    fields = list(read_fields(study.fields))
    held_back = [field for _, field in fields[HELD_BACK - 1 :: HELD_BACK]]
    del fields[HELD_BACK - 1 :: HELD_BACK]
    if not held_back:
        raise MarrowError(f"{study.fields} holds fewer than {HELD_BACK} fields: none can be held back.")
    learn(study, fields)
    models = {"before": study.model, "after": str(study.out / "classifier")}
    classifiers = {name: Classifier.from_pretrained(model) for name, model in models.items()}
    segmenter = Segmenter.from_pretrained(study.segmenter)
    cells = real_cells(load_cells(study.data, "test"))
    named = {name: name_all(classifier, cells) for name, classifier in classifiers.items()}
    place = cells.codes.index(study.code)
    given = " --unknown UNKNOWN" * bool(study.unknown)
    return {
        "command": f"python -m training.missing_class_study --model REF --data DATA{given} --fields DIR "
        f"--class {study.code} --out DIR",
        "machine": machine(),
        "code": study.code,
        "fields": {"learned": len(fields), "held_back": len(held_back)},
        "cells": len(list((study.out / "cells").glob(f"*/crops/{study.code}/*"))),
        "held_back": {
            name: find_class(Models(segmenter, classifier), held_back, study.code)
            for name, classifier in classifiers.items()
        },
        "home": compare(named["before"], named["after"], cells)
        | {f"called_{name}": float((given.argmax(axis=1) == place).mean()) for name, given in named.items()},
    }


def learn(study: MissingClassStudy, fields: Sequence[tuple[str, Field]]) -> None:
    """Cut the cells out of fields, and train with them, unless that is finished.

    Args:
        study: what it starts with.
        fields: those that are not held back, with their names.

    Raises:
        MarrowError: there are no cells, or the training failed.
    """
    out = study.out
    if not (out / "cells").is_dir():
        for name, field in fields:
            _write_field(out / "fields", name, field)
        options = ("--class", study.code, "--origin", "bone_marrow", "--laboratory", study.fields.resolve().name)
        cutter = ROOT / "dataset_scripts" / "cut_cells.py"
        run_python(cutter, "--fields", out / "fields", *options, "--out", out / "cells")
        shutil.rmtree(out / "fields")
    if not (out / "classifier" / "metrics.json").is_file():
        start = ("--resume-from", study.model, "--data", study.data, "--extra-data", out / "cells")
        unknown = ("--unknown", study.unknown) if study.unknown else ()
        places = ("--run-dir", run_folder(out / "classifier"), "--output-dir", out / "classifier")
        run_python("-m", "training.train_classifier", *start, *unknown, "--config", study.config, *places)


def _write_field(folder: Path, name: str, field: Field) -> None:
    """Write a field as a picture and a label image."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    write_whole(folder / "images" / f"{name}.png", encode_png(field.image))
    _, labels = cv2.imencode(".png", field.labels.astype(np.uint16))
    write_whole(folder / "labels" / f"{name}.png", labels.tobytes())


def find_class(models: Models, fields: list[Field], code: str) -> dict[str, Any]:
    """Count the cells of a class that are named so, in fields where all of them are annotated.

    Args:
        models: the segmenter and the classifier.
        fields: with their cells' outlines.
        code: of the class.

    Returns:
        ``cells`` annotated, ``found`` by the segmenter, ``named`` so, ``wrong``: other things named so; ``recall`` and
        ``precision`` of the name; ``counted_recall`` and ``counted_precision`` where only certain names count.
    """
    counts: Counter[str] = Counter()
    below = models.classifier.config.uncertain_below
    for field in fields:
        masks = [field.labels == i for i in np.unique(field.labels[field.labels > 0])]
        cells = analyze(field.image, models).cells
        _, columns = match_masks(masks, cells, field.labels.shape).pairs(0.0)
        true = set(columns.tolist())
        counts += Counter(cells=len(masks), found=len(true))
        for index, cell in enumerate(cells):
            if cell.label == code:
                kind = "named" if index in true else "wrong"
                counts += Counter({kind: 1, f"counted_{kind}": int(not cell.is_uncertain(below))})
    shares = {
        f"{prefix}{share}": counts[f"{prefix}named"] / whole if whole else None
        for prefix in ("", "counted_")
        for share, whole in (
            ("recall", counts["cells"]),
            ("precision", counts[f"{prefix}named"] + counts[f"{prefix}wrong"]),
        )
    }
    return {name: counts[name] for name in ("cells", "found", "named", "wrong")} | shares


def markdown(study: Mapping[str, Any]) -> str:
    """Return ``missing_class.json`` as Markdown."""
    code, fields, home = study["code"], study["fields"], study["home"]
    caption = (
        f"`{code}`, learned from {study['cells']} cells of {fields['learned']} fields; the other {fields['held_back']} "
        "fields hold the cells that are looked for, and the test cells of the set show what it costs the other classes:"
    )
    heads = [f"`{code}` in the fields", "named so", "others named so", "recall", "precision", "counted alone: recall"]
    keys = ("cells", "named", "wrong", "recall", "precision", "counted_recall", "counted_precision")
    rows = [[name, *(one[key] for key in keys)] for name, one in study["held_back"].items()]
    home_rows = [
        [name, home["n"], with_interval(home[name], home["intervals"][name]), number(home[f"called_{name}"])]
        for name in ("before", "after")
    ]
    home_heads = ["", "test cells", "named right", f"called `{code}`"]
    return (
        f"{caption}\n\n{table(['', *heads, 'precision'], rows)}\n\n{table(home_heads, home_rows)}\n\n"
        f"```sh\n{study['command']}\n```\n"
    )
