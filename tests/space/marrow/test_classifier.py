"""What the name of a cell rests on: the map lies where the colour is, whichever way the crop is looked at."""

from __future__ import annotations

import json

import numpy as np
import pytest

from marrow import MarrowError
from marrow.classifier import Classifier
from tests.space.known_models import make_classifier


@pytest.mark.parametrize("views", [1, 4])
@pytest.mark.parametrize(("x", "y"), [(30, 25), (95, 40), (64, 100)])
def test_evidence_lies_where_the_colour_is(tmp_path, views, x, y):
    folder = make_classifier(tmp_path / "colours")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"views": views}))
    classifier = Classifier.from_pretrained(str(folder))
    crop = np.full((129, 129, 3), 128, np.uint8)
    crop[y - 6 : y + 7, x - 6 : x + 7] = (60, 60, 190)
    evidence = classifier.explain(crop, "EBO")
    assert evidence.shape == (129, 129) and evidence.dtype == np.float32
    rows, columns = np.mgrid[:129, :129]
    weights = evidence.clip(0) ** 3
    assert np.average(columns, weights=weights) == pytest.approx(x, abs=6)
    assert np.average(rows, weights=weights) == pytest.approx(y, abs=6)
    assert classifier.explain(crop, "NGS")[y, x] < 0, "what speaks for one class speaks against another"


def test_an_older_export_names_cells_and_explains_nothing(tmp_path, smear):
    classifier = Classifier.from_pretrained(str(make_classifier(tmp_path / "mapless", maps=False)))
    assert classifier(smear, [(30, 30, 90, 90)])[0].argmax() == classifier.labels.index("NGS")
    assert not classifier.explains
    with pytest.raises(MarrowError, match="export it again"):
        classifier.explain(smear[:129, :129], "NGS")
