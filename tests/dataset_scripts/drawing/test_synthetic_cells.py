"""Drawn cells: masks, colours, repeatability, the files of the command line."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from dataset_scripts import synthetic_cells
from dataset_scripts.drawing.pictures import (
    CODES,
    NAMES,
    draw_background,
    draw_cell,
    draw_field,
    draw_plate,
    draw_single,
)
from dataset_scripts.drawing.stains import random_stain

SCRIPT = Path(synthetic_cells.__file__)
NUCLEATED = [code for code in CODES if code != "ART"]


def pieces(mask: np.ndarray) -> int:
    return cv2.connectedComponents(mask.astype(np.uint8))[0] - 1


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("diameter", [None, 24, 250])
def test_masks_of_every_class_are_sane(code, diameter):
    cell = draw_cell(code, np.random.default_rng(5), diameter)
    assert cell.code == code
    assert cell.image.dtype == np.uint8 and cell.image.shape == (*cell.mask.shape, 3)
    assert cell.mask.dtype == bool and cell.nucleus.dtype == bool
    assert pieces(cell.mask) == 1
    assert not (cell.nucleus & ~cell.mask).any()
    assert cell.nucleus.any() == (code != "ART")
    border = np.concatenate([cell.mask[0], cell.mask[-1], cell.mask[:, 0], cell.mask[:, -1]])
    assert not border.any(), "the cell is cut off by its patch"


@pytest.mark.parametrize("diameter", [40, 120])
def test_cell_has_the_diameter_asked_for(diameter):
    areas = [draw_cell("NGS", np.random.default_rng(k), diameter).mask.sum() for k in range(8)]
    assert 2 * np.sqrt(np.mean(areas) / np.pi) == pytest.approx(diameter, rel=0.08)


def test_nucleus_is_darker_than_cytoplasm_and_cytoplasm_than_glass():
    for code in NUCLEATED:
        cell = draw_cell(code, np.random.default_rng(2))
        green = cell.image[..., 1].astype(float)
        outside = cv2.dilate(cell.mask.astype(np.uint8), np.ones((9, 9))) == 0
        cytoplasm = cell.mask & (cv2.dilate(cell.nucleus.astype(np.uint8), np.ones((5, 5))) == 0)
        assert green[cell.nucleus].mean() < green[cytoplasm].mean() - 15 < green[outside].mean() - 25, code


def test_stain_looks_differ():
    marrow, blood = (random_stain(np.random.default_rng(0), look).background for look in ("marrow", "blood"))
    assert blood[0] - blood[2] > 40 > abs(marrow[0] - marrow[2]), "blood is cream, marrow is grey-white"
    assert random_stain(np.random.default_rng(0)) == random_stain(np.random.default_rng(0))


def test_background_has_the_size_and_red_cells():
    stain = random_stain(np.random.default_rng(0), "blood")
    image = draw_background(120, 200, np.random.default_rng(1), 40, stain)
    assert image.shape == (120, 200, 3) and image.dtype == np.uint8
    darker = (image[..., 1] < stain.background[1] - 25).mean()
    assert 0.05 < darker < 0.9


@pytest.mark.parametrize("code", CODES)
def test_single_cell_lies_in_the_middle(code):
    stain = random_stain(np.random.default_rng(4), "blood")
    image = draw_single(code, np.random.default_rng(6), stain=stain)
    assert image.shape == (250, 250, 3)
    middle = image[100:150, 100:150].reshape(-1, 3).mean(0)
    assert middle[1] < stain.background[1] - 40


@pytest.mark.parametrize("seed", range(4))
def test_labels_of_a_field_agree_with_its_codes(seed):
    asked = ["NGS", "ART", "LYT", "EBO", "PLM", "NGS", "BLA", "EOS"]
    field = draw_field(np.random.default_rng(seed), cells=asked)
    assert field.image.shape == (480, 640, 3) and field.labels.shape == (480, 640)
    assert field.labels.dtype == np.int32
    assert set(np.unique(field.labels)) == {0, *range(1, len(field.codes) + 1)}
    assert len(field.codes) >= 6 and "ART" not in field.codes
    assert Counter(field.codes) <= Counter(asked)
    inside, outside = field.image[field.labels > 0, 1].mean(), field.image[field.labels == 0, 1].mean()
    assert inside < outside - 30


def test_overlapping_cells_hide_one_another_without_gaps_in_the_numbering():
    field = draw_field(np.random.default_rng(0), 100, 100, ["LYT"] * 12, red_cell_diameter=45)
    assert 3 <= len(field.codes) <= 12
    assert np.unique(field.labels[field.labels > 0]).tolist() == list(range(1, len(field.codes) + 1))


def test_field_of_artefacts_has_no_labels():
    field = draw_field(np.random.default_rng(0), cells=["ART", "ART"])
    assert field.codes == () and not field.labels.any()


def test_magnification_varies_between_fields():
    fields = [draw_field(np.random.default_rng(k), 240, 320, ["NGS"]) for k in range(8)]
    widths = [np.sqrt((field.labels > 0).sum()) for field in fields]
    assert max(widths) > 2 * min(widths)


def test_unknown_code_says_which_codes_there_are():
    with pytest.raises(ValueError, match="'XYZ': use one of ART BLA"):
        draw_cell("XYZ", np.random.default_rng(0))


def run_script(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_command_line_writes_the_source_layout_and_the_same_bytes_again(tmp_path):
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    for out, seed in ((first, 3), (second, 3), (other, 4)):
        done = run_script("--out", out, "--per-class", 1, "--fields", 1, "--seed", seed)
        assert done.returncode == 0, done.stderr
    names = {f"{code}/{code}_00001.jpg" for code in CODES}
    assert set(digests(first)) == names | {
        "fields/images/field_00001.jpg",
        "fields/labels/field_00001.png",
        "origin.json",
    }
    assert digests(first) == digests(second)
    same = {name for name, digest in digests(first).items() if digest == digests(other)[name]}
    assert same == {"origin.json"}

    assert cv2.imread(str(first / "LYT/LYT_00001.jpg")).shape == (250, 250, 3)
    labels = cv2.imread(str(first / "fields/labels/field_00001.png"), cv2.IMREAD_UNCHANGED)
    assert labels.dtype == np.uint16 and labels.max() >= 1
    assert cv2.imread(str(first / "fields/images/field_00001.jpg")).shape[:2] == labels.shape


def test_plate_has_a_titled_row_of_cells_for_every_class():
    plate = draw_plate(np.random.default_rng(0), columns=2, size=60)
    row = 60 + 60 // 3
    assert plate.shape == (6 * row + 60 // 8, 2 * 2 * 60 + 4 * (60 // 8), 3)
    assert set(NAMES) == set(CODES)
    for top in range(0, 6 * row, row):
        for left in (60 // 8, 60 // 8 * 3 + 2 * 60):
            title = plate[top : top + 20, left : left + 120]
            cells = plate[top + 20 : top + row, left : left + 120]
            assert title.min() < 90 < 200 < title.mean(), "dark letters on white"
            assert cells.mean() < title.mean() - 5


def test_command_line_writes_a_plate(tmp_path):
    assert run_script("--plate", tmp_path / "plate.jpg").returncode == 0
    assert cv2.imread(str(tmp_path / "plate.jpg")).shape[1] > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["plate.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --out DIR"),
        (["--out", "x", "--per-class", "-1"], "0 or larger"),
        (["--out", "x", "--seed", "many"], "--seed"),
        (["--plate", "plate.tiff"], ".png or .jpg"),
    ],
)
def test_bad_arguments_end_with_code_2_and_a_sentence(arguments, message):
    done = run_script(*arguments)
    assert done.returncode == 2
    assert message in done.stderr and "Traceback" not in done.stderr


def test_target_that_cannot_be_written_ends_with_code_2(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run_script("--out", tmp_path / "file", "--per-class", 1)
    assert done.returncode == 2
    assert "cannot write" in done.stderr and "Traceback" not in done.stderr
