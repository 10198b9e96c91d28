"""Cells outlined without learning: a threshold on the nuclear dye, then watershed. A baseline for the segmenter."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import gaussian, threshold_otsu
from skimage.measure import regionprops
from skimage.morphology import remove_small_objects
from skimage.segmentation import watershed

from marrow.analysis import Detection
from marrow.geometry import contour, polygon_area, polygon_box

SIDE = 640  # pixels; larger fields are scaled down to it, as for the network
LEAST_DYE = 0.35  # optical density; paler things are no nuclei, however pale the rest of the field
SMALLEST = 300  # pixels of a nucleus, about 20 px across; platelets are smaller
REACH = 0.6  # of the nucleus' radius, how far the cytoplasm may lie from it
CYTOPLASM = 0.4  # of the threshold for nuclei


def outline_cells(image: np.ndarray, confidence: float = 0.0) -> list[Detection]:
    """Outline the nucleated cells of a field by colour.

    Nuclei are what stands above Otsu's threshold (Otsu 1979) in the optical density of the dye that takes up red and
    green light but little blue, touching ones parted by watershed on the distance to their border (Meyer 1994). Each
    grows into paler dye near it, its cytoplasm.

    Args:
        image: ``(height, width, 3)`` uint8 RGB.
        confidence: lowest score to keep. The score is how dark the nucleus is: 0 at the threshold, towards 1 above.

    Returns:
        Detections in pixels of ``image``, by falling score.
    """
    scale = min(1.0, SIDE / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    dye = _nuclear_dye(small)
    threshold = max(LEAST_DYE, float(threshold_otsu(dye)))
    nuclei = _parted(remove_small_objects(dye > threshold, max_size=SMALLEST - 1))
    cells = _with_cytoplasm(nuclei, dye, CYTOPLASM * threshold)
    darkness = ndimage.mean(dye, nuclei, np.arange(1, nuclei.max() + 1))
    scores = 1 - threshold / np.maximum(darkness, threshold)
    found = [_detection(cells == number, score, scale) for number, score in enumerate(scores, start=1)]
    return sorted((d for d in found if d and d.score >= confidence), key=lambda d: -d.score)


def _nuclear_dye(image: np.ndarray) -> np.ndarray:
    """Optical density in red and green, less that in blue: high in nuclei, low in red cells, which let red through."""
    light = np.percentile(image.reshape(-1, 3), 90, axis=0)
    density = -np.log((image + 4.0) / (light + 4.0)).clip(None, 0)
    return gaussian(density[..., 0] + density[..., 1] - 0.9 * density[..., 2], 1.5)


def _parted(nuclei: np.ndarray) -> np.ndarray:
    """Number the nuclei, touching ones apart: ``(height, width)`` int, 0 for ground."""
    distance = gaussian(ndimage.distance_transform_edt(ndimage.binary_fill_holes(nuclei)), 2)
    peaks = peak_local_max(distance, min_distance=10, threshold_abs=4, labels=nuclei.astype(int), exclude_border=False)
    seeds = np.zeros(nuclei.shape, int)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return watershed(-distance, seeds, mask=nuclei)


def _with_cytoplasm(nuclei: np.ndarray, dye: np.ndarray, threshold: float) -> np.ndarray:
    """Let each nucleus grow into dye above ``threshold``, no further than a share of its own radius."""
    far, (rows, columns) = ndimage.distance_transform_edt(nuclei == 0, return_indices=True)
    radii = np.zeros(nuclei.max() + 1)
    for region in regionprops(nuclei):
        radii[region.label] = region.equivalent_diameter_area / 2
    near = far <= REACH * radii[nuclei[rows, columns]]
    return watershed(-dye, nuclei, mask=near & ((dye > threshold) | (nuclei > 0)))


def _detection(mask: np.ndarray, score: float, scale: float) -> Detection | None:
    border = contour(mask)
    if len(border) == 0:
        return None
    points = border / scale
    area = polygon_area(border) / scale**2
    return Detection(polygon_box(points), tuple(map(tuple, points.tolist())), area, float(score))
