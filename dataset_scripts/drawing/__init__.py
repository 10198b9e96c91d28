"""Drawn cells: stains, shapes, textures, recipes, a cell, and the background it lies on, up to whole pictures."""
