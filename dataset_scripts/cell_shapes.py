"""Outlines, nuclei and textures that drawn cells are made of.

Shapes are lists of polygons, (N, 2) float arrays of x, y in pixels; a shape is their union.
"""

import cv2
import numpy as np

Shape = list[np.ndarray]

_POINTS = 72
_SUBPIXEL_BITS = 4


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


def smooth_noise(shape: tuple[int, int], grain: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 noise with mean 0 and deviation near 1 that varies over about `grain` pixels."""
    grain = max(grain, 1.0)
    rows, columns = int(shape[0] / grain) + 2, int(shape[1] / grain) + 2
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    fine = cv2.resize(coarse, (int(columns * grain) + 1, int(rows * grain) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = rng.integers(0, int(grain) + 1, 2)
    return fine[top : top + shape[0], left : left + shape[1]] * 1.3


def grains(
    shape: tuple[int, int], count: float, radius: float, rng: np.random.Generator, inside: np.ndarray
) -> np.ndarray:
    """Scatter granules.

    Args:
        shape: (H, W) of the result.
        count: Expected number of granules per square of 10 x 10 radii.
        radius: Granule radius in pixels.
        rng: Random generator.
        inside: (H, W) weights, 0 to 1, of where granules may lie.

    Returns:
        (H, W) float32, about 1 at the centre of a granule.
    """
    sigma = max(radius * 0.7, 0.45)
    chance = count / (100 * radius * radius) * inside
    hit = rng.random(shape, dtype=np.float32)
    points = np.where(hit < chance, 0.5 + hit / np.maximum(chance, 1e-6), 0).astype(np.float32)
    return cv2.GaussianBlur(points, (0, 0), sigma) * (2 * np.pi * sigma * sigma)


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


def round_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a round or slightly oval nucleus."""
    return [blob(rng, centre, radius, 0.025, rng.uniform(1.0, 1.22))]


def blast_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a large round to slightly cleft nucleus."""
    dents = int(rng.random() < 0.35)
    return [blob(rng, centre, radius, 0.05, rng.uniform(1.0, 1.2), dents=dents, dent_depth=rng.uniform(0.1, 0.35))]


def flattened_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw an oval nucleus with one flat or shallowly dented side."""
    return [blob(rng, centre, radius, 0.035, rng.uniform(1.05, 1.4), dents=1, dent_depth=rng.uniform(0.02, 0.22))]


def kidney_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a bean with an indentation of less than half its width."""
    depth = rng.uniform(0.3, 0.55)
    return [blob(rng, centre, radius * 1.04, 0.04, rng.uniform(1.25, 1.7), dents=1, dent_depth=depth)]


def folded_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw the nucleus of a monocyte: horseshoe, bean or irregular lobes."""
    kind = rng.random()
    if kind < 0.35:
        return _worm(rng, centre, radius, rng.uniform(0.58, 0.72), bend=rng.uniform(2.2, 3.6), waist=0.1)
    if kind < 0.75:
        return [
            blob(rng, centre, radius * 1.06, 0.06, rng.uniform(1.1, 1.5), dents=1, dent_depth=rng.uniform(0.4, 0.7))
        ]
    return [blob(rng, centre, radius * 1.08, 0.07, 1.15, dents=int(rng.integers(2, 4)), dent_depth=0.38)]


def band_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw a curved band of even width."""
    return _worm(rng, centre, radius, rng.uniform(0.46, 0.6), bend=rng.uniform(2.0, 4.2), waist=rng.uniform(0, 0.22))


def lobed_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw two to five lobes that touch or hang on thin threads (segmented neutrophil)."""
    return _lobes(rng, centre, radius, int(rng.choice([2, 3, 4, 5], p=[0.18, 0.42, 0.3, 0.1])))


def two_lobed_nucleus(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> Shape:
    """Draw two, seldom three, plump lobes (eosinophil); sometimes one bean (eosinophil precursor)."""
    if rng.random() < 0.2:
        return flattened_nucleus(rng, centre, radius)
    return _lobes(rng, centre, radius, 2 if rng.random() < 0.75 else 3)


def _lobes(rng: np.random.Generator, centre: tuple[float, float], radius: float, number: int) -> Shape:
    """Place lobes along an arc; `radius` is that of a disc of the same total area."""
    size = radius / np.sqrt(number) * rng.uniform(0.85, 1.15, number)
    gap = rng.uniform(0.85, 1.15, number - 1)
    steps = np.concatenate([[0], np.cumsum((size[:-1] + size[1:]) * gap * 1.08)])
    bend = rng.uniform(2.0, 5.0) if number > 2 else rng.uniform(0.5, 2.0)
    x, y, heading = _arc(steps / steps[-1], steps[-1], bend)
    reach = (np.hypot(x, y) + size).max()
    x, y = x * min(1.0, 1.45 * radius / reach), y * min(1.0, 1.45 * radius / reach)
    turn = rng.uniform(0, 2 * np.pi)
    x, y = _turned(x + rng.normal(0, 0.1, number) * size, y + rng.normal(0, 0.12, number) * size, turn)
    x, y, heading = x + centre[0], y + centre[1], heading + turn
    shape = [
        _oval(px, py, r, rng.uniform(1.0, 1.45), h + rng.normal(0, 0.5), rng)
        for px, py, r, h in zip(x, y, size, heading, strict=True)
    ]
    thread = radius * rng.uniform(0.12, 0.45)
    for k in range(number - 1):
        shape.append(_bridge(x[k], y[k], x[k + 1], y[k + 1], thread))
    return shape


def _worm(
    rng: np.random.Generator, centre: tuple[float, float], radius: float, half_width: float, bend: float, waist: float
) -> Shape:
    """Draw a bent band of the area of a disc of `radius`.

    `half_width` is relative to the radius, `bend` is the angle the band turns through, `waist` how much it narrows
    between its ends.
    """
    length = (np.pi - np.pi * half_width**2) / (2 * half_width) * radius
    t = np.linspace(0, 1, 22)
    x, y, _ = _arc(t, length, min(bend, length / (half_width * radius) * 0.92))
    reach = np.hypot(x, y).max() + half_width * radius
    x, y = x * min(1.0, 1.5 * radius / reach), y * min(1.0, 1.5 * radius / reach)
    wiggle = radius * 0.12 * np.sin(2 * np.pi * t * rng.uniform(0.7, 1.5) + rng.uniform(0, 6.3))
    x, y = _turned(x, y + wiggle, rng.uniform(0, 2 * np.pi))
    knots = np.interp(t, np.linspace(0, 1, 6), rng.normal(0, 0.09, 6))
    r = radius * half_width * (1 + knots - waist * np.sin(np.pi * t) ** 2)
    discs = [_oval(px + centre[0], py + centre[1], pr, 1.0, 0.0) for px, py, pr in zip(x, y, r, strict=True)]
    return discs


def _arc(t: np.ndarray, length: float, bend: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points and headings at shares t of an arc that turns by `bend`, its centre of gravity at 0."""
    heading = (t - 0.5) * bend
    rho = length / bend
    x, y = rho * np.sin(heading), -rho * np.cos(heading)
    return x - x.mean(), y - y.mean(), heading


def _turned(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(angle), np.sin(angle)
    return x * cos - y * sin, x * sin + y * cos


def _oval(
    x: float,
    y: float,
    radius: float,
    elongation: float,
    heading: float,
    rng: np.random.Generator | None = None,
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
