"""Programs as their users run them: the command line and the Space, timed and weighed."""

from __future__ import annotations

import numpy as np
import pytest
from gradio_client import Client, handle_file

from benchmarks.batch import batch_rows
from benchmarks.large import large_rows, surrounded
from benchmarks.mosaics import BLOCK
from benchmarks.runs import analyze_files, running_space
from dataset_scripts.drawing.pictures import draw_field
from marrow.errors import MarrowError
from marrow.images import encode_png


def test_the_command_line_is_timed_and_weighed(tmp_path):
    picture = tmp_path / "field.png"
    picture.write_bytes(encode_png(draw_field(np.random.default_rng(4), 200, 240, 3).image))
    run = analyze_files([picture], tmp_path / "out")
    assert 0.1 < run.seconds < 120 and 100 < run.peak_mb < 2000
    assert (tmp_path / "out" / "field.json").is_file()
    with pytest.raises(MarrowError, match=r"failed.*no\.png"):
        analyze_files([tmp_path / "no.png"], tmp_path / "out")


def test_many_pictures_are_timed_against_a_loop(tmp_path):
    images = [draw_field(np.random.default_rng(number), 200, 240, 3).image for number in range(3)]
    loop, batch = batch_rows(images, tmp_path, workers=(2,), times=1)
    assert loop["times_the_loop"] == 1 and loop["pictures"] == batch["pictures"] == 3
    assert 0 < batch["pictures_per_second"] == batch["slowest"] == batch["fastest"] < 100
    assert batch["times_the_loop"] == pytest.approx(batch["pictures_per_second"] / loop["pictures_per_second"])


def test_what_the_caller_holds_is_not_weighed(tmp_path):
    picture = tmp_path / "field.png"
    picture.write_bytes(encode_png(draw_field(np.random.default_rng(4), 200, 240, 3).image))
    held = np.ones(300_000_000)  # 2.4 GB
    run = analyze_files([picture], tmp_path / "out")
    assert run.peak_mb * 1e6 < held.nbytes / 2


def test_the_space_runs_until_it_is_left(tmp_path):
    picture = tmp_path / "field.png"
    picture.write_bytes(encode_png(draw_field(np.random.default_rng(4), 200, 240, 3).image))
    with running_space(tmp_path) as space:
        assert space.url.startswith("http://127.0.0.1:") and space.megabytes() > 100
        assert Client(space.url, verbose=False).predict(handle_file(picture), 0.4, api_name="/analyze")["cells"]
    assert not space.process.is_running()


def test_a_block_lies_in_bare_ground_of_its_colour():
    block = draw_field(np.random.default_rng(4), BLOCK, BLOCK, 4).image
    image = surrounded(block, (3 * BLOCK, 2 * BLOCK + 40, 3))
    assert (image[BLOCK : 2 * BLOCK, BLOCK : 2 * BLOCK] == block).all()
    assert np.abs(image[:BLOCK].mean(axis=(0, 1)) - np.median(block, axis=(0, 1))).max() < 12


def test_pictures_of_each_size_have_their_rows(tmp_path):
    fields = [draw_field(np.random.default_rng(seed), 400, 480, 8).image for seed in range(2)]
    full, empty = large_rows(fields, tmp_path, [1])
    assert full["megapixels"] == empty["megapixels"] == 1.2
    assert full["cells"] > empty["cells"] > 0 and min(full["seconds"], empty["seconds"]) > 0
