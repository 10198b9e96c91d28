"""What ``python -m benchmarks scale`` found, as Markdown for ``BENCHMARKS.md``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.common.markdown import table

NOT_LEARNED = ("16–30", "250–400")
"""Sizes of cells that the network did not learn: the report warns of them."""


def scale_tables(found: Mapping[str, Any]) -> str:
    """Return the recall in mosaics, by their size and by that of the cells, and what depends on the tiles.

    Args:
        found: the part ``scale`` of ``benchmarks/results.json``.
    """
    mosaics = [[row["source"], row["mosaic"], row["megapixels"], *_recall(row)] for row in found["mosaics"]]
    sizes = [[row["pixels"] + ("\\*" if row["pixels"] in NOT_LEARNED else ""), *_recall(row)] for row in found["sizes"]]
    shifted = [[row["source"], row["mosaic"], row["cells"], row["same"]] for row in found["shifted"]]
    large = [
        [row["megapixels"], row["picture"], row["cells"], f"{row['seconds']:.1f}", f"{row['peak_mb']:.0f}"]
        for row in found["large"]
    ]
    slicing = [[row["megapixels"], row["way"], f"{row['seconds']:.2f}", *_recall(row)] for row in found["slicing"]]
    heads = ["cells found alone", "of these, found in the mosaic", "found in the mosaic alone"]
    return "\n\n".join(
        [
            "Cells found in windows of real fields (360×360 px), looked at alone and in mosaics of these windows:",
            table(["fields", "windows", "megapixels", *heads], mosaics),
            "The same in mosaics of 4×4, by the longest side of the cell's box:",
            table(["pixels", *heads], sizes),
            "\\* Not learned; the report warns where most cells are so small or so large.",
            "Cells that are the same, at IoU 0.7, where the tiles begin half a tile before (of both looks together; "
            "cells that a seam cuts, or whose score is within 0.03 of the bound, do not count):",
            table(["fields", "windows", "cells", "the same"], shifted),
            "Outlining mosaics with the same weights, and with SAHI's slices of 640 px:",
            table(["megapixels", "", "seconds", *heads], slicing),
            "`marrow analyze` on mosaics of all fields, and on as much bare ground around one window:",
            table(["megapixels", "picture", "cells", "seconds", "most MB"], large),
            "![Seconds and memory by megapixels](model_cards/figures/large_pictures.png)",
            f"```bash\n{found['command']}\n```",
        ]
    )


def _recall(row: Mapping[str, Any]) -> list[Any]:
    return [row["cells"], row["together"], row["more"]]
