"""Reading images: every mode becomes upright RGB, and what cannot be read says so."""

import io

import numpy as np
import pytest
from PIL import Image

from marrow.errors import MarrowError
from marrow.images import read_image

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")


@pytest.fixture
def colours() -> np.ndarray:
    """30×40 RGB, another colour in each corner."""
    image = np.zeros((30, 40, 3), np.uint8)
    image[:15, :20], image[:15, 20:], image[15:, :20] = (250, 20, 30), (30, 240, 20), (10, 20, 230)
    return image


def save(image: Image.Image, path, **options):
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_lossless_formats_keep_every_pixel(colours, tmp_path, suffix):
    assert np.array_equal(read_image(save(Image.fromarray(colours), tmp_path / f"a.{suffix}")), colours)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "I", "F"])
def test_every_mode_becomes_rgb(mode, tmp_path):
    grey = np.full((20, 30), 255, np.uint8)
    grey[:10] = 0
    image = Image.fromarray(grey)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = image.convert("RGB").convert(mode) if mode == "CMYK" else image.convert(mode)
    read = read_image(save(image, tmp_path / "a.tif" if mode not in ("P", "LA") else tmp_path / "a.png"))
    assert read.shape == (20, 30, 3) and read.dtype == np.uint8
    assert read[:10].max() <= 2 and read[10:].min() >= 253


def test_sixteen_bit_grey_keeps_its_middle(tmp_path):
    levels = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (4, 1))
    read = read_image(save(Image.fromarray(levels), tmp_path / "a.png"))
    assert np.abs(read[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_transparent_parts_become_white(tmp_path):
    image = np.zeros((10, 20, 4), np.uint8)
    image[:, :10, 3], image[:, 10:15, 3] = 255, 128
    read = read_image(save(Image.fromarray(image), tmp_path / "a.png"))
    assert read[0, 0].tolist() == [0, 0, 0] and read[0, 19].tolist() == [255, 255, 255]
    assert 120 <= read[0, 12, 0] <= 135


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_images_are_turned_upright(colours, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    quarter_turns = {1: 0, 3: 2, 6: 1, 8: 3}[orientation]
    stored = Image.fromarray(np.rot90(colours, quarter_turns).copy())
    assert np.array_equal(read_image(save(stored, tmp_path / "a.png", exif=exif)), colours)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "truncated"])
def test_what_is_no_image_is_refused_with_its_name(kind, colours, tmp_path):
    path = tmp_path / "smear.jpg"
    if kind == "folder":
        path.mkdir()
    elif kind == "truncated":
        save(Image.fromarray(colours), path)
        path.write_bytes(path.read_bytes()[:300])
    elif kind != "missing":
        path.write_text("" if kind == "empty" else "no image")
    with pytest.raises(MarrowError, match=r"smear\.jpg.*: (check|save)"):
        read_image(path)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_damaged_files_are_read_or_refused_but_never_crash(kind, tmp_path):
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(buffer, kind)
    whole = np.frombuffer(buffer.getvalue(), np.uint8)
    refused = 0
    for trial in range(120):
        damaged = whole[: rng.integers(1, len(whole))].copy() if trial % 2 else whole.copy()
        where = rng.integers(0, rng.choice([40, 200, len(damaged)]), 4).clip(max=len(damaged) - 1)
        damaged[where] = rng.integers(0, 256, len(where))
        (tmp_path / "a.img").write_bytes(damaged.tobytes())
        try:
            assert read_image(tmp_path / "a.img").shape[2] == 3
        except MarrowError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("side", [10_001, 14_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_images_are_to_be_cut_into_fields(side, tmp_path):
    path = save(Image.new("1", (side, side)), tmp_path / "slide.png")
    with pytest.raises(MarrowError, match="cut it into fields of at most 100 megapixels"):
        read_image(path)
