"""Reading and writing annotated fields: YOLO boxes and polygons, COCO, label images."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from dataset_scripts.fields.field import Field
from marrow.centre_cell import centre_cell_mask
from marrow.errors import MarrowError
from marrow.geometry import border_pixels, box_areas, mask_box, polygon_mask
from marrow.images import read_image

FILLED = 0.55  # share of its box that the box of an outline must fill; hand-drawn boxes are wide
IMAGES = {".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"}
EXPECTED = (
    "expected images/ with YOLO labels/*.txt or label images labels/*.png (0 for background, i for cell i), "
    "or a COCO JSON"
)


def read_fields(folder: Path, category: str | None = None) -> Iterator[tuple[str, Field]]:
    """Read annotated fields; the format follows from what lies in the folder.

    - YOLO: ``images/**`` and ``labels/**.txt``, where a line of five numbers is a box, in which the cell is outlined
      by its colour, and a longer one a polygon;
    - label images: ``images/**`` and ``labels/**.png``, 0 for background and one number for each cell;
    - COCO: a JSON file, in the folder or one below it, with polygons or run lengths, whose images lie in the folder.

    Every object counts as a nucleated cell, whatever its class; groups (``iscrowd``) are left out. An image without
    annotations is a field without nucleated cells.

    Args:
        folder: the fields.
        category: read the objects of this class alone, one of :func:`list_categories`.

    Yields:
        A name, made of the file's path, and the field, in the order of the names.

    Raises:
        MarrowError: the folder holds none of these, or a file in it is missing or damaged.
    """
    if _has(folder, "txt"):
        yield from _yolo_fields(folder, category)
    elif _has(folder, "png"):
        yield from _label_fields(folder)
    else:
        yield from _coco_fields(folder, category)


def list_categories(folder: Path) -> list[str]:
    """Return the classes of the objects in annotated fields: names of COCO, numbers of YOLO, none of label images.

    Raises:
        MarrowError: as :func:`read_fields`.
    """
    if _has(folder, "txt"):
        texts = (file.read_text(encoding="utf-8") for file in (folder / "labels").rglob("*.txt"))
        return sorted({line.split()[0] for text in texts for line in text.splitlines() if line.strip()})
    if _has(folder, "png"):
        return []
    try:
        return sorted({_category(region, data) for _, data in _coco_data(folder) for region in data["annotations"]})
    except (AttributeError, TypeError) as error:
        raise MarrowError(f"The COCO in {folder} names its classes wrongly: export the annotations again.") from error


def _has(folder: Path, ending: str) -> bool:
    return any((folder / "labels").rglob(f"*.{ending}")) and (folder / "images").is_dir()


def _images(folder: Path) -> list[tuple[str, Path, Path]]:
    """Name, image, and place of the labels without ending, of every image under ``images/``."""
    root = folder / "images"
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in IMAGES)
    if not files:
        raise MarrowError(f"There are no fields in {folder}: {EXPECTED}.")
    inner = [file.relative_to(root) for file in files]
    places = [folder / "labels" / path.with_suffix("") for path in inner]
    return list(zip(map(field_name, inner), files, places, strict=True))


def field_name(path: str | Path) -> str:
    """Return the name of the field of an image: its path in the folder of images, without the ending."""
    inner = Path(path)
    return "_".join(part for part in inner.with_suffix("").parts if part not in (inner.anchor, ".."))


def _yolo_fields(folder: Path, category: str | None) -> Iterator[tuple[str, Field]]:
    for name, file, place in _images(folder):
        image = read_image(file)
        labels = np.zeros(image.shape[:2], np.int32)
        text_file = Path(f"{place}.txt")
        text = text_file.read_text(encoding="utf-8") if text_file.is_file() else ""
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip() and category in (None, line.split()[0]):
                cell = _yolo_cell(line, image, f"line {number} of {text_file}")
                labels[cell & (labels == 0)] = labels.max() + 1
        yield name, Field(image, labels)


def _yolo_cell(line: str, image: np.ndarray, where: str) -> np.ndarray:
    try:
        values = np.array(line.split()[1:], float)
    except ValueError:
        values = np.zeros(0)
    if (len(values) != 4 and (len(values) < 6 or len(values) % 2)) or not np.isfinite(values).all():
        raise MarrowError(f"Line not understood: {where} is neither a YOLO box nor a polygon.")
    height, width = image.shape[:2]
    if len(values) > 4:
        return polygon_mask(values.reshape(-1, 2) * (width, height), image.shape)
    x, y, w, h = values * (width, height, width, height)
    return mask_in_box(image, np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]))


def _label_fields(folder: Path) -> Iterator[tuple[str, Field]]:
    for name, file, place in _images(folder):
        image, label_file = read_image(file), Path(f"{place}.png")
        numbers = cv2.imread(str(label_file), cv2.IMREAD_UNCHANGED) if label_file.is_file() else None
        if numbers is None or numbers.ndim != 2 or numbers.shape != image.shape[:2]:
            raise MarrowError(f"{label_file} is not a label image (one channel) of the size of {file.name}.")
        labels = np.unique(numbers, return_inverse=True)[1].reshape(numbers.shape)
        yield name, Field(image, (labels + int(numbers.min() > 0)).astype(np.int32))


def _coco_fields(folder: Path, category: str | None) -> Iterator[tuple[str, Field]]:
    for file, data in _coco_data(folder):
        yield from _coco_file(file, folder, data, category)


def _coco_data(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    found = False
    for file in sorted([*folder.glob("*.json"), *folder.glob("*/*.json")]):
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MarrowError(f"{file} is not JSON: export the annotations again.") from error
        if isinstance(data, dict) and {"images", "annotations"} <= data.keys():
            found = True
            yield file, data
    if not found:
        raise MarrowError(f"There are no annotated fields in {folder}: {EXPECTED}.")


