"""Building the data sets: single cells, drawn cells and composed fields."""
