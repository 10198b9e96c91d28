"""A slide is counted as it was drawn: each cell once, in files that other programs open, and nothing of its label."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import shapely

from marrow.errors import MarrowError
from marrow.images import read_image
from marrow.slide.count import order_areas
from marrow.slide.grid import CORE, Grid
from marrow.slide.ground import OVERVIEW, find_ground
from marrow.slide.reader import Slide
from marrow.slide.study import SlideOptions, run_slide
from tests.commands import ROOT
from tests.space.marrow.slide.drawn_slides import MAGENTA, MPP, NAME, write_tiff

RELEASE = tuple(str(ROOT / "hub" / name) for name in ("bone-marrow-yolov8-seg", "bone-marrow-mobilenet"))
FILES = {
    "areas.json",
    "cells.geojson",
    "cells.parquet",
    "crops",
    "map.png",
    "overview.png",
    "report.json",
    "slide.json",
}

Counter = Callable[..., dict]


@pytest.fixture(scope="module")
def counted(svs, tmp_path_factory) -> Path:
    """All of the smear, counted by the release."""
    out = tmp_path_factory.mktemp("counted") / "out"
    run_slide(svs, out, SlideOptions(*RELEASE, crops=3), print)
    return out


@pytest.fixture
def count(small_svs, model_folders, tmp_path) -> Counter:
    """Count the small slide with the small models."""

    def run(out: str = "out", slide: Path = small_svs, **options: object) -> dict:
        said: list[str] = []
        report = run_slide(slide, tmp_path / out, SlideOptions(*map(str, model_folders), **options), said.append)
        return report | {"said": " ".join(said)}

    return run


def shown(out: Path) -> set[str]:
    return {path.name for path in out.iterdir() if path.name[0] != "."}


def test_every_drawn_cell_is_found_once(counted, drawn_smear):
    cells = pd.read_parquet(counted / "cells.parquet")
    x, y = (((cells[f"{axis}0"] + cells[f"{axis}1"]) / 2).astype(int) for axis in "xy")
    on_ground = (x < 2 * CORE) & (y < 2 * CORE)
    assert on_ground.all()
    found = pd.Series(drawn_smear.labels[y, x]).value_counts().drop(0, errors="ignore")
    drawn = drawn_smear.labels.max()
    assert len(found) >= 0.97 * drawn and found.max() == 1
    assert len(cells) <= 1.05 * drawn  # drawn artefacts are no cells, and may be found
    assert cells["id"].tolist() == list(range(1, len(cells) + 1))


def test_the_outlines_are_geoparquet_and_sizes_are_in_um(counted, drawn_smear):
    table = pq.read_table(counted / "cells.parquet")
    geo = json.loads(table.schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0" and geo["columns"][geo["primary_column"]]["encoding"] == "WKB"
    cells = table.to_pandas()
    outlines = shapely.from_wkb(cells["geometry"])
    assert (shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON).all()
    assert np.allclose(shapely.area(outlines) * MPP**2, cells["area_um2"], atol=0.2)
    bounds = shapely.bounds(outlines)
    assert np.abs(bounds - cells[["x0", "y0", "x1", "y1"]]).max().max() < 8
    pixels = np.median(np.bincount(drawn_smear.labels.ravel())[1:])
    assert cells["diameter_um"].median() == pytest.approx(2 * np.sqrt(pixels / np.pi) * MPP, rel=0.15)
    report = json.loads((counted / "report.json").read_text())
    assert sum(sizes["n"] for sizes in report["diameters_um"].values()) == len(cells)
    assert all(sizes["p5"] <= sizes["median"] <= sizes["p95"] for sizes in report["diameters_um"].values())


def test_qupath_opens_the_geojson(counted):
    plain = json.loads((counted / "cells.geojson").read_text())
    assert plain["type"] == "FeatureCollection"
    cells = pd.read_parquet(counted / "cells.parquet")
    kinds = pd.Series([feature["properties"]["objectType"] for feature in plain["features"]]).value_counts()
    assert kinds.to_dict() == {"detection": len(cells), "annotation": 4}
    assert len({UUID(feature["id"]) for feature in plain["features"]}) == len(plain["features"])
    for feature in plain["features"]:
        assert feature["type"] == "Feature" and feature["geometry"]["type"] == "Polygon"
        (ring,) = feature["geometry"]["coordinates"]
        assert len(ring) >= 4 and ring[0] == ring[-1] and shapely.Polygon(ring).area > 0
        named = feature["properties"]["classification"]
        assert set(named) == {"name", "color"} and all(0 <= level <= 255 for level in named["color"])
        assert all(isinstance(value, float) for value in feature["properties"].get("measurements", {}).values())
    detections = [one for one in plain["features"] if one["properties"]["objectType"] == "detection"]
    outlines = shapely.from_wkb(cells["geometry"])
    assert shapely.equals(shapely.from_geojson([json.dumps(one) for one in detections]), outlines).all()
    names = [one["properties"]["classification"]["name"] for one in detections]
    assert names == cells["label"].where(~cells["uncertain"], "uncertain").tolist()


def test_the_report_is_that_of_the_cells(counted):
    report, cells = json.loads((counted / "report.json").read_text()), pd.read_parquet(counted / "cells.parquet")
    certain = cells[~cells["uncertain"]]["label"].value_counts()
    assert report["report"]["found"] == len(cells)
    assert {code: n for code, n in report["report"]["counts"].items() if n} == certain.to_dict()
    assert [area["found"] for area in report["areas"]] == cells.groupby("file").size().tolist()
    assert {kind: of["areas"] for kind, of in report["ground"].items() if of["areas"]} == {
        "countable": 4,
        "too_thick": 1,
        "out_of_focus": 1,
        "empty": 2,
    }
    assert report["ground"]["countable"]["mm2"] == pytest.approx(4 * (CORE * MPP / 1000) ** 2, abs=1e-3)
    assert shown(counted) == FILES


def test_crops_are_those_of_certain_cells_and_no_more_than_asked_for(counted):
    cells = pd.read_parquet(counted / "cells.parquet").set_index("id")
    crops = list((counted / "crops").glob("*/*.png"))
    assert len(crops) > 10
    for path in crops:
        cell = cells.loc[int(path.stem.rpartition("_")[2])]
        assert cell["label"] == path.parent.name and not cell["uncertain"]
    assert max(len(list(folder.iterdir())) for folder in (counted / "crops").iterdir()) == 3


def test_the_label_is_nowhere(counted, count, tmp_path):
    count("called", pseudonym="case-7")
    for path in [*counted.rglob("*"), *(tmp_path / "called").rglob("*")]:
        if path.suffix == ".png":
            colours = read_image(path).reshape(-1, 3).astype(int)
            assert not (np.abs(colours - MAGENTA).max(axis=1) < 30).any(), path
        elif path.is_file():
            content = path.read_bytes()
            assert NAME.encode() not in content and b"Aperio" not in content, path


@pytest.mark.parametrize("pseudonym", ["case-7", ""])
def test_a_pseudonym_stands_in_the_place_of_the_name_everywhere(count, small_svs, tmp_path, pseudonym):
    report = count(pseudonym=pseudonym)
    assert re.fullmatch(pseudonym or r"slide-[0-9a-f]{12}", report["name"])
    assert count(pseudonym=pseudonym)["name"] == report["name"]
    for path in (tmp_path / "out").rglob("*"):
        assert small_svs.stem not in str(path.relative_to(tmp_path))
        assert not path.is_file() or small_svs.stem.encode() not in path.read_bytes(), path
    assert set(pd.read_parquet(tmp_path / "out" / "cells.parquet")["case"]) == {report["name"]}
    assert all(path.name.startswith(f"{report['name']}_") for path in (tmp_path / "out" / "crops").glob("*/*"))


def test_another_seed_gives_the_same_differential_within_its_intervals(svs, tmp_path):
    slide = Slide(svs)
    areas = find_ground(slide, Grid(slide), slide.overview(OVERVIEW))
    best = [order_areas(areas, True, seed)[0].name for seed in range(20)]
    seeds = 0, next(seed for seed, name in enumerate(best) if name != best[0])
    first, second = (
        run_slide(svs, tmp_path / str(seed), SlideOptions(*RELEASE, cells=15, seed=seed), print) for seed in seeds
    )
    for report, seed in zip((first, second), seeds, strict=True):
        assert [area["name"] for area in report["areas"]] == [best[seed]]
        assert 15 <= report["report"]["total"] < 40
    for code, (low, high) in first["report"]["intervals"].items():
        other_low, other_high = second["report"]["intervals"][code]
        assert low <= other_high and other_low <= high, code


def test_a_finer_slide_is_read_at_the_scale_that_the_network_knows(svs, drawn_smear, tmp_path):
    part = drawn_smear.image[:640, :640].repeat(3, axis=0).repeat(3, axis=1)
    report = run_slide(
        write_tiff(tmp_path / "fine.tif", part, MPP / 3), tmp_path / "out", SlideOptions(*RELEASE), print
    )
    assert report["read"]["um_per_pixel"] == pytest.approx(0.15)
    cells = pd.read_parquet(tmp_path / "out" / "cells.parquet")
    x, y = (((cells[f"{axis}0"] + cells[f"{axis}1"]) / 6).astype(int) for axis in "xy")
    found = drawn_smear.labels[y, x]
    whole = np.bincount(drawn_smear.labels[20:620, 20:620].ravel(), minlength=len(found))[1:]
    assert len(set(found) - {0}) >= 0.9 * np.count_nonzero(whole > 500)
    sizes = np.bincount(drawn_smear.labels.ravel())
    areas = {label: area for label, area in zip(found, cells["area_um2"], strict=True) if label}
    ratios = [area / (sizes[label] * MPP**2) for label, area in areas.items()]
    assert np.median(ratios) == pytest.approx(1, abs=0.1)


def test_a_finished_slide_is_not_analyzed_again(count, tmp_path):
    first = count()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.name != ".lock"}
    again = count()
    assert "counted before" in again["said"] and again["report"] == first["report"]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_options_or_another_slide_want_another_folder(count, drawn_smear, tmp_path):
    count(cells=6)
    for options in ({"cells": 7}, {"cells": 6, "seed": 1}, {"cells": 6, "confidence": 0.9}, {"cells": 6, "mpp": 0.3}):
        with pytest.raises(MarrowError, match=r"other options: name a new folder with --out"):
            count(**options)
    with pytest.raises(MarrowError, match="another slide"):
        count(slide=write_tiff(tmp_path / "other.tif", drawn_smear.image[:CORE]), cells=6)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(MarrowError, match="something else than the count of a slide"):
        count("mine")
    assert shown(tmp_path / "mine") == {"notes.txt"}


def test_an_empty_slide_has_an_empty_report(count, drawn_smear, tmp_path):
    empty = drawn_smear.image[:CORE, 3 * CORE :]
    report = count(slide=write_tiff(tmp_path / "empty.tif", empty), cells=10)
    assert report["report"]["found"] == 0 and "nothing to count" in report["said"]
    assert len(pd.read_parquet(tmp_path / "out" / "cells.parquet")) == 0
    assert shown(tmp_path / "out") == FILES - {"crops"}


def test_the_overview_shows_cells_where_they_are(counted, svs):
    overview, slide = read_image(counted / "overview.png"), Slide(svs)
    scale = overview.shape[1] / slide.width
    plain = slide.overview(overview.shape[1])
    for cell in pd.read_parquet(counted / "cells.parquet").itertuples():
        x, y = (round(value * scale) for value in ((cell.x0 + cell.x1) / 2, (cell.y0 + cell.y1) / 2))
        assert np.abs(overview[y, x].astype(int) - plain[y, x]).max() > 0