def _category(region: dict[str, Any], data: dict[str, Any]) -> str:
    """Return the name of the class of a COCO annotation, or its number where it has no name."""
    number = region.get("category_id")
    names = (one["name"] for one in data.get("categories") or [] if one.get("id") == number and "name" in one)
    return str(next(names, number))


def _coco_file(file: Path, folder: Path, data: dict[str, Any], category: str | None) -> Iterator[tuple[str, Field]]:
    try:
        regions: dict[int, list[dict[str, Any]]] = {entry["id"]: [] for entry in data["images"]}
        for region in data["annotations"]:
            if not region.get("iscrowd") and (category is None or category == _category(region, data)):
                regions[region["image_id"]].append(region)
        entries = sorted((str(entry["file_name"]), entry["id"]) for entry in data["images"])
    except (KeyError, TypeError) as error:
        raise MarrowError(f"{file} is not complete COCO, it lacks {error}: export the annotations again.") from error
    for inner, number in entries:
        places = [root / inner for root in (file.parent, folder, folder / "images")]
        image = read_image(next((place for place in places if place.is_file()), places[-1]))
        labels = np.zeros(image.shape[:2], np.int32)
        for region in regions[number]:
            labels[_coco_mask(region, image, file) & (labels == 0)] = labels.max() + 1
        yield field_name(inner), Field(image, labels)


def _coco_mask(region: dict[str, Any], image: np.ndarray, file: Path) -> np.ndarray:
    height, width = image.shape[:2]
    shape = region.get("segmentation")
    try:
        if not shape:
            x, y, w, h = region["bbox"]
            return mask_in_box(image, np.array([x, y, x + w, y + h], float))
        if isinstance(shape, dict) and isinstance(shape["counts"], list):
            shape = coco_mask.frPyObjects(shape, height, width)
        elif isinstance(shape, list):
            shape = coco_mask.merge(coco_mask.frPyObjects(shape, height, width))
        mask = coco_mask.decode(shape).astype(bool)
    except Exception as error:  # pycocotools raises what its C code meets, bare Exception included
        raise MarrowError(f"Annotation {region.get('id')} of {file} has no segmentation that can be read.") from error
    if mask.shape != (height, width):
        raise MarrowError(f"Annotation {region.get('id')} of {file} is not of the size of its image.")
    return mask


