"""Finds, outlines and names nucleated cells in bone-marrow smear images.

>>> from marrow import Models, analyze, read_image
>>> models = Models.from_pretrained("NAMESPACE/bone-marrow-yolov8-seg", "NAMESPACE/bone-marrow-mobilenet")
>>> analyze(read_image("smear.jpg"), models).report.counts  # doctest: +SKIP
"""

from marrow.analysis import Analysis
from marrow.cell import Cell
from marrow.errors import MarrowError
from marrow.images import read_image
from marrow.pipeline import Models, analyze
from marrow.report import Report

__all__ = ["Analysis", "Cell", "MarrowError", "Models", "Report", "analyze", "read_image"]

__version__ = "0.3.0"
