"""What the browser's pipeline is tested with: ``python -m tests.browser.fixtures`` writes it anew.

``stages`` holds small cases of every stage; ``counting`` what a count must know beside the model; the others are drawn
fields, with what ONNX Runtime made of them and the analysis that Python makes of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from dataset_scripts.drawing.pictures import draw_background
from marrow.pipeline import analyze
from screen.viewer import make_settings
from tests.browser.packs import read_pack, write_pack
from tests.browser.recorded import (
    Player,
    Recorder,
    make_models,
    open_onnx,
    read_configs,
    run_classifier,
    run_segmenter,
)
from tests.browser.stages import draw_small, make_stages

COUNTING = ("rules", "notes", "lineage_names")
"""Keys of the viewer's settings that a count needs."""

KNOWING = {
    "unlike_above": 0.395,
    "stain_far_above": 0.15,
    "stains": [{"ground": [231.0, 224.0, 228.0], "nuclei": [0.7, 1.1, 0.4], "others": [0.1, 0.3, 0.15]}],
}
"""What a classifier may say in place of the release: how unlike its training a picture is."""

IGNORANT = {"unlike_above": None, "stain_far_above": None, "stains": []}
"""What one says that knows nothing of it."""

Draw = Callable[[np.random.Generator], np.ndarray]

FIELDS: dict[str, tuple[Draw, float | None, dict[str, Any]]] = {
    "few_cells": (lambda rng: draw_small(rng, 230, 310, 6), None, IGNORANT),
    "odd_sides": (
        lambda rng: draw_small(rng, 257, 333, 9),
        0.2,
        {"unlikeness": 0.45, **KNOWING, "stain_far_above": 0.6},
    ),
    "tiles": (lambda rng: draw_small(rng, 430, 700, 10, 3), None, {}),
    "no_cells": (lambda rng: draw_background(120, 160, rng) // 32 * 32 + 16, None, KNOWING),
}
"""Fields by name: how each is drawn, the lowest score asked for, and what is said in place of the release."""


def write_fields() -> None:
    """Draw the fields, let both networks see them, and write what comes of it."""
    segmenter, classifier = (open_onnx(kind) for kind in ("segmenter", "classifier"))
    finds, names = read_configs()
    free = [isinstance(side, str) for side in segmenter.get_inputs()[0].shape[2:]]
    for number, (name, (draw, confidence, knows)) in enumerate(FIELDS.items()):
        picture = draw(np.random.default_rng(number))
        said = {key: value for key, value in knows.items() if key != "unlikeness"}
        networks = (
            Recorder(partial(run_segmenter, segmenter), all(free)),
            Recorder(partial(run_classifier, classifier, knows is not IGNORANT, knows.get("unlikeness")), False),
        )
        models = make_models(finds, names | said, networks)
        analysis = analyze(picture, models, confidence)
        field = {"picture": picture, "confidence": confidence, "takes_any_size": all(free)}
        field |= {"segmenter": {"config": finds, "calls": networks[0].calls}}
        field |= {"classifier": {"config": names | said, "calls": networks[1].calls}}
        write_pack(name, field | {"analysis": analysis.to_dict()})


def replay(field: dict[str, Any]) -> tuple[dict[str, Any], tuple[list[np.ndarray], list[np.ndarray]]]:
    """Analyze a recorded field anew; return the analysis and the means of what both networks were given."""
    finds, names = field["segmenter"], field["classifier"]
    networks = Player(finds["calls"], field["takes_any_size"]), Player(names["calls"], False)
    models = make_models(finds["config"], names["config"], networks)
    analysis = analyze(field["picture"], models, field["confidence"])
    return analysis.to_dict(), (networks[0].means, networks[1].means)


def make_counting() -> dict[str, Any]:
    """Return what a count must know beside the model, as the viewer gets it."""
    field = read_pack("no_cells")
    models = make_models(field["segmenter"]["config"], field["classifier"]["config"], (None, None))
    settings = make_settings(models)
    return {key: settings[key] for key in COUNTING}


if __name__ == "__main__":
    write_fields()
    write_pack("stages", make_stages())
    write_pack("counting", make_counting())
