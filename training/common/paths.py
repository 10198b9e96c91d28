"""Where the project's own files lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The root of the project, in which its commands run."""
CONFIGS = ROOT / "training" / "configs"
"""The experiment files."""
