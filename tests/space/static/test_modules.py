"""The JavaScript of the viewer by itself: its pure parts count as Python does, and its words have all they need."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from marrow import Analysis, Cell, analyze
from marrow.analysis import filter_cells
from marrow.case import Case, NamedAnalysis, count_case
from marrow.cell import Box, Edit
from marrow.export import to_csv
from marrow.report import make_report, write_notes
from marrow.stain import Stain
from screen.viewer import MODULES, STATIC, digest_of, make_settings

HERE = Path(__file__).parent
KNOWING = {"unlike_above": 0.395, "stain_far_above": 0.15}
OTHER = Stain((230.0, 220.5, 210.0), (0.8, 1.2, 0.4), (0.2, 0.3, -0.01))
CONFIDENCES = (0.05, 0.3, 0.5, 0.93, 0.99)


def test_the_pure_parts_do_as_python_does(node, models, smear, reviewed, tmp_path):
    settings, plain = make_settings(models), _knowing(analyze(smear, models, 0.05))
    settings["rules"] |= KNOWING
    reviewed = _knowing(reviewed)
    doubtful = _with(plain, [replace(cell, probability=0.3) for cell in plain.cells])
    assert [warning.code for warning in doubtful.report.warnings] == ["mostly_uncertain"]
    named = [replace(cell, edited=Edit("2026-11-24T00:00:00Z", label=cell.label)) for cell in doubtful.cells[::2]]
    half = _with(plain, [*named, *doubtful.cells[1::2]])
    analyses = {
        "as found": plain,
        "reviewed": reviewed,
        "empty": filter_cells(plain, 1.0),
        "doubtful": doubtful,
        "half named": half,
        "in other colours": replace(plain, reference=OTHER, stain_distance=None),
        "unlike": _with(plain, [replace(cell, unlikeness=0.4) for cell in plain.cells]),
        "far": _with(replace(plain, stain_distance=0.2), plain.cells),
        "no smear": _with(replace(plain, stain_distance=12.0), [replace(cell, unlikeness=0.4) for cell in plain.cells]),
        "small": _with(plain, [replace(cell, box=_shrunk(cell.box)) for cell in plain.cells]),
        "stage uncertain": _with(plain, [_of_some_stage(cell) for cell in plain.cells]),
    }
    analyses |= {f"{n} doubtful": _with(plain, doubtful.cells[:n]) for n in (3, 4)}
    cases = [_count(*item, at) for item in analyses.items() for at in CONFIDENCES]
    _write(tmp_path / "counts.json", settings=settings, cases=cases)
    _write(tmp_path / "edits.json", settings=settings, analysis=plain.to_dict())
    other = _knowing(analyze(np.ascontiguousarray(smear[:, :300]), models, 0.05))
    case = Case((NamedAnalysis("a.png", reviewed), NamedAnalysis("b.png", other)))
    of_case, total = json.loads(case.to_json()), count_case(case)
    names = ("counts", "total", "found", "edited", "uncertain")
    report = {name: getattr(total, name) for name in names}
    _write(tmp_path / "saved.json", settings=settings, analysis=reviewed.to_dict(), of_case=of_case, case_report=report)
    _write_exports(tmp_path / "export.json", settings, analyses, case)
    done = subprocess.run(
        [node, "--test", *map(str, sorted(HERE.glob("*.test.js")))],
        env=os.environ | {"FIXTURES": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    edited = json.loads((tmp_path / "edited.json").read_text())
    assert len(edited) == 9
    for made in edited:
        read = Analysis.from_dict(made["analysis"], plain.report.rules).to_dict()
        for key in (*names, "by_model"):
            assert read["report"][key] == made["report"][key], (made["name"], key)
        assert read["models"] == made["analysis"]["models"]
        assert (read["models"]["reference"] is not None) == (made["name"] == "rename")
        assert read["cells"] == made["analysis"]["cells"] and read["removed"] == made["analysis"]["removed"]


def _with(analysis: Analysis, cells: list[Cell]) -> Analysis:
    """Return the analysis with other cells, counted anew."""
    report = make_report(cells, analysis.report.rules, analysis.removed, analysis.stain_distance)
    return replace(analysis, cells=tuple(cells), report=report)


def _knowing(analysis: Analysis) -> Analysis:
    """Return the analysis as of a classifier that says how unlike its training cells and colours are."""
    rules = replace(analysis.report.rules, **KNOWING)
    cells = tuple(replace(cell, unlikeness=0.1 + cell.score / 3) for cell in analysis.cells)
    report = make_report(cells, rules, analysis.removed, 0.1)
    return replace(analysis, cells=cells, report=report, stain_distance=0.1)


def _shrunk(box: Box) -> Box:
    x0, y0, x1, y1 = box
    return x0, y0, x0 + (x1 - x0) / 3, y0 + (y1 - y0) / 3


def _of_some_stage(cell: Cell) -> Cell:
    shares = dict.fromkeys(cell.probabilities, 0.0) | {"MYB": 0.45, "MMZ": 0.45}
    return replace(cell, label="MYB", probability=0.45, probabilities=shares)


def test_another_address_after_every_change_keeps_old_and_new_files_apart(tmp_path):
    copy = shutil.copytree(STATIC, tmp_path / "static")
    names = {digest_of(copy)}
    assert MODULES == f"/viewer/{digest_of(copy)}"
    changes = (
        lambda: (copy / "view" / "card.js").open("a").write("//"),
        lambda: (copy / "viewer.css").write_text(""),
        lambda: (copy / "model" / "new.js").touch(),
        lambda: (copy / "model" / "new.js").rename(copy / "model" / "newer.js"),
    )
    for number, change in enumerate(changes, start=2):
        change()
        names.add(digest_of(copy))
        assert len(names) == number


def _count(name: str, analysis: Analysis, confidence: float) -> dict[str, object]:
    report = filter_cells(analysis, confidence).report
    notes = {language: write_notes(report, language) for language in ("en", "fr")}
    known = {"name": name, "confidence": confidence, "report": asdict(report), "notes": notes}
    return known | {"analysis": _exact(analysis)}


def _write_exports(path: Path, settings: object, analyses: dict[str, Analysis], case: Case) -> None:
    """Write analyses as the viewer has them, and the files that Python makes of them, some with hostile names."""
    names = iter((" =1+1", "＝2", "-3", "@x", "＋1", "\"a\", b; 'c' <b>é😀"))
    hostile = analyses["reviewed"]
    cells = tuple(
        replace(cell, edited=Edit("2026-11-23T12:00:00Z", next(names), cell.label))
        for cell in analyses["as found"].cells
    )
    analyses |= {"hostile": replace(hostile, cells=cells, removed=())}
    analyses["hostile"] = replace(analyses["hostile"], report=make_report(cells, hostile.report.rules))
    cases = []
    for name, analysis in analyses.items():
        for at in CONFIDENCES:
            kept = filter_cells(analysis, at)
            texts = {"json": kept.to_json(), "csv": to_csv(kept)}
            cases.append({"name": name, "confidence": at, "analysis": _exact(analysis), **texts})
    of_case = [{"file": named.file, **_exact(named.analysis)} for named in case.analyses]
    _write(path, settings=settings, cases=cases, of_case=of_case, case_json=case.to_json(), floats=_floats())


def _floats() -> list[dict[str, object]]:
    """Values as they are and as they are rounded; every other one lies between two decimals, or very near to that."""
    chance = np.random.default_rng(0)
    whole = chance.integers(0, 20_000, 500)
    values = [*chance.random(500), *(whole / 16), *(whole / 20_000), *(1000 * chance.random(200)), 1e-5, 1e16, 0.0]
    pairs = [(float(value), digits) for value in values for digits in (None, 1, 4)]
    return [{"value": v, "digits": d, "text": repr(v if d is None else round(v, d))} for v, d in pairs]


def _exact(analysis: Analysis) -> dict[str, object]:
    """Return the analysis as the viewer gets it, with scores that are not rounded."""
    plain = analysis.to_dict()
    for cell, row in zip(analysis.cells, plain["cells"], strict=True):
        row |= {key: getattr(cell, key) for key in ("score", "probability", "probabilities", "unlikeness")}
    return plain


def _write(path: Path, **plain: object) -> None:
    path.write_text(json.dumps(plain))
