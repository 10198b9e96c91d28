"""Outlines and nuclei of drawn cells.

Shapes are lists of polygons, (N, 2) float arrays of x, y in pixels; a shape is their union.
"""

import cv2
import numpy as np

Shape = list[np.ndarray]
Size = tuple[int, ...]
Place = tuple[slice, slice]

_POINTS = 72
_SUBPIXEL_BITS = 4
_REACH = 1.5  # how far a bent nucleus may stretch from its middle, in radii of a disc of its area


def fill(shape: Shape, height: int, width: int, softness: float) -> np.ndarray:
    """Fill a shape with soft edges.

    Args:
        shape: Polygons whose union is filled.
        height: Rows of the result.
        width: Columns of the result.
        softness: Standard deviation of the edge blur in pixels.

    Returns:
        (H, W) float32 coverage, 0 to 1.
    """
    canvas = np.zeros((height, width), np.uint8)
    for polygon in shape:
        points = np.round(polygon * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(canvas, [points], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
    return cv2.GaussianBlur(canvas.astype(np.float32) / 255, (0, 0), max(softness, 0.3))


def blob(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    roughness: float = 0.03,
    elongation: float = 1.0,
    fringe: float = 0.0,
    dents: int = 0,
    dent_depth: float = 0.0,
    dent_at: float | None = None,
) -> np.ndarray:
    """Draw a closed, irregular outline.

    Args:
        rng: Random generator.
        centre: x, y in pixels.
        radius: Mean radius in pixels.
        roughness: Amplitude of the slow waves of the outline, as a share of the radius.
        elongation: Long over short axis; the area stays.
        fringe: Amplitude of the fast, hairy waves, as a share of the radius.
        dents: Number of indentations.
        dent_depth: Depth of an indentation as a share of the radius.
        dent_at: Direction of the first indentation in radians; None is anywhere.

    Returns:
        (N, 2) polygon.
    """
    points = _POINTS if fringe == 0 else 3 * _POINTS
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    waves = np.arange(2, 7)
    amplitude = rng.normal(0, 1, len(waves)) / (waves - 1) * roughness
    phase = rng.uniform(0, 2 * np.pi, len(waves))
    reach = 1 + (amplitude[:, None] * np.cos(waves[:, None] * angle + phase[:, None])).sum(0)
    if fringe:
        fast = np.abs(np.convolve(rng.normal(0, 1, points + 2), [0.25, 0.5, 0.25], "valid"))
        sector = np.clip(0.5 + np.cos(angle - rng.uniform(0, 2 * np.pi)), 0, 1)
        reach += fringe * fast * sector
    turn = rng.uniform(0, np.pi)
    if dents:
        first = rng.uniform(0, 2 * np.pi) if dent_at is None else dent_at
        turn = first + np.pi / 2  # a dent lies on the long side
    for k in range(dents):
        away = np.angle(np.exp(1j * (angle - first - 2 * np.pi * k / dents - (k > 0) * rng.normal(0, 0.5))))
        width = rng.uniform(0.3, 0.6)
        reach -= dent_depth * rng.uniform(0.75, 1.15) * np.exp(-0.5 * (away / width) ** 2)
    reach = np.clip(reach, 0.15, 1.8)
    x, y = reach * np.cos(angle - turn), reach * np.sin(angle - turn)
    stretch = np.sqrt(elongation)
    x, y = x * stretch, y / stretch
    cos, sin = np.cos(turn), np.sin(turn)
    return np.stack([centre[0] + radius * (x * cos - y * sin), centre[1] + radius * (x * sin + y * cos)], 1)


def meeting(picture: Size, piece: Size, top: int, left: int) -> tuple[Place, Place] | None:
    """Find where a piece with its corner at a row and column lies in a picture.

    Args:
        picture: Shape of its array.
        piece: Likewise.
        top: Row of the piece's corner; may lie outside, as what follows.
        left: Column of the piece's corner.

    Returns:
        The place in the picture, and the part of the piece that lies there; None where they do not meet.
    """
    rows = slice(max(top, 0), min(top + piece[0], picture[0]))
    columns = slice(max(left, 0), min(left + piece[1], picture[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    part = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    return (rows, columns), part


def round_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a round or slightly oval nucleus."""
    return [blob(rng, centre, radius, 0.025, rng.uniform(1.0, 1.22))]


def blast_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a large round to slightly cleft nucleus."""
    dents = int(rng.random() < 0.35)
    return [blob(rng, centre, radius, 0.05, rng.uniform(1.0, 1.2), dents=dents, dent_depth=rng.uniform(0.1, 0.35))]


def oval_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw an oval nucleus, one side a little flattened (myelocyte, promyelocyte)."""
    return [blob(rng, centre, radius, 0.035, rng.uniform(1.05, 1.3), dents=1, dent_depth=rng.uniform(0.0, 0.14))]


def kidney_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a bean with an indentation of less than half its width (metamyelocyte)."""
    depth = rng.uniform(0.5, 0.72)
    return [blob(rng, centre, radius * 1.08, 0.025, rng.uniform(1.25, 1.55), dents=1, dent_depth=depth)]


def folded_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw the nucleus of a monocyte: a plump horseshoe, a bean or irregular lobes."""
    kind = rng.random()
    if kind < 0.35:
        return _worm(rng, centre, radius, rng.uniform(0.6, 0.72), bend=rng.uniform(2.4, 3.6), waist=0.1)
    if kind < 0.7:
        depth = rng.uniform(0.4, 0.7)
        return [blob(rng, centre, radius * 1.06, 0.06, rng.uniform(1.1, 1.4), dents=1, dent_depth=depth)]
    return [blob(rng, centre, radius * 1.12, 0.06, 1.15, dents=int(rng.integers(2, 5)), dent_depth=0.42)]


def band_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a slim band of even width, bent to a C or U, sometimes to an S (band neutrophil)."""
    s_shaped = rng.random() < 0.2
    bend = rng.uniform(3.2, 5.2) if s_shaped else rng.uniform(2.4, 4.3)
    return _worm(rng, centre, radius, rng.uniform(0.38, 0.46), bend, rng.uniform(0, 0.12), s_shaped)


def lobed_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw two to five lobes that hang on thin threads (segmented neutrophil)."""
    number = int(rng.choice([2, 3, 4, 5], p=[0.15, 0.42, 0.33, 0.1]))
    return _lobes(rng, centre, radius, number, thread=rng.uniform(0.1, 0.2))


def two_lobed_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw two, seldom three, plump lobes (eosinophil); seldom one bean (eosinophil precursor)."""
    if rng.random() < 0.1:
        return kidney_nucleus(rng, centre, radius)
    return _lobes(rng, centre, radius, 2 if rng.random() < 0.85 else 3, thread=rng.uniform(0.12, 0.3))


def _lobes(rng: np.random.Generator, centre: tuple[float, float], radius: float, number: int, thread: float) -> Shape:
    """Place lobes along an arc; `radius` is that of a disc of the same area, `thread` is relative to it."""
    size = radius / np.sqrt(number) * rng.uniform(0.85, 1.15, number)
    elongation = rng.uniform(1.0, 1.4, number)
    tilt = rng.normal(0, 0.4, number)
    half_length = size * np.sqrt(elongation)
    apart = rng.uniform(1.08, 1.25, number - 1)
    steps = np.concatenate([[0], np.cumsum((half_length[:-1] + half_length[1:]) * apart)])
    bend = rng.uniform(0.3, 1.6) if number == 2 else rng.uniform(0.7, 1) * (1.6 + 0.75 * number)
    x, y, heading = _path(steps / steps[-1], steps[-1], bend)
    reach = (np.hypot(x, y) + size).max()
    shrink = min(1.0, _REACH * radius / reach)
    x, y, size = x * shrink, y * shrink, size * max(shrink, 0.9)
    turn = rng.uniform(0, 2 * np.pi)
    x, y = _turned(x, y, turn)
    x, y, heading = x + centre[0], y + centre[1], heading + turn
    shape = [
        _oval(px, py, r, long, h, rng)
        for px, py, r, long, h in zip(x, y, size, elongation, heading + tilt, strict=True)
    ]
    shape += [_bridge(x[k], y[k], x[k + 1], y[k + 1], thread * radius) for k in range(number - 1)]
    return shape


def _worm(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radius: float,
    half_width: float,
    bend: float,
    waist: float,
    s_shaped: bool = False,
) -> Shape:
    """Draw a bent band of the area of a disc of `radius`.

    `half_width` is relative to the radius, `bend` is the angle the band turns through, `waist` how much it narrows
    between its ends.
    """
    length = (np.pi - np.pi * half_width**2) / (2 * half_width) * radius
    t = np.linspace(0, 1, 30)
    x, y, _ = _path(t, length, min(bend, length / (half_width * radius) * 0.8), s_shaped)
    reach = np.hypot(x, y).max() + half_width * radius
    shrink = min(1.0, _REACH * radius / reach)
    x, y = _turned(x * shrink, y * shrink, rng.uniform(0, 2 * np.pi))
    knots = np.interp(t, np.linspace(0, 1, 6), rng.normal(0, 0.06, 6))
    r = radius * half_width * (1 + knots - waist * np.sin(np.pi * t) ** 2)
    return [_oval(px + centre[0], py + centre[1], pr, 1.0, 0.0) for px, py, pr in zip(x, y, r, strict=True)]


def _path(
    t: np.ndarray, length: float, bend: float, s_shaped: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points and headings at shares t of a curve that turns by `bend`, the middle of its extent at 0.

    A C turns one way all along, an S turns back in its second half.
    """
    share = np.linspace(0, 1, 101)
    heading = bend * (0.25 - np.abs(share - 0.5)) if s_shaped else bend * (share - 0.5)
    x, y = np.cumsum(np.cos(heading)) * length / 101, np.cumsum(np.sin(heading)) * length / 101
    x, y = x - (x.min() + x.max()) / 2, y - (y.min() + y.max()) / 2
    return np.interp(t, share, x), np.interp(t, share, y), np.interp(t, share, heading)


def _turned(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


def _oval(
    x: float, y: float, radius: float, elongation: float, heading: float, rng: np.random.Generator | None = None
) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    reach = radius * np.ones_like(angle)
    if rng is not None:
        reach *= 1 + 0.08 * np.cos(2 * angle + rng.uniform(0, 6.3)) + 0.1 * np.cos(3 * angle + rng.uniform(0, 6.3))
    stretch = np.sqrt(elongation)
    px, py = _turned(reach * np.cos(angle) * stretch, reach * np.sin(angle) / stretch, heading)
    return np.stack([x + px, y + py], 1)


def _bridge(x0: float, y0: float, x1: float, y1: float, width: float) -> np.ndarray:
    along = np.array([x1 - x0, y1 - y0])
    normal = np.array([-along[1], along[0]]) / (np.hypot(*along) + 1e-6) * width / 2
    start, end = np.array([x0, y0]), np.array([x1, y1])
    return np.stack([start + normal, end + normal, end - normal, start - normal])
