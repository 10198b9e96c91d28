"""Fields composed of single cells, with a mask for every nucleated cell."""
