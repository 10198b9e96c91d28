"""Contact sheets: what is drawn in which colour, and where it is written."""

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import draw_single
from tests.commands import ROOT
from training.contact_sheets import main
from training.evaluation.contact_sheets import ORANGE, RED, WHITE, YELLOW, Panel, draw_panel, sheet
from training.evaluation.name_sheets import GREY

RELEASE = ROOT / "hub" / "bone-marrow-yolov8-seg"


def has(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(axis=2).any())


def test_a_panel_is_scaled_with_its_outlines():
    square = np.array([[100.0, 50], [300, 50], [300, 150], [100, 150]])
    picture = draw_panel(Panel(np.full((200, 400, 3), 90, np.uint8), "a field", [(square, RED)]), 100)
    assert picture.shape == (122, 100, 3)
    rows, columns = np.nonzero((picture == RED).all(axis=2))
    assert (rows.min() - 22, rows.max() - 22) == (12, 38) or abs(rows.min() - 22 - 12) <= 1
    assert abs(columns.min() - 25) <= 1 and abs(columns.max() - 75) <= 1
    assert (picture[72:] == 255).all(), "below a wide field is nothing"


def test_a_sheet_fills_its_last_row():
    panels = [Panel(np.zeros((50, 50, 3), np.uint8), str(i), []) for i in range(5)]
    assert sheet(panels, 3, 60).shape == (2 * 82, 3 * 60, 3)


def test_the_real_fields_are_drawn(shared, tmp_path):
    few = tmp_path / "few" / "fields_segpc"
    for kind, ending in (("images", "jpg"), ("labels", "png")):
        (few / kind).mkdir(parents=True)
        for name in ("111", "2209"):
            source = shared / "data" / "fields_segpc" / kind / f"{name}.{ending}"
            (few / kind / source.name).write_bytes(source.read_bytes())
    arguments = ["real", "--model", str(RELEASE), "--benchmarks", str(few.parent), "--out", str(tmp_path / "look")]
    assert main(arguments) == 0
    (file,) = (tmp_path / "look").iterdir()
    picture = cv2.imread(str(file))[..., ::-1]
    assert file.name == "segpc_01.png" and picture.shape == (502, 4 * 480, 3)
    assert has(picture, YELLOW) and has(picture, WHITE)
    assert main([*arguments, "--confidence", "0.99"]) == 0
    unfound = cv2.imread(str(file))[..., ::-1]
    assert has(unfound, RED) and not has(unfound, YELLOW), "at so high a confidence every cell is missed"


def test_the_best_and_worst_drawn_fields_go_to_the_card(tmp_path):
    assert main(["drawn", "--model", str(RELEASE), "--out", str(tmp_path), "--fields", "16"]) == 0
    best, worst = (cv2.imread(str(tmp_path / f"{name}.png"))[..., ::-1] for name in ("successes", "failures"))
    assert best.shape == worst.shape == (502, 3 * 480, 3)
    assert has(best, YELLOW) and not has(best, RED) and not has(best, ORANGE)
    assert has(worst, RED) or has(worst, ORANGE)


def test_a_folder_without_fields_is_refused(tmp_path, capsys):
    assert main(["real", "--model", str(RELEASE), "--benchmarks", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "no real fields" in capsys.readouterr().err


def test_names_stand_above_the_cells_of_other_laboratories(tmp_path, capsys):
    rng = np.random.default_rng(1)
    for number, code in enumerate(["EOS"] * 11 + ["LYT"] * 2):  # a row and a cell
        place = tmp_path / "few" / "fields_lisc" / code / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place), draw_single("EOS", rng)[..., ::-1])
    arguments = ["names", "--model", str(RELEASE), "--classifier", str(RELEASE.with_name("bone-marrow-mobilenet"))]
    assert main([*arguments, "--benchmarks", str(tmp_path / "few"), "--out", str(tmp_path / "look")]) == 0
    (file,) = (tmp_path / "look").iterdir()
    picture = cv2.imread(str(file))[..., ::-1]
    assert file.name == "names_LISC_01.png" and picture.shape == (2 * 150, 12 * 128, 3)
    assert has(picture, GREY), "what a drawn eosinophil is called is right"
    assert has(picture[150:], RED) or has(picture[150:], ORANGE), "and wrong where it is said to be a lymphocyte"
    assert main([*arguments, "--benchmarks", str(tmp_path), "--out", str(tmp_path / "look")]) == 2
    assert "no named cells" in capsys.readouterr().err


def test_real_fields_of_the_test_part_are_drawn_for_the_readme(shared, tmp_path, capsys):
    few = tmp_path / "few" / "fields_bccd"
    source = shared / "data" / "fields_bccd"
    for kind in ("images", "labels"):
        (few / kind).mkdir(parents=True)
        for file in sorted((source / kind).iterdir())[:20]:  # of which four are kept for tests
            (few / kind / file.name).write_bytes(file.read_bytes())
    (few / "names.csv").write_bytes((source / "names.csv").read_bytes())
    arguments = ["example", "--benchmarks", str(few.parent), "--out", str(tmp_path / "look")]
    assert main(arguments) == 0
    picture = cv2.imread(str(tmp_path / "look" / "real_blood.png"))[..., ::-1]
    assert picture.shape == (342, 2 * 320, 3)
    right, wrong = picture[:, :320], picture[:, 320:]
    assert has(right, GREY) and not has(right[22:], ORANGE)
    assert not has(wrong, GREY)
    assert main(["example", "--benchmarks", str(tmp_path / "look"), "--out", str(tmp_path / "look")]) == 2
    assert "no named fields of BCCD" in capsys.readouterr().err
