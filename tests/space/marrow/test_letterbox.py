"""How a picture lies in the network's input: as with ultralytics, but never enlarged."""

import numpy as np
import pytest

from marrow.letterbox import GREY, letterbox


@pytest.mark.parametrize(
    "shape", [(480, 640), (640, 480), (333, 517), (101, 997), (997, 101), (640, 640), (31, 33), (2000, 3)]
)
def test_the_letterbox_is_that_of_ultralytics_without_enlarging(shape):
    from ultralytics.data.augment import LetterBox

    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    inputs, _, _ = letterbox(image, 320)
    assert inputs.shape == (1, 3, 320, 320) and inputs.dtype == np.float32
    theirs = LetterBox((320, 320), auto=False, scaleup=False)(image=image)
    assert np.array_equal((inputs[0].transpose(1, 2, 0) * 255).round(), theirs)


@pytest.mark.parametrize("shape", [(333, 517), (101, 997), (997, 101)])
def test_the_letterbox_says_where_the_image_is(shape):
    image = np.full((*shape, 3), 200, np.uint8)
    inputs, scale, (left, top) = letterbox(image, 320)
    rows, columns = np.nonzero((inputs[0] * 255).round()[0] == 200)
    assert (left, top) == (columns.min(), rows.min())
    assert columns.max() + 1 - left == pytest.approx(shape[1] * scale, abs=0.5)
    assert rows.max() + 1 - top == pytest.approx(shape[0] * scale, abs=0.5)
    assert ((inputs[0] * 255).round()[:, :top] == GREY).all()
