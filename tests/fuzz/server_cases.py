"""Questions to the Space, most of them valid but for one field: every endpoint and every server function.

python -m pytest tests/fuzz/test_server_fuzz.py
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.outcome import Outcome
from tests.fuzz.visitor import Visitor

FUNCTIONS = (
    *("explain", "add_cell", "merge_cells", "split_cell", "name_like"),
    *("open_saved", "export_file", "print_case", "send_flag"),
)
ENDPOINTS = ("analyze", "segmentation", "annotations", "report", "flag")

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 0.5, 1e308, -1e308, 2**63, 10**30, float("nan"), float("inf")),
    *("", " ", "x", "0", "../../etc/passwd", "/etc/passwd", "=1+1", "＝1", "\x00", "\ud800", "é" * 300, "a" * 100_000),
    *("<script>alert(1)</script>", "yes", "BLA", "javascript:alert(1)", "%s{0}", "con", "\u202etxt.exe"),
    *([], {}, [[]], [None], [{}], {"": ""}, [1] * 1000, {"key": None}, [[0, 0], [1, 1]], [[float("nan")] * 2] * 3),
)
"""What takes the place of a value."""


@dataclass(frozen=True)
class Case:
    """One question: ``what`` is a server function or an endpoint, ``asked`` its JSON, ``changed`` what is odd in it."""

    what: str
    asked: Any
    changed: str


def cases(seed: int, valid: dict[str, Any]) -> Iterator[Case]:
    """Yield questions without end.

    Args:
        seed: the same one gives the same questions.
        valid: for each function and endpoint, what it answers well.
    """
    choose = random.Random(seed)
    while True:
        what = choose.choice(FUNCTIONS + ENDPOINTS)
        kind = choose.random()
        if kind < 0.1:
            yield Case(what, copy.deepcopy(valid[what]), "nothing")
        elif kind < 0.9:
            yield Case(what, *_change(valid[what], choose))
        else:
            yield Case(what, choose.choice(ODD), "the whole")


def valid_questions(visitor: Visitor, picture: Path) -> dict[str, Any]:
    """Upload a picture and return, for each function and endpoint, a question about it that is answered well."""
    path = visitor.upload(picture)
    shown = visitor.show(path)
    assert shown and len(shown["cells"]) >= 3, "the picture must show some cells"
    key, cells, analysis = shown["key"], shown["cells"], {"cells": shown["cells"]}
    whole = visitor.endpoint("analyze", path, 0.1)["data"][0]
    two = [cells[0], _beside(cells[0])]
    both = visitor.ask("merge_cells", {"key": key, "cells": two})["cell"]
    image = {"path": path, "meta": {"_type": "gradio.FileData"}}
    x0, y0, x1, y1 = cells[0]["box"]
    return {
        "explain": {"key": key, "cell": cells[0]},
        "add_cell": {"key": key, "box": [x0 - 3, y0 - 3, x1 + 3, y1 + 3]},
        "merge_cells": {"key": key, "cells": two},
        "split_cell": {"key": key, "cell": cells[0] | both, "parts": 2, "reference": None},
        "name_like": {"key": key, "cells": cells, "like": None},
        "open_saved": {"key": key, "analysis": whole},
        "export_file": {"key": key, "format": "csv", "analysis": analysis},
        "print_case": {"analyses": [{"key": key, "file": "a.png", "analysis": analysis}], "format": "html"},
        "send_flag": {"key": key, "analysis": analysis, "comment": "odd", "consent": True},
        "analyze": [image, 0.5],
        "segmentation": [image, 0.5],
        "annotations": [image, 0.5],
        "report": [image, 0.5],
        "flag": [image, 0.5, "odd", True],
    }


def _beside(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell of the same shape half its width further right, or left where it lies far right."""
    x0, y0, x1, y1 = cell["box"]
    shift = (x1 - x0) / 2 * (1 if x0 < 100 else -1)
    polygon = [[x + shift, y] for x, y in cell["polygon"]]
    return cell | {"id": cell["id"] + 100, "box": [x0 + shift, y0, x1 + shift, y1], "polygon": polygon}


def _change(value: Any, choose: random.Random) -> tuple[Any, str]:
    """Return a copy with one thing in it replaced, left out, doubled or added, and where."""
    changed = copy.deepcopy(value)
    parent, key, where = choose.choice(list(_places(changed)))
    how = choose.choice(("replace", "replace", "replace", "leave out", "nudge", "add"))
    if how == "leave out":
        del parent[key]
    elif how == "nudge" and isinstance(parent[key], int | float):
        parent[key] = parent[key] * choose.choice((-1, 0, 1e-9, 1.5, 1e9)) + choose.choice((0, 1e-6, 0.5, -1))
    elif how == "add" and isinstance(parent, dict):
        parent[choose.choice(("x", "", "__proto__", "../x", "cells"))] = choose.choice(ODD)
    elif how == "add":
        parent.append(copy.deepcopy(parent[key]))
    else:
        parent[key] = copy.deepcopy(choose.choice(ODD))
    return changed, f"{how} {where}"


def _places(value: Any, path: str = "") -> Iterator[tuple[Any, Any, str]]:
    """Yield the container, the key and the path of everything inside ``value``; long lists by their first items."""
    items = value.items() if isinstance(value, dict) else list(enumerate(value))[:4] if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key, f"{path}/{key}"
        yield from _places(inner, f"{path}/{key}")


def run_case(case: Case, visitor: Visitor) -> Outcome:
    """Ask, and judge the answer."""
    start = time.monotonic()
    if case.what in ENDPOINTS:
        answer = visitor.call(case.what, case.asked if isinstance(case.asked, list) else [case.asked])
    else:
        answer = visitor.post(case.what, json.dumps(case.asked))
    kind, text = judge(answer)
    return Outcome(kind, text, time.monotonic() - start)


def judge(answer: dict[str, Any]) -> tuple[str, str]:
    """Tell an answer from a refusal in one sentence, and both from a fault."""
    sentence = answer.get("error")
    if "status" not in answer and ("error" not in answer or (sentence is None and "data" in answer)):
        return "answer", ""
    if isinstance(sentence, str) and is_sentence(sentence):
        return "refused", sentence
    return "fault", json.dumps(answer)[:300]


def is_sentence(text: str) -> bool:
    """Tell whether this is a sentence for people: it ends as one, and shows nothing of the code."""
    inside = ("Traceback", "Error:", "Error(", "object at 0x", ".py", "NoneType", "KeyError", "dict", "expected str")
    return text.rstrip().endswith((".", "!", "?")) and not any(word in text for word in inside)
