"""What the viewer asks the server for: outlines, files, flags, saved work; and what it must not believe."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.drawing.pictures import draw_field
from dataset_scripts.drawing.stains import random_stain
from marrow import analyze
from marrow.schema import stain_to_dict
from marrow.stain import Stain, measure_stain, normalize_stain
from screen.actions import Actions
from screen.limits import Limits
from screen.uploads import DECODED, RefusedError, Upload, Uploads

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def actions(models, tmp_path) -> Actions:
    return Actions(models, tmp_path / "flags")


@pytest.fixture
def key(actions, models, smear, smear_file) -> str:
    return actions.uploads.keep(Upload(smear_file, analyze(smear, models, 0.05)))


@pytest.fixture
def ask(actions, key) -> Ask:
    functions = {function.__name__: function for function in actions.review.server_functions()}

    def call(name: str, language: str = "en", **asked: Any) -> dict[str, Any]:
        request = gr.Request(headers={"accept-language": language})
        return functions[name](json.loads(json.dumps({"key": key} | asked)), request)

    return call


@pytest.fixture
def plain(models, smear) -> dict[str, Any]:
    return analyze(smear, models, 0.05).to_dict()


def test_a_cell_is_added_with_its_name(ask):
    answer = ask("add_cell", box=[30, 30, 90, 90])
    assert answer["cell"].keys() == {
        "box",
        "polygon",
        "area",
        "score",
        "label",
        "probability",
        "probabilities",
        "unlikeness",
    }
    assert answer["cell"]["label"] == "NGS"
    assert answer["cell"]["area"] == pytest.approx(np.pi * 30**2, rel=0.1)


@pytest.mark.parametrize("box", [None, [1, 2, 3], [1, 2, 3, "4"], [0, 0, 1, 1], [float("nan")] * 4, [1e99] * 4, {}])
def test_a_box_that_holds_no_cell_ends_in_a_sentence(ask, box):
    assert ask("add_cell", box=box)["error"].startswith("This box is too small")
    assert ask("add_cell", "fr", box=box)["error"].startswith("Ce cadre est trop petit")


def test_cells_are_merged_and_parted(ask, plain):
    first = plain["cells"][0]
    shifted = first | {
        "box": [value + 40 * (i % 2 == 0) for i, value in enumerate(first["box"])],
        "polygon": [[x + 40, y] for x, y in first["polygon"]],
    }
    merged = ask("merge_cells", cells=[first, shifted])["cell"]
    assert merged["box"] == pytest.approx([30, 30, 130, 90], abs=2) and merged["score"] == first["score"]
    parts = ask("split_cell", cell=merged)["cells"]
    assert [part["box"] for part in parts] == [pytest.approx(c, abs=6) for c in ([30, 30, 80, 90], [80, 30, 130, 90])]
    assert ask("split_cell", cell=first)["error"].startswith("This outline cannot be parted")
    assert ask("merge_cells", "fr", cells=[first, plain["cells"][5]])["error"].startswith("Ces cellules sont trop")


@pytest.mark.parametrize("cells", [None, [], [None], [{"box": [0, 0, 9, 9]}], [{}] * 21])
def test_outlines_that_are_none_are_refused(ask, cells):
    assert "cannot be opened" in ask("merge_cells", cells=cells)["error"]


def test_a_relabelled_cell_is_explained(ask, plain):
    cell = plain["cells"][0] | {"label": "EBO", "edited": {"label": "EBO", "from": [99]}}
    assert base64.b64decode(ask("explain", cell=cell)["heat"]).startswith(b"\x89PNG")
    assert "error" in ask("explain", cell=cell | {"label": "XXX"})
    assert "error" in ask("explain", cell=None)


def test_cells_are_named_in_the_colours_of_another_picture(actions, ask, models, smear_file, tmp_path):
    rng = np.random.default_rng(7)
    trusted = draw_field(rng, 320, 320, 8, stain=random_stain(rng, "marrow")).image
    own, other = measure_stain(trusted), Stain((180.0, 210.0, 240.0), (0.5, 1.0, 0.7), (0.4, 0.3, 0.2))
    keys = []
    for name, image in (("trusted", trusted), ("other", normalize_stain(trusted, own, other))):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
        keys.append(actions.uploads.keep(Upload(tmp_path / f"{name}.png", analyze(image, models, 0.05))))
    found = [actions.uploads.find(key).analysis for key in keys]
    cells = found[0].to_dict()["cells"]
    truth = np.array([list(cell["probabilities"].values()) for cell in cells])
    shares = {}
    for like in (None, keys[0]):
        answer = ask("name_like", key=keys[1], cells=cells, like=like)
        assert [cell["box"] for cell in answer["cells"]] == [cell["box"] for cell in cells]
        shares[like] = np.array([list(cell["probabilities"].values()) for cell in answer["cells"]])
    assert answer["reference"] == stain_to_dict(own)
    assert np.abs(shares[keys[0]] - truth).mean() < 0.5 * np.abs(shares[None] - truth).mean()
    edited = ask("merge_cells", key=keys[1], cells=[cells[0]] * 2, reference=answer["reference"])["cell"]
    assert list(edited["probabilities"].values()) == pytest.approx(shares[keys[0]][0].tolist(), abs=0.05)
    white = tmp_path / "white.png"
    Image.new("RGB", (90, 90), "white").save(white)
    empty = actions.uploads.keep(Upload(white, analyze(np.asarray(Image.open(white)), models)))
    assert ask("name_like", key=keys[1], cells=cells, like=empty)["error"].startswith("The stain of one")
    for wrong in ("x", 3, {}):
        assert ask("name_like", key=keys[1], cells=cells, like=wrong)["reason"] == "forgotten"
        assert ask("explain", key=keys[1], cell=cells[0], reference=wrong)["reason"] == "not_an_analysis"


def test_a_saved_analysis_opens_with_its_image(ask, reviewed):
    saved = json.loads(reviewed.to_json())
    answer = ask("open_saved", analysis=saved)
    assert answer["remark"] is None
    assert json.loads(json.dumps(answer["value"])) == saved
    older = saved | {"models": saved["models"] | {"classifier": {"repo": "older", "revision": "abc"}}}
    assert ask("open_saved", analysis=older)["remark"].startswith("This analysis was made with other models")
    assert ask("open_saved", "fr", analysis=older)["remark"].startswith("Cette analyse a été faite avec")


def test_a_saved_analysis_of_something_else_is_refused(ask, reviewed):
    saved = json.loads(reviewed.to_json())
    other = saved | {"image": {"width": 640, "height": 480}}
    assert "640×480" in ask("open_saved", analysis=other)["error"]
    for cell in (*saved["cells"], *saved["removed"]):
        cell["probabilities"]["BAS"] = 0
    saved["report"]["counts"]["BAS"] = 0
    assert ask("open_saved", analysis=saved)["error"].startswith("This analysis has other classes")
    for nothing in (None, [], {}, "text"):
        assert ask("open_saved", analysis=nothing)["error"].startswith("This analysis cannot be opened")


def test_files_hold_what_the_person_left(ask, reviewed, key):
    left = json.loads(reviewed.to_json())
    del left["models"], left["image"], left["report"]
    answer = ask("export_file", format="json", analysis=left)
    assert answer["name"] == "smear.json"
    assert json.loads(_content(answer)) == json.loads(reviewed.to_json())
    rows = list(csv.DictReader(io.StringIO(_content(ask("export_file", format="csv", analysis=left)))))
    assert [row["edited"] for row in rows] == ["named", "named", "", "merged"]
    page = _content(ask("export_file", "fr", format="print", analysis=left))
    assert '<html lang="fr">' in page and "Åsa" in page


def test_cells_under_the_slider_are_in_no_file(ask, plain):
    for confidence, cells in ((0.05, 6), (0.7, 3)):
        table = _content(ask("export_file", format="csv", analysis=plain | {"confidence": confidence}))
        assert len(table.splitlines()) == 1 + cells


def test_no_count_of_the_browser_is_believed(ask, reviewed):
    left = json.loads(reviewed.to_json())
    left["report"] |= {"total": 500, "uncertain_below": 0}
    saved = json.loads(_content(ask("export_file", format="json", analysis=left)))
    assert saved["report"] == json.loads(reviewed.to_json())["report"]
    left["cells"][0]["box"] = [0, 0, 9999, 9999]
    assert "error" in ask("export_file", format="json", analysis=left)
    assert "error" in ask("export_file", format="json", analysis=None)


def test_a_flag_holds_the_edits(ask, reviewed, actions):
    left = json.loads(reviewed.to_json())
    assert "Tick the consent" in ask("send_flag", analysis=left, comment="x", consent=False)["error"]
    assert not actions.flags.folder.exists()
    assert "Thank you" in ask("send_flag", analysis=left, comment="x", consent=True)["thanks"]
    (entry,) = actions.flags.folder.glob("data/*")
    metadata = json.loads((entry / "metadata.jsonl").read_text())
    assert json.loads(metadata["analysis"])["report"]["edited"] == 6
    with Image.open(entry / "mask.png") as mask:
        assert set(np.unique(np.asarray(mask))) == {0, 1, 2, 3, 7}


def test_a_case_is_printed_and_saved(ask, actions, models, smear, tmp_path, reviewed, key):
    Image.fromarray(smear).resize((640, 640)).save(tmp_path / "other.png")
    other = analyze(np.asarray(Image.open(tmp_path / "other.png")), models, 0.5)
    second = actions.uploads.keep(Upload(tmp_path / "other.png", other))
    images = [
        {"key": key, "analysis": json.loads(reviewed.to_json()), "file": "first <1>"},
        {"key": second, "analysis": {"cells": other.to_dict()["cells"]}},
    ]
    answer = ask("print_case", "fr", analyses=images)
    page = _content(answer)
    assert answer["name"] == "case.html" and "first &lt;1&gt;" in page and "other.png" in page and "8" in page
    case = json.loads(_content(ask("print_case", analyses=images, format="json")))
    assert case["report"]["found"] == 8 and [row["file"] for row in case["case"]] == ["first <1>", "other.png"]
    assert "an image twice" in ask("print_case", analyses=[images[0], images[0]])["error"]
    assert "1 to 200" in ask("print_case", analyses=[])["error"]
    assert "error" in ask("print_case", analyses=[None])


def test_what_is_no_longer_kept_is_said(ask, smear_file, reviewed):
    assert "no longer kept" in ask("explain", key="guessed")["error"]
    smear_file.unlink()
    assert "n’est plus conservée" in ask("export_file", "fr", analysis=reviewed.to_dict(), format="csv")["error"]


def test_what_a_visitor_forgets_leaves_the_server_but_not_from_under_another(
    actions, ask, models, smear, tmp_path, monkeypatch
):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    files = [tmp_path / name for name in ("upload.png", "shown.jpg")]
    for file in files:
        Image.fromarray(smear).save(file)
    upload = Upload(files[0], analyze(smear, models, 0.05), files[1])
    mine, theirs = (
        actions.uploads.keep(upload),
        actions.uploads.keep(upload),
    )  # Gradio lays the same bytes into one file
    assert ask("forget", keys=[mine, "guessed", None]) == ask("forget", keys="text") == {}
    assert "no longer kept" in ask("explain", key=mine)["error"] and all(file.exists() for file in files)
    ask("forget", keys=[theirs])
    assert not any(file.exists() for file in files)


def test_forgetting_deletes_no_file_but_an_upload(actions, ask, smear_file, key, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "elsewhere"))
    ask("forget", keys=[key])
    assert smear_file.exists() and ask("explain", key=key)["reason"] == "forgotten"


def test_each_use_keeps_the_file_from_gradios_broom(ask, smear_file, plain):
    before = smear_file.stat().st_ctime_ns
    ask("explain", cell=plain["cells"][0])
    assert smear_file.stat().st_ctime_ns > before


def _content(answer: dict[str, Any]) -> str:
    return base64.b64decode(answer["content"]).decode()


@pytest.mark.parametrize("asked", [None, [], "text", 3, [{"key": 1}]])
def test_what_is_no_object_is_refused(actions, asked):
    request = gr.Request(headers={"accept-language": "fr"})
    for function in actions.review.server_functions():
        assert "Cette analyse" in function(asked, request)["error"]


@pytest.mark.parametrize("consent", ["yes", 1, "true", [True], None])
def test_what_is_like_a_tick_is_no_consent(ask, reviewed, actions, consent):
    left = json.loads(reviewed.to_json())
    assert "Tick the consent" in ask("send_flag", analysis=left, comment="x", consent=consent)["error"]
    assert not actions.flags.folder.exists()


def test_flags_do_not_fill_the_disk(models, reviewed, smear, tmp_path):
    box = Actions(models, tmp_path / "flags", Limits(flags=2)).flags
    box.put(smear, reviewed, "one", True)
    box.put(smear, reviewed, "two", True)
    with pytest.raises(RefusedError, match="flags_full"):
        box.put(smear, reviewed, "three", True)


def test_every_function_waits_in_the_queue(actions, ask, plain, reviewed, key):
    """With all slots held, and no room to wait, each of them is refused; so none works beside the queue."""
    actions.queue._limits = Limits(at_once=1, waiting=0)
    with actions.queue.slot():
        for function in actions.review.server_functions():
            asked = {"analysis": plain, "cell": plain["cells"][0], "cells": plain["cells"][:2], "box": [0, 0, 90, 90]}
            assert ask(function.__name__, **asked)["error"].startswith("Too many people"), function.__name__
    assert "cell" in ask("add_cell", box=[30, 30, 90, 90])


def test_an_image_is_decoded_once(actions, ask, plain, key):
    image = actions.uploads.image(actions.uploads.find(key).path)
    ask("explain", cell=plain["cells"][0])
    ask("export_file", format="png", analysis=plain)
    assert actions.uploads.image(actions.uploads.find(key).path) is image


def test_decoded_images_are_let_go_of_where_there_is_no_room(tmp_path):
    uploads = Uploads(Limits(megapixels=1))
    for name in "abc":
        Image.new("RGB", (700, 700), "red").save(tmp_path / f"{name}.png")
    first = uploads.image(tmp_path / "a.png")
    uploads.image(tmp_path / "b.png")
    assert uploads.image(tmp_path / "a.png") is first
    uploads.image(tmp_path / "c.png")
    assert uploads.image(tmp_path / "a.png") is first and len(uploads._decoded) == 2


def test_only_a_few_images_stay_decoded(tmp_path):
    uploads = Uploads()
    paths = [tmp_path / f"{number}.png" for number in range(DECODED + 4)]
    for path in paths:
        Image.new("RGB", (40, 40), "red").save(path)
    images = [uploads.image(path) for path in paths]
    assert len(uploads._decoded) == DECODED
    assert uploads.image(paths[-1]) is images[-1] and uploads.image(paths[0]) is not images[0]


def test_so_many_uploads_are_remembered_and_no_more(tmp_path):
    uploads = Uploads(Limits(uploads=2))
    first, second, third = (uploads.keep(Upload(tmp_path / name, None)) for name in "abc")
    with pytest.raises(RefusedError, match="forgotten"):
        uploads.find(first)
    assert uploads.find(second).path.name == "b" and uploads.find(third).path.name == "c"