def mask_in_box(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Outline the cell in a box by colour; the ellipse of the box where that does not fill it.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        box: x0, y0, x1, y1 in pixels.

    Returns:
        ``(height, width)`` bool, nothing outside the box.
    """
    height, width = image.shape[:2]
    inside = np.zeros((height, width), bool)
    x0, y0, x1, y1 = box.round().astype(int).clip(0)
    inside[y0:y1, x0:x1] = True
    if not inside.any():
        return inside
    margin = int(0.35 * max(x1 - x0, y1 - y0))
    around = (slice(max(0, y0 - margin), y1 + margin), slice(max(0, x0 - margin), x1 + margin))
    found = centre_cell_mask(image[around])
    if found is not None:
        outline = np.zeros((height, width), bool)
        outline[around] = found
        outline &= inside
        if box_areas(mask_box(outline))[0] > FILLED * inside.sum():
            return outline
    centre, axes = _whole_cell(box, width, height)
    ellipse = np.zeros((height, width), np.uint8)
    cv2.ellipse(ellipse, centre.round().astype(int).tolist(), axes.round().astype(int).tolist(), 0, 0, 360, 1, -1)
    return ellipse.astype(bool) & inside


def _whole_cell(box: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre and half axes of the cell in a box; one cut by the border is taken as round, beyond it."""
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0)
    x0, x1 = (x1 - side if x0 <= 2 else x0), (x0 + side if x1 >= width - 3 else x1)
    y0, y1 = (y1 - side if y0 <= 2 else y0), (y0 + side if y1 >= height - 3 else y1)
    return np.array([x0 + x1, y0 + y1]) / 2, np.array([x1 - x0, y1 - y0]) / 2


def yolo_lines(labels: np.ndarray) -> str:
    """Return the cells of a label image as YOLO segmentation lines, class 0, one polygon each.

    The polygon runs through the centres of the outermost pixels: ultralytics rounds it down and fills its border too,
    which gives the mask again.
    """
    height, width = labels.shape
    lines = []
    for cell in range(1, labels.max() + 1):
        pixels = border_pixels(labels == cell)
        if len(pixels) >= 3:
            points = (pixels + 0.5) / (width, height)
            lines.append("0 " + " ".join(f"{value:.5f}" for value in points.ravel()))
    return "\n".join(lines) + "\n"


def write_field(out: Path, split: str, name: str, field: Field) -> dict[str, Any]:
    """Write one field as ``images/SPLIT/NAME.jpg`` and ``labels/SPLIT/NAME.txt``, and give its COCO entry.

    Returns:
        ``image``: the field's entry without its id; ``annotations``: those of its cells without ids. A composed cell
        has a key ``hidden`` beside those of COCO: the share of it that lies under others.
    """
    for kind in ("images", "labels"):
        (out / kind / split).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out / "images" / split / f"{name}.jpg"), field.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    (out / "labels" / split / f"{name}.txt").write_text(yolo_lines(field.labels), encoding="utf-8")
    height, width = field.labels.shape
    annotations = []
    for cell in range(1, field.labels.max() + 1):
        runs = coco_mask.encode(np.asfortranarray(field.labels == cell, np.uint8))
        area = int(coco_mask.area(runs))
        if area:
            shape = {"size": [height, width], "counts": runs["counts"].decode("ascii")}
            annotation = {"category_id": 1, "iscrowd": 0, "segmentation": shape, "area": area}
            annotation["bbox"] = coco_mask.toBbox(runs).tolist()
            if len(field.hidden):
                annotation["hidden"] = round(float(field.hidden[cell - 1]), 3)
            annotations.append(annotation)
    entry = {"file_name": f"{split}/{name}.jpg", "width": width, "height": height}
    return {"image": entry, "annotations": annotations}


def write_coco(out: Path, split: str, entries: Sequence[dict[str, Any]]) -> None:
    """Write ``annotations/instances_SPLIT.json`` from what :func:`write_field` gave; file names are below images/."""
    images, annotations = [], []
    for number, entry in enumerate(entries, start=1):
        images.append({"id": number, **entry["image"]})
        for annotation in entry["annotations"]:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **annotation})
    data = {
        "info": {"description": "Bone-marrow smear fields, every nucleated cell outlined"},
        "categories": [{"id": 1, "name": "cell"}],
        "images": images,
        "annotations": annotations,
    }
    (out / "annotations").mkdir(exist_ok=True)
    (out / "annotations" / f"instances_{split}.json").write_text(json.dumps(data) + "\n", encoding="utf-8")
