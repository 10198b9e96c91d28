"""The best areas come first, and a cell that two areas found is counted once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marrow import Analysis, Cell
from marrow.analysis import ELSEWHERE
from marrow.batch.sources import Picture
from marrow.batch.workers import Outcome
from marrow.report import CountingRules, make_report
from marrow.slide.count import count_areas, order_areas
from marrow.slide.grid import CORE, MARGIN, Area, Grid
from marrow.slide.reader import Slide

RULES = CountingRules(("NGS", "ART"), 0.5, (), ())


def _areas() -> list[Area]:
    scores = (0.1, 0.9, 0.5, 0.85, 0.95, 0.0)
    areas = [Area(0, at, (at, 0, at + 1, 1), score=score) for at, score in enumerate(scores)]
    return [*areas, Area(1, 0, (0, 1, 1, 2), kind="empty")]


def test_the_best_areas_come_first_and_the_seed_orders_those_that_are_equally_good():
    orders = {tuple(area.column for area in order_areas(_areas(), True, seed)) for seed in range(20)}
    assert len(orders) > 1
    assert all({*order[:3]} == {1, 3, 4} and order[3] == 2 and {*order[4:]} == {0, 5} for order in orders)
    assert order_areas(_areas(), True, 3) == order_areas(_areas(), True, 3)
    assert [area.column for area in order_areas(_areas(), False, 3)] == [0, 1, 2, 3, 4, 5]


def _cell(x: float, y: float, side: float = 40.0, label: str = "NGS") -> Cell:
    box = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    outline = ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]))
    return Cell(box, outline, side**2, 0.9, 1, label, 0.9, {"NGS": 0.9, "ART": 0.1})


def _outcome(area: Area, cells: list[Cell], grid: Grid) -> Outcome:
    place = grid.place(area.core)
    numbered = tuple(replace(cell, id=at) for at, cell in enumerate(cells, start=1))
    size = place.width, place.height
    analysis = Analysis(*size, ELSEWHERE, ELSEWHERE, 0.4, numbered, make_report(numbered, RULES))
    return Outcome(Picture("slide", area.name), "x", analysis)


def test_a_cell_on_a_border_is_counted_once(svs):
    grid = Grid(Slide(svs))
    left, right = [area for area in grid if area.row == 0][:2]
    border = CORE  # in the picture of the left area, which has no margin on its left; that of the right begins before
    cells = {
        left.name: [_cell(border - 2, 100), _cell(border + 60, 300), _cell(200, 500), _cell(400, 500, label="ART")],
        right.name: [_cell(MARGIN + 3, 101), _cell(MARGIN + 60, 300), _cell(MARGIN + 30, 101)],
    }
    counted = list(count_areas([left, right], grid, lambda area: _outcome(area, cells[area.name], grid), RULES, None))
    assert [len(one.cells) for one in counted] == [3, 2]
    assert [cell.id for one in counted for cell in one.cells] == [1, 2, 3, 4, 5]
    boxes = np.array([cell.box for one in counted for cell in one.on_slide()])
    assert boxes[-2:, 0].tolist() == [CORE + 40, CORE + 10]


def test_no_further_area_is_counted_than_is_asked_for(svs):
    grid = Grid(Slide(svs))
    areas, looked = list(grid), []

    def look(area: Area) -> Outcome:
        looked.append(area.name)
        return _outcome(area, [_cell(300, 300), _cell(400, 400), _cell(500, 300, label="ART")], grid)

    counted = list(count_areas(areas, grid, look, RULES, 4))
    assert len(counted) == len(looked) == 2  # two of three cells are in the differential
