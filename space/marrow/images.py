"""Reading images of the formats that people use as 8-bit RGB, upright and in sRGB; and writing them as PNG."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

from marrow.errors import MarrowError

MAX_PIXELS = 300_000_000
"""Most pixels that are read: in 8 bits a gigabyte, and another one while they are decoded."""

FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "JPEG2000", "PPM")
"""Formats that are opened, by their names in Pillow; the JPEG of some cameras is called MPO once it is open."""

DEPTHS = (8, 10, 12, 14, 16, 24, 32)
"""Bits that cameras and programs use for a grey level or colour."""

STRIP = 4_000_000
"""Pixels that are converted at once, so that no second copy of a large image is made."""

ORIENTATION = 0x0112
SUBFILE_TYPE = 254


class ImageError(MarrowError):
    """An image that is not read.

    Attributes:
        reason: why: ``"not_an_image"``, ``"too_large"``, ``"pages"`` or ``"levels"``.
        number: megapixels allowed, or number of pages.
    """

    def __init__(self, name: str | Path, reason: str, number: int = 0) -> None:
        super().__init__(f"{name} {_SENTENCES[reason].format(number=number)}")
        self.reason, self.number = reason, number


_SENTENCES = {
    "not_an_image": "cannot be read as an image: save it again as JPEG or PNG.",
    "too_large": "has too many pixels: cut it into fields of at most {number} megapixels.",
    "pages": "holds {number} pages or frames: save the one that you mean as an image of its own.",
    "levels": "has levels below 0 or that are no numbers: save it again with 8 or 16 bits.",
}


@dataclass(frozen=True)
class Header:
    """What is known of an image before it is decoded.

    Attributes:
        width: in pixels, as stored.
        height: in pixels, as stored.
        is_deep: it has more than 8 bits for each colour.
        is_cmyk: it is in print colours.
    """

    width: int
    height: int
    is_deep: bool
    is_cmyk: bool

    @property
    def pixels(self) -> int:
        """Their number."""
        return self.width * self.height


def read_header(path: str | Path, max_pixels: int = MAX_PIXELS) -> Header:
    """Read the size and the kind of an image, not its pixels.

    Raises:
        MarrowError: as :func:`read_image`, but for pixels that are damaged.
    """
    with _opened(Path(path), max_pixels) as image:
        is_deep = image.mode[0] in "IF" or _has_deep_colours(image)
        return Header(image.width, image.height, is_deep, image.mode == "CMYK")


def read_image(path: str | Path, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read an image file.

    Levels of more than 8 bits are scaled by the least of :data:`DEPTHS` that holds the highest, floating-point ones up
    to 1 by 1. Colours are brought to sRGB by the file's profile, where it has one.

    Args:
        path: file in one of :data:`FORMATS`, with one page or frame.
        max_pixels: most pixels that are read; Pillow itself refuses twice ``PIL.Image.MAX_IMAGE_PIXELS``, which
            ``marrow analyze`` raises to :data:`MAX_PIXELS`.

    Returns:
        ``(height, width, 3)`` uint8 RGB, turned as its EXIF orientation says; transparent parts become white.

    Raises:
        MarrowError: the file is missing, is not an image, is damaged, has several pages, or has too many pixels.
    """
    path = Path(path)
    with _opened(path, max_pixels) as image:
        if not _has_deep_colours(image):
            return to_rgb(image, str(path))
        is_tiff = image.format == "TIFF"  # which OpenCV turns itself
        return _upright(_read_deep_colours(path), 1 if is_tiff else image.getexif().get(ORIENTATION, 1))


def encode_png(image: np.ndarray, software: str | None = None) -> bytes:
    """Encode ``(height, width, 3)`` uint8 RGB, RGBA, or ``(height, width)`` uint16 as PNG.

    Args:
        image: the pixels.
        software: what made it, which stands in the file; no metadata without it.
    """
    buffer = io.BytesIO()
    info = PngImagePlugin.PngInfo()
    if software:
        info.add_text("Software", software)
    Image.fromarray(image).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@contextmanager
