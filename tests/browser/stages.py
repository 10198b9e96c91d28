"""Small cases of the stages of the pipeline, each with its input and what Python makes of it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from dataset_scripts.drawing.pictures import draw_field
from marrow.classifier import Softening, probabilities, soften
from marrow.crop import CropConfig, crop_cell
from marrow.geometry import contour, opened, polygon_area, simplify
from marrow.letterbox import letterbox
from marrow.nuclei import Nuclei, least_share
from marrow.pyramid import Tile, scales, tiles
from marrow.segmenter import _decode, _nms, _parts
from marrow.stain import background_colour, measure_stain, nuclear_colour, nuclear_mask, optical_density, thinned

Case = dict[str, Any]


def make_stages() -> dict[str, list[Case]]:
    """Return the cases of every stage, by its name."""
    rng = np.random.default_rng(21)
    picture = draw_small(rng, 90, 131)
    return {
        "thinned": [_thinned(picture, longest) for longest in (131, 65, 64, 43, 100)],
        "letterbox": [
            _letterbox(picture, *how) for how in ((64, None), (100, None), (160, 1.0), (96, 0.5), (64, 0.25))
        ],
        "decode": [_decoded(rng, classes) for classes in (1, 3)],
        "suppress": [_suppressed(rng, number) for number in (0, 12, 60)],
        "outline": [_outlined(mask) for mask in _masks(rng)],
        "crop": [_cropped(picture, box, size) for box in _boxes() for size in (17, 48)],
        "stain": [_stained(draw_small(rng, 120, 150)), _stained(picture[:20, :20])],
        "temperature": [_softened(*how) for how in ((0.9, 0.0), (0.9, 0.3), (2.0, 1.1))],
        "probabilities": [_probable(rng, *how) for how in ((1.0, None), (0.7, 4.0), (2.5, -3.0))],
        "tiles": [_tiled(rng, *size) for size in ((640, 640, 640), (900, 500, 640), (333, 1500, 256))],
    }


def draw_small(rng: np.random.Generator, height: int, width: int, cells: int = 2, levels: int = 4) -> np.ndarray:
    """Draw a field in few levels, so that it is small on disk; ``levels`` is the number of bits."""
    drawn = cv2.medianBlur(draw_field(rng, height, width, cells).image, 3)
    step = 1 << (8 - levels)
    return drawn // step * step + step // 2


def _thinned(image: np.ndarray, longest: int) -> Case:
    return {"picture": image, "longest": longest, "thinned": thinned(image, longest)}


def _letterbox(image: np.ndarray, size: int, scale: float | None) -> Case:
    inputs, used, corner = letterbox(image, size, scale)
    levels = (inputs * 255).round().astype(np.uint8)
    return {"picture": image, "size": size, "scale": scale, "levels": levels, "used": used, "corner": list(corner)}


def _decoded(rng: np.random.Generator, classes: int) -> Case:
    rows = rng.uniform(0, 100, (4 + classes + 3, 80)).astype(np.float32)
    rows[2:4] = rows[2:4] / 3 + 5
    rows[4 : 4 + classes] /= 100
    boxes, scores, coefficients = _decode(rows, 0.4, 0.5, classes)
    made = {"boxes": boxes, "scores": scores, "coefficients": coefficients}
    return {"rows": rows[None], "confidence": 0.4, "iou": 0.5, "classes": classes, **made}


def _suppressed(rng: np.random.Generator, number: int) -> Case:
    corners = rng.uniform(0, 100, (number, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(8, 70, (number, 2))], axis=1).astype(np.float32)
    scores = rng.uniform(0, 1, number).astype(np.float32).round(2)  # some are equal
    kept = _nms(boxes, scores, 0.4).astype(np.int32)
    parts = _parts(boxes, scores, 0.5).astype(np.int32)
    return {"boxes": boxes, "scores": scores, "iou": 0.4, "confidence": 0.5, "kept": kept, "parts": parts}


def _masks(rng: np.random.Generator) -> list[np.ndarray]:
    clouds = [cv2.GaussianBlur(rng.normal(size=(40, 52)).astype(np.float32), (0, 0), sigma) for sigma in (1, 2, 5)]
    full, dots, ring = np.ones((9, 14)), np.zeros((7, 7)), np.zeros((30, 30))
    dots[[1, 3, 5], [5, 1, 5]] = 1
    ring[4:26, 3:27] = 1
    ring[10:20, 8:22] = 0
    y, x = np.mgrid[:60, :70]
    ellipse = ((x - 34.2) / 29) ** 2 + ((y - 30.6) / 21) ** 2 < 1
    masks = [*(cloud > 0 for cloud in clouds), full, dots, ring, ellipse, np.zeros((5, 5))]
    return [np.pad(mask, 1).astype(np.uint8) for mask in masks]


def _outlined(mask: np.ndarray) -> Case:
    cleaned = opened(mask, 1.4)
    found = {}
    for name, one in (("raw", mask), ("clean", cleaned)):
        corners = contour(one)
        polygon = simplify(corners).astype(np.float32)
        found[name] = {"contour": corners.astype(np.float32), "polygon": polygon, "area": polygon_area(corners)}
    return {"mask": mask, "radius": 1.4, "opened": cleaned, **found}


def _boxes() -> list[tuple[float, float, float, float]]:
    within, at_border, outside = (30.2, 20.7, 61.9, 58.1), (-6.0, 60.0, 33.3, 99.5), (200.0, 20.0, 240.0, 50.0)
    return [within, at_border, outside, (2.5, 1.5, 128.0, 88.0), (70.1, 40.2, 82.6, 47.9)]


def _cropped(image: np.ndarray, box: tuple[float, float, float, float], size: int) -> Case:
    config = CropConfig(size=size, context=0.2, background=128)
    plain = {"size": size, "context": 0.2, "background": 128}
    return {"picture": image, "box": list(box), "config": plain, "crop": crop_cell(image, box, config)}


def _stained(image: np.ndarray) -> Case:
    density = optical_density(image)
    case: Case = {"picture": image, "ground": background_colour(image).astype(np.float32)}
    case |= {"densities": density[::30], "nuclei": nuclear_mask(density), "colour": nuclear_colour(density)[::30]}
    nuclei, height, width = Nuclei.of(image), *image.shape[:2]
    boxes = [(x + 0.3, y + 0.6, x + 22.1, y + 23.4) for y in range(0, height, 15) for x in range(0, width, 15)]
    shares = nuclei.shares(np.array(boxes))
    case |= {"boxes": [list(box) for box in boxes], "shares": shares.tolist(), "least": least_share(shares)}
    measured = measure_stain(image) if len(image) > 20 else None
    return case | {"stain": measured and {key: list(values) for key, values in vars(measured).items()}}


def _softened(temperature: float, exponent: float) -> Case:
    unlikeness = np.array([0.0, 0.01, 0.2, 1.7])
    temperatures = soften(temperature, Softening(0.03, exponent), unlikeness)
    config = {"temperature": temperature, "softening": {"unlikeness": 0.03, "exponent": exponent}}
    return {"config": config, "unlikeness": unlikeness.tolist(), "temperatures": list(temperatures)}


def _probable(rng: np.random.Generator, temperature: float, reject_logit: float | None) -> Case:
    logits = rng.normal(0, 3, (4, 5, 12)).astype(np.float32)
    shares = probabilities(logits, temperature, reject_logit)
    return {"logits": logits, "temperature": temperature, "reject_logit": reject_logit, "probabilities": shares}


def _tiled(rng: np.random.Generator, width: int, height: int, side: int) -> Case:
    corners = rng.uniform(0, (width, height), (60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 250, (60, 2))], axis=1).astype(np.float32)
    rows = [_tile(tile, boxes) for scale in scales(width, height, side) for tile in tiles(width, height, side, scale)]
    return {"width": width, "height": height, "side": side, "boxes": boxes, "tiles": rows}


def _tile(tile: Tile, boxes: np.ndarray) -> Case:
    held = np.flatnonzero(tile.holds(boxes.astype(float))).tolist()
    return {"box": list(tile.box), "scale": tile.scale, "cut": list(tile.cut), "held": held}
