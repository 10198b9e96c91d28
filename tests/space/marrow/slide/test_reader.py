"""Slides of several formats give the same pixels and the same µm per pixel, and what is wrong is one sentence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from marrow.errors import MarrowError
from marrow.slide.reader import Slide
from tests.space.marrow.slide.drawn_slides import MPP, write_tiff


def test_every_format_is_read_at_any_scale(any_slide, drawn_smear):
    slide = Slide(any_slide)
    assert (slide.height, slide.width) == drawn_smear.image.shape[:2]
    assert slide.mpp == pytest.approx((MPP, MPP)) and slide.mpp_from == "file"
    part = drawn_smear.image[300:812, 200:968]
    assert np.array_equal(slide.read((200, 300, 968, 812), 768, 512), part)
    half = slide.read((200, 300, 968, 812), 384, 256)
    assert np.abs(half.astype(int) - cv2.resize(part, (384, 256), interpolation=cv2.INTER_AREA)).max() <= 1
    overview = slide.overview(224)
    whole = cv2.resize(drawn_smear.image, (224, 112), interpolation=cv2.INTER_AREA)
    assert np.abs(overview.astype(int) - whole).mean() < 2


def test_the_coarsest_level_that_need_not_be_enlarged_is_read(svs):
    slide = Slide(svs)
    assert [slide.level_for(factor) for factor in (0.5, 1, 3.9, 4, 15, 16, 100)] == [0, 0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("mpp", [None, 84.7])
def test_a_slide_without_the_size_of_a_pixel_asks_for_it(drawn_smear, tmp_path, mpp):
    path = write_tiff(tmp_path / "smear.tif", drawn_smear.image[:300, :300], mpp)
    with pytest.raises(MarrowError, match=r"give the µm per pixel with --mpp"):
        Slide(path)
    slide = Slide(path, 0.5)
    assert slide.mpp == (0.5, 0.5) and slide.mpp_from == "option"


def test_what_is_no_slide_is_a_sentence(tmp_path):
    for name, content in (("a.svs", b"no slide"), ("b.tif", b"II*\0")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(MarrowError, match="cannot be read as a slide"):
            Slide(tmp_path / name)
    with pytest.raises(MarrowError, match="There is no slide"):
        Slide(tmp_path / "nowhere.svs")


def test_after_a_damaged_part_the_rest_is_read(drawn_smear, tmp_path):
    path = write_tiff(tmp_path / "smear.tif", drawn_smear.image)
    damage(path)
    slide = Slide(path)
    with pytest.raises(MarrowError, match="The slide is damaged at 0, 0"):
        slide.read((0, 0, 256, 256), 256, 256)
    assert np.array_equal(slide.read((512, 512, 768, 768), 256, 256), drawn_smear.image[512:768, 512:768])


def damage(path: Path, tile: int = 0) -> None:
    """Overwrite a tile of a slide's finest level."""
    with tifffile.TiffFile(path) as file:
        start, size = (list(numbers)[tile] for numbers in (file.pages[0].dataoffsets, file.pages[0].databytecounts))
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    path.write_bytes(content)