def _opened(path: Path, max_pixels: int) -> Iterator[Image.Image]:
    """Open an image that may be read, and say in one sentence what goes wrong with it."""
    try:
        if not path.is_file():
            raise MarrowError(f"There is no image at {path}: check the path.")
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(path, "too_large", max_pixels // 1_000_000)
            if (pages := _count_pages(image)) > 1:
                raise ImageError(path, "pages", pages)
            yield image
    except MarrowError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageError(
            path, "too_large", min(max_pixels, 2 * int(Image.MAX_IMAGE_PIXELS or 0)) // 1_000_000
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything for a damaged file
        raise ImageError(path, "not_an_image") from error


def _count_pages(image: Image.Image) -> int:
    """Count the pages or frames of an image, but for previews."""
    pages = getattr(image, "n_frames", 1)
    if pages == 1 or image.format == "MPO":
        return 1
    if image.format != "TIFF":
        return pages
    whole = 0
    for page in range(min(pages, 100)):
        image.seek(page)
        whole += not int(image.tag_v2.get(SUBFILE_TYPE, 0)) & 1  # type: ignore[attr-defined]
    image.seek(0)
    return max(whole, 1)


def _has_deep_colours(image: Image.Image) -> bool:
    """Tell whether Pillow would drop bits: its decoder's arguments name what the file holds, as ``"RGB;16B"``."""
    return image.mode[0] not in "IF" and ";16" in str(getattr(image, "tile", ""))


def _read_deep_colours(path: Path) -> np.ndarray:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.dtype != np.uint16:
        raise ImageError(path, "not_an_image")
    white = _white(float(pixels[..., :3].max()))

    def convert(part: np.ndarray) -> np.ndarray:
        colours = part[..., 2::-1] * (255 / white)
        if part.shape[2] == 4:
            alpha = part[..., 3:] / np.float32(65535)
            colours = colours * alpha + 255 * (1 - alpha)
        return colours

    return _in_strips(lambda top, bottom: convert(pixels[top:bottom]), pixels.shape[1], pixels.shape[0])


def to_rgb(image: Image.Image, name: str = "The image") -> np.ndarray:
    """Turn a Pillow image of any mode into ``(height, width, 3)`` uint8 RGB, upright, in sRGB and on white.

    Raises:
        MarrowError: it has levels that are no colours; the message calls it ``name``.
    """
    image.load()
    orientation = image.getexif().get(ORIENTATION, 1)
    return _upright(_grey(image, name) if image.mode[0] in "IF" else _colours(image), orientation)


def _grey(image: Image.Image, name: str) -> np.ndarray:
    levels = np.asarray(image)
    lowest, highest = float(levels.min()), float(levels.max())
    if not (lowest >= 0 and np.isfinite(highest)):
        raise ImageError(name, "levels")
    white = 1.0 if image.mode == "F" and highest <= 1 else _white(highest)
    return _in_strips(lambda top, bottom: levels[top:bottom, :, None] * (255 / white), *image.size)


def _colours(image: Image.Image) -> np.ndarray:
    to_srgb = _to_srgb(image)

    def convert(top: int, bottom: int) -> np.ndarray:
        part = image.crop((0, top, image.width, bottom))
        if part.has_transparency_data:
            part = part.convert("RGBA")
            part = Image.alpha_composite(Image.new("RGBA", part.size, "white"), part).convert("RGB")
        return np.asarray(to_srgb(part) if to_srgb else part.convert("RGB"))

    return _in_strips(convert, *image.size)


def _to_srgb(image: Image.Image) -> Callable[[Image.Image], Image.Image] | None:
    """Return what brings a part of the image to sRGB; ``None`` without a profile that can be used."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return None
    mode = "RGB" if image.mode == "RGBA" else image.mode
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None  # a profile that is damaged, or of other colours than the pixels
    # not in place, and so never None
    return lambda part: ImageCms.applyTransform(part.convert(mode), transform)  # type: ignore[return-value]


def _in_strips(convert: Callable[[int, int], np.ndarray], width: int, height: int) -> np.ndarray:
    """Fill an image from the rows that ``convert`` returns, in one channel or three, of any type."""
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, STRIP // width)
    for top in range(0, height, rows):
        part = convert(top, min(top + rows, height))
        pixels[top : top + rows] = part if part.dtype == np.uint8 else part.clip(0, 255).round()
    return pixels


def _white(level: float) -> float:
    """Return the highest level of the depth that a level tells of."""
    return next((2.0**bits - 1 for bits in DEPTHS if level <= 2**bits - 1), level)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror an image as its EXIF orientation, 1 to 8, says."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
