"""Classes that share a line must differ in colour, for colour-blind eyes too."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from marrow.drawing import CELL, DASHES, GREY, PALETTE, ink_on
from tests.space.known_models import CODES

# Machado GM, Oliveira MM, Fernandes LAF. IEEE Trans Vis Comput Graph 2009;15:1291-1298, severity 1.0, linear RGB
EYES = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


@pytest.mark.parametrize("eyes", EYES)
def test_classes_with_the_same_line_differ_in_colour(eyes):
    pairs = [pair for pair in combinations(CODES, 2) if DASHES[pair[0]] == DASHES[pair[1]]]
    assert pairs
    for one, other in pairs:
        difference = np.linalg.norm(_lab(PALETTE[one], EYES[eyes]) - _lab(PALETTE[other], EYES[eyes]))
        assert difference > 30, (one, other)


def test_letters_can_be_read_on_every_colour():
    """WCAG 2.2, 1.4.3: a contrast of at least 4.5 to 1."""
    for colour in (*PALETTE.values(), GREY, CELL):
        dark, light = sorted(_luminance(one) for one in (colour, ink_on(colour)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, colour


def _luminance(colour: tuple[int, int, int]) -> float:
    return float(TO_XYZ[1] @ _linear(colour))


def _linear(colour: tuple[int, int, int]) -> np.ndarray:
    share = np.array(colour) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def _lab(colour: tuple[int, int, int], eyes: np.ndarray) -> np.ndarray:
    """CIE 1976 L*a*b* of an sRGB colour as it is seen, white point D65."""
    x, y, z = TO_XYZ @ (eyes @ _linear(colour)).clip(0, 1) / (0.9505, 1.0, 1.089)
    fx, fy, fz = (np.cbrt(v) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])
