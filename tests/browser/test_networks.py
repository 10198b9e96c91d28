"""The released networks in ONNX Runtime Web, with the browser's pipeline around them, in node."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from marrow.defaults import RELEASE
from marrow.pipeline import analyze
from tests.browser.packs import write_pack
from tests.browser.recorded import Recorder, make_models, open_onnx, read_configs
from tests.browser.stages import draw_small
from tests.commands import ROOT

pytestmark = pytest.mark.slow


def test_javascript_alone_does_as_python_with_onnx_runtime(node, tmp_path):
    if not (ROOT / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("needs `npm ci`: ONNX Runtime Web runs the networks")
    networks = [Recorder(partial(_run, open_onnx(kind)), kind == "segmenter") for kind in ("segmenter", "classifier")]
    models = make_models(*read_configs(), (networks[0], networks[1]))
    picture = draw_small(np.random.default_rng(7), 330, 400, 8)
    write_pack("field", {"picture": picture, "analysis": analyze(picture, models).to_dict()}, tmp_path)
    folders = {kind.upper(): str(ROOT / "hub" / name) for kind, name in RELEASE.items()}
    done = subprocess.run(
        [node, "--test", str(Path(__file__).with_name("networks.test.js"))],
        env=os.environ | folders | {"WRITTEN": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _run(session: ort.InferenceSession, inputs: np.ndarray) -> list[np.ndarray]:
    return session.run(None, {session.get_inputs()[0].name: inputs})
