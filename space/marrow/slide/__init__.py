"""Whole slides: the countable part of a smear found from the overview, counted area by area, as a person would.

:mod:`marrow.slide.reader` reads pixels and their size, :mod:`marrow.slide.grid` cuts a slide into areas,
:mod:`marrow.slide.ground` tells which of them can be counted, :mod:`marrow.slide.count` counts them in turn,
:mod:`marrow.slide.tables`, :mod:`marrow.slide.geojson`, :mod:`marrow.slide.pictures` and :mod:`marrow.slide.summary`
write what came out, and :mod:`marrow.slide.study` leads all of it.
"""
