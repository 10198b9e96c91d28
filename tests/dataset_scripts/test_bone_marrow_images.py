"""Every kind of image is read right or listed by name; what is unreadable is made up for from the surplus."""

import io
import struct
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from dataset_scripts.bone_marrow_12 import main, stored_bytes
from tests.dataset_scripts.made_up_sources import built, make_source, picture, table, write


def stripes(levels: list[int], dtype=np.uint8) -> np.ndarray:
    """A ``(32, 32)`` picture of vertical stripes."""
    return np.repeat(np.array(levels, dtype), 32 // len(levels))[None].repeat(32, axis=0)


def grey(levels: list[int]) -> np.ndarray:
    return np.repeat(stripes(levels)[..., None], 3, axis=2)


INDICES = stripes([0, 1, 2, 3])
PALETTE = np.array([[250, 10, 10], [10, 250, 10], [10, 10, 250], [90, 80, 70]], np.uint8)


def palette_image() -> Image.Image:
    image = Image.fromarray(INDICES, mode="P")
    image.putpalette(PALETTE.tobytes())
    return image


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def from_opencv(suffix: str, image: np.ndarray) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def rotated() -> tuple[bytes, np.ndarray]:
    """A JPEG whose EXIF data says that it is to be turned a quarter clockwise."""
    exif = Image.Exif()
    exif[0x0112] = 6
    image = np.array(Image.fromarray(picture(3)).crop((0, 0, 80, 48)))
    data = encoded(Image.fromarray(image), "JPEG", exif=exif, quality=95)
    return data, np.rot90(np.asarray(Image.open(io.BytesIO(data))), -1)


COLOUR, SHEER = picture(1, 32), np.linspace(0, 255, 32 * 32).astype(np.uint8).reshape(32, 32)
ON_WHITE = np.rint(COLOUR * (SHEER[..., None] / 255) + 255 * (1 - SHEER[..., None] / 255))
INKS = np.stack([stripes([0, 255, 0, 0]), stripes([0, 0, 200, 0]), stripes([0] * 4), stripes([0, 0, 0, 128])], axis=2)
GREY_16 = stripes([0, 300, 30_000, 65_535], np.uint16)

KINDS = {
    "palette.png": (encoded(palette_image(), "PNG"), PALETTE[INDICES]),
    "palette_transparent.png": (
        encoded(palette_image(), "PNG", transparency=2),
        np.where(INDICES[..., None] == 2, 255, PALETTE[INDICES]),
    ),
    "still.gif": (encoded(palette_image(), "GIF"), PALETTE[INDICES]),
    "moving.gif": (
        encoded(palette_image(), "GIF", save_all=True, append_images=[Image.new("P", (32, 32), 1)]),
        PALETTE[INDICES],
    ),
    "cmyk.jpg": (
        encoded(Image.fromarray(INKS, mode="CMYK"), "JPEG", quality=100, subsampling=0),
        np.dstack([stripes(levels) for levels in ([255, 0, 255, 127], [255, 255, 55, 127], [255, 255, 255, 127])]),
    ),
    "grey.jpg": (encoded(Image.fromarray(stripes([10, 90, 170, 250])), "JPEG", quality=100), grey([10, 90, 170, 250])),
    "grey_16.png": (encoded(Image.fromarray(GREY_16), "PNG"), grey([0, 1, 116, 255])),
    "grey_16.tif": (encoded(Image.fromarray(GREY_16), "TIFF"), grey([0, 1, 116, 255])),
    "grey_16_dark.png": (encoded(Image.fromarray(stripes([0, 9, 200, 255], np.uint16)), "PNG"), grey([0, 9, 200, 255])),
    "colour_16.png": (from_opencv(".png", COLOUR[..., ::-1].astype(np.uint16) * 257), COLOUR),
    "alpha.png": (encoded(Image.fromarray(np.dstack([COLOUR, SHEER])), "PNG"), ON_WHITE),
    "alpha.webp": (encoded(Image.fromarray(np.dstack([COLOUR, SHEER | 1])), "WEBP", lossless=True, exact=True), None),
    "grey_alpha.png": (
        encoded(Image.fromarray(np.dstack([stripes([0, 0, 80, 80]), stripes([255, 0, 255, 0])]), mode="LA"), "PNG"),
        grey([0, 255, 80, 255]),
    ),
    "one_bit.png": (encoded(Image.fromarray(INDICES > 1), "PNG"), grey([0, 0, 255, 255])),
    "fax.tiff": (encoded(Image.fromarray(INDICES > 1), "TIFF", compression="group4"), grey([0, 0, 255, 255])),
    "turned.jpg": rotated(),
    "plain.png": (encoded(Image.fromarray(COLOUR), "PNG"), COLOUR),
    "plain.bmp": (encoded(Image.fromarray(COLOUR), "BMP"), COLOUR),
    "plain.tif": (encoded(Image.fromarray(COLOUR), "TIFF", compression="tiff_lzw"), COLOUR),
    "plain.webp": (encoded(Image.fromarray(COLOUR), "WEBP", lossless=True), COLOUR),
    "jpeg_named.png": (encoded(Image.fromarray(picture(5, 32)), "JPEG", quality=95), None),
}


def huge_png(width: int = 20_000, height: int = 10_000) -> bytes:
    """A PNG file of 60 bytes that says it has 200 megapixels."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", b""), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


WHOLE = encoded(Image.fromarray(picture(6)), "JPEG")
BROKEN = {
    "empty.jpg": (b"", "an empty file"),
    "text.jpg": (b"this is no image", "not an image of a known kind"),
    "truncated.jpg": (WHOLE[: len(WHOLE) // 2], "truncated"),
    "truncated.png": (encoded(Image.fromarray(COLOUR), "PNG")[:900], "truncated"),
    "huge.png": (huge_png(), "more than 25 megapixels"),
    "large.png": (huge_png(6000, 5000), "6000×5000, more than 25 megapixels"),
    "float.tif": (encoded(Image.fromarray(np.ones((32, 32), np.float32)), "TIFF"), "pixels of mode F"),
    "zip.jpg": (zipfile.ZipFile(io.BytesIO(), "w") and b"PK\5\6" + bytes(18), "not an image of a known kind"),
}


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("kinds") / "cells"
    (folder / "BLA").mkdir(parents=True)
    for name, (data, _) in (KINDS | BROKEN).items():
        (folder / "BLA" / name).write_bytes(data)
    (folder / "BLA" / "folder.jpg").mkdir()
    (folder / "BLA" / "gone.jpg").symlink_to(folder / "nowhere.jpg")
    return folder


def test_every_kind_of_image_is_read_right_or_listed(every_kind, tmp_path):
    out = tmp_path / "set"
    done = write(out, "--data-dir", every_kind, "--config", "imbalanced-12", "--classes", "BLA")
    rows = {Path(row["path"]).name: row["image"] for part in table(out).values() for row in part}
    assert set(rows) == set(KINDS)
    for name, (data, expected) in KINDS.items():
        with Image.open(io.BytesIO(rows[name]["bytes"])) as image:
            assert image.mode == "RGB", name
            pixels = np.asarray(image).astype(int)
        by_opencv = cv2.imdecode(np.frombuffer(rows[name]["bytes"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(pixels - by_opencv).max() <= 3, f"{name}: another reader sees the same"
        if expected is not None:
            assert pixels.shape == expected.shape, name
            assert np.abs(pixels - expected).max() <= (3 if name == "cmyk.jpg" else 1), name
        kept = name.startswith(("plain", "jpeg", "colour"))
        assert (rows[name]["bytes"] == data) == kept, f"{name} is stored as found or made plain"
        assert rows[name]["path"] == (name if kept else f"{Path(name).stem}.bmp")

    lines = dict(line.removeprefix("skipped cells/BLA/").split(": ", 1) for line in done.stderr.splitlines())
    assert set(lines) == {*BROKEN, "gone.jpg"}
    for name, (_, reason) in BROKEN.items():
        assert reason in lines[name], name
    assert lines["gone.jpg"] == "No such file or directory"


def test_a_file_that_is_too_big_is_not_even_read(tmp_path):
    folder = make_source(tmp_path / "cells", {"BLA": 5})
    with (folder / "BLA" / "film.tif").open("wb") as file:
        file.truncate(300_000_000)  # takes no room on disk
    audit = built(folder, classes=("BLA",)).audit
    assert audit["skipped"] == {"cells/BLA/film.tif": "more than 256 MB"}


def test_no_damage_to_a_file_stops_a_run(tmp_path):
    rng = np.random.default_rng(0)
    files = [data for data, _ in KINDS.values()]
    for i in range(600):
        damaged = np.frombuffer(files[i % len(files)], np.uint8).copy()
        near_start = rng.integers(0, min(len(damaged), 300), 1 + i % 9)
        damaged[near_start] = rng.integers(0, 256, len(near_start))
        file = tmp_path / "cells" / "BLA" / f"{i}.tif"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(damaged.tobytes())
    (tmp_path / "cells" / "BLA" / "tag.jpg").write_bytes(with_bad_exif())
    build = built(tmp_path / "cells", classes=("BLA",))
    assert len(build.rows) + len(build.audit["skipped"]) == 601
    assert len(build.rows) > 50 and len(build.audit["skipped"]) > 100
    assert "cells/BLA/tag.jpg" in build.audit["skipped"]


def with_bad_exif() -> bytes:
    """A JPEG to be turned, with an EXIF width that is a text: Pillow fails on it with an error of another module."""
    tags = ((0x0100, 2, 3, b"ab\0\0"), (0x0112, 3, 1, b"\6\0\0\0"))
    entries = b"".join(struct.pack("<HHI4s", *tag) for tag in tags)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    data = encoded(Image.fromarray(picture(2)), "JPEG", exif=exif)
    with pytest.raises(struct.error):
        stored_bytes(data)
    return data


# Unreadable images and the balance


def test_unreadable_images_are_replaced_from_the_surplus(tmp_path, capsys):
    folder = make_source(tmp_path / "cells", {"BLA": 20, "LYT": 15})
    for i in range(5):
        (folder / "BLA" / f"BLA_{i:05d}.jpg").write_bytes(WHOLE[:500])
    build = built(folder, classes=("BLA", "LYT"), per_class=15)
    capsys.readouterr()
    assert Counter(row.code for row in build.rows) == {"BLA": 15, "LYT": 15}
    assert not {row.path for row in build.rows} & {f"BLA/BLA_{i:05d}.jpg" for i in range(5)}
    assert all(name.startswith("cells/BLA/") for name in build.audit["skipped"])

    arguments = ["--data-dir", str(folder), "--out", str(tmp_path / "set"), "--classes", "BLA", "--per-class", "16"]
    assert main(arguments) == 2
    *named, last = capsys.readouterr().err.splitlines()
    assert "Fewer than 16 readable images of BLA 15" in last
    assert len(named) == 5, "each file that could not be read is named"
    assert main([*arguments, "--allow-short"]) == 0
    assert sum(map(len, table(tmp_path / "set").values())) == 15
