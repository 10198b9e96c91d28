"""Reading images: every mode becomes upright RGB, and what cannot be read says so."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

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


PILLOW = 1024**3 // 4 // 3  # pixels, half of those that Pillow refuses by itself


@pytest.mark.parametrize(
    ("side", "pillow", "megapixels"),
    [(10_001, PILLOW, 100), (14_000, PILLOW, 178), (17_400, 300_000_000, 300)],  # the last as the command line sets it
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_huge_images_are_to_be_cut_into_fields(side, pillow, megapixels, tmp_path, monkeypatch):
    path = save(Image.new("1", (side, side)), tmp_path / "slide.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", pillow)
    with pytest.raises(MarrowError, match=f"cut it into fields of at most {megapixels} megapixels"):
        read_image(path, *([100_000_000] if megapixels == 100 else []))


def middle(read: np.ndarray) -> np.ndarray:
    """The grey levels of the first row."""
    return read[0, :, 0].astype(int)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_levels_are_scaled_by_the_depth_that_the_camera_used(tmp_path, bits, suffix):
    levels = np.tile(np.linspace(0, 2**bits - 1, 256).round().astype(np.uint16), (4, 1))
    assert (
        np.abs(middle(read_image(save(Image.fromarray(levels), tmp_path / f"a.{suffix}"))) - np.arange(256)).max() <= 1
    )
    colours = np.dstack([levels, levels // 2, levels // 4])
    cv2.imwrite(str(tmp_path / f"b.{suffix}"), colours[..., ::-1])
    read = read_image(tmp_path / f"b.{suffix}")
    assert np.abs(read[0].astype(int) - np.arange(256)[:, None] / (1, 2, 4)).max() <= 1.5


@pytest.mark.parametrize("highest", [1, 255, 4095, 65535])
def test_floating_point_is_read_by_its_range(tmp_path, highest):
    levels = np.tile(np.linspace(0, highest, 256).astype(np.float32), (4, 1))
    assert np.abs(middle(read_image(save(Image.fromarray(levels), tmp_path / "a.tif"))) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("level", [-1, np.nan, np.inf])
def test_levels_that_are_no_colours_are_refused(tmp_path, level):
    levels = np.full((4, 4), 0.5, np.float32)
    levels[0, 0] = level
    with pytest.raises(MarrowError, match="levels below 0"):
        read_image(save(Image.fromarray(levels), tmp_path / "a.tif"))


def test_sixteen_bit_colours_with_alpha_lie_on_white(tmp_path):
    image = np.zeros((4, 4, 4), np.uint16)
    image[..., 2], image[:2, :, 3] = 65535, 65535  # red; the upper half opaque
    cv2.imwrite(str(tmp_path / "a.png"), image)
    read = read_image(tmp_path / "a.png")
    assert read[0, 0].tolist() == [255, 0, 0] and read[3, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_every_orientation_is_read_as_pillow_shows_it(colours, tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(colours), tmp_path / f"a.{suffix}", exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_several_pages_or_frames_are_refused(colours, tmp_path, suffix):
    frames = [Image.fromarray(np.roll(colours, 5 * i, axis=0)) for i in range(3)]
    path = save(frames[0], tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.raises(MarrowError, match="holds 3 pages or frames"):
        read_image(path)


def test_a_thumbnail_beside_the_image_is_no_page(colours, tmp_path):
    small = Image.fromarray(colours).resize((20, 15))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    path = save(Image.fromarray(colours), tmp_path / "a.tif", save_all=True, append_images=[small])
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert np.array_equal(read_image(path), colours)


def test_a_colour_profile_is_applied(tmp_path):
    """Red and green change places by a profile whose primaries do."""
    plain = Image.new("RGB", (8, 8), (200, 60, 90))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = lab.replace(b"rXYZ", b"tmp_").replace(b"gXYZ", b"rXYZ").replace(b"tmp_", b"gXYZ")
    read = read_image(save(plain, tmp_path / "a.png", icc_profile=swapped))
    assert np.abs(read[0, 0].astype(int) - (60, 200, 90)).max() <= 4
    assert read_image(save(plain, tmp_path / "b.png", icc_profile=b"damaged"))[0, 0].tolist() == [200, 60, 90]


@pytest.mark.parametrize("kind", ["QOI", "TGA", "PCX", "ICO", "SGI"])
def test_other_formats_are_refused(colours, tmp_path, kind):
    Image.fromarray(colours).save(tmp_path / "a.img", kind)
    with pytest.raises(MarrowError, match="save it again as JPEG or PNG"):
        read_image(tmp_path / "a.img")
