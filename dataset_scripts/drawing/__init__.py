"""Drawn cells: stains, shapes, textures, recipes, a cell, and the ground it lies on."""
