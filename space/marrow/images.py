"""Reading images: any file that Pillow opens becomes an 8-bit RGB array; and writing them as PNG."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from marrow.errors import MarrowError

MAX_PIXELS = 100_000_000


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file.

    Args:
        path: file in any format that Pillow reads (JPEG, PNG, TIFF, BMP, …).

    Returns:
        ``(height, width, 3)`` uint8 RGB, turned as its EXIF orientation says; transparent parts become white.

    Raises:
        MarrowError: the file is missing, is not an image, is damaged, or has more than ``MAX_PIXELS`` pixels.
    """
    path = Path(path)
    if not path.is_file():
        raise MarrowError(f"There is no image at {path}: check the path.")
    try:
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise MarrowError(
                    f"{path} has {image.width}×{image.height} pixels: cut it into fields of at most "
                    f"{MAX_PIXELS // 1_000_000} megapixels."
                )
            return to_rgb(image)
    except Image.DecompressionBombError as error:
        raise MarrowError(
            f"{path} has too many pixels: cut it into fields of at most {MAX_PIXELS // 1_000_000} megapixels."
        ) from error
    # ImportError: where ultralytics is imported too, Pillow asks for a HEIF reader when it knows no other
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, RuntimeError, ImportError) as error:
        raise MarrowError(f"{path} cannot be read as an image: save it again as JPEG or PNG.") from error


def to_rgb(image: Image.Image) -> np.ndarray:
    """Turn a Pillow image of any mode into ``(height, width, 3)`` uint8 RGB, upright and on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16-bit grey: Pillow's own conversion clips instead of scaling
        grey = np.asarray(image, dtype=np.float64)
        scale = 255 / 65535 if grey.max() > 255 else 1
        return np.repeat((grey * scale).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(ground, image)
    return np.asarray(image.convert("RGB")).copy()


def encode_png(image: np.ndarray) -> bytes:
    """Encode ``(height, width, 3)`` uint8 RGB, RGBA, or ``(height, width)`` uint16 as PNG, with no metadata."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()
