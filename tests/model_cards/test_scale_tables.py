"""The tables of large pictures in BENCHMARKS.md."""

from __future__ import annotations

from model_cards.readme import benchmark_blocks
from model_cards.scale_tables import scale_tables

FOUND = {
    "mosaics": [
        {"source": "BCCD", "mosaic": "2×2", "megapixels": 0.52, "cells": 40, "together": 0.975, "more": 0.025},
        {"source": "BCCD", "mosaic": "12×12", "megapixels": 18.66, "cells": 1440, "together": 0.98, "more": 0.01},
    ],
    "sizes": [
        {"pixels": "16–30", "cells": 100, "together": 0.8, "more": 0.1},
        {"pixels": "30–45", "cells": 200, "together": 0.97, "more": 0.0},
    ],
    "shifted": [{"source": "BCCD", "mosaic": "4×4", "cells": 640, "same": 0.991}],
    "slicing": [
        {"megapixels": 2.07, "way": "SAHI", "seconds": 4.321, "cells": 90, "together": 0.9, "more": 0.2},
    ],
    "large": [{"megapixels": 16.2, "picture": "bare ground", "cells": 12, "seconds": 3.21, "peak_mb": 512.3}],
    "command": "python -m benchmarks scale --data DATA",
}


def test_each_mosaic_size_and_shift_has_its_row():
    text = scale_tables(FOUND)
    assert "| BCCD | 12×12 | 18.660 | 1440 | 0.980 | 0.010 |" in text
    assert "| 16–30\\* | 100 | 0.800 | 0.100 |" in text and "| 30–45 | 200 | 0.970 | 0.000 |" in text
    assert "| BCCD | 4×4 | 640 | 0.991 |" in text
    assert "| 2.070 | SAHI | 4.32 | 90 | 0.900 | 0.200 |" in text
    assert "| 16.200 | bare ground | 12 | 3.2 | 512 |" in text
    assert text.endswith("```bash\npython -m benchmarks scale --data DATA\n```")


def test_what_was_not_measured_is_said_to_be_missing():
    assert benchmark_blocks({})["scale"] == "No figures yet: run `python -m benchmarks scale`."
